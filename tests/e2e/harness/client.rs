//! A real OpenVPN client, driven through its management socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use super::echo::Pinger;
use super::management::{Event, Question, StaticChallenge, quoted, static_response};
use super::network::ClientNetwork;
use super::reply::Reply;
use super::{PATIENCE, eventually, report};

pub(super) const CONFIGURATION: &str = "client.conf";
pub(super) const MANAGEMENT: &str = "management.sock";
const LOG: &str = "client.log";

/// What clients here wait before a further connection (`connect-retry 1 1`): nothing, so that tests are quick.
const AT_ONCE: Duration = Duration::from_secs(1);

/// An event and when the client reported it.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) at: Instant,
    pub(crate) event: Event,
}

#[derive(Default)]
struct Events {
    list: Mutex<Vec<Timed>>,
    changed: Condvar,
}

pub(crate) struct Client {
    network: ClientNetwork,
    process: Child,
    management: UnixStream,
    events: Arc<Events>,
    /// How many of the events the test has seen.
    seen: usize,
    /// When the last password or response was sent.
    answered: Instant,
    directory: PathBuf,
}

/// Notes what the client reports, and lets it go on whenever it holds, which is at its start and before each
/// further connection: it leaves waiting to the one who releases it. (A release that is not asked for makes it drop the next
/// password prompt.)
fn listen(management: &UnixStream, events: &Events) {
    let tell = |event| {
        let timed = Timed { at: Instant::now(), event };
        events.list.lock().expect("not poisoned").push(timed);
        events.changed.notify_all();
    };
    for line in BufReader::new(management).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        let event = Event::parse(line.trim_end_matches('\r'));
        if let Event::Hold { wait } = event {
            let mut release = management.try_clone().expect("a socket can be cloned");
            let wait = if wait > AT_ONCE { wait } else { Duration::ZERO };
            std::thread::spawn(move || {
                std::thread::sleep(wait);
                let _ended = release.write_all(b"hold release\n");
            });
        }
        tell(event);
    }
    tell(Event::Exited);
}

/// Raw steps.
impl Client {
    /// Starts OpenVPN on the configuration in `directory`, up to its first prompt.
    pub(super) fn start_in(network: ClientNetwork, directory: PathBuf) -> Self {
        let log = std::fs::File::create(directory.join(LOG)).unwrap();
        let mut process = network
            .command("openvpn")
            .arg("--config")
            .arg(directory.join(CONFIGURATION))
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let management = eventually("the client opens its management socket", PATIENCE, || {
            if let Some(status) = process.try_wait().unwrap() {
                let log = std::fs::read_to_string(directory.join(LOG)).unwrap_or_default();
                panic!("the client ended ({status}): {log}");
            }
            UnixStream::connect(directory.join(MANAGEMENT)).ok()
        });
        let events = Arc::<Events>::default();
        let (lines, heard) = (management.try_clone().unwrap(), Arc::clone(&events));
        std::thread::spawn(move || listen(&lines, &heard));
        let mut client =
            Self { network, process, management, events, seen: 0, answered: Instant::now(), directory };
        client.send("state on");
        client
    }

    /// One line to the management channel.
    pub(crate) fn send(&mut self, line: &str) {
        self.management.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits for the next event that `wanted` picks; those before it are skipped.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience;
        loop {
            let event = self.next_event(deadline);
            let event = event.unwrap_or_else(|| panic!("not within {patience:?}: {what}"));
            if let Some(found) = wanted(&event) {
                return found;
            }
            assert!(event != Event::Exited, "the client ended before this came: {what}");
        }
    }

    fn next_event(&mut self, deadline: Instant) -> Option<Event> {
        let mut list = self.events.list.lock().unwrap();
        loop {
            if let Some(timed) = list.get(self.seen) {
                self.seen += 1;
                return Some(timed.event.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            (list, _) = self.events.changed.wait_timeout(list, left).unwrap();
        }
    }

    /// Waits until the client asks for the password; the static challenge that it asks with.
    pub(crate) fn prompt(&mut self) -> Option<StaticChallenge> {
        self.wait("a prompt for username and password", PATIENCE, |event| match event {
            Event::NeedAuth { static_challenge } => Some(static_challenge.clone()),
            _ => None,
        })
    }

    /// Waits for the prompt and answers it.
    pub(crate) fn log_in(&mut self, username: &str, password: &str) {
        self.prompt();
        self.give(username, password);
    }

    /// Username and password, prompt or no prompt.
    pub(crate) fn give(&mut self, username: &str, password: &str) {
        let (username, password) = (quoted(username), quoted(password));
        self.send(&format!("username \"Auth\" {username}\npassword \"Auth\" {password}"));
        self.answered = Instant::now();
    }

    /// A response to a `CR_TEXT` prompt, asked for or not. The management channel takes up to 255 bytes.
    pub(crate) fn respond(&mut self, response: &str) {
        self.respond_raw(&BASE64.encode(response.as_bytes()));
    }

    /// Anything at all in the place of the response's base64.
    pub(crate) fn respond_raw(&mut self, bytes: &str) {
        let bytes = quoted(bytes);
        self.send(&format!("cr-response {bytes}"));
        self.answered = Instant::now();
    }

    /// Several responses in one write.
    pub(crate) fn respond_in_a_burst<'a>(&mut self, responses: impl IntoIterator<Item = &'a str>) {
        let lines: Vec<String> = responses
            .into_iter()
            .map(|response| format!("cr-response {}", BASE64.encode(response.as_bytes())))
            .collect();
        self.send(&lines.join("\n"));
        self.answered = Instant::now();
    }

    /// Answers a dynamic challenge in a new connection.
    pub(crate) fn answer(&mut self, question: &Question, code: &str) {
        let username = question.username();
        self.log_in(&username, &question.answered_with(code));
    }

    /// Waits for what the server says to a login or a code.
    ///
    /// # Panics
    /// When the client asks for a password anew without having been refused, starts again for another reason,
    /// or ends.
    pub(crate) fn reply(&mut self) -> Reply {
        self.reply_within(PATIENCE)
    }

    pub(crate) fn reply_within(&mut self, patience: Duration) -> Reply {
        self.wait("an answer of the server", patience, reply_in)
    }

    /// Waits for what the server says in the end, leaving a `CR_TEXT` prompt unanswered.
    pub(crate) fn outcome(&mut self) -> Reply {
        match self.reply() {
            Reply::CrText { .. } => self.reply(),
            reply => reply,
        }
    }

    /// Sends the response over and over until the server says something other than a prompt.
    pub(crate) fn respond_until_reply(&mut self, response: &str) -> Reply {
        let patience = Instant::now() + PATIENCE;
        loop {
            self.respond(response);
            let pause = Instant::now() + Duration::from_millis(150);
            while let Some(event) = self.next_event(pause) {
                match reply_in(&event) {
                    Some(Reply::CrText { .. }) | None => {}
                    Some(reply) => return reply,
                }
            }
            assert!(Instant::now() < patience, "not within {PATIENCE:?}: an end of the login");
        }
    }
}

/// The server's answer in an event.
///
/// # Panics
/// On events that say that the session ended without one.
fn reply_in(event: &Event) -> Option<Reply> {
    match event {
        Event::Connected => Some(Reply::Connected),
        Event::CrText { flags, text } => Some(Reply::CrText { flags: flags.clone(), text: text.clone() }),
        Event::DynamicChallenge(question) => Some(Reply::Question(question.clone())),
        Event::AuthFailed { reason } => Some(Reply::Refused { reason: reason.clone() }),
        Event::NeedAuth { .. } => panic!("the client asks for a password without having been refused"),
        Event::State { name, detail } if name == "RECONNECTING" && !detail.starts_with("auth") => {
            panic!("the client starts again without having been refused: {detail}")
        }
        Event::Exited => panic!("the client has ended"),
        Event::Hold { .. } | Event::State { .. } | Event::Other(_) => None,
    }
}

/// Whole logins.
impl Client {
    /// Password, then the code into the `CR_TEXT` prompt. A refusal without a prompt is the reply, too.
    pub(crate) fn log_in_by_crtext(&mut self, username: &str, password: &str, code: &str) -> Reply {
        self.log_in(username, password);
        match self.reply() {
            Reply::CrText { .. } => {
                self.respond(code);
                self.reply()
            }
            other => other,
        }
    }

    /// Password, then the code into the prompt of a second connection.
    pub(crate) fn log_in_by_crv1(&mut self, username: &str, password: &str, code: &str) -> Reply {
        self.log_in(username, password);
        match self.reply() {
            Reply::Question(question) => {
                self.answer(&question, code);
                self.reply()
            }
            other => other,
        }
    }

    /// Password and code at once.
    pub(crate) fn log_in_by_scrv1(&mut self, username: &str, password: &str, code: &str) -> Reply {
        self.log_in(username, &static_response(password, code));
        self.reply()
    }
}

/// What a test may want to know.
impl Client {
    pub(crate) fn events(&self) -> Vec<Timed> {
        self.events.list.lock().unwrap().clone()
    }

    /// When the last password or response was sent.
    pub(crate) fn answered(&self) -> Instant {
        self.answered
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join(LOG)).unwrap_or_default()
    }

    pub(crate) fn network(&self) -> &ClientNetwork {
        &self.network
    }

    pub(crate) fn was_ever_connected(&self) -> bool {
        self.events().iter().any(|timed| timed.event == Event::Connected)
    }

    /// How many TLS handshakes the client has ended: the first one and the renegotiations.
    pub(crate) fn handshakes(&self) -> usize {
        self.log().matches("Control Channel: TLSv1").count()
    }

    /// Waits for `count` renegotiations from now.
    pub(crate) fn wait_for_renegotiations(&self, count: usize) {
        let wanted = self.handshakes() + count;
        eventually("renegotiations", PATIENCE, || (self.handshakes() >= wanted).then_some(()));
    }

    /// Sends datagrams through the tunnel; true when one came back.
    pub(crate) fn reaches_the_server(&self) -> bool {
        let samples = Pinger::start(&self.network, Duration::from_millis(50), 3).finish();
        samples.iter().any(|sample| sample.round_trip.is_some())
    }

    /// Says goodbye to the server and ends.
    pub(crate) fn leave(mut self) {
        self.send("signal SIGTERM");
        self.wait("the client's end", PATIENCE, |event| (*event == Event::Exited).then_some(()));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
        if std::thread::panicking() {
            let name = self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let events = self.events.list.lock().map(|list| list.clone()).unwrap_or_default();
            let start = events.first().map(|timed| timed.at);
            let heard: Vec<String> = events
                .iter()
                .map(|timed| {
                    let after = start.map(|start| timed.at - start).unwrap_or_default();
                    format!("{:8.3} {:?}", after.as_secs_f64(), timed.event)
                })
                .collect();
            report::attach(&format!("{name}: events"), &heard.join("\n"), 40);
            report::attach(&format!("{name}: log"), &self.log(), 15);
        }
    }
}

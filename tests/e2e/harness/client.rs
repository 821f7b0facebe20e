//! A real OpenVPN client, driven through its management socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use super::echo::Pinger;
use super::management::{Event, Question, StaticChallenge, quoted, static_response};
use super::network::ClientNetwork;
use super::pki::{Certificate, pki};
use super::reply::Reply;
use super::{PATIENCE, eventually, report};

const CREDENTIALS: &str = "credentials";

/// What a client is to be, before it is started.
pub(crate) struct ClientBuilder {
    network: ClientNetwork,
    directory: PathBuf,
    certificate: Certificate,
    asks_password: bool,
    credentials: Option<String>,
    ipv6: bool,
    lines: Vec<String>,
}

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

impl ClientBuilder {
    pub(crate) fn new(network: ClientNetwork, directory: PathBuf, ipv6: bool) -> Self {
        let certificate = pki().client.clone();
        Self {
            network,
            directory,
            certificate,
            asks_password: true,
            credentials: None,
            ipv6,
            lines: Vec::new(),
        }
    }

    /// A line more in the client's configuration.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Username and password come from a file, which may hold longer ones than the management channel takes.
    pub(crate) fn credentials(mut self, username: &str, password: &str) -> Self {
        self.credentials = Some(format!("{username}\n{password}\n"));
        self
    }

    /// The client says that it can show `CR_TEXT` prompts.
    pub(crate) fn crtext(self) -> Self {
        self.line("setenv IV_SSO crtext")
    }

    /// The profile asks for the code together with the password (SCRV1).
    pub(crate) fn static_challenge(self, text: &str) -> Self {
        self.line(format!("static-challenge {} 1", quoted(text)))
    }

    pub(crate) fn certificate(mut self, certificate: &Certificate) -> Self {
        self.certificate = certificate.clone();
        self
    }

    /// The profile has no `auth-user-pass`.
    pub(crate) fn without_password(mut self) -> Self {
        self.asks_password = false;
        self
    }

    pub(crate) fn start(self) -> Client {
        std::fs::create_dir_all(&self.directory).unwrap();
        let socket = self.directory.join("management.sock");
        let configuration = self.directory.join("client.conf");
        std::fs::write(&configuration, self.configuration(&socket)).unwrap();
        if let Some(credentials) = &self.credentials {
            std::fs::write(self.directory.join(CREDENTIALS), credentials).unwrap();
        }
        let log = std::fs::File::create(self.directory.join("client.log")).unwrap();
        let mut process = self
            .network
            .command("openvpn")
            .arg("--config")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let management = eventually("the client opens its management socket", PATIENCE, || {
            if let Some(status) = process.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.directory.join("client.log")).unwrap_or_default();
                panic!("the client ended ({status}): {log}");
            }
            UnixStream::connect(&socket).ok()
        });
        let events = Arc::<Events>::default();
        let (lines, heard) = (management.try_clone().unwrap(), Arc::clone(&events));
        std::thread::spawn(move || listen(lines, &heard));
        let mut client = Client {
            network: self.network,
            process,
            management,
            events,
            seen: 0,
            answered: Instant::now(),
            directory: self.directory,
        };
        client.send("state on");
        client
    }

    fn configuration(&self, socket: &Path) -> String {
        let server = if self.ipv6 { self.network.server_ipv6() } else { self.network.server_ipv4() };
        let protocol = if self.ipv6 { "udp6" } else { "udp" };
        let password = match &self.credentials {
            Some(_) => format!("auth-user-pass {}\n", self.directory.join(CREDENTIALS).display()),
            None if self.asks_password => "auth-user-pass\n".into(),
            None => String::new(),
        };
        format!(
            "client\ndev tun\nproto {protocol}\nremote {server} 1194\nnobind\n\
             ca {}\ncert {}\nkey {}\nremote-cert-tls server\n\
             {password}auth-retry interact\n\
             management {} unix\nmanagement-hold\nmanagement-query-passwords\n\
             explicit-exit-notify 1\nconnect-retry 1 1\ndisable-dco\nverb 4\nmachine-readable-output\n{}\n",
            pki().authority.certificate.display(),
            self.certificate.certificate.display(),
            self.certificate.key.display(),
            socket.display(),
            self.lines.join("\n"),
        )
    }
}

/// Notes what the client reports, and lets it go on whenever it holds, which is at its start and before each
/// further connection. (A release that is not asked for makes it drop the next password prompt.)
fn listen(management: UnixStream, events: &Events) {
    let tell = |event| {
        let timed = Timed { at: Instant::now(), event };
        events.list.lock().expect("not poisoned").push(timed);
        events.changed.notify_all();
    };
    let mut release = management.try_clone().expect("a socket can be cloned");
    for line in BufReader::new(management).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        let event = Event::parse(line.trim_end_matches('\r'));
        if event == Event::Hold {
            let _ended = release.write_all(b"hold release\n");
        }
        tell(event);
    }
    tell(Event::Exited);
}

/// Raw steps.
impl Client {
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
        Event::Hold | Event::State { .. } | Event::Other(_) => None,
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
        std::fs::read_to_string(self.directory.join("client.log")).unwrap_or_default()
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

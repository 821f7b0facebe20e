//! A real OpenVPN server with the product in its hooks.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::client_builder::ClientBuilder;
use super::echo::Echo;
use super::enrolment::{self, Enrolment};
use super::network::ServerNetwork;
use super::server_builder::ServerBuilder;
use super::{PATIENCE, eventually, report};
use crate::duo::Lookalike;

pub(super) const CONFIGURATION: &str = "server.conf";
const LOG: &str = "server.log";
pub(super) const MANAGEMENT: &str = "management.sock";

/// A running server. When it goes, it is checked: it must stand, and leave nothing behind.
pub(crate) struct Server {
    duo: Option<Lookalike>,
    network: ServerNetwork,
    process: Mutex<Child>,
    echo: Echo,
    directory: PathBuf,
    ipv6: bool,
    clients: AtomicUsize,
    expected_to_have_ended: AtomicBool,
}

/// A user that the server has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) common_name: String,
    pub(crate) username: String,
    /// The client's address in the tunnel.
    pub(crate) tunnel_address: String,
}

impl Server {
    /// A server with the product's defaults, a settings file and a database of its own.
    pub(crate) fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    /// Starts OpenVPN in `network` on the configuration in `directory`, after `mounts`, a script of shell commands.
    pub(super) fn start_as(
        directory: PathBuf,
        network: ServerNetwork,
        duo: Option<Lookalike>,
        mounts: &str,
        ipv6: bool,
    ) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(directory.join(LOG)).unwrap();
        let script = format!("set -e\n{mounts}\nexec openvpn --config \"$1\"");
        let process = network
            .command("sh")
            .args(["-c", &script, "sh"])
            .arg(directory.join(CONFIGURATION))
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let server = Self {
            echo: Echo::start(&network),
            duo,
            network,
            process: Mutex::new(process),
            directory,
            ipv6,
            clients: AtomicUsize::new(0),
            expected_to_have_ended: AtomicBool::new(false),
        };
        server.wait_for_log("the server starts", |line| line.contains("Initialization Sequence Completed"));
        server
    }

    /// A client with a cable to this server.
    pub(crate) fn client(&self) -> ClientBuilder {
        let number = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        let directory = self.directory.join(format!("client{number}"));
        ClientBuilder::new(self.network.connect_client(), directory, self.ipv6)
    }

    /// The look-alike of Duo's cloud in this server's network.
    ///
    /// # Panics
    /// When the server was started without [`ServerBuilder::duo`].
    pub(crate) fn duo(&self) -> &Lookalike {
        self.duo.as_ref().expect("a server with Duo")
    }

    pub(crate) fn enroll(&self, user: &str) -> Enrolment {
        Enrolment::new(&self.database(), user, &[], &[])
    }

    /// Runs an administrator's command on this server's database.
    pub(crate) fn administer(&self, args: &[&str]) -> Output {
        let database = self.database().display().to_string();
        enrolment::product(&[], &[&["--db", &database], args].concat())
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.directory)
    }

    /// The file of its network namespace.
    #[allow(dead_code, reason = "for the benchmarks")]
    pub(crate) fn network_file(&self) -> PathBuf {
        self.network.file()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.directory.join(LOG)).unwrap_or_default()).into_owned()
    }

    /// The lines of the log that are not OpenVPN's own: the hooks'.
    pub(crate) fn hook_log(&self) -> Vec<String> {
        self.log().lines().filter(|line| !is_openvpns(line)).map(String::from).collect()
    }

    /// Waits for a line in the log.
    pub(crate) fn wait_for_log(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(what, PATIENCE, || {
            assert!(self.is_running(), "the server has ended");
            self.log().lines().find(|line| wanted(line)).map(String::from)
        })
    }

    /// The process of the server.
    pub(crate) fn id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// How many times a client was given an address in the tunnel, since the server's start.
    pub(crate) fn let_in(&self) -> usize {
        self.log().matches("MULTI: primary virtual IP for ").count()
    }

    /// Asserts that no client was ever let in.
    #[track_caller]
    pub(crate) fn let_nobody_in(&self) {
        assert_eq!(self.let_in(), 0, "clients that the server let in");
    }

    /// Everybody who has an address in the tunnel, by OpenVPN's own account. Those who have left without a word
    /// stay in it for a while.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.ask_management("status 2")
            .iter()
            .filter_map(|line| line.strip_prefix("CLIENT_LIST,"))
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                Session {
                    common_name: fields[0].into(),
                    tunnel_address: fields[2].into(),
                    username: fields[8].into(),
                }
            })
            .filter(|session| !session.tunnel_address.is_empty())
            .collect()
    }

    /// Processes of hooks, front or worker.
    pub(crate) fn hook_processes(&self) -> Vec<i32> {
        let own = [self.id(), self.echo.id()];
        let own = own.map(|id| i32::try_from(id).unwrap());
        self.network.processes().into_iter().filter(|id| !own.contains(id)).collect()
    }

    /// The test has stopped the server, so that it need not stand at the end.
    pub(crate) fn is_expected_to_have_ended(&self) {
        assert!(!self.is_running(), "the server was to end");
        self.expected_to_have_ended.store(true, Ordering::Relaxed);
    }

    /// Asserts that the server is alive and answers.
    pub(crate) fn still_stands(&self) {
        assert!(self.is_running(), "the server has ended");
        let status = self.ask_management("status 2");
        assert!(status.iter().any(|line| line.starts_with("TITLE,OpenVPN")), "odd status: {status:?}");
    }

    /// Asserts that the answers to challenges are deleted, and that nobody but OpenVPN left a file.
    pub(crate) fn tmp_dir_is_clean(&self) {
        let ours = |name: &String| !name.starts_with("openvpn_") || name.starts_with("openvpn_cr_");
        self.wait_for_tmp_dir("no file of a hook and no client's response", ours);
    }

    /// Lines that the server's management interface answers with, up to `END`.
    pub(crate) fn ask_management(&self, command: &str) -> Vec<String> {
        let mut socket = UnixStream::connect(self.directory.join(MANAGEMENT)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(socket).lines() {
            let line = line.expect("the server's management interface answers");
            if line.trim_end() == "END" {
                break;
            }
            lines.push(line.trim_end().into());
        }
        lines
    }

    fn wait_for_tmp_dir(&self, what: &str, unwanted: impl Fn(&String) -> bool) {
        let tmp = self.directory.join("tmp");
        let mut left = Vec::new();
        for _ in 0..200 {
            let entries = std::fs::read_dir(&tmp).unwrap();
            left = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            left.retain(&unwanted);
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(15));
        }
        panic!("tmp-dir should hold {what}: {left:?}");
    }

    /// Everything that is to be true of a server when a test has ended.
    fn check(&self) {
        if !self.expected_to_have_ended.load(Ordering::Relaxed) {
            self.still_stands();
            self.tmp_dir_is_clean();
            self.stop();
        }
        self.wait_for_tmp_dir("nothing once the server has ended", |_| true);
        if let Some(duo) = &self.duo {
            let faults = duo.take_faults();
            assert!(faults.is_empty(), "Duo would have refused: {faults:#?}");
        }
    }

    /// Ends the server as an administrator does.
    pub(crate) fn stop(&self) {
        let mut process = self.process.lock().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        eventually("the server ends", PATIENCE, || process.try_wait().unwrap());
    }
}

impl Drop for Server {
    /// Checks the server unless the test has failed already.
    fn drop(&mut self) {
        let checked = if std::thread::panicking() {
            None
        } else {
            Some(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.check())))
        };
        for id in self.hook_processes() {
            if let Some(pid) = rustix::process::Pid::from_raw(id) {
                let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        if let Ok(mut process) = self.process.lock() {
            let _already_gone = process.kill();
            let _reaped = process.wait();
        }
        match checked {
            Some(Ok(())) => {}
            None => self.attach_log(),
            Some(Err(failure)) => {
                self.attach_log();
                std::panic::resume_unwind(failure);
            }
        }
    }
}

impl Server {
    fn attach_log(&self) {
        let name = self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        report::attach(&format!("{name}: log"), &self.log(), 60);
    }
}

pub(super) fn database_in(directory: &Path) -> PathBuf {
    directory.join("state").join("tokens.sqlite3")
}

/// `machine-readable-output` begins lines with seconds, microseconds and flags.
fn is_openvpns(line: &str) -> bool {
    let Some((seconds, rest)) = line.split_once('.') else { return false };
    seconds.len() == 10
        && seconds.bytes().all(|b| b.is_ascii_digit())
        && rest
            .split_once(' ')
            .is_some_and(|(micros, _)| micros.len() == 6 && micros.bytes().all(|b| b.is_ascii_digit()))
}

//! A call of a hook, in the environment that OpenVPN gives it.

use super::{PATIENCE, PROGRAM, Session, Site};
use data_encoding::BASE64;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Recorded from an OpenVPN 2.6.14 server; what differs from call to call is left out.
const RECORDED: &[(&str, &str)] = &[
    ("IV_CIPHERS", "AES-256-GCM"),
    ("IV_PLAT", "linux"),
    ("IV_PROTO", "990"),
    ("IV_SSL", "OpenSSL_3.0.19_27_Jan_2026"),
    ("IV_SSO", "crtext"),
    ("IV_VER", "2.6.14"),
    ("X509_0_CN", "Test-Client"),
    ("X509_0_O", "OpenVPN-TEST"),
    ("X509_0_emailAddress", "me@myhost.mydomain"),
    ("common_name", "Test-Client"),
    ("config", "/run/openvpn/server.conf"),
    ("daemon", "0"),
    ("daemon_pid", "30428"),
    ("dev", "tun0"),
    ("ifconfig_local", "10.8.0.1"),
    ("local_port_1", "1194"),
    ("proto_1", "udp"),
    ("script_context", "init"),
    ("session_id", "Dd//h2tKvCeLahPE"),
    ("session_state", "Initial"),
    ("tls_digest_0", "e6:2c:f9:26:0f:8f:b1:6c:9b:e1:ba:85:38:a4:1f:80:05:02:8b:49"),
    (
        "tls_digest_sha256_0",
        "45:08:3d:c5:b6:ed:9e:a9:2c:95:e9:1c:72:ba:84:6c:e4:1e:02:3a:1a:0d:e6:25:d8:ad:4e:4d:7c:d2:26:38",
    ),
    ("tls_id_0", "C=KG, ST=NA, O=OpenVPN-TEST, CN=Test-Client, emailAddress=me@myhost.mydomain"),
    ("tls_serial_0", "2"),
    ("tun_mtu", "1500"),
    ("untrusted_ip", "10.99.0.2"),
    ("untrusted_port", "57119"),
    ("verb", "3"),
];

/// A call that is being prepared.
pub(crate) struct Call<'site> {
    site: &'site Site,
    variables: Vec<(OsString, OsString)>,
    options: Vec<OsString>,
    input: Input,
    unlinks: bool,
    program: Vec<OsString>,
}

enum Input {
    /// A file that is made for the call.
    File(Vec<u8>),
    /// A name that may be anything.
    Path(PathBuf),
    /// No argument.
    None,
}

impl<'site> Call<'site> {
    pub(super) fn login(site: &'site Site, session: &Session, user: &[u8], password: &[u8]) -> Self {
        site.keep_out_of_the_log(password);
        let file = [user, b"\n", password, b"\n"].concat();
        Self::new(site, session, user, file).set("script_type", "user-pass-verify")
    }

    pub(super) fn answer(site: &'site Site, session: &Session, user: &str, sent: &[u8]) -> Self {
        site.keep_out_of_the_log(sent.trim_ascii_end());
        if let Ok(response) = BASE64.decode(sent.trim_ascii_end()) {
            site.keep_out_of_the_log(&response);
        }
        let mut call = Self::new(site, session, user.as_bytes(), sent.to_owned());
        call.unlinks = true;
        call.set("script_type", "client-crresponse").set("session_state", "Authenticated")
    }

    fn new(site: &'site Site, session: &Session, user: &[u8], file: Vec<u8>) -> Self {
        let mut call = Self {
            site,
            variables: Vec::new(),
            options: Vec::new(),
            input: Input::File(file),
            unlinks: false,
            program: vec![PROGRAM.into()],
        };
        for (name, value) in RECORDED {
            call = call.set(name, value);
        }
        for (name, value) in site.setenv() {
            call = call.set(name, value);
        }
        call.set("openvpn2faConfig", site.config())
            .set("username", OsStr::from_bytes(user))
            .set("auth_control_file", &session.control)
            .set("auth_pending_file", &session.pending)
            .set("auth_failed_reason_file", &session.reason)
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut call = self.without(name);
        call.variables.push((name.into(), value.as_ref().to_owned()));
        call
    }

    /// Takes a variable out of the environment.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// Takes everything that belongs to a deferred verdict out of the environment.
    pub(crate) fn without_control_files(self) -> Self {
        self.without("auth_control_file").without("auth_pending_file").without("auth_failed_reason_file")
    }

    /// Adds a word to the command line, before the file.
    pub(crate) fn option(mut self, option: impl AsRef<OsStr>) -> Self {
        self.options.push(option.as_ref().to_owned());
        self
    }

    /// `via-env`: no file, but `password` in the environment.
    pub(crate) fn via_env(mut self, password: &str) -> Self {
        self.input = Input::None;
        self.set("password", password)
    }

    /// Another file than the one that OpenVPN would make.
    pub(crate) fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.input = Input::Path(path.into());
        self
    }

    /// The usual file with another content.
    pub(crate) fn content(mut self, bytes: &[u8]) -> Self {
        self.input = Input::File(bytes.to_owned());
        self
    }

    /// No file at all.
    pub(crate) fn without_file(mut self) -> Self {
        self.input = Input::None;
        self
    }

    /// Starts the program through another one, which takes the rest of the line as its arguments.
    pub(crate) fn by(mut self, words: &[&str]) -> Self {
        self.program.splice(0..0, words.iter().map(OsString::from));
        self
    }

    /// Starts this instead of the program.
    pub(crate) fn instead(mut self, words: &[&str]) -> Self {
        self.program = words.iter().map(OsString::from).collect();
        self
    }

    /// Makes the call and waits for its end, as OpenVPN does; a worker may go on.
    ///
    /// # Panics
    /// When it does not end, dies of a signal, or leaves the file of an answer behind.
    pub(crate) fn status(self) -> i32 {
        let file = match &self.input {
            Input::File(content) => {
                let kind = if self.unlinks { "cr" } else { "up" };
                let path = self.site.tmp().join(format!("openvpn_{kind}_{}.tmp", self.site.next_number()));
                let mut options = OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
                file.write_all(content).unwrap();
                Some(path)
            }
            Input::Path(path) => Some(path.clone()),
            Input::None => None,
        };
        // Files and no pipes: a worker that goes on has them open.
        let log = std::fs::File::create(self.site.new_log()).unwrap();
        let (program, words) = self.program.split_first().unwrap();
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables).args(words).args(self.options).args(&file);
        command.current_dir(self.site.path("."));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                panic!("the hook did not come to an end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if let Some(path) = file {
            if self.unlinks {
                assert!(path.symlink_metadata().is_err(), "the file of the answer is still there");
            } else if matches!(self.input, Input::File(_)) {
                // As OpenVPN does; an answer is gone already.
                let _gone_already = std::fs::remove_file(path);
            }
        }
        status.code().expect("no signal")
    }
}

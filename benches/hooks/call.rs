//! Plays OpenVPN: calls a hook with a clean environment and fresh files, and takes the time until it returns.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

use super::harness::{enrolment, stat_field};
use super::place::python_hook;

/// What OpenVPN 2.6.14 has in the environment of a hook, besides what differs between calls.
const ENVIRONMENT: &str = "\
IV_CIPHERS=AES-256-GCM:AES-128-GCM
IV_COMP_STUB=1
IV_COMP_STUBv2=1
IV_LZO_STUB=1
IV_MTU=1600
IV_PLAT=linux
IV_PLAT_VER=6.1.0
IV_PROTO=990
IV_SSL=OpenSSL_3.0.19_27_Jan_2026
IV_TCPNL=1
IV_VER=2.6.14
X509_0_CN=Test-Client
X509_1_CN=Throw-away CA
common_name=Test-Client
config=/etc/openvpn/server/server.conf
daemon=0
daemon_log_redirect=1
daemon_pid=30428
daemon_start_time=1795295268
dev=tun0
dev_type=tun
ifconfig_local=10.8.0.1
ifconfig_netmask=255.255.255.0
local_port_1=1194
proto_1=udp
redirect_gateway=0
remote_port_1=1194
script_context=init
time_ascii=2026-11-21 21:07:48
time_unix=1795295268
tls_digest_0=e6:2c:f9:26:0f:8f:b1:6c:9b:e1:ba:85:38:a4:1f:80:05:02:8b:49
tls_digest_1=4d:1d:e4:bd:67:40:3d:ca:7a:0a:84:a7:ec:89:62:44:3d:59:7e:06
tls_digest_sha256_0=45:08:3d:c5:b6:ed:9e:a9:2c:95:e9:1c:72:ba:84:6c:e4:1e:02:3a:1a:0d:e6:25:d8:ad:4e:4d:7c:d2:26:38
tls_digest_sha256_1=3e:ee:30:f2:5e:b6:88:35:4f:bd:4c:3c:82:fa:cd:ad:fe:5f:25:63:a6:21:74:a3:60:21:2d:9b:6c:e1:17:9b
tls_id_0=CN=Test-Client
tls_id_1=CN=Throw-away CA
tls_serial_0=2
tls_serial_1=635498135731138929946314251526448108990422795782
tls_serial_hex_0=02
tls_serial_hex_1=6f:50:b8:d3:46:6e:72:34:59:bc:00:33:dd:7c:ae:12:eb:27:46:06
tun_mtu=1500
untrusted_ip=10.99.0.2
untrusted_port=57119
verb=3";

/// A hook to call, with settings by `setenv`.
#[derive(Clone)]
pub(crate) struct Hook {
    command: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Hook {
    pub(crate) fn true_() -> Self {
        Self { command: vec!["/bin/true".into()], settings: Vec::new() }
    }

    /// The product with a database in `directory`.
    pub(crate) fn product(database: &Path) -> Self {
        let hook =
            Self { command: vec![enrolment::executable().display().to_string()], settings: Vec::new() };
        hook.set("totpTokenDbPath", &database.display().to_string())
    }

    /// The Python hook, if there is a Python for it.
    pub(crate) fn python(database: &Path) -> Option<Self> {
        let hook = Self { command: python_hook()?.into(), settings: Vec::new() };
        Some(
            hook.set("comparisonDatabase", &database.display().to_string())
                .set("comparisonService", "openvpn"),
        )
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// What a client is to OpenVPN during one login: a name, what it can do, and the files for the verdict.
pub(crate) struct Session {
    directory: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// How a call ended.
pub(crate) struct Returned {
    pub(crate) took: Duration,
    pub(crate) status: Option<i32>,
}

impl Session {
    /// Makes the files of a session in `directory`, which is made too.
    pub(crate) fn new(directory: &Path, username: &str) -> Self {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).unwrap();
        let session = Self { directory: directory.into(), variables: Vec::new() }.with("username", username);
        [("auth_control_file", "acf"), ("auth_pending_file", "apf"), ("auth_failed_reason_file", "afr")]
            .into_iter()
            .fold(session, |session, (variable, file)| {
                let path = session.write(file, b"");
                session.with(variable, &path)
            })
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    /// The client can show `CR_TEXT` prompts.
    pub(crate) fn crtext(self) -> Self {
        self.with("IV_SSO", "crtext")
    }

    fn write(&self, file: &str, content: &[u8]) -> String {
        let path = self.directory.join(file);
        let mut options = fs::OpenOptions::new();
        let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
        std::io::Write::write_all(&mut opened, content).unwrap();
        path.display().to_string()
    }

    /// `auth-user-pass-verify`
    pub(crate) fn verify(&self, hook: &Hook, password: &str) -> Returned {
        let username = &self.variables[0].1;
        self.call(hook, "user-pass-verify", &format!("{username}\n{password}\n"))
    }

    /// `client-crresponse`
    pub(crate) fn answer(&self, hook: &Hook, response: &str) -> Returned {
        let encoded = data_encoding::BASE64.encode(response.as_bytes());
        self.call(hook, "client-crresponse", &format!("{encoded}\n"))
    }

    fn call(&self, hook: &Hook, script_type: &str, content: &str) -> Returned {
        let file = self.write("handed-over", content.as_bytes());
        let mut command = Command::new(&hook.command[0]);
        command
            .args(&hook.command[1..])
            .arg(&file)
            .env_clear()
            .envs(ENVIRONMENT.lines().filter_map(|line| line.split_once('=')))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(hook.settings.iter().map(|(name, value)| (name, value)))
            .env("script_type", script_type)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let status = command.spawn().unwrap().wait().unwrap();
        Returned { took: started.elapsed(), status: status.code() }
    }

    /// The byte of the verdict, once there is one.
    pub(crate) fn verdict(&self) -> Option<u8> {
        fs::read(self.directory.join("acf")).unwrap().first().copied()
    }

    /// The state id of the CRV1 question that was asked.
    pub(crate) fn state_id(&self) -> String {
        let reason = fs::read_to_string(self.directory.join("afr")).unwrap();
        let mut fields =
            reason.strip_prefix("CRV1:").unwrap_or_else(|| panic!("no question: {reason:?}")).split(':');
        fields.nth(1).unwrap().to_owned()
    }
}

/// The processes that hooks leave behind become children of this one from now on, instead of the sandbox's init.
pub(crate) fn adopt_workers() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
}

/// The opposite of [`adopt_workers`].
pub(crate) fn leave_workers_to_init() {
    rustix::process::set_child_subreaper(None).unwrap();
}

/// Waits until no hook and no worker runs any more.
pub(crate) fn wait_for_workers() {
    while rustix::process::wait(WaitOptions::empty()).is_ok() {}
}

/// Kills all workers, with what they have started.
pub(crate) fn kill_workers() {
    loop {
        for worker in children_of(rustix::process::getpid().as_raw_pid()) {
            let pid = Pid::from_raw(worker).expect("not 0");
            let _already_gone = rustix::process::kill_process(pid, Signal::KILL);
        }
        // What a killed worker leaves behind comes here too.
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// The field of `proc_pid_stat`(5).
const PARENT: usize = 4;

/// The processes that `parent` has started or adopted.
pub(crate) fn children_of(parent: i32) -> Vec<i32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|&pid| stat_field(pid, PARENT) == Some(parent)).collect()
}

//! What a server is to be, and its configuration.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::network::ServerNetwork;
use super::pki::pki;
use super::server::{CONFIGURATION, MANAGEMENT, Server, database_in};
use super::settings::{Settings, Value};
use super::{enrolment, sandbox};
use crate::duo;

const SETTINGS: &str = "openvpn-2fa.toml";
const SECRET_KEY: &str = "duo.skey";
const SERVER_KEY: &str = "server.key";

/// How the hook finds its settings file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SettingsFrom {
    CommandLine,
    Environment,
    Nowhere,
}

/// When OpenVPN, which begins as root, becomes another user. Its hooks run as that user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// `user`: after it has made its tun device and read its keys.
    Later,
    /// Before it starts: the tun device is there, and its own.
    Before,
}

/// What a server is to be, before it is started.
pub(crate) struct ServerBuilder {
    lines: Vec<String>,
    settings: Settings,
    settings_text: Option<String>,
    settings_from: SettingsFrom,
    hook: PathBuf,
    hook_options: String,
    via_env: bool,
    ipv6: bool,
    mounts: String,
    user: Option<(String, Becomes)>,
    duo: Option<duo::Options>,
    directory: PathBuf,
}

impl ServerBuilder {
    /// See [`Server::builder`].
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let directory = sandbox::root().join(format!("server{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut settings = Settings::default();
        settings.set("totp", "token_db_path", database_in(&directory).display().to_string().as_str());
        Self {
            lines: Vec::new(),
            settings,
            settings_text: None,
            settings_from: SettingsFrom::CommandLine,
            hook: enrolment::executable(),
            hook_options: String::new(),
            via_env: false,
            ipv6: false,
            mounts: String::new(),
            user: None,
            duo: None,
            directory,
        }
    }

    /// A line more in the server's configuration.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A key of the product's settings file.
    pub(crate) fn set(mut self, section: &str, key: &str, value: impl Into<Value>) -> Self {
        self.settings.set(section, key, value);
        self
    }

    /// A settings file with exactly this in it.
    pub(crate) fn settings_text(mut self, text: &str) -> Self {
        self.settings_text = Some(text.into());
        self
    }

    /// The hook learns of its settings file by `setenv openvpn2faConfig`.
    pub(crate) fn settings_by_setenv(mut self) -> Self {
        self.settings_from = SettingsFrom::Environment;
        self
    }

    /// There is no settings file.
    pub(crate) fn without_settings_file(mut self) -> Self {
        self.settings_from = SettingsFrom::Nowhere;
        self
    }

    /// Options of the hook's command line, before the file argument.
    pub(crate) fn hook_options(mut self, options: &str) -> Self {
        self.hook_options = options.into();
        self
    }

    /// Another program in the place of the product.
    pub(crate) fn hook(mut self, program: impl Into<PathBuf>) -> Self {
        self.hook = program.into();
        self
    }

    /// Username and password in the hook's environment instead of a file.
    pub(crate) fn via_env(mut self) -> Self {
        self.via_env = true;
        self
    }

    /// Server and clients talk over IPv6.
    pub(crate) fn ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Shell commands that change what this server alone sees of the file system.
    pub(crate) fn mounts(mut self, script: &str) -> Self {
        self.mounts = script.into();
        self
    }

    /// OpenVPN and its hooks are not root's but this user's, and so is the directory of the database.
    pub(crate) fn run_by(mut self, user: &str, becomes: Becomes) -> Self {
        self.user = Some((user.into(), becomes));
        self.hook = enrolment::executable_for_everybody();
        match becomes {
            Becomes::Later => self.line(format!("user {user}\ngroup nogroup\npersist-key\npersist-tun")),
            Becomes::Before => {
                // The machine's own device may be root's alone.
                let directory = self.directory.display();
                let script = format!(
                    "mknod -m 666 {directory}/tun c 10 200
                    mount --bind {directory}/tun /dev/net/tun
                    openvpn --mktun --dev tun0 --user {user} >/dev/null
                    ip addr add 10.8.0.1/24 dev tun0
                    ip link set tun0 up
                    exec setpriv --reuid {user} --regid nogroup --clear-groups openvpn --config \"$1\""
                );
                self.mounts(&script).line("dev tun0\nifconfig-noexec\nroute-noexec")
            }
        }
    }

    /// The second factor is Duo: a look-alike of it is in the server's network, and the settings say how it is reached,
    /// where the test has not said otherwise. See [`Server::duo`].
    pub(crate) fn duo(mut self, options: duo::Options) -> Self {
        self.duo = Some(options);
        self
    }

    /// The server's own directory, with everything it reads and writes.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the server and waits until it takes clients.
    pub(crate) fn start(mut self) -> Server {
        let directory = self.directory.clone();
        std::fs::create_dir_all(directory.join("tmp")).unwrap();
        let network = ServerNetwork::new();
        let duo = self.duo.take().map(|options| self.start_duo(&network, options));
        let settings = self.settings_text.clone().unwrap_or_else(|| self.settings.to_toml());
        std::fs::write(directory.join(SETTINGS), settings).unwrap();
        std::fs::write(directory.join(CONFIGURATION), self.configuration()).unwrap();
        if let Some((user, becomes)) = &self.user {
            self.give_to(user, *becomes);
        }
        Server::start_as(directory, network, duo, &self.mounts, self.ipv6)
    }

    fn start_duo(&mut self, network: &ServerNetwork, options: duo::Options) -> duo::Lookalike {
        let network = duo::Network::Namespace(network.file());
        let name = options.name.clone();
        let duo = duo::Lookalike::start(duo::Options { network, ..options });
        let secret_key = self.directory.join(SECRET_KEY);
        std::fs::write(&secret_key, duo::SKEY).unwrap();
        std::fs::set_permissions(&secret_key, PermissionsExt::from_mode(0o600)).unwrap();
        let text = |path: &Path| path.display().to_string();
        self.settings.set_unless_set("auth", "factor", "duo");
        self.settings.set_unless_set("duo", "host", name.as_str());
        self.settings.set_unless_set("duo", "port", i64::from(duo.port()));
        self.settings.set_unless_set("duo", "ikey", duo::IKEY);
        self.settings.set_unless_set("duo", "skey_file", text(&secret_key).as_str());
        self.settings.set_unless_set("duo", "ca_file", text(&duo.ca_file()).as_str());
        duo
    }

    /// Gives a user what OpenVPN writes to, and what it reads as that user.
    fn give_to(&self, user: &str, becomes: Becomes) {
        let path = |name: &str| self.directory.join(name).display().to_string();
        sandbox::run("mkdir", ["-m", "700", &path("state")]);
        sandbox::run("chown", [user, &path("state"), &path("tmp")]);
        if becomes == Becomes::Before {
            sandbox::run("cp", [&pki().server.key.display().to_string(), &path(SERVER_KEY)]);
            sandbox::run("chown", [user, &path(""), &path(SERVER_KEY)]);
        }
    }

    fn configuration(&self) -> String {
        let directory = self.directory.display();
        let pki = pki();
        let server_key = match &self.user {
            Some((_, Becomes::Before)) => self.directory.join(SERVER_KEY),
            _ => pki.server.key.clone(),
        };
        let settings = self.directory.join(SETTINGS);
        let settings = settings.display();
        let mut hook = self.hook.display().to_string();
        if self.settings_from == SettingsFrom::CommandLine {
            let _infallible = write!(hook, " --config {settings}");
        }
        if !self.hook_options.is_empty() {
            let _infallible = write!(hook, " {}", self.hook_options);
        }
        let (security, method) = if self.via_env { (3, "via-env") } else { (2, "via-file") };
        let protocol = if self.ipv6 { "udp6" } else { "udp" };
        let mut lines = vec![
            format!("dev tun\nproto {protocol}\nport 1194\ntopology subnet\nserver 10.8.0.0 255.255.255.0"),
            format!("ca {}", pki.authority.certificate.display()),
            format!("cert {}\nkey {}\ndh none", pki.server.certificate.display(), server_key.display()),
            "duplicate-cn\ndisable-dco\nkeepalive 5 60\nverb 4\nmachine-readable-output".into(),
            format!("tmp-dir {directory}/tmp\nmanagement {directory}/{MANAGEMENT} unix"),
            format!("script-security {security}"),
            format!("auth-user-pass-verify \"{hook}\" {method}"),
            format!("client-crresponse \"{hook}\""),
        ];
        if self.settings_from == SettingsFrom::Environment {
            lines.push(format!("setenv openvpn2faConfig {settings}"));
        }
        lines.extend(self.lines.iter().cloned());
        lines.join("\n") + "\n"
    }
}

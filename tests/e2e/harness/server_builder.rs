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

/// How the hook finds its settings file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SettingsFrom {
    CommandLine,
    Environment,
    Nowhere,
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

    fn configuration(&self) -> String {
        let directory = self.directory.display();
        let pki = pki();
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
            format!("cert {}\nkey {}\ndh none", pki.server.certificate.display(), pki.server.key.display()),
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

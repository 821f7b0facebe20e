//! What a client is to be, and its configuration.

use std::path::PathBuf;

use super::client::{CONFIGURATION, Client, MANAGEMENT};
use super::management::quoted;
use super::network::ClientNetwork;
use super::pki::{Certificate, pki};

const CREDENTIALS: &str = "credentials";

/// What a client is to be, before it is started.
pub(crate) struct ClientBuilder {
    network: ClientNetwork,
    directory: PathBuf,
    certificate: Certificate,
    asks_password: bool,
    credentials: Option<String>,
    ipv6: bool,
    port: u16,
    lines: Vec<String>,
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
            port: 1194,
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

    /// Another port of the server than its own.
    #[allow(dead_code, reason = "for the benchmarks")]
    pub(crate) fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
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
        std::fs::write(self.directory.join(CONFIGURATION), self.configuration()).unwrap();
        if let Some(credentials) = &self.credentials {
            std::fs::write(self.directory.join(CREDENTIALS), credentials).unwrap();
        }
        Client::start_in(self.network, self.directory)
    }

    fn configuration(&self) -> String {
        let server = if self.ipv6 { self.network.server_ipv6() } else { self.network.server_ipv4() };
        let protocol = if self.ipv6 { "udp6" } else { "udp" };
        let password = match &self.credentials {
            Some(_) => format!("auth-user-pass {}\n", self.directory.join(CREDENTIALS).display()),
            None if self.asks_password => "auth-user-pass\n".into(),
            None => String::new(),
        };
        format!(
            "client\ndev tun\nproto {protocol}\nremote {server} {}\nnobind\n\
             ca {}\ncert {}\nkey {}\nremote-cert-tls server\n\
             {password}auth-retry interact\n\
             management {} unix\nmanagement-hold\nmanagement-query-passwords\n\
             explicit-exit-notify 1\nconnect-retry 1 1\ndisable-dco\nverb 4\nmachine-readable-output\n{}\n",
            self.port,
            pki().authority.certificate.display(),
            self.certificate.certificate.display(),
            self.certificate.key.display(),
            self.directory.join(MANAGEMENT).display(),
            self.lines.join("\n"),
        )
    }
}

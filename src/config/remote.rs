//! Types of the values that say how Duo is reached, each of which checks itself when it is read.

use serde::Deserialize;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The longest host name, in bytes (RFC 1035, 2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// The longest integration key, in bytes. Duo's have 20.
const MAX_KEY_BYTES: usize = 128;

/// The name of a host, or its IPv4 address: letters, digits, `.` and `-`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(String);

impl HostName {
    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if name.contains(['/', ':', '@']) {
            return Err("the host name alone is wanted, such as api-12345678.duosecurity.com: no https://, no slash, no \
                        port"
                .to_owned());
        }
        if !is_host(&name) {
            return Err(
                "not a host name: letters, digits, '-' and '.' are wanted, at most 253 of them".to_owned()
            );
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

/// Whether `name` can be a host: labels of letters, digits and hyphens, with dots between them.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // What ends in a number is an address (RFC 3986, 3.2.2), and 127.1 should not become one.
    let ends_in_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= MAX_HOST_BYTES
        && name.split('.').all(label)
        && (!ends_in_number || name.parse::<Ipv4Addr>().is_ok())
}

/// The integration key of the Duo application: printable ASCII without a colon, which would end it in the signature.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IntegrationKey(String);

impl IntegrationKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IntegrationKey {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b':';
        if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(allowed) {
            return Err("not an integration key: letters and digits are wanted, as in DIXXXXXXXXXXXXXXXXXX");
        }
        Ok(Self(key))
    }
}

/// A proxy that is asked with `CONNECT`: `http://HOST:PORT`, without a name and password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyAddress(String);

impl ProxyAddress {
    /// `http://HOST:PORT`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProxyAddress {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        let parts = url.strip_prefix("http://").and_then(|rest| {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let (host, port) = rest.rsplit_once(':')?;
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let known = is_host(host) || bracketed.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (known && digits && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(rest)
        });
        match parts {
            Some(rest) => Ok(Self(format!("http://{rest}"))),
            // The text is not repeated: a password may be in it.
            None => Err("not the address of a proxy: http://HOST:PORT is wanted, and no other form is known"),
        }
    }
}

/// Which certificate authorities are trusted instead of the built-in list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub enum CaFile {
    /// Those of the machine (`system`).
    System,
    /// Those in this PEM file.
    File(PathBuf),
}

impl From<PathBuf> for CaFile {
    fn from(path: PathBuf) -> Self {
        if path == Path::new("system") { Self::System } else { Self::File(path) }
    }
}

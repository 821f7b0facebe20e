//! What the look-alike has seen, for a test to look at.

use super::request::Endpoint;
use std::collections::BTreeMap;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Seen {
    pub(super) requests: Vec<Request>,
    pub(super) sent: Vec<Sent>,
    pub(super) connections: Vec<Connection>,
    pub(super) faults: Vec<Fault>,
}

/// A request that could be read, with or without fault, whatever it was answered with.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `None`: nothing that Duo has.
    pub(crate) endpoint: Option<Endpoint>,
    /// Decoded. Of a parameter that was there twice, the last.
    pub(crate) parameters: BTreeMap<String, String>,
    /// All headers, with names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// When its last byte had come.
    pub(crate) at: Instant,
}

impl Request {
    /// A parameter, or nothing where it was not there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A phone was made to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) user: String,
    pub(crate) channel: Channel,
    /// The device's name at Duo.
    pub(crate) device: String,
    pub(crate) at: Instant,
}

/// How a phone is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Push,
    Phone,
    Sms,
}

impl Channel {
    /// What a device must be able to do.
    pub(super) fn capability(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Phone => "phone",
            Self::Sms => "sms",
        }
    }
}

/// What came of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// TLS stands.
    Established {
        /// `TLSv1_2` or `TLSv1_3`.
        version: String,
        /// The host that the client asked for (SNI).
        server_name: Option<String>,
    },
    /// The peer said no, or nothing, before TLS stood.
    Failed(String),
    /// The peer was spoken to in TLS 1.1, and sent this alert, if any; 70 is `protocol_version`.
    OldTls(Option<u8>),
    /// It was not let get that far.
    Spoilt,
}

/// Something that Duo would have refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) what: String,
}

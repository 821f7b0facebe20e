//! OpenVPN's management protocol: what a client reports, and how it is told.

use data_encoding::BASE64;
use std::time::Duration;

/// A static challenge of the client's profile, as the password prompt repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StaticChallenge {
    pub(crate) echo: bool,
    pub(crate) text: String,
}

/// A dynamic challenge: `CRV1:flags:state:username:text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) flags: String,
    pub(crate) state: String,
    pub(crate) username_base64: String,
    pub(crate) text: String,
}

/// What a client reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It wants to be released, after a time.
    Hold {
        wait: Duration,
    },
    NeedAuth {
        static_challenge: Option<StaticChallenge>,
    },
    CrText {
        flags: String,
        text: String,
    },
    DynamicChallenge(Question),
    /// The reason is empty where the server gave none.
    AuthFailed {
        reason: String,
    },
    Connected,
    State {
        name: String,
        detail: String,
    },
    Exited,
    Other(String),
}

impl Event {
    /// Reads one line of the management channel.
    pub(crate) fn parse(line: &str) -> Self {
        let other = || Self::Other(line.into());
        if let Some(rest) = line.strip_prefix(">HOLD:") {
            let seconds = rest.rsplit_once(':').and_then(|(_, seconds)| seconds.parse().ok());
            return Self::Hold { wait: Duration::from_secs(seconds.unwrap_or(0)) };
        }
        if let Some(rest) = line.strip_prefix(">PASSWORD:Need 'Auth' username/password") {
            let static_challenge = rest.strip_prefix(" SC:").and_then(|challenge| {
                let (flags, text) = challenge.split_once(',')?;
                let flags: u8 = flags.parse().ok()?;
                Some(StaticChallenge { echo: flags & 1 == 1, text: text.into() })
            });
            return Self::NeedAuth { static_challenge };
        }
        if let Some(rest) = line.strip_prefix(">PASSWORD:Verification Failed: 'Auth'") {
            let reason = rest.trim_start().trim_start_matches("['").trim_end_matches("']");
            return match Question::parse(reason) {
                Some(question) => Self::DynamicChallenge(question),
                None => Self::AuthFailed { reason: reason.into() },
            };
        }
        if let Some(rest) = line.strip_prefix(">INFOMSG:CR_TEXT:") {
            return rest
                .split_once(':')
                .map_or_else(other, |(flags, text)| Self::CrText { flags: flags.into(), text: text.into() });
        }
        if let Some(rest) = line.strip_prefix(">STATE:") {
            let mut fields = rest.split(',').skip(1);
            let name = fields.next().unwrap_or_default();
            let detail = fields.next().unwrap_or_default();
            return if name == "CONNECTED" && detail == "SUCCESS" {
                Self::Connected
            } else {
                Self::State { name: name.into(), detail: detail.into() }
            };
        }
        other()
    }
}

impl Question {
    fn parse(reason: &str) -> Option<Self> {
        let mut fields = reason.strip_prefix("CRV1:")?.splitn(4, ':').map(String::from);
        Some(Self {
            flags: fields.next()?,
            state: fields.next()?,
            username_base64: fields.next()?,
            text: fields.next()?,
        })
    }

    /// The password that answers it.
    pub(crate) fn answered_with(&self, response: &str) -> String {
        format!("CRV1::{}::{response}", self.state)
    }

    pub(crate) fn username(&self) -> String {
        let bytes = BASE64.decode(self.username_base64.as_bytes()).expect("a username in base64");
        String::from_utf8(bytes).expect("a username in UTF-8")
    }
}

/// The password that carries a password and the response to a static challenge.
pub(crate) fn static_response(password: &str, response: &str) -> String {
    format!("SCRV1:{}:{}", BASE64.encode(password.as_bytes()), BASE64.encode(response.as_bytes()))
}

/// One parameter of a management command.
pub(crate) fn quoted(parameter: &str) -> String {
    format!("\"{}\"", parameter.replace('\\', "\\\\").replace('"', "\\\""))
}

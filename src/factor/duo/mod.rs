//! Duo: what it is asked and what it answers.
//!
//! The decision speaks to Duo through [`Api`]; the client behind it is HTTPS. Nothing but this folder knows how Duo is
//! reached. Source: Duo's Auth API, version 2.

mod answer;
mod client;
#[cfg(test)]
mod fuzz;
mod json;
pub mod menu;
mod on_demand;
mod rate_limit;
mod request;
mod secret_key;
mod signing;
mod transport;
mod trust;

pub use client::Client;
pub use on_demand::OnDemand;

use crate::name::UserName;
use crate::secret::SecretBytes;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Duo's Auth API, as far as a login needs it.
pub trait Api {
    /// Looks a user up (`/auth/v2/preauth`).
    ///
    /// # Errors
    /// When Duo cannot be reached or refuses the request.
    fn preauth(&self, request: &PreauthRequest<'_>) -> Result<Preauth, DuoError>;

    /// Has a factor checked, or sent to a device (`/auth/v2/auth`, always with `async=1`).
    ///
    /// # Errors
    /// As [`Api::preauth`].
    fn auth(&self, request: &AuthRequest<'_>) -> Result<Transaction, DuoError>;

    /// What has become of a transaction (`/auth/v2/auth_status`): Duo holds the request until the state changes.
    ///
    /// # Errors
    /// As [`Api::preauth`].
    fn auth_status(&self, transaction: &Transaction) -> Result<Status, DuoError>;

    /// Whether the time that this login has for Duo has run out.
    fn time_is_over(&self) -> bool;
}

/// What a look-up is about.
#[derive(Debug, Clone, Copy)]
pub struct PreauthRequest<'a> {
    /// Whose devices (`username`).
    pub user: &'a UserName,
    /// Where the user comes from (`ipaddr`); left out when unknown.
    pub address: Option<IpAddr>,
    /// Whether a code can be shown to the user (`client_supports_verified_push=1`).
    pub verified_push: bool,
}

/// What Duo says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preauth {
    /// A factor is needed.
    Auth(Choices),
    /// The user needs no second factor (Duo's policy).
    Allow {
        /// Duo's words (`status_msg`).
        message: String,
    },
    /// The user may not log in. Also every `result` that is not known.
    Deny {
        /// Duo's words (`status_msg`).
        message: String,
    },
    /// Duo does not know the user, who can enrol.
    Enroll {
        /// Duo's words (`status_msg`).
        message: String,
        /// Where (`enroll_portal_url`).
        portal: Option<String>,
    },
}

/// What a user can choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The devices, in Duo's order.
    pub devices: Vec<Device>,
    /// Duo's own prompt, where it sent one (`text_prompt=1`).
    pub prompt: Option<Prompt>,
    /// To be sent back with the factor, where there is one (`txid`; verified push).
    pub transaction: Option<Transaction>,
}

/// A device of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Duo's name for it (`device`).
    pub id: String,
    /// What a person calls it: the first of `number`, `name`, `display_name` that is not empty.
    pub label: String,
    /// What it can do. Capabilities that are not known are left out; a hardware token has none.
    pub capabilities: Vec<Capability>,
}

/// What a device can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// It can be the default (`auto`).
    Auto,
    /// Duo Push (`push`).
    Push,
    /// Passcodes by text message (`sms`).
    Sms,
    /// A call (`phone`).
    Phone,
    /// Passcodes made by an app (`mobile_otp`).
    MobileOtp,
}

impl Capability {
    /// Duo's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Push => "push",
            Self::Sms => "sms",
            Self::Phone => "phone",
            Self::MobileOtp => "mobile_otp",
        }
    }
}

/// Duo's own prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Several lines of text.
    pub text: String,
    /// What can be typed, and what is then sent (`factor=prompt`), without the entry called `default`.
    pub factors: Vec<(String, String)>,
    /// The entry called `default`.
    pub default: Option<String>,
}

/// A transaction at Duo (`txid`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transaction(pub String);

/// A factor that is to be checked or sent.
pub struct AuthRequest<'a> {
    /// Whose (`username`).
    pub user: &'a UserName,
    /// Where the user comes from (`ipaddr`); left out when unknown.
    pub address: Option<IpAddr>,
    /// Which factor.
    pub factor: Factor<'a>,
    /// The transaction of the look-up, where it had one (`txid`).
    pub transaction: Option<&'a Transaction>,
}

/// A factor, as Duo is asked for it.
pub enum Factor<'a> {
    /// Duo's choice (`auto`, device `auto`).
    Auto,
    /// Duo Push to a device.
    Push(DeviceChoice<'a>),
    /// A call to a device.
    Phone(DeviceChoice<'a>),
    /// Passcodes by text message.
    Sms(DeviceChoice<'a>),
    /// A passcode that the user typed.
    Passcode(&'a SecretBytes),
    /// An entry of Duo's own prompt (`factor=prompt&prompt=…`).
    Prompt(&'a str),
}

/// Which device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice<'a> {
    /// Duo's choice (`auto`).
    Auto,
    /// This one.
    Id(&'a str),
}

/// What has become of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it is decided (`result`).
    pub verdict: Verdict,
    /// What happened (`status`).
    pub event: Event,
    /// Duo's words (`status_msg`).
    pub message: String,
}

/// `result`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet.
    Waiting,
    /// Yes.
    Allow,
    /// No; and every word that is not known.
    Deny,
}

/// `status`, as far as a login acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Passcodes are on their way (`sms_sent`).
    SmsSent,
    /// Nobody answered (`timeout`).
    Timeout,
    /// The user says that the login is not theirs (`fraud`).
    Fraud,
    /// Too many failures at Duo (`locked_out`).
    LockedOut,
    /// Let in by Duo's policy (`bypass`).
    Bypass,
    /// Everything else.
    Other,
}

/// Duo gave no answer that can be used. The text is for the log and for administrators, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DuoError {
    /// No connection, a TLS failure, a timeout, 5xx, an answer that cannot be read. `failmode` is for this one only.
    #[error("Duo cannot be reached: {0}")]
    Unreachable(String),
    /// The certificate is not Duo's.
    #[error("Duo's certificate is wrong: {0}")]
    Certificate(String),
    /// Duo did answer, and refuses: 4xx, a redirect, an answer that is not understood. Also when the login had too little
    /// time left for Duo to answer: that says nothing of Duo.
    #[error("Duo refuses the request: {0}")]
    Refused(String),
    /// No answer in the little time that the login had left: Duo had no fair chance.
    #[error("Duo was asked too late: {0}")]
    TooLate(String),
    /// The settings cannot be used: no host, keys that cannot be read.
    #[error("{0}")]
    Settings(String),
}

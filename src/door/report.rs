//! What came of a login: the line in the log, and the text for the client.

use crate::auth::{Carrier, Outcome, Reason, Rejection, Told};
use crate::clock::Stopwatch;
use crate::config::Factor;
use crate::log::{Entry, Level};
use crate::random::{Random, SystemRandom};
use std::net::IpAddr;
use std::time::Duration;

/// What the log says of whoever is at a door, besides the name.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Visitor<'a> {
    /// The door, where it is not that of OpenVPN's hooks.
    pub(crate) door: Option<&'static str>,
    /// Where the client comes from.
    pub(crate) address: Option<IpAddr>,
    /// The certificate's common name.
    pub(crate) common_name: Option<&'a str>,
    /// What the client says of itself.
    pub(crate) software: Option<&'a str>,
}

/// A login that is being reported on: the reference that user and administrator both see, and the time it takes.
pub(crate) struct Report<'a> {
    event: &'static str,
    visitor: Visitor<'a>,
    username: String,
    factor: Factor,
    reference: Option<String>,
    started: Stopwatch,
}

impl<'a> Report<'a> {
    /// Begins a report on `event`, `login` or `answer`.
    pub(crate) fn begin(event: &'static str, username: &str, visitor: Visitor<'a>) -> Self {
        let username = username.to_owned();
        // Without randomness there is no reference; the login goes on and fails where it needs some.
        let reference = SystemRandom.reference().ok();
        let factor = Factor::Totp;
        Self { event, visitor, username, factor, reference, started: Stopwatch::start() }
    }

    /// The factor that logins have by the settings.
    pub(crate) fn set_factor(&mut self, factor: Factor) {
        self.factor = factor;
    }

    /// The name typed, where the file says it and not the environment.
    pub(crate) fn set_username(&mut self, username: &str) {
        username.clone_into(&mut self.username);
    }

    /// Writes the line for a decision.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Accept(acceptance) => {
                let level = match acceptance.reason() {
                    Reason::UnenrolledAllowed(_) | Reason::DuoFailedOpen(_) => Level::Warning,
                    _ => Level::Info,
                };
                self.entry(level, acceptance.factor(), "accept", acceptance.reason())
                    .maybe("offset", acceptance.offset())
                    .maybe("backup_codes_left", acceptance.backup_codes_left())
                    .write();
            }
            Outcome::Reject(rejection) => self.rejection(rejection),
            Outcome::Ask(question) => {
                let method = match (&question.carrier, self.visitor.door) {
                    (Carrier::Session, _) => "crtext",
                    (Carrier::Reconnect { .. }, None) => "crv1",
                    (Carrier::Reconnect { .. }, Some(_)) => "caller",
                };
                let factor = question.factor.word();
                self.entry(Level::Info, factor, "challenge", &question.reason).pair("method", method).write();
            }
        }
    }

    /// Writes the line for a rejection.
    pub(crate) fn rejection(&self, rejection: &Rejection) {
        let level = match rejection.reason {
            Reason::Internal(_) | Reason::DuoUnavailable(_) => Level::Error,
            Reason::Locked
            | Reason::AddressLocked
            | Reason::ForeignChallenge
            | Reason::Busy
            | Reason::DuoFraud(_) => Level::Warning,
            _ => Level::Info,
        };
        let factor = rejection.reason.factor().unwrap_or(self.factor);
        self.entry(level, factor.word(), "reject", &rejection.reason).write();
    }

    /// Writes a line about something that is no decision.
    pub(crate) fn note(&self, level: Level, reason: &str, detail: Option<&str>) {
        Entry::new(level, self.event)
            .maybe("door", self.visitor.door)
            .claim("user", &self.username)
            .maybe("client", self.visitor.address)
            .pair("outcome", "ignored")
            .pair("reason", reason)
            .maybe("detail", detail)
            .write();
    }

    /// How much longer a verdict is to be kept back that may be known `hold` after the login began.
    pub(crate) fn left_of(&self, hold: Duration) -> Duration {
        self.started.left_of(hold)
    }

    /// The reference, where there is one.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// What the user is told, with the reference that the log has too.
    pub(crate) fn text(&self, told: &Told) -> String {
        match &self.reference {
            Some(reference) => format!("{} (ref {reference})", told.text()),
            None => told.text().into_owned(),
        }
    }

    fn entry(&self, level: Level, factor: &str, outcome: &str, reason: &Reason) -> Entry {
        Entry::new(level, self.event)
            .maybe("door", self.visitor.door)
            .claim("user", &self.username)
            .maybe("client", self.visitor.address)
            .maybe_claim("common_name", self.visitor.common_name)
            .maybe_claim("software", self.visitor.software)
            .pair("factor", factor)
            .pair("outcome", outcome)
            .pair("reason", reason)
            .maybe("detail", reason.detail())
            .pair("milliseconds", self.started.milliseconds())
            .maybe("ref", self.reference.as_deref())
    }
}

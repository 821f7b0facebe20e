//! What came of a login: the line in the log, and the text for the client.

use crate::auth::Reason;
use crate::auth::{Carrier, Outcome, Question, Rejection, Told};
use crate::clock::Stopwatch;
use crate::config::Factor;
use crate::log::{Entry, Level};
use crate::openvpn::Environment;
use crate::random::{Random, SystemRandom};
use std::time::Duration;

/// A login that is being reported on: the reference that user and administrator both see, and the time it takes.
pub(super) struct Report<'a> {
    event: &'static str,
    environment: &'a Environment,
    username: String,
    factor: Factor,
    reference: Option<String>,
    started: Stopwatch,
}

impl<'a> Report<'a> {
    /// Begins a report on `event`, `login` or `answer`.
    pub(super) fn begin(event: &'static str, environment: &'a Environment) -> Self {
        let username = environment.username().unwrap_or_default().to_string_lossy().into_owned();
        // Without randomness there is no reference; the login goes on and fails where it needs some.
        let reference = SystemRandom.reference().ok();
        let factor = Factor::Totp;
        Self { event, environment, username, factor, reference, started: Stopwatch::start() }
    }

    /// The factor that logins have by the settings.
    pub(super) fn set_factor(&mut self, factor: Factor) {
        self.factor = factor;
    }

    /// The name typed, where the file says it and not the environment.
    pub(super) fn set_username(&mut self, username: &str) {
        username.clone_into(&mut self.username);
    }

    /// Writes the line for a decision.
    pub(super) fn outcome(&self, outcome: &Outcome) {
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
                let method = match question.carrier {
                    Carrier::Session => "crtext",
                    Carrier::Reconnect { .. } => "crv1",
                };
                let factor = question.factor.word();
                self.entry(Level::Info, factor, "challenge", &question.reason).pair("method", method).write();
            }
        }
    }

    /// Writes the line for a rejection.
    pub(super) fn rejection(&self, rejection: &Rejection) {
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
    pub(super) fn note(&self, level: Level, reason: &str, detail: Option<&str>) {
        Entry::new(level, self.event)
            .claim("user", &self.username)
            .maybe("client", self.environment.client_address())
            .pair("outcome", "ignored")
            .pair("reason", reason)
            .maybe("detail", detail)
            .write();
    }

    /// How much longer a verdict is to be kept back that may be known `hold` after the login began.
    pub(super) fn left_of(&self, hold: Duration) -> Duration {
        self.started.left_of(hold)
    }

    /// What the user is told, with the reference that the log has too.
    pub(super) fn text(&self, told: &Told) -> String {
        match &self.reference {
            Some(reference) => format!("{} (ref {reference})", told.text()),
            None => told.text().into_owned(),
        }
    }

    fn entry(&self, level: Level, factor: &str, outcome: &str, reason: &Reason) -> Entry {
        let mut entry = Entry::new(level, self.event)
            .claim("user", &self.username)
            .maybe("client", self.environment.client_address());
        if let Some(name) = self.environment.common_name() {
            entry = entry.claim("common_name", name);
        }
        if let Some(version) = self.environment.client_version() {
            entry = entry.claim("software", version);
        }
        entry
            .pair("factor", factor)
            .pair("outcome", outcome)
            .pair("reason", reason)
            .maybe("detail", reason.detail())
            .pair("milliseconds", self.started.milliseconds())
            .maybe("ref", self.reference.as_deref())
    }
}

/// The failure reason that carries a question to a client which answers by reconnecting.
pub(super) fn dynamic_challenge(question: &Question, state: &str) -> String {
    crate::openvpn::challenge::dynamic(state, question.user.as_str(), &question.text)
}

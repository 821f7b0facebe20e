//! A login under way: what is told of it, one thing after the other.

use super::people::Phone;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Duo gives up on a phone after this time.
const PHONE_PATIENCE: Duration = Duration::from_secs(60);

/// What `auth_status` tells.
#[derive(Clone, Debug)]
pub(super) struct Status {
    result: &'static str,
    event: &'static str,
    message: String,
}

impl Status {
    pub(super) fn waiting(event: &'static str, message: String) -> Self {
        Self { result: "waiting", event, message }
    }

    pub(super) fn allow() -> Self {
        Self { result: "allow", event: "allow", message: "Success. Logging you in...".to_owned() }
    }

    pub(super) fn deny(event: &'static str, message: &str) -> Self {
        Self { result: "deny", event, message: message.to_owned() }
    }

    pub(super) fn bypass() -> Self {
        Self { result: "allow", event: "bypass", message: "No second factor is needed.".to_owned() }
    }

    fn is_final(&self) -> bool {
        self.result != "waiting"
    }

    pub(super) fn json(&self) -> Value {
        json!({ "result": self.result, "status": self.event, "status_msg": self.message })
    }
}

/// What a test can have a phone do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reaction {
    Approve,
    Deny,
    ReportFraud,
}

impl Reaction {
    fn status(self) -> Status {
        match self {
            Self::Approve => Status::allow(),
            Self::Deny => Status::deny("deny", "Login request denied."),
            Self::ReportFraud => Status::deny("fraud", "Login request reported as fraudulent."),
        }
    }
}

/// What has become of a login, and what will.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) user: String,
    events: Vec<(Instant, Status)>,
    told: usize,
}

impl Transaction {
    /// One that is decided.
    pub(super) fn decided(user: &str, status: Status) -> Self {
        Self { user: user.to_owned(), events: vec![(Instant::now(), status)], told: 0 }
    }

    /// One that a phone decides, after `first` was told.
    pub(super) fn on_phone(user: &str, first: Status, phone: Phone) -> Self {
        let mut transaction = Self::decided(user, first);
        let (after, last) = match phone {
            Phone::ApprovesAfter(delay) => (delay, Reaction::Approve.status()),
            Phone::DeniesAfter(delay) => (delay, Reaction::Deny.status()),
            Phone::ReportsFraudAfter(delay) => (delay, Reaction::ReportFraud.status()),
            Phone::TimesOutAfter(delay) => (delay, Status::deny("timeout", "Login timed out.")),
            Phone::WhenTold => (PHONE_PATIENCE, Status::deny("timeout", "Login timed out.")),
            Phone::Unreachable => {
                (Duration::ZERO, Status::deny("push_failed", "The push could not be sent."))
            }
        };
        transaction.events.push((Instant::now() + after, last));
        transaction
    }

    /// Something that is told on the way to the end, in the middle of the time that is left.
    pub(super) fn on_the_way(mut self, status: Status) -> Self {
        if let [.., (before, _), (after, _)] = self.events[..] {
            self.events.insert(self.events.len() - 1, (before + (after - before) / 2, status));
        }
        self
    }

    /// Whether a phone can still decide it.
    pub(super) fn is_live(&self) -> bool {
        self.events.last().is_some_and(|(at, status)| !status.is_final() || *at > Instant::now())
    }

    /// Ends it now.
    pub(super) fn react(&mut self, reaction: Reaction) {
        let now = Instant::now();
        self.events.retain(|(at, _)| *at <= now);
        self.events.push((now, reaction.status()));
    }

    /// The next thing that nobody has been told, if it has happened; when it is over, the end once more.
    pub(super) fn tell(&mut self) -> Option<Status> {
        let now = Instant::now();
        match self.events.get(self.told) {
            Some((at, status)) if *at <= now => {
                self.told += 1;
                Some(status.clone())
            }
            Some(_) => None,
            None => self.events.last().map(|(_, status)| status.clone()),
        }
    }

    /// What was told last.
    pub(super) fn told_last(&self) -> Option<Status> {
        self.events.get(self.told.checked_sub(1)?).map(|(_, status)| status.clone())
    }

    /// Its end, if it has come.
    pub(super) fn end(&self) -> Option<Status> {
        let last = self.events.last().filter(|(at, status)| status.is_final() && *at <= Instant::now());
        last.map(|(_, status)| status.clone())
    }

    /// When something happens of itself.
    pub(super) fn next_event(&self) -> Option<Instant> {
        let now = Instant::now();
        self.events.iter().map(|(at, _)| *at).find(|at| *at > now)
    }
}

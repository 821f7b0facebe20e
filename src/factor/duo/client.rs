//! The client of Duo's Auth API.

use super::answer::{self, Envelope, Fault};
use super::signing::{self, Method, Parameters, Signed};
use super::transport::{Call, Reply, Transport};
use super::{
    Api, AuthRequest, DuoError, Preauth, PreauthRequest, Status, Transaction, rate_limit, request, secret_key,
};
use crate::clock::{self, Clock, Deadline, SystemClock, UnixTime};
use crate::config;
use crate::log::{Entry, Level};
use crate::random::{Random, SystemRandom};
use crate::secret::SecretString;
use serde_json::Value;
use std::cell::Cell;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// What Duo must have had to answer before it counts as out of reach, where `[duo] timeout` is no shorter. Who answers
/// a question at the very end of a login leaves Duo less than that, and must not get `failmode` to decide by it.
const FAIR: Duration = Duration::from_secs(10);

/// Duo, over HTTPS. One connection serves one request after the other.
pub struct Client {
    host: String,
    ikey: String,
    skey: SecretString,
    /// This machine, as Duo shows it in its log and on the telephone.
    machine: String,
    transport: Transport,
    /// When the login must have ended.
    deadline: Deadline,
    /// The longest that one request may take, repetitions included.
    patience: Duration,
    /// Duo's clock less ours, in seconds, once Duo has said that ours is wrong.
    clock_difference: Cell<Option<i64>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("place", &self.transport.place()).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads the keys and prepares a connection that is made at the first request. No request takes longer than
    /// `[duo] timeout`, and none goes on beyond `deadline`.
    ///
    /// # Errors
    /// [`DuoError::Settings`] when a key or the list of certificates is missing or cannot be used.
    pub fn new(settings: &config::Duo, deadline: Deadline) -> Result<Self, DuoError> {
        let (Some(host), Some(ikey)) = (&settings.host, &settings.ikey) else {
            let missing = settings.missing().unwrap_or("[duo] host or ikey is not set");
            return Err(DuoError::Settings(missing.to_owned()));
        };
        Ok(Self {
            host: host.as_str().to_owned(),
            ikey: ikey.as_str().to_owned(),
            skey: secret_key::read(settings)?,
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            transport: Transport::new(host.as_str(), settings)?,
            deadline,
            patience: Duration::from_secs(settings.timeout.get()),
            clock_difference: Cell::new(None),
        })
    }

    /// Asks whether Duo is there (`/auth/v2/ping`, unsigned), and for its clock.
    ///
    /// # Errors
    /// As [`Api::preauth`].
    pub fn ping(&self) -> Result<UnixTime, DuoError> {
        self.ping_until(self.limit())
    }

    /// Asks whether Duo accepts the keys (`/auth/v2/check`), and for its clock.
    ///
    /// # Errors
    /// As [`Api::preauth`].
    pub fn check(&self) -> Result<UnixTime, DuoError> {
        let response = self.request(Method::Get, "/auth/v2/check", &Parameters::default())?;
        self.understood("/auth/v2/check", answer::time(&response))
    }

    fn ping_until(&self, limit: Deadline) -> Result<UnixTime, DuoError> {
        let path = "/auth/v2/ping";
        let parameters = Zeroizing::default();
        let reply = self.send(Call { method: Method::Get, path, parameters, signature: None }, limit)?;
        let response = self.open(path, &reply).map_err(|trouble| trouble.error)?;
        self.understood(path, answer::time(&response))
    }

    /// When a request that begins now must have its answer.
    fn limit(&self) -> Deadline {
        Deadline::after(self.patience.min(self.deadline.left()))
    }

    /// Makes a signed request, again when Duo asks to wait or says that the clock is wrong.
    fn request(
        &self,
        method: Method,
        path: &'static str,
        parameters: &Parameters,
    ) -> Result<Value, DuoError> {
        let limit = self.limit();
        let mut attempt = 0;
        // Once Duo has answered it is not out of reach, whatever becomes of the next attempt.
        let mut refusal = None;
        loop {
            let sent = self.send(self.sign(method, path, parameters), limit);
            let reply = sent.map_err(|error| refusal.take().unwrap_or(error))?;
            let trouble = match self.open(path, &reply) {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            if reply.status == 429 {
                self.wait(attempt, &reply, limit, path)?;
                attempt += 1;
            } else if trouble.fault.is_about_the_clock() && self.clock_difference.get().is_none() {
                let Ok(theirs) = self.ping_until(limit) else { return Err(trouble.error) };
                self.put_the_clock_right(theirs);
            } else {
                return Err(match (trouble.error, refusal) {
                    (DuoError::Unreachable(_), Some(refusal)) => refusal,
                    (error, _) => error,
                });
            }
            refusal = Some(trouble.error);
        }
    }

    fn sign(&self, method: Method, path: &'static str, parameters: &Parameters) -> Call {
        let parameters = parameters.canonical();
        let date = signing::date(self.now());
        let signed = Signed { date: &date, method, host: &self.host, path, parameters: &parameters };
        let authorization = signed.authorization(&self.ikey, &self.skey);
        Call { method, path, parameters, signature: Some((date, authorization)) }
    }

    fn send(&self, call: Call, limit: Deadline) -> Result<Reply, DuoError> {
        // By what there was when Duo was first asked: of what is left, a part is always gone.
        let fair = self.deadline.budget() >= FAIR.min(self.patience);
        let left = limit.left();
        let reply = if left.is_zero() { None } else { self.transport.exchange(call, left)? };
        reply.ok_or_else(|| {
            let (place, way) = (self.transport.place(), self.transport.way());
            let text = format!("{place}: no answer within {:.1} s{way}", left.as_secs_f64());
            if fair {
                DuoError::Unreachable(text)
            } else {
                DuoError::TooLate(format!("{text}, which were all that the login had left"))
            }
        })
    }

    /// Takes what was asked for out of an answer.
    fn open(&self, path: &str, reply: &Reply) -> Result<Value, Trouble> {
        read(reply).map_err(|mut trouble| {
            let place = self.transport.place();
            let (DuoError::Unreachable(text)
            | DuoError::Certificate(text)
            | DuoError::Refused(text)
            | DuoError::TooLate(text)
            | DuoError::Settings(text)) = &mut trouble.error;
            text.insert_str(0, &format!("{place} {path}: "));
            trouble
        })
    }

    fn understood<T>(&self, path: &str, part: Option<T>) -> Result<T, DuoError> {
        part.ok_or_else(|| DuoError::Refused(self.not_understood(path)))
    }

    fn not_understood(&self, path: &str) -> String {
        format!("{} {path}: HTTP 200, and an answer that is not understood", self.transport.place())
    }

    /// Waits as long as Duo asks to, or does not even begin where that is too long.
    fn wait(&self, attempt: u32, reply: &Reply, limit: Deadline, path: &str) -> Result<(), DuoError> {
        let told = reply.retry_after.as_ref().and_then(|text| rate_limit::retry_after(text, self.now()));
        let wait = rate_limit::pause_before(attempt, told, jitter());
        if wait >= limit.left() {
            return Err(DuoError::Refused(format!(
                "{} {path}: rate limited (HTTP 429), the next attempt would be in {} s, which is too late",
                self.transport.place(),
                wait.as_secs()
            )));
        }
        clock::pause(wait);
        Ok(())
    }

    /// Our clock, put right where Duo has said that it is wrong.
    fn now(&self) -> UnixTime {
        SystemClock.now().saturating_add_signed(self.clock_difference.get().unwrap_or(0))
    }

    fn put_the_clock_right(&self, theirs: UnixTime) {
        let seconds = difference(theirs, SystemClock.now());
        self.clock_difference.set(Some(seconds));
        Entry::new(Level::Warning, "duo")
            .pair("host", self.transport.place())
            .pair("clock_difference_seconds", seconds)
            .pair("detail", "this machine's clock differs from Duo's: set it")
            .write();
    }
}

impl Api for Client {
    fn preauth(&self, request: &PreauthRequest<'_>) -> Result<Preauth, DuoError> {
        let response =
            self.request(Method::Post, "/auth/v2/preauth", &request::preauth(&self.machine, request))?;
        Ok(answer::preauth(&response))
    }

    fn auth(&self, request: &AuthRequest<'_>) -> Result<Transaction, DuoError> {
        let path = "/auth/v2/auth";
        let response = self.request(Method::Post, path, &request::auth(&self.machine, request))?;
        // No refusal: a telephone may ring all the same.
        answer::transaction(&response).ok_or_else(|| DuoError::Unreachable(self.not_understood(path)))
    }

    fn auth_status(&self, transaction: &Transaction) -> Result<Status, DuoError> {
        let response = self.request(Method::Get, "/auth/v2/auth_status", &request::status(transaction))?;
        Ok(answer::status(&response))
    }

    fn time_is_over(&self) -> bool {
        self.deadline.left().is_zero()
    }
}

/// An answer that holds nothing of what was asked for.
#[derive(Debug)]
struct Trouble {
    error: DuoError,
    /// What Duo said of it.
    fault: Fault,
}

/// Sorts answers: by HTTP's status first, because not every answer comes from Duo.
fn read(reply: &Reply) -> Result<Value, Trouble> {
    let status = reply.status;
    let envelope = answer::envelope(&reply.body);
    let trouble = |error| Trouble { error, fault: Fault::default() };
    match (status, envelope) {
        (200..=299, Some(Envelope::Response(response))) => Ok(response),
        (200..=299 | 400..=499, Some(Envelope::Fault(fault))) => {
            Err(Trouble { error: DuoError::Refused(fault.describe(status)), fault })
        }
        (200..=299, None) => Err(trouble(DuoError::Unreachable(format!(
            "HTTP {status}, and no answer of Duo's: is it [duo] host?"
        )))),
        (300..=399, _) => Err(trouble(DuoError::Refused(format!(
            "HTTP {status}, a redirect, which Duo never sends: check [duo] host and http_proxy"
        )))),
        (400..=499, _) => Err(trouble(DuoError::Refused(Fault::default().describe(status)))),
        _ => Err(trouble(DuoError::Unreachable(format!("HTTP {status}")))),
    }
}

/// Up to a second, so that not all who wait come back at the same moment.
fn jitter() -> Duration {
    let mut bytes = [0; 2];
    // Without random bytes they do come back at the same moment.
    let _ = SystemRandom.fill(&mut bytes);
    Duration::from_millis(u64::from(u16::from_ne_bytes(bytes)) * 1_000 / 65_536)
}

/// `theirs` less `ours`, in seconds.
fn difference(theirs: UnixTime, ours: UnixTime) -> i64 {
    let seconds = i128::from(theirs) - i128::from(ours);
    i64::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests;

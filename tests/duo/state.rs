//! What the look-alike knows, and the answers that follow from it.

use super::certificates::Certificate;
use super::listener::lock;
use super::misbehaviour::Rule;
use super::people::{Phone, Policy, User};
use super::request::{Endpoint, Parameters, Refusal};
use super::seen::{Channel, Seen, Sent};
use super::transaction::{Reaction, Status, Transaction};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The look-alike's clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// This many seconds ahead of the machine's.
    Ahead(i64),
    /// Stands still at this time (seconds since 1970).
    At(i64),
}

impl Clock {
    pub(super) fn now(self) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Ahead(seconds) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                i64::try_from(now).unwrap() + seconds
            }
        }
    }
}

/// Everything that changes.
pub(super) struct World {
    pub(super) stopped: bool,
    pub(super) clock: Clock,
    pub(super) certificate: Certificate,
    pub(super) rules: Vec<Rule>,
    pub(super) seen: Seen,
    users: BTreeMap<String, User>,
    transactions: BTreeMap<String, Transaction>,
    /// The last look-ups of users, as far as they had transactions of their own, and whose they are.
    look_ups: BTreeMap<String, String>,
    next: u32,
}

pub(super) struct State {
    world: Mutex<World>,
    changed: Condvar,
    /// How long a status request is held at most.
    hold: Duration,
    unknown_users: Policy,
}

impl State {
    pub(super) fn new(hold: Duration, unknown_users: Policy) -> Self {
        let world = World {
            stopped: false,
            clock: Clock::Ahead(0),
            certificate: Certificate::Good,
            rules: Vec::new(),
            seen: Seen::default(),
            users: BTreeMap::new(),
            transactions: BTreeMap::new(),
            look_ups: BTreeMap::new(),
            next: 0,
        };
        Self { world: Mutex::new(world), changed: Condvar::new(), hold, unknown_users }
    }

    /// The world, to look at.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Changes the world, and wakes who waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changed.notify_all();
        result
    }

    /// Waits until `probe` finds something; `None` when it has not until then, or when the look-alike stops.
    pub(super) fn wait<T>(
        &self,
        until: Instant,
        mut probe: impl FnMut(&mut World) -> Option<T>,
    ) -> Option<T> {
        let mut world = self.world();
        loop {
            if let Some(found) = probe(&mut world) {
                return Some(found);
            }
            let now = Instant::now();
            if world.stopped || now >= until {
                return None;
            }
            let event = world.transactions.values().filter_map(Transaction::next_event).min();
            let wake = event.map_or(until, |event| event.min(until));
            let pause = wake.saturating_duration_since(now);
            world = self.changed.wait_timeout(world, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn add(&self, user: User) {
        self.change(|world| world.users.insert(user.name.clone(), user));
    }

    /// Has the phone of a user decide what is live there; how many logins that were.
    pub(super) fn react(&self, user: &str, reaction: Reaction, until: Instant) -> Option<usize> {
        let found = self.wait(until, |world| {
            let live = world.transactions.values_mut().filter(|one| one.user == user && one.is_live());
            let count = live.map(|transaction| transaction.react(reaction)).count();
            (count > 0).then_some(count)
        });
        self.changed.notify_all();
        found
    }

    /// The answer that Duo would give to a request without fault.
    pub(super) fn answer(&self, endpoint: Endpoint, parameters: &Parameters) -> Result<Value, Refusal> {
        match endpoint {
            Endpoint::Ping | Endpoint::Check => Ok(json!({ "time": self.world().clock.now() })),
            Endpoint::Preauth => Ok(self.change(|world| world.preauth(parameters, &self.unknown_users))),
            Endpoint::Auth => self.auth(parameters),
            Endpoint::AuthStatus => self.auth_status(&parameters["txid"]),
        }
    }

    fn auth(&self, parameters: &Parameters) -> Result<Value, Refusal> {
        let txid = self.change(|world| world.auth(parameters))?;
        if parameters.get("async").is_some_and(|value| value == "1") {
            return Ok(json!({ "txid": txid }));
        }
        let until = Instant::now() + Duration::from_secs(60);
        let end = self.wait(until, |world| world.transactions[&txid].end());
        Ok(end.unwrap_or_else(|| Status::deny("timeout", "Login timed out.")).json())
    }

    fn auth_status(&self, txid: &str) -> Result<Value, Refusal> {
        if !self.world().transactions.contains_key(txid) {
            return Err(Refusal::parameter("txid", "unknown"));
        }
        let told = self.wait(Instant::now() + self.hold, |world| world.transactions.get_mut(txid)?.tell());
        let told = told.or_else(|| self.world().transactions[txid].told_last());
        Ok(told.expect("something is told at once").json())
    }
}

impl World {
    fn number(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}{:028x}", self.next)
    }

    fn preauth(&mut self, parameters: &Parameters, unknown_users: &Policy) -> Value {
        let name = &parameters["username"];
        let known = self.users.get(name).cloned();
        let user = known.unwrap_or_else(|| User::new(name).policy(unknown_users.clone()));
        let mut json = user.looked_up(parameters);
        self.look_ups.retain(|_, whose| whose != name);
        let shows_codes = parameters.get("client_supports_verified_push").is_some_and(|value| value == "1");
        if shows_codes && user.verification_code.is_some() && matches!(user.policy, Policy::Auth) {
            let txid = self.number("look");
            json["txid"] = txid.as_str().into();
            self.look_ups.insert(txid, name.clone());
        }
        json
    }

    fn auth(&mut self, parameters: &Parameters) -> Result<String, Refusal> {
        let name = &parameters["username"];
        let user = self.users.get(name).cloned().ok_or_else(|| Refusal::parameter("username", "unknown"))?;
        let verified = self.verified(&user, parameters)?;
        let transaction = match &user.policy {
            Policy::Auth => self.factor(&user, parameters, verified)?,
            Policy::Allow => Transaction::decided(name, Status::bypass()),
            Policy::LockedOut => {
                Transaction::decided(name, Status::deny("locked_out", "The account is locked out."))
            }
            Policy::Deny(message) => Transaction::decided(name, Status::deny("deny", message)),
            Policy::Enroll(_) => return Err(Refusal::parameter("username", "not enrolled")),
        };
        let txid = self.number("auth");
        self.transactions.insert(txid.clone(), transaction);
        Ok(txid)
    }

    /// Whether a push shows its code. Once a look-up had a transaction, it must be sent back.
    fn verified(&self, user: &User, parameters: &Parameters) -> Result<bool, Refusal> {
        match parameters.get("txid") {
            Some(txid) if self.look_ups.get(txid) == Some(&user.name) => Ok(true),
            Some(_) => Err(Refusal::parameter("txid", "not of a look-up of this user")),
            None if self.look_ups.values().any(|name| *name == user.name) => {
                Err(Refusal::parameter("txid", "missing, though the look-up had one"))
            }
            None => Ok(false),
        }
    }

    fn factor(
        &mut self,
        user: &User,
        parameters: &Parameters,
        verified: bool,
    ) -> Result<Transaction, Refusal> {
        let device = parameters.get("device").map_or("auto", String::as_str);
        let channel = match parameters["factor"].as_str() {
            "auto" if device_of(user, device, Channel::Push).is_ok() => Channel::Push,
            "auto" | "phone" => Channel::Phone,
            "push" => Channel::Push,
            "sms" => Channel::Sms,
            "passcode" => return Ok(self.passcode(&user.name, &parameters["passcode"])),
            _ => return self.prompt(user, &parameters["prompt"], verified),
        };
        let device = device_of(user, device, channel)?;
        Ok(self.reach(user, channel, &device, verified))
    }

    /// An entry of Duo's own prompt; everything else is a passcode.
    fn prompt(&mut self, user: &User, chosen: &str, verified: bool) -> Result<Transaction, Refusal> {
        if !user.prompted {
            return Err(Refusal::parameter("prompt", "there was none"));
        }
        if !user.choices().iter().any(|(_, word)| word == chosen) {
            return Ok(self.passcode(&user.name, chosen));
        }
        let word = chosen.trim_end_matches(|last: char| last.is_ascii_digit());
        let number: usize = chosen[word.len()..].parse().expect("a choice ends in a number");
        let mut numbered = user.devices.iter().filter(|device| device.number.is_some());
        let device = numbered.nth(number - 1).expect("a choice names a device").id.clone();
        let channel = match word {
            "voice" => Channel::Phone,
            "smsrefresh" => Channel::Sms,
            _ => Channel::Push,
        };
        Ok(self.reach(user, channel, &device, verified))
    }

    fn passcode(&mut self, name: &str, code: &str) -> Transaction {
        let passcodes = &mut self.users.get_mut(name).expect("looked up before").passcodes;
        let status = match passcodes.iter().position(|known| known == code) {
            Some(place) => {
                passcodes.remove(place);
                Status::allow()
            }
            None => Status::deny("deny", "Incorrect passcode. Please try again."),
        };
        Transaction::decided(name, status)
    }

    /// A phone rings, in one way or another.
    fn reach(&mut self, user: &User, channel: Channel, device: &str, verified: bool) -> Transaction {
        let name = &user.name;
        let (to, device) = (name.clone(), device.to_owned());
        self.seen.sent.push(Sent { user: to, channel, device, at: Instant::now() });
        match channel {
            Channel::Sms => {
                let known = self.users.get_mut(name).expect("looked up before");
                known.passcodes.append(&mut known.by_sms);
                Transaction::decided(name, Status::deny("sms_sent", "New SMS passcodes sent"))
            }
            Channel::Phone => {
                let calling = Status::waiting("calling", "Dialing the phone...".to_owned());
                let answered = Status::waiting("answered", "The phone was answered.".to_owned());
                Transaction::on_phone(name, calling, user.phone).on_the_way(answered)
            }
            Channel::Push if matches!(user.phone, Phone::Unreachable) => {
                Transaction::decided(name, Status::deny("push_failed", "The push could not be sent."))
            }
            Channel::Push => {
                let text = match &user.verification_code {
                    Some(code) if verified => {
                        format!("Please enter verification code {code} into Duo Mobile...")
                    }
                    _ => "Pushed a login request to your phone...".to_owned(),
                };
                Transaction::on_phone(name, Status::waiting("pushed", text), user.phone)
            }
        }
    }
}

fn device_of(user: &User, device: &str, channel: Channel) -> Result<String, Refusal> {
    let capability = channel.capability();
    let found = user.device_for(device, capability).map(|device| device.id.clone());
    found.ok_or_else(|| Refusal::parameter("device", &format!("no {capability} at {device:?}")))
}

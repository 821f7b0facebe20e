//! a. How long the tunnels of everybody else stand still while somebody logs in.
//!
//! One client sends a datagram through its tunnel every 2 ms, another one logs in. The worst round trip from the first
//! packet of the login to its end is the stall: nothing went through for that long.
//!
//! A login by CRV1 is two connections, and the worst of two handshakes takes longer than that of one. So it is compared
//! with `/bin/true` and two connections.

use std::time::{Duration, SystemTime};

use super::arguments::Arguments;
use super::figures::{Series, Table};
use super::harness::accounts::slow_pam_service;
use super::harness::client::Client;
use super::harness::echo::{Pinger, Sample};
use super::harness::reply::Reply;
use super::place::{Form, Hook, Password, Place};
use crate::duo::Misbehaviour;

const INTERVAL: Duration = Duration::from_millis(2);
/// The budget that is the default, in milliseconds.
const BUDGET: f64 = 100.0;
/// What a login may cost beyond the budget and what `/bin/true` costs, in milliseconds.
const MARGIN: f64 = 15.0;
/// How often as long as with `/bin/true` a login may hold up the others when the front does not wait.
const TIMES_TRUE: f64 = 1.5;
/// How long another process keeps the database locked.
const LOCKED: Duration = Duration::from_secs(2);
/// How long Duo may take for a login, in seconds.
const PATIENCE_WITH_DUO: i64 = 2;

/// A kind of login.
#[derive(Clone, Copy)]
struct Login {
    name: &'static str,
    form: Form,
    password: Password,
    trouble: Trouble,
}

/// What stands in the way of a login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// A PAM module takes 3 seconds.
    SlowPam,
    /// Another process has the database locked for [`LOCKED`].
    LockedDatabase,
    /// Duo takes the request and never answers.
    SilentDuo,
}

const LOGINS: [Login; 8] = [
    Login { name: "SCRV1, right", form: Form::Static, password: Password::Right, trouble: Trouble::None },
    Login {
        name: "SCRV1, wrong password",
        form: Form::Static,
        password: Password::Wrong,
        trouble: Trouble::None,
    },
    Login { name: "CRV1, right", form: Form::Reconnect, password: Password::Right, trouble: Trouble::None },
    Login {
        name: "CR_TEXT, right",
        form: Form::InSession,
        password: Password::Right,
        trouble: Trouble::None,
    },
    Login {
        name: "CR_TEXT, wrong password",
        form: Form::InSession,
        password: Password::Wrong,
        trouble: Trouble::None,
    },
    Login {
        name: "CR_TEXT, PAM takes 3 s",
        form: Form::InSession,
        password: Password::Right,
        trouble: Trouble::SlowPam,
    },
    Login {
        name: "SCRV1, database locked 2 s",
        form: Form::Static,
        password: Password::Right,
        trouble: Trouble::LockedDatabase,
    },
    Login {
        name: "Duo with a server that never answers",
        form: Form::Static,
        password: Password::Right,
        trouble: Trouble::SilentDuo,
    },
];

/// Two logins one after the other, for comparison with a login that is two connections.
const TWICE: Login = Login {
    name: "two connections",
    form: Form::Reconnect,
    password: Password::Right,
    trouble: Trouble::None,
};

/// A server, and somebody connected to it whose packets are watched.
struct Watched {
    place: Place,
    client: Client,
}

/// A hook, a kind of login, and what was measured.
struct Variant<'a> {
    hook: Hook,
    login: Option<Login>,
    at: &'a Watched,
    worst: Series,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let slow = slow_pam_service(3);
    let hooks = [Hook::Python, Hook::Default, Hook::NoWait].into_iter().filter(|hook| hook.is_there());
    let hooks: Vec<Hook> = hooks.collect();
    let quiet: Vec<Watched> = [Hook::Nobody, Hook::True].map(|hook| Watched::open(hook, "openvpn")).into();
    let usual: Vec<Watched> = hooks.iter().map(|&hook| Watched::open(hook, "openvpn")).collect();
    let slow: Vec<Watched> = hooks.iter().map(|&hook| Watched::open(hook, &slow)).collect();
    // The Python hook knows no Duo.
    let with_duo = |&hook: &Hook| (hook != Hook::Python).then(|| Watched::open_with_duo(hook));
    let duo: Vec<Option<Watched>> = hooks.iter().map(with_duo).collect();

    let variant = |at, hook, login| Variant { hook, login, at, worst: Series::default() };
    let mut variants = vec![
        variant(&quiet[0], Hook::Nobody, None),
        variant(&quiet[0], Hook::Nobody, Some(LOGINS[0])),
        variant(&quiet[1], Hook::True, Some(LOGINS[0])),
        variant(&quiet[1], Hook::True, Some(TWICE)),
    ];
    for (index, &hook) in hooks.iter().enumerate() {
        for login in LOGINS {
            let at = match login.trouble {
                Trouble::None | Trouble::LockedDatabase => Some(&usual[index]),
                Trouble::SlowPam => Some(&slow[index]),
                Trouble::SilentDuo => duo[index].as_ref(),
            };
            variants.extend(at.map(|at| variant(at, hook, Some(login))));
        }
    }
    variants.retain(|variant| variant.is_simplest() || arguments.wants_variant(&variant.name()));
    for _ in 0..arguments.rounds(15) {
        for variant in &mut variants {
            let worst = variant.at.worst_round_trip(variant.login);
            variant.worst.add(worst);
        }
    }
    print(&variants)
}

fn print(variants: &[Variant<'_>]) -> bool {
    let (base, twice) = (variants[2].worst.median(), variants[3].worst.median());
    let mut table =
        Table::new("a. Stall of a live tunnel while somebody else logs in", "milliseconds", "/bin/true");
    for variant in variants {
        let limit = match variant.hook {
            Hook::Default => Some(base + BUDGET + MARGIN),
            Hook::NoWait if variant.is_two_connections() => Some(twice * TIMES_TRUE),
            Hook::NoWait => Some(base * TIMES_TRUE),
            _ => None,
        };
        table.row(&variant.name(), &variant.worst, Some(base), limit);
    }
    table.print()
}

impl Variant<'_> {
    /// One of those that the others are compared with.
    fn is_simplest(&self) -> bool {
        matches!(self.hook, Hook::Nobody | Hook::True)
    }

    fn is_two_connections(&self) -> bool {
        self.login.is_some_and(|login| login.form == Form::Reconnect)
    }

    fn name(&self) -> String {
        let hook = self.hook.name();
        match self.login {
            None => "nobody logs in".into(),
            Some(login) if self.is_simplest() && self.is_two_connections() => {
                format!("{hook}, {}", login.name)
            }
            Some(_) if self.is_simplest() => hook.into(),
            Some(login) => format!("{hook}: {}", login.name),
        }
    }
}

impl Watched {
    fn open(hook: Hook, service: &str) -> Self {
        Self::at(Place::open(hook, service))
    }

    /// Duo falls silent once the one who is watched is in.
    fn open_with_duo(hook: Hook) -> Self {
        let watched = Self::at(Place::open_with_duo(hook, PATIENCE_WITH_DUO));
        watched.place.server.duo().misbehave(Misbehaviour::StallAfterRequest.always());
        watched
    }

    fn at(place: Place) -> Self {
        let mut client = place.client(Form::Static).start();
        client.prompt();
        place.log_in(&mut client, Form::Static, Password::Right, Duration::ZERO).expect_connected();
        Self { place, client }
    }

    fn worst_round_trip(&self, login: Option<Login>) -> Duration {
        let Some(login) = login else {
            let pinger = self.pinger();
            let from = SystemTime::now();
            std::thread::sleep(Duration::from_millis(400));
            return worst(&pinger.stop(), from, SystemTime::now());
        };
        self.place.forget_used_codes();
        let start = || {
            let mut client = self.place.client(login.form).start();
            client.prompt();
            client
        };
        let mut client = start();
        let again = (self.place.hook == Hook::True && login.form == Form::Reconnect).then(start);
        // What its start has set in motion has come to rest.
        std::thread::sleep(Duration::from_millis(150));
        let locked = match login.trouble {
            Trouble::LockedDatabase => Some(self.place.lock_database(LOCKED)),
            Trouble::None | Trouble::SlowPam | Trouble::SilentDuo => None,
        };
        let pinger = self.pinger();
        let from = SystemTime::now();
        let reply = self.place.log_in(&mut client, login.form, login.password, Duration::ZERO);
        if let Some(mut again) = again {
            self.place.log_in(&mut again, login.form, login.password, Duration::ZERO).expect_connected();
        }
        std::thread::sleep(Duration::from_millis(50));
        let samples = pinger.stop();
        self.check(login, &reply);
        if let Some(locked) = locked {
            locked.join().unwrap();
        }
        worst(&samples, from, SystemTime::now())
    }

    fn pinger(&self) -> Pinger {
        let pinger = Pinger::start(self.client.network(), INTERVAL, u32::MAX);
        std::thread::sleep(Duration::from_millis(100));
        pinger
    }

    /// What was measured is what its name says.
    fn check(&self, login: Login, reply: &Reply) {
        let both = login.password == Password::Right && login.trouble != Trouble::SilentDuo;
        let let_in = both || matches!(self.place.hook, Hook::Nobody | Hook::True);
        let right = if let_in { *reply == Reply::Connected } else { matches!(reply, Reply::Refused { .. }) };
        assert!(right, "{} with {}: {reply:?}", login.name, self.place.hook.name());
    }
}

/// The worst of what was sent in a time. A datagram without an answer was dropped by a full queue behind others that
/// show the stall.
fn worst(samples: &[Sample], from: SystemTime, to: SystemTime) -> Duration {
    let sent_then = samples.iter().filter(|sample| (from..to).contains(&sample.sent));
    sent_then.filter_map(|sample| sample.round_trip).max().expect("answers came")
}

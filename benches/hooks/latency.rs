//! c. How long a user waits, from the last answer to the tunnel.

use std::time::Duration;

use super::arguments::Arguments;
use super::distance;
use super::figures::{Series, Table};
use super::harness::client::Client;
use super::harness::management::Event;
use super::harness::reply::Reply;
use super::place::{Form, Hook, Password, Place};

/// How long a user types, where that counts.
const TYPING: Duration = Duration::from_secs(3);
/// How much later a datagram arrives that comes from afar: a round trip of 40 ms, as within a country.
const DISTANCE: Duration = Duration::from_millis(20);
/// What a login may take, in times of one with a hook that accepts at once; where a password comes with the code, at once
/// after the password was checked, which no hook can do without.
const LIMIT: f64 = 1.1;

const HOOKS: [Hook; 5] = [Hook::Accept, Hook::Check, Hook::Default, Hook::NoWait, Hook::Python];

/// A way to log in.
#[derive(Clone, Copy)]
struct Kind {
    form: Form,
    typing: Duration,
    from_afar: bool,
}

const KINDS: [Kind; 6] = [
    Kind { form: Form::Static, typing: Duration::ZERO, from_afar: false },
    Kind { form: Form::Static, typing: Duration::ZERO, from_afar: true },
    Kind { form: Form::Reconnect, typing: Duration::ZERO, from_afar: false },
    Kind { form: Form::Reconnect, typing: Duration::ZERO, from_afar: true },
    Kind { form: Form::InSession, typing: Duration::ZERO, from_afar: false },
    Kind { form: Form::InSession, typing: TYPING, from_afar: false },
];

impl Kind {
    /// Whether the hook is compared there. Without a password beside the code, the second hook is the first.
    fn is_for(self, hook: Hook) -> bool {
        hook != Hook::Check || self.form == Form::Static
    }

    /// Whether the target is for it.
    fn is_limited(self, hook: Hook) -> bool {
        hook == Hook::Default && self.form != Form::InSession
    }

    fn name(self) -> String {
        let typed = if self.typing.is_zero() { "" } else { " after 3 s of typing" };
        let from = if self.from_afar { ", 40 ms away" } else { "" };
        format!("{}{typed}{from}", self.form.name())
    }
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let hooks = HOOKS.into_iter().filter(|hook| hook.is_there());
    let places: Vec<Place> = hooks.map(|hook| Place::open(hook, "openvpn")).collect();
    for place in &places {
        distance::open(place.server.network_file(), DISTANCE);
    }
    let mut series = vec![vec![Series::default(); places.len()]; KINDS.len()];
    for _ in 0..arguments.rounds(20) {
        for (kind, series) in KINDS.into_iter().zip(&mut series) {
            for (place, series) in places.iter().zip(series).filter(|(place, _)| kind.is_for(place.hook)) {
                series.add(wait(place, kind));
            }
        }
    }
    let title = "c. From the user's last answer to connected";
    let mut table = Table::new(title, "milliseconds", "accept at once");
    for (kind, series) in KINDS.into_iter().zip(&series) {
        let base = series[0].median();
        let least = if kind.is_for(HOOKS[1]) { series[1].median() } else { base };
        for (place, series) in places.iter().zip(series).filter(|(place, _)| kind.is_for(place.hook)) {
            let limit = kind.is_limited(place.hook).then_some(least * LIMIT);
            let name = format!("{}: {}", kind.name(), place.hook.name());
            table.row(&name, series, Some(base), limit);
        }
    }
    table.print()
}

fn wait(place: &Place, kind: Kind) -> Duration {
    place.forget_used_codes();
    let mut client = place.client(kind.form);
    if kind.from_afar {
        client = client.port(distance::PORT);
    }
    let mut client = client.start();
    client.prompt();
    std::thread::sleep(Duration::from_millis(150));
    let reply = place.log_in(&mut client, kind.form, Password::Right, kind.typing);
    assert_eq!(reply, Reply::Connected, "{} with {}", kind.name(), place.hook.name());
    since_the_answer(&client)
}

fn since_the_answer(client: &Client) -> Duration {
    let events = client.events();
    let connected = events.iter().find(|timed| timed.event == Event::Connected).expect("it is connected");
    connected.at - client.answered()
}

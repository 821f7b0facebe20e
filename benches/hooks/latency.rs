//! c. How long a user waits, from the last answer to the tunnel.

use std::time::Duration;

use super::arguments::Arguments;
use super::figures::{Series, Table};
use super::harness::client::Client;
use super::harness::management::Event;
use super::harness::reply::Reply;
use super::place::{Form, Hook, Password, Place};

/// How long a user types, where that counts.
const TYPING: Duration = Duration::from_secs(3);
/// What a login may take, in times of one with a hook that accepts at once.
const LIMIT: f64 = 1.1;

const HOOKS: [Hook; 5] = [Hook::Accept, Hook::Check, Hook::Default, Hook::NoWait, Hook::Python];

pub(crate) fn run(arguments: &Arguments) -> bool {
    let hooks = HOOKS.into_iter().filter(|hook| hook.is_there());
    let places: Vec<Place> = hooks.map(|hook| Place::open(hook, "openvpn")).collect();
    let kinds = Form::ALL.map(|form| (form, Duration::ZERO)).into_iter().chain([(Form::InSession, TYPING)]);
    let kinds: Vec<_> = kinds.collect();
    // Without a password beside the code, the second hook is the first.
    let there = |hook, form| hook != Hook::Check || form == Form::Static;
    let mut series = vec![vec![Series::default(); places.len()]; kinds.len()];
    for _ in 0..arguments.rounds(20) {
        for (&(form, typing), series) in kinds.iter().zip(&mut series) {
            for (place, series) in places.iter().zip(series).filter(|(place, _)| there(place.hook, form)) {
                series.add(wait(place, form, typing));
            }
        }
    }
    let title = "c. From the user's last answer to connected";
    let mut table = Table::new(title, "milliseconds", "accept at once");
    for ((form, typing), series) in kinds.into_iter().zip(&series) {
        let base = series[0].median();
        for (place, series) in places.iter().zip(series).filter(|(place, _)| there(place.hook, form)) {
            let typed = if typing.is_zero() { "" } else { " after 3 s of typing" };
            let limited = place.hook == Hook::Default && form != Form::InSession;
            let name = format!("{}{typed}: {}", form.name(), place.hook.name());
            table.row(&name, series, Some(base), limited.then_some(base * LIMIT));
        }
    }
    table.print()
}

fn wait(place: &Place, form: Form, typing: Duration) -> Duration {
    place.forget_used_codes();
    let mut client = place.client(form).start();
    client.prompt();
    std::thread::sleep(Duration::from_millis(150));
    let reply = place.log_in(&mut client, form, Password::Right, typing);
    assert_eq!(reply, Reply::Connected, "{} with {}", form.name(), place.hook.name());
    since_the_answer(&client)
}

fn since_the_answer(client: &Client) -> Duration {
    let events = client.events();
    let connected = events.iter().find(|timed| timed.event == Event::Connected).expect("it is connected");
    connected.at - client.answered()
}

//! The groups `kill` and `errno`: something bad at each system call of each kind of login.

use crate::calls;
use crate::limits::Limits;
use crate::logins::{self, Login, Mishap, Round};
use crate::place::{Kind, Place};
use crate::report::{Line, Report};
use crate::seed::Seed;
use crate::tracer::{Deed, Fault, GENERATIONS, Outcome, Victims};
use std::panic::AssertUnwindSafe;

/// After so many rounds the next ones are in a new place: with new users, and no logs.
const ROUNDS_OF_A_PLACE: usize = 150;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Kill,
    Errno,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Errno => "errno",
        }
    }
}

/// A login as it goes when nothing happens, with the calls that it makes.
pub(crate) struct Recording {
    kind: Kind,
    login: Login,
    outcome: Outcome,
}

pub(crate) fn record(unix_user: Option<&str>, report: &mut Report) -> Vec<Recording> {
    let mut kinds = vec![Kind::Patient, Kind::Hasty, Kind::Duo];
    match unix_user {
        Some(_) => kinds.push(Kind::Pam),
        None if report.quick => {}
        None => report.skip("logins with PAM", "they need root, and a sandbox"),
    }
    let mut recordings = Vec::new();
    for kind in kinds {
        let place = Place::new(kind, unix_user.filter(|_| kind == Kind::Pam));
        for &login in Login::all(kind) {
            let record = Mishap { fault: Fault::Record, ..Mishap::NONE };
            let round = logins::round(&place, login, &record, 0);
            for finding in &round.findings {
                report.found(&format!("{} {login:?}, without a fault", kind.name()), finding);
            }
            for unseen in unseen(kind, login, &round.outcome) {
                let what = format!("no system call of a {unseen} was seen: nothing can happen to it");
                report.found(&format!("{} {login:?}, without a fault", kind.name()), &what);
            }
            recordings.push(Recording { kind, login, outcome: round.outcome });
        }
    }
    recordings
}

/// The processes that take part in a login, and whose calls were not seen all the same.
fn unseen(kind: Kind, login: Login, recorded: &Outcome) -> Vec<&'static str> {
    // Who answers was asked because PAM had let them pass.
    let is_answer = matches!(login, Login::AnswerByReconnecting | Login::AnswerInSession);
    let needed = if kind == Kind::Pam && !is_answer { 3 } else { 2 };
    let made_none = |generation: &usize| recorded.calls.get(*generation).is_none_or(Vec::is_empty);
    (0..needed).filter(made_none).map(|generation| GENERATIONS[generation]).collect()
}

pub(crate) fn run(
    group: Group,
    recordings: &[Recording],
    seed: &Seed,
    limits: &Limits,
    unix_user: Option<&str>,
    report: &mut Report,
) {
    let named =
        |recording: &Recording| format!("{} {} {:?}", group.name(), recording.kind.name(), recording.login);
    let tasks: Vec<(&Recording, Vec<Fault>)> = recordings
        .iter()
        .map(|recording| (recording, faults(group, &recording.outcome, &mut seed.of(&named(recording)))))
        .collect();
    let all: usize = tasks.iter().map(|(_, faults)| faults.len()).sum();
    let wanted = limits.rounds.min(all);
    println!("{}: {wanted} of {all} faults", group.name());
    let mut hits_of = [0; GENERATIONS.len()];
    for (recording, mut faults) in tasks {
        let (name, kind) = (named(recording), recording.kind);
        seed.of(&name).shuffle(&mut faults);
        faults.truncate((faults.len() * wanted).div_ceil(all.max(1)));
        let mut line = Line::new(&name);
        for chunk in faults.chunks(ROUNDS_OF_A_PLACE) {
            let place = Place::new(kind, unix_user.filter(|_| kind == Kind::Pam));
            for (number, &fault) in chunk.iter().enumerate() {
                if limits.time_is_up() {
                    break;
                }
                // What is typed again at Duo is a failure of its own, so that there is room for none before.
                let failures = if kind == Kind::Duo { 0 } else { [0, 2][number % 2] };
                let mishap = Mishap { fault, ..Mishap::NONE };
                one(&place, recording.login, &fault.to_string(), &mishap, failures, &mut line, report);
            }
        }
        for (sum, hits) in hits_of.iter_mut().zip(line.hits_of) {
            *sum += hits;
        }
        report.finish(&line);
    }
    let hits: Vec<String> =
        GENERATIONS.iter().zip(hits_of).map(|(generation, hits)| format!("{generation} {hits}")).collect();
    println!("{}: hit at a system call: {}", group.name(), hits.join(", "));
    if hits_of[..2].contains(&0) && !limits.time_is_up() {
        report.found(group.name(), "the front or the worker was never hit");
    }
}

/// One fault again, by its name.
pub(crate) fn again(text: &str, unix_user: Option<&str>, report: &mut Report) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [kind, login, fault] = words[..] else { panic!("PLACE LOGIN FAULT is wanted, not {text:?}") };
    let kinds = [Kind::Patient, Kind::Hasty, Kind::Pam, Kind::Duo];
    let kind = kinds.into_iter().find(|known| known.name() == kind).expect("a place");
    let login = Login::all(kind).iter().find(|known| format!("{known:?}") == login).expect("a login");
    let place = Place::new(kind, unix_user.filter(|_| kind == Kind::Pam));
    let mut line = Line::new(text);
    let mishap = Mishap { fault: fault.parse().unwrap(), ..Mishap::NONE };
    one(&place, *login, fault, &mishap, 0, &mut line, report);
    println!("{}", place.site.logs());
    report.finish(&line);
}

/// One round; `what` says what happens in it.
pub(crate) fn one(
    place: &Place,
    login: Login,
    what: &str,
    mishap: &Mishap<'_>,
    failures: u64,
    line: &mut Line,
    report: &mut Report,
) {
    let round = std::panic::catch_unwind(AssertUnwindSafe(|| logins::round(place, login, mishap, failures)));
    let Round { outcome, let_in, findings } = round.unwrap_or_else(|panic| {
        place.clean_up();
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Round { findings: vec![text.to_owned()], ..Round::default() }
    });
    report.rounds += 1;
    line.rounds += 1;
    line.hits += usize::from(outcome.hit);
    if let Some(generation) = outcome.generation {
        line.hits_of[generation] += 1;
    }
    line.let_in += usize::from(let_in);
    line.took(outcome.took, || format!("{what} ({})", outcome.at));
    if mishap.fault == Fault::Record {
        for (generation, calls) in GENERATIONS.iter().zip(&outcome.calls) {
            for (index, call) in calls.iter().enumerate() {
                println!("{generation} {} {call}", index + 1);
            }
        }
    }
    line.findings += findings.len();
    for finding in findings {
        let place = format!("--again '{} {login:?} {what}' ({})", place.kind.name(), outcome.at);
        report.found(&place, &finding);
    }
}

/// Every fault that a login can meet, by the calls that it was seen to make.
fn faults(group: Group, recorded: &Outcome, seed: &mut Seed) -> Vec<Fault> {
    let mut faults = Vec::new();
    for generation in 0..GENERATIONS.len() {
        let calls = recorded.calls.get(generation).map(Vec::as_slice).unwrap_or_default();
        for (index, name) in calls.iter().enumerate() {
            let at = |deed| Fault::AtCall { generation, call: index + 1, deed };
            match group {
                Group::Kill => {
                    faults.push(at(Deed::Kill(Victims::One)));
                    if index % 4 == 0 {
                        faults.push(at(Deed::Kill(Victims::All)));
                    }
                }
                Group::Errno => {
                    faults.extend(calls::errors(name).iter().map(|errno| at(Deed::Fail(*errno))));
                }
            }
        }
    }
    if group == Group::Kill {
        for _ in 0..faults.len() / 10 {
            let victims = *seed.one_of(&[Victims::One, Victims::Worker, Victims::All]);
            // Under the tracer it took longer.
            let microseconds = seed.below(usize::try_from(recorded.took.as_micros()).unwrap()) as u64;
            faults.push(Fault::AtTime { microseconds, victims });
        }
    }
    faults
}

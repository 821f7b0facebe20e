//! What cannot happen, happens: the built executable under faults, as OpenVPN starts it.
//!
//! `scripts/torture` starts it; `scripts/torture --help` says what there is. In every round something goes wrong in one
//! place, and afterwards the same has to hold: nobody was let in without both proofs, no enrolment is lost, no code is
//! good twice, no failure is forgotten, nothing is left behind, and the next login is as good as ever.
//!
//! As root it runs in the sandbox of the end-to-end tests, with Unix users and mounts of its own.
#![allow(clippy::unwrap_used, reason = "what cannot be set up is to fail where it stands")]
#![allow(clippy::disallowed_methods, reason = "tests have clocks, pauses and an environment of their own")]

#[path = "../e2e/harness/accounts.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod accounts;
mod arguments;
mod calls;
mod clock;
mod disk;
#[path = "../duo/mod.rs"]
mod duo;
mod faults;
mod limits;
mod logins;
mod place;
mod race;
mod report;
mod resources;
#[path = "../e2e/harness/sandbox.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod sandbox;
mod seed;
#[path = "../blackbox/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the black-box tests use all of it")]
mod support;
mod tracer;

use arguments::{Arguments, Group};
use limits::Limits;
use report::Report;
use sandbox::Role;
use seed::Seed;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == tracer::ROLE) {
        return tracer::run(&words[1..]);
    }
    let arguments = match Arguments::parse(&words) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    match Role::of_this_process() {
        Role::Outside if arguments.sandbox => sandbox::enter(),
        Role::Init => sandbox::init(),
        Role::Outside => torture(&arguments, None),
        Role::Tests | Role::Echo | Role::Pinger => {
            let user = accounts::UnixUser::with_password(place::PASSWORD);
            torture(&arguments, Some(&user.name))
        }
    }
}

fn torture(arguments: &Arguments, unix_user: Option<&str>) -> ExitCode {
    let started = Instant::now();
    let mut report = Report { quick: arguments.quick, ..Report::default() };
    if let Some(fault) = &arguments.again {
        faults::again(fault, unix_user, &mut report);
        return ExitCode::from(u8::from(!report.conclude(started)));
    }
    println!("seed {}", arguments.seed);
    let seed = Seed::new(arguments.seed);
    let time = arguments.time / u32::try_from(arguments.groups.len()).unwrap();
    let mut recordings = None;
    for group in &arguments.groups {
        let limits = Limits::new(arguments.rounds, time);
        let by_calls = match group {
            Group::Race => {
                race::run(arguments.races, &limits, &mut report);
                continue;
            }
            Group::Disk => {
                disk::run(&seed, &limits, unix_user, &mut report);
                continue;
            }
            Group::Clock => {
                clock::run(&seed, &limits, &mut report);
                continue;
            }
            Group::Resources => {
                resources::run(&seed, &limits, unix_user, &mut report);
                continue;
            }
            Group::Errno if !calls::CAN_FAIL => {
                report.skip("errno", "no system call can be made to fail on this machine");
                continue;
            }
            Group::Kill => faults::Group::Kill,
            Group::Errno => faults::Group::Errno,
        };
        let recordings = recordings.get_or_insert_with(|| faults::record(unix_user, &mut report));
        faults::run(by_calls, recordings, &seed, &limits, unix_user, &mut report);
    }
    ExitCode::from(u8::from(!report.conclude(started)))
}

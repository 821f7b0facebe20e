//! Benchmarks with a real OpenVPN: what a login costs those who are connected already, and those who log in.
//!
//! `scripts/bench` prepares everything and starts them; `scripts/bench --help` says which there are. They run as root in
//! the sandbox of the end-to-end tests and change nothing on the machine.
//!
//! Absolute times say little on a machine that is shared. So the variants of a benchmark take turns, and each is also
//! given as a multiple of the simplest hook of all, measured in the same run.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot set itself up is to fail where it stands")]
#![allow(
    clippy::disallowed_methods,
    reason = "benchmarks read clocks, wait, and have an environment of their own"
)]

mod arguments;
mod call;
mod distance;
#[path = "../../tests/duo/mod.rs"]
mod duo;
mod figures;
mod front;
#[path = "../../tests/e2e/harness/mod.rs"]
#[allow(dead_code, unused_macros, reason = "the tests use all of it")]
mod harness;
mod latency;
mod machine;
mod memory;
mod place;
mod scale;
mod stall;
mod storm;

use std::process::ExitCode;

use arguments::Arguments;
use harness::echo;
use harness::sandbox::{self, Role};

fn main() -> ExitCode {
    let arguments = match Arguments::of_this_process() {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    match Role::of_this_process() {
        Role::Outside => outside(),
        Role::Init => sandbox::init(),
        Role::Tests => inside(&arguments),
        Role::Echo => ended(echo::answer()),
        Role::Pinger => ended(echo::measure()),
    }
}

fn outside() -> ExitCode {
    match sandbox::why_not() {
        None => sandbox::enter(),
        Some(reason) => {
            eprintln!("The benchmarks do not run here: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn inside(arguments: &Arguments) -> ExitCode {
    machine::describe();
    let mut all_met = true;
    for (letter, run) in BENCHMARKS {
        if arguments.wants(letter) {
            let started = std::time::Instant::now();
            let load = machine::load();
            all_met &= run(arguments);
            println!("\nThis took {} s; the load before was {load}.", started.elapsed().as_secs());
        }
    }
    if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A benchmark; whether it met its targets.
type Benchmark = fn(&Arguments) -> bool;

const BENCHMARKS: [(char, Benchmark); 5] =
    [('a', stall::run), ('b', front::run), ('c', latency::run), ('d', storm::run), ('e', scale::run)];

fn ended(result: std::io::Result<()>) -> ExitCode {
    result.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

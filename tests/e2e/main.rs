//! End-to-end tests: a real OpenVPN server with the product in its hooks, real clients, real PAM with
//! `pam_unix`, and codes from oathtool.
//!
//! They run as root in a sandbox of namespaces (see `harness::sandbox`) and change nothing on the machine.
//! Where they cannot run, every one of them counts as ignored, and the reason is printed.
//!
//! * `OPENVPN_2FA_BIN=/path` tests another executable than the one that cargo has built.
//! * `OPENVPN_2FA_E2E_KEEP=/empty/directory` keeps configurations and logs for a look afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up is to fail where it stands")]
#![allow(clippy::disallowed_methods, reason = "tests have clocks, pauses and an environment of their own")]

mod cases;
#[path = "../duo/mod.rs"]
mod duo;
mod harness;

use std::process::ExitCode;

use harness::sandbox::{self, Role};
use harness::{echo, report};
use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    match Role::of_this_process() {
        Role::Outside => outside(),
        Role::Init => sandbox::init(),
        Role::Tests => tests(&arguments()),
        Role::Echo => ended(echo::answer()),
        Role::Pinger => ended(echo::measure()),
    }
}

fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    // Logins mostly wait for OpenVPN's timers, so that more of them than there are cores run at a time.
    arguments.test_threads.get_or_insert(4);
    arguments
}

fn outside() -> ExitCode {
    let arguments = arguments();
    if arguments.list {
        return tests(&arguments);
    }
    let Some(reason) = sandbox::why_not() else { return sandbox::enter() };
    println!("The end-to-end tests do not run here: {reason}");
    let trials = cases::trials()
        .into_iter()
        .map(|trial| {
            let reason = reason.clone();
            Trial::ignorable_test(trial.name(), move || Ok(Completion::ignored_with(reason)))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn tests(arguments: &Arguments) -> ExitCode {
    report::keep_panic_messages();
    libtest_mimic::run(arguments, cases::trials()).exit_code()
}

fn ended(result: std::io::Result<()>) -> ExitCode {
    result.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

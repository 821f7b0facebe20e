//! The door for other programs: `openvpn-2fa verify --json`. One request comes on standard input, one reply goes to standard
//! output, and the process ends. `contrib/doc/verify.md` describes both.
//!
//! Whoever starts it is an administrator, or may read the database: its word that a password was right is taken. What it
//! passes on of a client (names, answers) is bytes until [`request`] has made types of it.

mod reply;
mod request;

use crate::auth::{Attempt, Decision, Outcome, Reason, Rejection, Told};
use crate::cli::Global;
use crate::clock::{Deadline, pause};
use crate::config::{self, Primary, Settings, Sources};
use crate::door::{GRACE, Report, Visitor, with_decision};
use crate::log::{Entry, Level};
use crate::openvpn::Environment;
use crate::process;
use crate::secret;
use crate::store::Database;
use reply::Reply;
use request::{FirstProof, Request};
use std::io::{self, Read, Write};
use std::panic;
use std::process::ExitCode;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest request, in bytes.
const MAX_REQUEST_BYTES: u64 = 16 * 1024;

/// How long reading the request may take, and PAM. Duo has `[duo] timeout`, when that is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of this door in the log.
const DOOR: &str = "verify";

/// Serves one request. Exit status: 0 when there is a decision, whichever; 1 when there is none, which is a denial too.
#[must_use]
pub fn run(global: &Global, environment: &Environment) -> ExitCode {
    if !global.json {
        let _ = writeln!(io::stderr(), "openvpn-2fa: verify speaks JSON only: openvpn-2fa verify --json");
        return ExitCode::from(2);
    }
    process::protect_memory();
    process::close_what_was_left_open();
    process::end_after(PATIENCE + GRACE);
    deny_on_panic();
    let Request { who, first } =
        match read().map_err(|error| error.to_string()).and_then(|bytes| Request::parse(&bytes)) {
            Ok(request) => request,
            Err(fault) => {
                let report = Report::begin("login", "", Visitor { door: Some(DOOR), ..Visitor::default() });
                return give_up(&report, Reason::Malformed(fault));
            }
        };
    let visitor = Visitor {
        door: Some(DOOR),
        address: who.address,
        common_name: who.common_name.as_deref(),
        software: None,
    };
    let mut report = Report::begin(first.event(), &who.user, visitor);
    let settings = match load_settings(global, environment) {
        Ok(settings) => settings,
        Err(error) => return give_up(&report, Reason::Internal(error.to_string())),
    };
    report.set_factor(settings.auth.factor);
    let attempt = match who.identify(&settings) {
        Ok(attempt) => attempt,
        Err(error) => {
            let outcome = Outcome::refused(Reason::Identity(error.to_string()));
            return deliver(&outcome, &settings, &report);
        }
    };
    report.set_username(attempt.user.as_str());
    if settings.first_login_makes_database()
        && !settings.totp.token_db_path.exists()
        && let Err(error) = Database::open_or_create(&settings)
    {
        return give_up(&report, Reason::Internal(error.to_string()));
    }
    let patience = Duration::from_secs(settings.duo.timeout.get()).max(PATIENCE);
    process::end_after(patience + GRACE);
    let outcome =
        with_decision(&settings, Deadline::after(patience), |decision| decide(decision, &attempt, first));
    deliver(&outcome, &settings, &report)
}

/// The settings of the hooks, but for `[auth] primary`: whether OpenVPN's certificate is the first proof says nothing of a
/// request, which names its own. So no certificate that a request mentions is one.
fn load_settings(global: &Global, environment: &Environment) -> Result<Settings, config::ConfigError> {
    let mut settings = config::load(&Sources {
        file: global.config.clone(),
        database: global.db.clone(),
        environment: environment.variables().to_vec(),
    })?;
    settings.auth.primary = Primary::Pam;
    Ok(settings)
}

fn decide(decision: &mut Decision<'_>, attempt: &Attempt, first: FirstProof) -> Outcome {
    match first {
        FirstProof::Word { word, response } => decision.login_by_word(attempt, word, &response),
        FirstProof::Given(submission) => decision.login(attempt, &submission, None),
    }
}

fn read() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = secret::buffer(usize::try_from(MAX_REQUEST_BYTES).unwrap_or(0) + 1);
    io::stdin().lock().take(MAX_REQUEST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_REQUEST_BYTES {
        return Err(io::Error::other(format!("the request is longer than {MAX_REQUEST_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Logs an outcome and prints it.
fn deliver(outcome: &Outcome, settings: &Settings, report: &Report<'_>) -> ExitCode {
    report.outcome(outcome);
    if let Outcome::Reject(rejection) = outcome {
        pause(report.left_of(rejection.hold));
    }
    let printed = print(&Reply::of(outcome, settings, report.reference()));
    match outcome {
        // The settings, the database or the system failed: nobody has looked at the user.
        Outcome::Reject(Rejection { reason: Reason::Internal(detail), .. }) => {
            complain(detail);
            ExitCode::FAILURE
        }
        _ => printed,
    }
}

/// Denies where there is nothing to decide.
fn give_up(report: &Report<'_>, reason: Reason) -> ExitCode {
    if let Some(detail) = reason.detail() {
        complain(detail);
    }
    let rejection = Rejection::at_once(Told::AuthenticationFailed, reason);
    report.rejection(&rejection);
    let _ = print(&Reply::denial(&rejection.told, report.reference()));
    ExitCode::FAILURE
}

fn complain(detail: &str) {
    let _ = writeln!(io::stderr(), "openvpn-2fa: {}", crate::printable::text(detail));
}

/// Prints the reply, on one line. The caller that does not get it has no decision.
fn print(reply: &Reply) -> ExitCode {
    let mut output = io::stdout().lock();
    match output.write_all(reply.line().as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let entry = Entry::new(Level::Error, "verdict").pair("door", DOOR);
            entry.pair("outcome", "not-delivered").pair("detail", error).write();
            ExitCode::FAILURE
        }
    }
}

/// Makes a panic a denial. Its message is not written anywhere: nobody knows what is in it.
fn deny_on_panic() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        Entry::new(Level::Error, "worker")
            .pair("door", DOOR)
            .pair("reason", "panic")
            .maybe("place", place)
            .write();
        let _ = print(&Reply::denial(&Told::AuthenticationFailed, None));
        std::process::exit(1)
    }));
}

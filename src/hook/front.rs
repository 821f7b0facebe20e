//! The process that OpenVPN waits for.

use super::allowance::Allowance;
use super::report::Report;
use super::request::Login;
use super::slots::{self, Slot, SlotError};
use super::worker::{self, Errand, Heard, Job, Word};
use super::{Exit, load_settings};
use crate::auth::{Reason, Rejection, Told};
use crate::cli::HookOptions;
use crate::clock::{Deadline, Stopwatch};
use crate::config::{Factor, Settings};
use crate::files;
use crate::log::{self, Entry, Level};
use crate::openvpn::{self, AnswerSlot, Credentials, Environment, MAX_FILE_BYTES, ScriptType, SlotState};
use crate::process;
use crate::store::Database;
use rustix::io::FdFlags;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a client waits before it comes again when all workers are busy, in seconds.
const BUSY_BACKOFF: u32 = 5;

/// How long PAM may take where no worker could be started and OpenVPN waits for the work itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves one hook call.
#[must_use]
pub fn run(script: ScriptType, options: &HookOptions, environment: &Environment) -> Exit {
    process::protect_memory();
    worker::end_after(worker::HAND_WINDOW);
    match script {
        ScriptType::UserPassVerify => verify(options, environment),
        ScriptType::ClientCrResponse => {
            answer(options, environment);
            // Any other status would end the client's authentication without a reason (`verify_crresponse_script`).
            Exit::Accepted
        }
    }
}

fn verify(options: &HookOptions, environment: &Environment) -> Exit {
    let mut report = Report::begin("login", environment);
    let settings = match load_settings(options, environment) {
        Ok(settings) => settings,
        Err(error) => return reject(&report, environment, Reason::Internal(error.to_string())),
    };
    let bytes = match credentials(options, environment) {
        Ok(bytes) => bytes,
        Err(error) => return reject(&report, environment, Reason::Internal(error)),
    };
    let login = match Login::parse(&settings, environment, &bytes) {
        Ok(login) => login,
        Err(error) => return reject(&report, environment, error.reason()),
    };
    report.set_username(login.attempt.user.as_str());
    report.set_factor(settings.auth.factor);

    let slot = match slot(&settings) {
        Ok(slot) => slot,
        Err(reason) => return reject(&report, environment, reason),
    };
    let ahead = login.question_ahead(&settings).filter(|_| environment.control_files().is_some());
    let word = match start_to_hear(options, &slot, &bytes) {
        Ok(worker) => first_word(&worker, &slot, &settings, environment),
        Err(error) => {
            worker_failed(&error);
            Some(job(&settings, environment, &report).verify(&Ok(login)))
        }
    };
    match (word, ahead) {
        (Some(Word::Accepted), _) => Exit::Accepted,
        (Some(Word::Rejected), _) => Exit::Rejected,
        (Some(Word::Pending(pending)), _) => ask(&pending, environment, &report),
        (None, Some(text)) => {
            let timeout = Duration::from_secs(settings.totp.challenge_timeout.get());
            ask(&openvpn::challenge::pending(timeout, text.as_str()), environment, &report)
        }
        (None, None) => Exit::Deferred,
    }
}

/// Starts a worker for a login, and returns the socket of its word.
fn start_to_hear(options: &HookOptions, slot: &Slot, work: &[u8]) -> io::Result<OwnedFd> {
    let (ours, theirs) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        // Whole messages, and a sender that knows whether there was still somebody to hear it.
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    let keep = [slot.fd()];
    Worker { errand: Errand::Verify, options, output: theirs.into(), keep: &keep }.start(work)?;
    Ok(ours)
}

fn answer(options: &HookOptions, environment: &Environment) {
    let report = Report::begin("answer", environment);
    // Read and removed before anything can go wrong: it holds a code, and OpenVPN leaves it behind.
    let bytes = match options.file.as_deref().map(take_response) {
        Some(Ok(bytes)) => bytes,
        // What cannot be read is no answer, but it was one: the question is used up.
        Some(Err(_)) => Zeroizing::new(Vec::new()),
        None => return report.note(Level::Error, "no-file", Some("OpenVPN named no file with the answer")),
    };
    let Some(control) = environment.control_files() else {
        return report.note(Level::Info, "no-session", None);
    };
    let answer = match AnswerSlot::take(&control) {
        Ok(SlotState::Taken(answer)) => answer,
        Ok(SlotState::Busy) => return report.note(Level::Info, "answered-already", None),
        Ok(SlotState::Closed) => return report.note(Level::Info, "session-decided", None),
        Err(error) => return report.note(Level::Error, "control-file", Some(&error.to_string())),
    };
    let settings = match load_settings(options, environment) {
        Ok(settings) => settings,
        Err(error) => {
            reject(&report, environment, Reason::Internal(error.to_string()));
            return;
        }
    };
    let slot = match slot(&settings) {
        Ok(slot) => slot,
        Err(reason) => {
            reject(&report, environment, reason);
            return;
        }
    };
    let keep = [slot.fd(), answer.fd()];
    let worker = Worker { errand: Errand::Answer, options, output: Stdio::null(), keep: &keep };
    if let Err(error) = worker.start(&bytes) {
        worker_failed(&error);
        job(&settings, environment, &report).answer(&bytes);
    }
}

/// The work of a worker, for a front that has none.
fn job<'a>(settings: &'a Settings, environment: &'a Environment, report: &'a Report<'a>) -> Job<'a> {
    // What is returned to the front, it has heard.
    Job { settings, environment, report, patience: PATIENCE, tell: |_| Heard::Yes }
}

/// A slot for a worker.
fn slot(settings: &Settings) -> Result<Slot, Reason> {
    let (database, max) = (&settings.totp.token_db_path, settings.worker.max.get());
    let taken = match slots::take(database, max) {
        // Nobody enrols here for Duo: the first login makes the database.
        Err(SlotError::NoDatabase(_)) if settings.auth.factor == Factor::Duo => {
            Database::open_or_create(settings).map_err(|error| Reason::Internal(error.to_string()))?;
            slots::take(database, max)
        }
        taken => taken,
    };
    match taken {
        Ok(Some(slot)) => Ok(slot),
        Ok(None) => Err(Reason::Busy),
        Err(error) => Err(Reason::Internal(error.to_string())),
    }
}

/// Rejects in the front itself: what is wrong is known without looking anything up.
fn reject(report: &Report<'_>, environment: &Environment, reason: Reason) -> Exit {
    let told = if reason == Reason::Busy { Told::Busy } else { Told::AuthenticationFailed };
    let rejection = Rejection::at_once(told, reason);
    report.rejection(&rejection);
    let mut text = report.text(&rejection.told);
    if rejection.told == Told::Busy && environment.client_software().understands_backoff {
        text = openvpn::challenge::temporary(BUSY_BACKOFF, &text);
    }
    if let Some(control) = environment.control_files() {
        // Whether or not the text arrives, the exit status rejects.
        let _ = control.reject(&text);
    }
    Exit::Rejected
}

/// Sends what is pending, a question as a rule, and lets OpenVPN go on.
fn ask(pending: &str, environment: &Environment, report: &Report<'_>) -> Exit {
    let written = match environment.control_files() {
        Some(control) => control.write_pending(pending).map_err(|error| error.to_string()),
        None => Err("OpenVPN set no auth_control_file in the environment".to_owned()),
    };
    match written {
        Ok(()) => Exit::Deferred,
        Err(error) => reject(report, environment, Reason::Internal(error)),
    }
}

/// The bytes of the credentials, from the file or from the environment.
fn credentials(options: &HookOptions, environment: &Environment) -> Result<Zeroizing<Vec<u8>>, String> {
    if let Some(file) = &options.file {
        return files::read_handed_over(file, MAX_FILE_BYTES).map_err(|error| error.to_string());
    }
    match (environment.username(), environment.password()) {
        (Some(username), Some(password)) => {
            Ok(Credentials::serialise(username.as_bytes(), password.as_bytes()))
        }
        _ => Err("neither a credentials file nor username and password in the environment: \
                  auth-user-pass-verify needs via-file"
            .to_owned()),
    }
}

fn take_response(path: &Path) -> Result<Zeroizing<Vec<u8>>, files::ReadError> {
    let bytes = files::read_handed_over(path, MAX_FILE_BYTES);
    discard_answer(path);
    bytes
}

/// Removes the file of an answer: it holds a code, and OpenVPN leaves it behind.
pub fn discard_answer(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        Entry::new(Level::Error, "answer-file").pair("file", path.display()).pair("detail", error).write();
    }
}

/// A worker that is to be started.
struct Worker<'a> {
    errand: Errand,
    options: &'a HookOptions,
    /// Its standard output: the pipe of its word, or nothing.
    output: Stdio,
    /// Locks that it holds for as long as it lives.
    keep: &'a [&'a OwnedFd],
}

impl Worker<'_> {
    /// Starts it with its work on its standard input.
    fn start(self, work: &[u8]) -> io::Result<()> {
        // Nothing that OpenVPN left open goes along.
        process::keep_descriptors_to_ourselves();
        for lock in self.keep {
            rustix::io::fcntl_setfd(lock, FdFlags::empty())?;
        }
        let stderr = if log::has_syslog() { Stdio::null() } else { Stdio::inherit() };
        let mut command = Command::new("/proc/self/exe");
        // The name that PAM modules log under, and that `ps` shows.
        command.arg0("openvpn-2fa");
        if let Some(config) = &self.options.global.config {
            command.arg("--config").arg(config);
        }
        if let Some(db) = &self.options.global.db {
            command.arg("--db").arg(db);
        }
        command.arg("--worker").arg(self.errand.name());
        command.env_remove("password");
        command.stdin(Stdio::piped()).stdout(self.output).stderr(stderr);
        let mut child = command.spawn()?;
        // A pipe holds 64 KiB, more than the work can be: writing does not wait for the reader.
        let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(work));
        if let Err(error) = written {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(())
    }
}

fn worker_failed(error: &io::Error) {
    Entry::new(Level::Warning, "worker")
        .pair("reason", "not-started")
        .pair("detail", error)
        .pair("consequence", "this call does the work itself, and OpenVPN waits for it")
        .write();
}

/// What the worker says within the time that OpenVPN may stand still. A worker that ends without a word has failed: a
/// reject.
///
/// Where OpenVPN cannot take a deferred verdict, the wait is as long as the worker's life, which is bounded.
fn first_word(worker: &OwnedFd, slot: &Slot, settings: &Settings, environment: &Environment) -> Option<Word> {
    if environment.control_files().is_none() {
        return hear(worker, worker::HAND_WINDOW + Duration::from_secs(1));
    }
    let allowance = Allowance::of(&settings.totp.token_db_path, slot.fd(), settings.auth.stall_budget());
    let stopwatch = Stopwatch::start();
    let word = hear(worker, allowance.left());
    allowance.pay(stopwatch.elapsed());
    word
}

fn hear(worker: &OwnedFd, patience: Duration) -> Option<Word> {
    let in_time = !patience.is_zero() && process::wait_readable(worker, Deadline::after(patience));
    // From here on the worker is told that nobody listens any more. What it said before that counts.
    let _ = rustix::net::shutdown(worker, rustix::net::Shutdown::Read);
    let mut message = [0; Word::MAX_BYTES];
    match rustix::io::read(worker, &mut message) {
        Ok(length) if length > 0 => Some(Word::parse(&message[..length]).unwrap_or(Word::Rejected)),
        _ if in_time => Some(Word::Rejected),
        _ => None,
    }
}

//! The process that OpenVPN waits for.

use super::allowance::Allowance;
use super::request::Login;
use super::slots::{self, Slot, SlotError};
use super::worker::{self, Job, Listener, Word};
use super::{Exit, load_settings, report_on};
use crate::auth::{Reason, Rejection, Told};
use crate::cli::HookOptions;
use crate::clock::{Deadline, Stopwatch};
use crate::config::Settings;
use crate::door::Report;
use crate::files;
use crate::log::{Entry, Level};
use crate::openvpn::{self, AnswerSlot, Credentials, Environment, MAX_FILE_BYTES, ScriptType, SlotState};
use crate::process;
use crate::secret;
use crate::store::Database;
use fork::Fork;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
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
    process::close_what_was_left_open();
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
    let mut report = report_on("login", environment);
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
    let job =
        |patience, listener| Job { settings: &settings, environment, report: &report, patience, listener };
    let wait = Wait::of(&settings, &slot, environment);
    let word = match wait.start_worker() {
        Ok(Started::Front { worker }) => worker.and_then(|worker| wait.first_word(&worker)),
        Ok(Started::Worker { listener }) => {
            drop(wait);
            let patience = worker::lifetime(&settings, ahead.is_some());
            worker::run(&job(patience, listener), |job| drop(job.verify(&login)))
        }
        Err(error) => {
            worker_failed(&error);
            Some(job(PATIENCE, Listener::Caller).verify(&login))
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

fn answer(options: &HookOptions, environment: &Environment) {
    let report = report_on("answer", environment);
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
    // It and the slot are held for as long as this process or its worker lives.
    let _answer = match AnswerSlot::take(&control) {
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
    let _slot = match slot(&settings) {
        Ok(slot) => slot,
        Err(reason) => {
            reject(&report, environment, reason);
            return;
        }
    };
    let job =
        |patience, listener| Job { settings: &settings, environment, report: &report, patience, listener };
    match fork::fork() {
        Ok(Fork::Parent(_)) => {}
        Ok(Fork::Child) => {
            let patience = worker::lifetime(&settings, true);
            worker::run(&job(patience, Listener::Nobody), |job| job.answer(&bytes));
        }
        Err(error) => {
            worker_failed(&error);
            job(PATIENCE, Listener::Caller).answer(&bytes);
        }
    }
}

/// A slot for a worker.
fn slot(settings: &Settings) -> Result<Slot, Reason> {
    let (database, max) = (&settings.totp.token_db_path, settings.worker.max.get());
    let taken = match slots::take(database, max) {
        Err(SlotError::NoDatabase(_)) if settings.first_login_makes_database() => {
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
    if options.stdin {
        let mut bytes = secret::buffer(usize::try_from(MAX_FILE_BYTES).unwrap_or(0) + 1);
        let read = io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|error| error.to_string());
    }
    match (environment.username(), environment.password()) {
        (Some(username), Some(password)) => {
            let bytes = Credentials::serialise(username.as_bytes(), password.as_bytes());
            // Comes back only when that cannot be done. The login goes on: OpenVPN put the password there, not this program.
            let _ = start_again_without_password(&bytes);
            Ok(bytes)
        }
        _ => Err("neither a credentials file nor username and password in the environment: \
                  auth-user-pass-verify needs via-file"
            .to_owned()),
    }
}

/// Has this program begin again in this process, with the credentials in a pipe: a worker waits, and anybody who may look
/// into the environments of processes would find the password in its own.
fn start_again_without_password(credentials: &[u8]) -> io::Result<()> {
    let (reader, mut writer) = io::pipe()?;
    // A pipe holds 64 KiB, more than credentials can be: writing does not wait for the reader.
    writer.write_all(credentials)?;
    drop(writer);
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(arguments.next().unwrap_or_default()).args(arguments).arg("--stdin");
    Err(command.env_remove("password").stdin(reader).exec())
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

fn worker_failed(error: &io::Error) {
    Entry::new(Level::Warning, "worker")
        .pair("reason", "not-started")
        .pair("detail", error)
        .pair("consequence", "this call does the work itself, and OpenVPN waits for it")
        .write();
}

/// How long OpenVPN may stand still for the worker's first word.
struct Wait {
    longest: Duration,
    allowance: Option<Allowance>,
}

/// Who goes on, after a worker was started: the same code does in both.
enum Started {
    /// The front, with the socket of the worker's word where it waits for one.
    Front { worker: Option<OwnedFd> },
    /// The worker.
    Worker { listener: Listener },
}

impl Wait {
    /// Where OpenVPN cannot take a deferred verdict, the wait is as long as the worker's life, which is bounded.
    fn of(settings: &Settings, slot: &Slot, environment: &Environment) -> Self {
        if environment.control_files().is_none() {
            return Self { longest: worker::HAND_WINDOW + Duration::from_secs(1), allowance: None };
        }
        let allowance = Allowance::of(&settings.totp.token_db_path, slot.fd(), settings.auth.stall_budget());
        Self { longest: allowance.left(), allowance: Some(allowance) }
    }

    /// Starts a worker. Where nobody waits for its word, nobody hears it either, however soon it comes: the verdict of such
    /// a call is always deferred.
    fn start_worker(&self) -> io::Result<Started> {
        let ends = if self.longest.is_zero() { None } else { Some(socket_for_a_word()?) };
        let (ours, theirs) = ends.unzip();
        // Each closes the other's end.
        Ok(match fork::fork()? {
            Fork::Parent(_) => Started::Front { worker: ours },
            Fork::Child => Started::Worker { listener: theirs.map_or(Listener::Nobody, Listener::Front) },
        })
    }

    /// What the worker says in time. One that ends without a word has failed: a reject.
    fn first_word(&self, worker: &OwnedFd) -> Option<Word> {
        let stopwatch = Stopwatch::start();
        let word = hear(worker, self.longest);
        if let Some(allowance) = &self.allowance {
            allowance.pay(stopwatch.elapsed());
        }
        word
    }
}

/// Both ends of a socket for the worker's word.
fn socket_for_a_word() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        // Whole messages, and a sender that knows whether there was still somebody to hear it.
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?)
}

fn hear(worker: &OwnedFd, patience: Duration) -> Option<Word> {
    let in_time = process::wait_readable(worker, Deadline::after(patience));
    // From here on the worker is told that nobody listens any more. What it said before that counts.
    let _ = rustix::net::shutdown(worker, rustix::net::Shutdown::Read);
    let mut message = [0; Word::MAX_BYTES];
    match rustix::io::read(worker, &mut message) {
        Ok(length) if length > 0 => Some(Word::parse(&message[..length]).unwrap_or(Word::Rejected)),
        _ if in_time => Some(Word::Rejected),
        _ => None,
    }
}

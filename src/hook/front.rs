//! The process that OpenVPN waits for.

use super::report::Report;
use super::request::Login;
use super::worker::{self, Errand, Word};
use super::{Exit, load_settings, protect_memory};
use crate::auth::{Reason, Rejection, Told};
use crate::cli::HookOptions;
use crate::clock::Deadline;
use crate::config::Settings;
use crate::files;
use crate::log::{self, Entry, Level};
use crate::openvpn::{self, AnswerSlot, Credentials, Environment, MAX_FILE_BYTES, ScriptType, SlotState};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use zeroize::Zeroizing;

/// Serves one hook call.
#[must_use]
pub fn run(script: ScriptType, options: &HookOptions, environment: &Environment) -> Exit {
    protect_memory();
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

    let asks = login.asks_in_session(&settings) && environment.control_files().is_some();
    let word = match start_worker(Errand::Verify, options, &bytes, Stdio::piped()) {
        Ok(mut worker) => first_word(&mut worker, &settings, environment),
        Err(error) => {
            worker_failed(&error);
            Some(worker::verify(&settings, environment, &Ok(login), &report))
        }
    };
    match word {
        Some(Word::Accepted) => Exit::Accepted,
        Some(Word::Rejected) => Exit::Rejected,
        Some(Word::Asked) => ask(&settings, environment, &report),
        None if asks => ask(&settings, environment, &report),
        None => Exit::Deferred,
    }
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
    let slot = match AnswerSlot::take(&control) {
        Ok(SlotState::Taken(slot)) => slot,
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
    let slot = slot.into_fd();
    let Ok(slot_of_worker) = slot.try_clone() else {
        reject(&report, environment, Reason::Internal("no file descriptors left".to_owned()));
        return;
    };
    if let Err(error) = start_worker(Errand::Answer, options, &bytes, Stdio::from(slot_of_worker)) {
        worker_failed(&error);
        worker::answer(&settings, environment, &bytes, &report);
    }
}

/// Rejects in the front itself: what is wrong is known without looking anything up.
fn reject(report: &Report<'_>, environment: &Environment, reason: Reason) -> Exit {
    let rejection = Rejection::at_once(Told::AuthenticationFailed, reason);
    report.rejection(&rejection);
    if let Some(control) = environment.control_files() {
        // Whether or not the text arrives, the exit status rejects.
        let _ = control.reject(&report.text(rejection.told));
    }
    Exit::Rejected
}

/// Sends the question and lets OpenVPN go on.
fn ask(settings: &Settings, environment: &Environment, report: &Report<'_>) -> Exit {
    let timeout = Duration::from_secs(settings.totp.challenge_timeout.get());
    let pending = openvpn::challenge::pending(timeout, settings.totp.challenge_text.as_str());
    let written = match environment.control_files() {
        Some(control) => control.write_pending(&pending).map_err(|error| error.to_string()),
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
    if let Err(error) = std::fs::remove_file(path) {
        Entry::new(Level::Error, "answer-file").pair("file", path.display()).pair("detail", error).write();
    }
    bytes
}

/// Starts the worker with its work on its standard input. `output` is its standard output: the pipe of its word, or
/// the lock that says that an answer is being judged.
fn start_worker(errand: Errand, options: &HookOptions, work: &[u8], output: Stdio) -> io::Result<Child> {
    // Nothing that OpenVPN left open goes along.
    close_fds::set_fds_cloexec(3, &[]);
    let stderr = if log::has_syslog() { Stdio::null() } else { Stdio::inherit() };
    let mut command = Command::new("/proc/self/exe");
    command.arg0("openvpn-2fa-worker");
    if let Some(config) = &options.global.config {
        command.arg("--config").arg(config);
    }
    if let Some(db) = &options.global.db {
        command.arg("--db").arg(db);
    }
    command.arg("--worker").arg(errand.name());
    // A directory that is never unmounted; not that of a session.
    command.current_dir("/").env_remove("password");
    command.stdin(Stdio::piped()).stdout(output).stderr(stderr);
    let mut child = command.spawn()?;
    // A pipe holds 64 KiB, more than the work can be: writing does not wait for the reader.
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(work));
    if let Err(error) = written {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    Ok(child)
}

fn worker_failed(error: &io::Error) {
    Entry::new(Level::Warning, "worker")
        .pair("reason", "not-started")
        .pair("detail", error)
        .pair("consequence", "this call does the work itself, and OpenVPN waits for it")
        .write();
}

/// What the worker says within the stall budget. A worker that ends without a word has failed: a reject.
///
/// Where OpenVPN cannot take a deferred verdict, the wait is as long as the worker's life, which is bounded.
fn first_word(worker: &mut Child, settings: &Settings, environment: &Environment) -> Option<Word> {
    let budget = match environment.control_files() {
        Some(_) => settings.auth.stall_budget(),
        None => worker::lifetime(settings) + Duration::from_secs(1),
    };
    let output: OwnedFd = worker.stdout.take()?.into();
    let deadline = Deadline::after(budget);
    if budget.is_zero() || !readable(&output, deadline) {
        return None;
    }
    let mut word = [0];
    match std::fs::File::from(output).read(&mut word) {
        Ok(1) => Some(Word::parse(word[0]).unwrap_or(Word::Rejected)),
        _ => Some(Word::Rejected),
    }
}

fn readable(fd: &OwnedFd, deadline: Deadline) -> bool {
    loop {
        let left = deadline.left();
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) if !left.is_zero() => {}
            Err(_) => return false,
        }
    }
}

//! The process behind the front: it checks, decides, and writes the verdict.

use super::request::{self, Login};
use crate::auth::{Attempt, Carrier, ChallengeKey, Outcome, Question, Reason, Rejection, Told};
use crate::clock::{Deadline, pause};
use crate::config::Settings;
use crate::door::{GRACE, Report, with_decision};
use crate::log::{Entry, Level};
use crate::openvpn::{self, ControlError, ControlFiles, Environment};
use crate::process;
use crate::secret::{ExposeSecret, secret};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::time::Duration;

/// How long a login may wait for its verdict where no question was asked: OpenVPN's `hand-window` by default.
pub(super) const HAND_WINDOW: Duration = Duration::from_secs(60);

/// How long a worker takes at most for such a login. OpenVPN notices a verdict up to 8 seconds late, and a client that
/// hears of none within its own `hand-window` comes again by itself: it would never learn why, and send push after push.
const LIFETIME: Duration = Duration::from_secs(50);

/// The life of a process of a hook that may wait for `patience`.
pub(super) fn end_after(patience: Duration) {
    process::end_after(patience + GRACE);
}

/// How long a worker that nobody waits for rests before it begins: OpenVPN has a handshake to finish and traffic to catch up
/// with, and on a small server they would want the same processor. It looks for a deferred verdict about a second later.
const HEAD_START: Duration = Duration::from_millis(20);

/// How often to look whether the primary check has ended, while an answer waits for it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a worker tells its front. Not printable: what is pending may hold a secret that is for the user's eyes.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// The client is in; OpenVPN's files say so too.
    Accepted,
    /// The client is out; OpenVPN's files say so too.
    Rejected,
    /// The front is to write this to `auth_pending_file`, which OpenVPN reads when the front returns, and never again.
    Pending(String),
}

impl Word {
    /// The longest message, in bytes.
    pub(super) const MAX_BYTES: usize = 1024;

    fn message(&self) -> Vec<u8> {
        match self {
            Self::Accepted => b"1".to_vec(),
            Self::Rejected => b"0".to_vec(),
            Self::Pending(content) => format!("?{content}").into_bytes(),
        }
    }

    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        match message {
            b"1" => Some(Self::Accepted),
            b"0" => Some(Self::Rejected),
            [b'?', content @ ..] => Some(Self::Pending(std::str::from_utf8(content).ok()?.to_owned())),
            _ => None,
        }
    }
}

/// Whether a word was in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody acts on it.
    Yes,
    /// The front has gone on.
    No,
}

/// Who hears the words of a job.
pub(super) enum Listener {
    /// The front, at the other end of this socket.
    Front(OwnedFd),
    /// Whoever called the job, which is the front itself where no worker could be started.
    Caller,
    /// Nobody.
    Nobody,
}

impl Listener {
    /// Says a word. A front that has gone on does not listen; verdicts are in the files too.
    fn tell(&self, word: &Word) -> Heard {
        match self {
            Self::Front(front) => match rustix::io::write(front, &word.message()) {
                Ok(_) => Heard::Yes,
                Err(_) => Heard::No,
            },
            Self::Caller => Heard::Yes,
            Self::Nobody => Heard::No,
        }
    }
}

/// How long a worker may wait for anything. OpenVPN waits for the verdict as long as the question says where one is open
/// (`send_auth_pending_messages`), else for the window of the handshake (`auth_deferred_expire`).
pub(super) fn lifetime(settings: &Settings, question_open: bool) -> Duration {
    if question_open { Duration::from_secs(settings.totp.challenge_timeout.get()) } else { LIFETIME }
}

/// Makes this process, a copy of the front that OpenVPN waits for, a worker: does `work` and ends.
pub(super) fn run(job: &Job<'_>, work: impl FnOnce(&Job<'_>)) -> ! {
    // The front's own does not come along.
    end_after(job.patience);
    reject_on_panic(job.environment.control_files());
    process::detach();
    process::yield_to_traffic();
    if matches!(job.listener, Listener::Nobody) {
        pause(HEAD_START);
    }
    match process::leave_standard_streams() {
        Ok(()) => work(job),
        Err(error) => job.fail(&error.to_string()),
    }
    std::process::exit(0)
}

/// What a worker does, or the front where it has no worker.
pub(super) struct Job<'a> {
    pub(super) settings: &'a Settings,
    pub(super) environment: &'a Environment,
    pub(super) report: &'a Report<'a>,
    /// The longest that PAM may take, and that an answer waits for its question.
    pub(super) patience: Duration,
    /// Hears the verdict as soon as it is written: whoever waits for it need not wait until the database is closed.
    pub(super) listener: Listener,
}

impl Job<'_> {
    /// Decides a login and writes the verdict.
    pub(super) fn verify(&self, login: &Login) -> Word {
        let control = self.environment.control_files();
        let session = control.as_ref().map(session_key);
        with_decision(self.settings, Deadline::after(self.patience), |decision| {
            let mut outcome = decision.login(&login.attempt, &login.submission, session.as_ref());
            if let (Outcome::Ask(question @ Question { carrier: Carrier::Session, .. }), Some(session)) =
                (&outcome, &session)
            {
                let word = Word::Pending(self.pending(question));
                let question = question.clone();
                outcome = match self.listener.tell(&word) {
                    Heard::Yes if question.must_be_seen() => decision.shown_in_session(session, question),
                    Heard::Yes => Outcome::Ask(question),
                    // What the front has put ahead does in its place.
                    Heard::No
                        if !question.must_be_seen() && login.question_ahead(self.settings).is_some() =>
                    {
                        Outcome::Ask(question)
                    }
                    Heard::No => decision.ask_by_reconnecting(&login.attempt, session, question),
                };
                if matches!(&outcome, Outcome::Ask(Question { carrier: Carrier::Session, .. })) {
                    self.report.outcome(&outcome);
                    return word;
                }
            }
            self.deliver(&outcome, control.as_ref())
        })
    }

    /// Ends a job that cannot be done.
    fn fail(&self, detail: &str) {
        let outcome = Outcome::refused(Reason::Internal(detail.to_owned()));
        self.deliver(&outcome, self.environment.control_files().as_ref());
    }

    fn pending(&self, question: &Question) -> String {
        let timeout = Duration::from_secs(self.settings.totp.challenge_timeout.get());
        openvpn::challenge::pending(timeout, question.text.expose_secret())
    }

    /// Writes the verdict, and tells whoever waits for it.
    fn deliver(&self, outcome: &Outcome, control: Option<&ControlFiles>) -> Word {
        self.open_portal(outcome);
        let word = deliver(outcome, control, self.report);
        self.listener.tell(&word);
        word
    }

    /// Has the client open the page where a user enrols in Duo, if it can and is still in time. The rejection follows.
    fn open_portal(&self, outcome: &Outcome) {
        let Outcome::Reject(Rejection { told: Told::Enrol { portal: Some(portal), .. }, .. }) = outcome
        else {
            return;
        };
        let method = self.environment.client_software().opens_addresses;
        let pending = method.and_then(|method| openvpn::challenge::open_address(HAND_WINDOW, method, portal));
        if let Some(pending) = pending {
            self.listener.tell(&Word::Pending(pending));
        }
    }

    /// Decides the answer to the question of a waiting session, once the primary check has asked it.
    pub(super) fn answer(&self, bytes: &[u8]) {
        let Some(control) = self.environment.control_files() else { return };
        let attempt = match attempt_of(self.settings, self.environment) {
            Ok(attempt) => attempt,
            Err(reason) => {
                deliver(&Outcome::refused(reason), Some(&control), self.report);
                return;
            }
        };
        // What is not base64 is an answer all the same, and a wrong one.
        let response = openvpn::parse_response(bytes).unwrap_or_else(|_| secret(b"?"));
        let session = session_key(&control);
        let deadline = Deadline::after(self.patience);
        with_decision(self.settings, deadline, |decision| {
            while control.is_undecided() && !deadline.left().is_zero() {
                if let Some(outcome) = decision.answer_in_session(&attempt, &session, &response) {
                    deliver(&outcome, Some(&control), self.report);
                    return;
                }
                pause(LOOK_AGAIN);
            }
            self.report.note(Level::Info, "nothing-to-answer", None);
        });
    }
}

fn attempt_of(settings: &Settings, environment: &Environment) -> Result<Attempt, Reason> {
    let username = environment.username().unwrap_or_default().as_bytes();
    request::attempt(settings, environment, username).map_err(|error| Reason::Identity(error.to_string()))
}

/// The name of a session in the store: OpenVPN names its control file in both calls, and no other session has it.
fn session_key(control: &ControlFiles) -> ChallengeKey {
    ChallengeKey::of_session(control.verdict.as_os_str().as_bytes())
}

/// Logs an outcome and writes it where OpenVPN looks.
fn deliver(outcome: &Outcome, control: Option<&ControlFiles>, report: &Report<'_>) -> Word {
    report.outcome(outcome);
    let (word, written) = match outcome {
        Outcome::Accept(_) => (Word::Accepted, control.map(ControlFiles::accept)),
        Outcome::Reject(rejection) => {
            pause(report.left_of(rejection.hold));
            (Word::Rejected, control.map(|files| files.reject(&report.text(&rejection.told))))
        }
        Outcome::Ask(question) => match &question.carrier {
            // An answer leads to no second question in the same session.
            Carrier::Session => {
                let reason = report.text(&Told::ClientCannotBeAsked);
                (Word::Rejected, control.map(|files| files.reject(&reason)))
            }
            Carrier::Reconnect { state } => {
                let reason =
                    openvpn::challenge::dynamic(state, question.user.as_str(), question.text.expose_secret());
                (Word::Rejected, control.map(|files| files.reject(&reason)))
            }
        },
    };
    match written {
        None | Some(Ok(())) => word,
        Some(Err(error)) => {
            let level = match error {
                ControlError::SessionGone(_) => Level::Info,
                _ => Level::Error,
            };
            Entry::new(level, "verdict").pair("outcome", "not-delivered").pair("detail", error).write();
            Word::Rejected
        }
    }
}

/// Makes a panic a reject. Its message is not written anywhere: nobody knows what is in it.
fn reject_on_panic(control: Option<ControlFiles>) {
    panic::set_hook(Box::new(move |panicked| {
        let place = panicked.location().map(ToString::to_string);
        Entry::new(Level::Error, "worker").pair("reason", "panic").maybe("place", place).write();
        if let Some(control) = &control {
            // Gone or decided already: then there is nothing to reject.
            let _ = control.reject(&Told::AuthenticationFailed.text());
        }
        std::process::exit(1)
    }));
}

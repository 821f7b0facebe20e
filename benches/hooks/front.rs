//! b. How long OpenVPN waits for a hook call, without an OpenVPN.

use std::path::PathBuf;

use super::arguments::Arguments;
use super::call::{self, Hook, Returned, Session};
use super::figures::{Series, Table};
use super::harness::accounts::{UnixUser, permissive_pam_service};
use super::harness::enrolment::Enrolment;
use super::harness::management::static_response;
use super::harness::sandbox;
use super::place::enrol_for_comparison;

/// The most that a call may take when the front does not wait for the worker, in milliseconds.
const LIMIT: f64 = 4.0;
/// The Python hook is called in every so many rounds: it is slow.
const PYTHON_EVERY: usize = 5;

/// What OpenVPN calls the hook for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Static,
    StaticWrong,
    AskedByReconnecting,
    AskedInSession,
    AnswerByReconnecting,
    AnswerInSession,
    Token,
}

const KINDS: [Kind; 7] = [
    Kind::Static,
    Kind::StaticWrong,
    Kind::AskedByReconnecting,
    Kind::AskedInSession,
    Kind::AnswerByReconnecting,
    Kind::AnswerInSession,
    Kind::Token,
];

struct Bench {
    directory: PathBuf,
    user: UnixUser,
    enrolment: Enrolment,
    code: String,
    /// For calls that only prepare another one: no password check to wait for.
    preparing: Hook,
    sessions: usize,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    call::adopt_workers();
    let directory = sandbox::root().join("front");
    let (database, comparison) =
        (directory.join("state/tokens.sqlite3"), directory.join("comparison.sqlite3"));
    let user = UnixUser::new();
    let enrolment = Enrolment::new(&database, &user.name, &[], &[]);
    enrol_for_comparison(&comparison, &user.name, &enrolment);
    let product = Hook::product(&database);
    let preparing =
        product.clone().set("pamService", &permissive_pam_service()).set("authStallBudgetMs", "10000");
    let code = enrolment.code();
    let mut bench = Bench { directory, user, enrolment, code, preparing, sessions: 0 };

    let default = product.clone();
    let no_wait = product.set("authStallBudgetMs", "0");
    let python = Hook::python(&comparison);
    let mut truth = Series::default();
    let mut waiting = vec![Series::default(); KINDS.len()];
    let mut not_waiting = waiting.clone();
    let mut comparison_series = Series::default();
    for round in 0..arguments.rounds(500) {
        bench.begin_round(&database, &comparison);
        truth.add(bench.call(&Hook::true_(), Kind::Static).took);
        for (index, &kind) in KINDS.iter().enumerate() {
            not_waiting[index].add(bench.call(&no_wait, kind).took);
            bench.begin_round(&database, &comparison);
            waiting[index].add(bench.call(&default, kind).took);
            bench.begin_round(&database, &comparison);
        }
        if let (Some(python), true) = (&python, round.is_multiple_of(PYTHON_EVERY)) {
            comparison_series.add(bench.call(python, Kind::Static).took);
        }
    }

    let base = Some(truth.median());
    let mut table = Table::new("b. One hook call", "milliseconds", "/bin/true");
    table.row("/bin/true", &truth, base, None);
    for (kind, series) in KINDS.iter().zip(&not_waiting) {
        table.row(&format!("budget 0: {}", kind.name()), series, base, Some(LIMIT));
    }
    for (kind, series) in KINDS.iter().zip(&waiting) {
        table.row(&format!("budget 100 ms: {}", kind.name()), series, base, None);
    }
    if python.is_some() {
        table.row(&format!("Python hook: {}", Kind::Static.name()), &comparison_series, base, None);
    }
    let _ = std::fs::remove_dir_all(&bench.directory);
    table.print()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Static => "SCRV1, right",
            Self::StaticWrong => "SCRV1, wrong password",
            Self::AskedByReconnecting => "password, asked by CRV1",
            Self::AskedInSession => "password, asked by CR_TEXT",
            Self::AnswerByReconnecting => "answer to CRV1, right",
            Self::AnswerInSession => "answer to CR_TEXT, right",
            Self::Token => "session token",
        }
    }
}

impl Bench {
    /// Used codes can be used again.
    fn begin_round(&mut self, database: &std::path::Path, comparison: &std::path::Path) {
        if self.sessions.is_multiple_of(100) {
            self.code = self.enrolment.code();
        }
        let forget =
            |path, statement| rusqlite::Connection::open(path).unwrap().execute_batch(statement).unwrap();
        forget(database, "UPDATE totp_token SET last_step = NULL");
        forget(comparison, "UPDATE token SET last_step = 0");
        // Calls that follow one another like these use up what may be waited in all: as after a quiet time, each time.
        let mut account = database.as_os_str().to_owned();
        account.push("-stall");
        let _not_there_yet = std::fs::remove_file(account);
    }

    fn session(&mut self) -> Session {
        self.sessions += 1;
        Session::new(&self.directory.join(format!("session{}", self.sessions)), &self.user.name)
    }

    /// One call, and everything that it has started to its end.
    fn call(&mut self, hook: &Hook, kind: Kind) -> Returned {
        let password = self.user.password.clone();
        let session = self.session();
        let returned = match kind {
            Kind::Static => session.verify(hook, &static_response(&password, &self.code)),
            Kind::StaticWrong => session.verify(hook, &static_response("wrong", &self.code)),
            Kind::AskedByReconnecting => session.verify(hook, &password),
            Kind::AskedInSession => session.crtext().verify(hook, &password),
            Kind::AnswerByReconnecting => {
                session.verify(&self.preparing, &password);
                call::wait_for_workers();
                let answer = format!("CRV1::{}::{}", session.state_id(), self.code);
                self.session().verify(hook, &answer)
            }
            Kind::AnswerInSession => {
                let session = session.crtext();
                session.verify(&self.preparing, &password);
                call::wait_for_workers();
                let returned = session.answer(hook, &self.code);
                call::wait_for_workers();
                assert_eq!(session.verdict(), Some(b'1'), "a right answer is accepted");
                returned
            }
            Kind::Token => session.with("session_state", "Authenticated").verify(hook, "SESS_ID_AT_anything"),
        };
        if kind == Kind::StaticWrong {
            call::kill_workers();
        } else {
            call::wait_for_workers();
        }
        let _ = std::fs::remove_dir_all(self.directory.join(format!("session{}", self.sessions)));
        returned
    }
}

//! The kinds of calls that something bad happens to, and what must hold afterwards.

use crate::place::{Kind, PASSCODES, Place, Records};
use crate::support::{Call, Session};
use crate::tracer::{self, Fault, Outcome};
use data_encoding::BASE64;

/// A call of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// Both proofs at once.
    Right,
    /// The code is wrong.
    WrongCode,
    /// The password is wrong, the code is right.
    WrongPassword,
    /// No code; the question comes by a rejection.
    Question,
    /// No code; the question comes in the session.
    QuestionInSession,
    /// The right answer to a question, by reconnecting.
    AnswerByReconnecting,
    WrongAnswerByReconnecting,
    /// The right answer to a question in the session.
    AnswerInSession,
    WrongAnswerInSession,
    /// A session token that OpenVPN found genuine: both proofs were given when the session began.
    Token,
    /// A session token that OpenVPN refused.
    RefusedToken,
    /// Duo's push is approved.
    Push,
    /// Duo's push is denied.
    DeniedPush,
}

use Login::{
    AnswerByReconnecting, AnswerInSession, DeniedPush, Push, Question, QuestionInSession, RefusedToken,
    Right, Token, WrongAnswerByReconnecting, WrongAnswerInSession, WrongCode, WrongPassword,
};

impl Login {
    /// The logins that make sense in a place.
    pub(crate) fn all(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Patient | Kind::Hasty => &[
                Right,
                WrongCode,
                Question,
                QuestionInSession,
                AnswerByReconnecting,
                WrongAnswerByReconnecting,
                AnswerInSession,
                WrongAnswerInSession,
                Token,
                RefusedToken,
            ],
            Kind::Pam => &[
                Right,
                WrongCode,
                WrongPassword,
                Question,
                QuestionInSession,
                AnswerByReconnecting,
                AnswerInSession,
                Token,
            ],
            Kind::Duo => &[Right, WrongCode, Push, DeniedPush],
        }
    }

    /// Whether both proofs are there, so that it may be let in.
    fn may_enter(self) -> bool {
        match self {
            Right | AnswerByReconnecting | AnswerInSession | Token | Push => true,
            WrongCode
            | WrongPassword
            | Question
            | QuestionInSession
            | WrongAnswerByReconnecting
            | WrongAnswerInSession
            | RefusedToken
            | DeniedPush => false,
        }
    }

    /// Whether a right code is in it.
    fn has_code(self) -> bool {
        matches!(self, Right | WrongPassword | AnswerByReconnecting | AnswerInSession)
    }
}

/// What a round came to.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) outcome: Outcome,
    pub(crate) let_in: bool,
    /// What must not be.
    pub(crate) findings: Vec<String>,
}

/// A call that is ready, with the proofs that it holds.
struct Ready<'a> {
    session: Session,
    call: Call<'a>,
    code: String,
}

/// What goes wrong with a call.
pub(crate) struct Mishap<'a> {
    pub(crate) fault: Fault,
    /// Programs that start the program.
    pub(crate) by: &'a [&'a str],
    /// Variables of the environment.
    pub(crate) set: &'a [(&'a str, &'a str)],
    /// Happens right before the call.
    pub(crate) before: &'a dyn Fn(&Session),
    /// Happens when all of its processes have ended.
    pub(crate) after: &'a dyn Fn(&Session),
}

impl Mishap<'_> {
    pub(crate) const NONE: Self =
        Self { fault: Fault::Nothing, by: &[], set: &[], before: &|_| {}, after: &|_| {} };
}

/// Makes one call that something happens to, and looks at what is left.
pub(crate) fn round(place: &Place, login: Login, mishap: &Mishap<'_>, failures: u64) -> Round {
    let fault = mishap.fault;
    place.reset(failures);
    let Ready { session, call, code } = ready(place, login);
    let before = place.records().expect("sound before");
    let report = place.site.path("outcome");
    let _ = std::fs::remove_file(&report);
    let wrapper = std::env::current_exe().unwrap();
    let words = [&*wrapper.to_string_lossy(), tracer::ROLE, &fault.to_string(), &*report.to_string_lossy()];
    let call = mishap.set.iter().fold(call.by(mishap.by), |call, (name, value)| call.set(name, value));
    (mishap.before)(&session);
    let status = call.by(&words).status();
    (mishap.after)(&session);
    let outcome = Outcome::read(&report);
    let verdict = std::fs::read_to_string(&session.control).unwrap_or_default();
    let let_in = status == 0 && !is_answer_in_session(login) || verdict == "1";

    let mut findings = Vec::new();
    if outcome.overdue {
        findings.push(format!("something still ran after {:?}", tracer::DEADLINE));
    }
    if let_in && !login.may_enter() {
        findings.push("let in without both proofs".to_owned());
    }
    if fault == Fault::Record && let_in != login.may_enter() {
        findings.push("nothing happened to it, and it came to something else".to_owned());
    }
    if !["", "0", "1"].contains(&verdict.as_str()) {
        findings.push(format!("a verdict that is none: {verdict:?}"));
    }
    let pending = std::fs::read_to_string(&session.pending).unwrap_or_default();
    let whole = pending.lines().count() == 3 && pending.ends_with('\n');
    // OpenVPN looks into it only when the hook returns 2.
    if status == 2 && !pending.is_empty() && !whole {
        findings.push(format!("a question that is cut off: {pending:?}"));
    }
    let strange = place.strange_files(&session);
    if !strange.is_empty() {
        findings.push(format!("strange files: {strange:?}"));
        for path in strange {
            let _ = std::fs::remove_file(path);
        }
    }
    findings.extend(place.complaints(&before));
    if let Ok(after) = place.records() {
        findings.extend(counted(place, login, &session, &before, &after));
    }
    findings.extend(afterwards(place, login, let_in, &code, &session));
    findings.extend(place.complaints(&before));
    session.end();
    Round { outcome, let_in, findings }
}

fn is_answer_in_session(login: Login) -> bool {
    matches!(login, AnswerInSession | WrongAnswerInSession)
}

fn ready(place: &Place, login: Login) -> Ready<'_> {
    let site = &place.site;
    let user = place.user.as_str();
    let (right, wrong) = match place.kind {
        Kind::Duo => (PASSCODES[0].to_owned(), "9999999".to_owned()),
        Kind::Patient | Kind::Hasty | Kind::Pam => {
            (place.token.code_steps_from_now(-2), place.token.wrong_code())
        }
    };
    let alone = |code: &str| if place.kind == Kind::Pam { place.proofs(code) } else { code.to_owned() };
    let nothing = if place.kind == Kind::Pam { crate::place::PASSWORD } else { "" };
    let session = site.session();
    let call = match login {
        Right => site.login(&session, user, &alone(&right)).set("IV_SSO", ""),
        WrongCode => site.login(&session, user, &alone(&wrong)).set("IV_SSO", ""),
        WrongPassword => site.login(&session, user, &place.password_with("wrong", &right)),
        Question | Push => site.login(&session, user, nothing).set("IV_SSO", ""),
        DeniedPush => {
            place.deny_pushes();
            site.login(&session, user, nothing).set("IV_SSO", "")
        }
        QuestionInSession => site.login(&session, user, nothing),
        AnswerByReconnecting | WrongAnswerByReconnecting => {
            let asking = site.session();
            let status = site.login(&asking, user, nothing).set("IV_SSO", "").status();
            if status == 2 {
                asking.decided();
            }
            let answer = if login == AnswerByReconnecting { &right } else { &wrong };
            let password = asking.question().answer(answer);
            asking.end();
            site.login(&session, user, &password).set("IV_SSO", "")
        }
        AnswerInSession | WrongAnswerInSession => {
            assert_eq!(site.login(&session, user, nothing).status(), 2);
            crate::support::eventually("the question is stored", || {
                (site.number("SELECT count(*) FROM challenge") == 1).then_some(())
            });
            let answer = if login == AnswerInSession { &right } else { &wrong };
            site.keep_out_of_the_log(answer.as_bytes());
            let sent = format!("{}\n", BASE64.encode(answer.as_bytes()));
            // Not the call of the black-box tests: one that was killed may leave the file behind.
            site.login(&session, user, "")
                .content(sent.as_bytes())
                .set("script_type", "client-crresponse")
                .set("session_state", "Authenticated")
        }
        Token => site.login(&session, user, "SESS_ID_AT_x").set("session_state", "Authenticated"),
        RefusedToken => site.login(&session, user, "SESS_ID_AT_x").set("session_state", "Expired"),
    };
    Ready { session, call, code: right }
}

/// Failures may be forgotten only together with a code that is used up, and a guess that was judged is counted.
fn counted(
    place: &Place,
    login: Login,
    session: &Session,
    before: &Records,
    after: &Records,
) -> Option<String> {
    let fewer = after.failures < before.failures;
    let good = match place.kind {
        Kind::Duo => matches!(login, Right | Push),
        Kind::Patient | Kind::Hasty | Kind::Pam => after.last_step > before.last_step,
    };
    if fewer && !good {
        return Some(format!("failures forgotten: {before:?} {after:?}"));
    }
    if after.last_step > before.last_step && !login.may_enter() {
        return Some("a code used up by a login that could not be right".to_owned());
    }
    let judged = std::fs::read_to_string(&session.reason).unwrap_or_default().contains("Incorrect code")
        && place.kind != Kind::Duo;
    let guess = matches!(login, WrongCode | WrongAnswerByReconnecting | WrongAnswerInSession);
    if judged && guess && after.failures != before.failures + 1 {
        return Some(format!("a guess that was judged is not counted: {before:?} {after:?}"));
    }
    None
}

/// A code that let somebody in lets nobody in again, one whose login died does so once at most, and the next one is good.
fn afterwards(place: &Place, login: Login, let_in: bool, code: &str, session: &Session) -> Vec<String> {
    let mut findings = Vec::new();
    if login.has_code() {
        let mut times = usize::from(let_in);
        for _ in 0..2 {
            times += usize::from(place.lets_in(&place.proofs(code)));
        }
        if times > 1 {
            findings.push(format!("one code let in {times} times"));
        }
    }
    // The question that the client has been told of can be answered, and only once.
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (reason, verdict) = (read(&session.reason), read(&session.control));
    if reason.starts_with("CRV1:") && verdict == "0" && place.kind != Kind::Duo {
        let question = session.question();
        let next = place.token.code_steps_from_now(0);
        let answer = question.answer(&next);
        if !place.lets_in(&answer) {
            findings.push("a question was put that cannot be answered".to_owned());
        }
        if place.lets_in(&answer) {
            findings.push("a question was answered twice".to_owned());
        }
    }
    let fresh = match place.kind {
        Kind::Duo => PASSCODES[2].to_owned(),
        Kind::Patient | Kind::Hasty | Kind::Pam => place.token.code_steps_from_now(2),
    };
    if place.kind == Kind::Duo && login == DeniedPush {
        place.reset(0);
    }
    if !place.lets_in(&place.proofs(&fresh)) {
        findings.push("the user cannot log in any more".to_owned());
    }
    findings
}

//! Questions about Duo after a right password: with PAM, in a view of the machine that has a service of its own.

use super::UNAVAILABLE;
use crate::duo::{Channel, Device, Endpoint, Misbehaviour, Phone, User, odd};
use crate::support::{DuoSite, Namespace, Session};
use data_encoding::BASE64;
use std::time::Duration;

const PERMIT: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";
const DENY: &str = "auth required pam_deny.so\naccount required pam_deny.so\n";

const FULL: &str =
    "Duo login for alice. Passcode, or 1 push XXX-XXX-0100, 2 phone XXX-XXX-0100, 3 sms XXX-XXX-0100";

/// A site where every password is right, and where alice approves.
struct Office {
    site: DuoSite,
    namespace: Namespace,
}

impl Office {
    fn new(setenv: &[(&str, &str)]) -> Self {
        Self::with_pam(PERMIT, setenv)
    }

    fn with_pam(pam: &str, setenv: &[(&str, &str)]) -> Self {
        let site = DuoSite::with(&[&[("authPrimary", "pam")], setenv].concat());
        let namespace = Namespace::new(&site, pam);
        let user = User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO));
        site.duo.add(user.passcode("123456").sms_passcode("777777"));
        Self { site, namespace }
    }

    /// The exit status for a password, from a client that can do this.
    fn enter(&self, password: &str, sso: &str) -> (i32, Session) {
        let session = self.site.session();
        let call = self.site.login(&session, "alice", password).set("IV_SSO", sso);
        (self.namespace.enter(call).status(), session)
    }

    /// The verdict on the answer to a question in the session.
    fn answer(&self, session: &Session, typed: &str) -> String {
        let sent = format!("{}\n", BASE64.encode(typed.as_bytes()));
        assert_eq!(self.site.answer(session, "alice", sent.as_bytes()).status(), 0);
        session.decided()
    }
}

fn crtext(text: &str) -> String {
    format!("300\ncrtext\nCR_TEXT:R,E:{text}\n")
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn after_the_password_the_question_of_the_settings_is_put_and_its_answer_decides() {
    std::thread::scope(|scope| {
        for (prompt, text) in [
            ("full", FULL),
            ("short", "Duo - push1, phone1, sms1 or passcode"),
            ("generic", "Duo passcode or second factor"),
        ] {
            scope.spawn(move || {
                let office = Office::new(&[("duoPrompt", prompt)]);
                for (typed, verdict) in
                    [("1", "1"), ("123456", "1"), ("", "1"), ("Push", "1"), ("nonsense", "0")]
                {
                    let (status, session) = office.enter("Password-1", "crtext");
                    assert_eq!((status, session.verdict()), (2, String::new()), "{prompt}");
                    assert_eq!(session.pending(), crtext(text));
                    assert_eq!(office.answer(&session, typed), verdict, "{prompt} {typed:?}");
                }
                let (status, session) = office.enter("Password-1", "");
                assert_eq!((status, session.verdict()), (1, "0".to_owned()), "{prompt}");
                let question = session.question();
                assert_eq!(question.text, text);
                office.site.enter("alice", &question.answer("2")).is_in();
                assert_eq!(office.site.duo.sent().pop().unwrap().channel, Channel::Phone);
            });
        }
    });
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_question_that_comes_late_is_put_by_reconnecting() {
    let office = Office::new(&[("authStallBudgetMs", "0")]);
    for sso in ["crtext", ""] {
        let (status, session) = office.enter("Password-1", sso);
        assert_eq!((status, session.decided(), session.pending()), (2, "0".to_owned(), String::new()));
        let question = session.question();
        assert_eq!(question.text, FULL);
        assert_eq!(office.site.enter("alice", &question.answer("push")).session.decided(), "1");
    }
    // The fixed text needs no look-up, and is there at once.
    let office =
        Office::new(&[("authStallBudgetMs", "0"), ("duoPrompt", "generic"), ("duoPromptText", "Which?")]);
    let (status, session) = office.enter("Password-1", "crtext");
    assert_eq!((status, session.pending()), (2, crtext("Which?")));
    assert_eq!(office.answer(&session, "push"), "1");
    assert!(office.site.logged(&["event=answer ", "outcome=accept reason=both-factors"]));
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn autopush_asks_nothing() {
    let office = Office::new(&[("duoAutopush", "true")]);
    for sso in ["crtext", ""] {
        let (status, session) = office.enter("Password-1", sso);
        assert_eq!((status, &*session.verdict(), &*session.pending()), (0, "1", ""));
    }
    assert_eq!(office.site.duo.sent().len(), 2);
    // Not even with the text that needs no look-up, of which the front says nothing either.
    let office =
        Office::new(&[("duoAutopush", "true"), ("duoPrompt", "generic"), ("authStallBudgetMs", "0")]);
    let (status, session) = office.enter("Password-1", "crtext");
    assert_eq!((status, &*session.decided(), &*session.pending()), (2, "1", ""));
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_factor_can_stand_behind_the_password() {
    let office = Office::new(&[("authAppended", "comma")]);
    for typed in ["Password-1,push", "Password-1,123456", "SCRV1:UGFzc3dvcmQtMQ==:cHVzaA=="] {
        assert_eq!(office.enter(typed, "").0, 0, "{typed}");
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn with_a_wrong_password_duo_hears_of_nobody_and_failmode_opens_nothing() {
    for prompt in ["full", "generic"] {
        let office = Office::with_pam(
            DENY,
            &[("duoPrompt", prompt), ("duoFailmode", "safe"), ("authAppended", "comma")],
        );
        office.site.duo.misbehave(Misbehaviour::CloseOnAccept.always());
        for (typed, sso) in [("Password-1", ""), ("Password-1,push", ""), ("Password-1,push", "crtext")] {
            let (status, session) = office.enter(typed, sso);
            assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()), "{typed}");
        }
        let (_, session) = office.enter("Password-1", "crtext");
        assert_ne!(session.decided(), "1");
        assert_eq!(office.site.duo.connections(), []);
        let exempt = Office::with_pam(DENY, &[("duoExempt", "alice")]);
        assert_eq!(exempt.enter("Password-1", "").0, 1);
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn when_duo_is_out_of_reach_failmode_decides_after_the_right_password() {
    for (failmode, status, verdict) in [("safe", 0, "1"), ("secure", 1, "0")] {
        let office = Office::new(&[("duoFailmode", failmode)]);
        office.site.duo.misbehave(Misbehaviour::CloseOnAccept.always());
        let (exit, session) = office.enter("Password-1", "crtext");
        assert_eq!((exit, &*session.verdict(), &*session.pending()), (status, verdict, ""));
        // Where the look-up comes with the answer.
        let office = Office::new(&[("duoFailmode", failmode), ("duoPrompt", "generic")]);
        office.site.duo.misbehave(Misbehaviour::CloseOnAccept.always());
        let (exit, session) = office.enter("Password-1", "crtext");
        assert_eq!(exit, 2);
        assert_eq!(office.answer(&session, "push"), verdict);
        if verdict == "0" {
            assert_eq!(session.told(), UNAVAILABLE);
        }
    }
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn duos_own_prompt_and_choices_are_used_where_it_sends_them() {
    let office = Office::new(&[]);
    let user = User::with_phone("alice").prompted().passcode("123456").sms_passcode("777777");
    office.site.duo.add(user.phone(Phone::ApprovesAfter(Duration::ZERO)));
    for (typed, factor, value) in [
        ("1", "prompt", "push1"),
        ("phone", "prompt", "voice1"),
        ("123456", "passcode", "123456"),
        ("", "prompt", "push1"),
    ] {
        let (status, session) = office.enter("Password-1", "crtext");
        assert_eq!(status, 2);
        let text = "Duo login for alice, 1. Push to XXX-XXX-0100, 2. Call XXX-XXX-0100, 3. Text passcodes to XXX-XXX-0100, \
                    Passcode or option (1-3)";
        assert_eq!(session.pending(), crtext(text));
        assert_eq!(office.answer(&session, typed), "1", "{typed:?}");
        let asked = office.site.duo.requests_to(Endpoint::Auth).pop().unwrap();
        assert_eq!((asked.parameter("factor"), asked.parameter(factor)), (Some(factor), Some(value)));
    }
    let (_, session) = office.enter("Password-1", "crtext");
    assert_eq!(office.answer(&session, "3"), "0");
    office.site.enter("alice", &session.question().answer("777777")).is_in();
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn however_many_devices_there_are_and_whatever_they_are_called_the_question_is_one_short_line() {
    let names = [
        "CRV1:R,E:x:YQ==:Password",
        "\u{1b}[31mred\u{7}",
        "a\r\nb\n300\ncrtext\nCR_TEXT:R,E:fake",
        "\"quoted\" 'name' [x] \\",
        "\u{202e}\u{e4}\u{65e5}",
        &"long".repeat(1_000),
        "",
    ];
    let office = Office::new(&[]);
    let question = |user: User| {
        office.site.duo.add(user);
        let (status, session) = office.enter("Password-1", "crtext");
        assert_eq!(status, 2);
        let pending = session.pending();
        let text = pending.strip_prefix("300\ncrtext\nCR_TEXT:R,E:").and_then(|rest| rest.strip_suffix('\n'));
        let text = text.unwrap_or_else(|| panic!("{pending:?}")).to_owned();
        assert!(
            (1..=200).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{text:?}"
        );
        assert!(!text.contains([':', '"', '\'', '[', ']', '\\']), "{text:?}");
        let (status, session) = office.enter("Password-1", "");
        assert_eq!(status, 1);
        let again = session.question().text;
        assert!(!again.contains([':', '"', '\'', '[', ']', '\\']), "{again:?}");
        text
    };
    for name in names {
        question(User::new("alice").device(Device::phone("DP1", name)));
        question(User::new("alice").device(Device::phone("DP1", "").named(name)));
        question(User::new("alice").device(Device::phone("DP1", "").displayed(name)));
    }
    for count in [0, 1, 2, 5, 100] {
        let devices = (0..count).map(|number| Device::phone(&format!("DP{number}"), "XXX-XXX-0100"));
        question(devices.fold(User::new("alice"), User::device));
    }
    assert_eq!(question(User::new("alice").device(Device::token("DTOKEN", "0"))), "Duo passcode for alice");
    assert_eq!(
        question(User::new("alice").device(Device::phone("DP1", "1").can(&["hologram"]))),
        "Duo passcode for alice"
    );
    office.site.duo.misbehave(Misbehaviour::Edited(odd::many_devices).always());
    assert_eq!(office.enter("Password-1", "").1.told(), UNAVAILABLE);
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn duo_is_not_waited_for_beyond_the_time_that_the_question_has() {
    let office = Office::new(&[("totpChallengeTimeout", "2")]);
    office.site.duo.add(User::with_phone("alice"));
    let (_, session) = office.enter("Password-1", "crtext");
    let start = std::time::Instant::now();
    assert_eq!(office.answer(&session, "push"), "0");
    assert_eq!(session.told(), "No answer to the login request, try again");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

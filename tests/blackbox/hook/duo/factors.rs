//! Factors, and how their verdicts reach OpenVPN.

use crate::duo::{Channel, Device, Endpoint, Lookalike, Options, Phone, Policy, User};
use crate::support::{DuoSite, eventually};
use std::time::Duration;

const AT_ONCE: Duration = Duration::ZERO;

const PHONE: &str = "DPFZRS9FB0D46QFTM891";
const SECOND_PHONE: &str = "DPSECONDPHONE0000001";

/// How OpenVPN learns of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By the exit status.
    InTime,
    /// By the control file, after the hook has gone.
    Deferred,
    /// By the exit status, because it takes no other.
    WithoutControlFiles,
}

/// Whether the client is let in.
fn verdict(site: &DuoSite, way: Way, user: &str, typed: &str) -> bool {
    let session = site.session();
    let call = site.login(&session, user, typed);
    let call = match way {
        Way::InTime => call,
        Way::Deferred => call.set("authStallBudgetMs", "0"),
        Way::WithoutControlFiles => call.without_control_files(),
    };
    let status = call.status();
    if way == Way::Deferred {
        assert_eq!(status, 2, "{typed:?}");
        return session.decided() == "1";
    }
    let allowed = status == 0;
    let (expected, written) = if allowed { (0, "1") } else { (1, "0") };
    assert_eq!(status, expected, "{typed:?}");
    assert_eq!(session.verdict(), if way == Way::InTime { written } else { "" }, "{typed:?}");
    allowed
}

#[test]
fn what_is_typed_is_the_factor_that_duo_is_asked_for() {
    let site = DuoSite::new();
    let push = Some((Channel::Push, PHONE));
    let call = Some((Channel::Phone, PHONE));
    let table = [
        ("push", "push", "auto", push),
        ("PUSH", "push", "auto", push),
        ("push1", "push", PHONE, push),
        ("push2", "push", SECOND_PHONE, Some((Channel::Push, SECOND_PHONE))),
        ("1", "push", PHONE, push),
        ("2", "phone", PHONE, call),
        ("phone", "phone", "auto", call),
        ("phone1", "phone", PHONE, call),
        ("call", "phone", "auto", call),
        ("", "auto", "auto", push),
        ("auto", "auto", "auto", push),
        (" Push ", "push", "auto", push),
        ("123456", "passcode", "", None),
        ("123 456", "passcode", "", None),
    ];
    std::thread::scope(|scope| {
        for (number, row) in table.iter().enumerate() {
            let site = &site;
            scope.spawn(move || {
                let (typed, factor, device, reached) = *row;
                let name = format!("user{number}");
                let user = User::with_phone(&name).device(Device::phone(SECOND_PHONE, "XXX-XXX-0200"));
                site.duo.add(user.phone(Phone::ApprovesAfter(AT_ONCE)).passcode("123456"));
                site.enter(&name, typed).is_in();
                let mut asked = site.duo.requests_to(Endpoint::Auth);
                asked.retain(|request| request.parameter("username") == Some(&name));
                assert_eq!(asked.len(), 1);
                let parameter = |name| asked[0].parameter(name).unwrap_or_default();
                assert_eq!((parameter("factor"), parameter("device")), (factor, device), "{typed:?}");
                let mut sent = site.duo.sent();
                sent.retain(|sent| sent.user == name);
                let sent: Vec<_> = sent.iter().map(|sent| (sent.channel, &*sent.device)).collect();
                assert_eq!(sent, reached.into_iter().collect::<Vec<_>>(), "{typed:?}");
                assert_eq!(site.failed(&name), 0);
            });
        }
    });
    assert!(site.logged(&["user=user0 ", "factor=duo outcome=accept reason=both-factors"]));
}

#[test]
fn the_phone_decides_however_openvpn_learns_of_it() {
    let site = DuoSite::new();
    let reactions = [
        ("approves", Phone::ApprovesAfter(AT_ONCE), true),
        ("denies", Phone::DeniesAfter(AT_ONCE), false),
        ("is-out-of-reach", Phone::Unreachable, false),
        ("times-out", Phone::TimesOutAfter(AT_ONCE), false),
    ];
    std::thread::scope(|scope| {
        for way in [Way::InTime, Way::Deferred, Way::WithoutControlFiles] {
            for (word, phone, allowed) in reactions {
                for typed in ["push", "phone", ""] {
                    let name = format!("{word}-{way:?}-{typed}");
                    site.duo.add(User::with_phone(&name).phone(phone));
                    let site = &site;
                    // A call that nobody can take is answered all the same.
                    let allowed = allowed && !(typed == "phone" && word == "is-out-of-reach");
                    scope.spawn(move || assert_eq!(verdict(site, way, &name, typed), allowed, "{name}"));
                }
            }
        }
    });
}

#[test]
fn whoever_is_denied_is_told_in_duos_words_and_it_counts() {
    let site = DuoSite::new();
    site.duo.add(User::with_phone("alice").phone(Phone::DeniesAfter(AT_ONCE)));
    site.enter("alice", "push").is_out("Login request denied.");
    assert_eq!(site.failed("alice"), 1);
    assert!(site.logged(&["factor=duo outcome=reject reason=duo-denied detail=\"Login request denied.\""]));
    site.duo.add(User::with_phone("alice").phone(Phone::TimesOutAfter(AT_ONCE)));
    site.enter("alice", "push").is_out("No answer to the login request, try again");
    assert!(site.logged(&["outcome=reject reason=duo-no-answer"]));
    assert_eq!(site.failed("alice"), 2);
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(AT_ONCE)));
    site.enter("alice", "push").is_in();
    assert_eq!(site.failed("alice"), 0);
}

#[test]
fn a_login_that_nobody_answers_ends_with_the_time_of_the_settings() {
    let site = DuoSite::with(&[("duoTimeout", "3")]);
    site.duo.add(User::with_phone("alice"));
    let login = site.enter("alice", "push");
    login.is_out("No answer to the login request, try again");
    assert!(login.took >= Duration::from_secs(3) && login.took < Duration::from_secs(12), "{:?}", login.took);
    // Whoever says yes now says it to nobody.
    site.duo.approve("alice");
    assert_eq!(login.session.verdict(), "0");
}

#[test]
fn a_passcode_is_good_once_and_a_wrong_one_counts() {
    let site = DuoSite::new();
    site.duo.add(User::with_phone("alice").passcode("123456"));
    site.enter("alice", "654321").is_out("Incorrect passcode. Please try again.");
    assert_eq!(site.failed("alice"), 1);
    site.enter("alice", "123456").is_in();
    assert_eq!(site.failed("alice"), 0);
    site.enter("alice", "123456").is_out("Incorrect passcode. Please try again.");
    assert_eq!(site.duo.sent(), []);
}

#[test]
fn what_is_no_factor_counts_and_is_not_shown_to_duo() {
    let site = DuoSite::with(&[("lockoutMaxFailures", "100")]);
    site.duo.add(User::with_phone("alice"));
    let typed =
        ["secret-Password1", "push9", "7", "12345", "pushy", "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}"];
    for (typed, count) in typed.into_iter().zip(1..) {
        site.enter("alice", typed).is_out("Incorrect code");
        assert_eq!(site.failed("alice"), count, "{typed:?}");
    }
    assert!(site.duo.requests_to(Endpoint::Auth).is_empty());
    assert!(site.logged(&["outcome=reject reason=malformed-code"]));
}

#[test]
fn text_messages_are_followed_by_a_question_for_the_passcode() {
    for (budget, status) in [("50000", 1), ("0", 2)] {
        let site = DuoSite::with(&[("authStallBudgetMs", budget)]);
        site.duo.add(User::with_phone("alice").sms_passcode("777777"));
        let asked = site.enter("alice", "sms");
        assert_eq!((asked.status, &*asked.session.decided()), (status, "0"));
        let question = asked.session.question();
        assert_eq!(question.text, "Passcodes were sent, enter one of them");
        assert_eq!(site.failed("alice"), 0, "it was no failure");
        assert!(site.logged(&["outcome=challenge reason=duo-passcodes-sent", "method=crv1"]));
        // A wrong one is asked for again, in Duo's words, and counts.
        let wrong = site.enter("alice", &question.answer("111111"));
        assert_eq!(wrong.session.decided(), "0");
        let again = wrong.session.question();
        assert_eq!((&*again.text, site.failed("alice")), ("Incorrect passcode. Please try again.", 1));
        let used = site.enter("alice", &question.answer("777777"));
        assert_eq!(
            (used.session.decided(), used.session.told()),
            ("0".into(), "Authentication failed".into())
        );
        assert_eq!(site.enter("alice", &again.answer("777777")).session.decided(), "1");
        assert_eq!(site.failed("alice"), 0);
        assert_eq!(site.duo.sent().len(), 1);
        assert_eq!(site.duo.requests_to(Endpoint::Preauth).len(), 1, "what there is to choose from was kept");
    }
}

#[test]
fn whoever_cannot_be_asked_again_is_told_that_passcodes_were_sent() {
    let site = DuoSite::new();
    site.duo.add(User::with_phone("alice").sms_passcode("777777"));
    let session = site.session();
    let call = site.login(&session, "alice", "sms").set("IV_GUI_VER", "de.blinkt.openvpn_0.7.51");
    assert_eq!(call.status(), 1);
    assert_eq!((session.verdict(), session.told()), ("0".into(), "New SMS passcodes sent".into()));
    assert_eq!(site.failed("alice"), 0);
    site.enter("alice", "777777").is_in();
}

#[test]
fn users_whom_duo_lets_pass_are_in_without_a_factor_and_the_log_says_so() {
    let site = DuoSite::new();
    site.duo.add(User::new("alice").policy(Policy::Allow));
    for typed in ["", "push", "123456", "nonsense"] {
        site.enter("alice", typed).is_in();
    }
    assert!(site.logged(&["outcome=accept reason=duo-bypass detail=\"No second factor is needed.\""]));
    assert!(site.duo.requests_to(Endpoint::Auth).is_empty());
}

#[test]
fn users_whom_duo_refuses_are_out_whatever_they_type() {
    let site = DuoSite::new();
    site.duo.add(
        User::with_phone("alice").policy(Policy::Deny("Your account is disabled".into())).passcode("123456"),
    );
    for typed in ["", "push", "123456", "nonsense"] {
        site.enter("alice", typed).is_out("Your account is disabled");
    }
    assert!(site.logged(&["outcome=reject reason=duo-denied detail=\"Your account is disabled\""]));
    site.duo.add(User::with_phone("alice").policy(Policy::LockedOut));
    site.enter("alice", "push").is_out("The account is locked out.");
    assert!(site.duo.requests_to(Endpoint::Auth).is_empty());
    assert_eq!(site.failed("alice"), 0);
}

#[test]
fn whoever_is_not_enrolled_is_told_where_to() {
    let site = DuoSite::new();
    for typed in ["", "push", "123456"] {
        let login = site.enter("stranger", typed);
        login.is_out("Enrol to go on. - enrol at https://enrol.invalid/portal");
        assert_eq!(login.session.pending(), "");
    }
    assert!(site.logged(&["outcome=reject reason=duo-unknown-user detail=\"Enrol to go on.\""]));
    assert!(site.duo.requests_to(Endpoint::Auth).is_empty());
}

#[test]
fn the_page_to_enrol_at_is_opened_where_the_client_can_and_the_rejection_follows() {
    let site = DuoSite::new();
    for (sso, pending) in [
        ("openurl,crtext", "60\nopenurl\nOPEN_URL:https://enrol.invalid/portal\n"),
        ("webauth", "60\nwebauth\nWEB_AUTH::https://enrol.invalid/portal\n"),
        ("crtext,webauth,openurl", "60\nwebauth\nWEB_AUTH::https://enrol.invalid/portal\n"),
    ] {
        let session = site.session();
        assert_eq!(site.login(&session, "stranger", "push").set("IV_SSO", sso).status(), 2, "{sso}");
        assert_eq!(session.pending(), pending);
        assert_eq!(session.decided(), "0");
        assert_eq!(session.told(), "Enrol to go on. - enrol at https://enrol.invalid/portal");
    }
    // Too late to open anything: OpenVPN has looked at the file.
    let session = site.session();
    let call =
        site.login(&session, "stranger", "push").set("IV_SSO", "webauth").set("authStallBudgetMs", "0");
    assert_eq!(call.status(), 2);
    assert_eq!((&*session.decided(), &*session.pending()), ("0", ""));
}

#[test]
fn no_address_but_that_of_a_web_page_is_opened_or_shown() {
    let long = format!("https://enrol.invalid/{}", "x".repeat(400));
    for portal in [
        "http://enrol.invalid/",
        "javascript:alert(1)",
        "https://a.invalid/\n0\ncrtext",
        "file:///etc/passwd",
        &long,
        "",
    ] {
        let options = Options { unknown_users: Policy::Enroll(portal.to_owned()), ..Options::default() };
        let site = DuoSite::at(Lookalike::start(options), "localhost", &[]);
        let session = site.session();
        assert_eq!(site.login(&session, "stranger", "").set("IV_SSO", "webauth").status(), 1, "{portal:?}");
        assert_eq!((&*session.pending(), &*session.told()), ("", "Enrol to go on."), "{portal:?}");
    }
}

#[test]
fn without_devices_nothing_is_sent_and_passcodes_work() {
    let site = DuoSite::new();
    site.duo.add(User::new("alice").device(Device::token("DTOKEN00000000000001", "0")).passcode("123456"));
    site.enter("alice", "push1").is_out("Incorrect code");
    site.enter("alice", "1").is_out("Incorrect code");
    site.enter("alice", "123456").is_in();
    // Duo is left to choose, and says that there is nothing to choose from.
    site.enter("alice", "push").is_out(super::UNAVAILABLE);
    assert!(site.logged(&["reason=duo-unavailable", "HTTP 400, code 40002"]));
    assert_eq!(site.duo.take_faults().len(), 1);
}

#[test]
fn a_client_that_has_gone_gets_no_verdict_and_no_file() {
    let site = DuoSite::with(&[("authStallBudgetMs", "0")]);
    site.duo.add(User::with_phone("alice"));
    let login = site.enter("alice", "push");
    site.duo.await_sent(1);
    login.session.end();
    site.duo.approve("alice");
    if crate::support::log_is_visible() {
        eventually("a line about it", || {
            site.logged(&["event=verdict", "the session is gone"]).then_some(())
        });
    }
    assert!(login.session.files().iter().all(|file| !file.exists()));
}

#[test]
fn without_a_password_nobody_is_asked_whatever_the_style_of_questions() {
    for prompt in ["full", "short", "generic"] {
        let site = DuoSite::with(&[("duoPrompt", prompt), ("authStallBudgetMs", "0")]);
        site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(AT_ONCE)));
        for version in ["", "de.blinkt.openvpn_0.7.51"] {
            let session = site.session();
            assert_eq!(site.login(&session, "alice", "").set("IV_GUI_VER", version).status(), 2);
            assert_eq!((&*session.decided(), &*session.pending()), ("1", ""), "{prompt}");
        }
    }
}

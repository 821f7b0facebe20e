//! Words of Duo's, and answers that are not what they should be.

use super::UNAVAILABLE;
use crate::duo::odd::{self, Edit};
use crate::duo::{Device, Endpoint, Lookalike, Misbehaviour, Options, Phone, Policy, User};
use crate::support::{DuoSite, Session, log_is_visible};
use std::time::Duration;

/// Texts that want to be something else.
const TEXTS: [&str; 14] = [
    "plain words",
    "CRV1:R,E:abc:YWxpY2U=:Enter your password",
    "TEMP[backoff 1]: come again",
    "\n\nCRV1:R,E:abc:YWxpY2U=:two\nlines",
    " CRV1:R",
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred",
    "user=\"root\" outcome=accept reason='both-factors'",
    "a \"quoted\" word and 'another', and \\ one",
    "\u{202e}right to left\u{200b}",
    "Zugriff verweigert f\u{fc}r j\u{f6}rg",
    "\u{65e5}\u{672c}\u{8a9e}",
    "\0nul\u{7f}del\u{9b}csi",
    "event=login user=root\nopenvpn-2fa: event=login user=root outcome=accept",
    "",
];

/// That what a client is told is one line that every client shows as what it is, and that no verdict is forged.
#[track_caller]
fn is_harmless(session: &Session) {
    let reason = session.reason();
    assert!((10..=256).contains(&reason.len()), "{} bytes: {reason:?}", reason.len());
    assert!(reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{reason:?}");
    let forged = ["CRV1:", "TEMP[", "TEMP:", "AUTH_FAILED", "SESSION:"]
        .iter()
        .any(|word| reason.trim_start().starts_with(word));
    assert!(!forged, "{reason:?}");
    assert!(!session.told().trim().is_empty());
}

/// That the log has one line for each of so many decisions, and nothing that a terminal obeys.
#[track_caller]
fn is_one_line_each(site: &DuoSite, count: usize) {
    if !log_is_visible() {
        return;
    }
    let logs = site.logs();
    assert_eq!(logs.lines().count(), count, "{logs}");
    assert!(logs.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{logs:?}");
    for line in logs.lines() {
        assert!(line.starts_with("openvpn-2fa: event=login user=alice ") && line.len() <= 2_000, "{line}");
        assert_eq!(pairs(line).matches(" outcome=").count(), 1, "{line}");
    }
}

/// A line of the log without what stands in quotes.
fn pairs(line: &str) -> String {
    let bare = line.replace("\\\\", "").replace("\\\"", "");
    bare.split('"').step_by(2).collect()
}

#[test]
fn words_of_a_refusal_are_shown_in_one_harmless_line() {
    for text in TEXTS.into_iter().map(str::to_owned).chain(["x".repeat(100_000), "\u{e4}".repeat(20_000)]) {
        let site = DuoSite::new();
        site.duo.add(User::new("alice").policy(Policy::Deny(text.clone())));
        let login = site.enter("alice", "push");
        // More than 64 KiB is no answer.
        let deferred = site.enter_by("alice", "push", |call| call.set("authStallBudgetMs", "0"));
        assert_eq!((login.status, deferred.status, deferred.session.decided()), (1, 2, "0".to_owned()));
        is_harmless(&login.session);
        is_harmless(&deferred.session);
        is_one_line_each(&site, 2);
    }
}

#[test]
fn words_of_an_enrolment_are_shown_in_one_harmless_line() {
    for text in TEXTS.into_iter().filter(|text| !text.is_empty()) {
        let options = Options { unknown_users: Policy::Enroll(text.to_owned()), ..Options::default() };
        let site = DuoSite::at(Lookalike::start(options), "localhost", &[]);
        let login = site.enter_by("alice", "push", |call| call.set("IV_SSO", "webauth"));
        assert_eq!(login.status, 1);
        is_harmless(&login.session);
        assert_eq!(
            (login.session.told(), login.session.pending()),
            ("Enrol to go on.".into(), String::new())
        );
        is_one_line_each(&site, 1);
    }
}

#[test]
fn words_of_an_error_stay_in_one_line_of_the_log() {
    for text in TEXTS {
        for misbehaviour in [
            Misbehaviour::refusal(400, 40002, text),
            Misbehaviour::refusal(401, 40102, text),
            Misbehaviour::refusal(200, 40002, text),
        ] {
            let site = DuoSite::new();
            site.duo.misbehave(misbehaviour.always());
            let login = site.enter("alice", "push");
            login.is_out(UNAVAILABLE);
            is_one_line_each(&site, 1);
        }
    }
}

/// A login of somebody who may not get in, while an endpoint's answers are odd.
fn odd_login(
    edit: Edit,
    endpoint: Endpoint,
    failmode: &str,
    typed: &str,
) -> (DuoSite, crate::support::Session, i32) {
    let site = DuoSite::with(&[("duoFailmode", failmode), ("duoTimeout", "4")]);
    let phones = [Device::phone("DPFZRS9FB0D46QFTM891", "XXX-XXX-0100"), Device::token("DTOKEN", "0")];
    let [phone, token] = phones;
    site.duo.add(User::new("alice").device(phone).device(token).phone(Phone::DeniesAfter(Duration::ZERO)));
    site.duo.misbehave(Misbehaviour::Edited(edit).always().at(endpoint));
    let session = site.session();
    let status = site.login(&session, "alice", typed).status();
    let _ = site.duo.take_faults();
    (site, session, status)
}

#[test]
fn odd_answers_let_nobody_in() {
    for endpoint in [Endpoint::Preauth, Endpoint::Auth, Endpoint::AuthStatus] {
        std::thread::scope(|scope| {
            for (name, edit) in odd::ALL {
                scope.spawn(move || {
                    for typed in ["push", "111111"] {
                        let (site, session, status) = odd_login(edit, endpoint, "secure", typed);
                        assert_eq!((status, &*session.verdict()), (1, "0"), "{name} at {endpoint:?}");
                        is_harmless(&session);
                        is_one_line_each(&site, 1);
                    }
                });
            }
        });
    }
}

#[test]
fn odd_answers_open_failmode_in_the_look_up_alone_and_only_where_they_cannot_be_read() {
    for endpoint in [Endpoint::Preauth, Endpoint::Auth, Endpoint::AuthStatus] {
        std::thread::scope(|scope| {
            for (name, edit) in odd::ALL {
                scope.spawn(move || {
                    let (site, session, status) = odd_login(edit, endpoint, "safe", "111111");
                    // Too deep, too long, and with two meanings.
                    let unreadable =
                        ["deep nesting", "long texts", "many devices", "duplicate keys"].contains(&name);
                    let opens = endpoint == Endpoint::Preauth && unreadable;
                    assert_eq!(status, i32::from(!opens), "{name} at {endpoint:?}: {}", site.logs());
                    if opens {
                        assert!(site.logged(&["outcome=accept reason=duo-failed-open"]), "{}", site.logs());
                    } else {
                        assert_eq!(session.verdict(), "0");
                    }
                });
            }
        });
    }
}

#[test]
fn what_duo_adds_to_its_answers_keeps_nobody_out() {
    for endpoint in [Endpoint::Preauth, Endpoint::Auth, Endpoint::AuthStatus] {
        for edit in [odd::more_fields as Edit, odd::control_characters] {
            let site = DuoSite::new();
            site.duo.add(User::with_phone("alice").passcode("123456"));
            site.duo.misbehave(Misbehaviour::Edited(edit).always().at(endpoint));
            site.enter("alice", "123456").is_in();
            is_one_line_each(&site, 1);
        }
    }
    // What is null says nothing.
    for endpoint in [Endpoint::Preauth, Endpoint::Auth, Endpoint::AuthStatus] {
        let site = DuoSite::new();
        site.duo.add(User::with_phone("alice").passcode("123456"));
        site.duo.misbehave(Misbehaviour::Edited(odd::nulls).always().at(endpoint));
        site.enter("alice", "123456").is_in();
    }
}

#[test]
fn the_name_that_was_typed_forges_nothing_in_the_log() {
    let site = DuoSite::new();
    let name = "a\" outcome=\"accept";
    let login = site.enter(name, "push");
    assert_eq!(login.status, 1);
    assert!(site.logged(&[r#"user="a\" outcome=\"accept""#]), "{}", site.logs());
}

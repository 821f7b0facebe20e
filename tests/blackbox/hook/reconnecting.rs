//! Questions that are answered by reconnecting (CRV1).

use crate::support::{Question, Session, Site, Token, eventually, now};

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

/// Alice comes back with an answer; her client lists no `crtext`.
fn come_back(site: &Site, question: &Question, response: &str) -> (i32, Session) {
    let session = site.session();
    let status = site.login(&session, "alice", &question.answer(response)).set("IV_SSO", "").status();
    (status, session)
}

#[test]
fn a_client_without_crtext_is_asked_by_a_rejection() {
    let (site, token) = alice();
    for sso in [None, Some(""), Some("webauth"), Some("crtextual")] {
        let session = site.session();
        let call = site.login(&session, "alice", "");
        let call = sso.map_or_else(
            || site.login(&session, "alice", "").without("IV_SSO"),
            |sso| call.set("IV_SSO", sso),
        );
        assert_eq!(call.status(), 1);
        assert_eq!((session.verdict(), session.pending()), ("0".to_owned(), String::new()));
        let question = session.question();
        assert_eq!(
            (question.user.as_str(), question.text.as_str()),
            ("alice", "Please enter your TOTP code")
        );
    }
    let question = site.asked_to_reconnect("alice");
    let (status, session) = come_back(&site, &question, &token.code());
    assert_eq!((status, session.verdict(), session.reason()), (0, "1".to_owned(), String::new()));
    assert!(site.logged(&["event=login", "outcome=challenge reason=factor-needed", "method=crv1"]));
}

#[test]
fn a_tunnelblick_that_would_hang_is_asked_by_a_rejection_too() {
    let (site, _) = alice();
    let session = site.session();
    let tunnelblick = "\"net.tunnelblick.tunnelblick 6300 8.0 (build 6300)\"";
    assert_eq!(site.login(&session, "alice", "").set("IV_GUI_VER", tunnelblick).status(), 1);
    assert_eq!(session.question().user, "alice");
}

#[test]
fn the_settings_say_how_a_client_is_asked() {
    let (site, _) = alice();
    let android = "de.blinkt.openvpn 0.7.51";
    for (challenge, sso, gui, status) in [
        ("auto", "crtext", "", 2),
        ("auto", "", "", 1),
        ("crtext", "crtext", "", 2),
        ("crv1", "crtext", "", 1),
    ] {
        let session = site.session();
        let call = site.login(&session, "alice", "").set("authChallenge", challenge);
        assert_eq!(call.set("IV_SSO", sso).set("IV_GUI_VER", gui).status(), status, "{challenge} {sso}");
        assert_eq!(session.reason().starts_with("CRV1:"), status == 1, "{challenge} {sso}");
    }
    for (challenge, sso, gui) in
        [("off", "crtext", ""), ("crtext", "", ""), ("crv1", "crtext", android), ("auto", "", android)]
    {
        let session = site.session();
        let call = site.login(&session, "alice", "").set("authChallenge", challenge);
        assert_eq!(call.set("IV_SSO", sso).set("IV_GUI_VER", gui).status(), 1, "{challenge} {sso} {gui}");
        assert_eq!(session.told(), "This VPN client cannot ask for a code, use one that can");
        assert_eq!((session.verdict(), session.pending()), ("0".to_owned(), String::new()));
    }
}

#[test]
fn with_no_budget_the_question_comes_through_the_file() {
    let (site, token) = alice();
    let session = site.session();
    let call = site.login(&session, "alice", "").set("IV_SSO", "").set("authStallBudgetMs", "0");
    assert_eq!(call.status(), 2);
    assert_eq!((session.decided(), session.pending()), ("0".to_owned(), String::new()));
    let (status, _) = come_back(&site, &session.question(), &token.code());
    assert_eq!(status, 0);
}

#[test]
fn a_question_is_answered_once() {
    let (site, token) = alice();
    let [first, second] = token.codes();
    let question = site.asked_to_reconnect("alice");
    assert_eq!(come_back(&site, &question, &first).0, 0);
    // As clients do that keep what was typed: at the next renegotiation, and again.
    for response in [&first, &second, &token.wrong_code()] {
        let (status, session) = come_back(&site, &question, response);
        assert_eq!(
            (status, session.verdict(), session.told()),
            (1, "0".to_owned(), "Authentication failed".to_owned())
        );
    }
    assert_eq!(site.failures("alice"), 0, "which is no guess");
    assert!(site.logged(&["outcome=reject reason=unknown-challenge"]));
    assert_eq!(site.login(&site.session(), "alice", &second).status(), 0, "the code was not used up");
}

#[test]
fn a_wrong_answer_uses_up_its_question_and_brings_another() {
    let (site, token) = alice();
    let first = site.asked_to_reconnect("alice");
    let (status, session) = come_back(&site, &first, &token.wrong_code());
    assert_eq!((status, session.verdict()), (1, "0".to_owned()));
    let second = session.question();
    assert_eq!(second.text, "Incorrect code, try again");
    assert_ne!(second.state, first.state);
    let (status, session) = come_back(&site, &first, &token.code());
    assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
    assert_eq!(come_back(&site, &second, &token.code()).0, 0);
}

#[test]
fn a_code_that_was_used_is_no_answer_to_another_question() {
    let (site, token) = alice();
    let code = token.code();
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0);
    let question = site.asked_to_reconnect("alice");
    let (status, session) = come_back(&site, &question, &code);
    assert_eq!((status, session.question().text.as_str()), (1, "Incorrect code, try again"));
    assert_eq!(site.failures("alice"), 0);
}

#[test]
fn a_question_that_nobody_asked_has_no_answer() {
    let (site, token) = alice();
    let code = token.code();
    for state in ["A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5", "x", &"A".repeat(64)] {
        let session = site.session();
        let status = site.login(&session, "alice", &format!("CRV1::{state}::{code}")).status();
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()), "{state}");
    }
    for malformed in
        ["CRV1::", "CRV1::::", "CRV1::A", "CRV1::A:", "CRV1::A/B::", "CRV1::../x::", "SCRV1:x", "SCRV1:*:*"]
    {
        let session = site.session();
        let status = site.login(&session, "alice", &format!("{malformed}{code}")).status();
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()), "{malformed}");
    }
    assert_eq!(site.failures("alice"), 0);
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn a_question_is_for_one_user_and_one_certificate() {
    let (site, token) = alice();
    let bob = site.enroll("bob");
    let question = site.asked_to_reconnect("alice");
    for (user, code, name, value) in [
        ("bob", bob.code(), "IV_SSO", ""),
        ("bob", token.code(), "IV_SSO", ""),
        ("alice", token.code(), "common_name", "Other-Client"),
        ("alice", token.code(), "tls_digest_sha256_0", "45:08:3d"),
        ("alice", token.code(), "tls_digest_sha256_0", ""),
        ("ALICE", token.code(), "IV_SSO", ""),
    ] {
        let session = site.session();
        let status = site.login(&session, user, &question.answer(&code)).set(name, value).status();
        assert_eq!((status, session.verdict()), (1, "0".to_owned()), "{user} {name}={value}");
        assert_eq!(session.told(), "Authentication failed", "{user} {name}={value}");
    }
    assert!(site.logged(&["outcome=reject reason=foreign-challenge"]));
    assert_eq!((site.failures("alice"), site.failures("bob")), (0, 0));
    assert_eq!(come_back(&site, &question, &token.code()).0, 0, "it waits for the one it was put to");
}

#[test]
fn a_question_is_for_the_name_that_was_typed_also_where_the_certificate_is_whose_factor_it_is() {
    let site = Site::with(&[("authIdentity", "common-name")]);
    let token = site.enroll("Test-Client");
    let question = site.asked_to_reconnect("alice");
    for user in ["bob", "", "Test-Client"] {
        let session = site.session();
        assert_eq!(site.login(&session, user, &question.answer(&token.code())).status(), 1, "{user:?}");
        assert_eq!(session.told(), "Authentication failed", "{user:?}");
    }
    assert_eq!(come_back(&site, &question, &token.code()).0, 0);
}

#[test]
fn an_answer_that_comes_too_late_is_told_so() {
    let site = Site::with(&[("totpChallengeTimeout", "1")]);
    let token = site.enroll("alice");
    let question = site.asked_to_reconnect("alice");
    let asked = now();
    eventually("the end of the question's time", || (now() > asked + 1).then_some(()));
    let code = token.code();
    let (status, session) = come_back(&site, &question, &code);
    assert_eq!((status, session.told()), (1, "Code expired, try again".to_owned()));
    // Told once; then it is gone.
    let (status, session) = come_back(&site, &question, &code);
    assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
    assert_eq!(site.failures("alice"), 0);
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn the_question_of_a_deleted_or_replaced_user_is_dead() {
    for arguments in [&["delete", "alice"][..], &["enroll", "--force", "alice"]] {
        let (site, old) = alice();
        let question = site.asked_to_reconnect("alice");
        assert_eq!(site.admin(arguments).status, 0);
        let new = site.enroll("alice");
        for token in [&old, &new] {
            let (status, session) = come_back(&site, &question, &token.code());
            assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
        }
        assert_eq!(site.login(&site.session(), "alice", &new.code()).status(), 0);
    }
}

#[test]
fn the_database_tells_nobody_how_to_answer_a_question() {
    let (site, _) = alice();
    let question = site.asked_to_reconnect("alice");
    for (file, content) in crate::support::files_below(&site.path("state")) {
        let found = content.windows(question.state.len()).any(|part| part == question.state.as_bytes());
        assert!(!found, "{} holds the name of a question", file.display());
    }
}

#[test]
fn a_name_that_needs_care_comes_back_as_it_was_sent() {
    for user in ["a b", "corp:alice", "o'neill \"x\"", "j\u{f6}rg", "%s\\"] {
        let site = Site::new();
        let token = site.enroll(user);
        let question = site.asked_to_reconnect(user);
        assert_eq!(question.user, user);
        let session = site.session();
        assert_eq!(site.login(&session, user, &question.answer(&token.code())).status(), 0, "{user}");
    }
}

//! An administrator unlocks, disables, enables and renames users.

use crate::support::{Printed, Session, Site, Token, eventually, log_is_visible};

/// As OpenVPN makes them.
const SESSION_TOKEN: &str =
    "SESS_ID_AT_Dd//h2tKvCeLahPEAAAAAGsCCCQAAAAAawIIJD2iT9qiMaomXHvzuCECs8mljhnIiXf44sjMHUcKk0lX";

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

/// What a command that succeeds says to a person.
fn said(site: &Site, arguments: &[&str]) -> String {
    let printed = site.admin(arguments);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""), "{}", printed.stderr);
    printed.stderr
}

fn json(site: &Site, arguments: &[&str]) -> serde_json::Value {
    let printed = site.admin(&[&["--json"], arguments].concat());
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""), "{}", printed.stdout);
    serde_json::from_str(&printed.stdout).unwrap()
}

fn complaint(printed: &Printed) -> &str {
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{}", printed.stderr);
    assert_eq!(printed.stderr.lines().count(), 1, "{}", printed.stderr);
    &printed.stderr
}

fn login(site: &Site, user: &str, code: &str) -> (i32, Session) {
    let session = site.session();
    let status = site.login(&session, user, code).status();
    (status, session)
}

#[test]
fn a_locked_user_is_unlocked_and_the_code_still_works() {
    let (site, token) = alice();
    let code = token.code();
    for _ in 0..5 {
        login(&site, "alice", &token.wrong_code());
    }
    let (status, session) = login(&site, "alice", &code);
    assert_eq!((status, session.told()), (1, "Too many failed attempts, try again later".to_owned()));
    assert_eq!(said(&site, &["unlock", "alice"]), "alice is unlocked\n");
    assert_eq!(login(&site, "alice", &code).0, 0);
    assert_eq!(said(&site, &["unlock", "alice"]), "alice was not locked\n");
    login(&site, "alice", &token.wrong_code());
    assert_eq!(said(&site, &["unlock", "alice"]), "alice was not locked; one failure is forgotten\n");
    assert_eq!(site.failures("alice"), 0);
}

#[test]
fn a_name_without_a_record_is_unlocked_too() {
    let (site, _) = alice();
    site.sql(
        "INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'duo-user', 5, 4000000000)",
    );
    assert_eq!(said(&site, &["unlock", "duo-user"]), "duo-user is unlocked\n");
    let printed = site.admin(&["unlock", "duo-user"]);
    assert!(complaint(&printed).contains("duo-user is neither locked nor enrolled"), "{}", printed.stderr);
}

#[test]
fn a_disabled_user_stays_out_until_enabled() {
    let (site, token) = alice();
    let [first, second] = token.codes();
    assert_eq!(said(&site, &["disable", "alice"]), "alice is disabled\n");
    assert_eq!(said(&site, &["disable", "alice"]), "alice was disabled already\n");
    assert!(site.admin(&["list"]).stdout.starts_with("alice\tdisabled\t"));
    for password in [&*first, ""] {
        let (status, session) = login(&site, "alice", password);
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
        assert_eq!(session.verdict(), "0");
    }
    assert!(site.logged(&["user=alice", "outcome=reject reason=disabled"]));
    assert_eq!(site.failures("alice"), 0);
    assert_eq!(said(&site, &["enable", "alice"]), "alice is enabled\n");
    assert_eq!(said(&site, &["enable", "alice"]), "alice was not disabled\n");
    assert_eq!(login(&site, "alice", &first).0, 0, "the code was not used up");
    assert_eq!(login(&site, "alice", &second).0, 0);
}

#[test]
fn a_question_that_was_open_lets_nobody_in_after_disable_nor_after_enable() {
    let (site, token) = alice();
    let question = site.asked_to_reconnect("alice");
    said(&site, &["disable", "alice"]);
    let answer = question.answer(&token.code());
    for _ in 0..2 {
        let (status, session) = login(&site, "alice", &answer);
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
        said(&site, &["enable", "alice"]);
    }
    assert_eq!(login(&site, "alice", &token.code()).0, 0);
}

#[test]
fn a_session_that_waits_for_an_answer_gets_none_after_disable() {
    let site = Site::with(&[("totpChallengeTimeout", "3")]);
    let token = site.enroll("alice");
    let session = site.asked_in_session("alice");
    said(&site, &["disable", "alice"]);
    let sent = data_encoding::BASE64.encode(token.code().as_bytes());
    site.answer(&session, "alice", sent.as_bytes()).status();
    if log_is_visible() {
        eventually("the end of the worker", || site.logged(&["nothing-to-answer"]).then_some(()));
    }
    assert_ne!(session.verdict(), "1");
}

#[test]
fn a_session_token_ends_with_the_next_renegotiation_of_a_disabled_user() {
    let (site, _) = alice();
    let renegotiate = || {
        let session = site.session();
        let call = site.login(&session, "alice", SESSION_TOKEN).set("session_state", "Authenticated");
        call.status()
    };
    assert_eq!(renegotiate(), 0);
    said(&site, &["disable", "alice"]);
    assert_eq!(renegotiate(), 1);
    said(&site, &["enable", "alice"]);
    assert_eq!(renegotiate(), 0);
}

#[test]
fn what_else_keeps_a_user_out_is_said() {
    let (site, _) = alice();
    site.sql(
        "INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'alice', 5, 4000000000)",
    );
    said(&site, &["disable", "alice"]);
    assert_eq!(
        said(&site, &["enable", "alice"]),
        "alice is enabled\nbut is locked: openvpn-2fa unlock alice\n"
    );
    said(&site, &["disable", "alice"]);
    assert_eq!(
        said(&site, &["unlock", "alice"]),
        "alice is unlocked\nbut is disabled: openvpn-2fa enable alice\n"
    );
}

#[test]
fn a_renamed_user_logs_in_with_the_same_codes_under_the_new_name() {
    for sealed in [false, true] {
        let site = Site::new();
        if sealed {
            let key = site.path("store.key");
            assert_eq!(site.admin(&["new-key", key.to_str().unwrap()]).status, 0);
            let settings = std::fs::read_to_string(site.config()).unwrap();
            let settings = format!("{settings}[store]\nkey_file = '{}'\n", key.display());
            std::fs::write(site.config(), settings).unwrap();
        }
        let token = site.enroll("alice");
        let [first, second, third] = token.codes();
        assert_eq!(login(&site, "alice", &first).0, 0);
        let question = site.asked_to_reconnect("alice");
        let text = said(&site, &["rename", "alice", "alina"]);
        assert!(text.starts_with("alice is alina now"), "{text}");
        assert_eq!(login(&site, "alice", &second).0, 1);
        assert_eq!(login(&site, "alice", &question.answer(&second)).0, 1);
        assert_eq!(login(&site, "alina", &question.answer(&second)).0, 1);
        assert_eq!(login(&site, "alina", &first).0, 1, "used under the old name");
        assert_eq!(login(&site, "alina", &second).0, 0);
        assert_eq!(site.shown("alina")["tokens"][0]["encrypted_with"].is_string(), sealed);
        assert_eq!(site.admin(&["show", "alice"]).status, 1);

        let other = site.enroll("bob");
        let printed = site.admin(&["rename", "alina", "bob"]);
        assert!(complaint(&printed).contains("bob is there already"), "{}", printed.stderr);
        assert_eq!(login(&site, "alina", &third).0, 0);
        assert_eq!(login(&site, "bob", &other.code()).0, 0);
    }
}

#[test]
fn a_user_nobody_knows_is_an_error_with_what_to_do() {
    let (site, _) = alice();
    for arguments in
        [&["disable", "bob"][..], &["enable", "bob"], &["unlock", "bob"], &["rename", "bob", "x"]]
    {
        let printed = site.admin(arguments);
        let text = complaint(&printed);
        assert!(text.contains("bob ") && text.contains("openvpn-2fa list"), "{text}");
    }
    for arguments in
        [&["disable", "a\nb"][..], &["enable", ""], &["unlock", "a\u{1b}b"], &["rename", "alice", "a\tb"]]
    {
        let printed = site.admin(arguments);
        assert!(!complaint(&printed).trim_end().chars().any(char::is_control), "{:?}", printed.stderr);
    }
    for arguments in [&["disable"][..], &["enable"], &["unlock"], &["rename", "alice"], &["unlock", "a", "b"]]
    {
        assert_eq!(site.admin(arguments).status, 2, "{arguments:?}");
    }
    assert!(site.admin(&["list"]).stdout.starts_with("alice\tenabled"));
}

#[test]
fn programs_get_json() {
    let (site, _) = alice();
    site.sql(
        "INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'alice', 5, 4000000000)",
    );
    let unlocked = |was_locked: bool, failures: u64| serde_json::json!({ "user": "alice", "was_locked": was_locked, "failures": failures });
    assert_eq!(json(&site, &["unlock", "alice"]), unlocked(true, 5));
    assert_eq!(json(&site, &["unlock", "alice"]), unlocked(false, 0));
    for (command, state, changed) in [
        ("disable", "disabled", true),
        ("disable", "disabled", false),
        ("enable", "enabled", true),
        ("enable", "enabled", false),
    ] {
        let expected = serde_json::json!({ "user": "alice", "state": state, "changed": changed });
        assert_eq!(json(&site, &[command, "alice"]), expected);
    }
    let expected = serde_json::json!({ "user": "alina", "old_name": "alice" });
    assert_eq!(json(&site, &["rename", "alice", "alina"]), expected);
}

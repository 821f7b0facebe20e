//! Lockout.

use crate::support::{Session, Site, Token, eventually, now, told};
use data_encoding::BASE64;

const LOCKED: &str = "Too many failed attempts, try again later";

fn wrong(site: &Site, token: &Token) -> Session {
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.wrong_code()).status(), 1);
    session
}

/// Alice after her last failure.
fn locked() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    for _ in 0..5 {
        wrong(&site, &token);
    }
    assert_eq!(site.shown("alice")["state"], "locked");
    (site, token)
}

/// Waits for the end of the lock, which is moved near.
fn unlocked_by_time(site: &Site) {
    site.sql("UPDATE failure SET locked_until = unixepoch() + 1 WHERE kind = 'user'");
    eventually("the end of the lock", || (site.shown("alice")["state"] == "enabled").then_some(()));
}

#[test]
fn the_fifth_failure_locks_and_a_right_code_does_not_help() {
    let site = Site::new();
    let token = site.enroll("alice");
    for _ in 0..4 {
        assert_eq!(wrong(&site, &token).told(), "Incorrect code");
    }
    assert_eq!(wrong(&site, &token).told(), LOCKED);
    for typed in [token.code(), token.wrong_code(), "x".to_owned()] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &typed).status(), 1);
        assert_eq!((session.verdict(), session.told()), ("0".to_owned(), LOCKED.to_owned()));
    }
    assert_eq!(site.failures("alice"), 5, "what is not looked at is not counted");
    assert!(site.logged(&["outcome=reject reason=locked"]));
    site.enroll("bob");
    assert_eq!(site.shown("bob")["state"], "enabled", "others are not");
}

#[test]
fn a_user_who_is_locked_is_not_asked() {
    let (site, _) = locked();
    for sso in ["crtext", ""] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", "").set("IV_SSO", sso).status(), 1);
        assert_eq!((session.verdict(), session.told()), ("0".to_owned(), LOCKED.to_owned()));
        assert_eq!(session.pending(), "");
    }
}

#[test]
fn a_lock_passes_and_the_code_that_was_refused_meanwhile_is_good() {
    let (site, token) = locked();
    let code = token.code();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &code).status(), 1);
    assert_eq!(session.told(), LOCKED);
    unlocked_by_time(&site);
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "it was not used up");
    assert_eq!(site.failures("alice"), 0);
}

#[test]
fn counting_starts_again_when_a_lock_has_passed() {
    let (site, token) = locked();
    unlocked_by_time(&site);
    assert_eq!(wrong(&site, &token).told(), "Incorrect code");
    assert_eq!(site.failures("alice"), 1);
}

#[test]
fn a_right_code_ends_the_row_of_failures() {
    let site = Site::new();
    let token = site.enroll("alice");
    let [first, second] = token.codes();
    for code in [first, second] {
        for _ in 0..4 {
            wrong(&site, &token);
        }
        assert_eq!(site.login(&site.session(), "alice", &code).status(), 0);
        assert_eq!(site.failures("alice"), 0);
    }
}

#[test]
fn answers_count_like_codes_however_they_come() {
    let site = Site::new();
    let token = site.enroll("alice");
    let sent = format!("{}\n", BASE64.encode(token.wrong_code().as_bytes()));
    let session = site.asked_in_session("alice");
    assert_eq!(site.answer(&session, "alice", sent.as_bytes()).status(), 0);
    assert_eq!(session.decided(), "0");
    let mut question = session.question();
    for count in 2..5 {
        assert_eq!(site.failures("alice"), count - 1);
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &question.answer(&token.wrong_code())).status(), 1);
        question = session.question();
    }
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &question.answer(&token.wrong_code())).status(), 1);
    assert_eq!(session.told(), LOCKED, "and no further question");
    // A question from before does not lead around the lock.
    site.sql("UPDATE failure SET locked_until = 1 WHERE kind = 'user'");
    let (by_reconnecting, in_session) = (site.asked_to_reconnect("alice"), site.asked_in_session("alice"));
    site.sql("UPDATE failure SET locked_until = 99999999999 WHERE kind = 'user'");
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &by_reconnecting.answer(&token.code())).status(), 1);
    assert_eq!(session.told(), LOCKED);
    let sent = format!("{}\n", BASE64.encode(token.code().as_bytes()));
    assert_eq!(site.answer(&in_session, "alice", sent.as_bytes()).status(), 0);
    assert_eq!((in_session.decided(), in_session.told()), ("0".to_owned(), LOCKED.to_owned()));
}

/// Each attempt is a process of its own, and what a client says of itself is the client's to change.
#[test]
fn guesses_add_up_across_reconnects_whatever_the_client_changes_between_them() {
    let site = Site::new();
    let token = site.enroll("alice");
    let (wrong, code) = (token.wrong_code(), token.code());
    let login = |typed: &str, changes: &[(&str, &str)]| {
        let session = site.session();
        let call = site.login(&session, "alice", typed).set("IV_SSO", "");
        let call = changes.iter().fold(call, |call, (name, value)| call.set(name, value));
        assert_eq!(call.status(), 1, "{changes:?}");
        session
    };
    let changes = [
        &[("untrusted_ip", "198.51.100.7"), ("untrusted_port", "9")][..],
        &[
            ("untrusted_ip6", "2001:db8::7"),
            ("session_id", "AAAAAAAAAAAAAAAA"),
            ("IV_GUI_VER", "another one"),
        ],
        &[("common_name", "Other-Client"), ("tls_digest_sha256_0", "00:11"), ("session_state", "Expired")],
    ];
    for (change, count) in changes.iter().zip(1..) {
        assert_eq!(login(&wrong, change).told(), "Incorrect code");
        assert_eq!(site.failures("alice"), count);
    }
    let session = site.asked_in_session("alice");
    let sent = format!("{}\n", BASE64.encode(wrong.as_bytes()));
    assert_eq!(site.answer(&session, "alice", sent.as_bytes()).status(), 0);
    assert_eq!(session.decided(), "0");
    assert_eq!(site.failures("alice"), 4);
    let question = session.question();
    assert_eq!(login(&question.answer(&wrong), &[]).told(), LOCKED);
    for change in changes {
        assert_eq!(login(&code, change).told(), LOCKED, "{change:?}");
        assert_eq!(login("", change).told(), LOCKED, "{change:?}");
    }
    assert_eq!(site.failures("alice"), 5);
}

#[test]
fn the_settings_say_how_long_a_lock_lasts() {
    let site = Site::with(&[("lockoutMaxFailures", "1"), ("lockoutSeconds", "5000")]);
    let token = site.enroll("alice");
    let before = now();
    wrong(&site, &token);
    let after = now();
    let until = site.number("SELECT locked_until FROM failure WHERE kind = 'user'");
    assert!((before + 5_000..=after + 5_000).contains(&until), "{before} {until} {after}");
}

#[test]
fn the_settings_say_how_many_failures_lock() {
    let site = Site::with(&[("lockoutMaxFailures", "1")]);
    let token = site.enroll("alice");
    assert_eq!(wrong(&site, &token).told(), LOCKED);
    // And it takes no question to get there.
    site.sql("DELETE FROM failure");
    let question = site.asked_to_reconnect("alice");
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &question.answer(&token.wrong_code())).status(), 1);
    assert_eq!(session.told(), LOCKED);
}

#[test]
fn of_many_wrong_codes_at_the_same_time_no_more_are_looked_at_than_allowed() {
    let site = Site::with(&[("workerMax", "100")]);
    let token = site.enroll("alice");
    assert_eq!(guesses_at_once(&site, &token, 60), 60 - 4);
    assert_eq!(site.failures("alice"), 5);
}

/// So many wrong codes at the same time, each with a process of its own; returns how many were told of a lock.
fn guesses_at_once(site: &Site, token: &Token, count: usize) -> usize {
    let (sessions, wrong): (Vec<Session>, _) =
        ((0..count).map(|_| site.session()).collect(), token.wrong_code());
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| site.login(session, "alice", &wrong).status());
        }
    });
    sessions.iter().filter(|session| session.told() == LOCKED).count()
}

#[test]
fn of_many_wrong_codes_from_one_address_no_more_are_looked_at_than_allowed() {
    let site = Site::with(&[
        ("workerMax", "100"),
        ("lockoutMaxFailures", "1000"),
        ("lockoutAddressMaxFailures", "7"),
    ]);
    let token = site.enroll("alice");
    assert_eq!(guesses_at_once(&site, &token, 30), 30 - 6);
    assert_eq!(site.failures("alice"), 7);
}

#[test]
fn an_address_is_locked_for_everybody_behind_it_and_no_code_is_used_up() {
    let site = Site::with(&[("lockoutAddressMaxFailures", "3"), ("lockoutSeconds", "5000")]);
    let [alice, bob] = ["alice", "bob"].map(|user| site.enroll(user));
    let from = |user: &str, typed: &str, variable: &str, address: &str| {
        let session = site.session();
        let call = site.login(&session, user, typed).without("untrusted_ip").set(variable, address);
        (call.status(), session.reason())
    };
    let here = |user: &str, typed: &str| from(user, typed, "untrusted_ip6", "2001:db8:0:1::1");
    assert_eq!(here("alice", &alice.wrong_code()).0, 1);
    assert_eq!(here("alice", &alice.code()).0, 0);
    assert_eq!(here("bob", &bob.wrong_code()).0, 1);
    let there = from("bob", &bob.wrong_code(), "untrusted_ip6", "2001:db8:0:1:ffff::2");
    assert_eq!(told(&there.1), LOCKED, "the last one that was allowed, of the same /64");
    let code = bob.code();
    assert_eq!(told(&here("bob", &code).1), LOCKED);
    assert_eq!(told(&here("bob", "").1), LOCKED, "and nobody is asked");
    assert!(site.logged(&["user=bob client=2001:db8:0:1::1", "outcome=reject reason=address-locked"]));
    assert_eq!(site.shown("bob")["state"], "enabled");
    assert_eq!(site.number("SELECT count FROM failure WHERE subject = '2001:db8:0:1::/64'"), 3);
    assert_eq!(from("bob", &code, "untrusted_ip6", "2001:db8:0:2::1").0, 0);
}

#[test]
fn an_address_in_the_form_of_ipv6_is_the_ipv4_address() {
    let site = Site::with(&[("lockoutAddressMaxFailures", "2")]);
    let token = site.enroll("alice");
    for address in ["192.0.2.9", "::ffff:192.0.2.9"] {
        let session = site.session();
        assert_eq!(
            site.login(&session, "alice", &token.wrong_code()).set("untrusted_ip", address).status(),
            1
        );
    }
    assert_eq!(site.number("SELECT count FROM failure WHERE subject = '192.0.2.9'"), 2);
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).set("untrusted_ip", "192.0.2.9").status(), 1);
    assert_eq!(session.told(), LOCKED);
}

#[test]
fn a_forced_enrolment_unlocks() {
    let (site, _) = locked();
    let token = site.enroll("alice");
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 0);
}

#[test]
fn when_all_workers_are_busy_the_client_is_told_to_come_back_and_no_code_is_used() {
    let site = Site::with(&[("workerMax", "1")]);
    let token = site.enroll("alice");
    // An answer to a session that has asked nothing yet waits for the question.
    let waiting = site.session();
    assert_eq!(site.answer(&waiting, "alice", b"MTIzNDU2").status(), 0);
    for (protocols, text) in
        [("990", "TEMP[backoff 5]: Server busy, try again (ref "), ("2", "Server busy, try again (ref ")]
    {
        let session = site.session();
        let call = site.login(&session, "alice", &token.code()).set("IV_PROTO", protocols);
        assert_eq!(call.status(), 1);
        assert!(session.reason().starts_with(text), "{}", session.reason());
    }
    assert!(site.logged(&["outcome=reject reason=busy"]), "{}", site.logs());
    waiting.end();
    crate::support::eventually("a free worker", || {
        let session = site.session();
        (site.login(&session, "alice", &token.code()).status() == 0).then_some(())
    });
}

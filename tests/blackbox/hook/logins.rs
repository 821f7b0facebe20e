//! Logins that carry their code.

use crate::support::{Site, Token, log_is_visible};
use data_encoding::BASE64;
use std::sync::Barrier;
use std::thread;

/// An SCRV1 password field.
fn scrv1(password: &str, response: &str) -> String {
    format!("SCRV1:{}:{}", BASE64.encode(password.as_bytes()), BASE64.encode(response.as_bytes()))
}

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

#[test]
fn a_right_code_is_accepted_at_once() {
    let (site, token) = alice();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 0);
    assert_eq!(session.verdict(), "1");
    assert_eq!((session.pending(), session.reason()), (String::new(), String::new()));
    assert!(site.logged(&["event=login user=alice client=10.99.0.2", "outcome=accept reason=both-factors"]));

    let lines = site.logs().lines().count();
    assert_eq!(lines, usize::from(log_is_visible()), "one line a decision");
}

#[test]
fn credentials_may_come_in_the_environment() {
    let (site, token) = alice();
    let [first, second] = token.codes();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").via_env(&first).status(), 0);
    assert_eq!(session.verdict(), "1");
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").via_env(&token.wrong_code()).status(), 1);
    assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));
    // As old servers do it: nothing to write a verdict into.
    let call = site.login(&session, "alice", "").via_env(&second);
    assert_eq!(call.without_control_files().status(), 0);
}

#[test]
fn what_the_file_says_counts_and_not_what_stands_in_the_environment() {
    let (site, token) = alice();
    let session = site.session();
    let call = site.login(&session, "alice", &token.wrong_code()).set("password", token.code());
    assert_eq!(call.status(), 1);
    assert_eq!(session.verdict(), "0");
}

#[test]
fn options_may_stand_before_the_file() {
    let (site, token) = alice();
    let [first, second, third] = token.codes();
    let (config, database) = (site.config(), site.database());
    let session = site.session();
    let call = site.login(&session, "alice", &first).without("openvpn2faConfig");
    assert_eq!(call.option("--config").option(&config).status(), 0);
    let session = site.session();
    let call = site.login(&session, "alice", &second).set("totpTokenDbPath", "/nowhere");
    assert_eq!(call.option("--db").option(&database).status(), 0);
    let session = site.session();
    let call = site.login(&session, "alice", &third).set("openvpn2faConfig", "/nowhere");
    let call = call.option(format!("--config={}", config.display())).option("--db").option(&database);
    assert_eq!(call.status(), 0);
    assert_eq!(session.verdict(), "1");
}

#[test]
fn a_file_without_a_last_line_break_and_a_code_with_a_blank_are_understood() {
    let (site, token) = alice();
    let [first, second] = token.codes();
    let session = site.session();
    let content = format!("alice\n{first}");
    assert_eq!(site.login(&session, "alice", &first).content(content.as_bytes()).status(), 0);
    let session = site.session();
    let typed = format!("{} {}", &second[..3], &second[3..]);
    assert_eq!(site.login(&session, "alice", &typed).status(), 0);
}

#[test]
fn a_static_response_is_accepted_with_and_without_a_password_beside_it() {
    let (site, token) = alice();
    let [first, second, third] = token.codes();
    for (password, code) in [("", first), ("not looked at", second)] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &scrv1(password, &code)).status(), 0);
        assert_eq!(session.verdict(), "1");
    }
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &scrv1("", &token.wrong_code())).status(), 1);
    assert_eq!(session.told(), "Incorrect code");
    // The code is the response, wherever else it may stand.
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &scrv1(&third, &token.wrong_code())).status(), 1);
    assert_eq!(session.verdict(), "0");
}

#[test]
fn a_wrong_code_is_refused_and_counted() {
    let (site, token) = alice();
    for (count, typed) in [(1, token.wrong_code()), (2, "letters".to_owned()), (3, "1".repeat(100))] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &typed).status(), 1);
        assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));
        assert_eq!(session.pending(), "");
        assert_eq!(site.failures("alice"), count);
    }
    assert!(site.logged(&["outcome=reject reason=wrong-code"]));
    assert!(site.logged(&["outcome=reject reason=malformed-code"]));
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 0);
    assert_eq!(site.failures("alice"), 0, "a right code ends the row");
}

#[test]
fn a_code_is_accepted_once() {
    let (site, token) = alice();
    let [earlier, code, later] = token.codes();
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0);
    for typed in [&code, &earlier, &code] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", typed).status(), 1, "the same step, or one before it");
        assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &scrv1("", typed)).status(), 1);
    }
    assert_eq!(site.failures("alice"), 0, "what was right once is no guess");
    assert!(site.logged(&["reason=code-already-used"]));
    assert_eq!(site.login(&site.session(), "alice", &later).status(), 0);
}

#[test]
fn of_many_logins_with_one_code_at_the_same_time_one_gets_in() {
    const LOGINS: usize = 24;
    // As many workers as logins: none is refused for want of one.
    let site = Site::with(&[("workerMax", "24")]);
    let token = site.enroll("alice");
    let code = token.code();
    let start = Barrier::new(LOGINS);
    let results: Vec<(i32, String)> = thread::scope(|scope| {
        let login = || {
            let session = site.session();
            start.wait();
            let status = site.login(&session, "alice", &code).status();
            (status, session.decided())
        };
        let logins: Vec<_> = (0..LOGINS).map(|_| scope.spawn(login)).collect();
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    let accepted = results.iter().filter(|(_, verdict)| verdict == "1").count();
    let refused = results.iter().filter(|(_, verdict)| verdict == "0").count();
    assert_eq!((accepted, refused), (1, LOGINS - 1), "{results:?}");
    assert!(!site.logs().contains("reason=busy"), "{}", site.logs());
    for (status, verdict) in &results {
        assert_eq!((*status == 0, *status == 1), (verdict == "1", verdict == "0"), "status and file agree");
    }
}

#[test]
fn the_window_is_that_of_the_settings() {
    let site = Site::with(&[("totpWindow", "1")]);
    // Steps that stay outside or inside the window when the next one begins meanwhile.
    for (steps, accepted) in [(3, false), (-3, false), (1, true)] {
        let token = site.enroll("alice");
        let session = site.session();
        let status = site.login(&session, "alice", &token.code_steps_from_now(steps)).status();
        assert_eq!(status == 0, accepted, "{steps}");
    }
}

#[test]
fn the_code_of_somebody_else_is_a_wrong_code() {
    let (site, _) = alice();
    let bob = site.enroll("bob");
    let code = bob.code();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &code).status(), 1);
    assert_eq!((site.failures("alice"), site.failures("bob")), (1, 0));
    assert_eq!(site.login(&site.session(), "bob", &code).status(), 0, "and is not used up by that");
}

#[test]
fn a_new_secret_ends_the_old_one() {
    let (site, old) = alice();
    let code = old.code();
    let new = site.enroll("alice");
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 1);
    assert_eq!(site.login(&site.session(), "alice", &new.code()).status(), 0);
}

#[test]
fn with_no_budget_the_verdict_comes_through_the_file() {
    let site = Site::with(&[("authStallBudgetMs", "0")]);
    let token = site.enroll("alice");
    let [first, second] = token.codes();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &first).status(), 2);
    assert_eq!(session.decided(), "1");
    assert_eq!((session.pending(), session.reason()), (String::new(), String::new()));

    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.wrong_code()).status(), 2);
    assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));

    // Where nothing can be deferred, there is no going on without the verdict... and none that was not looked at.
    let session = site.session();
    let status = site.login(&session, "alice", &second).set("authStallBudgetMs", "50000");
    assert_eq!(status.without_control_files().status(), 0);
}

#[test]
fn two_sessions_do_not_get_in_each_others_way() {
    let (site, token) = alice();
    let bob = site.enroll("bob");
    let (one, other) = (site.asked_in_session("alice"), site.asked_in_session("bob"));
    assert_eq!(site.answer(&other, "bob", &answer(&bob.wrong_code())).status(), 0);
    assert_eq!(other.decided(), "0");
    assert_eq!(one.verdict(), "");
    assert_eq!(site.answer(&one, "alice", &answer(&token.code())).status(), 0);
    assert_eq!(one.decided(), "1");
}

fn answer(code: &str) -> Vec<u8> {
    format!("{}\n", BASE64.encode(code.as_bytes())).into_bytes()
}

//! Who needs Duo, and what the database has to do with it.

use crate::duo::{Phone, User};
use crate::support::{DuoSite, mode, need};
use std::time::Duration;

fn approving(site: &DuoSite, user: &str) {
    site.duo.add(User::with_phone(user).phone(Phone::ApprovesAfter(Duration::ZERO)));
}

#[test]
fn exempt_users_are_in_without_duo_and_each_time_the_log_says_so() {
    for (key, value) in
        [("duoExempt", "alice, bob"), ("authExempt", "alice,bob"), ("duoExempt", " bob ,alice")]
    {
        let site = DuoSite::with(&[(key, value)]);
        for user in ["alice", "bob"] {
            for typed in ["", "push", "nonsense"] {
                site.enter(user, typed).is_in();
            }
            assert!(site.logged(&[&format!("user={user} "), "factor=none outcome=accept reason=exempt"]));
        }
        assert_eq!(
            site.logs().matches("reason=exempt").count(),
            if crate::support::log_is_visible() { 6 } else { 0 }
        );
        assert_eq!(site.duo.connections(), []);
        for other in ["carol", "Alice", "alic", "alice, bob"] {
            assert_eq!(site.enter(other, "push").status, 1, "{other:?}");
        }
    }
}

#[test]
fn exempt_users_stand_in_the_settings_file_as_a_list() {
    let site = DuoSite::new();
    site.edit(|settings| settings + "exempt = ['alice']\n");
    site.enter("alice", "").is_in();
    assert_eq!(site.enter("bob", "").status, 1);
    // One who is disabled is not let in by it.
    site.sql("INSERT INTO user (name, state, created_at) VALUES ('alice', 'disabled', 0)");
    site.enter("alice", "").is_out("Authentication failed");
    assert!(site.logged(&["reason=disabled"]));
}

#[test]
fn whoever_is_exempt_from_duo_is_not_exempt_from_codes() {
    let site = DuoSite::with(&[("duoExempt", "alice"), ("authFactor", "totp")]);
    let token = site.enroll("alice");
    site.enter("alice", &token.wrong_code()).is_out("Incorrect code");
    site.enter("alice", &token.code()).is_in();
}

#[test]
fn an_exempt_list_that_cannot_be_read_lets_nobody_in() {
    for value in ["alice,,bob", "alice,", "a\u{7}b"] {
        let site = DuoSite::with(&[("duoExempt", value)]);
        assert_eq!(site.enter("alice", "").status, 1, "{value:?}");
        assert!(site.logged(&["reason=internal", "duoExempt"]), "{value:?}: {}", site.logs());
    }
}

#[test]
fn a_users_own_factor_goes_before_that_of_the_settings() {
    need("oathtool");
    let site = DuoSite::new();
    let token = site.enroll("alice");
    approving(&site, "alice");
    // Enrolled for codes, at a site of Duo's: Duo it is, until the record says otherwise.
    site.enter("alice", "push").is_in();
    site.sql("UPDATE user SET factor = 'totp'");
    let asked = site.duo.requests().len();
    site.enter("alice", "push").is_out("Incorrect code");
    site.enter("alice", &token.code()).is_in();
    assert_eq!(site.duo.requests().len(), asked);
    site.sql("UPDATE user SET factor = 'duo'");
    site.enter("alice", "push").is_in();
    // And back: the token is still there.
    site.sql("UPDATE user SET factor = NULL");
    let session = site.session();
    let code = token.code_steps_from_now(1);
    let call = site.login(&session, "alice", &code).set("authFactor", "totp");
    assert_eq!(call.status(), 0, "{}", session.reason());
}

#[test]
fn a_site_of_codes_can_have_users_of_duo() {
    need("oathtool");
    let site = DuoSite::with(&[("authFactor", "totp")]);
    let [alice, _bob] = ["alice", "bob"].map(|user| site.enroll(user));
    approving(&site, "bob");
    site.sql("UPDATE user SET factor = 'duo' WHERE name = 'bob'");
    site.enter("bob", "push").is_in();
    site.enter("bob", "").is_in();
    site.enter("alice", &alice.code()).is_in();
    site.enter("alice", "push").is_out("Incorrect code");
    assert_eq!(site.duo.sent().len(), 2);
    // Without Duo in the settings, its users are told apart from everybody else in the log alone.
    site.edit(|settings| {
        settings.lines().filter(|line| !line.starts_with("host")).collect::<Vec<_>>().join("\n")
    });
    site.enter("bob", "push").is_out(super::UNAVAILABLE);
    assert!(
        site.logged(&["user=bob ", "reason=duo-unavailable", "[duo] host is not set"]),
        "{}",
        site.logs()
    );
}

#[test]
fn a_question_about_duo_is_not_answered_with_another_factor() {
    need("oathtool");
    let site = DuoSite::new();
    let token = site.enroll("alice");
    site.duo.add(User::with_phone("alice").sms_passcode("777777"));
    let question = site.enter("alice", "sms").session.question();
    site.sql("UPDATE user SET factor = 'totp'");
    site.enter("alice", &question.answer(&token.code())).is_out("Authentication failed");
    assert!(site.logged(&["reason=unknown-challenge"]));
}

#[test]
fn the_first_login_makes_a_private_database() {
    let site = DuoSite::new();
    assert!(!site.database().exists());
    approving(&site, "alice");
    let sessions: Vec<_> = (0..6).map(|_| site.session()).collect();
    std::fs::create_dir(site.database().parent().unwrap()).unwrap();
    let names: Vec<_> = (0..6).map(|number| format!("user{number}")).collect();
    std::thread::scope(|scope| {
        for (session, name) in sessions.iter().zip(&names) {
            approving(&site, name);
            let site = &site;
            scope.spawn(move || assert_eq!(site.login(session, name, "push").status(), 0));
        }
    });
    assert_eq!(mode(&site.database()), 0o600);
    assert_eq!(site.number("SELECT COUNT(*) FROM user"), 0, "nobody is written down who need not be");
}

#[test]
fn the_first_login_makes_the_directory_of_the_database_too() {
    let site = DuoSite::new();
    approving(&site, "alice");
    site.enter("alice", "push").is_in();
    assert_eq!(mode(site.database().parent().unwrap()) & 0o077, 0);
}

#[test]
fn a_database_that_cannot_be_made_lets_nobody_in() {
    let site = DuoSite::with(&[("duoFailmode", "safe"), ("duoExempt", "alice")]);
    std::fs::write(site.path("state"), "").unwrap();
    for user in ["alice", "bob"] {
        site.enter(user, "push").is_out("Authentication failed");
    }
    assert!(site.logged(&["outcome=reject reason=internal"]));
    assert_eq!(site.duo.connections(), []);
}

#[test]
fn disabled_users_are_out_before_duo_hears_of_them() {
    let site = DuoSite::new();
    approving(&site, "alice");
    site.enter("alice", "push").is_in();
    site.sql("INSERT INTO user (name, state, created_at) VALUES ('alice', 'disabled', 0)");
    let asked = site.duo.requests().len();
    for typed in ["push", "", "123456"] {
        site.enter("alice", typed).is_out("Authentication failed");
    }
    assert!(site.logged(&["outcome=reject reason=disabled"]));
    assert_eq!(site.duo.requests().len(), asked);
}

#[test]
fn who_is_disabled_while_the_phone_waits_stays_out() {
    let site = DuoSite::with(&[("authStallBudgetMs", "0")]);
    site.duo.add(User::with_phone("alice"));
    let login = site.enter("alice", "push");
    site.duo.await_sent(1);
    site.sql("INSERT INTO user (name, state, created_at) VALUES ('alice', 'disabled', 0)");
    site.duo.approve("alice");
    assert_eq!((login.session.decided(), login.session.told()), ("0".into(), "Authentication failed".into()));
}

#[test]
fn a_genuine_token_asks_duo_nothing() {
    let site = DuoSite::new();
    let token = "SESS_ID_AT_TjFwRHl2bGxlT3RvYmFySkRGZHNmYXNkZmFzZGZh";
    let enter = |state: &str| site.enter_by("alice", token, |call| call.set("session_state", state));
    enter("Authenticated").is_in();
    for state in ["Invalid", "Expired", "Initial"] {
        assert_eq!(enter(state).status, 1, "{state}");
    }
    assert_eq!(site.duo.connections(), []);
}

#[test]
fn without_a_certificate_nobody_is_asked_about() {
    let site = DuoSite::with(&[("duoFailmode", "safe"), ("duoExempt", "alice")]);
    for name in ["", "absent"] {
        let login = site.enter_by("alice", "push", |call| match name {
            "" => call.set("common_name", ""),
            _ => call.without("common_name"),
        });
        assert_eq!(login.status, 1);
    }
    assert_eq!(site.duo.connections(), []);
}

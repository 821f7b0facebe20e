//! An administrator changes a user's second factor, and looks at Duo.

use crate::duo::{Certificate, IKEY, Lookalike, Misbehaviour, Options, Phone, Policy, SKEY, User};
use crate::support::{Printed, Site, chmod};
use std::time::Duration;

fn json(printed: &Printed) -> serde_json::Value {
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).unwrap()
}

/// A site whose administrator has set Duo up.
fn site_with(duo: &Lookalike, more: &str) -> Site {
    let site = Site::new();
    std::fs::write(site.path("skey"), format!("{SKEY}\n")).unwrap();
    chmod(&site.path("skey"), 0o600);
    // A copy: the look-alike takes its own along when it goes away.
    std::fs::copy(duo.ca_file(), site.path("ca.pem")).unwrap();
    let settings = std::fs::read_to_string(site.config()).unwrap();
    let settings = format!(
        "{settings}\n[duo]\nhost = 'localhost'\nport = {}\nikey = '{IKEY}'\nskey_file = '{}'\nca_file = '{}'\n{more}\n",
        duo.port(),
        site.path("skey").display(),
        site.path("ca.pem").display(),
    );
    std::fs::write(site.config(), settings).unwrap();
    site
}

#[test]
fn the_factor_of_a_user_can_be_set_and_set_back() {
    let site = Site::new();
    site.enroll("alice");
    for (factor, stored) in
        [("duo", "duo".into()), ("totp", "totp".into()), ("default", serde_json::Value::Null)]
    {
        let printed = site.admin(&["set", "alice", "--factor", factor]);
        assert_eq!((printed.status, printed.stdout.as_str()), (0, ""), "{}", printed.stderr);
        assert!(printed.stderr.contains("alice has"), "{}", printed.stderr);
        assert_eq!(site.shown("alice")["factor"], stored);
        let line = site.admin(&["list"]).stdout;
        assert_eq!(line.contains("factor duo"), factor == "duo", "{line}");
    }
    assert_eq!(json(&site.admin(&["--json", "set", "alice", "--factor", "duo"]))["factor"], "duo");
    assert_eq!(site.admin(&["set", "alice", "--factor", "sms"]).status, 2);
    assert_eq!(site.admin(&["set", "alice"]).status, 2);
    assert_eq!(site.admin(&["set", "a\nb", "--factor", "duo"]).status, 1);
}

#[test]
fn a_user_without_a_record_gets_one_and_can_be_enrolled_later() {
    let site = Site::new();
    let printed = site.admin(&["set", "bob", "--factor", "duo"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stderr.contains("[duo] host is not set"), "{}", printed.stderr);
    assert!(site.admin(&["set", "bob", "--factor", "totp"]).stderr.contains("no token yet"));
    site.admin(&["set", "bob", "--factor", "duo"]);
    let printed = site.admin(&["enroll", "bob"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stderr.contains("--factor totp"), "{}", printed.stderr);
    assert_eq!(site.shown("bob")["factor"], "duo", "an enrolment does not change the factor");
    assert_eq!(site.admin(&["enroll", "bob"]).status, 1, "and is not replaced");
}

#[test]
fn a_user_with_a_record_and_no_token_is_not_enrolled() {
    let site = Site::new();
    site.admin(&["set", "bob", "--factor", "totp"]);
    for password in ["", "123456"] {
        let session = site.session();
        assert_eq!(site.login(&session, "bob", password).set("IV_SSO", "").status(), 1);
        assert!(site.logged(&["user=bob", "reason=not-enrolled"]));
    }
}

#[test]
fn a_forced_enrolment_leaves_a_disabled_user_disabled() {
    let site = Site::new();
    site.enroll("alice");
    site.sql("UPDATE user SET state = 'disabled', factor = 'totp'");
    let printed = site.admin(&["enroll", "--force", "alice"]);
    assert!(printed.stderr.contains("disabled, as before"), "{}", printed.stderr);
    let shown = site.shown("alice");
    assert_eq!((&shown["state"], &shown["factor"]), (&"disabled".into(), &"totp".into()));
    assert_eq!(shown["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn a_change_of_factor_ends_the_questions_that_are_open() {
    let site = Site::new();
    let token = site.enroll("alice");
    let question = site.asked_to_reconnect("alice");
    site.admin(&["set", "alice", "--factor", "totp"]);
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &question.answer(&token.code())).status(), 1);
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 0);
}

#[test]
fn check_duo_says_what_is_used_and_that_it_works() {
    let duo = Lookalike::start(Options::default());
    let site = site_with(&duo, "");
    let printed = site.admin(&["check", "duo"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    for line in [
        format!("host: localhost, port {}", duo.port()),
        format!("trusted roots: {}", site.path("ca.pem").display()),
        "proxy: none".to_owned(),
        "when Duo cannot be reached: nobody gets in (failmode secure)".to_owned(),
        "reached: yes".to_owned(),
        "clock: right".to_owned(),
        "keys: accepted".to_owned(),
    ] {
        assert!(printed.stdout.lines().any(|found| found == line), "{line}: {}", printed.stdout);
    }
    assert!(!printed.stdout.contains(SKEY) && !printed.stderr.contains(SKEY));
    assert_eq!(json(&site.admin(&["--json", "check", "duo"]))["keys"], "accepted");
}

#[test]
fn check_duo_tells_what_duo_says_of_a_user_and_sends_nothing_unasked() {
    let duo = Lookalike::start(Options::default());
    duo.add(User::with_phone("jdoe").phone(Phone::ApprovesAfter(Duration::from_millis(50))));
    duo.add(User::with_phone("denied").policy(Policy::Deny("Not \x1b[31mallowed".to_owned())));
    duo.add(User::with_phone("free").policy(Policy::Allow));
    let site = site_with(&duo, "");
    let of = |user: &str| site.admin(&["check", "duo", user]);
    let printed = of("jdoe");
    assert!(printed.stdout.contains("login: with a second factor"), "{}", printed.stdout);
    assert!(
        printed.stdout.contains("question: Duo login for jdoe. Passcode, or 1 push"),
        "{}",
        printed.stdout
    );
    assert!(of("denied").stdout.contains("login: refused by Duo: Not "));
    assert!(!of("denied").stdout.contains('\x1b'));
    assert!(of("free").stdout.contains("login: without a second factor"));
    assert!(of("stranger").stdout.contains("has to enrol first"));
    assert!(duo.sent().is_empty(), "no telephone rang");

    let printed = site.admin(&["check", "duo", "jdoe", "--push"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stdout.contains("answer: approved"), "{}", printed.stdout);
    assert_eq!(duo.sent().len(), 1);
    assert_eq!(site.admin(&["check", "duo", "--push"]).status, 2, "a push to whom");
}

#[test]
fn check_duo_says_in_words_what_is_wrong() {
    let duo = Lookalike::start(Options::default());
    let site = site_with(&duo, "timeout = 5");
    let complaint = |site: &Site| {
        let printed = site.admin(&["check", "duo"]);
        assert_eq!(printed.status, 1, "{}", printed.stdout);
        assert_eq!(printed.stderr.lines().count(), 1, "{}", printed.stderr);
        assert!(!printed.stderr.contains(SKEY));
        printed.stderr
    };
    duo.present(Certificate::OtherAuthority);
    assert!(complaint(&site).contains("certificate"), "{}", complaint(&site));
    duo.present(Certificate::Good);
    duo.misbehave(Misbehaviour::status(503).always());
    assert!(complaint(&site).contains("503"));
    duo.behave();
    std::fs::write(site.path("skey"), "0123456789012345678901234567890123456789").unwrap();
    let text = complaint(&site);
    assert!(text.contains("check [duo] skey"), "{text}");
    assert!(!duo.take_faults().is_empty(), "the look-alike has seen a wrong signature");
    chmod(&site.path("skey"), 0o644);
    assert!(complaint(&site).contains("chmod"));
    chmod(&site.path("skey"), 0o600);
    drop(duo);
    assert!(complaint(&site).contains("not reached"));

    let site = Site::new();
    assert!(complaint(&site).contains("[duo] host is not set"));
}

#[test]
fn check_duo_sees_a_clock_that_is_wrong() {
    let duo = Lookalike::start(Options::default());
    duo.set_clock_ahead(600);
    let site = site_with(&duo, "");
    let printed = site.admin(&["check", "duo"]);
    assert!(printed.stdout.contains("set this machine's clock"), "{}{}", printed.stdout, printed.stderr);
    duo.take_faults();
}

//! Codes, questions, limits and whatever is not a request.

use super::*;
use crate::support::{Token, told};
use serde_json::json;

const TEXT: &str = "Please enter your TOTP code";
const LOCKED: &str = "Too many failed attempts, try again later";
const FAILED: &str = "Authentication failed";

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

fn first(answer: Option<&str>) -> Value {
    let mut request = json!({ "user": "alice", "primary": "passed", "address": "10.99.0.2" });
    if let Some(answer) = answer {
        request["answer"] = answer.into();
    }
    request
}

fn answer(question: &Answered, answer: &str) -> Value {
    json!({ "user": "alice", "state": question.state(), "answer": answer, "address": "10.99.0.2" })
}

/// The exit status of the hook for a code in the password field.
fn hook(site: &Site, user: &str, code: &str) -> (i32, String) {
    let session = site.session();
    (site.login(&session, user, code).status(), session.reason())
}

#[test]
fn a_user_is_asked_and_a_right_answer_lets_them_in() {
    let (site, token) = alice();
    let question = verify(&site, &first(None));
    question.asks(TEXT);
    assert_eq!((&question.reply["echo"], &question.reply["seconds"]), (&json!(true), &json!(300)));
    assert_eq!(question.reply["ref"].as_str().unwrap().len(), 6);
    assert!(
        question.state().len() >= 32 && question.state().bytes().all(|byte| byte.is_ascii_alphanumeric())
    );
    assert_eq!(question.printed.lines().count(), 1);
    let allowed = verify(&site, &answer(&question, &token.code()));
    allowed.is_allowed("totp");
    let reference = allowed.reply["ref"].as_str().unwrap();
    assert!(site.logged(&["event=login door=verify user=alice client=10.99.0.2 ", "method=caller"]));
    assert!(site.logged(&["event=answer door=verify user=alice ", "outcome=accept", reference]));
    assert!(!site.shown("alice")["last_login_at"].is_null());
}

#[test]
fn a_code_that_comes_with_the_password_is_enough() {
    let (site, token) = alice();
    verify(&site, &first(Some(&token.code()))).is_allowed("totp");
    let wrong = verify(&site, &first(Some(&token.wrong_code())));
    wrong.is_denied("Incorrect code");
    assert!(site.logged(&["outcome=reject reason=wrong-code", wrong.reply["ref"].as_str().unwrap()]));
}

#[test]
fn a_code_counts_once_at_both_doors() {
    let (site, token) = alice();
    let [a, b] = token.codes();
    verify(&site, &first(Some(&a))).is_allowed("totp");
    assert_eq!(hook(&site, "alice", &a).0, 1, "after verify");
    assert_eq!(hook(&site, "alice", &b).0, 0);
    verify(&site, &first(Some(&b))).is_denied("Incorrect code");
    assert!(site.logged(&["door=verify", "reason=code-already-used"]));
}

#[test]
fn a_wrong_answer_is_followed_by_a_question_until_the_user_is_locked() {
    let (site, token) = alice();
    let mut question = verify(&site, &first(None));
    for _ in 0..4 {
        let next = verify(&site, &answer(&question, &token.wrong_code()));
        next.asks("Incorrect code, try again");
        assert_ne!(next.state(), question.state());
        question = next;
    }
    verify(&site, &answer(&question, &token.wrong_code())).is_denied(LOCKED);
    verify(&site, &first(Some(&token.code()))).is_denied(LOCKED);
}

#[test]
fn failures_at_both_doors_count_together() {
    let (site, token) = alice();
    for _ in 0..2 {
        assert_eq!(hook(&site, "alice", &token.wrong_code()).0, 1);
        verify(&site, &first(Some(&token.wrong_code()))).is_denied("Incorrect code");
    }
    assert_eq!(site.failures("alice"), 4);
    verify(&site, &first(Some(&token.wrong_code()))).is_denied(LOCKED);
    let (status, reason) = hook(&site, "alice", &token.code());
    assert_eq!((status, told(&reason)), (1, LOCKED));
    assert_eq!(site.admin(&["unlock", "alice"]).status, 0);
    verify(&site, &first(Some(&token.code()))).is_allowed("totp");
}

#[test]
fn an_address_is_locked_at_both_doors() {
    let site = Site::with(&[("lockoutAddressMaxFailures", "2")]);
    let (alice, bob) = (site.enroll("alice"), site.enroll("bob"));
    verify(&site, &first(Some(&alice.wrong_code()))).is_denied("Incorrect code");
    assert_eq!(hook(&site, "bob", &bob.wrong_code()).0, 1);
    let (status, reason) = hook(&site, "bob", &bob.code());
    assert_eq!((status, told(&reason)), (1, LOCKED));
    verify(&site, &first(Some(&alice.code()))).is_denied(LOCKED);
    let elsewhere =
        json!({ "user": "alice", "primary": "passed", "answer": alice.code(), "address": "10.99.0.3" });
    verify(&site, &elsewhere).is_allowed("totp");
}

#[test]
fn a_question_is_for_one_user_and_one_certificate_and_stays_for_them() {
    let (site, token) = alice();
    let bob = site.enroll("bob");
    let request = json!({ "user": "alice", "primary": "passed", "common_name": "laptop" });
    let question = verify(&site, &request);
    let answer = |user: &str, common_name: Option<&str>, code: &str| {
        let state = question.state();
        verify(&site, &json!({ "user": user, "state": state, "answer": code, "common_name": common_name }))
    };
    answer("bob", Some("laptop"), &bob.code()).is_denied(FAILED);
    answer("bob", Some("laptop"), &token.code()).is_denied(FAILED);
    answer("alice", Some("other"), &token.code()).is_denied(FAILED);
    answer("alice", None, &token.code()).is_denied(FAILED);
    assert!(site.logged(&["event=answer door=verify user=bob", "reason=foreign-challenge"]));
    answer("alice", Some("laptop"), &token.code()).is_allowed("totp");
}

#[test]
fn a_question_takes_one_answer() {
    let (site, token) = alice();
    let [a, b] = token.codes();
    let question = verify(&site, &first(None));
    verify(&site, &answer(&question, &a)).is_allowed("totp");
    verify(&site, &answer(&question, &b)).is_denied(FAILED);
    assert!(site.logged(&["reason=unknown-challenge"]));
    let question = verify(&site, &first(None));
    verify(&site, &answer(&question, "")).asks("Incorrect code, try again");
    verify(&site, &answer(&question, &b)).is_denied(FAILED);
}

#[test]
fn an_answer_that_comes_too_late_is_refused() {
    let (site, token) = alice();
    let question = verify(&site, &first(None));
    site.sql("UPDATE challenge SET expires_at = unixepoch() - 1");
    verify(&site, &answer(&question, &token.code())).is_denied("Code expired, try again");
}

#[test]
fn who_is_disabled_or_not_enrolled_or_not_to_be_asked_is_denied() {
    let (site, token) = alice();
    assert_eq!(site.admin(&["disable", "alice"]).status, 0);
    verify(&site, &first(Some(&token.code()))).is_denied(FAILED);
    verify(&site, &json!({ "user": "bob", "primary": "passed" })).is_denied(FAILED);
    for name in ["", "-alice", "a/b", "a\u{202e}b", "a\nb", &"x".repeat(256)] {
        verify(&site, &json!({ "user": name, "primary": "passed", "answer": "123456" })).is_denied(FAILED);
    }
    assert!(site.logged(&["door=verify", "reason=identity"]));
    let site = Site::with(&[("authChallenge", "off")]);
    site.enroll("alice");
    verify(&site, &first(None)).is_denied("This VPN client cannot ask for a code, use one that can");
}

#[test]
fn the_settings_about_names_hold() {
    let site = Site::with(&[("authUsernameCase", "lower"), ("authMatchCommonName", "true")]);
    let [a, b] = site.enroll("alice").codes();
    let request = |user: &str, common_name: &str, code: &str| {
        let (primary, answer) = ("passed", code);
        verify(
            &site,
            &json!({ "user": user, "primary": primary, "answer": answer, "common_name": common_name }),
        )
    };
    request("Alice", "mallory", &a).is_denied(FAILED);
    request("Alice", "", &a).is_denied(FAILED);
    request("Alice", "ALICE", &a).is_allowed("totp");
    request("alice", "alice", &b).is_allowed("totp");
}

#[test]
fn a_certificate_is_no_first_proof_here_whatever_the_settings_say() {
    let (site, token) = alice();
    // The settings of this site have `primary = "none"`: for the hooks, the certificate is enough.
    assert_eq!(hook(&site, "alice", &token.code()).0, 0);
    let request = json!({ "user": "alice", "common_name": "alice", "answer": token.code_steps_from_now(1) });
    let answered = verify(&site, &request);
    assert_eq!((answered.status, answered.result()), (1, "deny"));
    assert!(site.logged(&["exactly one of primary, password and state"]));
}

#[test]
fn what_is_not_a_request_is_a_denial_and_no_decision() {
    let (site, token) = alice();
    let code = token.code();
    site.keep_out_of_the_log(code.as_bytes());
    let long = format!(r#"{{"user":"alice","primary":"passed","answer":"{code}"}}{}"#, " ".repeat(16 * 1024));
    for request in [
        "",
        "{",
        "hello",
        &code,
        r#"{"user":"alice"}"#,
        &format!(r#"{{"user":"alice","answer":"{code}"}}"#),
        &format!(r#"{{"user":"alice","primary":"failed","answer":"{code}"}}"#),
        &format!(r#"{{"user":"alice","primary":true,"answer":"{code}"}}"#),
        &format!(r#"{{"user":"alice","primary":"passed","answer":{code}}}"#),
        &format!(r#"{{"user":"alice","primary":"passed","answer":"{code}","admin":true}}"#),
        &format!(r#"{{"user":"alice","primary":"passed","answer":"{code}"}} {{}}"#),
        &format!(r#"{{"user":"alice","primary":"passed","password":"x","answer":"{code}"}}"#),
        &long,
    ] {
        let answered = hand(&site, program(&site), request.as_bytes());
        assert_eq!((answered.status, answered.result(), answered.text()), (1, "deny", FAILED), "{request}");
        assert!(site.logged(&["door=verify", "reason=malformed", answered.reply["ref"].as_str().unwrap()]));
    }
    assert_eq!(site.failures("alice"), 0, "none of them was looked at");
    verify(&site, &first(Some(&code))).is_allowed("totp");
}

#[test]
fn without_settings_or_database_there_is_a_denial_and_no_decision() {
    let site = Site::new();
    let answered = verify(&site, &first(Some("123456")));
    assert_eq!((answered.status, answered.result(), answered.text()), (1, "deny", FAILED));
    assert!(site.logs().contains("enroll USER"), "the remedy is said on standard error");
    site.enroll("alice");
    std::fs::write(site.config(), "[totp]\nwindow = 'wide'\n").unwrap();
    let answered = verify(&site, &first(Some("123456")));
    assert_eq!((answered.status, answered.result(), answered.text()), (1, "deny", FAILED));
    assert!(site.logs().contains("config.toml"));
}

#[test]
fn a_decision_that_cannot_be_delivered_is_none() {
    let (site, token) = alice();
    let log = std::fs::File::create(site.new_log()).unwrap();
    let mut command = program(&site);
    command.stdin(Stdio::piped()).stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let mut child = command.stderr(log).spawn().unwrap();
    let request = first(Some(&token.code())).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(site.logged(&["event=verdict", "door=verify", "outcome=not-delivered"]));
}

#[test]
fn names_and_addresses_in_the_environment_count_for_nothing() {
    let (site, token) = alice();
    let bob = site.enroll("bob");
    let mut command = program(&site);
    for (name, value) in [
        ("username", "bob"),
        ("password", "123456"),
        ("common_name", "bob"),
        ("untrusted_ip", "192.0.2.99"),
        ("session_state", "Authenticated"),
        ("auth_control_file", "/nonexistent"),
    ] {
        command.env(name, value);
    }
    hand(&site, command, first(Some(&bob.code())).to_string().as_bytes()).is_denied("Incorrect code");
    assert!(!site.logs().contains("192.0.2.99"));
    verify(&site, &first(Some(&token.code()))).is_allowed("totp");
}

#[test]
fn it_speaks_json_only() {
    let (site, _) = alice();
    let printed = site.admin(&["verify"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (2, ""));
    assert!(printed.stderr.contains("openvpn-2fa verify --json"));
    let printed = site.admin(&["verify", "--json", "alice"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (2, ""));
}

#[test]
fn it_runs_where_openvpns_variables_are_not_and_needs_no_more_than_the_database() {
    let (site, token) = alice();
    let mut command = Command::new(PROGRAM);
    command.env_clear().current_dir("/").arg("--config").arg(site.config()).args(["--json", "verify"]);
    hand(&site, command, first(Some(&token.code())).to_string().as_bytes()).is_allowed("totp");
}

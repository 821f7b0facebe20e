//! Duo, against the look-alike of `tests/duo`.

use super::*;
use crate::duo::{Channel, Phone, Policy, User};
use crate::support::DuoSite;
use serde_json::json;
use std::time::Duration;

fn office(setenv: &[(&str, &str)]) -> DuoSite {
    let site = DuoSite::with(setenv);
    let alice = User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO));
    site.duo.add(alice.passcode("123456").sms_passcode("777777"));
    site
}

fn first() -> Value {
    json!({ "user": "alice", "primary": "passed", "address": "192.0.2.7" })
}

fn answer(question: &Answered, answer: &str) -> Value {
    json!({ "user": "alice", "state": question.state(), "answer": answer, "address": "192.0.2.7" })
}

#[test]
fn a_menu_is_put_and_a_choice_decides() {
    let site = office(&[]);
    let question = verify(&site, &first());
    question.asks(
        "Duo login for alice. Passcode, or 1 push XXX-XXX-0100, 2 phone XXX-XXX-0100, 3 sms XXX-XXX-0100",
    );
    verify(&site, &answer(&question, "2")).is_allowed("duo");
    assert_eq!(site.duo.sent().pop().unwrap().channel, Channel::Phone);
    verify(&site, &answer(&question, "1")).is_denied("Authentication failed");
    let question = verify(&site, &first());
    let question = verify(&site, &answer(&question, "9"));
    question.asks("Incorrect code, try again");
    verify(&site, &answer(&question, "123456")).is_allowed("duo");
    assert!(site.logged(&["event=answer door=verify user=alice client=192.0.2.7 factor=duo outcome=accept"]));
}

#[test]
fn after_passcodes_were_sent_one_is_asked_for() {
    let site = office(&[]);
    let question = verify(&site, &first());
    let question = verify(&site, &answer(&question, "sms"));
    question.asks("Passcodes were sent, enter one of them");
    verify(&site, &answer(&question, "777777")).is_allowed("duo");
}

#[test]
fn a_push_without_a_question_decides() {
    let site = office(&[("duoAutopush", "true")]);
    verify(&site, &first()).is_allowed("duo");
    assert_eq!(site.duo.sent().pop().unwrap().channel, Channel::Push);
    let bob = User::with_phone("bob").phone(Phone::DeniesAfter(Duration::ZERO));
    site.duo.add(bob);
    let denied = verify(&site, &json!({ "user": "bob", "primary": "passed" }));
    assert_eq!((denied.status, denied.result()), (0, "deny"));
    assert_eq!(site.failed("bob"), 1);
}

#[test]
fn a_push_that_nobody_answers_ends_with_the_time_that_duo_has() {
    let site = office(&[("duoAutopush", "true"), ("duoTimeout", "2")]);
    site.duo.add(User::with_phone("bob").phone(Phone::WhenTold));
    let request = json!({ "user": "bob", "primary": "passed" });
    verify(&site, &request).is_denied("No answer to the login request, try again");
    verify(&site, &request)
        .is_denied("Another login waits for your answer on your phone, answer it or wait a minute");
}

#[test]
fn the_question_of_the_settings_is_put() {
    let site = office(&[("duoPrompt", "generic"), ("duoPromptText", "Which factor?")]);
    let question = verify(&site, &first());
    question.asks("Which factor?");
    assert!(site.duo.requests().is_empty());
    verify(&site, &answer(&question, "push")).is_allowed("duo");
}

#[test]
fn a_factor_that_comes_with_the_password_decides() {
    let site = office(&[]);
    let mut request = first();
    request["answer"] = "push".into();
    verify(&site, &request).is_allowed("duo");
}

#[test]
fn who_is_unknown_is_told_where_to_enrol_and_whom_duo_lets_pass_is_in() {
    let site = office(&[]);
    site.duo.add(User::new("carol").policy(Policy::Enroll("https://enroll.example/x".to_owned())));
    verify(&site, &json!({ "user": "carol", "primary": "passed" }))
        .is_denied("Enrol to go on. - enrol at https://enroll.example/x");
    site.duo.add(User::new("dave").policy(Policy::Allow));
    verify(&site, &json!({ "user": "dave", "primary": "passed" })).is_allowed("duo");
    assert!(site.logged(&["user=dave", "reason=duo-bypass"]));
}

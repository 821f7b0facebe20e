//! PAM modules that ask for more than a password, or change who it is about.

use std::sync::OnceLock;

use super::FAILED;
use crate::harness::accounts::pam_service;
use crate::harness::report::Case;
use crate::harness::sandbox;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_module_that_asks_once_is_answered,
        a_module_that_talks_and_asks_is_answered,
        a_second_hidden_prompt_is_refused,
        two_hidden_prompts_at_once_are_refused,
        a_visible_prompt_is_refused,
        a_module_that_does_not_care_for_the_answer_lets_nobody_in,
        a_module_that_changes_the_user_lets_nobody_in,
        a_module_that_breaks_the_rules_of_a_conversation_lets_nobody_in,
    ]
}

/// A PAM service with our own module, which does `task`.
fn service(task: &str) -> String {
    static MODULE: OnceLock<String> = OnceLock::new();
    let module = MODULE.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/pam_probe.c");
        let module = sandbox::root().join("pam_probe.so").display().to_string();
        sandbox::run("cc", ["-shared", "-fPIC", "-Wall", "-Werror", "-o", &module, source]);
        module
    });
    pam_service(&format!("auth required {module} {task}\naccount required {module}\n"))
}

fn server_with(task: &str) -> Server {
    Server::builder().set("pam", "service", service(task).as_str()).start()
}

fn a_module_that_asks_once_is_answered() {
    lets_in("ask-once");
    lets_in("ask-without-text");
}

fn a_module_that_talks_and_asks_is_answered() {
    lets_in("talk-and-ask");
}

fn lets_in(task: &str) {
    let server = server_with(task);
    let enrolment = server.enroll("alice");
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1("alice", "any password", &enrolment.code()).expect_connected();
}

fn lets_nobody_in(task: &str, logged: &str) {
    let server = server_with(task);
    let enrolment = server.enroll("alice");
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1("alice", "any password", &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains(logged), "{log}");
}

fn a_second_hidden_prompt_is_refused() {
    lets_nobody_in("ask-twice", "event=pam-prompt reason=\"a PAM module asks for a second hidden answer");
}

fn two_hidden_prompts_at_once_are_refused() {
    lets_nobody_in("ask-two-at-once", "a PAM module asks for a second hidden answer");
}

fn a_visible_prompt_is_refused() {
    lets_nobody_in("ask-visibly", "a PAM module asks for a visible answer");
}

fn a_module_that_does_not_care_for_the_answer_lets_nobody_in() {
    lets_nobody_in("ask-twice-and-not-care", "reason=primary-denied");
}

fn a_module_that_changes_the_user_lets_nobody_in() {
    lets_nobody_in("change-the-user", "PAM changed the user to \\\"root\\\"");
}

/// Nothing, a negative number, more than there may be, of no known kind, and none where one is announced.
fn a_module_that_breaks_the_rules_of_a_conversation_lets_nobody_in() {
    for task in ["ask-nothing", "ask-too-much", "ask-without-message"] {
        lets_nobody_in(
            task,
            "reason=primary-denied detail=\"authentication: Authentication failure (PAM 7)\"",
        );
    }
    lets_nobody_in("ask-strangely", "a PAM module sent a message of an unknown kind");
}

//! Which challenge a client gets, and what a wrong answer leads to.

use std::time::{Duration, Instant};

use super::{EXPIRED, FAILED, INCORRECT, PROMPT, Scene, TRY_AGAIN};
use crate::harness::client::Client;
use crate::harness::pki::pki;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_wrong_code_by_crtext_leads_to_a_new_question,
        a_wrong_code_by_crtext_leads_to_a_new_question_when_openvpn_does_not_wait,
        a_wrong_code_by_crv1_leads_to_a_new_question,
        a_wrong_code_by_scrv1_is_refused,
        a_wrong_appended_code_is_refused,
        crv1_can_be_asked_of_a_client_with_crtext,
        a_tunnelblick_without_a_window_for_crtext_is_asked_by_crv1,
        a_tunnelblick_with_a_window_for_crtext_is_asked_by_it,
        a_client_that_lists_several_methods_is_asked_by_crtext,
        a_client_that_lists_other_methods_is_asked_by_crv1,
        a_client_without_crtext_is_told_so_when_it_must_have_it,
        a_client_with_crtext_connects_when_it_must_have_it,
        no_challenge_is_asked_when_challenges_are_off,
        an_answer_after_the_challenge_timeout_is_refused,
        a_question_can_be_answered_once,
        a_question_is_for_one_user,
        a_question_is_for_one_certificate,
        a_made_up_question_cannot_be_answered,
        deleting_a_user_ends_the_pending_question,
        an_empty_answer_to_a_question_is_refused,
    ]
}

/// Answers the new question rightly, and is in.
fn right_code_after(scene: &Scene, client: &mut Client, wrong: &str) {
    client.respond(wrong);
    let question = client.reply().expect_question(TRY_AGAIN);
    assert_eq!(question.username(), scene.user.name);
    client.answer(&question, &scene.enrolment.code());
    client.reply().expect_connected();
}

fn a_wrong_code_by_crtext_leads_to_a_new_question() {
    let scene = Scene::new();
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    client.reply().expect_prompt();
    right_code_after(&scene, &mut client, &scene.enrolment.wrong_code());
}

fn a_wrong_code_by_crtext_leads_to_a_new_question_when_openvpn_does_not_wait() {
    let scene = Scene::with(Server::builder().set("auth", "stall_budget_ms", 0));
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    client.reply().expect_prompt();
    right_code_after(&scene, &mut client, &scene.enrolment.wrong_code());
}

fn a_wrong_code_by_crv1_leads_to_a_new_question() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let first = client.reply().expect_question(PROMPT);
    client.answer(&first, &enrolment.wrong_code());
    let second = client.reply().expect_question(TRY_AGAIN);
    assert_ne!(first.state, second.state);
    client.answer(&second, &enrolment.code());
    client.reply().expect_connected();
}

fn a_wrong_code_by_scrv1_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().static_challenge("Your code").start();
    let wrong = enrolment.wrong_code();
    client.log_in_by_scrv1(&user.name, &user.password, &wrong).expect_refusal(INCORRECT);
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn a_wrong_appended_code_is_refused() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("auth", "appended", "comma"));
    let mut client = server.client().start();
    client.log_in(&user.name, &format!("{},{}", user.password, enrolment.wrong_code()));
    client.reply().expect_refusal(INCORRECT);
    server.let_nobody_in();
}

fn crv1_can_be_asked_of_a_client_with_crtext() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("auth", "challenge", "crv1"));
    let mut client = server.client().crtext().start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn a_tunnelblick_without_a_window_for_crtext_is_asked_by_crv1() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server
        .client()
        .crtext()
        .line(r#"setenv IV_GUI_VER "net.tunnelblick.tunnelblick 6180 8.1alpha01 (build 6180)""#)
        .start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
}

fn a_tunnelblick_with_a_window_for_crtext_is_asked_by_it() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server
        .client()
        .crtext()
        .line(r#"setenv IV_GUI_VER "net.tunnelblick.tunnelblick 6320 8.1beta02 (build 6320)""#)
        .start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn a_client_that_lists_several_methods_is_asked_by_crtext() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().line("setenv IV_SSO webauth,openurl,crtext").start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn a_client_that_lists_other_methods_is_asked_by_crv1() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().line("setenv IV_SSO webauth,crtextual").start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn a_client_without_crtext_is_told_so_when_it_must_have_it() {
    let Scene { server, user, .. } = Scene::with(Server::builder().set("auth", "challenge", "crtext"));
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let reason = client.reply().expect_refused();
    let words = ["support", "method", "challenge", "client"];
    assert!(words.iter().any(|word| reason.contains(word)), "does not say what is missing: {reason:?}");
    server.let_nobody_in();
}

fn a_client_with_crtext_connects_when_it_must_have_it() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("auth", "challenge", "crtext"));
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn no_challenge_is_asked_when_challenges_are_off() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("auth", "challenge", "off"));
    let mut plain = server.client().crtext().start();
    plain.log_in(&user.name, &user.password);
    plain.reply().expect_refused();
    server.let_nobody_in();
    let mut with_response = server.client().static_challenge("Your code").start();
    with_response.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn an_answer_after_the_challenge_timeout_is_refused() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("totp", "challenge_timeout", 2));
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    let asked = Instant::now();
    client.prompt();
    std::thread::sleep((asked + Duration::from_millis(3100)).saturating_duration_since(Instant::now()));
    client.give(&user.name, &question.answered_with(&enrolment.code()));
    client.reply().expect_refusal(EXPIRED);
    server.let_nobody_in();
}

fn a_question_can_be_answered_once() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
    let mut other = server.client().start();
    // Not even with another code that is right.
    other.log_in(&user.name, &question.answered_with(&enrolment.next_code()));
    other.reply().expect_refused();
    assert_eq!(server.let_in(), 1);
}

fn a_question_is_for_one_user() {
    let scene = Scene::new();
    let (other, other_enrolment) = scene.another_user();
    let mut client = scene.server.client().start();
    client.log_in(&scene.user.name, &scene.user.password);
    let question = client.reply().expect_question(PROMPT);
    let mut thief = scene.server.client().start();
    thief.log_in(&other.name, &question.answered_with(&other_enrolment.code()));
    thief.reply().expect_refused();
    thief.log_in(&other.name, &question.answered_with(&scene.enrolment.code()));
    thief.reply().expect_refused();
    scene.server.let_nobody_in();
}

fn a_question_is_for_one_certificate() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    let mut thief = server.client().certificate(&pki().other_client).start();
    thief.log_in(&user.name, &question.answered_with(&enrolment.code()));
    thief.reply().expect_refused();
    server.let_nobody_in();
}

fn a_made_up_question_cannot_be_answered() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    let code = enrolment.code();
    let made_up = [
        format!("CRV1::0123456789abcdef::{code}"),
        format!("CRV1::::{code}"),
        format!("CRV1:R,E:x:{code}"),
        format!("CRV1::../../etc/passwd::{code}"),
        format!("CRV1::%::{code}"),
        "CRV1::".into(),
    ];
    for password in made_up {
        client.log_in(&user.name, &password);
        client.outcome().expect_refused();
    }
    server.let_nobody_in();
    client.log_in_by_crtext(&user.name, &user.password, &code).expect_connected();
}

fn deleting_a_user_ends_the_pending_question() {
    let Scene { server, user, .. } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    assert!(server.administer(&["delete", &user.name]).status.success());
    let enrolment = server.enroll(&user.name);
    client.answer(&question, &enrolment.code());
    client.reply().expect_refused();
    server.let_nobody_in();
}

fn an_empty_answer_to_a_question_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, "");
    client.reply().expect_not_let_in();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, "").expect_not_let_in();
    client.log_in_by_scrv1(&user.name, "", &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

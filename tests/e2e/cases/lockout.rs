//! Too many wrong codes.

use std::time::{Duration, Instant};

use super::{FAILED, INCORRECT, LOCKED, Scene, TRY_AGAIN};
use crate::harness::client::Client;
use crate::harness::management::static_response;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        too_many_wrong_codes_lock_the_user_for_a_while_and_use_up_no_code,
        too_many_wrong_answers_end_the_questions,
        a_locked_user_with_a_wrong_password_is_told_nothing,
        one_users_failures_lock_nobody_else,
        a_right_code_forgets_the_failures,
        wrong_passwords_are_not_failures_of_the_second_factor,
    ]
}

/// As many wrong static responses as lock the user.
fn fail(scene: &Scene, client: &mut Client, times: usize) {
    for wrong in scene.enrolment.wrong_codes(times) {
        let reply = client.log_in_by_scrv1(&scene.user.name, &scene.user.password, &wrong);
        let reason = reply.expect_refused();
        // The failure that reaches the limit may say so already.
        assert!(reason.starts_with(INCORRECT) || reason.starts_with(LOCKED), "{reason:?}");
    }
}

fn too_many_wrong_codes_lock_the_user_for_a_while_and_use_up_no_code() {
    let seconds = 8;
    let builder = Server::builder().set("lockout", "max_failures", 2).set("lockout", "seconds", seconds);
    let scene = Scene::with(builder.set("totp", "window", 2));
    let Scene { server, user, enrolment } = &scene;
    let mut client = server.client().static_challenge("Your code").start();
    fail(&scene, &mut client, 2);
    let locked = Instant::now();
    let code = enrolment.code();
    client.log_in_by_scrv1(&user.name, &user.password, &code).expect_refusal(LOCKED);
    server.let_nobody_in();
    client.prompt();
    let end = locked + Duration::from_secs(seconds.unsigned_abs() + 1);
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    let both = static_response(&user.password, &code);
    client.give(&user.name, &both);
    client.reply().expect_connected();
}

fn too_many_wrong_answers_end_the_questions() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("lockout", "max_failures", 3));
    let mut client = server.client().crtext().start();
    let wrong = enrolment.wrong_codes(3);
    let reply = client.log_in_by_crtext(&user.name, &user.password, &wrong[0]);
    let question = reply.expect_question(TRY_AGAIN);
    client.answer(&question, &wrong[1]);
    let question = client.reply().expect_question(TRY_AGAIN);
    client.answer(&question, &wrong[2]);
    client.reply().expect_refusal(LOCKED);
    let reply = client.log_in_by_crtext(&user.name, &user.password, &enrolment.code());
    reply.expect_refusal(LOCKED);
    server.let_nobody_in();
}

fn a_locked_user_with_a_wrong_password_is_told_nothing() {
    let scene = Scene::with(Server::builder().set("lockout", "max_failures", 1));
    let mut client = scene.server.client().static_challenge("Your code").start();
    fail(&scene, &mut client, 1);
    client.log_in_by_scrv1(&scene.user.name, "wrong", &scene.enrolment.code()).expect_refusal(FAILED);
    client
        .log_in_by_scrv1(&scene.user.name, &scene.user.password, &scene.enrolment.code())
        .expect_refusal(LOCKED);
    scene.server.let_nobody_in();
}

fn one_users_failures_lock_nobody_else() {
    let scene = Scene::with(Server::builder().set("lockout", "max_failures", 1));
    let (other, other_enrolment) = scene.another_user();
    let mut client = scene.server.client().static_challenge("Your code").start();
    fail(&scene, &mut client, 1);
    client.log_in_by_scrv1(&other.name, &other.password, &other_enrolment.code()).expect_connected();
}

fn a_right_code_forgets_the_failures() {
    let scene = Scene::with(Server::builder().set("lockout", "max_failures", 2));
    let Scene { server, user, enrolment } = &scene;
    let mut client = server.client().static_challenge("Your code").start();
    fail(&scene, &mut client, 1);
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    let mut client = server.client().static_challenge("Your code").start();
    fail(&scene, &mut client, 1);
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

fn wrong_passwords_are_not_failures_of_the_second_factor() {
    let scene = Scene::with(Server::builder().set("lockout", "max_failures", 1));
    let Scene { server, user, enrolment } = &scene;
    let mut client = server.client().static_challenge("Your code").start();
    for wrong in enrolment.wrong_codes(2) {
        client.log_in_by_scrv1(&user.name, "wrong", &wrong).expect_refusal(FAILED);
    }
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

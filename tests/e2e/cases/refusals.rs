//! Who does not get in, and what is told.

use super::{FAILED, INCORRECT, Scene};
use crate::harness::accounts::{UnixUser, permissive_pam_service};
use crate::harness::management::static_response;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_wrong_password_is_refused_whatever_the_code,
        a_wrong_password_is_refused_when_openvpn_does_not_wait,
        a_wrong_password_by_crv1_is_refused,
        a_wrong_password_by_scrv1_is_refused_with_a_right_code,
        an_unknown_user_is_told_what_a_wrong_password_is_told,
        a_user_who_is_not_enrolled_is_refused,
        a_user_who_is_not_enrolled_connects_by_password_where_that_is_allowed,
        an_empty_password_is_refused_although_pam_would_take_it,
        a_code_in_the_password_field_alone_is_refused,
        an_appended_code_is_a_wrong_password_where_none_are_appended,
        the_same_code_again_is_refused,
        the_same_code_again_by_crtext_is_refused,
        a_code_from_outside_the_window_is_refused,
        another_users_code_is_refused,
        a_malformed_static_response_is_refused,
        another_spelling_of_the_name_is_another_user,
    ]
}

/// The client may see a prompt before it is refused: the password is checked while the user types.
fn a_wrong_password_is_refused_whatever_the_code() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, "wrong", &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
    // The right code was not used up by a login with a wrong password.
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn a_wrong_password_is_refused_when_openvpn_does_not_wait() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("auth", "stall_budget_ms", 0));
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, "wrong", &enrolment.code()).expect_refusal(FAILED);
    // Nobody answers: the failure of the password ends the login with the prompt open.
    client.log_in(&user.name, "wrong");
    client.outcome().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_wrong_password_by_crv1_is_refused() {
    let Scene { server, user, .. } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, "wrong");
    client.reply().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_wrong_password_by_scrv1_is_refused_with_a_right_code() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, "wrong", &enrolment.code()).expect_refusal(FAILED);
    client.log_in_by_scrv1(&user.name, "wrong", &enrolment.wrong_code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn an_unknown_user_is_told_what_a_wrong_password_is_told() {
    let Scene { server, user, enrolment } = Scene::new();
    let enrolled_only = server.enroll("nobody-here");
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext("no-such-user", &user.password, &enrolment.code()).expect_refusal(FAILED);
    client.log_in_by_crtext("nobody-here", &user.password, &enrolled_only.code()).expect_refusal(FAILED);
    let mut client = server.client().start();
    client.log_in_by_crv1("no-such-user", &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_user_who_is_not_enrolled_is_refused() {
    let Scene { server, enrolment, .. } = Scene::new();
    let stranger = UnixUser::new();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&stranger.name, &stranger.password, &enrolment.code()).expect_not_let_in();
    let mut client = server.client().start();
    client.log_in_by_crv1(&stranger.name, &stranger.password, &enrolment.code()).expect_not_let_in();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&stranger.name, &stranger.password, &enrolment.code()).expect_not_let_in();
    client.log_in_by_scrv1(&stranger.name, &stranger.password, "").expect_not_let_in();
    server.let_nobody_in();
}

fn a_user_who_is_not_enrolled_connects_by_password_where_that_is_allowed() {
    let Scene { server, user, .. } = Scene::with(Server::builder().set("auth", "unenrolled", "allow"));
    let stranger = UnixUser::new();
    let mut client = server.client().start();
    client.log_in(&stranger.name, "wrong");
    client.reply().expect_refusal(FAILED);
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(super::PROMPT);
    client.answer(&question, "");
    client.reply().expect_not_let_in();
    server.let_nobody_in();
    let mut client = server.client().start();
    client.log_in(&stranger.name, &stranger.password);
    client.reply().expect_connected();
    // Prompt or no prompt, a client with crtext gets in as well.
    let mut client = server.client().crtext().start();
    client.log_in(&stranger.name, &stranger.password);
    client.outcome().expect_connected();
}

fn an_empty_password_is_refused_although_pam_would_take_it() {
    let service = permissive_pam_service();
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, "");
    client.outcome().expect_refusal(FAILED);
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, "", &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_code_in_the_password_field_alone_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &enrolment.code());
    client.reply().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn an_appended_code_is_a_wrong_password_where_none_are_appended() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    client.log_in(&user.name, &format!("{},{}", user.password, enrolment.code()));
    client.reply().expect_refusal(FAILED);
    client.log_in(&user.name, &format!("{}{}", user.password, enrolment.code()));
    client.reply().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn the_same_code_again_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let code = enrolment.code();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &code).expect_connected();
    let mut again = server.client().static_challenge("Your code").start();
    again.log_in_by_scrv1(&user.name, &user.password, &code).expect_refusal(INCORRECT);
    assert_eq!(server.let_in(), 1);
    again.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

fn the_same_code_again_by_crtext_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let code = enrolment.code();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &code).expect_connected();
    let mut again = server.client().crtext().start();
    let question =
        again.log_in_by_crtext(&user.name, &user.password, &code).expect_question(super::TRY_AGAIN);
    again.answer(&question, &code);
    again.reply().expect_not_let_in();
    assert_eq!(server.let_in(), 1);
}

fn a_code_from_outside_the_window_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code_in(3)).expect_refusal(INCORRECT);
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code_in(-3)).expect_refusal(INCORRECT);
    server.let_nobody_in();
}

fn another_users_code_is_refused() {
    let scene = Scene::new();
    let (_, others) = scene.another_user();
    let mut client = scene.server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&scene.user.name, &scene.user.password, &others.code()).expect_refusal(INCORRECT);
    scene.server.let_nobody_in();
}

fn a_malformed_static_response_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let right = static_response(&user.password, &enrolment.code());
    let mut client = server.client().start();
    let cut = &right[..right.len() - 3];
    for password in ["SCRV1", "SCRV1:", "SCRV1::", "SCRV1:!:!", "SCRV1:a:b:c", cut] {
        client.log_in(&user.name, password);
        client.reply().expect_refused();
    }
    client.log_in(&user.name, &format!("{right}:"));
    client.reply().expect_refused();
    server.let_nobody_in();
}

/// `pam_unix` takes names as they are, so this holds of the store: no spelling gets around an enrolment.
fn another_spelling_of_the_name_is_another_user() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().static_challenge("Your code").start();
    for name in [user.name.to_uppercase(), format!("{} ", user.name), format!(" {}", user.name)] {
        client.log_in_by_scrv1(&name, &user.password, &enrolment.code()).expect_refused();
    }
    server.let_nobody_in();
}

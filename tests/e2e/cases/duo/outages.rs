//! Duo cannot be reached, or answers what nobody can act on: `failmode` decides, and only for those whose password is
//! right, and only as long as no factor was sent.

use super::{Scene, WRONG_PASSCODE, autopush, duo, generic, impatient, wait_for_decision};
use crate::cases::FAILED;
use crate::duo::{Certificate, Endpoint, Misbehaviour, RetryAfter};
use crate::harness::management::static_response;
use crate::harness::report::Case;
use crate::harness::server_builder::ServerBuilder;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        silence_is_over_before_the_client_gives_up,
        a_closed_port_lets_a_right_password_in_where_it_may,
        a_closed_port_lets_nobody_in_where_it_may_not,
        a_duo_that_never_answers_lets_a_right_password_in_where_it_may,
        a_duo_that_never_answers_lets_nobody_in_where_it_may_not,
        a_failing_duo_lets_a_right_password_in_where_it_may,
        the_generic_prompt_fails_open_once_it_is_answered,
        nothing_but_duo_out_of_reach_fails_open,
        a_wrong_key_fails_secure,
        a_factor_that_was_sent_never_fails_open,
        a_status_that_is_lost_for_a_moment_does_no_harm,
        a_rate_limit_is_waited_for,
    ]
}

const UNAVAILABLE: &str = "The second factor cannot be checked now, try again later";

fn safe(server: ServerBuilder) -> ServerBuilder {
    server.set("duo", "failmode", "safe")
}

/// Nobody listens there.
fn closed(server: ServerBuilder) -> ServerBuilder {
    server.set("duo", "port", 9)
}

/// In every form of a login: with a wrong password first, then with the right one.
fn only_a_right_password_gets_in(scene: &Scene) {
    let Scene { server, user } = scene;
    let mut plain = server.client().start();
    let mut with_response = server.client().static_challenge("Duo").start();
    let mut with_prompt = server.client().crtext().start();
    plain.log_in(&user.name, "wrong");
    with_response.log_in(&user.name, &static_response("wrong", "push"));
    with_prompt.log_in(&user.name, "wrong");
    for client in [&mut plain, &mut with_response, &mut with_prompt] {
        client.outcome().expect_refusal(FAILED);
    }
    server.let_nobody_in();
    scene.log_in(&mut plain);
    with_response.log_in(&user.name, &static_response(&user.password, WRONG_PASSCODE));
    scene.log_in(&mut with_prompt);
    for client in [&mut plain, &mut with_response, &mut with_prompt] {
        client.reply().expect_connected();
    }
    wait_for_decision(server, user, "accept", "duo-failed-open");
    assert_eq!(server.let_in(), 3);
}

/// Whatever the password.
fn nobody_gets_in(scene: &Scene) {
    let Scene { server, user } = scene;
    let mut plain = server.client().start();
    let mut with_response = server.client().static_challenge("Duo").start();
    let mut wrong = server.client().start();
    scene.log_in(&mut plain);
    with_response.log_in(&user.name, &static_response(&user.password, WRONG_PASSCODE));
    wrong.log_in(&user.name, "wrong");
    plain.reply().expect_refusal(UNAVAILABLE);
    with_response.reply().expect_refusal(UNAVAILABLE);
    wrong.reply().expect_refusal(FAILED);
    wait_for_decision(server, user, "reject", "duo-unavailable");
    server.let_nobody_in();
}

fn a_closed_port_lets_a_right_password_in_where_it_may() {
    only_a_right_password_gets_in(&Scene::new(closed(safe(duo()))));
}

fn a_closed_port_lets_nobody_in_where_it_may_not() {
    nobody_gets_in(&Scene::new(closed(duo())));
}

fn stalling(server: ServerBuilder) -> Scene {
    let scene = Scene::new(server.set("duo", "timeout", 2));
    scene.server.duo().misbehave(Misbehaviour::StallBeforeTls.always());
    scene
}

fn a_duo_that_never_answers_lets_a_right_password_in_where_it_may() {
    only_a_right_password_gets_in(&stalling(safe(duo())));
}

fn a_duo_that_never_answers_lets_nobody_in_where_it_may_not() {
    nobody_gets_in(&stalling(impatient(duo())));
}

fn a_failing_duo_lets_a_right_password_in_where_it_may() {
    let scene = Scene::new(safe(autopush()));
    for failure in [Misbehaviour::status(503), Misbehaviour::garbage(), Misbehaviour::Truncated] {
        scene.server.duo().behave();
        scene.server.duo().misbehave(failure.clone().always());
        let mut client = scene.server.client().start();
        scene.log_in(&mut client);
        client.reply().expect_connected();
        client.leave();
    }
    assert_eq!(scene.server.duo().sent(), []);
}

/// No look-up comes before the answer.
fn the_generic_prompt_fails_open_once_it_is_answered() {
    let scene = Scene::new(closed(safe(generic())));
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, "wrong");
    client.reply().expect_prompt();
    client.respond("push");
    client.reply().expect_refusal(FAILED);
    scene.server.let_nobody_in();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    client.reply().expect_connected();
    wait_for_decision(&scene.server, &scene.user, "accept", "duo-failed-open");
}

fn nothing_but_duo_out_of_reach_fails_open() {
    let scene = Scene::new(safe(autopush()));
    let duo = scene.server.duo();
    let refused = |what: &str| {
        let mut client = scene.server.client().start();
        scene.log_in(&mut client);
        let reason = client.reply().expect_refused();
        assert!(reason.starts_with(UNAVAILABLE), "{what}: {reason:?}");
    };
    for (status, code) in [(400, 40002), (401, 40102), (403, 40301), (404, 40401)] {
        duo.behave();
        duo.misbehave(Misbehaviour::refusal(status, code, "no").always());
        refused(&status.to_string());
    }
    duo.behave();
    duo.misbehave(Misbehaviour::redirect(302, "https://elsewhere.invalid/").always());
    refused("a redirect");
    duo.behave();
    for certificate in [Certificate::OtherHost, Certificate::OtherAuthority, Certificate::Expired] {
        duo.present(certificate);
        refused(&format!("{certificate:?}"));
    }
    duo.present(Certificate::Good);
    assert_eq!(duo.sent(), []);
    scene.server.let_nobody_in();
}

fn a_wrong_key_fails_secure() {
    let server = safe(autopush());
    let key = server.directory().join("other.skey");
    std::fs::create_dir_all(server.directory()).unwrap();
    std::fs::write(&key, "0123456789012345678901234567890123456789").unwrap();
    crate::harness::sandbox::run("chmod", ["600", &key.display().to_string()]);
    let scene = Scene::new(server.set("duo", "skey_file", key.display().to_string().as_str()));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal(UNAVAILABLE);
    assert!(!scene.server.duo().take_faults().is_empty(), "Duo accepted a wrong signature");
    let log = wait_for_decision(&scene.server, &scene.user, "reject", "duo-unavailable");
    assert!(log.contains("skey"), "the log does not say what to check: {log}");
    // A key that others can read is none.
    crate::harness::sandbox::run("chmod", ["644", &key.display().to_string()]);
    scene.log_in(&mut client);
    client.reply().expect_refusal(UNAVAILABLE);
    assert_eq!(scene.server.duo().take_faults(), [], "Duo was asked with a key that others can read");
    scene.server.let_nobody_in();
}

fn a_factor_that_was_sent_never_fails_open() {
    let troubles = [
        (Endpoint::Auth, Misbehaviour::CloseAfterRequest),
        (Endpoint::Auth, Misbehaviour::status(500)),
        (Endpoint::AuthStatus, Misbehaviour::StallAfterRequest),
        (Endpoint::AuthStatus, Misbehaviour::status(502)),
    ];
    let mut logins = troubles.map(|(at, trouble)| {
        let scene = Scene::new(safe(autopush()).set("duo", "timeout", 4));
        scene.server.duo().misbehave(trouble.always().at(at));
        let mut client = scene.server.client().start();
        scene.log_in(&mut client);
        (scene, client)
    });
    for (scene, client) in &mut logins {
        client.reply().expect_refused();
        scene.server.let_nobody_in();
    }
}

fn a_status_that_is_lost_for_a_moment_does_no_harm() {
    let scene = Scene::new(autopush());
    scene.server.duo().misbehave(Misbehaviour::status(503).times(2).at(Endpoint::AuthStatus));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().await_requests(Endpoint::AuthStatus, 3);
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
}

fn a_rate_limit_is_waited_for() {
    let scene = Scene::with(autopush(), |user| user.phone(super::AT_ONCE));
    let limit = Misbehaviour::RateLimited(RetryAfter::Seconds(2));
    scene.server.duo().misbehave(limit.times(1).at(Endpoint::Preauth));
    let mut client = scene.server.client().start();
    client.prompt();
    let begun = Instant::now();
    client.give(&scene.user.name, &scene.user.password);
    client.reply().expect_connected();
    assert!(begun.elapsed() >= Duration::from_secs(2), "Duo was asked again after {:?}", begun.elapsed());
}

/// The settings' defaults, and OpenVPN's. A client that hears nothing within a minute comes again by itself: it would
/// never get in, or send push after push without a word.
fn silence_is_over_before_the_client_gives_up() {
    let silent_duo = Scene::new(safe(autopush()));
    silent_duo.server.duo().misbehave(Misbehaviour::StallBeforeTls.always());
    let silent_phone = Scene::new(safe(autopush()));
    let mut clients = [&silent_duo, &silent_phone].map(|scene| {
        let mut client = scene.server.client().start();
        scene.log_in(&mut client);
        client
    });
    let [without_duo, without_answer] = &mut clients;
    without_duo.reply_within(Duration::from_secs(70)).expect_connected();
    without_answer.reply().expect_refusal("No answer to the login request, try again");
    assert_eq!(silent_phone.server.duo().sent().len(), 1);
    silent_phone.server.let_nobody_in();
}

//! Several users at a time.

use std::time::Duration;

use super::{FAILED, Scene};
use crate::harness::accounts::slow_pam_service;
use crate::harness::client::Client;
use crate::harness::echo::Pinger;
use crate::harness::management::static_response;
use crate::harness::reply::Reply;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, eventually};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        logins_at_the_same_time_do_not_mix,
        one_code_in_two_sessions_at_the_same_time_lets_in_one,
        a_slow_login_does_not_stop_the_traffic_of_others,
        a_client_that_starts_again_at_the_prompt_can_log_in,
        more_logins_than_workers_do_no_harm,
    ]
}

fn logins_at_the_same_time_do_not_mix() {
    let scene = Scene::new();
    let (other, other_enrolment) = scene.another_user();
    let Scene { server, user, enrolment } = &scene;
    let mut one = server.client().crtext().start();
    let mut two = server.client().crtext().start();
    one.log_in(&user.name, &user.password);
    two.log_in(&other.name, &other.password);
    one.reply().expect_prompt();
    two.reply().expect_prompt();
    // Each has the other's code first.
    one.respond(&other_enrolment.code());
    two.respond(&enrolment.code());
    let first = one.reply().expect_question(super::TRY_AGAIN);
    let second = two.reply().expect_question(super::TRY_AGAIN);
    server.let_nobody_in();
    one.answer(&first, &enrolment.code());
    two.answer(&second, &other_enrolment.code());
    one.reply().expect_connected();
    two.reply().expect_connected();
}

fn one_code_in_two_sessions_at_the_same_time_lets_in_one() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut clients = [server.client().crtext().start(), server.client().crtext().start()];
    for client in &mut clients {
        client.log_in(&user.name, &user.password);
    }
    for client in &mut clients {
        client.reply().expect_prompt();
    }
    let code = enrolment.code();
    for client in &mut clients {
        client.respond(&code);
    }
    let replies = clients.each_mut().map(Client::reply);
    let connected = replies.iter().filter(|reply| **reply == Reply::Connected).count();
    assert_eq!(connected, 1, "{replies:?}");
    assert_eq!(server.let_in(), 1);
}

/// Without deferral, a wrong password stops everybody for two seconds, and a slow PAM module for its whole time.
fn a_slow_login_does_not_stop_the_traffic_of_others() {
    let service = slow_pam_service(2);
    let scene = Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let Scene { server, user, enrolment } = &scene;
    let mut first = server.client().crtext().start();
    first.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    let pinger = Pinger::start(first.network(), Duration::from_millis(10), 6000);
    let mut second = server.client().start();
    second.log_in(&user.name, "wrong");
    second.reply().expect_refusal(FAILED);
    let samples = pinger.stop();
    assert!(samples.len() > 100, "{} samples", samples.len());
    let worst = samples.iter().map(|sample| sample.round_trip.unwrap_or(Duration::MAX)).max();
    assert!(worst < Some(Duration::from_millis(900)), "the tunnel stood still for {worst:?}");
}

/// A phone loses its network while the user looks for the code: the session with the prompt stays behind.
fn a_client_that_starts_again_at_the_prompt_can_log_in() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut first = server.client().crtext().start();
    first.log_in(&user.name, &user.password);
    first.reply().expect_prompt();
    drop(first);
    let mut again = server.client().crtext().start();
    again.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    assert!(again.reaches_the_server());
}

fn more_logins_than_workers_do_no_harm() {
    let service = slow_pam_service(2);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("worker", "max", 1);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut clients: Vec<_> = (0..4).map(|_| server.client().static_challenge("Your code").start()).collect();
    let code = enrolment.code();
    for client in &mut clients {
        client.prompt();
        let both = static_response(&user.password, &code);
        client.give(&user.name, &both);
    }
    let replies: Vec<Reply> = clients.iter_mut().map(Client::reply).collect();
    let connected = replies.iter().filter(|reply| **reply == Reply::Connected).count();
    assert_eq!(connected, 1, "one code for all of them: {replies:?}");
    server.still_stands();
    // The busy ones would come back by themselves.
    drop(clients);
    eventually("a free worker", PATIENCE, || server.hook_processes().is_empty().then_some(()));
    let mut after = server.client().static_challenge("Your code").start();
    after.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

//! Duo says no, or yes without a factor, or nobody answers.

use super::{AT_ONCE, Scene, autopush, duo, generic, impatient, patient, wait_for_decision};
use crate::cases::LOCKED;
use crate::duo::{Endpoint, Options, Phone, Policy, User};
use crate::harness::PATIENCE;
use crate::harness::client::Client;
use crate::harness::management::{Event, static_response};
use crate::harness::report::Case;
use crate::harness::server::Server;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_push_that_is_denied_on_the_phone_is_refused,
        a_push_that_is_denied_in_the_session_is_refused,
        a_push_that_cannot_be_delivered_is_refused,
        a_push_that_duo_gives_up_is_refused,
        a_push_that_nobody_answers_is_given_up_in_time,
        fraud_locks_the_user,
        a_second_login_sends_no_second_push,
        a_new_push_can_be_sent_when_the_first_is_decided,
        a_user_whom_duo_lets_pass_is_in_without_a_factor,
        a_user_whom_duo_lets_pass_is_in_with_the_prompt_open,
        a_user_whom_duo_denies_is_told_why,
        a_user_who_is_locked_out_at_duo_is_told_so,
        a_user_unknown_to_duo_is_told_where_to_enrol,
        a_user_unknown_to_duo_is_denied_with_the_prompt_open,
        the_page_for_enrolment_is_opened_by_webauth,
        the_page_for_enrolment_is_opened_by_openurl,
        the_page_for_enrolment_stands_in_the_refusal_when_openvpn_does_not_wait,
    ]
}

const DENIED: &str = "Login request denied.";
const NO_ANSWER: &str = "No answer to the login request, try again";
const PUSH_OPEN: &str = "Another login waits for your answer on your phone, answer it or wait a minute";

fn a_push_that_is_denied_on_the_phone_is_refused() {
    let scene = Scene::new(autopush());
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().deny(&scene.user.name);
    client.reply().expect_refusal(DENIED);
    wait_for_decision(&scene.server, &scene.user, "reject", "duo-denied");
    scene.server.let_nobody_in();
}

fn a_push_that_is_denied_in_the_session_is_refused() {
    let scene = Scene::new(generic());
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    scene.server.duo().deny(&scene.user.name);
    client.reply().expect_refusal(DENIED);
    scene.server.let_nobody_in();
}

fn a_push_that_cannot_be_delivered_is_refused() {
    let scene = Scene::with(autopush(), |user| user.phone(Phone::Unreachable));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal("The push could not be sent.");
    scene.server.let_nobody_in();
}

fn a_push_that_duo_gives_up_is_refused() {
    let give_up = Phone::TimesOutAfter(Duration::from_secs(1));
    let scene = Scene::with(autopush(), |user| user.phone(give_up));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal(NO_ANSWER);
    wait_for_decision(&scene.server, &scene.user, "reject", "duo-no-answer");
    scene.server.let_nobody_in();
}

fn a_push_that_nobody_answers_is_given_up_in_time() {
    let scene = Scene::new(autopush().set("duo", "timeout", 4));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().await_sent(1);
    let sent = Instant::now();
    wait_for_decision(&scene.server, &scene.user, "reject", "duo-no-answer");
    assert!(sent.elapsed() < Duration::from_secs(7), "given up after {:?}", sent.elapsed());
    client.reply().expect_refusal(NO_ANSWER);
    // Too late for this login, and good for no other one.
    scene.server.duo().approve(&scene.user.name);
    scene.server.let_nobody_in();
}

fn fraud_locks_the_user() {
    let scene = Scene::with(patient(autopush()), |user| user.phone(Phone::ReportsFraudAfter(Duration::ZERO)));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal("Login request reported as fraudulent.");
    wait_for_decision(&scene.server, &scene.user, "reject", "duo-fraud");
    let asked = scene.server.duo().requests().len();
    scene.log_in(&mut client);
    client.reply().expect_refusal(LOCKED);
    wait_for_decision(&scene.server, &scene.user, "reject", "locked");
    assert_eq!(scene.server.duo().requests().len(), asked, "Duo was asked about a locked user");
    // Others are not.
    let other = scene.another_user(|user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    client.log_in(&other.name, &other.password);
    client.reply().expect_connected();
    assert_eq!(scene.server.let_in(), 1);
}

fn a_second_login_sends_no_second_push() {
    let scene = Scene::with(duo(), |user| user.passcode(super::PASSCODE));
    let push = static_response(&scene.user.password, "push");
    let mut first = scene.server.client().static_challenge("Duo").start();
    first.log_in(&scene.user.name, &push);
    scene.server.duo().await_sent(1);
    let mut second = scene.server.client().static_challenge("Duo").start();
    for another in ["push", "phone1"] {
        second.log_in_by_scrv1(&scene.user.name, &scene.user.password, another).expect_refusal(PUSH_OPEN);
    }
    wait_for_decision(&scene.server, &scene.user, "reject", "duo-push-open");
    assert_eq!(scene.server.duo().sent().len(), 1);
    // A passcode rings no phone.
    second.log_in_by_scrv1(&scene.user.name, &scene.user.password, super::PASSCODE).expect_connected();
    assert_eq!(scene.server.duo().approve(&scene.user.name), 1);
    first.reply().expect_connected();
    assert_eq!(scene.server.duo().sent().len(), 1);
}

fn a_new_push_can_be_sent_when_the_first_is_decided() {
    let scene = Scene::new(patient(autopush()));
    let mut client = scene.server.client().start();
    for decide in [crate::duo::Lookalike::deny, crate::duo::Lookalike::approve] {
        scene.log_in(&mut client);
        decide(scene.server.duo(), &scene.user.name);
        if scene.server.duo().sent().len() == 1 {
            client.reply().expect_refusal(DENIED);
        }
    }
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent().len(), 2);
}

fn a_user_whom_duo_lets_pass_is_in_without_a_factor() {
    let scene = Scene::with(duo(), |user| user.policy(Policy::Allow));
    let mut client = scene.server.client().start();
    client.log_in(&scene.user.name, "wrong");
    client.reply().expect_refusal(crate::cases::FAILED);
    scene.server.let_nobody_in();
    scene.log_in(&mut client);
    client.reply().expect_connected();
    wait_for_decision(&scene.server, &scene.user, "accept", "duo-bypass");
    assert_eq!(scene.server.duo().requests_to(Endpoint::Auth).len(), 0);
}

/// The look-up waits for the answer, whatever it is.
fn a_user_whom_duo_lets_pass_is_in_with_the_prompt_open() {
    let scene = Scene::with(impatient(generic()), |user| user.policy(Policy::Allow));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent(), []);
}

fn a_user_whom_duo_denies_is_told_why() {
    let policy = Policy::Deny("Your account is disabled: call 555 'now' [please]".to_owned());
    let scene = Scene::with(duo(), |user| user.policy(policy));
    for client in [scene.server.client(), scene.server.client().crtext()] {
        let mut client = client.start();
        scene.log_in(&mut client);
        // Without what some clients would stumble over.
        client.reply().expect_refusal("Your account is disabled call 555 now please");
    }
    scene.server.let_nobody_in();
}

fn a_user_who_is_locked_out_at_duo_is_told_so() {
    let scene = Scene::with(autopush(), |user| user.policy(Policy::LockedOut));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal("The account is locked out.");
    scene.server.let_nobody_in();
}

const PORTAL: &str = "https://enrol.invalid/portal";

fn enrolment() -> String {
    format!("Enrol to go on. - enrol at {PORTAL}")
}

/// A server whose users Duo does not know, and one of them.
fn stranger(server: crate::harness::server_builder::ServerBuilder) -> Scene {
    Scene::with(server, |user| user.policy(Policy::Enroll(PORTAL.to_owned())))
}

fn a_user_unknown_to_duo_is_told_where_to_enrol() {
    // This one was never heard of.
    let server = Server::builder().duo(Options::default()).start();
    let user = crate::harness::accounts::UnixUser::new();
    let mut client = server.client().start();
    client.log_in(&user.name, "wrong");
    client.reply().expect_refusal(crate::cases::FAILED);
    client.log_in(&user.name, &user.password);
    client.reply().expect_refusal(&enrolment());
    wait_for_decision(&server, &user, "reject", "duo-unknown-user");
    server.let_nobody_in();
    // Once enrolled, no more is needed.
    server.duo().add(User::with_phone(&user.name).phone(AT_ONCE));
    client.log_in(&user.name, &user.password);
    assert!(matches!(client.reply(), crate::harness::reply::Reply::Question(_)));
}

fn a_user_unknown_to_duo_is_denied_with_the_prompt_open() {
    let scene = stranger(generic());
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    client.reply().expect_refusal(&enrolment());
    scene.server.let_nobody_in();
}

/// What the client's window is told to open.
fn opened(client: &mut Client) -> String {
    client.wait("a page to open", PATIENCE, |event| match event {
        Event::Other(line) => line
            .strip_prefix(">INFOMSG:")
            .filter(|message| message.starts_with("WEB_AUTH:") || message.starts_with("OPEN_URL:"))
            .map(str::to_owned),
        Event::AuthFailed { reason } => panic!("refused before a page was opened: {reason}"),
        _ => None,
    })
}

fn portal_is_opened(methods: &str, message: &str) {
    let scene = stranger(patient(duo()));
    let mut client = scene.server.client().line(format!("setenv IV_SSO {methods}")).start();
    scene.log_in(&mut client);
    assert_eq!(opened(&mut client), format!("{message}{PORTAL}"));
    client.reply().expect_refusal(&enrolment());
    scene.server.let_nobody_in();
}

fn the_page_for_enrolment_is_opened_by_webauth() {
    portal_is_opened("webauth,openurl,crtext", "WEB_AUTH::");
}

fn the_page_for_enrolment_is_opened_by_openurl() {
    portal_is_opened("openurl", "OPEN_URL:");
}

fn the_page_for_enrolment_stands_in_the_refusal_when_openvpn_does_not_wait() {
    let scene = stranger(impatient(duo()));
    let mut client = scene.server.client().line("setenv IV_SSO webauth,openurl,crtext").start();
    scene.log_in(&mut client);
    client.reply().expect_refusal(&enrolment());
    scene.server.let_nobody_in();
}

//! Right password, right code: by every way that a client has.

use super::{PROMPT, Scene};
use crate::harness::accounts::UnixUser;
use crate::harness::client::Client;
use crate::harness::enrolment::Enrolment;
use crate::harness::management::static_response;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        right_password_and_code_by_crtext_connects,
        right_password_and_code_by_crtext_connects_when_openvpn_does_not_wait,
        right_password_and_code_by_crtext_connects_when_openvpn_waits_long,
        right_password_and_code_by_crv1_connects,
        right_password_and_code_by_crv1_connects_when_openvpn_does_not_wait,
        right_password_and_code_by_crv1_connects_when_openvpn_waits_long,
        right_password_and_code_by_scrv1_connects,
        right_password_and_code_by_scrv1_connects_when_openvpn_does_not_wait,
        scrv1_of_a_client_with_crtext_leads_to_no_further_prompt,
        a_code_appended_after_a_comma_connects,
        appended_digits_connect,
        a_code_with_a_space_in_the_middle_connects,
        a_password_with_odd_characters_connects,
        via_env_connects,
        a_client_over_ipv6_connects,
        options_may_stand_before_the_file_name,
        users_log_in_one_after_the_other,
    ]
}

fn connects_by_crtext(scene: &Scene) {
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    assert_eq!(client.reply().expect_prompt(), PROMPT);
    client.respond(&scene.enrolment.code());
    client.reply().expect_connected();
    assert_is_in(scene, &client);
}

fn connects_by_crv1(scene: &Scene) {
    let mut client = scene.server.client().start();
    client.log_in(&scene.user.name, &scene.user.password);
    let question = client.reply().expect_question(PROMPT);
    assert_eq!(question.username(), scene.user.name);
    client.answer(&question, &scene.enrolment.code());
    client.reply().expect_connected();
    assert_is_in(scene, &client);
}

fn connects_by_scrv1(scene: &Scene) {
    let mut client = scene.server.client().static_challenge("Your code").start();
    let prompted = client.prompt().expect("the client's profile has a static challenge");
    assert_eq!(prompted.text, "Your code");
    assert!(prompted.echo);
    let both = static_response(&scene.user.password, &scene.enrolment.code());
    client.give(&scene.user.name, &both);
    client.reply().expect_connected();
    assert_is_in(scene, &client);
}

/// The tunnel works, and OpenVPN knows whose it is.
fn assert_is_in(scene: &Scene, client: &Client) {
    assert!(client.reaches_the_server(), "nothing comes back through the tunnel");
    let sessions = scene.server.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0].username, scene.user.name);
    assert!(sessions[0].tunnel_address.starts_with("10.8.0."), "{sessions:?}");
    assert_eq!(scene.server.let_in(), 1);
}

fn right_password_and_code_by_crtext_connects() {
    connects_by_crtext(&Scene::new());
}

fn right_password_and_code_by_crtext_connects_when_openvpn_does_not_wait() {
    connects_by_crtext(&Scene::with(Server::builder().set("auth", "stall_budget_ms", 0)));
}

fn right_password_and_code_by_crtext_connects_when_openvpn_waits_long() {
    connects_by_crtext(&Scene::with(Server::builder().set("auth", "stall_budget_ms", 2000)));
}

fn right_password_and_code_by_crv1_connects() {
    connects_by_crv1(&Scene::new());
}

fn right_password_and_code_by_crv1_connects_when_openvpn_does_not_wait() {
    connects_by_crv1(&Scene::with(Server::builder().set("auth", "stall_budget_ms", 0)));
}

fn right_password_and_code_by_crv1_connects_when_openvpn_waits_long() {
    connects_by_crv1(&Scene::with(Server::builder().set("auth", "stall_budget_ms", 2000)));
}

fn right_password_and_code_by_scrv1_connects() {
    connects_by_scrv1(&Scene::new());
}

fn right_password_and_code_by_scrv1_connects_when_openvpn_does_not_wait() {
    connects_by_scrv1(&Scene::with(Server::builder().set("auth", "stall_budget_ms", 0)));
}

fn scrv1_of_a_client_with_crtext_leads_to_no_further_prompt() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn a_code_appended_after_a_comma_connects() {
    let server = Server::builder().set("auth", "appended", "comma").start();
    let user = UnixUser::with_password("before,after");
    let enrolment = server.enroll(&user.name);
    let mut client = server.client().start();
    client.log_in(&user.name, &format!("{},{}", user.password, enrolment.code()));
    client.reply().expect_connected();
}

fn appended_digits_connect() {
    let server = Server::builder().set("auth", "appended", "digits").start();
    let user = UnixUser::with_password("ends in 2026");
    let enrolment = server.enroll(&user.name);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &format!("{}{}", user.password, enrolment.code()));
    client.reply().expect_connected();
}

fn a_code_with_a_space_in_the_middle_connects() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    let code = enrolment.code();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    client.log_in_by_crtext(&user.name, &user.password, &spaced).expect_connected();
}

fn a_password_with_odd_characters_connects() {
    let server = Server::start();
    let user = UnixUser::with_password(r#" '"\ %s:$(id)`x`;&|<>,CRV1::  "#);
    let enrolment = server.enroll(&user.name);
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

fn via_env_connects() {
    let scene = Scene::with(Server::builder().via_env());
    let mut client = scene.server.client().start();
    let code = scene.enrolment.code();
    client.log_in_by_crv1(&scene.user.name, &scene.user.password, &code).expect_connected();
    let mut client = scene.server.client().crtext().start();
    let code = scene.enrolment.next_code();
    client.log_in_by_crtext(&scene.user.name, &scene.user.password, &code).expect_connected();
}

fn a_client_over_ipv6_connects() {
    connects_by_crtext(&Scene::with(Server::builder().ipv6()));
}

fn options_may_stand_before_the_file_name() {
    let builder = Server::builder();
    let database = builder.directory().join("elsewhere.sqlite3");
    let server = builder.hook_options(&format!("--db {}", database.display())).start();
    let user = UnixUser::new();
    let enrolment = Enrolment::new(&database, &user.name, &[], &[]);
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    assert!(!server.database().exists(), "the command line goes before the settings file");
}

fn users_log_in_one_after_the_other() {
    let scene = Scene::new();
    let (other, other_enrolment) = scene.another_user();
    let mut first = scene.server.client().crtext().start();
    first
        .log_in_by_crtext(&scene.user.name, &scene.user.password, &scene.enrolment.code())
        .expect_connected();
    let mut second = scene.server.client().start();
    second.log_in_by_crv1(&other.name, &other.password, &other_enrolment.code()).expect_connected();
    let mut names: Vec<String> = scene.server.sessions().into_iter().map(|s| s.username).collect();
    names.sort();
    let mut wanted = vec![scene.user.name.clone(), other.name];
    wanted.sort();
    assert_eq!(names, wanted);
    first.leave();
    let mut again = scene.server.client().crtext().start();
    let code = scene.enrolment.next_code();
    again.log_in_by_crtext(&scene.user.name, &scene.user.password, &code).expect_connected();
    assert!(again.reaches_the_server());
}

//! Names: from the user, from the certificate, odd ones, none. `[auth] primary = "none"`.

use super::{PROMPT, Scene, TRY_AGAIN};
use crate::harness::accounts::{UnixUser, permissive_pam_service};
use crate::harness::pki::{self, CLIENT};
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        certificate_only_takes_the_code_as_password,
        certificate_only_refuses_a_wrong_code_as_password,
        certificate_only_asks_for_the_code_when_the_password_is_empty,
        certificate_only_asks_by_crv1_when_the_password_is_empty,
        certificate_only_works_without_username_and_password,
        certificate_only_refuses_a_client_that_nobody_enrolled,
        an_odd_name_logs_in_with_pam,
        an_odd_name_logs_in_by_certificate_only,
        an_odd_name_is_asked_by_crv1,
        the_second_factor_can_be_that_of_the_common_name,
        a_name_other_than_the_certificates_is_refused_where_they_must_match,
        the_certificates_name_connects_where_they_must_match,
        a_server_that_takes_usernames_for_common_names_asks_in_the_session,
    ]
}

/// Spaces, quotes, colons, and what shells, paths, formats and markup would trip over. OpenVPN passes it on.
const ODD: &str = r#"O'Brien "the boss": a\b %s $(id) `x` <x>;=&|,CRV1::"#;

fn certificate_only() -> ServerBuilder {
    Server::builder().set("auth", "primary", "none")
}

fn certificate_only_takes_the_code_as_password() {
    let server = certificate_only().start();
    let enrolment = server.enroll("alice");
    let mut client = server.client().crtext().start();
    client.log_in("alice", &enrolment.code());
    client.reply().expect_connected();
}

fn certificate_only_refuses_a_wrong_code_as_password() {
    let server = certificate_only().start();
    let enrolment = server.enroll("alice");
    let mut client = server.client().crtext().start();
    client.log_in("alice", &enrolment.wrong_code());
    client.outcome().expect_not_let_in();
    client.log_in("alice", "no code at all");
    client.outcome().expect_not_let_in();
    server.let_nobody_in();
}

fn certificate_only_asks_for_the_code_when_the_password_is_empty() {
    let server = certificate_only().start();
    let enrolment = server.enroll("alice");
    let mut client = server.client().crtext().start();
    client.log_in("alice", "");
    assert_eq!(client.reply().expect_prompt(), PROMPT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn certificate_only_asks_by_crv1_when_the_password_is_empty() {
    let server = certificate_only().start();
    let enrolment = server.enroll("alice");
    let mut client = server.client().start();
    client.log_in("alice", "");
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
}

fn by_common_name() -> ServerBuilder {
    certificate_only().set("auth", "identity", "common-name").line("auth-user-pass-optional")
}

fn certificate_only_works_without_username_and_password() {
    let server = by_common_name().start();
    let enrolment = server.enroll(CLIENT);
    let mut client = server.client().crtext().without_password().start();
    assert_eq!(client.reply().expect_prompt(), PROMPT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    assert!(client.reaches_the_server());
}

fn certificate_only_refuses_a_client_that_nobody_enrolled() {
    let server = by_common_name().start();
    let enrolment = server.enroll(CLIENT);
    let certificate = &pki::pki().other_client;
    // A user name of one's own choice helps nobody.
    let mut client = server.client().crtext().certificate(certificate).start();
    client.log_in(CLIENT, &enrolment.code());
    client.outcome().expect_not_let_in();
    server.let_nobody_in();
}

fn an_odd_name_logs_in_with_pam() {
    let server = Server::builder().set("pam", "service", permissive_pam_service().as_str()).start();
    let name = ODD;
    let enrolment = server.enroll(name);
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(name, "anything", &enrolment.code()).expect_connected();
    assert_eq!(server.let_in(), 1);
}

fn an_odd_name_logs_in_by_certificate_only() {
    let server = certificate_only().start();
    let name = ODD;
    let enrolment = server.enroll(name);
    let mut client = server.client().crtext().start();
    client.log_in(name, "");
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn an_odd_name_is_asked_by_crv1() {
    let server = certificate_only().start();
    let name = ODD;
    let enrolment = server.enroll(name);
    let mut client = server.client().start();
    client.log_in(name, "");
    let first = client.reply().expect_question(PROMPT);
    assert_eq!(first.username(), name);
    client.answer(&first, &enrolment.wrong_code());
    let second = client.reply().expect_question(TRY_AGAIN);
    client.answer(&second, &enrolment.code());
    client.reply().expect_connected();
}

fn the_second_factor_can_be_that_of_the_common_name() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("auth", "identity", "common-name"));
    let of_certificate = server.enroll(CLIENT);
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_not_let_in();
    server.let_nobody_in();
    client.log_in_by_scrv1(&user.name, &user.password, &of_certificate.code()).expect_connected();
}

fn a_name_other_than_the_certificates_is_refused_where_they_must_match() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("auth", "match_common_name", true));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refused();
    server.let_nobody_in();
}

fn the_certificates_name_connects_where_they_must_match() {
    let server = Server::builder().set("auth", "match_common_name", true).start();
    let user = UnixUser::new();
    let enrolment = server.enroll(&user.name);
    let certificate = pki::client_named(&user.name);
    let mut client = server.client().crtext().certificate(&certificate).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
}

/// OpenVPN has put the name typed in place of the certificate's by the time that the answer comes.
fn a_server_that_takes_usernames_for_common_names_asks_in_the_session() {
    let scene = Scene::with(Server::builder().line("username-as-common-name"));
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    client.reply().expect_prompt();
    client.respond(&scene.enrolment.code());
    client.reply().expect_connected();
}

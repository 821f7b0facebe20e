//! An hour later, in seconds: the client shows what it kept, a stale password or a session token.

use super::Scene;
use crate::harness::accounts::RecordingPam;
use crate::harness::client::{Client, Timed};
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;
use crate::harness::{PATIENCE, eventually};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_stale_crv1_password_is_refused_and_not_counted,
        a_stale_static_response_is_refused_and_not_counted,
        a_crtext_client_without_a_token_is_asked_again,
        auth_gen_token_survives_renegotiations,
        auth_gen_token_of_a_crv1_login_survives_renegotiations,
        external_auth_accepts_the_token_without_a_code,
        external_auth_refuses_a_deleted_user,
        external_auth_refuses_a_deleted_user_when_openvpn_does_not_wait,
        external_auth_refuses_an_expired_account,
        external_auth_refuses_an_expired_token,
    ]
}

/// The client renegotiates that often.
const OFTEN: &str = "reneg-sec 5";
const EXTERNAL: &str = "auth-gen-token 0 external-auth";

/// Renegotiations this often need verdicts at once: OpenVPN 2.6 finds out about a deferred rejection of a
/// renegotiation up to 15 seconds later, and if the next one comes first, the message never reaches the client.
fn at_once(builder: ServerBuilder) -> ServerBuilder {
    builder.set("auth", "stall_budget_ms", 2000)
}

fn counting(limit: i64) -> (ServerBuilder, RecordingPam) {
    let builder = Server::builder();
    let pam = RecordingPam::new(builder.directory());
    (at_once(builder).set("pam", "service", pam.service.as_str()).set("lockout", "max_failures", limit), pam)
}

fn a_stale_crv1_password_is_refused_and_not_counted() {
    let (builder, pam) = counting(1);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut client = server.client().line(OFTEN).start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    let asked = pam.calls().len();
    client.reply().expect_refused();
    server.still_stands();
    assert_eq!(pam.calls().len(), asked, "PAM was asked about a stale answer");
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

fn a_stale_static_response_is_refused_and_not_counted() {
    let (builder, _) = counting(1);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut client = server.client().static_challenge("Your code").line(OFTEN).start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    client.reply().expect_refused();
    server.still_stands();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
}

/// The client still has the password, and the user types a new code while the tunnel works on with the old key.
fn a_crtext_client_without_a_token_is_asked_again() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    client.reply().expect_prompt();
    assert!(client.reaches_the_server());
    client.respond(&enrolment.next_code());
    eventually("the second answer is accepted", PATIENCE, || {
        let log = server.hook_log();
        let accepted =
            log.iter().filter(|line| line.contains("event=answer") && line.contains("outcome=accept"));
        (accepted.count() == 2).then_some(())
    });
    assert!(client.reaches_the_server());
    server.still_stands();
}

/// Two renegotiations on, the client is in, without a word in between.
fn stays_in(client: &mut Client) {
    let heard = client.events().len();
    client.wait_for_renegotiations(2);
    let events = client.events();
    let refused = |timed: &&Timed| {
        use crate::harness::management::Event::{AuthFailed, CrText, DynamicChallenge, Exited, NeedAuth};
        matches!(
            timed.event,
            NeedAuth { .. } | CrText { .. } | DynamicChallenge(_) | AuthFailed { .. } | Exited
        )
    };
    let asked: Vec<_> = events[heard..].iter().filter(refused).collect();
    assert!(asked.is_empty(), "asked again: {asked:?}");
    assert!(client.reaches_the_server());
}

fn auth_gen_token_survives_renegotiations() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().line("auth-gen-token"));
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    stays_in(&mut client);
    assert_eq!(server.let_in(), 1);
}

fn auth_gen_token_of_a_crv1_login_survives_renegotiations() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().line("auth-gen-token"));
    let mut client = server.client().line(OFTEN).start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    stays_in(&mut client);
    assert_eq!(server.let_in(), 1);
}

fn external_auth_accepts_the_token_without_a_code() {
    let Scene { server, user, enrolment } = Scene::with(at_once(Server::builder()).line(EXTERNAL));
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    stays_in(&mut client);
    assert_eq!(server.let_in(), 1);
}

fn external_auth_refuses_a_deleted_user() {
    let Scene { server, user, enrolment } = Scene::with(at_once(Server::builder()).line(EXTERNAL));
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    client.wait_for_renegotiations(1);
    assert!(client.reaches_the_server());
    assert!(server.administer(&["delete", &user.name]).status.success());
    client.reply().expect_refused();
    assert_eq!(server.let_in(), 1);
}

/// The session ends, whether or not the client hears of it: see [`at_once`].
fn external_auth_refuses_a_deleted_user_when_openvpn_does_not_wait() {
    let builder = Server::builder().line(EXTERNAL).set("auth", "stall_budget_ms", 0);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut client = server.client().static_challenge("Your code").line(OFTEN).start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    assert!(server.administer(&["delete", &user.name]).status.success());
    eventually("the end of the session", PATIENCE, || server.sessions().is_empty().then_some(()));
    assert_eq!(server.let_in(), 1);
}

fn external_auth_refuses_an_expired_account() {
    let Scene { server, user, enrolment } = Scene::with(at_once(Server::builder()).line(EXTERNAL));
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    user.expire_account();
    client.reply().expect_refused();
    assert_eq!(server.let_in(), 1);
}

fn external_auth_refuses_an_expired_token() {
    let Scene { server, user, enrolment } = Scene::with(
        at_once(Server::builder()).line("auth-gen-token 8 external-auth").set("lockout", "max_failures", 1),
    );
    let mut client = server.client().crtext().line(OFTEN).start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    client.reply().expect_refused();
    // The client starts anew by itself, with the password of its first login, and is not a locked user.
    client.reply().expect_prompt();
    client.respond(&enrolment.next_code());
    client.reply().expect_connected();
}

//! PAM: what it is told, and that its account phase counts.

use std::time::Duration;

use super::{FAILED, Scene};
use crate::harness::accounts::{RecordingPam, UnixUser, pam_service};
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        pam_learns_user_address_and_terminal,
        pam_learns_an_ipv6_address,
        a_refusal_keeps_the_delay_that_pam_asks_for,
        an_expired_account_is_refused,
        a_locked_password_is_refused,
        an_account_that_pam_denies_is_refused_with_a_right_password,
        a_module_that_talks_does_not_disturb_the_login,
        a_module_that_asks_a_second_question_ends_the_login,
        a_service_that_does_not_exist_lets_nobody_in,
        a_login_asks_pam_once,
        a_member_of_an_exempt_group_needs_no_code,
    ]
}

fn pam_learns_user_address_and_terminal() {
    let builder = Server::builder();
    let pam = RecordingPam::new(builder.directory());
    let Scene { server, user, enrolment } = Scene::with(builder.set("pam", "service", pam.service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    let told = format!("PAM_USER={} PAM_RHOST={} PAM_TTY=openvpn", user.name, client.network().own_ipv4());
    let wanted = [format!("PAM_TYPE=auth {told}"), format!("PAM_TYPE=account {told}")];
    assert_eq!(pam.calls(), wanted);
}

fn pam_learns_an_ipv6_address() {
    let builder = Server::builder().ipv6();
    let pam = RecordingPam::new(builder.directory());
    let Scene { server, user, enrolment } = Scene::with(builder.set("pam", "service", pam.service.as_str()));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    let rhost = format!("PAM_RHOST={} ", client.network().own_ipv6());
    let calls = pam.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.contains(&rhost)), "not {rhost}: {calls:?}");
}

/// `pam_unix` asks for two seconds; PAM makes that anything from one and a half to two and a half.
fn a_refusal_keeps_the_delay_that_pam_asks_for() {
    let Scene { server, user, enrolment } = Scene::new();
    for name in [user.name.as_str(), "no-such-user"] {
        let mut client = server.client().static_challenge("Your code").start();
        client.log_in_by_scrv1(name, "wrong", &enrolment.code()).expect_refusal(FAILED);
        let after = client.answered().elapsed();
        assert!(after >= Duration::from_millis(1400), "{name} was refused after {after:?}");
    }
}

fn a_member_of_an_exempt_group_needs_no_code() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().line("setenv authExemptGroups \"no-such-group, robots of the lab\""));
    let robot = UnixUser::new();
    robot.join("robots of the lab");
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&robot.name, "wrong", "").expect_refusal(FAILED);
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&robot.name, &robot.password, "").expect_connected();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn an_expired_account_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    user.expire_account();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_locked_password_is_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    user.lock_password();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn an_account_that_pam_denies_is_refused_with_a_right_password() {
    let service = pam_service("auth required pam_unix.so\naccount required pam_deny.so\n");
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_module_that_talks_does_not_disturb_the_login() {
    let service = pam_service(
        "auth optional pam_echo.so Good morning, %u\n\
         auth required pam_unix.so\n\
         account optional pam_echo.so Your account is about to expire\n\
         account required pam_unix.so\n",
    );
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

/// `pam_ftp` asks for a password of its own, after that of `pam_unix`.
fn a_module_that_asks_a_second_question_ends_the_login() {
    let service = pam_service(
        "auth required pam_unix.so\n\
         auth required pam_ftp.so\n\
         account required pam_unix.so\n",
    );
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains("prompt"), "the log does not say what PAM wanted: {log}");
}

/// PAM then falls back to the service `other`.
fn a_service_that_does_not_exist_lets_nobody_in() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", "no-such-service"));
    std::fs::write("/etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n").unwrap();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refused();
    server.let_nobody_in();
}

/// A right password is checked once, however many codes follow.
fn a_login_asks_pam_once() {
    let builder = Server::builder();
    let pam = RecordingPam::new(builder.directory());
    let Scene { server, user, enrolment } = Scene::with(builder.set("pam", "service", pam.service.as_str()));
    let mut client = server.client().crtext().start();
    let question = client
        .log_in_by_crtext(&user.name, &user.password, &enrolment.wrong_code())
        .expect_question(super::TRY_AGAIN);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
    let calls = pam.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("PAM_TYPE=auth ")).count(), 1, "{calls:?}");
}

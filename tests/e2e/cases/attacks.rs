//! Clients that do not keep to the order of things. Nobody gets in who has not shown both factors.

use data_encoding::BASE64;

use super::{FAILED, INCORRECT, Scene};
use crate::harness::accounts::{UnixUser, slow_pam_service};
use crate::harness::client::Client;
use crate::harness::management::static_response;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, eventually};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        answers_before_and_after_a_wrong_password_let_nobody_in,
        answers_before_and_after_a_wrong_password_let_nobody_in_when_openvpn_does_not_wait,
        an_answer_before_the_password_is_checked_waits_for_it,
        answers_to_a_login_with_a_wrong_static_response_let_nobody_in,
        answers_to_a_login_with_a_wrong_password_and_static_response_let_nobody_in,
        answers_while_a_dynamic_challenge_is_made_let_nobody_in,
        answers_of_somebody_who_is_not_enrolled_let_nobody_in,
        six_wrong_answers_and_the_right_one_in_a_burst_are_refused,
        six_wrong_answers_and_the_right_one_in_a_burst_are_refused_when_openvpn_does_not_wait,
        a_wrong_answer_and_many_right_ones_in_a_burst_are_refused_while_pam_takes_its_time,
        a_burst_before_the_prompt_is_refused,
        the_first_answer_of_a_burst_decides,
        answers_that_are_no_codes_are_refused,
        an_oversized_answer_is_refused,
        oversized_passwords_are_refused,
        answers_after_the_login_change_nothing,
        a_session_token_of_ones_own_making_is_refused,
    ]
}

fn unasked_answers(server: &Server, user: &str, password: &str, code: &str) {
    let mut client = server.client().crtext().start();
    client.log_in(user, password);
    client.respond_until_reply(code).expect_refusal(FAILED);
    server.let_nobody_in();
}

fn answers_before_and_after_a_wrong_password_let_nobody_in() {
    let service = slow_pam_service(2);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    unasked_answers(&server, &user.name, "wrong", &enrolment.code());
}

fn answers_before_and_after_a_wrong_password_let_nobody_in_when_openvpn_does_not_wait() {
    let service = slow_pam_service(2);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("auth", "stall_budget_ms", 0);
    let Scene { server, user, enrolment } = Scene::with(builder);
    unasked_answers(&server, &user.name, "wrong", &enrolment.code());
}

/// The right user, faster than PAM: in, but not before PAM has spoken.
fn an_answer_before_the_password_is_checked_waits_for_it() {
    let service = slow_pam_service(3);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    let asked = client.answered();
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    assert!(asked.elapsed().as_millis() >= 2900, "in after {:?}, before PAM had an answer", asked.elapsed());
}

fn answers_to_a_login_with_a_wrong_static_response_let_nobody_in() {
    let service = slow_pam_service(2);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().static_challenge("Your code").start();
    let both = static_response(&user.password, &enrolment.wrong_code());
    client.log_in(&user.name, &both);
    client.respond_until_reply(&enrolment.code()).expect_refusal(INCORRECT);
    server.let_nobody_in();
}

fn answers_to_a_login_with_a_wrong_password_and_static_response_let_nobody_in() {
    let service = slow_pam_service(2);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().static_challenge("Your code").start();
    let both = static_response("wrong", &enrolment.wrong_code());
    client.log_in(&user.name, &both);
    client.respond_until_reply(&enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
}

/// The client has both factors, but the session in which it shows them is to end with a question.
fn answers_while_a_dynamic_challenge_is_made_let_nobody_in() {
    let service = slow_pam_service(2);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    client.respond_until_reply(&enrolment.wrong_code()).expect_not_let_in();
    server.let_nobody_in();
}

fn answers_of_somebody_who_is_not_enrolled_let_nobody_in() {
    let Scene { server, enrolment, .. } = Scene::new();
    let stranger = UnixUser::new();
    let mut client = server.client().crtext().start();
    client.log_in(&stranger.name, &stranger.password);
    client.respond_until_reply(&enrolment.code()).expect_not_let_in();
    server.let_nobody_in();
}

fn burst(scene: &Scene, client: &mut Client) {
    let mut answers = scene.enrolment.wrong_codes(6);
    answers.push(scene.enrolment.code());
    client.respond_in_a_burst(answers.iter().map(String::as_str));
    client.reply().expect_not_let_in();
    scene.server.let_nobody_in();
}

fn six_wrong_answers_and_the_right_one_in_a_burst_are_refused() {
    let scene = Scene::new();
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    client.reply().expect_prompt();
    burst(&scene, &mut client);
}

fn six_wrong_answers_and_the_right_one_in_a_burst_are_refused_when_openvpn_does_not_wait() {
    let service = slow_pam_service(1);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("auth", "stall_budget_ms", 0);
    let scene = Scene::with(builder);
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &scene.user.password);
    client.reply().expect_prompt();
    burst(&scene, &mut client);
}

/// All the answers wait for PAM, and must not race for the question when it comes: the first one counts.
fn a_wrong_answer_and_many_right_ones_in_a_burst_are_refused_while_pam_takes_its_time() {
    let service = slow_pam_service(2);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("auth", "stall_budget_ms", 0);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut clients = [server.client().crtext().start(), server.client().crtext().start()];
    for client in &mut clients {
        client.log_in(&user.name, &user.password);
        client.reply().expect_prompt();
        let mut answers = vec![enrolment.wrong_code()];
        answers.extend(std::iter::repeat_n(enrolment.code(), 6));
        client.respond_in_a_burst(answers.iter().map(String::as_str));
    }
    for client in &mut clients {
        client.reply().expect_not_let_in();
    }
    server.let_nobody_in();
}

/// Answers before any prompt: whatever they do, the last one is not the one that counts.
fn a_burst_before_the_prompt_is_refused() {
    let service = slow_pam_service(2);
    let builder =
        Server::builder().set("pam", "service", service.as_str()).set("auth", "stall_budget_ms", 1500);
    let scene = Scene::with(builder);
    let mut client = scene.server.client().static_challenge("Your code").start();
    let wrong = scene.enrolment.wrong_code();
    let both = static_response(&scene.user.password, &wrong);
    client.log_in(&scene.user.name, &both);
    burst(&scene, &mut client);
}

fn the_first_answer_of_a_burst_decides() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    let mut answers = vec![enrolment.code()];
    answers.extend(enrolment.wrong_codes(6));
    client.respond_in_a_burst(answers.iter().map(String::as_str));
    client.reply().expect_connected();
    assert!(client.reaches_the_server());
}

/// Sends each answer in a session of its own. All sessions are open at the same time, as OpenVPN takes seconds
/// to notice a verdict.
fn refuses_all(answers: &[String]) {
    let builder = Server::builder().set("lockout", "max_failures", 1000).set("worker", "max", 32);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut clients: Vec<Client> = answers.iter().map(|_| server.client().crtext().start()).collect();
    for (client, answer) in clients.iter_mut().zip(answers) {
        client.log_in(&user.name, &user.password);
        client.reply().expect_prompt();
        client.respond_raw(answer);
    }
    for (client, answer) in clients.iter_mut().zip(answers) {
        let reply = client.reply();
        assert!(!client.was_ever_connected(), "{answer:?} got in: {reply:?}");
        reply.expect_not_let_in();
    }
    server.let_nobody_in();
    server.tmp_dir_is_clean();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn answers_that_are_no_codes_are_refused() {
    let encoded = |bytes: &[u8]| BASE64.encode(bytes);
    refuses_all(&[
        String::new(),
        "=".into(),
        "!!! not base64 !!!".into(),
        r#"'"$(reboot)`reboot`\"#.into(),
        "123456".into(),
        encoded(b""),
        encoded(b"      "),
        encoded(b"\xff\xfe\x00\x01"),
        encoded(b"123456\0"),
        encoded("１２３４５６".as_bytes()),
        encoded(b"CRV1::x::123456"),
        encoded(b"12345"),
    ]);
}

/// As long as the management channel allows; the hook's own tests have longer ones.
fn an_oversized_answer_is_refused() {
    refuses_all(&["A".repeat(255), BASE64.encode("7".repeat(189).as_bytes()), "=".repeat(255)]);
}

/// OpenVPN takes passwords of up to 4,095 bytes, but a client can send some 1,200: it has to fit in with the rest.
fn oversized_passwords_are_refused() {
    let Scene { server, user, enrolment } = Scene::new();
    let long = "x".repeat(1200);
    let code = enrolment.code();
    let passwords = [
        long.clone(),
        format!("CRV1::{}::{code}", &long[..1100]),
        static_response(&long[..800], &code),
        static_response(&user.password, &long[..800]),
        format!("SESS_ID_AT_{}", &long[..1100]),
        format!("{},{code}", &long[..1100]),
    ];
    for password in &passwords {
        let mut client = server.client().crtext().credentials(&user.name, password).start();
        client.outcome().expect_refused();
    }
    let mut client = server.client().crtext().credentials(&long, &user.password).start();
    client.outcome().expect_refused();
    server.let_nobody_in();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &code).expect_connected();
}

/// OpenVPN starts the hook for these, too.
fn answers_after_the_login_change_nothing() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("lockout", "max_failures", 2));
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    let next = enrolment.next_code();
    let mut answers = enrolment.wrong_codes(4);
    answers.push(next.clone());
    client.respond_in_a_burst(answers.iter().map(String::as_str));
    let taken = || server.log().matches("CR response was sent by client").count();
    eventually("all answers are taken", PATIENCE, || (taken() == 6).then_some(()));
    assert!(client.reaches_the_server());
    // Neither were failures counted nor was the code used up.
    let mut another = server.client().static_challenge("Your code").start();
    another.log_in_by_scrv1(&user.name, &user.password, &next).expect_connected();
    assert!(client.reaches_the_server());
}

fn a_session_token_of_ones_own_making_is_refused() {
    let token = format!("SESS_ID_AT_{}", BASE64.encode(&[7; 60]));
    for line in ["# no tokens", "auth-gen-token 0 external-auth"] {
        let Scene { server, user, .. } = Scene::with(Server::builder().line(line));
        let mut client = server.client().start();
        client.log_in(&user.name, &token);
        client.reply().expect_refused();
        client.log_in(&user.name, "SESS_ID_AT_");
        client.reply().expect_refused();
        server.let_nobody_in();
    }
}

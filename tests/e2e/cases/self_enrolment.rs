//! Users who set up their own token at the first login.

use super::{FAILED, INCORRECT, PROMPT, TRY_AGAIN};
use crate::harness::accounts::{UnixUser, slow_pam_service};
use crate::harness::client::Client;
use crate::harness::enrolment::Enrolment;
use crate::harness::management::Question;
use crate::harness::reply::Reply;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_user_sets_up_a_token_by_crtext,
        a_user_sets_up_a_token_by_crv1,
        after_a_wrong_code_by_crtext_the_same_key_does,
        after_a_wrong_code_by_crv1_the_same_key_does,
        a_response_with_the_password_leads_to_the_key,
        a_key_that_comes_late_is_shown_by_reconnecting,
        an_answer_to_the_question_put_ahead_is_no_failure,
        a_client_that_cannot_reconnect_is_told_to_log_in_again_when_the_key_is_late,
        a_client_that_cannot_reconnect_sets_up_a_token_in_time,
        of_two_sessions_one_sets_up_the_token,
        an_administrators_enrolment_makes_the_key_worthless,
        with_a_wrong_password_there_is_no_key,
        the_key_is_in_no_line_of_ours_and_in_openvpns_from_verb_3_on,
        an_encrypted_key_is_in_no_file_of_the_database,
    ]
}

const WORDS: &str = "Enter this key into your authenticator app - ";

/// A server on which users set up their tokens, where OpenVPN waits as long as PAM takes.
fn patient() -> ServerBuilder {
    hasty().set("auth", "stall_budget_ms", 20_000)
}

/// The same, with the time that it waits by default.
fn hasty() -> ServerBuilder {
    Server::builder().set("totp", "self_enroll", true)
}

/// The key in a text, as a person reads it.
fn key_in(text: &str) -> Enrolment {
    let base32 =
        |word: &&str| word.len() == 4 && word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let secret: String = text.split(' ').filter(base32).collect();
    assert_eq!(secret.len(), 32, "no key in {text:?}");
    Enrolment { secret, uri: String::new() }
}

/// A `CR_TEXT` prompt with a key.
fn shown(reply: Reply) -> Enrolment {
    let text = reply.expect_prompt();
    assert!(text.starts_with(WORDS), "{text:?}");
    key_in(&text)
}

/// A CRV1 question with a key.
fn asked(reply: Reply) -> (Question, Enrolment) {
    let Reply::Question(question) = reply else { panic!("no question, but {reply:?}") };
    assert!(question.text.starts_with(WORDS), "{:?}", question.text);
    let key = key_in(&question.text);
    (question, key)
}

/// A CRV1 question after a wrong code, with the same key.
fn asked_again(reply: Reply, key: &Enrolment) -> Question {
    let Reply::Question(question) = reply else { panic!("no question, but {reply:?}") };
    assert!(question.text.starts_with(TRY_AGAIN), "{:?}", question.text);
    assert_eq!(key_in(&question.text).secret, key.secret);
    question
}

fn failures(server: &Server, user: &str) -> serde_json::Value {
    let output = server.administer(&["--json", "show", user]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["failures"].clone()
}

/// The token is the user's: another login needs its code.
fn is_enrolled_with(server: &Server, user: &UnixUser, key: &Enrolment) {
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &key.wrong_code()).expect_refusal(INCORRECT);
    client.log_in_by_scrv1(&user.name, &user.password, &key.next_code()).expect_connected();
    let output = server.administer(&["show", "--secret", &user.name]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(&key.secret));
}

fn log_in(client: &mut Client, user: &UnixUser) -> Reply {
    client.log_in(&user.name, &user.password);
    client.reply()
}

fn a_user_sets_up_a_token_by_crtext() {
    let (server, user) = (patient().start(), UnixUser::new());
    let mut client = server.client().crtext().start();
    let key = shown(log_in(&mut client, &user));
    client.respond(&key.code());
    client.reply().expect_connected();
    is_enrolled_with(&server, &user, &key);
    let log = server.hook_log().join("\n");
    assert!(log.contains("outcome=challenge reason=enrolment-needed"), "{log}");
    assert!(log.contains("outcome=accept reason=self-enrolled"), "{log}");
}

fn a_user_sets_up_a_token_by_crv1() {
    let (server, user) = (hasty().start(), UnixUser::new());
    let mut client = server.client().start();
    let (question, key) = asked(log_in(&mut client, &user));
    assert_eq!(question.username(), user.name);
    client.answer(&question, &key.code());
    client.reply().expect_connected();
    is_enrolled_with(&server, &user, &key);
}

fn after_a_wrong_code_by_crtext_the_same_key_does() {
    let (server, user) = (patient().start(), UnixUser::new());
    let mut client = server.client().crtext().start();
    let key = shown(log_in(&mut client, &user));
    client.respond(&key.wrong_code());
    let question = asked_again(client.reply(), &key);
    client.answer(&question, &key.code());
    client.reply().expect_connected();
    is_enrolled_with(&server, &user, &key);
}

fn after_a_wrong_code_by_crv1_the_same_key_does() {
    let (server, user) = (hasty().start(), UnixUser::new());
    let mut client = server.client().start();
    let (first, key) = asked(log_in(&mut client, &user));
    client.answer(&first, &key.wrong_code());
    let second = asked_again(client.reply(), &key);
    assert_ne!(first.state, second.state);
    server.let_nobody_in();
    client.answer(&second, &key.code());
    client.reply().expect_connected();
    is_enrolled_with(&server, &user, &key);
}

fn a_response_with_the_password_leads_to_the_key() {
    let (server, user) = (hasty().start(), UnixUser::new());
    let mut client = server.client().static_challenge("Your code").start();
    let (question, key) = asked(client.log_in_by_scrv1(&user.name, &user.password, "123456"));
    client.answer(&question, &key.code());
    client.reply().expect_connected();
    assert_eq!(failures(&server, &user.name), 0);
}

fn a_key_that_comes_late_is_shown_by_reconnecting() {
    let server = hasty().set("auth", "stall_budget_ms", 0).start();
    let user = UnixUser::new();
    let mut client = server.client().crtext().start();
    assert_eq!(log_in(&mut client, &user).expect_prompt(), PROMPT);
    let (question, key) = asked(client.reply());
    client.answer(&question, &key.code());
    client.reply().expect_connected();
    is_enrolled_with(&server, &user, &key);
}

fn an_answer_to_the_question_put_ahead_is_no_failure() {
    let service = slow_pam_service(2);
    let server = hasty().set("pam", "service", service.as_str()).start();
    let user = UnixUser::new();
    let mut client = server.client().crtext().start();
    assert_eq!(log_in(&mut client, &user).expect_prompt(), PROMPT);
    // Before PAM has answered.
    client.respond("123456");
    let (question, key) = asked(client.reply());
    client.answer(&question, &key.code());
    client.reply().expect_connected();
    let log = server.hook_log().join("\n");
    assert!(!log.contains("wrong-code"), "{log}");
    assert_eq!(failures(&server, &user.name), 0);
}

fn a_client_that_cannot_reconnect_is_told_to_log_in_again_when_the_key_is_late() {
    let server = hasty().set("auth", "stall_budget_ms", 0).start();
    let user = UnixUser::new();
    let android = r#"setenv IV_GUI_VER "de.blinkt.openvpn 0.7.51""#;
    let mut client = server.client().crtext().line(android).start();
    assert_eq!(log_in(&mut client, &user).expect_prompt(), PROMPT);
    client.reply().expect_refusal("You have no authenticator app here yet, log in again to set one up");
    server.let_nobody_in();
}

fn a_client_that_cannot_reconnect_sets_up_a_token_in_time() {
    let (server, user) = (patient().start(), UnixUser::new());
    let android = r#"setenv IV_GUI_VER "de.blinkt.openvpn 0.7.51""#;
    let mut client = server.client().crtext().line(android).start();
    let first = shown(log_in(&mut client, &user));
    client.respond(&first.wrong_code());
    client.reply().expect_refusal(INCORRECT);
    let second = shown(log_in(&mut client, &user));
    assert_ne!(first.secret, second.secret, "a key is good for one login");
    client.respond(&second.code());
    client.reply().expect_connected();
}

fn of_two_sessions_one_sets_up_the_token() {
    let (server, user) = (hasty().start(), UnixUser::new());
    let mut clients = [server.client().start(), server.client().start()];
    let asked = clients.each_mut().map(|client| asked(log_in(client, &user)));
    for client in &mut clients {
        client.prompt();
    }
    // At the same time.
    for (client, (question, key)) in clients.iter_mut().zip(&asked) {
        client.give(&user.name, &question.answered_with(&key.code()));
    }
    let replies = clients.each_mut().map(Client::reply);
    let winner = replies.iter().position(|reply| *reply == Reply::Connected).expect("one of them");
    replies[1 - winner]
        .clone()
        .expect_refusal("Your authenticator app was set up meanwhile, log in again with its code");
    assert_eq!(server.let_in(), 1);
    let output = server.administer(&["show", "--secret", &user.name]);
    let stored = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stored.contains(&asked[winner].1.secret) && !stored.contains(&asked[1 - winner].1.secret));
}

fn an_administrators_enrolment_makes_the_key_worthless() {
    let (server, user) = (hasty().start(), UnixUser::new());
    let mut client = server.client().start();
    let (question, key) = asked(log_in(&mut client, &user));
    let enrolment = server.enroll(&user.name);
    client.answer(&question, &key.code());
    client.reply().expect_refusal(FAILED);
    server.let_nobody_in();
    let mut client = server.client().start();
    client.log_in_by_crv1(&user.name, &user.password, &enrolment.code()).expect_connected();
}

fn with_a_wrong_password_there_is_no_key() {
    let (server, user) = (patient().start(), UnixUser::new());
    let mut client = server.client().start();
    client.log_in(&user.name, "wrong");
    client.reply().expect_refusal(FAILED);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, "wrong");
    client.outcome().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn the_key_is_in_no_line_of_ours_and_in_openvpns_from_verb_3_on() {
    for (verb, tells) in [(2, false), (3, true)] {
        let server = patient().line(format!("verb {verb}")).start();
        for crtext in [true, false] {
            let user = UnixUser::new();
            let client = server.client();
            let mut client = if crtext { client.crtext() } else { client }.start();
            let reply = log_in(&mut client, &user);
            let key = if crtext { shown(reply) } else { asked(reply).1 };
            let grouped =
                key.secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
            let line = |line: &str| line.contains(&user.name) && line.contains("reason=enrolment-needed");
            server.wait_for_log("the line about the question", line);
            let ours = server.hook_log();
            for part in [&key.secret, &grouped, &key.secret[..8], &grouped[..9]] {
                let line = ours.iter().find(|line| line.contains(part));
                assert_eq!(line, None, "the key is in the log");
            }
            // What SECURITY.md and the settings file say of OpenVPN's own log.
            assert_eq!(server.log().contains(&grouped), tells, "verb {verb}: {}", server.log());
        }
    }
}

fn an_encrypted_key_is_in_no_file_of_the_database() {
    for encrypted in [false, true] {
        let builder = hasty();
        let file = builder.directory().join("store.key").display().to_string();
        let builder = if encrypted { builder.set("store", "key_file", file.as_str()) } else { builder };
        let server = builder.start();
        if encrypted {
            assert!(server.administer(&["new-key", &file]).status.success());
        }
        let user = UnixUser::new();
        let mut client = server.client().start();
        let (question, key) = asked(log_in(&mut client, &user));
        let bytes = data_encoding::BASE32_NOPAD.decode(key.secret.as_bytes()).unwrap();
        let visible = || {
            let files = std::fs::read_dir(server.database().parent().unwrap()).unwrap();
            files.into_iter().any(|file| {
                let content = std::fs::read(file.unwrap().path()).unwrap_or_default();
                content.windows(bytes.len()).any(|part| part == bytes)
            })
        };
        assert_eq!(visible(), !encrypted, "while the question waits");
        client.answer(&question, &key.code());
        client.reply().expect_connected();
        assert_eq!(visible(), !encrypted, "afterwards");
    }
}

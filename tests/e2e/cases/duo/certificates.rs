//! Certificate-only servers: the password field is the second factor.

use super::{AT_ONCE, INCORRECT_PASSCODE, PASSCODE, WRONG_PASSCODE, duo, last_factor};
use crate::cases::INCORRECT;
use crate::duo::{Channel, User};
use crate::harness::pki::{CLIENT, OTHER_CLIENT, pki};
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        the_password_field_is_a_factor_word,
        an_empty_password_sends_the_default_factor,
        an_empty_password_sends_the_default_factor_whatever_the_prompt,
        the_password_field_is_a_passcode,
        neither_username_nor_password_are_needed,
        the_factor_is_that_of_the_certificates_owner,
        the_factor_can_be_that_of_the_name_typed,
        passcodes_by_sms_are_asked_for_with_a_certificate_only,
        an_odd_name_is_asked_for_as_it_is,
    ]
}

fn certificate_only() -> ServerBuilder {
    duo().set("auth", "primary", "none")
}

fn by_common_name() -> ServerBuilder {
    certificate_only().set("auth", "identity", "common-name")
}

fn start(server: ServerBuilder, at_duo: impl FnOnce(User) -> User) -> Server {
    let server = server.start();
    server.duo().add(at_duo(User::with_phone(CLIENT)));
    server
}

fn the_password_field_is_a_factor_word() {
    let server = start(by_common_name(), |user| user);
    for (word, factor) in [("push", "push"), ("Phone1", "phone")] {
        let mut client = server.client().start();
        client.log_in("anybody", word);
        server.duo().approve(CLIENT);
        client.reply().expect_connected();
        assert_eq!(last_factor(&server).parameter("factor"), Some(factor));
        assert_eq!(last_factor(&server).parameter("username"), Some(CLIENT));
        client.leave();
    }
    let mut client = server.client().start();
    client.log_in("anybody", "no factor at all");
    client.reply().expect_refusal(INCORRECT);
    assert_eq!(server.let_in(), 2);
}

fn an_empty_password_sends_the_default_factor() {
    let server = start(by_common_name(), |user| user);
    for client in [server.client(), server.client().crtext()] {
        let mut client = client.start();
        client.log_in("anybody", "");
        server.duo().approve(CLIENT);
        client.reply().expect_connected();
        assert_eq!(last_factor(&server).parameter("factor"), Some("auto"));
        client.leave();
    }
}

fn an_empty_password_sends_the_default_factor_whatever_the_prompt() {
    for prompt in ["short", "generic"] {
        let server = by_common_name().set("duo", "prompt", prompt).set("auth", "stall_budget_ms", 0);
        let server = start(server, |user| user.phone(AT_ONCE));
        let mut client = server.client().crtext().start();
        client.log_in("anybody", "");
        client.reply().expect_connected();
    }
}

fn the_password_field_is_a_passcode() {
    let server = start(by_common_name(), |user| user.passcode(PASSCODE));
    let mut client = server.client().start();
    client.log_in("anybody", WRONG_PASSCODE);
    client.reply().expect_refusal(INCORRECT_PASSCODE);
    server.let_nobody_in();
    client.log_in("anybody", PASSCODE);
    client.reply().expect_connected();
    assert_eq!(server.duo().sent(), []);
}

fn neither_username_nor_password_are_needed() {
    let server = start(by_common_name().line("auth-user-pass-optional"), |user| user);
    let mut client = server.client().without_password().start();
    server.duo().approve(CLIENT);
    client.reply().expect_connected();
    assert!(client.reaches_the_server());
}

/// A user name of one's own choice helps nobody.
fn the_factor_is_that_of_the_certificates_owner() {
    let server = start(by_common_name(), |user| user.passcode(PASSCODE));
    server.duo().add(User::with_phone(OTHER_CLIENT));
    let mut client = server.client().certificate(&pki().other_client).start();
    client.log_in(CLIENT, PASSCODE);
    client.reply().expect_refusal(INCORRECT_PASSCODE);
    assert_eq!(last_factor(&server).parameter("username"), Some(OTHER_CLIENT));
    server.let_nobody_in();
}

fn the_factor_can_be_that_of_the_name_typed() {
    let server = start(certificate_only().set("auth", "identity", "username"), |user| user);
    server.duo().add(User::with_phone("alice").phone(AT_ONCE));
    let mut client = server.client().start();
    client.log_in("alice", "push");
    client.reply().expect_connected();
    assert_eq!(server.duo().sent()[0].user, "alice");
}

fn passcodes_by_sms_are_asked_for_with_a_certificate_only() {
    let server = start(by_common_name(), |user| user.sms_passcode(PASSCODE));
    let mut client = server.client().crtext().start();
    client.log_in("anybody", "sms");
    let question = client.reply().expect_question("Passcodes were sent, enter one of them");
    assert_eq!(server.duo().sent()[0].channel, Channel::Sms);
    client.answer(&question, PASSCODE);
    client.reply().expect_connected();
}

/// Spaces, quotes, colons, and what forms, shells and paths would trip over: signed and sent letter by letter.
fn an_odd_name_is_asked_for_as_it_is() {
    let odd = r#"O'Brien "the boss": a\b %s+$(id)&factor=auto=~*"#;
    let server = certificate_only().start();
    server.duo().add(User::with_phone(odd).passcode(PASSCODE).phone(AT_ONCE));
    let mut client = server.client().start();
    client.log_in(odd, "push");
    client.reply().expect_connected();
    assert_eq!(server.duo().sent()[0].user, odd);
    let mut client = server.client().start();
    client.log_in(odd, WRONG_PASSCODE);
    client.reply().expect_refusal(INCORRECT_PASSCODE);
    client.log_in(odd, PASSCODE);
    client.reply().expect_connected();
}

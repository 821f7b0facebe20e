//! Users who differ from the settings: with another factor, or none.

use super::{AT_ONCE, GENERIC, PASSCODE, duo, generic, impatient, patient, wait_for_decision};
use crate::cases::PROMPT;
use crate::duo::{Endpoint, User};
use crate::harness::accounts::UnixUser;
use crate::harness::enrolment::Enrolment;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_user_with_codes_of_their_own_is_asked_for_one_though_others_have_duo,
        a_user_with_codes_of_their_own_is_asked_by_crtext_in_time,
        a_user_with_codes_of_their_own_can_answer_duos_prompt_that_went_ahead,
        a_user_of_duo_is_asked_by_duo_though_others_have_codes,
        a_user_of_duo_can_answer_a_prompt_for_codes_that_went_ahead,
        a_user_of_duo_whose_factor_changes_cannot_answer_the_old_question,
        a_disabled_user_stays_out_though_the_phone_says_yes,
        an_exempt_user_needs_the_password_alone,
        an_exempt_user_gets_in_with_the_prompt_open,
        a_user_exempt_from_duo_is_not_exempt_from_codes,
    ]
}

/// A user with a token here, and an account and a phone at Duo; the record says which of them counts.
fn user_with(server: &Server, factor: &str) -> (UnixUser, Enrolment) {
    let user = UnixUser::new();
    let enrolment = server.enroll(&user.name);
    server.duo().add(User::with_phone(&user.name).phone(AT_ONCE).passcode(PASSCODE));
    change(server, &user, "factor", factor);
    (user, enrolment)
}

fn change(server: &Server, user: &UnixUser, column: &str, value: &str) {
    let connection = rusqlite::Connection::open(server.database()).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let statement = format!("UPDATE user SET {column} = ?1 WHERE name = ?2");
    assert_eq!(connection.execute(&statement, [value, &user.name]).unwrap(), 1);
}

fn codes() -> ServerBuilder {
    duo().set("auth", "factor", "totp")
}

fn a_user_with_codes_of_their_own_is_asked_for_one_though_others_have_duo() {
    let server = duo().start();
    let (user, enrolment) = user_with(&server, "totp");
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    // Neither of Duo's answers is one.
    client.answer(&question, "push");
    let question = client.reply().expect_question(crate::cases::TRY_AGAIN);
    client.answer(&question, PASSCODE);
    let question = client.reply().expect_question(crate::cases::TRY_AGAIN);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.next_code()).expect_connected();
    assert_eq!(server.duo().connections(), [], "Duo was asked about a user it is not for");
}

fn a_user_with_codes_of_their_own_is_asked_by_crtext_in_time() {
    let server = patient(duo()).start();
    let (user, enrolment) = user_with(&server, "totp");
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), PROMPT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    assert_eq!(server.duo().connections(), []);
}

/// The text is that of the settings, because nobody was looked up.
fn a_user_with_codes_of_their_own_can_answer_duos_prompt_that_went_ahead() {
    let server = impatient(generic()).start();
    let (user, enrolment) = user_with(&server, "totp");
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), GENERIC);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    assert_eq!(server.duo().connections(), []);
}

fn a_user_of_duo_is_asked_by_duo_though_others_have_codes() {
    let server = patient(codes()).start();
    let (user, enrolment) = user_with(&server, "duo");
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(&super::menu_of(&user));
    client.answer(&question, &enrolment.code());
    let question = client.reply().expect_question(super::INCORRECT_PASSCODE);
    client.answer(&question, "1");
    client.reply().expect_connected();
    assert_eq!(server.duo().sent().len(), 1);
    // In the session, if it is there in time.
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), super::menu_of(&user));
    client.respond(PASSCODE);
    client.reply().expect_connected();
    // Others have codes.
    let (other, enrolment) = user_with(&server, "totp");
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&other.name, &other.password, &enrolment.code()).expect_connected();
}

/// The text is that of the settings, because nobody was looked up.
fn a_user_of_duo_can_answer_a_prompt_for_codes_that_went_ahead() {
    let server = impatient(codes()).start();
    let (user, _) = user_with(&server, "duo");
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), PROMPT);
    client.respond(PASSCODE);
    client.reply().expect_connected();
    assert_eq!(server.duo().requests_to(Endpoint::Preauth).len(), 1);
}

fn a_user_of_duo_whose_factor_changes_cannot_answer_the_old_question() {
    let server = duo().start();
    let (user, enrolment) = user_with(&server, "duo");
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(&super::menu_of(&user));
    change(&server, &user, "factor", "totp");
    client.answer(&question, "push");
    client.reply().expect_refusal(crate::cases::FAILED);
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
    assert_eq!(server.duo().sent(), []);
}

fn a_disabled_user_stays_out_though_the_phone_says_yes() {
    let server = super::autopush().start();
    let (user, _) = user_with(&server, "duo");
    server.duo().add(User::with_phone(&user.name));
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    server.duo().await_sent(1);
    change(&server, &user, "state", "disabled");
    server.duo().approve(&user.name);
    client.reply().expect_refusal(crate::cases::FAILED);
    wait_for_decision(&server, &user, "reject", "disabled");
    assert_eq!(server.duo().sent().len(), 1);
    server.let_nobody_in();
}

/// A server, and a user whom a list in `section` exempts; Duo would ring them.
fn exempt(server: ServerBuilder, section: &str) -> (Server, UnixUser) {
    let user = UnixUser::new();
    let server = server.set(section, "exempt", format!("somebody, {}", user.name).as_str()).start();
    server.duo().add(User::with_phone(&user.name));
    (server, user)
}

fn an_exempt_user_needs_the_password_alone() {
    for section in ["auth", "duo"] {
        let (server, user) = exempt(patient(duo()), section);
        let mut client = server.client().start();
        client.log_in(&user.name, &user.password);
        client.reply().expect_connected();
        wait_for_decision(&server, &user, "accept", "exempt");
        let mut client = server.client().start();
        client.log_in(&user.name, "wrong");
        client.reply().expect_refusal(crate::cases::FAILED);
        assert_eq!(server.let_in(), 1);
        assert_eq!(server.duo().connections(), []);
        // Nobody else is.
        let other = UnixUser::new();
        server.duo().add(User::with_phone(&other.name));
        client.log_in(&other.name, &other.password);
        client.reply().expect_question(&super::menu_of(&other));
    }
}

fn an_exempt_user_gets_in_with_the_prompt_open() {
    let (server, user) = exempt(impatient(generic()), "duo");
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    client.reply().expect_connected();
    assert_eq!(server.duo().connections(), []);
}

fn a_user_exempt_from_duo_is_not_exempt_from_codes() {
    let (server, user) = exempt(duo(), "duo");
    let enrolment = server.enroll(&user.name);
    change(&server, &user, "factor", "totp");
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
}

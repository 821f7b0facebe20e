//! What can be typed, where it can be typed, and what follows from it.

use super::{
    AT_ONCE, INCORRECT_PASSCODE, PASSCODE, Scene, WRONG_PASSCODE, duo, generic, last_factor, patient,
    wait_for_decision,
};
use crate::cases::{LOCKED, TRY_AGAIN};
use crate::duo::{Channel, Endpoint};
use crate::harness::client::Client;
use crate::harness::report::Case;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        passcodes_by_sms_are_asked_for_at_once_and_count_as_no_failure,
        passcodes_by_sms_are_asked_for_by_crv1_after_an_answer_in_the_session,
        passcodes_by_sms_reach_a_client_that_cannot_be_asked_again,
        a_static_response_can_be_a_factor_word,
        a_static_response_can_be_a_passcode,
        a_wrong_static_response_is_refused,
        an_empty_static_response_leads_to_the_menu,
        a_factor_word_can_be_appended_to_the_password,
        a_passcode_can_be_appended_to_the_password,
        a_wrong_passcode_leads_to_a_new_question,
        a_wrong_passcode_in_the_session_leads_to_a_new_question,
        an_answer_that_means_nothing_leads_to_a_new_question,
        too_many_wrong_passcodes_lock_the_user_out_of_duo,
        the_code_of_a_verified_push_is_shown_after_a_menu_by_crv1,
        the_code_of_a_verified_push_is_shown_after_an_answer_in_the_session,
        a_verified_push_that_is_denied_lets_nobody_in,
        a_verified_push_is_an_ordinary_one_where_no_code_can_be_shown,
        a_passcode_is_in_no_log_and_no_database,
    ]
}

const PASSCODES_SENT: &str = "Passcodes were sent, enter one of them";

fn passcodes_by_sms_are_asked_for_at_once_and_count_as_no_failure() {
    // One failure would lock the user.
    let scene = Scene::with(duo().set("lockout", "max_failures", 1), |user| user.sms_passcode(PASSCODE));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, "3");
    let question = client.reply().expect_question(PASSCODES_SENT);
    assert_eq!(scene.server.duo().sent()[0].channel, Channel::Sms);
    client.answer(&question, PASSCODE);
    client.reply().expect_connected();
    wait_for_decision(&scene.server, &scene.user, "challenge", "duo-passcodes-sent");
}

fn passcodes_by_sms_are_asked_for_by_crv1_after_an_answer_in_the_session() {
    let scene = Scene::with(generic().set("lockout", "max_failures", 1), |user| user.sms_passcode(PASSCODE));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("sms");
    let question = client.reply().expect_question(PASSCODES_SENT);
    // More of them, because the first message is slow.
    client.answer(&question, "sms1");
    let question = client.reply().expect_question(PASSCODES_SENT);
    client.answer(&question, PASSCODE);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().requests_to(Endpoint::Preauth).len(), 1, "one look-up is enough");
}

/// OpenVPN for Android: the passcode is typed into the prompt of the next login.
fn passcodes_by_sms_reach_a_client_that_cannot_be_asked_again() {
    let scene = Scene::with(generic().set("lockout", "max_failures", 1), |user| user.sms_passcode(PASSCODE));
    let mut client =
        scene.server.client().crtext().line(r#"setenv IV_GUI_VER "de.blinkt.openvpn 0.7.51""#).start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("sms");
    client.reply().expect_refusal("New SMS passcodes sent");
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond(PASSCODE);
    client.reply().expect_connected();
}

fn with_static_challenge(scene: &Scene) -> Client {
    scene.server.client().static_challenge("Duo").start()
}

fn a_static_response_can_be_a_factor_word() {
    let scene = Scene::new(duo());
    let mut client = with_static_challenge(&scene);
    client
        .log_in(&scene.user.name, &crate::harness::management::static_response(&scene.user.password, "push"));
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert_eq!(last_factor(&scene.server).parameter("factor"), Some("push"));
}

fn a_static_response_can_be_a_passcode() {
    let scene = Scene::with(duo(), |user| user.passcode(PASSCODE));
    let mut client = with_static_challenge(&scene);
    client.log_in_by_scrv1(&scene.user.name, &scene.user.password, PASSCODE).expect_connected();
    assert_eq!(scene.server.duo().sent(), []);
}

/// A fresh question would be answered with the same, saved, text.
fn a_wrong_static_response_is_refused() {
    let scene = Scene::with(duo(), |user| user.passcode(PASSCODE));
    let mut client = with_static_challenge(&scene);
    let (name, password) = (&scene.user.name, &scene.user.password);
    client.log_in_by_scrv1(name, password, WRONG_PASSCODE).expect_refusal(INCORRECT_PASSCODE);
    client.log_in_by_scrv1(name, password, "4").expect_refusal(crate::cases::INCORRECT);
    scene.server.let_nobody_in();
    client.log_in_by_scrv1(name, password, PASSCODE).expect_connected();
}

fn an_empty_static_response_leads_to_the_menu() {
    let scene = Scene::with(patient(duo()), |user| user.phone(AT_ONCE));
    let (name, password) = (&scene.user.name, &scene.user.password);
    let mut client = with_static_challenge(&scene);
    let question = client.log_in_by_scrv1(name, password, "").expect_question(&scene.menu());
    client.answer(&question, "1");
    client.reply().expect_connected();
    let mut client = scene.server.client().static_challenge("Duo").crtext().start();
    assert_eq!(client.log_in_by_scrv1(name, password, "").expect_prompt(), scene.menu());
    client.respond("1");
    client.reply().expect_connected();
}

fn a_factor_word_can_be_appended_to_the_password() {
    let scene = Scene::new(duo().set("auth", "appended", "comma"));
    for client in [scene.server.client(), scene.server.client().crtext()] {
        let mut client = client.start();
        client.log_in(&scene.user.name, &format!("{},push", scene.user.password));
        scene.server.duo().approve(&scene.user.name);
        client.reply().expect_connected();
        client.leave();
    }
    assert_eq!(scene.server.duo().sent().len(), 2);
}

fn a_passcode_can_be_appended_to_the_password() {
    let scene = Scene::with(duo().set("auth", "appended", "comma"), |user| user.passcode(PASSCODE));
    let mut client = scene.server.client().crtext().start();
    client.log_in(&scene.user.name, &format!("{},{WRONG_PASSCODE}", scene.user.password));
    client.reply().expect_refusal(INCORRECT_PASSCODE);
    scene.server.let_nobody_in();
    client.log_in(&scene.user.name, &format!("{},{PASSCODE}", scene.user.password));
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent(), []);
}

fn a_wrong_passcode_leads_to_a_new_question() {
    let scene = Scene::with(duo(), |user| user.passcode(PASSCODE));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let first = client.reply().expect_question(&scene.menu());
    client.answer(&first, WRONG_PASSCODE);
    let second = client.reply().expect_question(INCORRECT_PASSCODE);
    assert_ne!(first.state, second.state);
    client.answer(&second, PASSCODE);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().requests_to(Endpoint::Preauth).len(), 1, "one look-up is enough");
}

fn a_wrong_passcode_in_the_session_leads_to_a_new_question() {
    let scene = Scene::new(generic());
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond(WRONG_PASSCODE);
    let question = client.reply().expect_question(INCORRECT_PASSCODE);
    // Any other factor is as good.
    client.answer(&question, "push");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
}

fn an_answer_that_means_nothing_leads_to_a_new_question() {
    let scene = Scene::with(patient(duo()), |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let mut question = client.reply().expect_question(&scene.menu());
    for nonsense in ["4", "push2", "open sesame", "O'Brien \"the boss\": %s $(id)"] {
        client.answer(&question, nonsense);
        question = client.reply().expect_question(TRY_AGAIN);
    }
    assert_eq!(scene.server.duo().requests_to(Endpoint::Auth).len(), 0, "Duo was asked nonsense");
    client.answer(&question, "2");
    client.reply().expect_connected();
}

fn too_many_wrong_passcodes_lock_the_user_out_of_duo() {
    let server = patient(duo()).set("lockout", "max_failures", 2);
    let scene = Scene::with(server, |user| user.passcode(PASSCODE));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, WRONG_PASSCODE);
    let question = client.reply().expect_question(INCORRECT_PASSCODE);
    client.answer(&question, "000002");
    client.reply().expect_refusal(LOCKED);
    let asked = scene.server.duo().requests().len();
    let mut client = with_static_challenge(&scene);
    for response in ["", PASSCODE, "push"] {
        client.log_in_by_scrv1(&scene.user.name, &scene.user.password, response).expect_refusal(LOCKED);
    }
    assert_eq!(scene.server.duo().requests().len(), asked, "Duo was asked about a locked user");
    scene.server.let_nobody_in();
}

const VERIFICATION: &str = "Please enter verification code 376 into Duo Mobile...";

fn verified() -> crate::harness::server_builder::ServerBuilder {
    duo().set("duo", "verified_push", true)
}

fn the_code_of_a_verified_push_is_shown_after_a_menu_by_crv1() {
    let scene = Scene::with(verified(), |user| user.verified_push("376"));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, "1");
    let question = client.reply().expect_question(VERIFICATION);
    client.answer(&question, "");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent().len(), 1);
}

fn the_code_of_a_verified_push_is_shown_after_an_answer_in_the_session() {
    let server = verified().set("duo", "prompt", "generic");
    let scene = Scene::with(server, |user| user.verified_push("376"));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    let question = client.reply().expect_question(VERIFICATION);
    // The phone is quicker than the person at the keyboard.
    scene.server.duo().approve(&scene.user.name);
    client.answer(&question, "");
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent().len(), 1);
}

fn a_verified_push_that_is_denied_lets_nobody_in() {
    let scene = Scene::with(patient(verified()), |user| user.verified_push("376"));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, "1");
    let question = client.reply().expect_question(VERIFICATION);
    scene.server.duo().deny(&scene.user.name);
    // Typing the code here, and not on the phone, is of no use.
    client.answer(&question, "376");
    client.reply().expect_refusal("Login request denied.");
    client.answer(&question, "");
    client.reply().expect_refused();
    scene.server.let_nobody_in();
}

fn a_verified_push_is_an_ordinary_one_where_no_code_can_be_shown() {
    let scene = Scene::with(verified(), |user| user.verified_push("376"));
    let mut client =
        scene.server.client().crtext().line(r#"setenv IV_GUI_VER "de.blinkt.openvpn 0.7.51""#).start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    let look_up = &scene.server.duo().requests_to(Endpoint::Preauth)[0];
    assert_eq!(look_up.parameter("client_supports_verified_push"), None);
}

fn a_passcode_is_in_no_log_and_no_database() {
    let scene = Scene::with(duo(), |user| user.passcode(PASSCODE).passcode("581230"));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    scene.answer_menu(&mut client, PASSCODE);
    client.reply().expect_connected();
    let mut client = with_static_challenge(&scene);
    client.log_in_by_scrv1(&scene.user.name, &scene.user.password, "581230").expect_connected();
    let mut places = vec![("the log".to_owned(), scene.server.hook_log().join("\n").into_bytes())];
    for entry in std::fs::read_dir(scene.server.database().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    for secret in [PASSCODE, "581230", &scene.user.password, crate::duo::SKEY] {
        let encoded = data_encoding::BASE64.encode(secret.as_bytes());
        for (place, bytes) in &places {
            for text in [secret, &encoded] {
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{text} is in {place}");
            }
        }
    }
}

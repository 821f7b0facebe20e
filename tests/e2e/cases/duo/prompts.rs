//! What a user is asked: the four styles of the settings, and who gets which of them how.

use super::{
    AT_ONCE, GENERIC, NUMBER, PASSCODE, PHONE, Scene, autopush, duo, factor_of, generic, impatient,
    last_factor, menu_of, patient,
};
use crate::cases::FAILED;
use crate::duo::{Channel, Device, Endpoint, User};
use crate::harness::accounts::{UnixUser, slow_pam_service};
use crate::harness::client::Client;
use crate::harness::client_builder::ClientBuilder;
use crate::harness::report::Case;
use crate::harness::server_builder::ServerBuilder;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        the_generic_prompt_comes_at_once_when_openvpn_does_not_wait,
        the_generic_prompt_comes_before_the_password_is_checked,
        the_generic_prompt_comes_after_a_long_budget,
        the_generic_prompt_has_the_text_of_the_settings,
        the_generic_prompt_is_also_put_by_crv1,
        a_menu_by_crv1_has_the_users_own_devices,
        a_menu_comes_in_the_session_when_it_is_there_in_time,
        a_menu_comes_by_crv1_when_openvpn_does_not_wait,
        a_menu_comes_one_way_or_the_other_within_the_default_budget,
        a_client_that_cannot_reconnect_gets_the_fixed_text_at_once,
        a_client_that_cannot_reconnect_and_answers_wrongly_is_refused,
        the_short_prompt_has_words_only,
        a_menu_that_is_too_long_becomes_words,
        words_that_are_too_long_become_fewer,
        duos_own_prompt_is_shown_and_its_options_work,
        autopush_asks_nothing,
        autopush_asks_nothing_when_openvpn_does_not_wait,
        autopush_is_decided_while_openvpn_waits_where_it_may,
        autopush_calls_a_phone_that_knows_no_push,
        a_wrong_password_never_reaches_duo,
        duo_learns_where_the_user_comes_from,
        duo_learns_where_the_user_comes_from_over_ipv6,
    ]
}

/// An answer before the password is checked, and an approval.
fn generic_prompt_with_budget(milliseconds: u32) {
    // The check ends well after the front has gone on.
    let service = slow_pam_service(3 + milliseconds / 1000);
    let server = generic().set("auth", "stall_budget_ms", i64::from(milliseconds));
    let scene = Scene::new(server.set("pam", "service", service.as_str()));
    let mut client = scene.server.client().crtext().start();
    client.prompt();
    let given = Instant::now();
    client.give(&scene.user.name, &scene.user.password);
    assert_eq!(client.reply().expect_prompt(), GENERIC);
    let waited = given.elapsed();
    let limit = Duration::from_millis(1500 + u64::from(milliseconds));
    assert!(waited < limit, "the prompt came {waited:?} after the password");
    client.respond("push");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert!(given.elapsed() > Duration::from_secs(3), "in before the password was checked");
    assert_eq!(scene.server.duo().requests_to(Endpoint::Preauth).len(), 1);
    assert!(client.reaches_the_server());
}

fn the_generic_prompt_comes_at_once_when_openvpn_does_not_wait() {
    generic_prompt_with_budget(0);
}

fn the_generic_prompt_comes_before_the_password_is_checked() {
    generic_prompt_with_budget(100);
}

fn the_generic_prompt_comes_after_a_long_budget() {
    generic_prompt_with_budget(2000);
}

fn the_generic_prompt_has_the_text_of_the_settings() {
    let text = "What Duo Mobile shows, or push";
    let scene =
        Scene::with(generic().set("duo", "prompt_text", text), |user| user.phone(AT_ONCE).passcode(PASSCODE));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    assert_eq!(client.reply().expect_prompt(), text);
    assert_eq!(scene.server.duo().requests().len(), 0, "a look-up before the answer");
    client.respond(PASSCODE);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent(), []);
}

fn the_generic_prompt_is_also_put_by_crv1() {
    let scene = Scene::with(generic(), |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(GENERIC);
    assert_eq!(scene.server.duo().requests().len(), 0, "a look-up before the answer");
    client.answer(&question, "PUSH");
    client.reply().expect_connected();
}

/// OpenVPN waits for none of them: a client that has to wait for the calls of many others does not hear its own answer.
fn many_at_once(server: ServerBuilder) -> ServerBuilder {
    impatient(server).set("worker", "max", 20)
}

fn a_menu_by_crv1_has_the_users_own_devices() {
    let server = many_at_once(duo()).start();
    let push = ("push", Some(PHONE), Some(Channel::Push));
    let phone = ("phone", Some(PHONE), Some(Channel::Phone));
    let answers = [
        ("1", push),
        ("2", phone),
        ("push", ("push", Some("auto"), Some(Channel::Push))),
        ("Push1", push),
        ("phone1", phone),
        ("", ("auto", Some("auto"), Some(Channel::Push))),
        (PASSCODE, ("passcode", None, None)),
    ];
    let mut logins = answers.map(|(answer, expected)| {
        let user = UnixUser::new();
        server.duo().add(User::with_phone(&user.name).phone(AT_ONCE).passcode(PASSCODE));
        let mut client = server.client().start();
        client.log_in(&user.name, &user.password);
        (user, client, answer, expected)
    });
    for (user, client, answer, _) in &mut logins {
        let question = client.reply().expect_question(&menu_of(user));
        assert_eq!(question.username(), user.name);
        client.answer(&question, answer);
    }
    for (user, client, answer, (factor, device, channel)) in &mut logins {
        client.reply().expect_connected();
        let request = factor_of(&server, user);
        assert_eq!(request.parameter("factor"), Some(*factor), "{answer:?}");
        assert_eq!(request.parameter("device"), *device, "{answer:?}");
        let sent = server.duo().sent().into_iter().find(|sent| sent.user == user.name);
        assert_eq!(sent.map(|sent| sent.channel), *channel, "{answer:?}");
    }
}

fn a_menu_comes_in_the_session_when_it_is_there_in_time() {
    let scene = Scene::new(patient(duo()));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    assert_eq!(client.reply().expect_prompt(), scene.menu());
    client.respond("2");
    assert_eq!(scene.server.duo().await_sent(1)[0].channel, Channel::Phone);
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().requests_to(Endpoint::Preauth).len(), 1, "one look-up is enough");
}

fn a_menu_comes_by_crv1_when_openvpn_does_not_wait() {
    let scene = Scene::new(impatient(duo()));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, "1");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().requests_to(Endpoint::Preauth).len(), 1, "one look-up is enough");
}

fn a_menu_comes_one_way_or_the_other_within_the_default_budget() {
    let scene = Scene::new(duo());
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    scene.answer_menu(&mut client, "1");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
}

/// As OpenVPN for Android.
fn without_crv1(client: ClientBuilder) -> ClientBuilder {
    client.crtext().line(r#"setenv IV_GUI_VER "de.blinkt.openvpn 0.7.51""#)
}

fn a_client_that_cannot_reconnect_gets_the_fixed_text_at_once() {
    let service = slow_pam_service(3);
    let scene = Scene::new(duo().set("pam", "service", service.as_str()));
    let mut client = without_crv1(scene.server.client()).start();
    client.prompt();
    let given = Instant::now();
    client.give(&scene.user.name, &scene.user.password);
    assert_eq!(client.reply().expect_prompt(), GENERIC);
    assert!(given.elapsed() < Duration::from_secs(2), "after {:?}", given.elapsed());
    client.respond("1");
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    assert_eq!(last_factor(&scene.server).parameter("device"), Some(PHONE));
}

fn a_client_that_cannot_reconnect_and_answers_wrongly_is_refused() {
    let scene = Scene::new(duo());
    let mut client = without_crv1(scene.server.client()).start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond(super::WRONG_PASSCODE);
    client.reply().expect_refusal(super::INCORRECT_PASSCODE);
    scene.server.let_nobody_in();
}

fn the_short_prompt_has_words_only() {
    let scene = Scene::with(patient(duo()).set("duo", "prompt", "short"), |user| user.phone(AT_ONCE));
    let words = "Duo - push1, phone1, sms1 or passcode";
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(words);
    client.answer(&question, "phone1");
    client.reply().expect_connected();
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    assert_eq!(client.reply().expect_prompt(), words);
    client.respond("push");
    client.reply().expect_connected();
    let channels: Vec<_> = scene.server.duo().sent().iter().map(|sent| sent.channel).collect();
    assert_eq!(channels, [Channel::Phone, Channel::Push]);
}

fn with_phones(user: User, numbers: std::ops::RangeInclusive<u32>) -> User {
    numbers.fold(user.phone(AT_ONCE), |user, number| {
        user.device(Device::phone(&format!("DEVICE{number}"), &format!("XXX-XXX-02{number:02}")))
    })
}

fn a_menu_that_is_too_long_becomes_words() {
    let scene = Scene::with(patient(duo()), |user| with_phones(user, 2..=4));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    let kinds = (1..=4).map(|number| format!("push{number}, phone{number}, sms{number}"));
    let words = kinds.collect::<Vec<_>>().join(", ");
    let question = client.reply().expect_question(&format!("Duo - {words} or passcode"));
    client.answer(&question, "phone3");
    client.reply().expect_connected();
    let sent = scene.server.duo().sent();
    assert_eq!((sent[0].channel, sent[0].device.as_str()), (Channel::Phone, "DEVICE3"));
}

fn words_that_are_too_long_become_fewer() {
    let scene = Scene::with(patient(duo()), |user| with_phones(user, 2..=15));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    assert_eq!(client.reply().expect_prompt(), "Duo passcode, push, phone or sms");
    client.respond("push 15");
    client.reply().expect_connected();
    assert_eq!(scene.server.duo().sent()[0].device, "DEVICE15");
}

fn duos_own_prompt_is_shown_and_its_options_work() {
    let server = many_at_once(duo()).start();
    let answers = [("2", "voice1"), ("push", "push1"), ("", "push1"), (PASSCODE, PASSCODE)];
    let mut logins = answers.map(|(answer, prompt)| {
        let user = UnixUser::new();
        let at_duo = User::with_phone(&user.name).phone(AT_ONCE).passcode(PASSCODE);
        server.duo().add(at_duo.prompted());
        let mut client = server.client().start();
        client.log_in(&user.name, &user.password);
        (user, client, answer, prompt)
    });
    for (user, client, answer, _) in &mut logins {
        let question = client.reply().expect_question(&format!(
            "Duo login for {}, 1. Push to {NUMBER}, 2. Call {NUMBER}, 3. Text passcodes to {NUMBER}, \
             Passcode or option (1-3)",
            user.name
        ));
        client.answer(&question, answer);
    }
    for (user, client, answer, prompt) in &mut logins {
        client.reply().expect_connected();
        let request = factor_of(&server, user);
        // A passcode needs no entry of the prompt.
        let sent = request.parameter("prompt").or(request.parameter("passcode"));
        assert_eq!(sent, Some(*prompt), "{answer:?}");
    }
}

/// Whoever can be asked and whoever cannot, nobody is.
fn autopush_with(server: ServerBuilder) {
    let scene = Scene::new(server);
    for client in [scene.server.client(), scene.server.client().crtext()] {
        let mut client = client.start();
        scene.log_in(&mut client);
        scene.server.duo().approve(&scene.user.name);
        client.reply().expect_connected();
        client.leave();
    }
    let channels: Vec<_> = scene.server.duo().sent().iter().map(|sent| sent.channel).collect();
    assert_eq!(channels, [Channel::Push, Channel::Push]);
    assert_eq!(last_factor(&scene.server).parameter("factor"), Some("auto"));
}

fn autopush_asks_nothing() {
    autopush_with(autopush());
}

fn autopush_asks_nothing_when_openvpn_does_not_wait() {
    autopush_with(impatient(autopush()));
}

fn autopush_is_decided_while_openvpn_waits_where_it_may() {
    let scene = Scene::with(patient(autopush()), |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    client.prompt();
    let given = Instant::now();
    client.give(&scene.user.name, &scene.user.password);
    client.reply().expect_connected();
    assert!(given.elapsed() < Duration::from_secs(2), "OpenVPN was not told at once: {:?}", given.elapsed());
}

fn autopush_calls_a_phone_that_knows_no_push() {
    let scene = Scene::new(autopush());
    let landline = Device::phone("LANDLINE", "XXX-XXX-0300").can(&["auto", "phone"]);
    let user = User::new(&scene.user.name).device(landline).phone(AT_ONCE);
    scene.server.duo().add(user);
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    client.reply().expect_connected();
    let sent = scene.server.duo().sent();
    assert_eq!((sent[0].channel, sent[0].device.as_str()), (Channel::Phone, "LANDLINE"));
}

fn a_wrong_password_never_reaches_duo() {
    let scenes =
        [duo(), generic(), autopush()].map(|server| Scene::new(server.set("auth", "appended", "comma")));
    let mut clients: Vec<Client> = Vec::new();
    for Scene { server, user } in &scenes {
        for (client, password) in
            [(server.client(), "wrong"), (server.client(), "wrong,push"), (server.client().crtext(), "wrong")]
        {
            let mut client = client.start();
            client.log_in(&user.name, password);
            clients.push(client);
        }
    }
    for client in &mut clients {
        client.outcome().expect_refusal(FAILED);
    }
    for Scene { server, .. } in &scenes {
        assert_eq!(server.duo().connections(), [], "Duo was asked about a wrong password");
        server.let_nobody_in();
    }
}

/// What Duo's policies and the phone's owner need to know.
fn learns_address(scene: &Scene, client: &mut Client, address: &str) {
    scene.log_in(client);
    client.reply().expect_connected();
    let duo = scene.server.duo();
    let requests = [duo.requests_to(Endpoint::Preauth), duo.requests_to(Endpoint::Auth)].concat();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.parameter("username"), Some(scene.user.name.as_str()));
        assert_eq!(request.parameter("ipaddr"), Some(address));
        assert!(request.parameter("hostname").is_some_and(|name| !name.is_empty()));
    }
    let push = last_factor(&scene.server);
    assert_eq!(push.parameter("type"), Some("VPN login"));
    assert_eq!(push.parameter("display_username"), Some(scene.user.name.as_str()));
    let shown = push.parameter("pushinfo").unwrap_or_default().replace("%3A", ":");
    assert!(shown.contains(address), "{shown}");
}

fn duo_learns_where_the_user_comes_from() {
    let scene = Scene::with(autopush(), |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    let address = client.network().own_ipv4();
    learns_address(&scene, &mut client, &address);
}

fn duo_learns_where_the_user_comes_from_over_ipv6() {
    let scene = Scene::with(autopush().ipv6(), |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().start();
    let address = client.network().own_ipv6();
    learns_address(&scene, &mut client, &address);
}

//! Long waits: for everybody else, for sessions that go away, for those who stay connected, and for a free worker.

use super::{AT_ONCE, PASSCODE, PHONE, Scene, autopush, duo, generic, wait_for_decision};
use crate::duo::{Channel, Phone};
use crate::harness::client::{Client, Timed};
use crate::harness::echo::{Pinger, Sample};
use crate::harness::management::Event;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::server_builder::ServerBuilder;
use crate::harness::{PATIENCE, eventually};
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        tunnels_keep_flowing_while_an_approval_takes_twenty_seconds,
        tunnels_keep_flowing_while_an_approval_in_the_session_takes_long,
        tunnels_keep_flowing_while_duo_never_answers,
        a_session_that_is_gone_gets_no_verdict_and_no_file_when_the_phone_says_yes,
        a_server_that_ends_while_a_push_waits_leaves_nothing,
        a_worker_killed_while_a_push_waits_lets_nobody_in,
        the_secret_key_is_in_no_process_list,
        auth_gen_token_asks_duo_nothing_again,
        auth_gen_token_of_a_crv1_login_asks_duo_nothing_again,
        external_auth_asks_duo_nothing_again,
        a_stale_answer_asks_duo_nothing_and_is_not_counted,
        when_all_workers_wait_for_phones_a_client_comes_back_by_itself,
    ]
}

/// No packet of a tunnel may wait longer, with the default budget and other tests on the same machine.
const GAP: Duration = Duration::from_millis(100 + 400);

/// Somebody in a tunnel, whose packets are watched.
fn watch(scene: &Scene) -> (Client, Pinger) {
    let user = scene.another_user(|user| user.phone(AT_ONCE).passcode(PASSCODE));
    let mut client = scene.server.client().static_challenge("Duo").start();
    client.log_in_by_scrv1(&user.name, &user.password, PASSCODE).expect_connected();
    let pinger = Pinger::start(client.network(), Duration::from_millis(20), u32::MAX);
    (client, pinger)
}

fn flowed(samples: &[Sample], at_least: Duration) {
    let wanted = at_least.as_millis() / 20 * 9 / 10;
    assert!(samples.len() as u128 >= wanted, "{} packets in {at_least:?}", samples.len());
    let lost = samples.iter().filter(|sample| sample.round_trip.is_none()).count();
    let worst = samples.iter().filter_map(|sample| sample.round_trip).max().unwrap();
    println!("{} packets, {lost} lost, the slowest took {worst:?}", samples.len());
    assert_eq!(lost, 0, "packets were lost");
    assert!(worst < GAP, "the tunnel stood still for {worst:?}");
}

fn tunnels_keep_flowing_while_an_approval_takes_twenty_seconds() {
    let twenty = Duration::from_secs(20);
    let scene = Scene::with(autopush(), |user| user.phone(Phone::ApprovesAfter(twenty)));
    let (_connected, pinger) = watch(&scene);
    let mut client = scene.server.client().start();
    client.prompt();
    let given = Instant::now();
    client.give(&scene.user.name, &scene.user.password);
    client.reply().expect_connected();
    let took = given.elapsed();
    assert!(took >= twenty, "in after {took:?}");
    flowed(&pinger.stop(), took);
    assert_eq!(scene.server.duo().sent().len(), 1);
}

fn tunnels_keep_flowing_while_an_approval_in_the_session_takes_long() {
    let scene = Scene::new(generic());
    let (_connected, pinger) = watch(&scene);
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    let begun = Instant::now();
    client.respond("phone");
    scene.server.duo().await_sent(1);
    std::thread::sleep(Duration::from_secs(6));
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
    flowed(&pinger.stop(), begun.elapsed());
    assert_eq!(scene.server.duo().sent()[0].channel, Channel::Phone);
}

fn tunnels_keep_flowing_while_duo_never_answers() {
    use crate::duo::Misbehaviour;
    let scene = Scene::new(duo().set("duo", "timeout", 5));
    let (_connected, pinger) = watch(&scene);
    scene.server.duo().misbehave(Misbehaviour::StallBeforeTls.always());
    let begun = Instant::now();
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_refusal("The second factor cannot be checked now, try again later");
    flowed(&pinger.stop(), begun.elapsed());
}

fn wait_until_no_process_is_left(server: &Server, patience: Duration) {
    eventually("no process of a hook", patience, || server.hook_processes().is_empty().then_some(()));
}

/// The client vanishes without a word, and OpenVPN gives its login up.
fn a_session_that_is_gone_gets_no_verdict_and_no_file_when_the_phone_says_yes() {
    let scene = Scene::new(autopush().line("hand-window 8").set("duo", "timeout", 30));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().await_sent(1);
    drop(client);
    let tmp = scene.server.directory().join("tmp");
    eventually("OpenVPN's end of the login", PATIENCE, || {
        std::fs::read_dir(&tmp).unwrap().next().is_none().then_some(())
    });
    assert!(!scene.server.hook_processes().is_empty(), "nobody waits for the phone any more");
    scene.server.duo().approve(&scene.user.name);
    wait_until_no_process_is_left(&scene.server, Duration::from_secs(5));
    let log = scene.server.hook_log().join("\n");
    assert!(log.contains("the session is gone"), "{log}");
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "a file was made for a session that is gone");
    scene.server.let_nobody_in();
}

fn a_server_that_ends_while_a_push_waits_leaves_nothing() {
    let scene = Scene::new(generic().set("duo", "timeout", 6));
    let mut client = scene.server.client().crtext().start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    scene.server.duo().await_sent(1);
    let sent = Instant::now();
    drop(client);
    scene.server.stop();
    scene.server.is_expected_to_have_ended();
    // Nobody answers the phone, and the worker ends within its time.
    wait_until_no_process_is_left(&scene.server, Duration::from_secs(10));
    assert!(sent.elapsed() < Duration::from_secs(9), "the worker ended after {:?}", sent.elapsed());
    scene.server.let_nobody_in();
}

fn a_worker_killed_while_a_push_waits_lets_nobody_in() {
    let scene = Scene::new(autopush().line("hand-window 8"));
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().await_sent(1);
    for id in scene.server.hook_processes() {
        crate::harness::sandbox::run("kill", ["-KILL", &id.to_string()]);
    }
    wait_until_no_process_is_left(&scene.server, Duration::from_secs(5));
    scene.server.duo().approve(&scene.user.name);
    // OpenVPN gives the login up by itself, without our reason.
    scene.server.wait_for_log("the end of the login", |line| line.contains("'AUTH_FAILED'"));
    scene.server.let_nobody_in();
}

fn the_secret_key_is_in_no_process_list() {
    let scene = Scene::new(autopush());
    let mut client = scene.server.client().start();
    scene.log_in(&mut client);
    scene.server.duo().await_sent(1);
    let waiting = scene.server.hook_processes();
    assert!(!waiting.is_empty());
    for secret in [crate::duo::SKEY, &scene.user.password] {
        for id in &waiting {
            for file in ["cmdline", "environ"] {
                let Ok(bytes) = std::fs::read(format!("/proc/{id}/{file}")) else { continue };
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "a secret is in {file} of process {id}");
            }
        }
        assert!(!scene.server.log().contains(secret), "a secret is in the log");
    }
    scene.server.duo().approve(&scene.user.name);
    client.reply().expect_connected();
}

/// The client renegotiates that often.
const OFTEN: &str = "reneg-sec 5";

/// Two renegotiations on, the client is in, and neither it nor Duo was asked anything.
fn stays_in(scene: &Scene, client: &mut Client) {
    let (heard, asked) = (client.events().len(), scene.server.duo().requests().len());
    client.wait_for_renegotiations(2);
    assert!(client.reaches_the_server());
    let events = client.events();
    let is_word = |timed: &&Timed| {
        use Event::{AuthFailed, CrText, DynamicChallenge, Exited, NeedAuth};
        matches!(
            timed.event,
            NeedAuth { .. } | CrText { .. } | DynamicChallenge(_) | AuthFailed { .. } | Exited
        )
    };
    let words: Vec<_> = events[heard..].iter().filter(is_word).collect();
    assert!(words.is_empty(), "asked again: {words:?}");
    assert_eq!(scene.server.duo().requests().len(), asked, "Duo was asked again");
    assert_eq!(scene.server.let_in(), 1);
}

fn with_token(server: ServerBuilder, token: &str) -> Scene {
    Scene::with(server.line(token), |user| user.phone(AT_ONCE))
}

fn auth_gen_token_asks_duo_nothing_again() {
    let scene = with_token(autopush(), "auth-gen-token");
    let mut client = scene.server.client().line(OFTEN).start();
    scene.log_in(&mut client);
    client.reply().expect_connected();
    stays_in(&scene, &mut client);
}

fn auth_gen_token_of_a_crv1_login_asks_duo_nothing_again() {
    let scene = with_token(duo(), "auth-gen-token");
    let mut client = scene.server.client().line(OFTEN).start();
    scene.log_in(&mut client);
    let question = client.reply().expect_question(&scene.menu());
    client.answer(&question, "push");
    client.reply().expect_connected();
    stays_in(&scene, &mut client);
}

fn external_auth_asks_duo_nothing_again() {
    let scene = with_token(super::patient(generic()), "auth-gen-token 0 external-auth");
    let mut client = scene.server.client().crtext().line(OFTEN).start();
    scene.log_in(&mut client);
    client.reply().expect_prompt();
    client.respond("push");
    client.reply().expect_connected();
    stays_in(&scene, &mut client);
    wait_for_decision(&scene.server, &scene.user, "accept", "session-token");
}

/// Without a token, a client that answered a question shows the answer again, to a question that is used up.
fn a_stale_answer_asks_duo_nothing_and_is_not_counted() {
    let server = super::patient(duo()).set("lockout", "max_failures", 1);
    let scene = Scene::with(server, |user| user.phone(AT_ONCE));
    let mut client = scene.server.client().line(OFTEN).start();
    let log_in = |client: &mut Client| {
        scene.log_in(client);
        let question = client.reply().expect_question(&scene.menu());
        client.answer(&question, "1");
        client.reply().expect_connected();
    };
    log_in(&mut client);
    let asked = scene.server.duo().requests().len();
    client.reply().expect_refused();
    assert_eq!(scene.server.duo().requests().len(), asked, "Duo was asked about a stale answer");
    log_in(&mut client);
    assert_eq!(scene.server.duo().sent().iter().filter(|sent| sent.device == PHONE).count(), 2);
}

fn when_all_workers_wait_for_phones_a_client_comes_back_by_itself() {
    let scene = Scene::new(autopush().set("worker", "max", 2));
    let second = scene.another_user(|user| user);
    let third = scene.another_user(|user| user.phone(AT_ONCE));
    let mut waiting: Vec<Client> = Vec::new();
    for user in [&scene.user, &second] {
        let mut client = scene.server.client().start();
        client.log_in(&user.name, &user.password);
        waiting.push(client);
        scene.server.duo().await_sent(waiting.len());
    }
    let mut client = scene.server.client().line("auth-retry nointeract").start();
    client.log_in(&third.name, &third.password);
    wait_for_decision(&scene.server, &third, "reject", "busy");
    scene.server.wait_for_log("the message to the client", |line| {
        line.contains("AUTH_FAILED,TEMP[backoff 5]: Server busy, try again")
    });
    assert_eq!(scene.server.let_in(), 0);
    scene.server.duo().approve(&scene.user.name);
    waiting[0].reply().expect_connected();
    eventually("the third client is in", PATIENCE, || client.was_ever_connected().then_some(()));
    assert!(!waiting[1].was_ever_connected());
    scene.server.duo().approve(&second.name);
    waiting[1].reply().expect_connected();
}

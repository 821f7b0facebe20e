//! Settings by file, by `setenv`, and broken ones.

use super::{PROMPT, Scene};
use crate::harness::accounts::UnixUser;
use crate::harness::enrolment::Enrolment;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        the_older_scripts_setenv_names_work_without_a_settings_file,
        settings_file_and_database_are_found_at_their_default_places,
        setenv_goes_before_the_settings_file,
        the_settings_file_can_be_named_by_setenv,
        a_setting_of_any_section_can_be_made_by_setenv,
        the_challenge_text_reaches_a_crv1_client,
        the_issuer_is_in_the_uri,
        a_wider_window_accepts_older_codes,
        an_unknown_key_lets_nobody_in_and_is_named,
        an_unknown_value_lets_nobody_in_and_is_named,
        a_settings_file_that_is_not_toml_lets_nobody_in_and_is_named,
        a_missing_settings_file_lets_nobody_in_and_is_named,
        a_missing_database_lets_nobody_in_and_is_named,
        a_database_that_is_not_ours_is_left_alone,
        a_user_can_log_in_while_others_are_enrolled,
    ]
}

const TEXT: &str = "Token for ACME: six digits, please";

fn the_older_scripts_setenv_names_work_without_a_settings_file() {
    let builder = Server::builder();
    let database = builder.directory().join("old/token_index.sqlite3");
    let server = builder
        .without_settings_file()
        .line(format!("setenv totpTokenDbPath {}", database.display()))
        .line(format!("setenv totpChallengeText \"{TEXT}\""))
        .line("setenv totpChallengeTimeout 45")
        .line("setenv totpIssuerName \"ACME VPN\"")
        .start();
    let user = UnixUser::new();
    let enrolment = Enrolment::new(&database, &user.name, &[], &[]);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), TEXT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    let log = client.log();
    assert!(log.contains("extending handshake timeout from 60s to 45s"), "the timeout is not 45 s: {log}");
}

fn settings_file_and_database_are_found_at_their_default_places() {
    let builder = Server::builder().without_settings_file();
    let here = builder.directory().to_path_buf();
    std::fs::create_dir_all(here.join("settings")).unwrap();
    std::fs::write(here.join("settings/config.toml"), format!("[totp]\nchallenge_text = \"{TEXT}\"\n"))
        .unwrap();
    let user = UnixUser::new();
    let enrolment = Enrolment::new(&here.join("database/token_index.sqlite3"), &user.name, &[], &[]);
    let script = format!(
        "mkdir -p /etc/openvpn-2fa && mount --bind {0}/settings /etc/openvpn-2fa && \
         mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/openvpn-totp && \
         mount --bind {0}/database /var/lib/openvpn-totp",
        here.display()
    );
    let server = builder.mounts(&script).start();
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), TEXT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn setenv_goes_before_the_settings_file() {
    let builder = Server::builder().set("totp", "challenge_text", "from the file");
    let Scene { server, user, .. } =
        Scene::with(builder.line(format!("setenv totpChallengeText \"{TEXT}\"")));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), TEXT);
}

fn the_settings_file_can_be_named_by_setenv() {
    let builder = Server::builder().settings_by_setenv().set("totp", "challenge_text", TEXT);
    let Scene { server, user, enrolment } = Scene::with(builder.set("totp", "challenge_timeout", 50));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    assert_eq!(client.reply().expect_prompt(), TEXT);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
    assert!(client.log().contains("extending handshake timeout from 60s to 50s"));
}

fn a_setting_of_any_section_can_be_made_by_setenv() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().line("setenv authChallenge crv1").line("setenv lockoutMaxFailures 1"));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(PROMPT);
    client.answer(&question, &enrolment.wrong_code());
    client.reply().expect_refusal(super::LOCKED);
}

fn the_challenge_text_reaches_a_crv1_client() {
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().line(format!("setenv totpChallengeText \"{TEXT}\"")));
    let mut client = server.client().start();
    client.log_in(&user.name, &user.password);
    let question = client.reply().expect_question(TEXT);
    client.answer(&question, &enrolment.code());
    client.reply().expect_connected();
}

fn the_issuer_is_in_the_uri() {
    let database = Server::builder().directory().join("only.sqlite3");
    let plain = Enrolment::new(&database, "alice", &[], &[]);
    let wanted =
        format!("otpauth://totp/OpenVPN%20Server:alice?secret={}&issuer=OpenVPN%20Server", plain.secret);
    assert_eq!(plain.uri, wanted);
    let named = Enrolment::new(&database, "bob", &[("totpIssuerName", "ACME & Söhne")], &[]);
    assert!(named.uri.contains("issuer=ACME%20%26%20S%C3%B6hne"), "{}", named.uri);
}

fn a_wider_window_accepts_older_codes() {
    let Scene { server, user, enrolment } = Scene::with(Server::builder().set("totp", "window", 6));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code_in(-4)).expect_connected();
}

/// A server whose hook cannot decide anything: what the log says of it must have `words`.
fn lets_nobody_in(server: &Server, words: &[&str]) {
    let user = UnixUser::new();
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.outcome().expect_refused();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, "123456").expect_refused();
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    for word in words {
        assert!(log.contains(word), "the log does not name {word:?}: {log}");
    }
}

fn an_unknown_key_lets_nobody_in_and_is_named() {
    let server = Server::builder().set("totp", "windwo", 1).start();
    lets_nobody_in(&server, &["windwo", "openvpn-2fa.toml"]);
}

fn an_unknown_value_lets_nobody_in_and_is_named() {
    let server = Server::builder().set("auth", "primary", "pram").start();
    lets_nobody_in(&server, &["primary", "pram", "openvpn-2fa.toml"]);
}

fn a_settings_file_that_is_not_toml_lets_nobody_in_and_is_named() {
    let server = Server::builder().settings_text("[auth]\nprimary = \"none\nchallenge off\n").start();
    lets_nobody_in(&server, &["openvpn-2fa.toml"]);
}

fn a_missing_settings_file_lets_nobody_in_and_is_named() {
    let server =
        Server::builder().without_settings_file().line("setenv openvpn2faConfig /nowhere/x.toml").start();
    lets_nobody_in(&server, &["/nowhere/x.toml"]);
}

fn a_missing_database_lets_nobody_in_and_is_named() {
    let server = Server::builder().start();
    let user = UnixUser::new();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, "123456").expect_refused();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, "123456").expect_not_let_in();
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains("tokens.sqlite3"), "the log does not name the database: {log}");
    assert!(!server.database().exists(), "a login made a database");
}

fn a_database_that_is_not_ours_is_left_alone() {
    let server = Server::builder().start();
    let content = b"somebody's diary\n".repeat(500);
    std::fs::create_dir_all(server.database().parent().unwrap()).unwrap();
    std::fs::write(server.database(), &content).unwrap();
    let user = UnixUser::new();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, "123456").expect_refused();
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains("tokens.sqlite3"), "the log does not name the database: {log}");
    assert!(!server.administer(&["enroll", &user.name]).status.success());
    assert_eq!(std::fs::read(server.database()).unwrap(), content);
    let beside = std::fs::read_dir(server.database().parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "files were made beside the database that is not ours");
}

fn a_user_can_log_in_while_others_are_enrolled() {
    let Scene { server, user, enrolment } = Scene::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                server.enroll(&format!("new{number}"));
            }
        });
        let mut client = server.client().static_challenge("Your code").start();
        client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    });
    let listed = server.administer(&["list"]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 21);
}

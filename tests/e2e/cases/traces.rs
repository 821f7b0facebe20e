//! What a login leaves behind: log lines, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::{INCORRECT, Scene};
use crate::harness::accounts::slow_pam_service;
use crate::harness::reply::reference;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, eventually};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        the_log_tells_each_decision_and_no_secret,
        a_reference_that_the_user_sees_is_in_the_log,
        waiting_processes_carry_no_password,
        no_process_outlives_a_challenge_that_nobody_answers,
        no_process_outlives_a_login,
        the_database_is_for_root_alone_and_holds_no_password,
        decisions_go_to_syslog_where_there_is_one,
        a_server_that_ends_with_a_prompt_open_leaves_nothing,
    ]
}

fn the_log_tells_each_decision_and_no_secret() {
    let scene = Scene::new();
    let Scene { server, user, enrolment } = &scene;
    let wrong_password = "Yak-shaving-9";
    let wrong = enrolment.wrong_codes(3);
    let right = enrolment.code();
    let next = enrolment.next_code();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, wrong_password, &right).expect_refused();
    let question =
        client.log_in_by_crtext(&user.name, &user.password, &wrong[0]).expect_question(super::TRY_AGAIN);
    client.answer(&question, &right);
    client.reply().expect_connected();
    let address = client.network().own_ipv4();
    let mut second = server.client().static_challenge("Your code").start();
    second.log_in_by_scrv1(&user.name, &user.password, &wrong[1]).expect_refused();
    second.log_in_by_scrv1(&user.name, &user.password, &next).expect_connected();

    let lines = server.hook_log();
    let log = lines.join("\n");
    let told: Vec<&String> = lines.iter().filter(|line| line.contains(&user.name)).collect();
    assert!(told.len() >= 5, "five decisions, but these lines of {}: {log}", user.name);
    assert!(told.iter().any(|line| line.contains(&address)), "no line has the client's address: {log}");
    for key in ["event=", "user=", "client=", "outcome=", "reason="] {
        assert!(told.iter().any(|line| line.contains(key)), "no line has {key}: {log}");
    }
    let mut secrets = vec![user.password.as_str(), wrong_password, &enrolment.secret, &right, &next];
    secrets.extend(wrong.iter().map(String::as_str));
    secrets.push(&question.state);
    for secret in secrets {
        let encoded = data_encoding::BASE64.encode(secret.as_bytes());
        let line = lines.iter().find(|line| line.contains(secret) || line.contains(&encoded));
        assert_eq!(line, None, "{secret} is in the log");
    }
    let whole = server.log();
    assert!(!whole.contains(&user.password) && !whole.contains(wrong_password), "a password is in the log");
}

fn a_reference_that_the_user_sees_is_in_the_log() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().static_challenge("Your code").start();
    let reply = client.log_in_by_scrv1(&user.name, &user.password, &enrolment.wrong_code());
    let reason = reply.expect_refused();
    assert!(reason.starts_with(INCORRECT), "{reason:?}");
    if let Some(reference) = reference(&reason) {
        let log = server.hook_log().join("\n");
        assert!(log.contains(reference), "{reference} is not in the log: {log}");
    }
}

fn waiting_processes_carry_no_password() {
    let service = slow_pam_service(2);
    let builder = Server::builder().via_env().set("pam", "service", service.as_str());
    let Scene { server, user, .. } = Scene::with(builder);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    let password = user.password.as_bytes();
    for id in server.hook_processes() {
        for file in ["cmdline", "environ"] {
            let Ok(bytes) = std::fs::read(format!("/proc/{id}/{file}")) else { continue };
            let found = bytes.windows(password.len()).any(|window| window == password);
            assert!(!found, "the password is in {file} of process {id}");
        }
    }
}

fn no_process_outlives_a_challenge_that_nobody_answers() {
    let builder = Server::builder().set("totp", "challenge_timeout", 3).line("hand-window 8");
    let Scene { server, user, .. } = Scene::with(builder);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    drop(client);
    eventually("the hooks' processes end", Duration::from_secs(25), || {
        server.hook_processes().is_empty().then_some(())
    });
}

fn no_process_outlives_a_login() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    eventually("the hooks' processes end", Duration::from_secs(5), || {
        server.hook_processes().is_empty().then_some(())
    });
}

fn the_database_is_for_root_alone_and_holds_no_password() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext(&user.name, &user.password, &enrolment.code()).expect_connected();
    let directory = server.database().parent().unwrap().to_path_buf();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&directory), 0o700);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let password = user.password.as_bytes();
        let found = bytes.windows(password.len()).any(|window| window == password);
        assert!(!found, "the password is in {}", path.display());
    }
}

fn decisions_go_to_syslog_where_there_is_one() {
    let builder = Server::builder();
    let log = builder.directory().join("dev-log");
    std::fs::create_dir_all(builder.directory()).unwrap();
    let socket = UnixDatagram::bind(&log).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // Only this server sees it: the others' lines are looked for in their own logs.
    let script = format!(
        "mkdir {0}/dev && mount --rbind /dev {0}/dev && mount -t tmpfs tmpfs /dev && \
         for node in null zero urandom random net; do ln -s {0}/dev/$node /dev/$node; done && \
         ln -s {1} /dev/log",
        builder.directory().display(),
        log.display(),
    );
    let Scene { server, user, enrolment } = Scene::with(builder.mounts(&script));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("a datagram that names the user");
        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if line.contains(&user.name) && line.contains("openvpn-2fa") {
            let priority = line.strip_prefix('<').and_then(|rest| rest.split('>').next());
            let facility = priority.and_then(|number| number.parse::<u32>().ok()).map(|number| number >> 3);
            // auth or authpriv
            assert!(matches!(facility, Some(4 | 10)), "{line}");
            assert!(!line.contains(&user.password) && !line.contains(&enrolment.secret), "{line}");
            break;
        }
    }
}

fn a_server_that_ends_with_a_prompt_open_leaves_nothing() {
    let Scene { server, user, .. } = Scene::with(Server::builder().set("auth", "stall_budget_ms", 0));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    // The server's own end checks the tmp-dir.
}

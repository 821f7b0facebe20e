//! The secret key, and everything else that nobody may see.

use super::UNAVAILABLE;
use crate::duo::{Endpoint, IKEY, Misbehaviour, Phone, SKEY, User};
use crate::support::{DuoSite, chmod, eventually, files_below};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn site(setenv: &[(&str, &str)]) -> DuoSite {
    let site = DuoSite::with(setenv);
    site.duo.add(User::with_phone("alice").passcode("123456").passcode("234567"));
    site
}

/// Takes a key out of the settings file.
fn without(settings: &str, key: &str) -> String {
    let lines = settings.lines().filter(|line| !line.starts_with(&format!("{key} = ")));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn a_file_with_the_key_that_is_of_no_use_is_named_and_lets_nobody_in() {
    let site = site(&[("duoFailmode", "safe")]);
    let file = site.path("skey");
    let name = file.display().to_string();
    for (content, mode, why) in [
        (SKEY.to_owned(), 0o644, "chmod go-rwx"),
        (SKEY.to_owned(), 0o640, "chmod go-rwx"),
        (SKEY.to_owned(), 0o604, "chmod go-rwx"),
        (String::new(), 0o600, "not a secret key"),
        ("\n".to_owned(), 0o600, "not a secret key"),
        (format!("{SKEY}\n\n"), 0o600, "not a secret key"),
        (format!("skey = {SKEY}\n"), 0o600, "not a secret key"),
        (SKEY.repeat(100), 0o600, "longer than"),
    ] {
        std::fs::write(&file, content).unwrap();
        chmod(&file, mode);
        site.enter("alice", "123456").is_out(UNAVAILABLE);
        let parts = ["reason=duo-unavailable", "[duo] skey_file", &name, why];
        assert!(site.logged(&parts), "{why}: {}", site.logs());
    }
    std::fs::remove_file(&file).unwrap();
    site.enter("alice", "123456").is_out(UNAVAILABLE);
    assert!(site.logged(&["reason=duo-unavailable", &name, "No such file"]), "{}", site.logs());
    let real = site.path("real");
    std::fs::write(&real, SKEY).unwrap();
    chmod(&real, 0o600);
    std::os::unix::fs::symlink(&real, &file).unwrap();
    site.enter("alice", "123456").is_out(UNAVAILABLE);
    assert!(site.logged(&["reason=duo-unavailable", &name, "symbolic link"]), "{}", site.logs());
    assert_eq!(site.duo.connections(), [], "without a key nobody is asked");
}

#[test]
fn the_end_of_the_line_does_not_belong_to_the_key() {
    for content in [SKEY.to_owned(), format!("{SKEY}\n"), format!("{SKEY}\r\n")] {
        let site = site(&[]);
        std::fs::write(site.path("skey"), content).unwrap();
        site.enter("alice", "123456").is_in();
    }
}

#[test]
fn a_key_in_the_settings_wants_a_file_that_nobody_else_can_read() {
    let site = site(&[]);
    site.edit(|settings| without(&settings, "skey_file") + &format!("skey = '{SKEY}'\n"));
    for mode in [0o644, 0o640, 0o604] {
        chmod(&site.config(), mode);
        site.enter("alice", "123456").is_out("Authentication failed");
        assert!(site.logged(&["reason=internal", "[duo] skey: a secret in a file that others can read"]));
    }
    assert_eq!(site.duo.connections(), []);
    chmod(&site.config(), 0o600);
    site.enter("alice", "123456").is_in();
    // Both at a time is a mistake, and it is not said what they are.
    site.edit(|settings| settings + &format!("skey_file = '{}'\n", site.path("skey").display()));
    site.enter("alice", "234567").is_out("Authentication failed");
    assert!(site.logged(&["reason=internal", "[duo] skey and skey_file"]), "{}", site.logs());
}

#[test]
fn what_is_not_set_is_named_in_the_log() {
    for (key, part) in [
        ("host", "[duo] host is not set"),
        ("ikey", "[duo] ikey is not set"),
        ("skey_file", "neither [duo] skey_file nor skey is set"),
    ] {
        let site = site(&[("duoFailmode", "safe")]);
        site.edit(|settings| without(&settings, key));
        site.enter("alice", "123456").is_out("Authentication failed");
        assert!(site.logged(&["outcome=reject reason=internal", part]), "{}", site.logs());
    }
}

#[test]
fn keys_that_duo_refuses_are_said_to_be_wrong() {
    let wrong = SKEY.replace("0123", "3210");
    for (failmode, settings, part) in [
        (
            "secure",
            ("duoIkey", "DIWRONGWRONGWRONGWRO"),
            "code 40102: Invalid integration key in request credentials: check [duo] ikey and skey",
        ),
        ("safe", ("duoIkey", "DIWRONGWRONGWRONGWRO"), "check [duo] ikey and skey"),
        (
            "safe",
            ("", ""),
            "code 40103: Invalid signature in request credentials: check [duo] skey, and that ikey and host belong",
        ),
    ] {
        let site = site(&[("duoFailmode", failmode), settings]);
        site.keep_out_of_the_log(wrong.as_bytes());
        if settings.0.is_empty() {
            std::fs::write(site.path("skey"), &wrong).unwrap();
        }
        site.enter("alice", "123456").is_out(UNAVAILABLE);
        assert!(site.logged(&["reason=duo-unavailable", part]), "{part}: {}", site.logs());
        assert_eq!(site.duo.requests().len(), 1, "once is enough");
        site.duo.take_faults();
    }
}

#[test]
fn no_file_holds_the_key_or_what_was_typed() {
    // The site itself looks into the log.
    let site = site(&[("lockoutMaxFailures", "100")]);
    let holding = |secret: &str| -> Vec<PathBuf> {
        let contains = |content: &[u8]| content.windows(secret.len()).any(|part| part == secret.as_bytes());
        files_below(&site.path(""))
            .into_iter()
            .filter(|(_, content)| contains(content))
            .map(|(path, _)| path)
            .collect()
    };
    let typed = ["987654", "876543", "My-Password-1", "123456"];
    for typed in typed {
        let _ = site.enter("alice", typed);
    }
    site.duo.add(User::with_phone("alice").sms_passcode("777777"));
    let question = site.enter("alice", "sms").session.question();
    let _ = site.enter("alice", &question.answer("765432"));
    for misbehaviour in [
        Misbehaviour::status(500),
        Misbehaviour::refusal(400, 40002, "Invalid request parameters"),
        Misbehaviour::CloseAfterRequest,
    ] {
        site.duo.misbehave(misbehaviour.times(1).at(Endpoint::Auth));
        let _ = site.enter("alice", "654321");
    }
    for secret in typed.into_iter().chain(["765432", "654321"]) {
        assert_eq!(holding(secret), [] as [PathBuf; 0], "{secret}");
    }
    assert_eq!(holding(SKEY), [site.path("skey")]);
}

#[test]
fn what_duo_says_of_a_request_is_logged_without_the_request() {
    let site = site(&[]);
    site.duo.misbehave(
        Misbehaviour::refusal(400, 40002, "Invalid request parameters").times(1).at(Endpoint::Auth),
    );
    site.enter("alice", "123456").is_out(UNAVAILABLE);
    assert!(
        site.logged(&["HTTP 400, code 40002: Invalid request parameters (of a test)"]),
        "{}",
        site.logs()
    );
    assert!(!site.logs().contains(IKEY) && !site.logs().contains("Basic "), "{}", site.logs());
}

/// The processes in whose environment a text stands.
pub(super) fn processes_with(text: &str) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes.filter(|process| read(process, "environ").contains(text)).collect()
}

fn read(process: &Path, file: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(process.join(file)).unwrap_or_default()).into_owned()
}

#[test]
#[ignore = "needs root, to look into processes that protect themselves"]
fn neither_arguments_nor_environment_of_a_worker_hold_the_key_or_what_was_typed() {
    let site = site(&[("authStallBudgetMs", "0"), ("duoTimeout", "5")]);
    site.duo.misbehave(Misbehaviour::StallAfterRequest.always().at(Endpoint::Auth));
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").via_env("123456").status(), 2);
    site.duo.await_requests(Endpoint::Auth, 1);
    let workers = processes_with(&session.control.display().to_string());
    assert_eq!(workers.len(), 1, "the worker waits for Duo");
    for file in ["environ", "cmdline"] {
        let text = read(&workers[0], file);
        assert!(!text.is_empty());
        for secret in ["123456", "password=", SKEY, "DPFZRS9FB0D46QFTM891"] {
            assert!(!text.contains(secret), "{secret} in {file}: {text:?}");
        }
    }
    assert_eq!(session.decided(), "0");
}

#[test]
#[ignore = "needs root, to look into processes that protect themselves"]
fn a_worker_that_waits_for_a_phone_has_nothing_open_that_is_not_its_own() {
    let site = site(&[("authStallBudgetMs", "0")]);
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::from_secs(3))));
    let login = site.enter("alice", "push");
    site.duo.await_sent(1);
    let workers = processes_with(&login.session.control.display().to_string());
    let [worker] = &workers[..] else { panic!("one worker: {workers:?}") };
    let open = std::fs::read_dir(worker.join("fd")).unwrap();
    let open: Vec<_> = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok()).collect();
    let foreign = open.iter().filter(|path| path.starts_with(site.tmp()) || path.ends_with("skey"));
    assert_eq!(foreign.count(), 0, "{open:?}");
    eventually("the end of the worker", || (login.session.verdict() == "1").then_some(()));
}

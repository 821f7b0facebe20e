//! Secrets that are encrypted with a key outside the database.

use crate::support::{Printed, Site, Token, chmod, files_below, mode};
use data_encoding::BASE32_NOPAD;
use std::process::Stdio;
use std::time::Duration;

/// A site whose settings name a key, which is there.
fn site_with_key() -> Site {
    let site = Site::new();
    new_key(&site, "store.key");
    name_key(&site, "store.key");
    site
}

/// Makes a key and returns its name.
fn new_key(site: &Site, file: &str) -> String {
    let printed = site.admin(&["--json", "new-key", site.path(file).to_str().unwrap()]);
    let content = std::fs::read(site.path(file)).unwrap();
    site.keep_out_of_the_log(content.trim_ascii_end());
    json(&printed)["key_id"].as_str().unwrap().to_owned()
}

/// Has the settings name a key.
fn name_key(site: &Site, file: &str) {
    forget_key(site);
    let settings = std::fs::read_to_string(site.config()).unwrap();
    let line = format!("[store]\nkey_file = '{}'\n", site.path(file).display());
    std::fs::write(site.config(), format!("{settings}{line}")).unwrap();
}

/// Has the settings name no key.
fn forget_key(site: &Site) {
    let settings = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), settings.split("[store]").next().unwrap()).unwrap();
}

fn json(printed: &Printed) -> serde_json::Value {
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).unwrap()
}

/// The one line of what went wrong.
fn complaint(printed: &Printed) -> &str {
    assert_eq!(printed.status, 1, "{} {}", printed.stdout, printed.stderr);
    assert_eq!(printed.stderr.lines().count(), 1, "{}", printed.stderr);
    &printed.stderr
}

/// Whether any file of the site holds the secret, as bytes or as text.
fn is_in_plain_sight(site: &Site, token: &Token) -> bool {
    let raw = BASE32_NOPAD.decode(token.base32.as_bytes()).unwrap();
    let holds = |content: &[u8], part: &[u8]| content.windows(part.len()).any(|found| found == part);
    files_below(&site.path("."))
        .values()
        .any(|content| holds(content, &raw) || holds(content, token.base32.as_bytes()))
}

fn logs_in(site: &Site, user: &str, code: &str) -> bool {
    let session = site.session();
    let status = site.login(&session, user, code).status();
    if status != 0 {
        assert_eq!((status, session.told()), (1, "Authentication failed".to_owned()));
    }
    status == 0
}

fn is_encrypted_with(site: &Site, user: &str) -> Option<String> {
    site.shown(user)["tokens"][0]["encrypted_with"].as_str().map(str::to_owned)
}

#[test]
fn a_user_is_enrolled_and_logs_in_and_the_secret_is_in_no_file() {
    let site = site_with_key();
    let token = site.enroll("alice");
    assert!(!is_in_plain_sight(&site, &token));
    let [first, second] = token.codes();
    assert!(logs_in(&site, "alice", &first));
    let question = site.asked_to_reconnect("alice");
    assert!(logs_in(&site, "alice", &question.answer(&second)));
    assert!(!is_in_plain_sight(&site, &token));
    let printed = site.admin(&["show", "alice", "--secret"]);
    assert!(printed.stdout.contains(&token.base32) && printed.stdout.contains("encrypted with the key "));
    assert!(!site.admin(&["show", "alice"]).stdout.contains(&token.base32));

    let plain = Site::new();
    assert!(is_in_plain_sight(&plain, &plain.enroll("alice")), "the test sees it where it is");
}

#[test]
fn a_new_key_is_private_and_never_replaces_a_file() {
    let site = Site::new();
    let file = site.path("store.key");
    let printed = site.admin(&["new-key", file.to_str().unwrap()]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""));
    let path = file.display().to_string();
    assert!(printed.stderr.contains(&format!("key_file = \"{path}\"")), "{}", printed.stderr);
    assert_eq!(mode(&file), 0o600);
    let content = std::fs::read_to_string(&file).unwrap();
    assert!(!printed.stderr.contains(content.trim_end()));
    let printed = site.admin(&["new-key", &path]);
    assert!(complaint(&printed).contains("File exists"), "{}", printed.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    // Named from where the caller is, told from the root.
    let printed = site.admin(&["new-key", "other.key"]);
    assert!(printed.stderr.contains(site.path("other.key").to_str().unwrap()), "{}", printed.stderr);
}

#[test]
fn secrets_of_before_are_encrypted_by_rekey_and_wiped_from_the_files() {
    let site = Site::new();
    let (alice, bob) = (site.enroll("alice"), site.enroll("bob"));
    let key = new_key(&site, "store.key");
    name_key(&site, "store.key");
    let code = alice.code();
    assert!(logs_in(&site, "alice", &code), "what is not encrypted works on");
    assert!(is_in_plain_sight(&site, &alice) && is_in_plain_sight(&site, &bob));

    let printed = site.admin(&["rekey"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""));
    assert_eq!(printed.stderr, format!("all 2 secrets are encrypted with the key {key}, 2 of them anew\n"));
    assert!(!is_in_plain_sight(&site, &alice) && !is_in_plain_sight(&site, &bob));
    assert_eq!(is_encrypted_with(&site, "alice"), Some(key.clone()));
    assert!(logs_in(&site, "bob", &bob.code()));
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &code).status(), 1, "what was used stays used");
    assert_eq!(session.told(), "Incorrect code");
    let again = json(&site.admin(&["--json", "rekey"]));
    assert_eq!(again, serde_json::json!({ "secrets": 2, "changed": 0, "key_id": key }));
}

#[test]
fn a_key_is_changed_and_taken_off() {
    let site = site_with_key();
    let token = site.enroll("alice");
    let new = new_key(&site, "new.key");
    name_key(&site, "new.key");
    let old = site.path("store.key");
    let printed = site.admin(&["rekey"]);
    let text = complaint(&printed);
    assert!(text.contains("nothing was changed") && text.contains("--old-key-file"), "{text}");
    let printed = site.admin(&["rekey", "--old-key-file", old.to_str().unwrap()]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert_eq!(is_encrypted_with(&site, "alice"), Some(new));
    std::fs::remove_file(old).unwrap();
    assert!(logs_in(&site, "alice", &token.code_steps_from_now(-1)));

    let printed = site.admin(&["rekey", "--remove"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stderr.contains("take key_file out of [store]"), "{}", printed.stderr);
    assert_eq!(is_encrypted_with(&site, "alice"), None);
    forget_key(&site);
    std::fs::remove_file(site.path("new.key")).unwrap();
    assert!(logs_in(&site, "alice", &token.code()));
    assert!(complaint(&site.admin(&["rekey"])).contains("no key is set: [store] key_file"));
}

#[test]
fn without_the_right_key_nobody_gets_in_and_everybody_is_told_why() {
    let site = site_with_key();
    let token = site.enroll("alice");
    new_key(&site, "other.key");
    std::fs::write(site.path("short.key"), "AAAA\n").unwrap();
    std::fs::copy(site.path("store.key"), site.path("open.key")).unwrap();
    std::fs::copy(site.path("store.key"), site.path("credential.key")).unwrap();
    for (file, mode) in [("short.key", 0o600), ("open.key", 0o644), ("credential.key", 0o400)] {
        chmod(&site.path(file), mode);
    }
    for (file, why) in [
        (None, "no key is set: set [store] key_file"),
        (Some("missing.key"), "there is no key at"),
        (Some("short.key"), "holds no key: one line is wanted"),
        (Some("open.key"), "chmod go-rwx"),
        (Some("other.key"), "alice's secret is encrypted with another key (id "),
    ] {
        forget_key(&site);
        if let Some(file) = file {
            name_key(&site, file);
        }
        for _ in 0..6 {
            assert!(!logs_in(&site, "alice", &token.code()), "{why}");
        }
        assert!(site.logged(&["user=alice", "outcome=reject reason=internal", why]), "{why}");
        assert_eq!(site.failures("alice"), 0, "which is no failure of the user's");
        // Who is enrolled can be seen all the same.
        let printed = site.admin(&["list"]);
        assert!(printed.stdout.starts_with("alice\tenabled"), "{}", printed.stdout);
        assert!(complaint(&printed).contains(why), "{why}: {}", printed.stderr);
        assert_eq!(site.admin(&["show", "alice"]).status, 0);
        assert!(complaint(&site.admin(&["show", "alice", "--secret"])).contains(why));
        if file.is_some_and(|file| file != "other.key") {
            assert!(complaint(&site.admin(&["enroll", "bob"])).contains(why));
            assert_eq!(site.admin(&["show", "bob"]).status, 1, "and is not stored");
        }
    }
    name_key(&site, "credential.key");
    assert!(logs_in(&site, "alice", &token.code()), "0400 is what systemd gives a credential");
    assert_eq!(site.admin(&["list"]).status, 0);
}

#[test]
fn rekeying_that_is_killed_has_done_everything_or_nothing() {
    let site = Site::new();
    for user in 0..20 {
        site.enroll(&format!("user{user}"));
    }
    new_key(&site, "store.key");
    name_key(&site, "store.key");
    for round in 0..12 {
        let remove = round % 2 == 1;
        let mut command = site.command();
        command.arg("--config").arg(site.config()).arg("rekey").args(remove.then_some("--remove"));
        let mut rekey = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(round));
        let _ = rekey.kill();
        rekey.wait().unwrap();
        let sealed = site.number("SELECT count(sealed_with) FROM totp_token");
        assert!(sealed == 0 || sealed == 20, "{sealed} of 20 in round {round}");
        assert_eq!(site.admin(&["list"]).status, 0, "all can be read");
        if remove {
            continue;
        }
        // What is left of the kill is wiped by the next one.
        assert_eq!(site.admin(&["rekey"]).status, 0);
    }
}

#[test]
fn imported_secrets_are_encrypted_too_and_a_backup_with_another_key_says_so() {
    let site = site_with_key();
    let token = Token { base32: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned() };
    let uri = format!("otpauth://totp/alice?secret={}\n", token.base32);
    std::fs::write(site.path("list"), &uri).unwrap();
    assert_eq!(site.admin(&["import", site.path("list").to_str().unwrap()]).status, 0);
    std::fs::remove_file(site.path("list")).unwrap();
    let backup = site.path("copy");
    assert_eq!(site.admin(&["backup", backup.to_str().unwrap()]).status, 0);
    assert!(!is_in_plain_sight(&site, &token));
    assert!(site.admin(&["export", "--plain"]).stdout.contains(&token.base32));
    let code = token.code();
    let is_used = || site.login(&site.session(), "alice", &code).status() == 1;
    assert!(logs_in(&site, "alice", &code));

    new_key(&site, "other.key");
    name_key(&site, "other.key");
    let printed = site.admin(&["restore", backup.to_str().unwrap()]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(
        printed.stderr.contains("but: alice's secret is encrypted with another key"),
        "{}",
        printed.stderr
    );
    let old = site.path("store.key");
    let rekey = site.admin(&["rekey", "--old-key-file", old.to_str().unwrap()]);
    assert_eq!(rekey.status, 0, "{}", rekey.stderr);
    assert!(is_used(), "the code was used before");

    // The key is lost: users can be brought in anew, and their used codes stay used.
    forget_key(&site);
    std::fs::write(site.path("list"), &uri).unwrap();
    let printed = site.admin(&["import", "--force", site.path("list").to_str().unwrap()]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(is_used(), "whatever the secret was");
    let [.., next] = token.codes::<6>();
    assert!(logs_in(&site, "alice", &next));
}

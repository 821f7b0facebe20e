//! `backup`, `restore`: while others log in, and without a code that comes to life again.

use crate::support::{Printed, Site, chmod, files_below, mode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn back_up(site: &Site, name: &str) -> Printed {
    site.admin(&["backup", site.path(name).to_str().unwrap()])
}

fn restore(site: &Site, name: &str) -> Printed {
    site.admin(&["restore", "--yes", site.path(name).to_str().unwrap()])
}

/// The databases that were kept by `restore`.
fn kept(site: &Site) -> Vec<std::path::PathBuf> {
    let files = files_below(&site.path("state")).into_keys();
    files.filter(|file| file.to_string_lossy().contains(".before-restore-")).collect()
}

#[test]
fn a_backup_is_one_private_file_and_replaces_none() {
    let site = Site::new();
    assert!(back_up(&site, "copy").stderr.contains("there is no database"));
    site.enroll("alice");
    let printed = back_up(&site, "copy");
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""));
    assert!(printed.stderr.contains("1 user with 1 token, read again and whole"), "{}", printed.stderr);
    assert_eq!(mode(&site.path("copy")), 0o600);
    let before = std::fs::read(site.path("copy")).unwrap();
    let printed = back_up(&site, "copy");
    assert!(printed.status == 1 && printed.stderr.contains("File exists"), "{}", printed.stderr);
    assert_eq!(std::fs::read(site.path("copy")).unwrap(), before);
}

#[test]
fn a_restore_brings_back_users_and_keeps_what_was_there() {
    let site = Site::new();
    let token = site.enroll("alice");
    assert_eq!(back_up(&site, "copy").status, 0);
    site.admin(&["delete", "alice"]);
    site.enroll("bob");
    let printed = restore(&site, "copy");
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(
        printed.stderr.contains("what it held before, 1 user with 1 token, is in "),
        "{}",
        printed.stderr
    );
    assert!(site.admin(&["list"]).stdout.starts_with("alice\t"));
    let [kept] = kept(&site).try_into().unwrap();
    assert_eq!(mode(&kept), 0o600);
    assert!(site.admin(&["list", "--db", kept.to_str().unwrap()]).stdout.starts_with("bob\t"));
    // Her token was not there any more: nobody knows what was used of it in the last minute.
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 1);
}

#[test]
fn a_code_that_was_used_after_the_backup_is_not_accepted_after_the_restore() {
    let site = Site::new();
    let token = site.enroll("alice");
    assert_eq!(back_up(&site, "copy").status, 0);
    let [used, next] = token.codes();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &used).status(), 0);
    assert_eq!(restore(&site, "copy").status, 0);
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &used).status(), 1);
    assert!(site.logged(&["user=alice", "reason=code-already-used"]));
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &next).status(), 0, "the next one is");
}

#[test]
fn a_machine_without_a_database_gets_one() {
    let site = Site::new();
    site.enroll("alice");
    assert_eq!(back_up(&site, "copy").status, 0);
    std::fs::remove_dir_all(site.path("state")).unwrap();
    let printed = site.admin(&["--json", "restore", site.path("copy").to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((&json["users"], &json["previous"]), (&1.into(), &serde_json::Value::Null));
    assert!(kept(&site).is_empty());
    assert!(site.admin(&["list"]).stdout.starts_with("alice\t"));
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let site = Site::new();
    site.enroll("alice");
    assert_eq!(back_up(&site, "copy").status, 0);
    std::fs::write(site.path("text"), "alice\n").unwrap();
    chmod(&site.path("text"), 0o600);
    let whole = std::fs::read(site.path("copy")).unwrap();
    std::fs::write(site.path("cut"), &whole[..whole.len() / 2]).unwrap();
    chmod(&site.path("cut"), 0o600);
    std::fs::copy(site.path("copy"), site.path("open")).unwrap();
    chmod(&site.path("open"), 0o644);
    let before = files_below(&site.path("state"));
    for (name, why) in
        [("text", "not a backup"), ("cut", ""), ("open", "chmod go-rwx"), ("none", "No such file")]
    {
        let printed = restore(&site, name);
        assert!(printed.status == 1 && printed.stderr.contains(why), "{name}: {}", printed.stderr);
    }
    assert_eq!(files_below(&site.path("state")), before);
}

#[test]
fn logins_go_on_during_backup_and_restore() {
    let site = Site::new();
    let tokens: Vec<_> = ["a", "b", "c"].iter().map(|user| (*user, site.enroll(user))).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut accepted = 0;
            for round in 0.. {
                let (user, token) = &tokens[round % 3];
                let code = token.codes::<6>()[(round / 3) % 6].clone();
                let session = site.session();
                let status = site.login(&session, user, &code).status();
                // Every one is decided: the database is never locked, half, or gone.
                assert!(status < 2 && !site.logs().contains("reason=internal"), "{}", site.logs());
                accepted += usize::from(status == 0);
                if over.load(Ordering::Relaxed) && round >= 18 {
                    break;
                }
            }
            accepted
        });
        for round in 0..4 {
            let name = format!("copy-{round}");
            assert_eq!(back_up(&site, &name).status, 0);
            thread::sleep(std::time::Duration::from_millis(1_100));
            let printed = restore(&site, &name);
            assert_eq!(printed.status, 0, "{}", printed.stderr);
        }
        over.store(true, Ordering::Relaxed);
        // Three users with six steps each: no step is accepted twice, whatever was restored meanwhile.
        let accepted = logins.join().unwrap();
        assert!((1..=24).contains(&accepted), "{accepted}");
    });
    assert_eq!(kept(&site).len(), 4);
}

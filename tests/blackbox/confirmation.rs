//! What destroys something asks first, where somebody is there to answer.

use crate::support::{Site, on_terminal};

fn is_enrolled(site: &Site, user: &str) -> bool {
    site.admin(&["show", user]).status == 0
}

#[test]
fn delete_asks_on_a_terminal_and_takes_nothing_but_yes_for_it() {
    let site = Site::new();
    site.enroll("alice");
    for typed in ["n\n", "\n", "", "yes please\n"] {
        let Some((status, seen)) = on_terminal(&site, "delete alice", typed) else { return };
        assert_eq!(status, 1, "{seen}");
        assert!(seen.contains("Delete alice? Their codes stop working. [y/N] "), "{seen}");
        assert!(seen.contains("nothing was changed") && is_enrolled(&site, "alice"), "{typed:?}: {seen}");
    }
    for typed in ["y\n", "YES\n"] {
        let (status, seen) = on_terminal(&site, "delete alice", typed).unwrap();
        assert!(status == 0 && seen.contains("alice is deleted") && !is_enrolled(&site, "alice"), "{seen}");
        site.enroll("alice");
    }
    let (status, seen) = on_terminal(&site, "delete bob", "").unwrap();
    assert!(status == 1 && seen.contains("bob is not enrolled") && !seen.contains("[y/N]"), "{seen}");
}

#[test]
fn a_forced_enrolment_asks_when_it_replaces_one() {
    let site = Site::new();
    let Some((status, seen)) = on_terminal(&site, "enroll alice --force --json", "") else { return };
    assert!(status == 0 && !seen.contains("[y/N]"), "nothing to replace, not even a database: {seen}");
    let before = site.admin(&["show", "alice", "--secret"]).stdout;
    let picture = site.path("alice.png");
    let arguments = format!("enroll alice --force --qr-file {}", picture.display());
    let (status, seen) = on_terminal(&site, &arguments, "n\n").unwrap();
    assert!(status == 1 && seen.contains("Replace the enrolment of alice?"), "{seen}");
    assert_eq!(site.admin(&["show", "alice", "--secret"]).stdout, before);
    assert!(!picture.exists());
    let (status, seen) = on_terminal(&site, &arguments, "y\n").unwrap();
    assert!(status == 0 && picture.exists(), "{seen}");
    assert_ne!(site.admin(&["show", "alice", "--secret"]).stdout, before);
}

#[test]
fn who_says_yes_beforehand_is_not_asked_and_neither_is_a_script() {
    let site = Site::new();
    for option in ["-y", "--yes"] {
        site.enroll("alice");
        for arguments in [format!("enroll alice --force {option}"), format!("delete alice {option}")] {
            let Some((status, seen)) = on_terminal(&site, &arguments, "") else { return };
            assert!(status == 0 && !seen.contains("[y/N]"), "{arguments}: {seen}");
        }
        assert!(!is_enrolled(&site, "alice"));
    }
    for arguments in [&["delete", "alice"][..], &["delete", "--yes", "alice"]] {
        site.enroll("alice");
        let printed = site.admin(arguments);
        assert_eq!((printed.status, printed.stderr.as_str()), (0, "alice is deleted\n"));
    }
}

#[test]
fn encryption_is_taken_off_after_a_question() {
    let site = Site::new();
    let key = site.path("store.key");
    assert_eq!(site.admin(&["new-key", key.to_str().unwrap()]).status, 0);
    let settings = std::fs::read_to_string(site.config()).unwrap();
    let settings = format!("{settings}[store]\nkey_file = '{}'\n", key.display());
    std::fs::write(site.config(), settings).unwrap();
    site.enroll("alice");
    let is_encrypted = || site.shown("alice")["tokens"][0]["encrypted_with"].is_string();
    let Some((status, seen)) = on_terminal(&site, "rekey --remove", "n\n") else { return };
    assert!(status == 1 && seen.contains("[y/N]") && is_encrypted(), "{seen}");
    let (status, seen) = on_terminal(&site, "rekey", "").unwrap();
    assert!(status == 0 && !seen.contains("[y/N]") && is_encrypted(), "{seen}");
    assert_eq!(on_terminal(&site, "rekey --remove -y", "").unwrap().0, 0);
    assert!(!is_encrypted());
}

#[test]
fn backup_codes_that_are_left_are_not_replaced_unasked() {
    let site = Site::new();
    site.enroll("alice");
    // None is there to lose.
    let Some((status, seen)) = on_terminal(&site, "backup-codes alice --count 2", "") else { return };
    assert!(status == 0 && !seen.contains("[y/N]"), "{seen}");
    let (status, seen) = on_terminal(&site, "backup-codes alice", "n\n").unwrap();
    assert_eq!((status, site.shown("alice")["backup_codes_left"].as_u64()), (1, Some(2)), "{seen}");
    assert!(seen.contains("Replace the 2 backup codes that alice has left? [y/N] "), "{seen}");
    let (status, seen) = on_terminal(&site, "backup-codes alice --yes", "").unwrap();
    assert_eq!((status, site.shown("alice")["backup_codes_left"].as_u64()), (0, Some(10)), "{seen}");
}

#[test]
fn a_forced_import_and_a_restore_ask_when_they_replace_something() {
    let site = Site::new();
    let list = site.path("list");
    std::fs::write(&list, "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP\n").unwrap();
    let import = format!("import --force {}", list.display());
    let Some((status, seen)) = on_terminal(&site, &import, "") else { return };
    assert!(status == 0 && !seen.contains("[y/N]"), "nothing to replace: {seen}");
    let (status, seen) = on_terminal(&site, &import, "n\n").unwrap();
    assert!(status == 1 && seen.contains("Replace 1 enrolments? [y/N]"), "{seen}");
    let (status, seen) = on_terminal(&site, &format!("{import} --yes"), "").unwrap();
    assert!(status == 0 && !seen.contains("[y/N]"), "{seen}");

    let copy = site.path("copy");
    assert_eq!(site.admin(&["backup", copy.to_str().unwrap()]).status, 0);
    site.enroll("bob");
    let restore = format!("restore {}", copy.display());
    let (status, seen) = on_terminal(&site, &restore, "n\n").unwrap();
    assert!(
        status == 1 && seen.contains("by 1 user with 1 token? [y/N]") && is_enrolled(&site, "bob"),
        "{seen}"
    );
    let (status, seen) = on_terminal(&site, &restore, "y\n").unwrap();
    assert!(status == 0 && !is_enrolled(&site, "bob"), "{seen}");
}

//! Backup codes.

use crate::support::{Site, files_below};
use data_encoding::BASE64;

/// Gives alice, who is enrolled, so many codes.
fn codes(site: &Site, count: &str) -> Vec<String> {
    let printed = site.admin(&["backup-codes", "alice", "--count", count]);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    let codes: Vec<String> = printed.stdout.lines().map(str::to_owned).collect();
    for code in &codes {
        site.keep_out_of_the_log(code.as_bytes());
    }
    codes
}

fn left(site: &Site) -> u64 {
    site.shown("alice")["backup_codes_left"].as_u64().unwrap()
}

#[test]
fn an_enrolment_with_backup_codes_still_prints_three_lines() {
    let site = Site::new();
    let printed = site.admin(&["enroll", "alice", "--backup-codes", "3"]);
    assert_eq!((printed.status, printed.stdout.lines().count()), (0, 3));
    let talk: Vec<&str> = printed.stderr.lines().collect();
    assert_eq!(talk[0], "Backup codes of alice, each good once:");
    assert_eq!(talk[1..].len(), 3);
    for code in &talk[1..] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", code).status(), 0);
    }
    assert!(site.admin(&["show", "alice"]).stdout.contains("\nbackup codes: 0 of 3 left\n"));

    let printed = site.admin(&["enroll", "bob", "--json", "--backup-codes", "20"]);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    let value: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(value["backup_codes"].as_array().unwrap().len(), 20);
    assert_eq!(site.shown("bob")["backup_codes_left"], 20);
    // Another enrolment has none of the old ones.
    assert_eq!(site.admin(&["enroll", "bob", "--force"]).status, 0);
    assert_eq!(site.shown("bob")["backup_codes_left"], 0);
}

#[test]
fn new_backup_codes_replace_the_old_ones() {
    let site = Site::new();
    site.enroll("alice");
    let printed = site.admin(&["backup-codes", "alice"]);
    assert_eq!((printed.status, printed.stdout.lines().count()), (0, 10));
    let (old, new) = (codes(&site, "2"), codes(&site, "1"));
    assert_eq!((old.len(), new.len(), left(&site)), (2, 1, 1));
    assert_eq!(site.login(&site.session(), "alice", &old[0]).status(), 1);
    assert_eq!(site.failures("alice"), 1, "a guess like any other");
    assert_eq!(site.login(&site.session(), "alice", &new[0]).status(), 0);
    let printed = site.admin(&["backup-codes", "alice", "--json", "--count", "1"]);
    let value: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((&value["user"], value["backup_codes"].as_array().unwrap().len()), (&"alice".into(), 1));
    let printed = site.admin(&["backup-codes", "nobody"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
    assert!(printed.stderr.contains("nobody is not enrolled"), "{}", printed.stderr);
}

#[test]
fn a_backup_code_works_wherever_a_code_does_and_once() {
    let site = Site::new();
    site.enroll("alice");
    let codes = codes(&site, "4");
    let [first, second, third, fourth] = &codes[..] else { panic!("four codes") };
    // In the field, in capitals without hyphens.
    let typed = first.replace('-', "").to_uppercase();
    assert_eq!(site.login(&site.session(), "alice", &typed).status(), 0);
    assert!(site.logged(&["outcome=accept reason=backup-code", "backup_codes_left=3"]));
    // As the answer to a static challenge.
    let answer = format!("SCRV1::{}", BASE64.encode(second.as_bytes()));
    assert_eq!(site.login(&site.session(), "alice", &answer).status(), 0);
    // As the answer to a question.
    let question = site.asked_to_reconnect("alice");
    assert_eq!(site.login(&site.session(), "alice", &question.answer(third)).status(), 0);
    let session = site.asked_in_session("alice");
    let sent = format!("{}\n", BASE64.encode(fourth.as_bytes()));
    assert_eq!(site.answer(&session, "alice", sent.as_bytes()).status(), 0);
    assert_eq!(session.decided(), "1");
    assert_eq!(left(&site), 0);
    for code in &codes {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", code).status(), 1);
        assert_eq!(session.told(), "Incorrect code");
    }
    assert!(site.logged(&["outcome=reject reason=code-already-used"]));
    assert_eq!(site.failures("alice"), 0, "judged before, and no guess");
}

#[test]
fn of_many_logins_with_one_backup_code_one_gets_in() {
    let site = Site::with(&[("workerMax", "100")]);
    site.enroll("alice");
    let codes = codes(&site, "1");
    let sessions: Vec<_> = (0..24).map(|_| site.session()).collect();
    let accepted = std::thread::scope(|scope| {
        let login = |session| site.login(session, "alice", &codes[0]).status() == 0;
        let calls: Vec<_> = sessions.iter().map(|session| scope.spawn(move || login(session))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).filter(|accepted| *accepted).count()
    });
    assert_eq!((accepted, site.failures("alice")), (1, 0));
}

#[test]
fn what_is_stored_of_a_backup_code_is_not_the_code() {
    let site = Site::new();
    site.enroll("alice");
    let codes = codes(&site, "20");
    for content in files_below(&site.path("state")).values() {
        let content = String::from_utf8_lossy(content);
        for code in &codes {
            assert!(!content.contains(code) && !content.contains(&code.replace('-', "")));
        }
    }
    assert_eq!(site.number("SELECT count(DISTINCT salt) FROM backup_code"), 20);
    for arguments in [&["show", "alice", "--secret"][..], &["list", "--json"]] {
        let printed = site.admin(arguments);
        assert!(codes.iter().all(|code| !printed.stdout.contains(code)));
    }
}

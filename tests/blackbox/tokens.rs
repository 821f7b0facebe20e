//! Secrets that users bring along, codes that are not like most, and several tokens of one user.

use crate::support::{Printed, Site, Token, on_terminal, on_terminal_when_asked, refused};
use data_encoding::BASE32_NOPAD;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn token(base32: &str) -> Token {
    Token { base32: base32.to_owned() }
}

fn lines(printed: &Printed) -> Vec<&str> {
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    printed.stdout.lines().collect()
}

fn gets_in(site: &Site, code: &str) -> bool {
    site.login(&site.session(), "alice", code).status() == 0
}

#[test]
fn a_secret_can_be_brought_along_as_people_write_it() {
    for written in [
        SECRET,
        "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
        "GEZD GNBV GY3T QOJQ gezd gnbv gy3t qojq",
        "gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq",
        " GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ====== ",
    ] {
        let site = Site::new();
        let printed = site.admin(&["enroll", "alice", "--secret", written]);
        let uri = format!("otpauth://totp/OpenVPN%20Server:alice?secret={SECRET}&issuer=OpenVPN%20Server");
        assert_eq!(lines(&printed), ["alice", SECRET, &uri]);
        assert_eq!(printed.stderr, "");
        assert!(gets_in(&site, &token(SECRET).code()));
    }
}

#[test]
fn a_secret_can_come_from_standard_input_and_only_its_first_line_is_read() {
    let site = Site::new();
    for input in [&b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"[..], b"gezdgnbv gy3tqojq gezdgnbv gy3tqojq\r\nMORE\n"]
    {
        let printed = site.admin_reading(&["enroll", "alice", "--force", "--secret", "-"], input);
        assert_eq!(lines(&printed)[1], SECRET);
    }
    refused(&site.admin_reading(&["enroll", "bob", "--secret", "-"], b""), "standard input is at its end");
    refused(&site.admin_reading(&["enroll", "bob", "--secret", "-"], b"\n"), "--secret: the secret is empty");
    let long = vec![b'A'; 5_000];
    refused(&site.admin_reading(&["enroll", "bob", "--secret", "-"], &long), "more than 4096 bytes");
    assert_eq!(site.admin(&["show", "bob"]).status, 1);
}

#[test]
fn a_secret_is_asked_for_unseen_on_a_terminal() {
    let site = Site::new();
    let typed = format!("{SECRET}\n");
    let asked = on_terminal_when_asked(&site, "enroll alice --secret - --json", "Secret in base32: ", &typed);
    let Some((status, seen)) = asked else { return };
    assert!(status == 0 && seen.contains(&format!("\"secret\": \"{SECRET}\"")), "{seen}");
    let (_, before_the_answer) = seen.split_once("base32: ").unwrap();
    assert!(before_the_answer.trim_start().starts_with('{'), "what is typed is not shown: {seen}");
}

#[test]
fn a_secret_that_is_no_good_is_refused_and_not_repeated() {
    let site = Site::new();
    for (secret, why) in [
        ("GEZDGNBVGY3TQOJ", "the secret has 72 bits, and at least 80 are needed"),
        ("MFRGG2DFMZTWQ", "the secret has 64 bits, and at least 80 are needed"),
        ("GEZDGNBVGY3TQOJ1", "not base32"),
        ("GEZDGNBVGY3TQOJQA", "ends too early"),
        ("", "the secret is empty"),
        ("====", "the secret is empty"),
    ] {
        let printed = site.admin(&["enroll", "alice", "--secret", secret]);
        refused(&printed, why);
        assert!(printed.stderr.contains("--secret: "), "{}", printed.stderr);
        assert!(secret.len() < 5 || !printed.stderr.contains(secret), "{}", printed.stderr);
    }
    assert!(!site.path("state").exists(), "nothing was stored");
    // 80 bits are enough.
    assert_eq!(site.admin(&["enroll", "alice", "--secret", "GEZDGNBVGY3TQOJQ"]).status, 0);
}

#[test]
fn codes_that_are_not_like_most_come_with_a_warning() {
    let site = Site::new();
    for (options, end, shown) in [
        (&["--algorithm", "sha256"][..], "&algorithm=SHA256", "SHA256, 6 digits, 30 seconds"),
        (&["--algorithm", "SHA512"], "&algorithm=SHA512", "SHA512, 6 digits, 30 seconds"),
        (&["--digits", "8"], "&digits=8", "SHA1, 8 digits, 30 seconds"),
        (&["--period", "60"], "&period=60", "SHA1, 6 digits, 60 seconds"),
    ] {
        let printed = site.admin(&[&["enroll", "alice", "--force"], options].concat());
        assert!(lines(&printed)[2].ends_with(end), "{}", printed.stdout);
        assert!(printed.stderr.contains("many apps ignore"), "{}", printed.stderr);
        assert!(printed.stderr.contains("openvpn-2fa confirm alice"), "{}", printed.stderr);
        assert!(site.admin(&["show", "alice"]).stdout.contains(shown));
    }
    let defaults = ["--algorithm", "sha1", "--digits", "6", "--period", "30"];
    let printed = site.admin(&[&["enroll", "alice", "--force"], &defaults[..]].concat());
    assert_eq!((lines(&printed).len(), printed.stderr.as_str()), (3, ""));
    assert!(!printed.stdout.contains("algorithm"), "{}", printed.stdout);
    for wrong in [["--algorithm", "md5"], ["--digits", "5"], ["--digits", "9"], ["--period", "0"]] {
        let printed = site.admin(&[&["enroll", "bob"], &wrong[..]].concat());
        assert_eq!((printed.status, printed.stdout.as_str()), (2, ""), "{wrong:?}");
    }
}

#[test]
fn a_label_is_shown_and_stays_out_of_the_uri() {
    let site = Site::new();
    let printed = site.admin(&["enroll", "alice", "--label", "old phone"]);
    assert!(!printed.stdout.contains("phone"), "{}", printed.stdout);
    assert!(site.admin(&["show", "alice"]).stdout.contains("token: old phone, SHA1, 6 digits"));
    assert_eq!(site.shown("alice")["tokens"][0]["label"], "old phone");
    let long = "x".repeat(101);
    for label in ["", " ", "a\nb", "a\u{202e}b", &long] {
        assert_eq!(site.admin(&["enroll", "bob", "--label", label]).status, 2, "{label:?}");
    }
}

#[test]
fn light_and_dark_of_the_qr_code_can_be_exchanged() {
    let site = Site::new();
    let as_usual = site.admin(&["enroll", "alice", "--secret", SECRET, "--qr"]).stderr;
    let exchanged = site.admin(&["enroll", "alice", "--force", "--secret", SECRET, "--qr-invert"]).stderr;
    let swapped = |c| match c {
        '\u{2588}' => ' ',
        ' ' => '\u{2588}',
        '\u{2580}' => '\u{2584}',
        '\u{2584}' => '\u{2580}',
        other => other,
    };
    assert_eq!(as_usual.chars().map(swapped).collect::<String>(), exchanged);
}

#[test]
fn a_used_code_does_not_come_to_life_when_the_same_secret_is_stored_again() {
    let site = Site::new();
    let [old, code, next] = token(SECRET).codes();
    assert_eq!(site.admin(&["enroll", "alice", "--secret", SECRET]).status, 0);
    assert!(gets_in(&site, &code));
    assert_eq!(site.admin(&["enroll", "alice", "--force", "--secret", SECRET]).status, 0);
    for used in [&old, &code] {
        assert!(!gets_in(&site, used));
    }
    assert!(gets_in(&site, &next));
}

#[test]
fn each_of_several_tokens_will_do() {
    let site = Site::new();
    let first = site.enroll("alice");
    let printed = site.admin(&["enroll", "alice", "--add", "--label", "key fob"]);
    let [user, secret, uri] = lines(&printed)[..] else { panic!("{}", printed.stdout) };
    assert_eq!((user, secret.len()), ("alice", 32));
    assert!(uri.contains(secret));
    let second = token(secret);
    assert!(gets_in(&site, &first.code()) && gets_in(&site, &second.code()));
    let shown = site.admin(&["show", "alice"]).stdout;
    assert!(shown.contains("\ntoken 1: SHA1, 6 digits, 30 seconds\n"), "{shown}");
    assert!(shown.contains("\ntoken 2: key fob, SHA1, 6 digits, 30 seconds\n"), "{shown}");
    assert_eq!(site.shown("alice")["tokens"].as_array().unwrap().len(), 2);
    // A new enrolment replaces both.
    site.enroll("alice");
    assert_eq!(site.shown("alice")["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn adding_a_token_takes_nothing_away() {
    let site = Site::new();
    assert_eq!(site.admin(&["enroll", "alice", "--backup-codes", "3"]).status, 0);
    site.sql("INSERT INTO failure (kind, subject, count) VALUES ('user', 'alice', 2)");
    assert_eq!(site.admin(&["enroll", "alice", "--add"]).status, 0);
    let shown = site.shown("alice");
    assert_eq!((&shown["backup_codes_left"], &shown["failures"]), (&3.into(), &2.into()));
}

#[test]
fn a_token_is_added_only_beside_another_and_no_secret_twice() {
    let site = Site::new();
    refused(&site.admin(&["enroll", "alice", "--add"]), "alice is not enrolled, there is nothing to add to");
    assert_eq!(site.admin(&["enroll", "alice", "--secret", SECRET]).status, 0);
    let other_shape = ["enroll", "alice", "--add", "--secret", SECRET, "--digits", "8"];
    refused(&site.admin(&other_shape), "alice has a token with this secret already");
    assert_eq!(site.shown("alice")["tokens"].as_array().unwrap().len(), 1);
    for wrong in [["--add", "--force"], ["--add", "--backup-codes=3"]] {
        assert_eq!(site.admin(&[&["enroll", "alice"], &wrong[..]].concat()).status, 2, "{wrong:?}");
    }
}

#[test]
fn one_of_several_tokens_can_be_deleted_but_not_the_last() {
    let site = Site::new();
    let first = site.enroll("alice");
    let second = token(lines(&site.admin(&["enroll", "alice", "--add", "--label", "fob"]))[1]);
    refused(
        &site.admin(&["delete", "alice", "--token", "3"]),
        "alice has no token 3 (openvpn-2fa show alice",
    );
    assert_eq!(site.admin(&["delete", "alice", "--token", "0"]).status, 2);
    let printed = site.admin(&["delete", "alice", "--token", "1"]);
    assert_eq!(printed.stderr, "token 1 of alice (SHA1, 6 digits, 30 seconds) is deleted\n");
    assert!(!gets_in(&site, &first.code()) && gets_in(&site, &second.code()));
    refused(
        &site.admin(&["delete", "alice", "--token", "1"]),
        "openvpn-2fa delete alice removes the enrolment",
    );
    assert!(site.admin(&["show", "alice"]).stdout.contains("token: fob, SHA1"));
    site.admin(&["enroll", "alice", "--add"]);
    let printed = site.admin(&["--json", "delete", "alice", "--token", "2"]);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(json, serde_json::json!({ "user": "alice", "token": 2, "deleted": true }));
    refused(&site.admin(&["delete", "bob", "--token", "1"]), "bob is not enrolled");
}

#[test]
fn deleting_a_token_asks_on_a_terminal() {
    let site = Site::new();
    site.enroll("alice");
    site.admin(&["enroll", "alice", "--add"]);
    let Some((status, seen)) = on_terminal(&site, "delete alice --token 2", "n\n") else { return };
    let asked = "Delete token 2 of alice (SHA1, 6 digits, 30 seconds)? Its codes stop working. [y/N] ";
    assert!(status == 1 && seen.contains(asked), "{seen}");
    assert_eq!(site.shown("alice")["tokens"].as_array().unwrap().len(), 2);
    let (status, seen) = on_terminal(&site, "delete alice --token 2", "y\n").unwrap();
    assert!(status == 0 && seen.contains("is deleted"), "{seen}");
    assert_eq!(site.shown("alice")["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn several_tokens_are_encrypted_where_there_is_a_key() {
    let site = Site::new();
    let key = site.path("store.key");
    assert_eq!(site.admin(&["new-key", key.to_str().unwrap()]).status, 0);
    let settings = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("{settings}[store]\nkey_file = '{}'\n", key.display())).unwrap();
    site.enroll("alice");
    assert_eq!(site.admin(&["enroll", "alice", "--add", "--secret", SECRET]).status, 0);
    assert_eq!(site.number("SELECT count(*) FROM totp_token WHERE sealed_with IS NOT NULL"), 2);
    let raw = BASE32_NOPAD.decode(SECRET.as_bytes()).unwrap();
    let stored = std::fs::read(site.database()).unwrap();
    assert!(!stored.windows(raw.len()).any(|window| window == raw));
    assert!(gets_in(&site, &token(SECRET).code()));
    // Whether it is the same cannot be told without the key.
    std::fs::remove_file(&key).unwrap();
    refused(&site.admin(&["enroll", "alice", "--add"]), "key_file");
}

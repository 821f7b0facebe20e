//! `import`, `export`: users from other programs, and back.
//!
//! The files of google-authenticator in `fixtures/import` were made by google-authenticator 20191231, one of them used once
//! by its PAM module; the pickles by Python 3's `pickle.dumps`. `users.oath`, `otp-secrets` and the export of the
//! Google Authenticator app are made by hand, as their documentation and sources have it.

use crate::support::{Printed, Site, chmod, files_below, need, now, run};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ALICE: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const JOERG: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blackbox/fixtures/import").join(name)
}

/// The present code, by `oathtool`.
fn code(options: &[&str], secret: &str) -> String {
    need("oathtool");
    let output = Command::new("oathtool").args(options).arg(secret).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "oathtool {options:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the code that `oathtool` has for a secret lets a user in.
fn lets_in(site: &Site, user: &str, options: &[&str], secret: &str) -> bool {
    let session = site.session();
    site.login(&session, user, &code(options, secret)).status() == 0
}

const SHA1: &[&str] = &["--totp", "--base32"];

fn import(site: &Site, arguments: &[&str]) -> Printed {
    site.admin(&[&["import"], arguments].concat())
}

fn import_fixture(site: &Site, name: &str, arguments: &[&str]) -> Printed {
    import(site, &[&[fixture(name).to_str().unwrap()], arguments].concat())
}

fn names(printed: &Printed) -> Vec<&str> {
    printed.stdout.lines().collect()
}

#[test]
fn a_google_authenticator_file_brings_its_secret_and_no_used_code() {
    let site = Site::new();
    let printed = import_fixture(&site, "google-used", &["--user", "alice"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, "alice\n"), "{}", printed.stderr);
    assert_eq!(
        printed.stderr,
        "alice had 5 scratch codes, which are not taken over: openvpn-2fa backup-codes alice makes new ones\n1 user imported\n"
    );
    assert!(lets_in(&site, "alice", SHA1, "MJHO7QTN3FL55QHZ7YSGXD5NSM"));

    // The present step is used, says the file.
    let content = std::fs::read_to_string(fixture("google-used")).unwrap();
    let used = content.replace("DISALLOW_REUSE 59843802", &format!("DISALLOW_REUSE 59843802 {}", now() / 30));
    std::fs::write(site.path("bob"), used).unwrap();
    let printed = import(&site, &[site.path("bob").to_str().unwrap()]);
    assert_eq!(names(&printed), ["bob"]);
    assert!(printed.stderr.contains("bob: bob, by the name of the file"), "{}", printed.stderr);
    let session = site.session();
    let present = code(SHA1, "MJHO7QTN3FL55QHZ7YSGXD5NSM");
    assert_eq!(site.login(&session, "bob", &present).status(), 1);
    assert!(site.logged(&["user=bob", "reason=code-already-used"]));
}

#[test]
fn a_step_size_comes_along_and_a_counter_is_refused() {
    let site = Site::new();
    let printed = import_fixture(&site, "google-step-60", &["--user", "alice"]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert_eq!(site.shown("alice")["tokens"][0]["period"], 60);
    assert!(lets_in(
        &site,
        "alice",
        &["--totp", "--base32", "--time-step-size=60s"],
        "QAJPTUDRG4KXZPFNOPT4RGYBCY"
    ));
    let printed = import_fixture(&site, "google-by-counter", &["--user", "bob"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
    assert!(printed.stderr.contains("google-by-counter:2: codes by counter (HOTP)"), "{}", printed.stderr);
    assert!(printed.stderr.ends_with("openvpn-2fa: 1 thing was not read, as listed above\n"));
}

#[test]
fn files_in_home_directories_are_those_of_their_users() {
    let site = Site::new();
    for user in ["carol", "mallory"] {
        std::fs::DirBuilder::new().mode(0o700).create(site.path(user)).unwrap();
    }
    let file = |user: &str| site.path(user).join(".google_authenticator");
    std::fs::copy(fixture("google-step-60"), file("carol")).unwrap();
    // Users write these files: one that speaks for somebody else is not listened to.
    let theirs = format!("otpauth://totp/x:root?secret={ALICE}\n");
    std::fs::write(file("mallory"), theirs).unwrap();
    let printed = import(&site, &[file("carol").to_str().unwrap(), file("mallory").to_str().unwrap()]);
    // Where the tests run as another user than root, the file is that user's, and not carol's.
    if printed.stdout.is_empty() {
        assert!(printed.stderr.contains("--user NAME"), "{}", printed.stderr);
    } else {
        assert_eq!(names(&printed), ["carol"]);
        assert!(printed.stderr.contains("carol, by the name of the directory"), "{}", printed.stderr);
    }
    assert_eq!(printed.status, 1);
    assert!(printed.stderr.contains("mallory/.google_authenticator:1: the secret is not base32"));
    assert!(!site.admin(&["list"]).stdout.contains("root"));
}

#[test]
fn users_of_pam_oath_are_taken_over_line_by_line() {
    let site = Site::new();
    let printed = import_fixture(&site, "users.oath", &[]);
    assert_eq!(printed.status, 1);
    assert_eq!(names(&printed), ["alice", "bob", "carol"]);
    for (line, why) in [(5, "by counter"), (6, "by counter"), (7, "frank has a PIN"), (8, "8 bits")] {
        let line = printed.stderr.lines().find(|text| text.contains(&format!("users.oath:{line}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{why}: {}", printed.stderr);
    }
    assert!(printed.stderr.contains("3 users imported, 4 not read"), "{}", printed.stderr);
    let hex = "3132333435363738393031323334353637383930";
    assert!(lets_in(&site, "alice", &["--totp"], "48656c6c6f21deadbeef48656c6c6f21deadbeef"));
    assert!(lets_in(&site, "bob", &["--totp", "--time-step-size=60s"], hex));
    assert!(lets_in(&site, "carol", &["--totp", "--digits=8"], hex));
}

#[test]
fn users_of_openvpn_otp_are_taken_over_line_by_line() {
    let site = Site::new();
    let printed = import_fixture(&site, "otp-secrets", &[]);
    assert_eq!(printed.status, 1);
    assert_eq!(names(&printed), ["john", "mike", "jane", "hob bes"]);
    for (line, why) in
        [(3, "bob has a PIN"), (8, "by counter"), (9, "Mobile-OTP"), (10, "pam has a password")]
    {
        let line = printed.stderr.lines().find(|text| text.contains(&format!("otp-secrets:{line}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{why}: {}", printed.stderr);
    }
    assert!(!printed.stderr.contains("K7BYLIU5D2V33X6S") && !printed.stderr.contains("hello"));
    assert!(lets_in(&site, "john", SHA1, "LJYHR64TUI7IL3RD"));
    assert!(lets_in(&site, "mike", &["--totp", "--time-step-size=60s"], "5c5a75a87ba1b48cb0b6adfd3b7a5a0e"));
    assert!(lets_in(&site, "jane", &["--totp=SHA256"], "3132333435363738393031323334353637383930"));
    // Two tokens, either of which will do.
    assert!(lets_in(&site, "hob bes", SHA1, "7VXNJAFPYYKO3ILO"));
    assert!(lets_in(&site, "hob bes", SHA1, "LJYHR64TUI7IL3RD"));
}

#[test]
fn pickles_of_every_protocol_are_read_and_none_is_executed() {
    for protocol in 0..=5 {
        let site = Site::new();
        let printed = import_fixture(&site, &format!("pickle-{protocol}"), &[]);
        assert_eq!(printed.status, 0, "{protocol}: {}", printed.stderr);
        assert_eq!(names(&printed), ["alice", "j\u{f6}rg", "o'neill"], "{protocol}");
        assert!(
            lets_in(&site, "alice", SHA1, ALICE) && lets_in(&site, "j\u{f6}rg", SHA1, JOERG),
            "{protocol}"
        );
    }
    let site = Site::new();
    let printed = import_fixture(&site, "pickle-that-calls", &[]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
    assert!(printed.stderr.contains("pickle-that-calls: byte 38: "), "{}", printed.stderr);
    assert!(printed.stderr.contains("(STACK_GLOBAL): it is not followed"), "{}", printed.stderr);
    assert!(!Path::new("/tmp/pickle-was-executed").exists() && !site.path("state").exists());
}

/// A database as a Python script would leave it, with a write-ahead log that was written back.
fn old_database(site: &Site) -> PathBuf {
    let path = site.path("old.sqlite3");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let statements = format!(
        "PRAGMA journal_mode = WAL; CREATE TABLE tokens (username TEXT PRIMARY KEY, secret TEXT, created TEXT);
         INSERT INTO tokens VALUES ('alice', '{ALICE}', ''), ('j\u{f6}rg', '{JOERG}', ''), ('bad', '!', '');"
    );
    connection.execute_batch(&statements).unwrap();
    connection.close().unwrap();
    path
}

#[test]
fn a_database_of_another_program_is_read_and_stays_as_it_is() {
    let site = Site::new();
    let path = old_database(&site);
    chmod(&path, 0o400);
    let before = (files_below(&site.path(".")), std::fs::metadata(&path).unwrap().modified().unwrap());
    let printed = import(&site, &[path.to_str().unwrap(), "--dry-run"]);
    assert_eq!(names(&printed), ["alice", "j\u{f6}rg"], "{}", printed.stderr);
    assert!(printed.stderr.contains("old.sqlite3: entry 3: the secret is not base32"), "{}", printed.stderr);
    let after = (files_below(&site.path(".")), std::fs::metadata(&path).unwrap().modified().unwrap());
    assert_eq!(after, before, "a dry run changes nothing");
    assert_eq!(import(&site, &[path.to_str().unwrap(), "--table", "tokens"]).status, 1);
    assert!(lets_in(&site, "alice", SHA1, ALICE) && lets_in(&site, "j\u{f6}rg", SHA1, JOERG));
    let printed = import(&site, &[path.to_str().unwrap(), "--table", "token"]);
    assert!(printed.stderr.contains("tokens (username, secret, created)"), "{}", printed.stderr);
    // In use: a part of it is elsewhere.
    std::fs::write(site.path("old.sqlite3-wal"), "x").unwrap();
    let printed = import(&site, &[path.to_str().unwrap()]);
    assert!(printed.stderr.contains("old.sqlite3-wal: stop the program"), "{}", printed.stderr);
}

#[test]
fn the_database_of_the_older_script_is_moved_away_and_then_imported() {
    let site = Site::new();
    std::fs::DirBuilder::new().mode(0o700).create(site.path("state")).unwrap();
    std::fs::rename(old_database(&site), site.database()).unwrap();
    let printed = site.admin(&["enroll", "alice"]);
    assert!(printed.stderr.contains("openvpn-2fa import"), "{}", printed.stderr);
    std::fs::rename(site.path("state"), site.path("state.old")).unwrap();
    let printed = import(&site, &[site.path("state.old/tokens.sqlite3").to_str().unwrap()]);
    assert_eq!(names(&printed), ["alice", "j\u{f6}rg"]);
    assert!(lets_in(&site, "alice", SHA1, ALICE));
}

#[test]
fn lists_of_uris_and_the_export_of_the_app_are_read() {
    let site = Site::new();
    let printed = import_fixture(&site, "uris", &[]);
    assert_eq!((printed.status, names(&printed)), (1, vec!["alice", "bob"]));
    for (line, why) in [(5, "by counter"), (6, "40 bits"), (7, "not an otpauth")] {
        let line = printed.stderr.lines().find(|text| text.contains(&format!("uris:{line}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{why}: {}", printed.stderr);
    }
    assert!(lets_in(&site, "alice", SHA1, ALICE));
    let options = ["--totp=SHA256", "--base32", "--digits=8", "--time-step-size=60s"];
    assert!(lets_in(&site, "bob", &options, "GEZDGNBVGY3TQOJQ"));

    let site = Site::new();
    let printed = import_fixture(&site, "migration", &["--issuer", "OpenVPN Server"]);
    assert_eq!((printed.status, names(&printed)), (1, vec!["alice", "j\u{f6}rg"]), "{}", printed.stderr);
    assert!(printed.stderr.contains("migration:1: account 3: codes by counter"), "{}", printed.stderr);
    assert!(printed.stderr.contains("2 users imported, 1 of other services passed over, 1 not read"));
    assert!(lets_in(&site, "alice", SHA1, ALICE));
    assert!(lets_in(&site, "j\u{f6}rg", &["--totp=SHA256", "--base32", "--digits=8"], JOERG));
    // One QR code of two.
    let content = std::fs::read_to_string(fixture("migration")).unwrap();
    std::fs::write(site.path("one"), content.lines().next().unwrap()).unwrap();
    let printed = import(&site, &[site.path("one").to_str().unwrap()]);
    assert!(printed.stderr.contains("has 2 QR codes, and only 1 of them"), "{}", printed.stderr);
}

#[test]
fn who_is_enrolled_is_left_alone_unless_forced_and_no_used_code_comes_back() {
    let site = Site::new();
    let token = site.enroll("alice");
    let list = site.path("list");
    let uri = |user: &str, secret: &str| format!("otpauth://totp/{user}?secret={secret}\n");
    std::fs::write(&list, uri("alice", ALICE) + &uri("bob", JOERG)).unwrap();
    let list = list.to_str().unwrap();
    let printed = import(&site, &[list]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, "bob\n"));
    assert!(printed.stderr.contains("alice is enrolled already, left alone"), "{}", printed.stderr);
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 0);

    let used = code(SHA1, JOERG);
    let session = site.session();
    assert_eq!(site.login(&session, "bob", &used).status(), 0);
    let printed = import(&site, &[list, "--force"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, "alice\nbob\n"));
    assert!(printed.stderr.contains("2 users imported, 2 replaced"), "{}", printed.stderr);
    let session = site.session();
    assert_eq!(site.login(&session, "bob", &used).status(), 1, "the same secret, the same used code");
    assert!(lets_in(&site, "alice", SHA1, ALICE));
}

#[test]
fn one_bad_file_costs_no_other() {
    let site = Site::new();
    symlink(fixture("pickle-4"), site.path("link")).unwrap();
    std::fs::write(site.path("unknown"), "hello\n").unwrap();
    std::fs::File::create(site.path("large")).unwrap().set_len(17 * 1024 * 1024).unwrap();
    let paths: Vec<String> = ["link", "unknown", "large", "missing", "tmp"]
        .iter()
        .map(|name| site.path(name).to_str().unwrap().to_owned())
        .chain([fixture("pickle-4").to_str().unwrap().to_owned()])
        .collect();
    let printed = import(&site, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((printed.status, names(&printed).len()), (1, 3), "{}", printed.stderr);
    for (path, why) in paths.iter().zip([
        "symbolic link",
        "--format",
        "longer than 16777216 bytes",
        "No such file",
        "not a regular file",
    ]) {
        let line = printed.stderr.lines().find(|line| line.starts_with(&format!("{path}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{why}: {}", printed.stderr);
    }
    assert!(printed.stderr.contains("3 users imported, 5 not read"), "{}", printed.stderr);
}

#[test]
fn programs_get_json_and_standard_input_is_a_file() {
    let site = Site::new();
    let printed = import_fixture(&site, "users.oath", &["--json", "--dry-run"]);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(json["dry_run"], true);
    assert_eq!(json["imported"][0]["user"], "alice");
    assert_eq!(json["unread"][0]["line"], 5);
    assert_eq!(json["unread"].as_array().unwrap().len(), 4);
    assert!(!site.path("state").exists());
    let mut command = site.command();
    command.arg("--config").arg(site.config()).args(["import", "-"]);
    command.stdin(std::fs::File::open(fixture("pickle-2")).unwrap());
    let printed = run(&mut command);
    assert_eq!((printed.status, names(&printed).len()), (0, 3), "{}", printed.stderr);
}

#[test]
fn a_named_user_fits_one_secret_only() {
    let site = Site::new();
    let printed = import_fixture(&site, "pickle-4", &["--user", "alice"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
    assert!(printed.stderr.contains("--user names one user, and there are 3 secrets"), "{}", printed.stderr);
    assert!(!site.path("state").exists());
    std::fs::write(site.path("one"), format!("otpauth://totp/x:somebody?secret={ALICE}\n")).unwrap();
    let printed = import(&site, &[site.path("one").to_str().unwrap(), "--user", "alice"]);
    assert_eq!(names(&printed), ["alice"]);
}

fn passphrase(site: &Site, text: &str) -> PathBuf {
    let path = site.path(text);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    chmod(&path, 0o600);
    path
}

#[test]
fn an_export_is_encrypted_and_comes_back() {
    let site = Site::new();
    let token = site.enroll("alice");
    site.enroll("bob");
    let right = passphrase(&site, "tea-at-five");
    let exported = site.admin(&["export", "--passphrase-file", right.to_str().unwrap()]);
    assert_eq!((exported.status, exported.stderr.as_str()), (0, ""));
    assert!(exported.stdout.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    std::fs::write(site.path("export"), &exported.stdout).unwrap();
    let export = site.path("export");

    let other = Site::new();
    let wrong = passphrase(&other, "coffee-at-five");
    let printed = import(&other, &[export.to_str().unwrap(), "--passphrase-file", wrong.to_str().unwrap()]);
    assert_eq!(printed.status, 1);
    assert!(printed.stderr.contains("the passphrase is wrong"), "{}", printed.stderr);
    let printed = import(&other, &[export.to_str().unwrap(), "--passphrase-file", right.to_str().unwrap()]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, "alice\nbob\n"), "{}", printed.stderr);
    assert!(lets_in(&other, "alice", SHA1, &token.base32));
    let printed = import(&other, &[export.to_str().unwrap()]);
    assert!(printed.status == 1 && printed.stderr.contains("--passphrase-file"), "{}", printed.stderr);
}

/// Runs a line in a terminal of its own, and types.
fn on_terminal(line: &str, typed: &str) -> Printed {
    need("script");
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", line, "/dev/null"]).env("SHELL", "/bin/sh");
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in typed.lines() {
        // As a person: what is typed before the question is thrown away.
        std::thread::sleep(std::time::Duration::from_secs(2));
        std::io::Write::write_all(&mut input, format!("{line}\n").as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    drop(input);
    Printed {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_passphrase_is_asked_for_unseen_and_age_opens_the_export() {
    need("age");
    let site = Site::new();
    let token = site.enroll("alice");
    let program = format!("{} --config {}", crate::support::PROGRAM, site.config().display());
    let export = site.path("export");
    let line = format!("{program} export > {}", export.display());
    let seen = on_terminal(&line, "tea at five\ntea at five\n");
    if seen.stderr.contains("pseudo-terminal") {
        return eprintln!("not tried: {}", seen.stderr);
    }
    assert_eq!(seen.status, 0, "{seen:?}");
    assert!(seen.stdout.contains("Passphrase: ") && !seen.stdout.contains("tea"), "{seen:?}");
    let opened = on_terminal(&format!("age -d {}", export.display()), "tea at five\n");
    assert!(
        opened.stdout.contains(&format!("otpauth://totp/OpenVPN%20Server:alice?secret={}", token.base32)),
        "{opened:?}"
    );
    let seen = on_terminal(&line, "tea at five\ncoffee at five\n");
    assert!(seen.status == 1 && seen.stdout.contains("differ"), "{seen:?}");
}

#[test]
fn a_plain_export_warns_and_names_only_whom_it_is_asked_for() {
    let site = Site::new();
    assert!(site.admin(&["export", "--plain"]).stderr.contains("there is no database"));
    let token = site.enroll("alice");
    site.enroll("bob");
    let printed = site.admin(&["export", "--plain", "alice"]);
    assert_eq!(printed.status, 0);
    let uri =
        format!("otpauth://totp/OpenVPN%20Server:alice?secret={}&issuer=OpenVPN%20Server\n", token.base32);
    assert_eq!(printed.stdout, uri);
    assert!(printed.stderr.contains("not encrypted"));
    assert_eq!(site.admin(&["export", "--plain"]).stdout.lines().count(), 2);
    assert!(site.admin(&["export", "--plain", "carol"]).stderr.contains("carol is not enrolled"));
    assert_eq!(site.admin(&["export", "--plain", "--passphrase-file", "x"]).status, 2);
    let readable = passphrase(&site, "open");
    chmod(&readable, 0o644);
    let printed = site.admin(&["export", "--passphrase-file", readable.to_str().unwrap()]);
    assert!(printed.status == 1 && printed.stderr.contains("chmod go-rwx"), "{}", printed.stderr);
}

#[test]
fn names_are_imported_in_the_form_in_which_they_log_in() {
    let site = Site::with(&[("authUsernameCase", "lower")]);
    let uri = |user: &str, secret: &str| format!("otpauth://totp/{user}?secret={secret}\n");
    let list = uri("Alice", ALICE) + &uri("-x", JOERG) + &uri("..%2Fy", JOERG) + &uri("ALICE", JOERG);
    std::fs::write(site.path("list"), list).unwrap();
    let list = site.path("list");
    let printed = import(&site, &[list.to_str().unwrap()]);
    assert_eq!((printed.status, names(&printed)), (1, vec!["alice"]), "{}", printed.stderr);
    for line in [2, 3] {
        assert!(printed.stderr.contains(&format!("list:{line}: nobody can log in as")), "{}", printed.stderr);
    }
    // Both spellings are one user, with two tokens.
    assert!(lets_in(&site, "ALICE", SHA1, ALICE) && lets_in(&site, "alice", SHA1, JOERG));
    let exported = site.admin(&["export", "--plain", "Alice"]);
    assert_eq!((exported.status, exported.stdout.lines().count()), (0, 2), "{}", exported.stderr);
}

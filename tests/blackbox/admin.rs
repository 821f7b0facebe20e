//! The administrator's commands.

use crate::support::{PROGRAM, Printed, Site, Token, chmod, files_below, mode, need, now, run};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

/// The parts of what `enroll` prints: user, secret, URI, and nothing else.
fn three_lines(printed: &Printed) -> [&str; 3] {
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stdout.ends_with('\n'), "{:?}", printed.stdout);
    let lines: Vec<&str> = printed.stdout.lines().collect();
    lines.try_into().unwrap_or_else(|lines| panic!("three lines: {lines:?}"))
}

fn secret_of(printed: &Printed) -> String {
    three_lines(printed)[1].to_owned()
}

fn json(printed: &Printed) -> serde_json::Value {
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    serde_json::from_str(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {:?}", printed.stdout))
}

/// What is printed when something fails: exit status 1, nothing on standard output, one line of talk.
fn complaint(printed: &Printed) -> &str {
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{}", printed.stderr);
    let text = printed.stderr.strip_prefix("openvpn-2fa: ").unwrap_or_else(|| panic!("{}", printed.stderr));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains("Error {") && !text.contains("Os {"), "for people: {text}");
    text.trim_end()
}

fn is_rfc3339(text: &serde_json::Value) -> bool {
    let text = text.as_str().unwrap();
    text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

#[test]
fn enroll_prints_the_user_the_secret_and_the_uri_and_nothing_more() {
    let site = Site::new();
    let printed = site.admin(&["enroll", "alice"]);
    let [user, secret, uri] = three_lines(&printed);
    assert_eq!(user, "alice");
    assert_eq!(secret.len(), 32, "160 bits without padding");
    assert_eq!(BASE32_NOPAD.decode(secret.as_bytes()).unwrap().len(), 20);
    assert_eq!(uri, format!("otpauth://totp/OpenVPN%20Server:alice?secret={secret}&issuer=OpenVPN%20Server"));
    assert_eq!(printed.stderr, "", "no QR code where nobody looks");
}

#[test]
fn every_enrolment_has_a_secret_of_its_own() {
    let site = Site::new();
    let secrets: Vec<String> =
        ["a", "b", "c"].iter().map(|user| secret_of(&site.admin(&["enroll", user]))).collect();
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0] != secrets[2]);
}

#[test]
fn the_uri_carries_the_issuer_of_the_settings() {
    for (issuer, encoded) in [
        ("ACME", "ACME"),
        ("My VPN & Co: 100%", "My%20VPN%20%26%20Co%3A%20100%25"),
        ("123", "123"),
        ("Zo\u{eb}", "Zo%C3%AB"),
    ] {
        let site = Site::with(&[("totpIssuerName", issuer)]);
        let printed = site.admin(&["enroll", "alice"]);
        let [_, secret, uri] = three_lines(&printed);
        assert_eq!(uri, format!("otpauth://totp/{encoded}:alice?secret={secret}&issuer={encoded}"));
    }
}

#[test]
fn a_user_who_is_enrolled_is_not_replaced_unless_forced() {
    let site = Site::new();
    let first = secret_of(&site.admin(&["enroll", "alice"]));
    let before = files_below(&site.path("state"));
    for arguments in [&["enroll", "alice"][..], &["--json", "enroll", "alice", "--qr"]] {
        let printed = site.admin(arguments);
        let text = complaint(&printed);
        assert!(text.contains("alice is enrolled already") && text.contains("--force"), "{text}");
        assert!(!text.contains(&first));
    }
    assert_eq!(files_below(&site.path("state")), before, "nothing is changed");
    let second = secret_of(&site.admin(&["enroll", "--force", "alice"]));
    assert_ne!(second, first);
    assert_eq!(site.admin(&["show", "alice", "--secret"]).stdout.matches(&second).count(), 2);
    assert!(!site.admin(&["show", "alice", "--secret"]).stdout.contains(&first));
    assert_eq!(secret_of(&site.admin(&["enroll", "--force", "new"])).len(), 32, "nothing to replace");
}

#[test]
fn the_database_is_made_private_with_its_directory() {
    let site = Site::new();
    let database = site.path("some/where/tokens.sqlite3");
    let printed = site.admin(&["--db", database.to_str().unwrap(), "enroll", "alice"]);
    three_lines(&printed);
    assert_eq!(mode(&database), 0o600);
    assert_eq!(mode(&site.path("some/where")), 0o700);
}

#[test]
fn a_database_that_is_not_there_is_made_by_enroll_only() {
    let site = Site::new();
    for arguments in [&["list"][..], &["show", "alice"], &["delete", "alice"]] {
        let printed = site.admin(arguments);
        let text = complaint(&printed);
        let database = site.database();
        assert!(
            text.contains("there is no database at") && text.contains(database.to_str().unwrap()),
            "{text}"
        );
        assert!(text.contains("openvpn-2fa enroll"), "what to do: {text}");
    }
    assert!(!site.path("state").exists());
}

#[test]
fn the_database_of_the_command_line_is_the_one_that_is_used() {
    let site = Site::new();
    site.enroll("alice");
    let other = site.path("other/tokens.sqlite3");
    three_lines(&site.admin(&["enroll", "bob", "--db", other.to_str().unwrap()]));
    assert!(site.admin(&["list"]).stdout.starts_with("alice\t"));
    assert!(site.admin(&["list", "--db", other.to_str().unwrap()]).stdout.starts_with("bob\t"));
}

#[test]
fn a_database_path_may_be_relative() {
    let site = Site::new();
    three_lines(&site.admin(&["--db", "here/tokens.sqlite3", "enroll", "alice"]));
    assert!(site.path("here/tokens.sqlite3").exists());
    // The site's directory is 0700, so that it can hold the database itself.
    three_lines(&site.admin(&["--db", "tokens.sqlite3", "enroll", "alice"]));
}

#[test]
fn options_may_stand_before_and_after_the_command() {
    let site = Site::new();
    site.enroll("alice");
    let (config, database) = (site.config(), site.database());
    let (config, database) = (config.to_str().unwrap(), database.to_str().unwrap());
    let expected = site.admin(&["--json", "list"]);
    for arguments in [
        &["--config", config, "--json", "list"][..],
        &["list", "--json", "--config", config],
        &["--json", "list", "--config", config],
        &["--config", config, "list", "--json"],
        &["--db", database, "list", "--json"],
        &["list", "--db", database, "--json"],
        &["--json", "--config", config, "list", "--db", database],
        &[&format!("--db={database}"), "list", "--json"],
    ] {
        let printed = run(site.command().args(arguments));
        assert_eq!(
            (printed.status, &printed.stdout),
            (0, &expected.stdout),
            "{arguments:?} {}",
            printed.stderr
        );
    }
    for arguments in
        [["show", "alice", "--secret"], ["show", "--secret", "alice"], ["--json", "show", "alice"]]
    {
        assert_eq!(site.admin(&arguments).status, 0);
    }
}

#[test]
fn list_names_every_user_first_on_a_line_of_its_own() {
    let site = Site::new();
    for user in ["mallory", "alice", "a b"] {
        site.enroll(user);
    }
    let printed = site.admin(&["list"]);
    assert_eq!(
        printed.stdout,
        "a b\tenabled\tnever logged in\nalice\tenabled\tnever logged in\nmallory\tenabled\tnever logged in\n"
    );
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    for user in ["mallory", "alice", "a b"] {
        site.admin(&["delete", user]);
    }
    let printed = site.admin(&["list"]);
    assert_eq!((printed.status, printed.stdout.as_str(), printed.stderr.as_str()), (0, "", ""), "nobody");
    assert_eq!(json(&site.admin(&["list", "--json"])), serde_json::json!([]));
}

#[test]
fn list_says_who_cannot_log_in_and_when_the_others_did() {
    let site = Site::new();
    for user in ["disabled", "enabled", "locked", "unlocked"] {
        site.enroll(user);
    }
    let (past, future) = (now() - 10, now() + 1_000);
    site.sql(&format!(
        "UPDATE user SET state = 'disabled' WHERE name = 'disabled';
         UPDATE user SET last_login_at = 1795295268 WHERE name = 'enabled';
         INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'locked', 5, {future}), ('user', 'unlocked', 5, {past});"
    ));
    assert_eq!(
        site.admin(&["list"]).stdout,
        "disabled\tdisabled\tnever logged in\nenabled\tenabled\tlast login 2026-11-21T21:07:48Z\n\
         locked\tlocked\tnever logged in\nunlocked\tenabled\tnever logged in\n"
    );
    let shown = site.admin(&["show", "locked"]).stdout;
    assert!(shown.contains("state: locked\n") && shown.contains("failures in a row: 5\n"), "{shown}");
    assert!(shown.contains("locked until: 20"), "{shown}");
    assert!(!site.admin(&["show", "unlocked"]).stdout.contains("locked until"));
    assert!(is_rfc3339(&site.shown("locked")["locked_until"]));
    assert!(site.shown("unlocked")["locked_until"].is_null());
}

#[test]
fn show_tells_the_secret_only_when_it_is_asked_for() {
    let site = Site::new();
    let token = site.enroll("alice");
    let raw = BASE32_NOPAD.decode(token.base32.as_bytes()).unwrap();
    let hex = HEXLOWER.encode(&raw);
    for arguments in [&["show", "alice"][..], &["show", "alice", "--json"], &["list"], &["list", "--json"]] {
        let printed = site.admin(arguments);
        assert_eq!(printed.status, 0);
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(!all.contains(&token.base32) && !all.to_lowercase().contains(&hex), "{arguments:?}: {all}");
        assert!(!all.contains("otpauth") && !all.to_lowercase().contains("secret"), "{arguments:?}: {all}");
    }
    let printed = site.admin(&["show", "alice"]);
    let lines: Vec<&str> = printed.stdout.lines().collect();
    assert_eq!(lines[..3], ["user: alice", "state: enabled", "factor: as in the settings"]);
    assert_eq!(
        lines[4..],
        ["last login: never", "failures in a row: 0", "token: SHA1, 6 digits, 30 seconds"]
    );
    assert!(lines[3].starts_with("enrolled: 20"), "{}", lines[3]);

    let printed = site.admin(&["show", "--secret", "alice"]);
    assert!(printed.stdout.contains(&format!("\nsecret: {}\n", token.base32)), "{}", printed.stdout);
    let uri = format!("secret={}&issuer=OpenVPN%20Server", token.base32);
    assert!(printed.stdout.contains(&format!("\nuri: otpauth://totp/OpenVPN%20Server:alice?{uri}\n")));
}

#[test]
fn json_is_there_for_every_command() {
    let site = Site::new();
    let enrolled = json(&site.admin(&["--json", "enroll", "alice"]));
    let secret = enrolled["secret"].as_str().unwrap();
    let uri = format!("otpauth://totp/OpenVPN%20Server:alice?secret={secret}&issuer=OpenVPN%20Server");
    assert_eq!(enrolled, serde_json::json!({ "user": "alice", "secret": secret, "uri": uri }));
    assert_eq!(secret.len(), 32);

    let shown = json(&site.admin(&["--json", "show", "alice"]));
    assert!(is_rfc3339(&shown["created_at"]) && is_rfc3339(&shown["tokens"][0]["created_at"]));
    let expected = serde_json::json!({
        "user": "alice",
        "state": "enabled",
        "factor": null,
        "created_at": shown["created_at"],
        "last_login_at": null,
        "failures": 0,
        "locked_until": null,
        "backup_codes_left": 0,
        "tokens": [{
            "label": "",
            "algorithm": "SHA1",
            "digits": 6,
            "period": 30,
            "created_at": shown["tokens"][0]["created_at"],
            "last_offset": null,
            "encrypted_with": null,
        }],
    });
    assert_eq!(shown, expected);
    assert_eq!(json(&site.admin(&["--json", "list"])), serde_json::json!([expected]));

    let with_secret = json(&site.admin(&["--json", "show", "--secret", "alice"]));
    assert_eq!(with_secret["tokens"][0]["secret"], secret);
    assert_eq!(with_secret["tokens"][0]["uri"], uri);

    let deleted = json(&site.admin(&["--json", "delete", "alice"]));
    assert_eq!(deleted, serde_json::json!({ "user": "alice", "deleted": true }));
}

#[test]
fn a_deleted_user_is_gone() {
    let site = Site::new();
    site.enroll("alice");
    site.enroll("bob");
    let printed = site.admin(&["delete", "alice"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (0, ""));
    assert_eq!(printed.stderr, "alice is deleted\n");
    for arguments in [["show", "alice"], ["delete", "alice"]] {
        let printed = site.admin(&arguments);
        let text = complaint(&printed);
        assert!(text.contains("alice is not enrolled") && text.contains("openvpn-2fa list"), "{text}");
    }
    assert!(site.admin(&["list"]).stdout.starts_with("bob\t"));
    assert_eq!(site.admin(&["list"]).stdout.lines().count(), 1);
}

#[test]
fn wrong_usage_is_status_2_and_changes_nothing() {
    let site = Site::new();
    for arguments in [
        &[][..],
        &["enrol", "alice"],
        &["enroll"],
        &["enroll", "alice", "bob"],
        &["enroll", "alice", "--secret"],
        &["list", "alice"],
        &["show"],
        &["delete"],
        &["delete", "alice", "--force"],
        &["enroll", "alice", "--backup-codes", "0"],
        &["enroll", "alice", "--backup-codes", "21"],
        &["enroll", "alice", "--backup-codes"],
        &["backup-codes"],
        &["backup-codes", "alice", "--count", "x"],
        &["--nonsense"],
        &["list", "--nonsense"],
        &["list", "--config"],
        &["list", "--json=yes"],
        &["--worker", "verify"],
    ] {
        let printed = run(site.command().args(arguments));
        assert_eq!((printed.status, printed.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!printed.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!site.path("state").exists());
    let printed = run(site.command().arg("enrol"));
    assert!(printed.stderr.contains("enroll"), "a suggestion: {}", printed.stderr);
}

#[test]
fn help_and_version_are_data() {
    let site = Site::new();
    for (arguments, part) in [
        (&["--help"][..], "auth-user-pass-verify"),
        (&["-h"], "enroll"),
        (&["enroll", "--help"], "--force"),
        (&["--version"], "openvpn-2fa "),
    ] {
        let printed = run(site.command().args(arguments));
        assert_eq!((printed.status, printed.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(printed.stdout.contains(part), "{arguments:?}: {}", printed.stdout);
    }
}

#[test]
fn names_with_blanks_quotes_and_colons_go_in_and_out_as_they_are() {
    for (user, encoded) in [
        ("a b", "a%20b"),
        ("o'neill", "o%27neill"),
        ("say \"hi\"", "say%20%22hi%22"),
        ("corp:alice", "corp%3Aalice"),
        ("DOMAIN\\alice", "DOMAIN%5Calice"),
        ("alice@example.org", "alice%40example.org"),
        ("100%s$(x);`y`", "100%25s%24%28x%29%3B%60y%60"),
        ("alice+vpn", "alice%2Bvpn"),
        ("j\u{f6}rg", "j%C3%B6rg"),
    ] {
        let site = Site::new();
        let printed = site.admin(&["enroll", "--", user]);
        let [name, _, uri] = three_lines(&printed);
        assert_eq!(name, user);
        assert!(uri.starts_with(&format!("otpauth://totp/OpenVPN%20Server:{encoded}?secret=")), "{uri}");
        assert!(site.admin(&["list"]).stdout.starts_with(&format!("{user}\t")));
        assert_eq!(site.shown(user)["user"], user);
        assert_eq!(site.admin(&["delete", "--", user]).status, 0);
    }
}

#[test]
fn a_name_that_no_client_can_have_is_refused() {
    let site = Site::new();
    let long = "a".repeat(256);
    for (user, why) in [
        ("", "is empty"),
        ("a\nb", "control character"),
        ("a\tb", "control character"),
        ("a\u{1b}[31mb", "control character"),
        ("a\u{9b}b", "control character"),
        (&long, "longer than 255 bytes"),
    ] {
        for command in ["enroll", "show", "delete"] {
            let printed = site.admin(&[command, "--", user]);
            let text = complaint(&printed);
            assert!(text.contains(why), "{user:?}: {text}");
            assert!(!text.chars().any(char::is_control), "made safe for the terminal: {text:?}");
        }
    }
    assert!(!site.path("state").exists());
    three_lines(&site.admin(&["enroll", &long[..255]]));
}

#[test]
fn a_name_that_no_account_has_is_not_enrolled() {
    let site = Site::new();
    for (user, why) in [
        ("-x", "begins with a hyphen"),
        ("../../etc/passwd", "holds a slash"),
        ("a..b", "two dots"),
        (" ", "begins or ends with a blank"),
        ("alice ", "begins or ends with a blank"),
        ("a\u{202e}b", "cannot be seen"),
    ] {
        for command in [&["enroll"][..], &["set", "--factor", "duo"], &["rename", "alice"]] {
            let printed = site.admin(&[command, &["--", user]].concat());
            let text = complaint(&printed);
            assert!(text.contains(why) && text.contains("username_pattern"), "{user:?}: {text}");
            assert!(!text.contains('\u{202e}'), "made safe for the terminal: {text:?}");
        }
    }
    assert!(!site.path("state").exists());
    let site = Site::with(&[("authUsernamePattern", "[a-z]+(/[a-z]+)?")]);
    three_lines(&site.admin(&["enroll", "corp/alice"]));
    let printed = site.admin(&["enroll", "alice2"]);
    assert!(complaint(&printed).contains("does not match [auth] username_pattern"));
}

#[test]
fn names_are_stored_in_lower_case_where_the_settings_say_so() {
    let site = Site::new();
    three_lines(&site.admin(&["enroll", "Before"]));
    let lower = |arguments: &[&str]| {
        run(site
            .command()
            .env("authUsernameCase", "lower")
            .arg("--config")
            .arg(site.config())
            .args(arguments))
    };
    assert_eq!(three_lines(&lower(&["enroll", "ALICE"]))[0], "alice");
    assert!(complaint(&lower(&["enroll", "Alice"])).contains("alice is enrolled already"));
    assert!(lower(&["show", "aLiCe"]).stdout.starts_with("user: alice\n"));
    assert_eq!(lower(&["backup-codes", "aLiCe"]).stdout.lines().count(), 10);
    assert_eq!(lower(&["disable", "ALICE"]).stderr, "alice is disabled\n");
    assert_eq!(lower(&["enable", "ALICE"]).stderr, "alice is enabled\n");
    assert_eq!(lower(&["unlock", "ALICE"]).stderr, "alice was not locked\n");
    // Who was stored otherwise can be reached as it is written, and be given the name that counts.
    assert!(lower(&["show", "Before"]).stdout.starts_with("user: Before\n"));
    assert_eq!(lower(&["rename", "Before", "AFTER"]).status, 0);
    assert_eq!(lower(&["delete", "after"]).status, 0);
    assert_eq!(lower(&["delete", "ALICE"]).status, 0);
    assert_eq!(lower(&["list"]).stdout, "");
}

#[test]
fn text_that_could_deceive_is_made_safe_for_the_terminal() {
    let site = Site::new();
    // Not control characters by Unicode's book, but they turn the text around.
    site.enroll("ab");
    site.sql("UPDATE user SET name = 'a\u{202e}b'");
    for arguments in [&["list"][..], &["show", "a\u{202e}b"]] {
        let printed = site.admin(arguments);
        assert!(
            printed.stdout.contains("a\\u{202e}b") && !printed.stdout.contains('\u{202e}'),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_qr_code_goes_to_standard_error_when_it_is_asked_for() {
    let site = Site::new();
    let printed = site.admin(&["enroll", "alice", "--qr"]);
    three_lines(&printed);
    let width = printed.stderr.lines().next().unwrap().chars().count();
    assert!(width > 30, "{}", printed.stderr);
    let modules = |line: &str| line.chars().all(|c| matches!(c, '\u{2588}' | '\u{2580}' | '\u{2584}' | ' '));
    assert!(
        printed.stderr.lines().all(|line| line.chars().count() == width && modules(line)),
        "modules only, no colours for a file: {}",
        printed.stderr
    );
    let json = site.admin(&["--json", "enroll", "bob"]);
    assert_eq!(json.stderr, "");
}

#[test]
fn a_qr_code_goes_to_a_terminal_without_being_asked_for() {
    need("script");
    let site = Site::new();
    let on_terminal = |user: &str, options: &str| {
        let line = format!("{PROGRAM} --config {} enroll {user} {options}", site.config().display());
        let mut script = std::process::Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
        let printed = run(script.env("SHELL", "/bin/sh"));
        if printed.stderr.contains("pseudo-terminal") {
            eprintln!("not tried: {}", printed.stderr);
            return None;
        }
        assert_eq!(printed.status, 0, "{}", printed.stderr);
        Some(printed.stdout)
    };
    let Some(seen) = on_terminal("alice", "") else { return };
    assert!(seen.starts_with("alice\r\n") && seen.contains("\r\notpauth://totp/"), "{seen}");
    // In colours of its own, whatever those of the terminal are.
    assert!(seen.contains("\x1b[38;5;16;48;5;231m") && seen.contains('\u{2588}'), "{seen}");
    let seen = on_terminal("bob", "--json").unwrap();
    assert!(seen.contains("\"uri\"") && !seen.contains('\u{2588}'), "{seen}");
}

/// What `zbarimg` reads in a picture.
fn read_by_zbarimg(picture: &Path) -> String {
    need("zbarimg");
    let mut zbarimg = std::process::Command::new("zbarimg");
    let printed = run(zbarimg.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(picture));
    assert_eq!(printed.status, 0, "zbarimg: {}", printed.stderr);
    printed.stdout.trim_end().to_owned()
}

/// The picture as a greymap: the squares of the only path, `M20 25h5v5H20V25M…`, on white.
fn drawn(svg: &str) -> Vec<u8> {
    let between = |before: &str, after: &str| {
        let (_, rest) = svg.split_once(before).unwrap_or_else(|| panic!("no {before} in {svg}"));
        rest.split_once(after).unwrap().0
    };
    assert!(svg.starts_with("<?xml"), "{svg}");
    let side: usize = between("width=\"", "\"").parse().unwrap();
    let mut pixels = vec![u8::MAX; side * side];
    for square in between(" d=\"M", "\"").split('M') {
        let numbers: Vec<usize> =
            square.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap()).collect();
        let [left, top, width, height, ..] = numbers[..] else { panic!("no square: {square}") };
        for line in top..top + height {
            pixels[line * side + left..line * side + left + width].fill(0);
        }
    }
    [format!("P5 {side} {side} 255\n").into_bytes(), pixels].concat()
}

#[test]
fn a_picture_of_the_qr_code_holds_the_uri_and_is_for_its_owner_only() {
    let site = Site::with(&[("totpIssuerName", "My VPN & Co")]);
    for (user, file) in [("alice", "a.png"), ("bob", "b.svg"), ("o'neill: \"x\"", "c.PNG")] {
        let picture = site.path(file);
        let printed = site.admin(&["enroll", "--qr-file", picture.to_str().unwrap(), user]);
        let [_, _, uri] = three_lines(&printed);
        assert_eq!(printed.stderr, "");
        assert_eq!(mode(&picture), 0o600);
        let content = std::fs::read(&picture).unwrap();
        if file.ends_with("svg") {
            // Not every zbarimg reads SVG.
            std::fs::write(&picture, drawn(&String::from_utf8(content).unwrap())).unwrap();
        } else {
            assert!(content.starts_with(b"\x89PNG\r\n\x1a\n"), "a PNG");
        }
        assert_eq!(read_by_zbarimg(&picture), uri);
    }
}

#[test]
fn a_picture_never_replaces_a_file_and_costs_no_enrolment() {
    let site = Site::new();
    let (there, target) = (site.path("there.png"), site.path("target.png"));
    std::fs::write(&there, "precious").unwrap();
    let link = site.path("link.png");
    symlink(&target, &link).unwrap();
    for (picture, why) in [
        (there.clone(), "File exists"),
        (link.clone(), "File exists"),
        (site.path("picture.jpg"), ".png or .svg"),
        (site.path("picture"), ".png or .svg"),
        (site.path("png"), ".png or .svg"),
        (site.path("no/such/directory/a.png"), "No such file"),
    ] {
        let printed = site.admin(&["enroll", "alice", "--qr-file", picture.to_str().unwrap()]);
        let text = complaint(&printed);
        assert!(text.contains(why) && text.contains(picture.to_str().unwrap()), "{text}");
    }
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
    assert!(!target.exists() && link.symlink_metadata().unwrap().is_symlink());
    assert!(!site.path("picture.jpg").exists() && !site.path("state").exists());
}

#[test]
fn an_enrolment_that_is_refused_leaves_no_picture() {
    let site = Site::new();
    site.enroll("alice");
    let picture = site.path("alice.png");
    complaint(&site.admin(&["enroll", "alice", "--qr-file", picture.to_str().unwrap()]));
    assert!(!picture.exists());
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let site = Site::new();
    let token = site.enroll("alice");
    for arguments in [&["list"][..], &["show", "alice"], &["enroll", "bob"], &["--json", "list"]] {
        // A pipe whose reading end is closed before anything is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = site.command();
        command.arg("--config").arg(site.config()).args(arguments);
        let output =
            command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
    }
    drop(token);
}

#[test]
fn a_picture_is_written_though_nobody_reads_the_lines() {
    let site = Site::new();
    let picture = site.path("alice.svg");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = site.command();
    command.arg("--config").arg(site.config()).args(["enroll", "alice", "--qr-file"]).arg(&picture);
    assert_eq!(command.stdout(writer).status().unwrap().code(), Some(0));
    assert!(picture.exists(), "done, says the exit status");
}

#[test]
fn a_full_disk_is_an_error() {
    let site = Site::new();
    site.enroll("alice");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = site.command();
    command.arg("--config").arg(site.config()).arg("list").stdout(full).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("No space left"));
}

#[test]
fn a_database_that_is_not_ours_or_not_safe_is_refused_and_left_alone() {
    let site = Site::new();
    let foreign = site.path("foreign.sqlite3");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE token (user, secret)").unwrap();
    chmod(&foreign, 0o600);
    let text = site.path("text");
    std::fs::write(&text, "alice:secret\n").unwrap();
    chmod(&text, 0o600);
    site.enroll("alice");
    chmod(&site.database(), 0o640);
    for (database, why) in [
        (&foreign, "not a database of openvpn-2fa"),
        (&text, "not a database of openvpn-2fa"),
        (&site.tmp(), "not a regular file"),
        (&site.database(), "chmod go-rwx"),
    ] {
        let before = std::fs::read(database).unwrap_or_default();
        for arguments in
            [&["list"][..], &["enroll", "bob"], &["enroll", "--force", "alice"], &["delete", "alice"]]
        {
            let printed = run(site.command().arg("--db").arg(database).args(arguments));
            let text = complaint(&printed);
            assert!(text.contains(why) && text.contains(database.to_str().unwrap()), "{arguments:?}: {text}");
        }
        assert_eq!(std::fs::read(database).unwrap_or_default(), before, "{}", database.display());
    }
}

#[test]
fn a_code_of_the_printed_secret_is_a_code_of_the_enrolment() {
    let site = Site::new();
    let token: Token = site.enroll("alice");
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 0);
    let shown = site.shown("alice");
    assert!(is_rfc3339(&shown["last_login_at"]));
    assert!(shown["tokens"][0]["last_offset"].is_i64());
    assert!(site.admin(&["list"]).stdout.starts_with("alice\tenabled\tlast login 20"));
    assert!(site.admin(&["show", "alice"]).stdout.contains("clock of the user's device: "));
}

//! Settings files that an enemy of the administrator's would write, and links where files are expected.

use crate::support::{Site, chmod, eventually, run};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// Longer than it takes to read 64 KiB of anything, on a machine that is busy with something else.
const AT_ONCE: Duration = Duration::from_secs(10);

fn hostile_settings() -> Vec<(&'static str, Vec<u8>)> {
    let utf_16 = |text: &str| {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let many = |count: usize, one: fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().concat();
    let keys = many(5_000, |number| format!("k{number} = 1\n"));
    let sections = many(6_000, |number| format!("[s{number}]\n"));
    let nested = |open: &str, close: &str, depth| {
        format!("x = {}{}\n", open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    vec![
        ("a NUL", b"[auth]\nprimary = 'none'\0\n".to_vec()),
        ("only NULs", vec![0; 60_000]),
        ("another encoding", utf_16("[auth]\nprimary = 'none'\n")),
        ("half a character", b"[totp]\nissuer_name = '\xc3'\n".to_vec()),
        ("a surrogate", b"[totp]\nissuer_name = '\xed\xa0\x80'\n".to_vec()),
        ("an escape sequence", b"[auth]\n\x1b[2J\x1b]0;x\x07 = 1\n".to_vec()),
        ("a key that turns text around", "[auth]\n\"\u{202e}x\" = 1\n".into()),
        ("a key with a line break", b"[auth]\n\"x\\n[auth] primary\" = 1\n".to_vec()),
        ("a key as long as the file", format!("[auth]\n{} = 1\n", "x".repeat(60_000)).into_bytes()),
        (
            "a text as long as the file",
            format!("[totp]\nissuer_name = '{}'\n", "x".repeat(60_000)).into_bytes(),
        ),
        ("many keys", format!("[auth]\n{keys}").into_bytes()),
        ("10,000 keys", format!("[auth]\n{}", "a=1\n".repeat(10_000)).into_bytes()),
        ("many sections", sections.into_bytes()),
        ("deep lists", nested("[", "]", 30_000)),
        ("deep lists without an end", nested("[", "", 60_000)),
        ("deep tables", nested("{a=", "}", 12_000)),
        ("deep names", format!("[{}]\n", "a.".repeat(30_000) + "a").into_bytes()),
        ("deep keys", format!("{}a = 1\n", "a.".repeat(30_000)).into_bytes()),
        ("a number without an end", format!("[worker]\nmax = {}\n", "9".repeat(60_000)).into_bytes()),
        ("quotes without an end", "'''\n\"\"\"\n".repeat(8_000).into_bytes()),
        ("a section twice", b"[auth]\nprimary = 'none'\n[auth]\nprimary = 'none'\n".to_vec()),
    ]
}

#[test]
fn a_hostile_settings_file_is_refused_at_once_and_in_one_line() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    for (what, content) in hostile_settings() {
        let path = site.path("hostile.toml");
        std::fs::write(&path, content).unwrap();
        chmod(&path, 0o600);
        let (session, start) = (site.session(), Instant::now());
        let call = site.login(&session, "alice", &code).set("openvpn2faConfig", &path);
        assert_eq!((call.status(), session.verdict()), (1, "0".to_owned()), "{what}");
        let printed = run(site.command().arg("--config").arg(&path).arg("list"));
        assert!(start.elapsed() < AT_ONCE, "{what}: {:?}", start.elapsed());
        assert_eq!((printed.status, printed.stdout.as_str()), (1, ""), "{what}");
        let text = printed.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("{what}: {printed:?}"));
        assert!(
            !text.is_empty() && !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "{what}: {text:?}"
        );
        session.end();
    }
    assert!(site.logs().lines().all(|line| line.starts_with("openvpn-2fa: event=") && line.len() < 2_000));
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn settings_behind_a_link_are_those_at_its_end_and_a_link_to_nowhere_has_none() {
    let site = Site::new();
    let token = site.enroll("alice");
    let [first, second, third] = token.codes();
    let link = site.path("link.toml");
    let login =
        |code: &str| site.login(&site.session(), "alice", code).set("openvpn2faConfig", &link).status();
    symlink(site.config(), &link).unwrap();
    assert_eq!(login(&first), 0);
    // Whoever can write to the end of the link could have written it.
    chmod(&site.config(), 0o666);
    assert_eq!(login(&second), 1);
    chmod(&site.config(), 0o644);
    for target in ["link.toml", "nowhere.toml", "/dev/zero", "/proc/self/environ"] {
        std::fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        assert_eq!(login(&second), 1, "{target}");
    }
    assert_eq!(site.login(&site.session(), "alice", &third).status(), 0);
}

#[test]
fn a_link_in_place_of_the_database_is_not_followed() {
    let site = Site::new();
    let token = site.enroll("alice");
    let (database, away) = (site.database(), site.path("state/away"));
    let before = || std::fs::read(&away).unwrap();
    std::fs::rename(&database, &away).unwrap();
    let content = before();
    for hard in [false, true] {
        if hard {
            std::fs::hard_link(&away, &database).unwrap();
        } else {
            symlink(&away, &database).unwrap();
        }
        for password in [token.code(), String::new(), token.wrong_code()] {
            let session = site.session();
            assert_eq!(site.login(&session, "alice", &password).set("IV_SSO", "").status(), 1);
            assert_eq!(session.told(), "Authentication failed");
        }
        for arguments in [&["list"][..], &["enroll", "bob"], &["delete", "alice"]] {
            assert_eq!(site.admin(arguments).status, 1, "{arguments:?}");
        }
        std::fs::remove_file(&database).unwrap();
        assert_eq!(before(), content);
    }
    // A link to nowhere: nothing is made at its end.
    symlink(site.path("made"), &database).unwrap();
    assert_eq!(site.admin(&["enroll", "bob"]).status, 1);
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 1);
    assert!(!site.path("made").exists());
    std::fs::remove_file(&database).unwrap();
    std::fs::rename(&away, &database).unwrap();
    assert_eq!(site.login(&site.session(), "alice", &token.code()).status(), 0);
}

/// Whoever can write to the database is not to have the administrator's terminal as well.
#[test]
fn what_stands_in_the_database_moves_no_cursor() {
    let site = Site::new();
    for user in ["alice", "bob", "carol"] {
        site.enroll(user);
    }
    // Clears the screen, sets the title, begins a line; the same in one byte; turns the text around; hides it.
    let hostile = "'x' || char(27, 91, 50, 74, 27, 93, 48, 59, 121, 7, 13, 10) || 'root' || char(9, 155, 49, 109, \
                   8238, 8203, 917505)";
    site.sql(&format!(
        "UPDATE user SET name = {hostile} WHERE name = 'alice';
         UPDATE totp_token SET label = {hostile};
         UPDATE totp_token SET sealed_with = {hostile}
             WHERE user_id = (SELECT id FROM user WHERE name = 'carol');"
    ));
    for arguments in [
        &["list"][..],
        &["show", "bob"],
        &["show", "--secret", "bob"],
        &["show", "carol"],
        &["show", "--secret", "carol"],
        &["rekey"],
        &["check"],
        &["export", "--plain", "bob"],
    ] {
        let printed = site.admin(arguments);
        for text in [&printed.stdout, &printed.stderr] {
            let obeyed = text.chars().find(|&c| {
                c.is_control() && !matches!(c, '\n' | '\t')
                    || matches!(c, '\u{202e}' | '\u{200b}' | '\u{e0001}')
            });
            assert_eq!(obeyed, None, "{arguments:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("root")), "{arguments:?}: {text:?}");
        }
    }
    let listed = site.admin(&["list"]).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("x\\u{1b}[2J"), "{listed}");
}

/// As many as clients can send in a burst, in whatever way the code is handed in.
#[test]
fn one_code_in_many_answers_and_logins_at_the_same_time_is_good_once() {
    let site = Site::with(&[("workerMax", "100")]);
    let token = site.enroll("alice");
    let code = token.code();
    let sent = data_encoding::BASE64.encode(code.as_bytes());
    let waiting: Vec<_> = (0..8).map(|_| site.asked_in_session("alice")).collect();
    let asked: Vec<_> = (0..8).map(|_| site.asked_to_reconnect("alice")).collect();
    let let_in: usize = std::thread::scope(|scope| {
        let mut logins = Vec::new();
        for session in &waiting {
            logins.push(scope.spawn(|| {
                assert_eq!(site.answer(session, "alice", sent.as_bytes()).status(), 0);
                usize::from(session.decided() == "1")
            }));
        }
        for password in asked.iter().map(|question| question.answer(&code)).chain(vec![code.clone(); 8]) {
            let site = &site;
            logins.push(scope.spawn(move || {
                let session = site.session();
                let status = site.login(&session, "alice", &password).set("IV_SSO", "").status();
                usize::from(status == 0 || session.verdict() == "1")
            }));
        }
        logins.into_iter().map(|login| login.join().unwrap()).sum()
    });
    assert_eq!(let_in, 1);
    assert_eq!(site.failures("alice"), 0, "what was judged before is no guess");
    eventually("no worker is left", || {
        let session = site.session();
        (site.login(&session, "alice", &token.code_steps_from_now(1)).status() == 0).then_some(())
    });
}

//! What cannot be understood or read: a rejection, and a line in the log that says why.

use crate::support::{Call, Session, Site, Token, chmod, files_below, log_is_visible, run};
use data_encoding::BASE64;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

fn alice() -> (Site, Token) {
    let site = Site::new();
    let token = site.enroll("alice");
    (site, token)
}

/// The client is told nothing of what is wrong.
fn refused(session: &Session) {
    assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
    assert_eq!(session.pending(), "");
}

#[test]
fn settings_that_cannot_be_used_reject_every_login_and_say_why() {
    let (site, token) = alice();
    let write = |name: &str, content: &str, mode| {
        let path = site.path(name);
        std::fs::write(&path, content).unwrap();
        chmod(&path, mode);
        path
    };
    let code = token.code();
    for (config, why) in [
        (site.path("missing.toml"), "cannot read the settings file"),
        (site.path("tmp"), "is not a regular file"),
        (write("syntax.toml", "[totp\n", 0o644), "syntax.toml:1: "),
        (
            write("unknown.toml", "[totp]\nwindov = 1\n", 0o644),
            "unknown.toml:2: [totp] windov: unknown field",
        ),
        (write("open.toml", "", 0o666), "chmod go-w "),
        (write("duo.toml", "[auth]\nfactor = 'duo'\n", 0o644), "[duo] host is not set"),
        (write("large.toml", &"#".repeat(70_000), 0o644), "longer than 65536 bytes"),
    ] {
        for password in [code.as_str(), ""] {
            let session = site.session();
            let call = site.login(&session, "alice", password).set("openvpn2faConfig", &config);
            assert_eq!(call.status(), 1, "{why}");
            refused(&session);
            let session = site.session();
            let call = site.login(&session, "alice", password).option("--config").option(&config);
            assert_eq!(call.status(), 1, "{why}");
            refused(&session);
        }
        assert!(site.logged(&["outcome=reject reason=internal detail=\"", why]), "{why}: {}", site.logs());
    }
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &code).set("authStallBudgetMs", "soon").status(), 1);
    refused(&session);
    assert!(site.logged(&["environment variable authStallBudgetMs: [auth] stall_budget_ms: "]));
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn a_database_that_cannot_be_used_rejects_every_login_and_says_why() {
    let (site, token) = alice();
    let text = site.path("text");
    std::fs::write(&text, "alice:secret\n").unwrap();
    chmod(&text, 0o600);
    let foreign = site.path("foreign");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    chmod(&foreign, 0o600);
    let open = site.path("open");
    std::fs::copy(site.database(), &open).unwrap();
    chmod(&open, 0o640);
    let (state, link) = (site.path("state"), site.path("link"));
    symlink(site.database(), &link).unwrap();
    let code = token.code();
    for (database, why) in [
        (&site.path("missing"), "there is no database at"),
        (&site.path("no/directory"), "there is no database at"),
        (&state, "is not a regular file"),
        (&text, "is not a database of openvpn-2fa (not an SQLite database)"),
        (&foreign, "is not a database of openvpn-2fa (an SQLite database of another program"),
        (&open, "chmod go-rwx "),
        (&link, "the database is not used: "),
    ] {
        let before = files_below(&site.path("."));
        let before = before.into_iter().filter(|(path, _)| !path.starts_with(site.path("./logs")));
        let before: Vec<_> = before.collect();
        for (password, sso) in [(code.as_str(), "crtext"), ("", "crtext"), ("", ""), ("CRV1::x::1", "")] {
            let session = site.session();
            let call = site.login(&session, "alice", password).set("totpTokenDbPath", database);
            assert_eq!(call.set("IV_SSO", sso).status(), 1, "{why} {password:?}");
            refused(&session);
            session.end();
        }
        for (path, content) in before {
            assert_eq!(std::fs::read(&path).unwrap_or_default(), content, "{}", path.display());
        }
        assert!(site.logged(&["outcome=reject reason=internal detail=\"", why]), "{why}: {}", site.logs());
    }
    assert!(!site.path("missing").exists() && !site.path("no").exists(), "none is made by a login");

    // The answer to a question that was asked before the database went away.
    let session = site.asked_in_session("alice");
    let sent = format!("{}\n", BASE64.encode(code.as_bytes()));
    let call = site.answer(&session, "alice", sent.as_bytes()).set("totpTokenDbPath", site.path("missing"));
    assert_eq!(call.status(), 0);
    assert_eq!((session.decided(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn credentials_that_cannot_be_read_reject_the_login_and_say_why() {
    let (site, token) = alice();
    let code = token.code();
    let line = |text: String| text.into_bytes();
    for (content, why) in [
        (Vec::new(), "no two lines"),
        (line(format!("alice {code}")), "no two lines"),
        (line(format!("alice\n{code}\nmore\n")), "no two lines"),
        (line(format!("\nalice\n{code}\n")), "no two lines"),
        (line(format!("alice\n{code}\0\n")), "NUL"),
        (line(format!("alice\n{code}{}\n", " ".repeat(4_096))), "too long"),
        (line(format!("alice\n{code}\n{}", "\n".repeat(20_000))), "longer than 16384 bytes"),
        (line(format!("alice\nSCRV1:{code}\n")), "malformed SCRV1 response"),
        (line(format!("alice\nCRV1::{code}\n")), "malformed CRV1 response"),
    ] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &code).content(&content).status(), 1, "{why}");
        refused(&session);
        assert!(site.logged(&["outcome=reject reason=", why]), "{why}: {}", site.logs());
    }
    let by_link = site.tmp().join("link");
    let target = site.path("target");
    std::fs::write(&target, format!("alice\n{code}\n")).unwrap();
    symlink(&target, &by_link).unwrap();
    for (file, why) in [
        (site.tmp().join("missing"), "No such file"),
        (site.tmp(), "is not a regular file"),
        (by_link, "is a symbolic link"),
    ] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &code).file(&file).status(), 1, "{why}");
        refused(&session);
        assert!(site.logged(&["outcome=reject reason=internal", why]), "{why}: {}", site.logs());
    }
    let session = site.session();
    assert_eq!(
        site.login(&session, "alice", &code).without_file().status(),
        1,
        "neither file nor environment"
    );
    refused(&session);
    assert!(site.logged(&["needs via-file"]));
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn what_the_user_reads_out_finds_the_line_in_the_log() {
    let (site, token) = alice();
    let mut references = Vec::new();
    for (user, password) in
        [("alice", token.wrong_code()), ("bob", "123456".to_owned()), ("", "x".to_owned())]
    {
        let session = site.session();
        assert_eq!(site.login(&session, user, &password).status(), 1);
        let reason = session.reason();
        let reference = reason.rsplit_once("(ref ").unwrap().1.trim_end_matches(')').to_owned();
        assert!(site.logged(&[&format!(" ref={reference}")]), "{}", site.logs());
        references.push(reference);
    }
    references.dedup();
    assert_eq!(references.len(), 3, "each has its own");
}

#[test]
fn what_a_client_says_of_itself_cannot_forge_a_line_in_the_log() {
    let site = Site::new();
    let user = "x\" outcome=accept reason=both-factors user=\"root";
    let session = site.session();
    let call = site.login(&session, user, "123456").set("common_name", "a\nevent=login outcome=accept");
    assert_eq!(call.set("IV_GUI_VER", "\u{1b}[2J\nevent=login").status(), 1);
    if !log_is_visible() {
        return;
    }
    let logs = site.logs();
    assert_eq!(logs.lines().count(), 1, "{logs}");
    assert!(logs.contains("user=\"x\\\" outcome=accept reason=both-factors user=\\\"root\""), "{logs}");
    assert!(logs.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{logs:?}");
}

/// The pairs of a line of the log, as a program reads them; nothing where it is no such line.
fn pairs(line: &str) -> Option<Vec<(String, String)>> {
    let mut rest = line.strip_prefix("openvpn-2fa: ")?;
    let mut pairs = Vec::new();
    loop {
        let (key, after) = rest.split_once('=')?;
        let value_and_rest = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|c: char| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => after.split_at(after.find(' ').unwrap_or(after.len())),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if key.is_empty() || !key.chars().all(plain) {
            return None;
        }
        pairs.push((key.to_owned(), value_and_rest.0.to_owned()));
        if value_and_rest.1.is_empty() {
            return Some(pairs);
        }
        rest = value_and_rest.1.strip_prefix(' ')?;
    }
}

/// Certificate, client and network: everything in the environment that is not OpenVPN's or the administrator's.
#[test]
fn no_variable_and_no_name_can_forge_a_line_or_a_pair_in_the_log() {
    let site = Site::with(&[("lockoutMaxFailures", "1000"), ("lockoutAddressMaxFailures", "0")]);
    let token = site.enroll("alice");
    let wrong = token.wrong_code();
    let values: [&[u8]; 6] = [
        b"x\nopenvpn-2fa: event=login user=root outcome=accept reason=both-factors",
        b"x\" outcome=accept reason=both-factors y=\"",
        b"x\\\" outcome=accept ",
        b"x outcome=accept",
        b"\x1b]0;x\x07\x1b[2J\r outcome=accept",
        b"\xff\xfe\xe2\x80\xae outcome=accept",
    ];
    let variables = [
        "common_name",
        "X509_0_CN",
        "X509_0_O",
        "tls_id_0",
        "tls_digest_sha256_0",
        "tls_serial_0",
        "IV_GUI_VER",
        "IV_VER",
        "IV_PLAT",
        "IV_PLAT_VER",
        "IV_SSO",
        "IV_PROTO",
        "IV_HWADDR",
        "UV_NAME",
        "untrusted_ip",
        "untrusted_ip6",
        "untrusted_port",
        "session_id",
        "session_state",
        "username",
    ];
    let mut calls = 0;
    let mut call = |call: Call<'_>| {
        assert_ne!(call.status(), 0);
        calls += 1;
    };
    for value in values {
        for variable in variables {
            let session = site.session();
            call(site.login(&session, "alice", &wrong).set(variable, OsStr::from_bytes(value)));
            session.end();
        }
        let session = site.session();
        call(site.login_bytes(&session, value, wrong.as_bytes()));
        session.end();
    }
    if !log_is_visible() {
        return;
    }
    let logs = site.logs();
    assert!(logs.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\n'), "{logs:?}");
    let lines: Vec<_> = logs.lines().map(|line| pairs(line).unwrap_or_else(|| panic!("{line}"))).collect();
    let told = |line: &[(String, String)], key: &str| {
        line.iter().filter(|(known, _)| known == key).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert!(lines.iter().all(|line| told(line, "event").len() == 1 && told(line, "outcome").len() <= 1));
    assert!(lines.iter().all(|line| told(line, "outcome") != ["accept"]), "{logs}");
    let decisions = lines.iter().filter(|line| told(line, "event") == ["login"]).count();
    assert_eq!(decisions, calls, "{logs}");
}

#[test]
fn no_client_can_push_the_outcome_over_the_edge_of_its_line() {
    let site = Site::new();
    let token = site.enroll("alice");
    let long = "x".repeat(4_096);
    for variable in ["IV_GUI_VER", "IV_VER", "common_name"] {
        let session = site.session();
        assert_ne!(site.login(&session, "alice", &token.wrong_code()).set(variable, &long).status(), 0);
        assert!(
            site.logged(&["event=login user=alice", "xxx...\"", "outcome="]),
            "{variable}: {}",
            site.logs()
        );
    }
    if log_is_visible() {
        let whole = |line: &&str| line.contains("event=login") && line.contains(" outcome=");
        assert_eq!(site.logs().lines().filter(whole).count(), 3, "{}", site.logs());
    }
}

#[test]
fn wrong_words_in_the_hook_line_never_look_like_a_deferred_verdict() {
    let (site, token) = alice();
    let code = token.code();
    for options in [
        &["--nonsense"][..],
        &["--config"],
        &["--json=1"],
        &["--worker", "verify"],
        &["--help"],
        &["-h"],
        &["--version"],
        &["enroll", "mallory"],
        &["delete", "alice"],
        &["one", "two", "three"],
        &["--db", "a", "--db", "b"],
    ] {
        for script in ["user-pass-verify", "client-crresponse"] {
            let session = site.session();
            let mut call = site.login(&session, "alice", &code).set("script_type", script);
            for option in options {
                call = call.option(option);
            }
            let status = call.status();
            // An answer is taken whatever becomes of it.
            let is_answer = script == "client-crresponse" && status == 0;
            assert!(status == 1 || is_answer, "{script} {options:?}: {status}");
            assert_ne!(session.verdict(), "1");
        }
    }
    assert!(
        site.logged(&["event=hook outcome=reject detail=\"error: unexpected argument '--nonsense' found\""])
    );
    // A command's name is a file's name here.
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &code).without_file().option("list").status(), 1);
    refused(&session);
    assert_eq!(site.admin(&["list"]).stdout.lines().count(), 1, "nobody came or went");
}

#[test]
fn the_file_of_an_answer_is_removed_whatever_stands_in_the_hook_line() {
    let (site, token) = alice();
    let session = site.asked_in_session("alice");
    let sent = format!("{}\n", BASE64.encode(token.code().as_bytes()));
    assert_ne!(site.answer(&session, "alice", sent.as_bytes()).option("--nonsense").status(), 2);
}

#[test]
fn other_hooks_are_not_served() {
    let (site, token) = alice();
    let code = token.code();
    for script in ["client-connect", "tls-verify", "", "USER-PASS-VERIFY", "user-pass-verify "] {
        let session = site.session();
        assert_eq!(site.login(&session, "alice", &code).set("script_type", script).status(), 1, "{script:?}");
        assert_eq!(session.verdict(), "");
    }
    assert!(site.logged(&["only auth-user-pass-verify and client-crresponse are served"]));
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0, "the code was not used up");
}

#[test]
fn an_administrators_command_needs_no_script_type_and_a_hook_runs_none() {
    let (site, _) = alice();
    let mut command = site.command();
    command.env("script_type", "user-pass-verify").arg("--config").arg(site.config()).arg("list");
    let printed = run(&mut command);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
}

/// What makes a path of a call relative.
type Change<'a> = &'a dyn Fn(Call<'a>, &Session) -> Call<'a>;

#[test]
fn relative_paths_are_those_of_the_process_that_openvpn_starts() {
    // OpenVPN's hooks run in its own directory, here that of the site.
    let (site, token) = alice();
    let mut codes = token.codes::<4>().into_iter();
    let mut refused = Vec::new();
    let relative = |file: &Path| file.strip_prefix(site.path("")).unwrap().to_owned();
    let changes: [(&str, Change<'_>); 4] = [
        ("--config", &|call, _| call.option("--config").option("config.toml")),
        ("setenv openvpn2faConfig", &|call, _| call.set("openvpn2faConfig", "config.toml")),
        ("--db", &|call, _| call.option("--db").option("state/tokens.sqlite3")),
        ("tmp-dir", &|call, session| {
            call.set("auth_control_file", relative(&session.control))
                .set("auth_pending_file", relative(&session.pending))
                .set("auth_failed_reason_file", relative(&session.reason))
        }),
    ];
    for (what, change) in changes {
        let session = site.session();
        let call = change(site.login(&session, "alice", &codes.next().unwrap()), &session);
        if (call.status(), session.verdict().as_str()) != (0, "1") {
            refused.push(what);
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
}

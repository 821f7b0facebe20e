//! `check login`: a real login from the shell, step by step.

use crate::duo::{Phone, User};
use crate::support::{DuoSite, Namespace, PROGRAM, Printed, Site, log_is_visible};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

fn give(mut command: Command, typed: &str) -> Printed {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that refuses its arguments reads nothing.
    let _gone_already = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed {
        status: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Logs in with these lines. What was typed must be nowhere in what is printed.
fn login(site: &Site, user: &str, typed: &str, more: &[&str]) -> Printed {
    let mut command = site.command();
    command.arg("--config").arg(site.config()).args(["check", "login", user]).args(more);
    let printed = give(command, typed);
    for line in typed.lines().filter(|line| line.len() >= 6) {
        assert!(!printed.stdout.contains(line) && !printed.stderr.contains(line), "{printed:?}");
    }
    printed
}

#[track_caller]
fn says(printed: &Printed, status: i32, texts: &[&str]) {
    for text in texts {
        assert!(printed.stdout.contains(text), "{text:?} not in {printed:#?}");
    }
    assert_eq!(printed.status, status, "{printed:#?}");
}

#[test]
fn a_right_code_is_used_up_and_each_step_is_told() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    let printed = login(&site, "alice", &format!("{code}\n"), &[]);
    says(
        &printed,
        0,
        &[
            "ok    the settings, as this shell has them",
            "ok    the name is alice; the certificate is taken to be of the same name",
            "ok    the certificate is the first proof",
            "ok    alice is enabled; the second factor is totp, by the settings",
            "ok    a token: SHA1, 6 digits, 30 s; not used yet",
            "ok    not locked; 0 failures",
            "the code is right",
            "ok    let in (second factor: totp); in the log: reason=both-factors, ref=",
        ],
    );
    assert!(printed.stderr.contains("a right code is used up by it"), "{}", printed.stderr);
    if log_is_visible() {
        assert!(printed.stderr.contains("event=login door=shell user=alice"), "{}", printed.stderr);
        assert!(printed.stderr.contains("outcome=accept reason=both-factors"), "{}", printed.stderr);
    }
    // Used is used, for a hook too.
    let again = login(&site, "alice", &format!("{code}\n"), &[]);
    says(
        &again,
        1,
        &["fail  the code was right, and is used already", "the user reads \"Incorrect code (ref "],
    );
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 1);
    assert_eq!(site.failures("alice"), 0, "a code that was used before is no guess");
}

#[test]
fn a_code_that_a_hook_has_accepted_is_used_here_too() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    assert_eq!(site.login(&site.session(), "alice", &code).status(), 0);
    says(&login(&site, "alice", &format!("{code}\n"), &[]), 1, &["is used already"]);
}

#[test]
fn wrong_codes_count_and_lock_and_the_lock_is_told() {
    let site = Site::new();
    let token = site.enroll("alice");
    let wrong = login(&site, "alice", &format!("{}\n", token.wrong_code()), &[]);
    says(&wrong, 1, &["fail  the code is none of this user's", "reason=wrong-code"]);
    assert_eq!(site.failures("alice"), 1);
    says(
        &login(&site, "alice", "no code\n", &[]),
        1,
        &["fail  not a code", "not locked; 1 failures in a row"],
    );
    for _ in 0..3 {
        login(&site, "alice", "111\n", &[]);
    }
    let locked = login(&site, "alice", &format!("{}\n", token.code()), &[]);
    says(&locked, 1, &["fail  alice is locked until ", "openvpn-2fa unlock alice", "reason=locked"]);
}

#[test]
fn a_clock_that_is_wrong_is_told_from_a_wrong_code() {
    let site = Site::new();
    let token = site.enroll("alice");
    let early = login(&site, "alice", &format!("{}\n", token.code_steps_from_now(40)), &[]);
    says(&early, 1, &["steps ahead of 30 s each: one of the clocks is wrong (5 steps are allowed)"]);
    let late = login(&site, "alice", &format!("{}\n", token.code_steps_from_now(-3)), &[]);
    says(&late, 0, &["look  the code is right, and ", "steps behind"]);
}

#[test]
fn people_without_an_enrolment_and_disabled_ones_are_refused_with_what_to_do() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    let unknown = login(&site, "bob", "123456\n", &[]);
    says(&unknown, 1, &["fail  bob is not enrolled\n      openvpn-2fa enroll bob", "reason=not-enrolled"]);
    assert_eq!(site.admin(&["disable", "alice"]).status, 0);
    let disabled = login(&site, "alice", &format!("{code}\n"), &[]);
    says(&disabled, 1, &["fail  alice is disabled\n      openvpn-2fa enable alice", "reason=disabled"]);
    let odd = login(&site, "-x", "123456\n", &[]);
    assert_eq!(odd.status, 2, "an option: {odd:?}");
    let odd = login(&site, "a/b", "123456\n", &[]);
    says(
        &odd,
        1,
        &["fail  nobody of this name is let in: username: the user's name holds a slash", "reason=identity"],
    );
}

#[test]
fn programs_get_one_value() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    let printed = login(&site, "alice", &format!("{code}\n"), &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(value["verdict"]["accepted"], true);
    assert_eq!(value["verdict"]["reason"], "both-factors");
    let printed = login(&site, "alice", &format!("{code}\n"), &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(value["verdict"]["accepted"], false);
    assert_eq!(value["verdict"]["reason"], "code-already-used");
    assert!(value["verdict"]["told"].as_str().unwrap().starts_with("Incorrect code (ref "));
    let subjects: Vec<_> =
        value["findings"].as_array().unwrap().iter().map(|one| one["subject"].clone()).collect();
    for subject in ["settings", "name", "primary", "record", "enrolment", "lock", "code", "verdict"] {
        assert!(subjects.iter().any(|one| one == subject), "{subject}: {subjects:?}");
    }
}

#[test]
fn the_settings_are_those_of_the_hooks_where_a_server_is_named() {
    let site = Site::new();
    site.enroll("alice");
    let conf = site.path("server.conf");
    std::fs::write(&conf, format!("{}setenv authUsernamePattern '[0-9]+'\n", super::good())).unwrap();
    let named = ["--server-conf", conf.to_str().unwrap()];
    let printed = login(&site, "alice", "123456\n", &named);
    says(&printed, 1, &["as the hooks of ", "does not match [auth] username_pattern"]);
    std::fs::write(&conf, "setenv authPrimary nonsense\n").unwrap();
    says(&login(&site, "alice", "123456\n", &named), 1, &["fail  environment variable authPrimary"]);
    says(&login(&site, "alice", "", &["--server-conf", "/nowhere"]), 1, &["fail  /nowhere: "]);
    let nothing = login(&site, "alice", "", &[]);
    assert_eq!(nothing.status, 1);
    assert!(nothing.stderr.contains("standard input is at its end"), "{nothing:?}");
}

/// A PAM service with one password, which `pam_exec` hands to a script with a NUL behind it.
fn one_password(site: &Site) -> String {
    let directory = super::fake(site, "compare", "test \"$(tr -d '\\000')\" = Open-Sesame");
    let script = directory.join("compare");
    format!(
        "auth required pam_exec.so quiet expose_authtok {}\naccount required pam_permit.so\n",
        script.display()
    )
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn pam_is_asked_first_and_what_it_says_is_told() {
    let site = Site::with(&[("authPrimary", "pam")]);
    let namespace = Namespace::new(&site, &one_password(&site));
    let code = site.enroll("alice").code();
    let login = |typed: &str| {
        let mut command = namespace.command(&[PROGRAM]);
        command.envs(site.setenv().iter().map(|(name, value)| (name, value)));
        give(
            {
                command.arg("--config").arg(site.config()).args(["check", "login", "alice"]);
                command
            },
            typed,
        )
    };
    let wrong = login(&format!("nonsense\n{code}\n"));
    says(
        &wrong,
        1,
        &["fail  PAM (openvpn): ", "reason=primary-denied", "the user reads \"Authentication failed (ref "],
    );
    assert!(!wrong.stdout.contains("alice is enabled"), "{}", wrong.stdout);
    let right = login(&format!("Open-Sesame\r\n{code}\n"));
    says(
        &right,
        0,
        &["ok    PAM (openvpn): password right, account valid", "alice is enabled", "the code is right"],
    );
    assert!(!format!("{right:?}").contains("Sesame"), "{right:?}");
    let neither = login("\n123456\n");
    says(&neither, 1, &["reason=empty-password"]);
    // Without a code, the question is put.
    let asked = login("Open-Sesame\n\n");
    says(&asked, 1, &["the user is asked \"Please enter your TOTP code\""]);
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn what_duo_asks_is_shown_and_the_choice_is_sent() {
    let site = DuoSite::with(&[("authPrimary", "pam")]);
    let namespace = Namespace::new(&site, "auth required pam_permit.so\naccount required pam_permit.so\n");
    let user = User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO));
    site.duo.add(user.passcode("123456").sms_passcode("777777"));
    let login = |typed: &str| {
        let mut command = namespace.command(&[PROGRAM]);
        command.envs(site.setenv().iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(site.config()).args(["check", "login", "alice"]);
        give(command, typed)
    };
    let pushed = login("Password-1\n1\n");
    says(
        &pushed,
        0,
        &[
            "alice has no record here, and needs none",
            "Duo: a second factor is needed; devices: XXX-XXX-0100",
            "the user is asked \"Duo login for alice. Passcode, or 1 push",
            "Duo was sent: push, to the device chosen",
            "ok    Duo allows: ",
            "let in (second factor: duo)",
        ],
    );
    let by_sms = login("Password-1\nsms\n777777\n");
    says(&by_sms, 0, &["Duo was sent: passcodes by text message", "asked \"Passcodes were sent", "let in"]);
    let wrong = login("Password-1\n999999\n");
    assert_eq!(wrong.status, 1);
    assert!(wrong.stdout.contains("Duo was sent: the passcode, to be checked"), "{}", wrong.stdout);
}

/// A shell on a terminal that goes on after Ctrl-C, and what it prints. Keys are pressed once the words before them are on
/// the screen.
fn shell_on_a_terminal(line: &str, keys: &[(&str, &str)]) -> String {
    // Whoever runs the tests may have them ignore Ctrl-C, and no shell can trap what was ignored before.
    let shell = format!("/usr/bin/env --default-signal /bin/sh -c 'trap : INT; {line}; stty -a'");
    let mut shell = Command::new("timeout")
        .args(["60", "/usr/bin/script", "-qec", &shell, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = shell.stdout.take().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let mut seen = Vec::new();
    let mut keys = keys.iter().peekable();
    let mut chunk = [0; 1024];
    loop {
        let count = std::io::Read::read(&mut output, &mut chunk).unwrap();
        if count == 0 {
            break;
        }
        seen.extend_from_slice(&chunk[..count]);
        if let Some((_, pressed)) = keys.next_if(|(after, _)| String::from_utf8_lossy(&seen).contains(after))
        {
            input.write_all(pressed.as_bytes()).unwrap();
            input.flush().unwrap();
        }
    }
    shell.wait().unwrap();
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn a_password_is_not_shown_and_ctrl_c_brings_the_terminal_back() {
    let site = Site::new();
    site.enroll("alice");
    let line = format!(
        "authPrimary=pam pamService=nosuchservice {PROGRAM} --config {} check login alice",
        site.config().display()
    );
    let shown = shell_on_a_terminal(&line, &[("Password: ", "\x03")]);
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
    let shown = shell_on_a_terminal(&line, &[("Password: ", "Secret-12\n"), ("TOTP code: ", "123456\n")]);
    assert!(shown.contains("reason=primary-denied"), "{shown}");
    assert!(!shown.contains("Secret-12"), "{shown}");
    assert!(shown.contains("123456"), "a code is shown: {shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
}

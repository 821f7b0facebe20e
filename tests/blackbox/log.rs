//! `log`: the last decisions about a user, from a log of the machine.

use crate::support::{Printed, Site, log_is_visible, on_terminal};

/// Lines as a syslog daemon writes them.
const LOG: &str = r#"Nov 21 21:07:01 gate CRON[1]: pam_unix(cron:session): session opened for user root(uid=0)
Nov 21 21:07:10 gate openvpn-2fa[10]: event=login user=alice client=192.0.2.2 common_name=alice software=2.6.14 factor=totp outcome=challenge reason=factor-needed milliseconds=31 ref=KA5RXE method=crtext
Nov 21 21:07:20 gate openvpn-2fa[11]: event=answer user=alice client=192.0.2.2 factor=totp outcome=accept reason=both-factors milliseconds=1 ref=HM76WT offset=0
Nov 21 21:07:25 gate openvpn-2fa[12]: event=login user=bob client=192.0.2.3 factor=totp outcome=reject reason=wrong-code milliseconds=30 ref=H0NM0D
Nov 21 21:07:28 gate sshd[1]: Invalid user gate openvpn-2fa[1]: event=login user=alice outcome=accept reason=both-factors
Nov 21 21:07:29 gate openvpn-2fa[1]: pam_unix(openvpn:auth): authentication failure; user=alice
Nov 21 21:07:30 gate openvpn-2fa[13]: event=pam-message text="event=login user=alice outcome=accept"
Nov 21 21:07:40 gate openvpn-2fa[14]: event=login user=alice client=2001:db8::1 common_name=carol factor=totp outcome=reject reason=primary-denied detail="authentication: \u{1b}[31mfailure (PAM 7)" milliseconds=39 ref=0MYPX8
"#;

struct Logs(Site);

impl Logs {
    fn new() -> Self {
        let site = Site::new();
        std::fs::write(site.path("auth.log"), LOG).unwrap();
        Self(site)
    }

    fn log(&self, arguments: &[&str]) -> Printed {
        let file = self.0.path("auth.log");
        self.0.admin(&[&["log", "--log-file", file.to_str().unwrap()], arguments].concat())
    }
}

#[test]
fn the_last_decisions_about_a_user_are_shown_oldest_first() {
    let logs = Logs::new();
    let printed = logs.log(&["alice"]);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    assert_eq!(
        printed.stdout,
        "Nov 21 21:07:10\tlogin\tchallenge\tfactor-needed\t192.0.2.2\tKA5RXE\n\
         Nov 21 21:07:20\tanswer\taccept\tboth-factors\t192.0.2.2\tHM76WT\n\
         Nov 21 21:07:40\tlogin\treject\tprimary-denied\t2001:db8::1\t0MYPX8\t\
         authentication: \\u{1b}[31mfailure (PAM 7)\n"
    );
    for option in ["--lines", "-n"] {
        let printed = logs.log(&["alice", option, "1"]);
        assert!(printed.stdout.starts_with("Nov 21 21:07:40\t") && printed.stdout.lines().count() == 1);
    }
    assert_eq!(logs.log(&["bob"]).stdout.lines().count(), 1);
    assert_eq!(logs.log(&["alice", "--lines", "0"]).status, 2);
}

#[test]
fn a_program_gets_everything_that_a_line_says() {
    let logs = Logs::new();
    let printed = logs.log(&["--json", "alice", "--lines", "1"]);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let expected = serde_json::json!([{
        "time": "Nov 21 21:07:40", "event": "login", "user": "alice", "client": "2001:db8::1",
        "common_name": "carol", "factor": "totp", "outcome": "reject", "reason": "primary-denied",
        "detail": "authentication: \u{1b}[31mfailure (PAM 7)", "milliseconds": "39", "ref": "0MYPX8",
    }]);
    assert_eq!(json, expected);
    let printed = logs.log(&["--json", "nobody"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, "[]\n"));
}

#[test]
fn a_user_is_found_under_the_name_that_counts() {
    let logs = Logs::new();
    let count = |variable: &str, value: &str, user: &str| {
        let mut command = logs.0.command();
        command.env(variable, value).arg("--config").arg(logs.0.config());
        command.args(["log", user, "--log-file"]).arg(logs.0.path("auth.log"));
        crate::support::run(&mut command).stdout.lines().count()
    };
    assert_eq!(count("authUsernameCase", "lower", "ALICE"), 3);
    assert_eq!(count("authUsernameCase", "keep", "ALICE"), 0);
    assert_eq!(count("authIdentity", "username", "carol"), 0);
    assert_eq!(count("authIdentity", "common-name", "carol"), 1);
}

#[test]
fn where_nothing_is_found_it_is_told_where_that_was_looked_for() {
    let logs = Logs::new();
    let printed = logs.log(&["nobody"]);
    assert_eq!((printed.status, printed.stdout.as_str()), (1, ""));
    for part in ["no decision about nobody", "auth.log", "openvpn-2fa list", "OpenVPN's own log"] {
        assert!(printed.stderr.contains(part), "{part}: {}", printed.stderr);
    }
    let printed = logs.0.admin(&["log", "alice", "--log-file", "missing"]);
    assert!(printed.status == 1 && printed.stderr.contains("missing: No such file"), "{}", printed.stderr);
    // What the machine itself has.
    let printed = logs.0.admin(&["log", "nobody-of-this-name"]);
    assert!(printed.status == 1 && printed.stderr.contains("no decision about"), "{}", printed.stderr);
}

#[test]
fn people_see_a_table() {
    let logs = Logs::new();
    let line = format!("log alice --log-file {}", logs.0.path("auth.log").display());
    let Some((status, seen)) = on_terminal(&logs.0, &line, "") else { return };
    assert_eq!(status, 0, "{seen}");
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].contains("TIME") && lines[0].contains("REASON") && lines.len() == 4, "{seen}");
    assert!(lines[3].contains("\x1b[31mreject\x1b[0m") && !seen.contains("\x1b[31mfailure"), "{seen}");
}

#[test]
fn what_the_hooks_write_is_what_is_read() {
    if !log_is_visible() {
        return;
    }
    let logs = Logs::new();
    let token = logs.0.enroll("alice");
    assert_eq!(logs.0.login(&logs.0.session(), "alice", &token.wrong_code()).status(), 1);
    assert_eq!(logs.0.login(&logs.0.session(), "alice", &token.code()).status(), 0);
    // As a daemon would have it.
    let framed: String =
        logs.0.logs().lines().fold(String::new(), |log, line| log + "Nov 21 21:08:00 gate " + line + "\n");
    std::fs::write(logs.0.path("auth.log"), framed).unwrap();
    let printed = logs.log(&["--json", "alice"]);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let reasons: Vec<&str> =
        json.as_array().unwrap().iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["wrong-code", "both-factors"]);
}

//! `check`: what is wrong, and what to do about it.

mod as_openvpn;
mod login;
mod machine;
mod server;

use crate::support::{PROGRAM, Printed, Site};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A site with a server's configuration beside it.
fn checked(site: &Site, conf: &str) -> Printed {
    std::fs::write(site.path("server.conf"), conf).unwrap();
    site.admin(&["check", "--server-conf", site.path("server.conf").to_str().unwrap()])
}

fn good() -> String {
    format!(
        "server 10.8.0.0 255.255.255.0\nscript-security 2\nauth-user-pass-verify {PROGRAM} via-file\n\
         client-crresponse {PROGRAM}\nauth-gen-token 43200\n<auth-gen-token-secret>\nkey\n</auth-gen-token-secret>\n"
    )
}

/// One finding, as programs get it.
#[derive(Debug, serde::Deserialize)]
#[expect(clippy::struct_field_names, reason = "as in the JSON")]
struct Finding {
    level: String,
    subject: String,
    file: Option<PathBuf>,
    line: Option<usize>,
    finding: String,
    remedy: Option<String>,
}

/// What `check --json` finds, with this configuration and whatever else is said.
fn found(site: &Site, conf: &str, change: impl FnOnce(&mut Command)) -> Vec<Finding> {
    std::fs::write(site.path("server.conf"), conf).unwrap();
    let mut command = site.command();
    command.arg("--config").arg(site.config()).args(["check", "--json", "--server-conf"]);
    command.arg(site.path("server.conf"));
    change(&mut command);
    findings(&crate::support::run(&mut command))
}

fn findings(printed: &Printed) -> Vec<Finding> {
    let mut value: serde_json::Value =
        serde_json::from_str(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    let worst = value["level"].as_str().unwrap().to_owned();
    assert_eq!(printed.status, i32::from(worst == "fail"), "{printed:?}");
    let all: Vec<Finding> = serde_json::from_value(value["findings"].take()).unwrap();
    assert!(all.iter().all(|one| (one.level == "ok") == one.remedy.is_none()), "{all:#?}");
    all
}

/// The finding of this kind that says this.
#[track_caller]
fn the<'a>(all: &'a [Finding], level: &str, subject: &str, text: &str) -> &'a Finding {
    let hit = |one: &&Finding| one.level == level && one.subject == subject && one.finding.contains(text);
    all.iter().find(hit).unwrap_or_else(|| panic!("{level} {subject} {text:?}: {all:#?}"))
}

/// A program of the machine's, as a script of the test's own; the directory is for `PATH`.
fn fake(site: &Site, name: &str, script: &str) -> PathBuf {
    let directory = site.path("bin");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

#[test]
fn a_site_where_all_is_well_is_said_to_be() {
    let site = Site::new();
    site.enroll("alice");
    let printed = checked(&site, &good());
    assert!(printed.stdout.contains("the settings can be used"), "{}", printed.stdout);
    assert!(printed.stdout.contains(": 1 users"), "{}", printed.stdout);
    assert!(printed.stdout.contains("server.conf:3: logins come to this program"), "{}", printed.stdout);
    assert!(!printed.stdout.contains('\x1b'), "no colours where there is no terminal");
    // Nothing but what this machine may lack.
    for line in printed.stdout.lines().filter(|line| line.starts_with("fail")) {
        assert!(line.contains("OpenVPN"), "{line}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_a_remedy() {
    let site = Site::new();
    let printed = checked(&site, &good().replace("script-security 2", "user nobody"));
    assert_eq!(printed.status, 1);
    for text in ["fail  ", "script-security is 1", "      script-security 2", "server.conf:2: user nobody"] {
        assert!(printed.stdout.contains(text), "{text}: {}", printed.stdout);
    }
    assert!(printed.stdout.contains("enroll USER"), "{}", printed.stdout);
    let json = site.admin(&["check", "--json", "--server-conf", site.path("server.conf").to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["level"], "fail");
    assert!(json["findings"].as_array().unwrap().iter().any(|one| one["remedy"] == "script-security 2"));
}

#[test]
fn the_settings_of_the_hooks_are_checked_and_not_only_those_of_the_shell() {
    let site = Site::new();
    site.enroll("alice");
    let wrong = checked(&site, &format!("{}setenv totpWindow lots\n", good()));
    assert_eq!(wrong.status, 1);
    assert!(wrong.stdout.contains("environment variable totpWindow"), "{}", wrong.stdout);
    let other = checked(&site, &format!("{}setenv totpTokenDbPath /elsewhere/x\n", good()));
    assert!(other.stdout.contains("its hooks use /elsewhere/x"), "{}", other.stdout);
}

#[test]
fn who_gets_in_without_a_second_factor_is_said_and_for_how_long() {
    let site = Site::with(&[("authUnenrolled", "allow")]);
    site.enroll("alice");
    let printed = checked(&site, &good());
    assert!(printed.stdout.contains("who has no second factor, for ever"), "{}", printed.stdout);
    assert!(printed.stdout.contains("[auth] unenrolled_until = "), "{}", printed.stdout);
    let site = Site::with(&[("authUnenrolled", "allow"), ("authUnenrolledUntil", "9999-12-30")]);
    let until = |line: &str| checked(&site, &format!("{}{line}", good())).stdout;
    assert!(until("").contains("who has no second factor, until 9999-12-30"), "{}", until(""));
    let passed = until("setenv authUnenrolled allow\nsetenv authUnenrolledUntil 2001-01-01\n");
    assert!(passed.contains("server.conf: [auth] unenrolled = \"allow\" held until 2001-01-01"), "{passed}");
}

#[test]
fn settings_that_cannot_be_read_are_the_first_thing_that_is_said() {
    let site = Site::new();
    std::fs::write(site.config(), "[auth]\nfactor = 'sms'\n").unwrap();
    let printed = site.admin(&["doctor"]);
    assert_eq!(printed.status, 1);
    assert!(
        printed.stdout.starts_with("fail  ") && printed.stdout.contains("config.toml:2"),
        "{}",
        printed.stdout
    );
    let missing = Site::new().admin(&["check", "--server-conf", "/nowhere"]);
    assert_eq!(missing.status, 1);
    assert!(missing.stdout.contains("/nowhere: No such file"), "{}", missing.stdout);
}

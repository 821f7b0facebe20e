//! `check`: what is wrong, and what to do about it.

use crate::support::{PROGRAM, Printed, Site};

/// A site with a server's configuration beside it.
fn checked(site: &Site, conf: &str) -> Printed {
    std::fs::write(site.path("server.conf"), conf).unwrap();
    site.admin(&["check", "--server-conf", site.path("server.conf").to_str().unwrap()])
}

fn good() -> String {
    format!(
        "server 10.8.0.0 255.255.255.0\nscript-security 2\nauth-user-pass-verify {PROGRAM} via-file\n\
         client-crresponse {PROGRAM}\nauth-gen-token 43200\nauth-gen-token-secret /x\n"
    )
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

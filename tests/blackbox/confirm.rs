//! `confirm`: whether an app makes the right codes.

use crate::support::{Site, now, on_terminal, refused};

fn gets_in(site: &Site, code: &str) -> bool {
    site.login(&site.session(), "alice", code).status() == 0
}

#[test]
fn a_right_code_agrees_and_is_used_up_as_by_a_login() {
    let site = Site::new();
    let token = site.enroll("alice");
    let [before, code, next, _, last] = token.codes();
    let printed = site.admin(&["confirm", "alice", &code]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(
        printed.stdout.starts_with("alice: the code agrees with token 1 (SHA1, 6 digits, 30 seconds)\n"),
        "{}",
        printed.stdout
    );
    assert!(printed.stderr.starts_with("This code is used up"), "{}", printed.stderr);
    assert!(site.shown("alice")["last_login_at"].is_null(), "nobody was let in");
    for used in [&code, &before] {
        assert!(!gets_in(&site, used), "a code that others may have seen");
        refused(&site.admin(&["confirm", "alice", used]), "used already");
    }
    assert!(gets_in(&site, &next));
    let printed = site.admin_reading(&["confirm", "alice"], format!("{last}\nmore\n").as_bytes());
    assert_eq!(printed.status, 0, "{}", printed.stderr);
}

#[test]
fn the_difference_of_the_clocks_is_told() {
    let site = Site::new();
    let token = site.enroll("alice");
    // The step may pass between the two looks at the clock.
    let printed = site.admin(&["--json", "confirm", "alice", &token.code_steps_from_now(-4)]);
    let seen: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let steps = seen["offset_steps"].as_i64().unwrap();
    assert!(steps == -4 || steps == -5, "{seen}");
    assert_eq!(seen["offset_seconds"].as_i64().unwrap(), steps * 30);
    assert_eq!((&seen["user"], &seen["agrees"], &seen["token"]), (&"alice".into(), &true.into(), &1.into()));
    let printed = site.admin(&["confirm", "alice", &token.code_steps_from_now(3)]);
    assert!(
        ["+90 seconds (+3 steps)", "+60 seconds (+2 steps)"].iter().any(|part| printed.stdout.contains(part))
    );
}

#[test]
fn a_clock_that_is_minutes_off_is_measured_and_not_accepted() {
    let site = Site::new();
    let token = site.enroll("alice");
    for (steps, direction) in [(-15, "behind"), (15, "ahead")] {
        let code = token.code_steps_from_now(steps);
        for _ in 0..2 {
            let printed = site.admin(&["confirm", "alice", &code]);
            refused(&printed, direction);
            let seconds = ["420", "450", "480"]
                .iter()
                .any(|seconds| printed.stderr.contains(&format!("about {seconds} seconds")));
            assert!(
                seconds && printed.stderr.contains("[totp] window = 5 allows 5 steps"),
                "{}",
                printed.stderr
            );
        }
    }
    assert!(site.shown("alice")["tokens"][0]["last_offset"].is_null(), "nothing was used up");
}

#[test]
fn a_wrong_code_is_refused_and_not_counted() {
    let site = Site::new();
    let token = site.enroll("alice");
    for _ in 0..7 {
        refused(
            &site.admin(&["confirm", "alice", &token.code_of_step(now() / 30 - 100)]),
            "fits no token of alice",
        );
    }
    assert_eq!(site.failures("alice"), 0);
    assert!(gets_in(&site, &token.code()));
    for malformed in ["12345", "123456789", "12345x", "abcdef"] {
        refused(&site.admin(&["confirm", "alice", malformed]), "6 to 8 digits");
    }
    refused(&site.admin(&["confirm", "bob", "123456"]), "bob is not enrolled");
    refused(&site.admin_reading(&["confirm", "alice"], b""), "standard input is at its end");
}

#[test]
fn the_token_that_a_code_fits_is_named() {
    let site = Site::new();
    site.enroll("alice");
    let printed = site.admin(&["enroll", "alice", "--add", "--label", "fob"]);
    let second = crate::support::Token { base32: printed.stdout.lines().nth(1).unwrap().to_owned() };
    let printed = site.admin(&["confirm", "alice", &second.code()]);
    assert!(
        printed.stdout.starts_with("alice: the code agrees with token 2 (fob, SHA1"),
        "{}",
        printed.stdout
    );
}

#[test]
fn backup_codes_are_not_taken_and_stay_good() {
    let site = Site::new();
    site.enroll("alice");
    let codes = site.admin(&["backup-codes", "alice", "--count", "1"]).stdout;
    let code = codes.trim();
    let printed = site.admin(&["confirm", "alice", code]);
    refused(&printed, "that is a backup code");
    assert!(!printed.stderr.contains(code), "{}", printed.stderr);
    assert_eq!(site.shown("alice")["backup_codes_left"], 1);
    assert!(gets_in(&site, code));
}

#[test]
fn what_else_keeps_a_user_out_is_told() {
    let site = Site::new();
    let token = site.enroll("alice");
    site.admin(&["disable", "alice"]);
    let printed = site.admin(&["confirm", "alice", &token.code()]);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    assert!(printed.stderr.contains("alice is disabled: openvpn-2fa enable alice"), "{}", printed.stderr);
}

#[test]
fn the_code_is_asked_for_on_a_terminal() {
    let site = Site::new();
    let token = site.enroll("alice");
    let Some((status, seen)) = on_terminal(&site, "confirm alice", &format!("{}\n", token.code())) else {
        return;
    };
    assert!(status == 0 && seen.contains("Code of alice: ") && seen.contains("the code agrees"), "{seen}");
}

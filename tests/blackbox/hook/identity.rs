//! Whose second factor it is, and who needs none.

use crate::support::{Call, Site};

/// The status of a call, which the control file must agree with.
fn decided(
    site: &Site,
    user: &str,
    password: &str,
    change: impl FnOnce(Call<'_>) -> Call<'_>,
) -> (i32, String) {
    let session = site.session();
    let status = change(site.login(&session, user, password)).status();
    match status {
        0 => assert_eq!(session.verdict(), "1"),
        1 => assert_eq!(session.verdict(), "0"),
        _ => assert_eq!(session.pending().lines().count(), 3),
    }
    (status, if status == 1 { session.reason() } else { String::new() })
}

fn allow(call: Call<'_>) -> Call<'_> {
    call.set("authUnenrolled", "allow")
}

fn pam(call: Call<'_>) -> Call<'_> {
    call.set("authPrimary", "pam").set("authIdentity", "common-name").set("pamService", "openvpn-2fa-none")
}

fn refused(outcome: &(i32, String)) {
    assert_eq!((outcome.0, crate::support::told(&outcome.1)), (1, "Authentication failed"));
}

#[test]
fn names_with_blanks_quotes_and_colons_log_in() {
    for user in [
        "a b",
        "o'neill",
        "say \"hi\"",
        "corp:alice",
        "100%s$(x);`y`",
        "j\u{f6}rg",
        "DOM\\bob",
        "alice+vpn@example.org",
    ] {
        let site = Site::new();
        let token = site.enroll(user);
        assert_eq!(decided(&site, user, &token.wrong_code(), |call| call).0, 1, "{user}");
        assert_eq!(decided(&site, user, "", |call| call).0, 2, "{user}");
        assert_eq!(decided(&site, user, &token.code(), |call| call).0, 0, "{user}");
    }
}

#[test]
fn a_name_that_is_not_one_is_refused() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    let long = vec![b'a'; 256];
    for name in [&b""[..], b"alic\xe9", b"a\x1bb", b"ali\tce", &long] {
        let session = site.session();
        assert_eq!(site.login_bytes(&session, name, code.as_bytes()).status(), 1);
        assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Authentication failed".to_owned()));
    }
    assert!(site.logged(&["reason=identity detail=\"username: the user's name is not UTF-8\""]));
    assert_eq!(decided(&site, "alice", &code, |call| call).0, 0, "the code was not used up");
}

#[test]
fn a_name_that_no_account_has_is_refused_though_it_is_stored() {
    for user in ["-x", "a/b", "a..b", " ", "bob ", "a\u{202e}b", "a\u{200b}"] {
        let site = Site::new();
        let token = site.enroll("bob");
        site.sql(&format!("UPDATE user SET name = '{user}'"));
        for password in [token.code(), String::new()] {
            refused(&decided(&site, user, &password, |call| call));
        }
        assert!(site.logged(&["outcome=reject reason=identity detail=\"username: the user's name "]));
        let hidden = user.contains(['\u{202e}', '\u{200b}']);
        let status = decided(&site, user, &token.code(), |call| call.set("authUsernamePattern", "(?s).*")).0;
        assert_eq!(
            status,
            i32::from(hidden),
            "{user:?}: the code was not used up, and a pattern allows the name"
        );
    }
    let site = Site::with(&[("authUsernamePattern", "[a-z]+")]);
    let code = site.enroll("alice").code();
    refused(&decided(&site, "alice2", &code, |call| call));
    assert_eq!(decided(&site, "alice", &code, |call| call).0, 0);
}

#[test]
fn a_name_that_is_refused_is_kept_back_like_a_wrong_password() {
    let site = Site::with(&[("authPrimary", "pam"), ("pamService", "openvpn-2fa-none")]);
    site.enroll("alice");
    let session = site.session();
    let begin = std::time::Instant::now();
    // The question is put as to everybody, while the verdict waits.
    assert_eq!(site.login(&session, "-x", "secret").set("authStallBudgetMs", "100").status(), 2);
    assert_eq!(session.pending().lines().count(), 3);
    assert_eq!(session.decided(), "0");
    assert!(begin.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(session.told(), "Authentication failed");
    assert!(!site.logs().contains("primary-denied"), "PAM never heard of it: {}", site.logs());
}

#[test]
fn names_are_taken_in_lower_case_where_the_settings_say_so() {
    let site = Site::with(&[("authUsernameCase", "lower"), ("authExempt", "Backup")]);
    let token = site.enroll("Alice");
    let [first, second, third] = token.codes();
    assert_eq!(decided(&site, "ALICE", &token.wrong_code(), |call| call).0, 1);
    assert_eq!(decided(&site, "alice", &token.wrong_code(), |call| call).0, 1);
    assert_eq!(site.failures("aLICE"), 2, "one user has one count");
    assert_eq!(decided(&site, "aLiCe", &first, |call| call).0, 0);
    let status = decided(&site, "alice", &second, |call| {
        call.set("authMatchCommonName", "true").set("common_name", "Alice")
    });
    assert_eq!(status.0, 0);
    let question = site.asked_to_reconnect("ALICE");
    assert_eq!(question.user, "alice");
    assert_eq!(decided(&site, "Alice", &question.answer(&third), |call| call).0, 0);
    assert_eq!(decided(&site, "backup", "", |call| call).0, 0);
}

#[test]
fn names_are_compared_as_they_are() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    for user in ["Alice", "alice ", " alice", "alice\u{200b}", "alice%", "a_ice"] {
        refused(&decided(&site, user, &code, |call| call));
    }
    assert_eq!(decided(&site, "alice", &code, |call| call).0, 0);
}

#[test]
fn nobody_gets_in_without_a_certificate() {
    let site = Site::new();
    let code = site.enroll("alice").code();
    refused(&decided(&site, "alice", &code, |call| call.without("common_name")));
    refused(&decided(&site, "alice", &code, |call| call.set("common_name", "")));
    refused(&decided(&site, "alice", "", |call| call.without("common_name")));
    assert_eq!(decided(&site, "alice", &code, |call| call).0, 0);
}

#[test]
fn a_user_who_is_not_enrolled_is_refused_unless_the_settings_let_them_in() {
    let site = Site::new();
    let token = site.enroll("alice");
    for password in ["123456", "", "anything"] {
        refused(&decided(&site, "bob", password, |call| call));
    }
    assert!(site.logged(&["user=bob", "outcome=reject reason=not-enrolled"]));
    for password in ["123456", "", "anything", "CRV1::x::y"] {
        let status = decided(&site, "bob", password, allow).0;
        assert_eq!(status, i32::from(password.starts_with("CRV1")), "{password}");
    }
    assert!(site.logged(&["factor=none outcome=accept reason=unenrolled-allowed"]));
    assert!(site.logged(&["reason=unenrolled-allowed detail=\"for ever: set [auth] unenrolled_until"]));
    for (day, status) in [("2001-01-01", 1), ("9999-12-30", 0)] {
        let decided = decided(&site, "bob", "", |call| allow(call).set("authUnenrolledUntil", day));
        assert_eq!(decided.0, status, "{day}");
    }
    assert!(site.logged(&["reason=not-enrolled detail=", "held until 2001-01-01"]));
    // Who has a second factor needs it.
    assert_eq!(decided(&site, "alice", &token.wrong_code(), allow).0, 1);
    assert_eq!(decided(&site, "alice", "", allow).0, 2);
    site.sql("UPDATE user SET state = 'disabled'");
    refused(&decided(&site, "alice", &token.code(), allow));
    refused(&decided(&site, "alice", "", allow));
    // A certificate is still the first proof.
    refused(&decided(&site, "bob", "", |call| allow(call).without("common_name")));
}

#[test]
fn a_user_who_is_disabled_or_has_another_factor_is_refused_with_a_right_code() {
    let site = Site::new();
    let token = site.enroll("alice");
    for (change, reason) in [
        ("state = 'disabled'", "reason=disabled"),
        ("state = 'enabled', factor = 'duo'", "reason=duo-unavailable"),
    ] {
        let question = site.asked_to_reconnect("alice");
        site.sql(&format!("UPDATE user SET {change}"));
        for password in [token.code(), String::new(), question.answer(&token.code())] {
            assert_eq!(decided(&site, "alice", &password, |call| call).0, 1);
        }
        assert!(site.logged(&[reason]));
        site.sql("UPDATE user SET state = 'enabled', factor = NULL");
    }
    assert_eq!(decided(&site, "alice", &token.code(), |call| call).0, 0, "the code was not used up");
}

#[test]
fn a_name_that_differs_from_the_certificate_is_refused_where_the_settings_say_so() {
    let site = Site::with(&[("authMatchCommonName", "true")]);
    let [alice, client] = ["alice", "Test-Client"].map(|user| site.enroll(user));
    refused(&decided(&site, "alice", &alice.code(), |call| call));
    refused(&decided(&site, "alice", "", |call| call));
    refused(&decided(&site, "test-client", &client.code(), |call| call));
    assert!(site.logged(&["detail=\"username and common name differ\""]));
    assert_eq!(decided(&site, "Test-Client", &client.code(), |call| call).0, 0);
    assert_eq!(decided(&site, "alice", &alice.code(), |call| call.set("common_name", "alice")).0, 0);
    assert_eq!(decided(&site, "alice", "", |call| call.set("authMatchCommonName", "false")).0, 2);
}

#[test]
fn the_second_factor_is_that_of_the_certificate_where_the_settings_say_so() {
    let site = Site::with(&[("authIdentity", "common-name")]);
    let [alice, client] = ["alice", "Test-Client"].map(|user| site.enroll(user));
    let [first, second, third] = client.codes();
    assert_eq!(decided(&site, "alice", &alice.code(), |call| call).0, 1, "not that of the name typed");
    assert_eq!(decided(&site, "alice", &first, |call| call).0, 0);
    assert_eq!(site.failures("Test-Client"), 0);
    // The name may be empty, with auth-user-pass-optional.
    assert_eq!(decided(&site, "", &second, |call| call).0, 0);
    assert_eq!(decided(&site, "", "", |call| call).0, 2);
    let question = site.asked_to_reconnect("");
    assert_eq!(question.user, "Test-Client", "never empty: OpenVPN GUI counts colons");
    assert_eq!(decided(&site, "", &question.answer(&third), |call| call).0, 0);
    refused(&decided(&site, "", &alice.code(), |call| call.without("common_name")));
    refused(&decided(&site, "", "", |call| call.set("common_name", "Nobody")));
}

#[test]
fn an_empty_name_is_refused_where_it_is_the_name_that_counts() {
    let site = Site::new();
    let token = site.enroll("Test-Client");
    for password in [token.code(), String::new()] {
        refused(&decided(&site, "", &password, |call| call));
        refused(&decided(&site, "", &password, |call| call.set("authUnenrolled", "allow")));
    }
    // With a primary check of its own, the name is needed whatever the identity.
    refused(&decided(&site, "", &token.code(), pam));
}

#[test]
fn an_empty_password_is_refused_before_pam_is_asked() {
    let site = Site::with(&[("authPrimary", "pam"), ("pamService", "openvpn-2fa-none")]);
    let token = site.enroll("alice");
    // An empty password by itself, and beside a right code.
    let with_code = format!("SCRV1::{}", data_encoding::BASE64.encode(token.code().as_bytes()));
    for password in ["", "SCRV1::", &with_code] {
        refused(&decided(&site, "alice", password, |call| call));
    }
    assert!(site.logged(&["outcome=reject reason=empty-password"]));
    assert!(!site.logs().contains("primary-denied"), "{}", site.logs());
    assert_eq!(site.failures("alice"), 0);
}

//! Session tokens (`auth-gen-token … external-auth`).

use crate::support::Site;

/// As OpenVPN makes them.
const TOKEN: &str =
    "SESS_ID_AT_Dd//h2tKvCeLahPEAAAAAGsCCCQAAAAAawIIJD2iT9qiMaomXHvzuCECs8mljhnIiXf44sjMHUcKk0lX";

const STATES: [&str; 8] = [
    "Initial",
    "Authenticated",
    "Expired",
    "Invalid",
    "AuthenticatedEmptyUser",
    "ExpiredEmptyUser",
    "authenticated",
    "",
];

#[test]
fn a_token_is_good_in_one_state_only() {
    let site = Site::new();
    site.enroll("alice");
    for state in STATES {
        let session = site.session();
        let status = site.login(&session, "alice", TOKEN).set("session_state", state).status();
        let expected = i32::from(state != "Authenticated");
        assert_eq!(status, expected, "{state}");
        assert_eq!(session.verdict(), if expected == 0 { "1" } else { "0" }, "{state}");
        if expected == 1 {
            assert_eq!(session.told(), "Authentication failed");
        }
        assert_eq!(session.pending(), "", "nobody is asked");
    }
    let session = site.session();
    assert_eq!(site.login(&session, "alice", TOKEN).without("session_state").status(), 1);
    assert_eq!(site.failures("alice"), 0, "none of them is a guess");
    assert!(site.logged(&["factor=token outcome=accept reason=session-token"]));
    assert!(site.logged(&["outcome=reject reason=token-refused"]));
    assert!(site.shown("alice")["last_login_at"].is_null(), "and no login with a code");
}

#[test]
fn the_state_of_a_session_lets_nobody_in_without_a_token() {
    let site = Site::new();
    let token = site.enroll("alice");
    for state in STATES {
        for password in
            [token.wrong_code(), format!("x{TOKEN}"), TOKEN.to_lowercase(), "SESS_ID_AT".to_owned()]
        {
            site.sql("DELETE FROM failure");
            let session = site.session();
            assert_eq!(site.login(&session, "alice", &password).set("session_state", state).status(), 1);
            assert_eq!((session.verdict(), session.told()), ("0".to_owned(), "Incorrect code".to_owned()));
        }
        let session = site.session();
        assert_eq!(
            site.login(&session, "alice", "").set("session_state", state).status(),
            2,
            "asked, as ever"
        );
        assert_eq!(session.verdict(), "");
    }
    let session = site.session();
    let call = site.login(&session, "alice", &token.code()).set("session_state", "Expired");
    assert_eq!(call.status(), 0, "a code is a code: the client has thrown its token away");
}

#[test]
fn a_token_is_good_for_a_user_who_still_is_one() {
    let site = Site::new();
    let login = |user: &str| {
        let session = site.session();
        let status = site.login(&session, user, TOKEN).set("session_state", "Authenticated").status();
        assert_eq!(session.verdict(), if status == 0 { "1" } else { "0" });
        status
    };
    site.enroll("alice");
    assert_eq!((login("alice"), login("bob")), (0, 1));
    site.sql("UPDATE user SET state = 'disabled'");
    assert_eq!(login("alice"), 1);
    site.sql("UPDATE user SET state = 'enabled', factor = 'duo'");
    assert_eq!(login("alice"), 0, "Duo was asked when the session began");
    assert_eq!(site.admin(&["delete", "alice"]).status, 0);
    assert_eq!(login("alice"), 1);
    site.enroll("alice");
    assert_eq!(login("alice"), 0);
}

#[test]
fn a_token_needs_the_certificate_like_everything_else() {
    let site = Site::with(&[("authMatchCommonName", "true")]);
    site.enroll("alice");
    for (name, status) in [("alice", 0), ("Test-Client", 1), ("", 1)] {
        let session = site.session();
        let call = site.login(&session, "alice", TOKEN).set("session_state", "Authenticated");
        assert_eq!(call.set("common_name", name).status(), status, "{name:?}");
    }
}

#[test]
fn a_token_of_nobody_is_refused_where_names_may_be_empty() {
    let site = Site::with(&[("authIdentity", "common-name")]);
    site.enroll("Test-Client");
    for (state, status) in [("AuthenticatedEmptyUser", 1), ("ExpiredEmptyUser", 1), ("Authenticated", 0)] {
        let session = site.session();
        assert_eq!(site.login(&session, "", TOKEN).set("session_state", state).status(), status, "{state}");
    }
}

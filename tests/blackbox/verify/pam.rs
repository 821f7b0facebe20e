//! Passwords that this program is to check: a PAM service of its own, in a view of the machine of its own.

use super::*;
use crate::support::Namespace;
use serde_json::json;

fn office(pam: &str) -> Site {
    let site = Site::new();
    Namespace::new(&site, pam);
    site
}

/// As [`verify`], where the service is `openvpn` in `/etc/pam.d`.
fn verify_there(site: &Site, request: &Value) -> Answered {
    verify_there_with(site, &[], request)
}

/// The same with these variables.
fn verify_there_with(site: &Site, variables: &[(&str, &str)], request: &Value) -> Answered {
    site.keep_out_of_the_log(request["password"].as_str().unwrap_or_default().as_bytes());
    let services = site.path("namespace/pam.d");
    let script = format!("mount --bind '{}' /etc/pam.d && exec \"$0\" \"$@\"", services.display());
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script, PROGRAM]);
    command
        .env_clear()
        .envs(variables.iter().copied())
        .arg("--config")
        .arg(site.config())
        .args(["verify", "--json"]);
    hand(site, command, request.to_string().as_bytes())
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_right_password_leads_to_the_second_factor() {
    let site = office("auth required pam_permit.so\naccount required pam_permit.so\n");
    let [a, b] = site.enroll("alice").codes();
    let question = verify_there(&site, &json!({ "user": "alice", "password": "Password-1" }));
    question.asks("Please enter your TOTP code");
    verify(&site, &json!({ "user": "alice", "state": question.state(), "answer": a })).is_allowed("totp");
    verify_there(&site, &json!({ "user": "alice", "password": "Password-1", "answer": b }))
        .is_allowed("totp");
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn the_first_who_enrols_by_logging_in_makes_the_database() {
    let site = office("auth required pam_permit.so\naccount required pam_permit.so\n");
    let request = json!({ "user": "alice", "password": "Password-1" });
    assert!(!site.database().exists());
    let question = verify_there_with(&site, &[("authPrimary", "pam"), ("totpSelfEnroll", "true")], &request);
    assert_eq!((question.status, question.result()), (0, "question"), "{:?}", question.reply);
    assert!(question.text().contains("into your authenticator app"), "{:?}", question.reply);
    assert!(site.database().exists());
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_wrong_password_is_denied_whatever_the_code() {
    let site = office("auth required pam_deny.so\naccount required pam_deny.so\n");
    let token = site.enroll("alice");
    for request in [
        json!({ "user": "alice", "password": "Password-1" }),
        json!({ "user": "alice", "password": "Password-1", "answer": token.code() }),
        json!({ "user": "alice", "password": "", "answer": token.code() }),
        json!({ "user": "alice", "password": "Password-1", "common_name": "alice", "answer": token.code() }),
    ] {
        verify_there(&site, &request).is_denied("Authentication failed");
    }
    assert!(site.logged(&["door=verify", "reason=primary-denied"]));
    assert_eq!(site.failures("alice"), 0, "the code was looked at");
}

#[test]
#[ignore = "needs root, for a PAM service of its own"]
fn a_code_may_follow_the_password_where_the_settings_say_so() {
    let site = office("auth required pam_permit.so\naccount required pam_permit.so\n");
    let token = site.enroll("alice");
    let settings = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), settings.replace("primary = 'none'\n", "appended = 'comma'\n")).unwrap();
    let password = format!("Password-1,{}", token.code());
    verify_there(&site, &json!({ "user": "alice", "password": password })).is_allowed("totp");
}

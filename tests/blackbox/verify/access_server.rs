//! Access Server's script, driven by a stand-in for Access Server.

use crate::duo::{Phone, User};
use crate::support::{DuoSite, PROGRAM, Site, need, told};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const UNAVAILABLE: &str = "The second factor cannot be checked now, try again later";

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A server that has the script.
struct Server {
    child: Child,
    calls: ChildStdin,
    results: BufReader<ChildStdout>,
}

impl Server {
    fn new(site: &Site) -> Self {
        Self::with(site, |script| script)
    }

    /// With the script as an administrator has changed it.
    fn with(site: &Site, change: impl FnOnce(String) -> String) -> Self {
        need("python3");
        let mut script = std::fs::read_to_string(place("contrib/access-server/openvpn_2fa.py")).unwrap();
        let options = format!("OPTIONS = ['--config', '{}']", site.config().display());
        for (old, new) in [
            (r#"PROGRAM = ["/usr/local/bin/openvpn-2fa"]"#, format!("PROGRAM = ['{PROGRAM}']")),
            ("OPTIONS = []", options),
        ] {
            script = edited(&script, old, &new);
        }
        let path = site.path("post_auth.py");
        std::fs::write(&path, change(script)).unwrap();
        let log = std::fs::File::create(site.new_log()).unwrap();
        let mut child = Command::new("python3")
            .args(["-I", "-B", "-W", "error"])
            .arg(place("tests/blackbox/verify/access_server.py"))
            .arg(path)
            // Of what the server has in its environment the program sees nothing.
            .env("script_type", "user-pass-verify")
            .env("authUnenrolled", "allow")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let calls = child.stdin.take().unwrap();
        let results = BufReader::new(child.stdout.take().unwrap());
        Self { child, calls, results }
    }

    /// Somebody logs in, or comes back with an answer.
    fn call(&mut self, call: &Value) -> Value {
        writeln!(self.calls, "{call}").unwrap();
        let mut line = String::new();
        self.results.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the stand-in for the server has ended");
        let result: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(result["printed"], "");
        result
    }

    fn login(&mut self, user: &str) -> Value {
        self.call(&json!({ "username": user }))
    }

    fn answer(&mut self, user: &str, question: &Value, response: &str) -> Value {
        let name = question["challenge"].as_str().unwrap_or_else(|| panic!("no question: {question}"));
        self.call(&json!({ "username": user, "answers": name, "response": response }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn edited(script: &str, old: &str, new: &str) -> String {
    assert_eq!(script.matches(old).count(), 1, "{old}");
    script.replace(old, new)
}

/// Makes a program of these lines of shell, in place of ours.
fn instead(site: &Site, script: &str, lines: &str) -> String {
    let path = site.path("program");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    edited(script, &format!("PROGRAM = ['{PROGRAM}']"), &format!("PROGRAM = ['{}']", path.display()))
}

#[track_caller]
fn is_in(result: &Value) {
    assert_eq!((&result["status"], &result["challenge"]), (&json!("succeed"), &Value::Null), "{result}");
}

#[track_caller]
fn is_out(result: &Value, text: &str) {
    assert_eq!((&result["status"], &result["challenge"]), (&json!("fail"), &Value::Null), "{result}");
    assert_eq!(told(result["client_reason"].as_str().unwrap()), text);
}

/// Denied without a decision of the program's.
#[track_caller]
fn is_refused(result: &Value, logged: &str) {
    assert_eq!(
        (&result["status"], &result["client_reason"]),
        (&json!("fail"), &json!(UNAVAILABLE)),
        "{result}"
    );
    let log = result["log"].as_array().unwrap();
    assert!(log.len() == 1 && log[0].as_str().unwrap().contains(logged), "{logged}: {result}");
}

#[test]
fn a_user_is_asked_for_the_code_and_let_in() {
    let site = Site::new();
    let token = site.enroll("alice");
    let mut server = Server::new(&site);
    let question = server.login("alice");
    assert_eq!(question["status"], "fail");
    let text = question["client_reason"].as_str().unwrap();
    assert!(text.starts_with("CRV1:R,E:") && text.ends_with(":Please enter your TOTP code"), "{text}");
    let code = token.code();
    site.keep_out_of_the_log(code.as_bytes());
    let result = server.answer("alice", &question, &code);
    is_in(&result);
    assert_eq!((&result["kept"], &result["log"]), (&json!(0), &json!([])));
    assert!(site.logged(&["event=answer door=verify user=alice client=192.0.2.7", "outcome=accept"]));
    // The same code, by a new login.
    let question = server.login("alice");
    let question = server.answer("alice", &question, &code);
    assert!(
        question["client_reason"].as_str().unwrap().ends_with(":Incorrect code, try again"),
        "{question}"
    );
    is_in(&server.answer("alice", &question, &token.code_steps_from_now(1)));
}

#[test]
fn wrong_answers_lock_and_the_words_reach_the_user() {
    let site = Site::new();
    let token = site.enroll("alice");
    let mut server = Server::new(&site);
    let mut question = server.login("alice");
    for _ in 0..4 {
        question = server.answer("alice", &question, &token.wrong_code());
    }
    is_out(
        &server.answer("alice", &question, &token.wrong_code()),
        "Too many failed attempts, try again later",
    );
    is_out(&server.login("alice"), "Too many failed attempts, try again later");
    is_out(&server.login("bob"), "Authentication failed");
}

#[test]
fn an_answer_counts_for_the_one_who_was_asked() {
    let site = Site::new();
    let (_, bob) = (site.enroll("alice"), site.enroll("bob"));
    let mut server = Server::new(&site);
    let question = server.login("alice");
    is_out(&server.answer("bob", &question, &bob.code()), "Authentication failed");
    let question = server.login("alice");
    let again =
        server.call(&json!({ "username": "alice", "answers": question["challenge"], "response": null }));
    assert!(again["client_reason"].as_str().unwrap().ends_with(":Incorrect code, try again"), "{again}");
}

#[test]
fn a_code_beside_the_password_is_enough() {
    let site = Site::new();
    let token = site.enroll("alice");
    let mut server = Server::new(&site);
    is_in(&server.call(&json!({ "username": "alice", "static_response": token.code() })));
    let wrong = server.call(&json!({ "username": "alice", "static_response": token.wrong_code() }));
    is_out(&wrong, "Incorrect code");
    assert!(server.call(&json!({ "username": "alice", "static_response": "" }))["challenge"].is_string());
}

#[test]
fn who_has_a_session_or_a_profile_for_autologin_is_not_asked() {
    let site = Site::new();
    let mut server = Server::new(&site);
    for method in ["session", "autologin"] {
        let result = server.call(&json!({ "username": "nobody", "auth_method": method }));
        is_in(&result);
        assert_eq!(result["reason"], "local auth succeeded", "as the server gave it");
    }
    for method in ["local", "ldap", "radius", "pam", "saml", "something new"] {
        is_out(
            &server.call(&json!({ "username": "nobody", "auth_method": method })),
            "Authentication failed",
        );
    }
}

#[test]
fn vpn_or_web_can_do_without() {
    let site = Site::new();
    for (option, vpn_free) in [("SKIP_ON_VPN_AUTH", true), ("SKIP_ON_WEB_AUTH", false)] {
        let mut server = Server::with(&site, |script| {
            edited(&script, &format!("{option} = False"), &format!("{option} = True"))
        });
        for vpn in [true, false] {
            let result = server.call(&json!({ "username": "nobody", "vpn_auth": vpn }));
            assert_eq!(result["status"] == "succeed", vpn == vpn_free, "{option} {vpn}: {result}");
        }
    }
}

#[test]
fn who_was_not_let_in_before_is_not_let_in_by_a_code() {
    let site = Site::new();
    let token = site.enroll("alice");
    let mut server = Server::new(&site);
    let call = json!({ "username": "alice", "status": "failed", "static_response": token.code() });
    assert_eq!(server.call(&call)["status"], "fail");
    let mut server = Server::with(&site, |script| edited(&script, "AUTH_NULL = False", "AUTH_NULL = True"));
    is_refused(
        &server.call(&json!({ "username": "alice", "static_response": token.code() })),
        "nobody has checked the password",
    );
}

#[test]
fn duo_pushes_and_asks() {
    let site = DuoSite::new();
    site.duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO)).passcode("123456"));
    let mut server = Server::new(&site);
    let question = server.login("alice");
    assert!(question["client_reason"].as_str().unwrap().contains("1 push XXX-XXX-0100"), "{question}");
    is_in(&server.answer("alice", &question, "1"));
    site.edit(|settings| settings.replace("[duo]\n", "[duo]\nautopush = true\n"));
    is_in(&server.login("alice"));
    assert_eq!(site.duo.sent().len(), 2);
}

#[test]
fn names_and_answers_of_all_kinds_arrive_as_they_are() {
    let site = Site::new();
    let name = "j\u{f6}rg \"x\" $(id); \u{1f511}";
    let token = site.enroll(name);
    let mut server = Server::new(&site);
    is_in(&server.call(&json!({ "username": name, "static_response": token.code() })));
    for odd in ["\u{0}", "\n", "\"}", &"9".repeat(100_000)] {
        let result = server.call(&json!({ "username": name, "static_response": odd }));
        assert_eq!(result["status"], "fail", "{odd:?}");
    }
    // Half of a character, as JSON and Python can write it.
    let call = r#"{"username": "\ud83d", "static_response": "123456"}"#;
    writeln!(server.calls, "{call}").unwrap();
    let mut line = String::new();
    server.results.read_line(&mut line).unwrap();
    assert!(line.contains("\"status\": \"fail\""), "{line}");
}

#[test]
fn an_address_that_is_none_is_left_out() {
    let site = Site::new();
    let [a, b] = site.enroll("alice").codes();
    let mut server = Server::new(&site);
    let call = |address: &str, code: &str| json!({ "username": "alice", "client_ip_addr": address, "static_response": code });
    let result = server.call(&call("somewhere", &a));
    is_in(&result);
    assert!(result["log"][0].as_str().unwrap().contains("is not an IP address"));
    is_in(&server.call(&call("2001:db8::7", &b)));
    assert!(site.logged(&["client=2001:db8::7"]));
}

#[test]
fn whatever_the_program_does_wrong_is_a_denial() {
    let site = Site::new();
    let allow = r#"printf '{"result":"allow","factor":"totp"}\n'"#;
    for (lines, logged) in [
        ("exit 0", "no reply, exit status 0"),
        ("exit 1", "no reply, exit status 1"),
        ("echo nonsense", "no reply"),
        ("echo '[]'", "no reply"),
        ("echo '{}'", "no result"),
        (r#"echo '{"result":"Allow"}'"#, "no result"),
        (r#"echo '{"result":true}'"#, "no result"),
        (r#"echo '{"result":"deny"}'"#, "no text"),
        (r#"echo '{"result":"question","text":"x"}'"#, "no state"),
        (r#"echo '{"result":"question","state":"x"}'"#, "no text"),
        (&format!("{allow}; exit 1"), "exit status 1"),
        (&format!("{allow}; exit 2"), "exit status 2"),
        (&format!("{allow}; kill -9 $$"), "exit status -9"),
        (&format!("{allow}; {allow}"), "no reply"),
        (&format!("{allow}; head -c 20000 /dev/zero | tr '\\0' ' '"), "no reply"),
        ("printf '\\377'", "no reply"),
    ] {
        let mut server = Server::with(&site, |script| instead(&site, &script, lines));
        let result = server.call(&json!({ "username": "alice", "static_response": "Secret-1" }));
        is_refused(&result, logged);
        assert!(!result.to_string().contains("Secret-1"));
    }
}

#[test]
fn a_program_that_is_missing_or_hangs_is_a_denial() {
    let site = Site::new();
    let mut server = Server::with(&site, |script| edited(&script, PROGRAM, "/nonexistent/openvpn-2fa"));
    is_refused(&server.login("alice"), "/nonexistent/openvpn-2fa cannot be started: No such file");
    let mut server = Server::with(&site, |script| {
        let script = edited(&script, "TIMEOUT = 100", "TIMEOUT = 0.2");
        instead(&site, &script, "exec sleep 60")
    });
    is_refused(&server.login("alice"), "no reply in 0.2 seconds");
}

#[test]
fn what_was_typed_is_no_argument_and_the_servers_environment_does_not_come_along() {
    let site = Site::new();
    let seen = site.path("seen");
    let lines = format!(
        "{{ tr '\\0' ' ' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; pwd; }} > '{}'; cat > /dev/null",
        seen.display()
    );
    let mut server = Server::with(&site, |script| instead(&site, &script, &lines));
    server.call(&json!({ "username": "alice", "static_response": "Secret-1" }));
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("verify --json") && seen.ends_with("/\n"), "{seen}");
    for word in ["Secret-1", "alice", "authUnenrolled", "script_type", "PATH="] {
        assert!(!seen.contains(word), "{word}: {seen}");
    }
}

//! contrib's filter for fail2ban, read by fail2ban itself, on lines that the program wrote.

use crate::support::{Call, Namespace, Site, need};
use data_encoding::BASE64;
use std::path::Path;
use std::process::Command;

/// PAM that refuses everybody.
const NOBODY: &str = "auth required pam_deny.so\naccount required pam_deny.so\n";

/// Somebody whom a guesser would like to see banned.
const VICTIM: &str = "203.0.113.66";

/// A log as rsyslog writes it, filled by calls of the hook.
struct Log {
    namespace: Namespace,
    lines: Vec<String>,
}

impl Log {
    fn new(site: &Site) -> Self {
        Self { namespace: Namespace::new(site, NOBODY), lines: Vec::new() }
    }

    /// Makes a call from an address, and takes down the line of its decision, which must say this.
    #[track_caller]
    fn take(&mut self, call: Call<'_>, address: &str, says: &str) {
        let call = if address.contains(':') {
            call.without("untrusted_ip").set("untrusted_ip6", address)
        } else {
            call.set("untrusted_ip", address)
        };
        self.namespace.enter_with_daemon(call).status();
        let line = std::iter::repeat_with(|| self.namespace.logged().1);
        let line = line.take(5).find(|line| line.contains(" outcome=")).expect("the line of a decision");
        assert!(line.contains(says), "{says}: {line}");
        // Both of rsyslog's forms: Debian 12 and later, and before.
        let time = if self.lines.len().is_multiple_of(2) {
            "2026-11-28T05:12:34.123456+00:00"
        } else {
            "Nov 28 05:12:34"
        };
        self.lines.push(format!("{time} vpn {line}"));
    }

    /// The addresses that fail2ban finds, one for each line that counts.
    fn found(&self, site: &Site) -> Vec<String> {
        let log = site.path("auth.log");
        std::fs::write(&log, self.lines.join("\n") + "\n").unwrap();
        let filter = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/fail2ban/filter.d/openvpn-2fa.conf");
        let output = fail2ban_regex().args(["--out", "ip"]).args([&log, &filter]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(str::to_owned).collect()
    }
}

/// fail2ban's own tool: that of the machine, or the one that scripts/test has unpacked without installing the daemon.
fn fail2ban_regex() -> Command {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/fail2ban");
    if !unpacked.exists() {
        need("fail2ban-regex");
        return Command::new("fail2ban-regex");
    }
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", unpacked.join("usr/lib/python3/dist-packages"));
    command.arg(unpacked.join("usr/bin/fail2ban-regex")).arg("--config").arg(unpacked.join("etc/fail2ban"));
    command
}

fn refused_by_pam(call: Call<'_>) -> Call<'_> {
    call.set("authPrimary", "pam")
}

#[test]
#[ignore = "needs root and fail2ban: a log daemon of its own, and fail2ban-regex"]
fn guesses_count_and_the_troubles_of_honest_users_do_not() {
    let site = Site::with(&[("lockoutMaxFailures", "1000")]);
    let token = site.enroll("alice");
    let [first, second, _] = token.codes();
    let wrong = token.wrong_code();
    let mut log = Log::new(&site);
    let login = |user: &str, password: &str| site.login(&site.session(), user, password);

    log.take(login("alice", &wrong), "192.0.2.1", "reason=wrong-code");
    log.take(login("alice", "no code"), "192.0.2.2", "reason=malformed-code");
    log.take(login("alice", "SCRV1:x"), "192.0.2.3", "reason=malformed ");
    log.take(login("-alice", &wrong), "192.0.2.4", "reason=identity");
    log.take(refused_by_pam(login("alice", "guess")), "192.0.2.5", "reason=primary-denied");
    log.take(refused_by_pam(login("bob b", "guess")), "2001:db8::5", "reason=primary-denied");
    let question = site.asked_to_reconnect("alice");
    site.enroll("mallory");
    log.take(login("mallory", &question.answer(&wrong)), "192.0.2.6", "reason=foreign-challenge");
    log.take(login("alice", &question.answer(&wrong)), "192.0.2.9", "outcome=challenge reason=wrong-code");
    let session = site.asked_in_session("alice");
    let sent = BASE64.encode(wrong.as_bytes());
    log.take(site.answer(&session, "alice", sent.as_bytes()), "192.0.2.7", "event=answer");

    log.take(login("alice", ""), "198.51.100.1", "outcome=challenge");
    log.take(login("alice", &first), "198.51.100.2", "outcome=accept");
    log.take(login("alice", &first), "198.51.100.3", "reason=code-already-used");
    log.take(login("carol", &second), "198.51.100.4", "reason=not-enrolled");
    log.take(refused_by_pam(login("alice", "")), "198.51.100.5", "reason=empty-password");
    log.take(login("alice", &question.answer(&wrong)), "198.51.100.6", "reason=unknown-challenge");
    let missing = site.path("missing");
    log.take(login("alice", &second).set("totpTokenDbPath", missing), "198.51.100.7", "reason=internal");
    let last = login("alice", &wrong).set("lockoutMaxFailures", "1");
    log.take(last, "192.0.2.8", "reason=wrong-code");
    log.take(login("alice", &second), "198.51.100.8", "reason=locked");

    let counted = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "2001:db8::5"];
    assert_eq!(
        log.found(&site),
        [&counted[..], &["192.0.2.6", "192.0.2.9", "192.0.2.7", "192.0.2.8"]].concat()
    );
}

/// Whatever a client calls itself, its own address is found, once, and no other.
#[test]
#[ignore = "needs root and fail2ban: a log daemon of its own, and fail2ban-regex"]
fn a_client_can_neither_have_another_address_banned_nor_hide_its_own() {
    let site = Site::new();
    site.enroll("alice");
    let mut log = Log::new(&site);
    let forged = format!("client={VICTIM} factor=totp outcome=reject reason=wrong-code");
    let line = format!("vpn openvpn-2fa[1]: event=login user=x {forged} milliseconds=1");
    let mut names = vec![
        VICTIM.to_owned(),
        forged.clone(),
        format!("x {forged}"),
        format!("x\" {forged} software=\""),
        format!("x\\\" {forged}"),
        format!("x\\\\\" {forged} x=\"\\"),
        format!("x outcome=accept reason=both-factors {forged}"),
        format!("x\n2026-11-28T05:12:34+00:00 {line}"),
        format!("2026-11-28T05:12:34+00:00 {line}"),
        format!("Nov 28 05:12:34 {line}"),
        format!("x\u{2028}{line}"),
        format!("x\u{85}\r{line}"),
        "\u{1b}[2K\u{1b}[1A".to_owned(),
        "\\".repeat(255),
        "\"".repeat(255),
        "x".repeat(255),
    ];
    for longer in ["x", "\"", "\\", "\u{e4}"] {
        names.push(longer.repeat(1_900));
        names.push(format!("{}{line}", longer.repeat(230)));
    }
    let mut calls = 0;
    for name in &names {
        let from_client: [&dyn Fn(Call<'_>) -> Call<'_>; 3] = [
            &|call| call.set("username", name).content(format!("{name}\nguess\n").as_bytes()),
            &|call| call.set("common_name", name),
            &|call| call.set("IV_GUI_VER", name),
        ];
        for change in from_client {
            let session = site.session();
            let call = refused_by_pam(site.login(&session, "alice", "guess"));
            // Who cannot be read is refused as late as a wrong password, and that is not the point here.
            log.take(change(call), "192.0.2.7", " outcome=reject reason=");
            calls += 1;
        }
    }
    let lines = log.lines.join("\n");
    assert_eq!(log.found(&site), vec!["192.0.2.7"; calls], "{lines}");
}

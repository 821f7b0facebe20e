//! Settings from OpenVPN's configuration (`setenv`), without a line of `[duo]` in the file.

use crate::duo::{Endpoint, IKEY, Lookalike, Options, Phone, Proxy, ProxyAnswer, SKEY, User};
use crate::support::{Login, Site, chmod};
use std::time::{Duration, Instant};

/// A site that has a certificate for the first proof, and Duo by the environment alone.
struct Bare {
    site: Site,
    duo: Lookalike,
}

impl Bare {
    fn new() -> Self {
        let duo = Lookalike::start(Options::default());
        duo.add(User::with_phone("alice").phone(Phone::ApprovesAfter(Duration::ZERO)).passcode("654987"));
        let site = Site::new();
        site.keep_out_of_the_log(SKEY.as_bytes());
        std::fs::write(site.path("skey"), SKEY).unwrap();
        chmod(&site.path("skey"), 0o600);
        Self { site, duo }
    }

    /// What has to be set, with changes: a variable without a value is taken out.
    fn enter(&self, typed: &str, changes: &[(&str, Option<&str>)]) -> Login {
        let session = self.site.session();
        let mut call = self
            .site
            .login(&session, "alice", typed)
            .set("authFactor", "duo")
            .set("duoHost", "localhost")
            .set("duoPort", self.duo.port().to_string())
            .set("duoIkey", IKEY)
            .set("duoSkeyFile", self.site.path("skey"))
            .set("duoCaFile", self.duo.ca_file());
        for (name, value) in changes {
            call = match value {
                Some(value) => call.set(name, value),
                None => call.without(name),
            };
        }
        let start = Instant::now();
        let status = call.status();
        Login { status, session, took: start.elapsed() }
    }
}

#[test]
fn everything_that_duo_needs_can_come_from_the_environment() {
    let bare = Bare::new();
    bare.enter("654987", &[]).is_in();
    bare.enter("push", &[("duoTimeout", Some("10")), ("duoHost", Some("LOCALHOST"))]).is_in();
    bare.enter("push", &[("duoSkeyFile", None), ("duoSkey", Some(SKEY))]).is_in();
    let proxy = Proxy::start(ProxyAnswer::Forward(bare.duo.port()));
    bare.enter("push", &[("duoHttpProxy", Some(&proxy.url()))]).is_in();
    assert_eq!(proxy.asked(), [bare.duo.host()]);
}

#[test]
fn the_environment_goes_before_the_file() {
    let site = crate::support::DuoSite::with(&[("duoHost", "duo.invalid"), ("duoTimeout", "5")]);
    site.duo.add(User::with_phone("alice").passcode("654987"));
    site.enter("alice", "654987").is_out(super::UNAVAILABLE);
    assert!(site.logged(&["duo.invalid:"]));
    assert_eq!(site.duo.connections(), []);
}

#[test]
fn timeout_and_failmode_come_from_the_environment() {
    let bare = Bare::new();
    bare.duo.misbehave(crate::duo::Misbehaviour::StallAfterRequest.always());
    let login = bare.enter("654987", &[("duoTimeout", Some("1"))]);
    login.is_out(super::UNAVAILABLE);
    assert!(login.took < Duration::from_secs(10), "{:?}", login.took);
    bare.enter("654987", &[("duoTimeout", Some("1")), ("duoFailmode", Some("safe"))]).is_in();
    assert!(bare.duo.requests_to(Endpoint::Auth).is_empty());
}

#[test]
fn a_wrong_value_or_name_in_the_environment_lets_nobody_in_and_is_named() {
    let bare = Bare::new();
    for (name, value) in [
        ("duoHost", "https://localhost/"),
        ("duoHost", "localhost:443"),
        ("duoHost", ""),
        ("duoIkey", "a:b"),
        ("duoPort", "0"),
        ("duoPort", "65536"),
        ("duoTimeout", "0"),
        ("duoTimeout", "601"),
        ("duoTimeout", "soon"),
        ("duoFailmode", "open"),
        ("duoFailmode", "Safe"),
        ("duoFailmode", ""),
        ("duoAutopush", "yes"),
        ("duoPrompt", "long"),
        ("duoHttpProxy", "https://127.0.0.1:3128"),
        ("duoHttpProxy", "127.0.0.1:3128"),
        ("duoHttpProxy", "http://user:hunter2hunter2@127.0.0.1:3128"),
        ("duoFailMode", "safe"),
        ("duoSkeyfile", "/x"),
        ("duoVerify", "false"),
    ] {
        bare.site.keep_out_of_the_log(b"hunter2");
        bare.enter("654987", &[(name, Some(value))]).is_out("Authentication failed");
        let origin = format!("environment variable {name}");
        assert!(
            bare.site.logged(&["outcome=reject reason=internal", &origin]),
            "{name}: {}",
            bare.site.logs()
        );
    }
    assert_eq!(bare.duo.connections(), []);
}

#[test]
fn a_wrong_key_in_the_environment_is_not_repeated_in_the_log() {
    let bare = Bare::new();
    for key in ["has a blank in it", "secret\u{e4}secret", ""] {
        bare.site.keep_out_of_the_log(key.as_bytes());
        let login = bare.enter("654987", &[("duoSkeyFile", None), ("duoSkey", Some(key))]);
        assert_eq!(login.status, 1, "{key:?}");
        assert!(bare.site.logged(&["outcome=reject", "[duo] skey"]), "{}", bare.site.logs());
    }
    assert_eq!(bare.duo.connections(), []);
}

//! The way to Duo: certificates, proxies, redirects.

use super::UNAVAILABLE;
use crate::duo::{
    Certificate, Connection, Endpoint, Lookalike, Misbehaviour, Options, Proxy, ProxyAnswer, User,
};
use crate::support::{DuoSite, chmod};
use std::time::Duration;

/// Alice has one passcode.
fn at(duo: Lookalike, name: &str, setenv: &[(&str, &str)]) -> DuoSite {
    duo.add(User::with_phone("alice").passcode("123456"));
    DuoSite::at(duo, name, setenv)
}

fn site(setenv: &[(&str, &str)]) -> DuoSite {
    at(Lookalike::start(Options::default()), "localhost", setenv)
}

/// That nobody gets in, even with `failmode = "safe"`, and that the log says why.
#[track_caller]
fn is_shut(site: &DuoSite, part: &str) {
    site.enter("alice", "123456").is_out(UNAVAILABLE);
    assert!(site.logged(&["outcome=reject reason=duo-unavailable", part]), "{part}: {}", site.logs());
    assert!(site.duo.requests().is_empty(), "Duo was asked");
}

#[test]
fn a_certificate_that_is_not_duos_lets_nobody_in() {
    for (certificate, part) in [
        (Certificate::OtherHost, "it is for another name (elsewhere.invalid): check [duo] host"),
        (Certificate::OtherAuthority, "Duo's certificate is wrong: "),
        (Certificate::SelfSigned, "[duo] ca_file can name others"),
        (Certificate::Expired, "or this machine's clock is wrong"),
        (Certificate::NotYetValid, "or this machine's clock is wrong"),
    ] {
        for failmode in ["secure", "safe"] {
            let site = site(&[("duoFailmode", failmode)]);
            site.duo.present(certificate);
            is_shut(&site, part);
            is_shut(&site, "Duo's certificate is wrong: localhost:");
        }
    }
    assert_eq!(Certificate::WRONG.len(), 5);
}

#[test]
fn an_address_needs_a_certificate_of_its_own() {
    let site = site(&[("duoHost", "127.0.0.1"), ("duoFailmode", "safe")]);
    is_shut(&site, "it is for another name (localhost): check [duo] host");
    let duo = Lookalike::start(Options { name: "127.0.0.1".to_owned(), ..Options::default() });
    at(duo, "127.0.0.1", &[]).enter("alice", "123456").is_in();
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    static OLD: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    static NEW: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    for (versions, name) in [(&OLD[..], "TLSv1_2"), (&NEW, "TLSv1_3"), (rustls::ALL_VERSIONS, "TLSv1_3")] {
        let site = at(Lookalike::start(Options { versions, ..Options::default() }), "localhost", &[]);
        site.enter("alice", "123456").is_in();
        let established =
            Connection::Established { version: name.to_owned(), server_name: Some("localhost".to_owned()) };
        assert_eq!(site.duo.connections(), [established], "one for all requests");
    }
}

#[test]
fn only_duos_authorities_are_trusted_where_nothing_is_set() {
    let site = site(&[("duoFailmode", "safe")]);
    site.edit(|settings| {
        settings.lines().filter(|line| !line.starts_with("ca_file")).collect::<Vec<_>>().join("\n")
    });
    is_shut(&site, "none of the authorities that are trusted for Duo has signed it");
}

#[test]
fn the_machines_authorities_are_trusted_where_the_settings_say_so_and_no_variable_changes_them() {
    let ours = Lookalike::start(Options::default());
    let file = ours.ca_file();
    let site = at(ours, "localhost", &[("duoCaFile", "system"), ("duoFailmode", "safe")]);
    let call = site.enter_by("alice", "123456", |call| {
        call.set("SSL_CERT_FILE", &file)
            .set("SSL_CERT_DIR", file.parent().unwrap())
            .set("CURL_CA_BUNDLE", &file)
    });
    call.is_out(UNAVAILABLE);
    // On a machine without a list there is none to trust.
    let known = site.logged(&["Duo's certificate is wrong"]) || site.logged(&["install ca-certificates"]);
    assert!(known, "{}", site.logs());
    assert!(site.duo.requests().is_empty());
}

#[test]
fn no_variable_takes_the_place_of_the_file_of_authorities() {
    let (site, other) = (site(&[]), Lookalike::start(Options::default()));
    site.enter_by("alice", "123456", |call| call.set("SSL_CERT_FILE", other.ca_file())).is_in();
}

#[test]
fn a_file_of_authorities_of_no_use_is_named_and_lets_nobody_in() {
    let site = site(&[("duoFailmode", "safe")]);
    let pem = site.duo.ca_pem().to_owned();
    let file = site.path("ca.pem");
    let with = |content: &str, mode: u32| {
        std::fs::write(&file, content).unwrap();
        chmod(&file, mode);
        site.enter_by("alice", "123456", |call| call.set("duoCaFile", &file))
    };
    let name = file.display().to_string();
    for (content, mode, why) in [
        ("", 0o644, "no certificate in it"),
        ("hello\n", 0o644, "no certificate in it"),
        (&*pem.replace("MII", "M*I"), 0o644, "damaged PEM"),
        (&*pem, 0o666, "chmod go-w"),
        (&*pem, 0o664, "chmod go-w"),
        (&*"#".repeat(2_000_000), 0o644, "longer than"),
    ] {
        with(content, mode).is_out(UNAVAILABLE);
        assert!(
            site.logged(&["reason=duo-unavailable", "[duo] ca_file", &name, why]),
            "{why}: {}",
            site.logs()
        );
    }
    std::fs::remove_file(&file).unwrap();
    site.enter_by("alice", "123456", |call| call.set("duoCaFile", &file)).is_out(UNAVAILABLE);
    assert!(
        site.logged(&["reason=duo-unavailable", "[duo] ca_file", &name, "No such file"]),
        "{}",
        site.logs()
    );
    assert!(site.duo.requests().is_empty());
    with(&pem, 0o644).is_in();
}

#[test]
fn redirects_are_not_followed() {
    std::thread::scope(|scope| {
        for status in [301, 302, 303, 307, 308] {
            scope.spawn(move || {
                let elsewhere = Lookalike::start(Options::default());
                elsewhere.add(User::with_phone("alice").passcode("123456"));
                for endpoint in [Endpoint::Preauth, Endpoint::Auth] {
                    let site = site(&[("duoFailmode", "safe")]);
                    // The other one would be believed.
                    let both = site.path("both.pem");
                    std::fs::write(&both, format!("{}{}", site.duo.ca_pem(), elsewhere.ca_pem())).unwrap();
                    chmod(&both, 0o644);
                    let url = format!("https://{}{}", elsewhere.host(), endpoint.path());
                    site.duo.misbehave(Misbehaviour::redirect(status, &url).always().at(endpoint));
                    let login = site.enter_by("alice", "123456", |call| call.set("duoCaFile", &both));
                    login.is_out(UNAVAILABLE);
                    assert!(site.logged(&["reason=duo-unavailable", "a redirect, which Duo never sends"]));
                    assert_eq!(site.duo.requests_to(endpoint).len(), 1);
                }
                assert_eq!(elsewhere.connections(), []);
            });
        }
    });
}

#[test]
fn a_proxy_of_the_settings_is_asked_for_duos_host_whose_certificate_counts() {
    let name = "api-lookalike.invalid";
    let duo = Lookalike::start(Options { name: name.to_owned(), ..Options::default() });
    let proxy = Proxy::start(ProxyAnswer::Forward(duo.port()));
    let asked = format!("{name}:{}", duo.port());
    let site = at(duo, name, &[("duoHttpProxy", &proxy.url()), ("duoFailmode", "safe")]);
    site.enter("alice", "123456").is_in();
    assert_eq!(proxy.asked(), [asked]);
    for certificate in Certificate::WRONG {
        site.duo.present(certificate);
        site.enter("alice", "123456").is_out(UNAVAILABLE);
        assert!(site.logged(&["reason=duo-unavailable", "Duo's certificate is wrong"]), "{}", site.logs());
    }
}

#[test]
fn a_proxy_that_does_not_connect_is_blamed_and_duo_is_out_of_reach() {
    std::thread::scope(|scope| {
        for (answer, part) in [
            (ProxyAnswer::Refuse(407), "by way of [duo] http_proxy"),
            (ProxyAnswer::Refuse(502), "by way of [duo] http_proxy"),
            (ProxyAnswer::Close, "by way of [duo] http_proxy"),
            (ProxyAnswer::Stall, "by way of [duo] http_proxy"),
        ] {
            for (failmode, status) in [("secure", 1), ("safe", 0)] {
                scope.spawn(move || {
                    let proxy = Proxy::start(answer);
                    let settings =
                        [("duoHttpProxy", &*proxy.url()), ("duoFailmode", failmode), ("duoTimeout", "1")];
                    let site = site(&settings);
                    let login = site.enter("alice", "123456");
                    assert_eq!(login.status, status, "{answer:?}");
                    assert!(login.took < Duration::from_secs(10), "{answer:?}: {:?}", login.took);
                    assert!(site.logged(&["reason=duo-", part]), "{answer:?}: {}", site.logs());
                    assert_eq!(site.duo.connections(), [], "there is no other way");
                });
            }
        }
    });
}

#[test]
fn no_proxy_is_taken_from_the_environment() {
    let proxy = Proxy::start(ProxyAnswer::Refuse(502));
    let site = site(&[]);
    let login = site.enter_by("alice", "123456", |mut call| {
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            call = call.set(name, proxy.url()).set(&name.to_ascii_lowercase(), proxy.url());
        }
        call
    });
    login.is_in();
    assert!(proxy.asked().is_empty());
    // Nor is one that is set passed by.
    let site = self::site(&[("duoHttpProxy", &proxy.url())]);
    let login = site.enter_by("alice", "123456", |call| call.set("NO_PROXY", "*").set("no_proxy", "*"));
    login.is_out(UNAVAILABLE);
    assert_eq!(proxy.asked().len(), 1);
    assert_eq!(site.duo.connections(), []);
}

use super::*;
use crate::clock::{Stopwatch, pause};
use crate::config::Duo;
use rustls::pki_types::{ServerName, UnixTime};
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

const TIME: Duration = Duration::from_millis(300);

fn transport(settings: &Duo) -> Transport {
    Transport::new("127.0.0.1", settings).unwrap()
}

fn ping() -> Call {
    Call { method: Method::Get, path: "/auth/v2/ping", parameters: Zeroizing::default(), signature: None }
}

/// Somebody who takes connections and does `serve` with each.
fn listener(serve: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| drop(thread::spawn(move || serve(stream))));
    });
    port
}

fn settings(toml: &str) -> Duo {
    toml::from_str(toml).unwrap()
}

/// Answers whatever comes, and reads it to its end: else the connection is reset, and the answer may be lost.
fn answer(mut stream: TcpStream, text: &[u8]) {
    let _gone = stream.write_all(text).and_then(|()| stream.shutdown(Shutdown::Write));
    let _gone = io::copy(&mut stream, &mut io::sink());
}

/// Sends `text`, and then more of the same line without an end, slowly enough that nobody can wait for it.
fn drip(mut stream: TcpStream, text: &[u8]) {
    for byte in text.iter().chain(std::iter::repeat_n(&b'a', 2_000)) {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        pause(TIME / 20);
    }
}

/// Makes a request that must fail as unreachable, and says how; nothing where the time was over.
fn unreachable_within(time: Duration, settings: &Duo) -> Option<String> {
    match transport(settings).exchange(ping(), time) {
        Ok(None) => None,
        Err(DuoError::Unreachable(text)) => Some(text),
        other => panic!("{other:?}"),
    }
}

/// As [`unreachable_within`], with little time, which must be kept to.
fn unreachable(settings: &Duo) -> Option<String> {
    let watch = Stopwatch::start();
    let text = unreachable_within(TIME, settings);
    assert!(watch.milliseconds() < 1_500, "{} ms", watch.milliseconds());
    text
}

/// As [`unreachable_within`], with all the time that a busy machine takes for an answer.
fn unreachable_by_answer(settings: &Duo) -> String {
    unreachable_within(Duration::from_secs(30), settings).unwrap()
}

#[test]
fn a_request_ends_with_its_time_whatever_the_other_side_does() {
    let silent = listener(|stream| {
        pause(TIME * 20);
        drop(stream);
    });
    assert_eq!(unreachable(&settings(&format!("port = {silent}"))), None);
    // The beginning of a handshake record of 16 KiB.
    let handshake = listener(|stream| drip(stream, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"));
    assert_eq!(unreachable(&settings(&format!("port = {handshake}"))), None);
    let proxy = listener(|stream| drip(stream, b"HTTP/1.1 200 OK\r\nX: "));
    assert_eq!(unreachable(&settings(&format!("http_proxy = 'http://127.0.0.1:{proxy}'"))), None);
}

#[test]
fn after_a_request_that_took_too_long_another_one_can_be_made() {
    let port = listener(|stream| {
        pause(TIME * 20);
        drop(stream);
    });
    let transport = transport(&settings(&format!("port = {port}")));
    for _ in 0..2 {
        assert!(transport.exchange(ping(), TIME).unwrap().is_none());
    }
}

#[test]
fn whoever_does_not_speak_tls_is_not_duo() {
    let plain = listener(|stream| answer(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let text = unreachable_by_answer(&settings(&format!("port = {plain}")));
    assert!(text.starts_with(&format!("127.0.0.1:{plain}: TLS failed: ")), "{text}");
    let text = unreachable_by_answer(&settings("port = 1"));
    assert!(text.contains("refused"), "{text}");
}

#[test]
fn a_proxy_that_says_no_is_blamed() {
    let port = listener(|stream| answer(stream, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    let text = unreachable_by_answer(&settings(&format!("http_proxy = 'http://127.0.0.1:{port}'")));
    assert!(
        text.contains("the proxy does not connect") && text.ends_with("by way of [duo] http_proxy"),
        "{text}"
    );
}

#[test]
fn no_proxy_is_taken_from_the_environment() {
    assert!(transport(&Duo::default()).config.proxy().is_none());
}

#[test]
fn no_proxy_is_taken_from_an_environment_that_names_one() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        again.env(name, "http://127.0.0.1:1");
    }
    let name = "factor::duo::transport::tests::no_proxy_is_taken_from_the_environment";
    let output = again.args(["--exact", name]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_wrong_certificate_is_told_apart_from_every_other_failure() {
    let transport = transport(&Duo::default());
    let in_tls = |error| transport.explain(&ureq::Error::Io(io::Error::new(ErrorKind::InvalidData, error)));
    let wrong = |cause| in_tls(rustls::Error::InvalidCertificate(cause));
    let time = UnixTime::since_unix_epoch(Duration::from_secs(951_782_400));
    let clock = "or this machine's clock is wrong";
    for (cause, text) in [
        (
            CertificateError::UnknownIssuer,
            "none of the authorities that are trusted for Duo has signed it; [duo] ca_file can name others"
                .to_owned(),
        ),
        (
            CertificateError::NotValidForNameContext {
                expected: ServerName::try_from("a.example").unwrap(),
                presented: vec!["DnsName(\"b.example\")".to_owned(), "IpAddress(192.0.2.1\u{1b})".to_owned()],
            },
            "it is for another name (b.example 192.0.2.1\\u{1b}): check [duo] host".to_owned(),
        ),
        (
            CertificateError::ExpiredContext { time, not_after: time },
            format!("it expired at 2000-02-29T00:00:00Z, {clock}"),
        ),
        (
            CertificateError::NotValidYetContext { time, not_before: time },
            format!("it is not valid before 2000-02-29T00:00:00Z, {clock}"),
        ),
        (CertificateError::Revoked, "Revoked".to_owned()),
        (CertificateError::BadSignature, "BadSignature".to_owned()),
    ] {
        assert_eq!(wrong(cause), DuoError::Certificate(format!("127.0.0.1:443: {text}")));
    }
    let direct = rustls::Error::InvalidCertificate(CertificateError::Expired);
    assert!(matches!(transport.explain(&ureq::Error::Rustls(direct)), DuoError::Certificate(_)));
    for error in [
        in_tls(rustls::Error::NoCertificatesPresented),
        in_tls(rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion)),
        transport.explain(&ureq::Error::Io(ErrorKind::ConnectionReset.into())),
        transport.explain(&ureq::Error::HostNotFound),
        transport.explain(&ureq::Error::BodyExceedsLimit(1)),
        transport.explain(&ureq::Error::ConnectionFailed),
    ] {
        assert!(
            matches!(&error, DuoError::Unreachable(text) if text.starts_with("127.0.0.1:443: ")),
            "{error:?}"
        );
    }
}

#[test]
fn what_the_other_side_says_is_printable_and_bounded() {
    let transport = transport(&Duo::default());
    let long = format!("\u{1b}[2J\n{}", "x".repeat(10_000));
    let text = transport.explain(&ureq::Error::ConnectProxyFailed(long)).to_string();
    assert!(text.len() < 500 && !text.chars().any(char::is_control), "{text}");
}

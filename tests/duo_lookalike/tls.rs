//! Certificates and connections that a client must not take, and that it is told so.

use super::client::{Client, PATIENCE, Request, ask, client_hello, lookalike, tcp, with};
use super::duo::{Certificate, Connection, Lookalike, Misbehaviour, Options};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// `protocol_version` (RFC 8446, section 6).
const PROTOCOL_VERSION: u8 = 70;

fn error(duo: &Lookalike) -> String {
    Client::try_connect(duo).err().expect("no TLS").to_string()
}

#[test]
fn a_good_certificate_is_for_the_name_or_the_address() {
    for name in ["localhost", "127.0.0.1"] {
        let duo = with(Options { name: name.to_owned(), ..Options::default() });
        assert_eq!(ask(&duo, &Request::ping()).status, 200);
        let server_name = (name == "localhost").then(|| name.to_owned());
        assert_eq!(
            duo.connections(),
            [Connection::Established { version: "TLSv1_3".to_owned(), server_name }]
        );
    }
}

#[test]
fn the_authority_is_in_a_file_for_everybody() {
    let duo = lookalike();
    assert_eq!(std::fs::read_to_string(duo.ca_file()).unwrap(), duo.ca_pem());
    let (file, name) = (duo.ca_file(), duo.host());
    assert_eq!(name, format!("localhost:{}", duo.port()));
    drop(duo);
    assert!(!file.exists());
}

#[test]
fn tls_1_2_can_be_all_there_is() {
    static OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    let duo = with(Options { versions: OLD, ..Options::default() });
    assert_eq!(ask(&duo, &Request::ping()).status, 200);
    assert!(matches!(&duo.connections()[0], Connection::Established { version, .. } if version == "TLSv1_2"));
}

#[test]
fn each_wrong_certificate_is_wrong_in_its_own_way() {
    for (certificate, because) in [
        (Certificate::OtherHost, "certificate not valid for name"),
        (Certificate::OtherAuthority, "BadSignature"),
        (Certificate::SelfSigned, "UnknownIssuer"),
        (Certificate::Expired, "certificate expired"),
        (Certificate::NotYetValid, "certificate not valid yet"),
    ] {
        let duo = lookalike();
        duo.present(certificate);
        let error = error(&duo);
        assert!(error.contains(because), "{certificate:?}: {error}");
        assert!(matches!(&duo.await_connections(1)[..], [Connection::Failed(_)]), "{certificate:?}");
        duo.present(Certificate::Good);
        assert_eq!(ask(&duo, &Request::ping()).status, 200);
    }
}

#[test]
fn tls_1_1_is_refused_by_an_alert_that_is_remembered() {
    let duo = lookalike();
    duo.misbehave(Misbehaviour::Tls11.always());
    let error = error(&duo);
    assert!(error.contains("ServerDoesNotSupportTls12Or13"), "{error}");
    assert_eq!(duo.await_connections(1), [Connection::OldTls(Some(PROTOCOL_VERSION))]);
}

#[test]
fn it_can_close_as_soon_as_it_accepts() {
    let duo = lookalike();
    duo.misbehave(Misbehaviour::CloseOnAccept.times(1));
    error(&duo);
    assert_eq!(duo.await_connections(1), [Connection::Spoilt]);
    assert_eq!(ask(&duo, &Request::ping()).status, 200);
}

#[test]
fn it_can_stall_before_and_in_tls() {
    for (misbehaviour, says_something) in
        [(Misbehaviour::StallBeforeTls, false), (Misbehaviour::StallInTls, true)]
    {
        let duo = lookalike();
        duo.misbehave(misbehaviour.clone().always());
        let mut stream = tcp(duo.port());
        stream.write_all(&client_hello(&duo)).unwrap();
        if says_something {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            assert!(stream.read(&mut [0; 16 * 1024]).unwrap() > 0);
        }
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let error = stream.read(&mut [0; 16 * 1024]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{misbehaviour:?}");
        let start = Instant::now();
        drop(duo);
        assert!(start.elapsed() < Duration::from_secs(5), "{misbehaviour:?}: {:?}", start.elapsed());
    }
}

#[test]
fn it_can_speak_http_without_tls() {
    let duo = lookalike();
    duo.misbehave(Misbehaviour::PlainHttp.always());
    let error = error(&duo);
    assert!(error.contains("InvalidContentType"), "{error}");
    let mut stream = tcp(duo.port());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

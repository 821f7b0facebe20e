//! The proxy, from both ends.

use super::client::{Client, NOW, PATIENCE, Request, tcp};
use super::duo::{Connection, Lookalike, Options, Proxy, ProxyAnswer};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CONNECT: &str =
    "CONNECT api-00000000.duosecurity.com:443 HTTP/1.1\r\nHost: api-00000000.duosecurity.com:443\r\n\r\n";

/// A connection on which the proxy was asked, and what it said.
fn asked(proxy: &Proxy) -> (TcpStream, String) {
    let mut stream = tcp(proxy.port());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(CONNECT.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

#[test]
fn it_passes_tls_on_to_where_it_is_told() {
    let name = "api-00000000.duosecurity.com".to_owned();
    let duo = Lookalike::start(Options { name: name.clone(), ..Options::default() });
    duo.set_clock(NOW);
    let proxy = Proxy::start(ProxyAnswer::Forward(duo.port()));
    let (stream, head) = asked(&proxy);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut client = Client::over(stream, &duo, PATIENCE).unwrap();
    let check = Request::get("/auth/v2/check", "").signed_host(&name);
    assert_eq!(client.ask(&check).status, 200);
    assert_eq!(client.ask(&check.header("host", &name)).status, 200);
    assert_eq!(proxy.asked(), [format!("{name}:443")]);
    let [Connection::Established { server_name, .. }] = &duo.connections()[..] else { panic!() };
    assert_eq!(server_name.as_deref(), Some(name.as_str()));
}

#[test]
fn it_can_refuse_and_close() {
    let proxy = Proxy::start(ProxyAnswer::Refuse(407));
    assert!(asked(&proxy).1.starts_with("HTTP/1.1 407 "));
    proxy.set(ProxyAnswer::Refuse(502));
    assert!(asked(&proxy).1.starts_with("HTTP/1.1 502 "));
    proxy.set(ProxyAnswer::Close);
    assert_eq!(asked(&proxy).1, "");
    assert_eq!(proxy.asked().len(), 3);
}

#[test]
fn it_can_stall_and_goes_away_all_the_same() {
    let proxy = Proxy::start(ProxyAnswer::Stall);
    let mut stream = tcp(proxy.port());
    stream.write_all(CONNECT.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let start = Instant::now();
    drop(proxy);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn what_is_not_connect_is_a_fault() {
    let proxy = Proxy::start(ProxyAnswer::Forward(1));
    let mut stream = tcp(proxy.port());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET http://localhost/auth/v2/ping HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 405");
    assert!(proxy.take_faults()[0].contains("request line"));
}

//! A server that knows nothing newer than TLS 1.1 (RFC 4346), as far as its first word: a client of today must go then.
//!
//! Written by hand, because no TLS library of today speaks that version and an `openssl` that does must be built for it.

use std::io::{Read, Write};
use std::net::TcpStream;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Answers a `ClientHello` in TLS 1.1; the description of the alert that the client then sends, if it sends one.
pub(super) fn greet(stream: &mut TcpStream) -> Option<u8> {
    let (HANDSHAKE, hello) = record(stream)? else { return None };
    if hello.first() != Some(&CLIENT_HELLO) {
        return None;
    }
    stream.write_all(&server_hello()).ok()?;
    loop {
        if let (ALERT, alert) = record(stream)? {
            return alert.get(1).copied();
        }
    }
}

/// The type and content of the next record.
fn record(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content).ok()?;
    Some((head[0], content))
}

/// A `ServerHello` for TLS 1.1 with `TLS_RSA_WITH_AES_128_CBC_SHA`, which every TLS 1.1 has; no session, no compression.
fn server_hello() -> Vec<u8> {
    let mut hello = vec![HANDSHAKE, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([0x5a; 32]);
    hello.extend([0, 0x00, 0x2f, 0]);
    hello
}

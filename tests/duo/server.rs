//! A connection, from its first byte to its last.

use super::certificates::Certificates;
use super::http::{self, Framing, Raw, Response, Unreadable};
use super::misbehaviour::{Misbehaviour, Rule};
use super::old_tls;
use super::request::{self, Endpoint, Parameters, Refusal};
use super::seen::{Connection, Fault, Request};
use super::signature::Judge;
use super::state::State;
use rustls::{ServerConnection, StreamOwned};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where bytes of TLS begin (RFC 8446, section 5.1: a record with a handshake message).
const HANDSHAKE: u8 = 22;

/// White space that is written at a time.
const PIECE: usize = 16 * 1024;

/// What all connections share.
pub(super) struct Server {
    pub(super) state: State,
    pub(super) certificates: Certificates,
    pub(super) name: String,
    pub(super) off_date_code: u32,
    pub(super) port: OnceLock<u16>,
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

impl Server {
    /// Serves a connection until it ends.
    pub(super) fn serve(&self, mut stream: TcpStream) {
        let _as_it_was = stream.set_nodelay(true);
        let misbehaviour = self.state.change(|world| Rule::take_for_connection(&mut world.rules));
        match misbehaviour {
            None => self.serve_tls(stream),
            Some(Misbehaviour::Tls11) => {
                let alert = old_tls::greet(&mut stream);
                self.note(Connection::OldTls(alert));
            }
            Some(misbehaviour) => {
                self.note(Connection::Spoilt);
                self.spoil(&misbehaviour, stream);
            }
        }
    }

    fn spoil(&self, misbehaviour: &Misbehaviour, mut stream: TcpStream) {
        match misbehaviour {
            Misbehaviour::StallBeforeTls => drain(&mut stream),
            Misbehaviour::StallInTls => {
                let _gone = self.half_a_handshake(&mut stream);
                drain(&mut stream);
            }
            Misbehaviour::PlainHttp => {
                // Whatever came, so that the answer is not lost to a reset; the rest is read until the peer goes.
                let _first = stream.read(&mut [0; 4096]);
                let page = Response::new(400, "text/html", "<html>This is plain HTTP.</html>\n");
                let _gone = page.send(&mut stream);
                drain(&mut stream);
            }
            _ => {}
        }
    }

    fn half_a_handshake(&self, stream: &mut TcpStream) -> Option<()> {
        let certificate = self.state.world().certificate;
        let mut tls = ServerConnection::new(self.certificates.config(certificate)).ok()?;
        while !tls.wants_write() {
            (tls.read_tls(stream).ok()? > 0).then_some(())?;
            tls.process_new_packets().ok()?;
        }
        let mut flight = Vec::new();
        tls.write_tls(&mut flight).ok()?;
        stream.write_all(&flight[..flight.len() / 2]).ok()
    }

    fn serve_tls(&self, mut stream: TcpStream) {
        let certificate = self.state.world().certificate;
        let mut first = [0];
        match stream.peek(&mut first) {
            Ok(1) if first[0] == HANDSHAKE => {}
            Ok(1) => {
                self.fault(None, format!("no TLS: the first byte is {:#04x}", first[0]));
                return self.note(Connection::Failed("no TLS".to_owned()));
            }
            _ => return self.note(Connection::Failed("nothing came".to_owned())),
        }
        let mut tls = ServerConnection::new(self.certificates.config(certificate)).unwrap();
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut stream) {
                return self.note(Connection::Failed(error.to_string()));
            }
        }
        let version = tls.protocol_version().and_then(|version| version.as_str()).unwrap_or("unknown");
        let server_name = tls.server_name().map(str::to_owned);
        self.note(Connection::Established { version: version.to_owned(), server_name });
        self.serve_requests(StreamOwned::new(tls, stream));
    }

    fn serve_requests(&self, stream: Tls) {
        let mut stream = BufReader::new(stream);
        loop {
            match http::read(&mut stream) {
                Ok(raw) => {
                    let last = raw.is_last();
                    if self.serve_request(&raw, stream.get_mut()).is_none() || last {
                        break;
                    }
                }
                Err(Unreadable::Closed) => break,
                Err(Unreadable::Malformed(what)) => {
                    self.fault(None, what);
                    let _gone = Response::new(400, "text/html", "").send(stream.get_mut());
                    break;
                }
            }
        }
        let tls = stream.get_mut();
        tls.conn.send_close_notify();
        let _gone = tls.flush();
    }

    /// Answers; `None` when the connection is not to be used again.
    fn serve_request(&self, raw: &Raw, stream: &mut Tls) -> Option<()> {
        let endpoint = request::endpoint(raw);
        let known = endpoint.as_ref().ok().copied();
        let parameters = request::parameters(raw);
        self.remember(raw, known, parameters.as_deref().unwrap_or_default());
        let accepted = endpoint.and_then(|endpoint| {
            self.host(raw)?;
            Ok((endpoint, self.check(raw, endpoint, &parameters?)?))
        });
        if let Err(refusal) = &accepted {
            self.fault(known, refusal.why.clone());
        }
        let misbehaviour = self.state.change(|world| Rule::take_for_request(&mut world.rules, known));
        match misbehaviour {
            Some(Misbehaviour::Instead(response)) => response.send(stream).ok(),
            Some(Misbehaviour::RateLimited(retry)) => retry.response().send(stream).ok(),
            other => {
                let answer = accepted.and_then(|(endpoint, parameters)| {
                    self.state
                        .answer(endpoint, &parameters)
                        .map(|answer| Response::ok(&answer))
                        .inspect_err(|refusal| self.fault(known, refusal.why.clone()))
                });
                let answer = answer.unwrap_or_else(|refusal| refusal.response);
                self.send(answer, other.as_ref(), stream)
            }
        }
    }

    fn check(
        &self,
        raw: &Raw,
        endpoint: Endpoint,
        parameters: &[(String, String)],
    ) -> Result<Parameters, Refusal> {
        let now = self.state.world().clock.now();
        let judge = Judge { hosts: &self.signed_hosts(), now, off_date_code: self.off_date_code };
        request::check(raw, endpoint, parameters, &judge)
    }

    /// Duo itself is always at the standard port, so that nobody can say whether the port is signed: both will do.
    fn signed_hosts(&self) -> [String; 2] {
        let name = self.name.to_ascii_lowercase();
        let with_port = format!("{name}:{}", self.port());
        [name, with_port]
    }

    /// The port belongs into `Host` unless it is the standard one, which the client of a proxy takes it for.
    fn host(&self, raw: &Raw) -> Result<(), Refusal> {
        let host = raw.header("host").unwrap_or_default();
        let with_port = format!("{}:{}", self.name, self.port());
        let proxied = !["localhost", "127.0.0.1"].contains(&self.name.as_str());
        if host == with_port || proxied && host == self.name {
            return Ok(());
        }
        Err(Refusal::malformed(format!("Host {host:?} is not {with_port:?}")))
    }

    fn port(&self) -> u16 {
        *self.port.wait()
    }

    /// Sends an answer, spoilt or not.
    fn send(&self, answer: Response, misbehaviour: Option<&Misbehaviour>, stream: &mut Tls) -> Option<()> {
        let length = answer.body.len();
        match misbehaviour {
            Some(Misbehaviour::CloseAfterRequest) => None,
            Some(Misbehaviour::StallAfterRequest) => {
                drain(stream);
                None
            }
            Some(Misbehaviour::Truncated) => {
                stream.write_all(&answer.head(&Framing::Length(length))).ok()?;
                stream.write_all(&answer.body[..length / 2]).ok()?;
                None
            }
            Some(Misbehaviour::Endless) => {
                stream.write_all(&answer.head(&Framing::Chunked)).ok()?;
                write_chunk(stream, &answer.body).ok()?;
                while self.pause(Duration::from_millis(1)).is_some() {
                    write_chunk(stream, &[b' '; PIECE]).ok()?;
                }
                None
            }
            Some(Misbehaviour::Padded(padding)) => {
                stream.write_all(&answer.head(&Framing::Length(length + padding))).ok()?;
                stream.write_all(&answer.body).ok()?;
                for start in (0..*padding).step_by(PIECE) {
                    stream.write_all(&[b' '; PIECE][..PIECE.min(padding - start)]).ok()?;
                }
                stream.flush().ok()
            }
            Some(Misbehaviour::Drip(pause)) => {
                for byte in [answer.head(&Framing::Length(length)), answer.body].concat() {
                    stream.write_all(&[byte]).and_then(|()| stream.flush()).ok()?;
                    self.pause(*pause)?;
                }
                Some(())
            }
            Some(Misbehaviour::Edited(edit)) => {
                let mut envelope = serde_json::from_slice(&answer.body).expect("our answers are JSON");
                Response { body: edit(&mut envelope).into(), ..answer }.send(stream).ok()
            }
            _ => answer.send(stream).ok(),
        }
    }

    /// `None` when the look-alike stops meanwhile.
    fn pause(&self, pause: Duration) -> Option<()> {
        let _over: Option<()> = self.state.wait(Instant::now() + pause, |_| None);
        (!self.state.world().stopped).then_some(())
    }

    fn remember(&self, raw: &Raw, endpoint: Option<Endpoint>, parameters: &[(String, String)]) {
        let request = Request {
            endpoint,
            parameters: parameters.iter().cloned().collect(),
            headers: raw.headers.iter().cloned().collect(),
            at: Instant::now(),
        };
        self.state.change(|world| world.seen.requests.push(request));
    }

    fn note(&self, connection: Connection) {
        self.state.change(|world| world.seen.connections.push(connection));
    }

    fn fault(&self, endpoint: Option<Endpoint>, what: String) {
        self.state.change(|world| world.seen.faults.push(Fault { endpoint, what }));
    }
}

/// Reads until the peer is gone.
fn drain(stream: &mut impl Read) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
}

fn write_chunk(stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", bytes.len())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")?;
    stream.flush()
}

//! A client written for these tests: rustls, and HTTP by hand. It sends right what it is not told to send wrong.

use crate::duo::{IKEY, Lookalike, Options, SKEY};
use data_encoding::{BASE64, HEXLOWER};
use ring::hmac;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// The time at which everything here happens, and how it is written.
pub(crate) const NOW: i64 = 1_345_570_158;
pub(crate) const DATE: &str = "Tue, 21 Aug 2012 17:29:18 -0000";

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A look-alike whose clock stands still.
pub(crate) fn lookalike() -> Lookalike {
    with(Options::default())
}

pub(crate) fn with(options: Options) -> Lookalike {
    let duo = Lookalike::start(options);
    duo.set_clock(NOW);
    duo
}

/// A request that is being prepared.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names and values in canonical form, as they are signed and sent.
    pub(crate) parameters: String,
    /// What is sent, where it is not what is signed.
    pub(crate) sent: Option<String>,
    pub(crate) date: String,
    /// What is signed for the host.
    pub(crate) host: String,
    pub(crate) ikey: String,
    pub(crate) signature: Option<String>,
    /// Headers with other values, or left out.
    pub(crate) headers: Vec<(String, Option<String>)>,
}

impl Request {
    fn new(method: &str, path: &str, parameters: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            parameters: parameters.to_owned(),
            sent: None,
            date: DATE.to_owned(),
            host: "localhost".to_owned(),
            ikey: IKEY.to_owned(),
            signature: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn get(path: &str, parameters: &str) -> Self {
        Self::new("GET", path, parameters)
    }

    pub(crate) fn post(path: &str, parameters: &str) -> Self {
        Self::new("POST", path, parameters)
    }

    pub(crate) fn preauth(parameters: &str) -> Self {
        Self::post("/auth/v2/preauth", parameters)
    }

    pub(crate) fn auth(parameters: &str) -> Self {
        Self::post("/auth/v2/auth", parameters)
    }

    pub(crate) fn status(txid: &str) -> Self {
        Self::get("/auth/v2/auth_status", &format!("txid={txid}"))
    }

    pub(crate) fn ping() -> Self {
        Self::get("/auth/v2/ping", "").without("authorization").without("date")
    }

    pub(crate) fn sent(mut self, sent: &str) -> Self {
        self.sent = Some(sent.to_owned());
        self
    }

    pub(crate) fn date(mut self, date: &str) -> Self {
        date.clone_into(&mut self.date);
        self
    }

    pub(crate) fn signed_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn ikey(mut self, ikey: &str) -> Self {
        ikey.clone_into(&mut self.ikey);
        self
    }

    pub(crate) fn signature(mut self, signature: &str) -> Self {
        self.signature = Some(signature.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// What is signed.
    pub(crate) fn canonical(&self) -> String {
        [&self.date, &self.method, &self.host, &self.path, &self.parameters].map(String::as_str).join("\n")
    }

    fn bytes(&self, authority: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA512, SKEY.as_bytes());
        let signed = HEXLOWER.encode(hmac::sign(&key, self.canonical().as_bytes()).as_ref());
        let signature = self.signature.as_deref().unwrap_or(&signed);
        let sent = self.sent.as_ref().unwrap_or(&self.parameters);
        let basic = BASE64.encode(format!("{}:{signature}", self.ikey).as_bytes());
        let mut headers = vec![
            ("host", authority.to_owned()),
            ("date", self.date.clone()),
            ("authorization", format!("Basic {basic}")),
        ];
        let (target, body) = if self.method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
            headers.push(("content-length", sent.len().to_string()));
            (self.path.clone(), sent.as_str())
        } else if sent.is_empty() {
            (self.path.clone(), "")
        } else {
            (format!("{}?{sent}", self.path), "")
        };
        headers.retain(|(name, _)| !self.headers.iter().any(|(changed, _)| changed == name));
        let changed = self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.clone()?)));
        let mut text = format!("{} {target} HTTP/1.1\r\n", self.method);
        for (name, value) in headers.into_iter().chain(changed) {
            text.extend([name, ": ", &value, "\r\n"]);
        }
        text + "\r\n" + body
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// What is in Duo's envelope.
    pub(crate) fn response(&self) -> serde_json::Value {
        let envelope = self.json();
        assert_eq!((self.status, &envelope["stat"]), (200, &"OK".into()), "{envelope}");
        envelope["response"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named =
            |line: &str| line.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        self.head
            .lines()
            .find(|line| named(line))
            .and_then(|line| line.split_once(": "))
            .map(|(_, value)| value)
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    authority: String,
}

impl Client {
    pub(crate) fn connect(duo: &Lookalike) -> Self {
        Self::try_connect(duo).unwrap()
    }

    pub(crate) fn try_connect(duo: &Lookalike) -> io::Result<Self> {
        Self::over(tcp(duo.port()), duo, PATIENCE)
    }

    /// Speaks TLS over a connection that stands, with this patience.
    pub(crate) fn over(mut tcp: TcpStream, duo: &Lookalike, patience: Duration) -> io::Result<Self> {
        tcp.set_read_timeout(Some(patience))?;
        let mut tls = tls(duo);
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Self { stream: BufReader::new(StreamOwned::new(tls, tcp)), authority: duo.host() })
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.try_ask(request).unwrap()
    }

    pub(crate) fn try_ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.send(request)?;
        self.receive()
    }

    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        self.write(&request.bytes(&self.authority))
    }

    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        let output = self.stream.get_mut();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let mut answer = self.receive_head()?;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    pub(crate) fn receive_head(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head, body: Vec::new() })
    }
}

/// A request over a connection of its own.
pub(crate) fn ask(duo: &Lookalike, request: &Request) -> Answer {
    Client::connect(duo).ask(request)
}

/// The first bytes that a client sends.
pub(crate) fn client_hello(duo: &Lookalike) -> Vec<u8> {
    let mut hello = Vec::new();
    tls(duo).write_tls(&mut hello).unwrap();
    hello
}

fn tls(duo: &Lookalike) -> ClientConnection {
    let host = duo.host();
    let (name, _port) = host.rsplit_once(':').unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(config(duo.ca_pem()), name).unwrap()
}

pub(crate) fn tcp(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

fn config(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

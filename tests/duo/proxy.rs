//! A proxy that is asked to CONNECT, and can refuse.

use super::http::{self, Response};
use super::listener::{Listener, Network, Open, lock};
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

/// What a proxy does when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProxyAnswer {
    /// Connects to this port of the loopback interface, whatever it was asked for.
    Forward(u16),
    /// Says no with this status: 407, 502, …
    Refuse(u16),
    /// Says nothing.
    Stall,
    /// Closes.
    Close,
}

/// A running proxy; it stops when it is dropped, and fails the test if it was asked for anything but CONNECT.
pub(crate) struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<ProxyAnswer>,
    asked: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
}

impl Proxy {
    pub(crate) fn start(answer: ProxyAnswer) -> Self {
        Self::start_in(Network::Here, answer)
    }

    /// In a network, which is also where it connects.
    pub(crate) fn start_in(network: Network, answer: ProxyAnswer) -> Self {
        let (asked, faults) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { answer: Mutex::new(answer), asked, faults });
        let serving = Arc::clone(&shared);
        let listener = Listener::start(network, move |stream, open| {
            let _gone = serving.serve(stream, open);
        });
        Self { listener, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.port()
    }

    /// `http://127.0.0.1:PORT`, for the settings.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Answers like this from now on.
    pub(crate) fn set(&self, answer: ProxyAnswer) {
        *lock(&self.shared.answer) = answer;
    }

    /// What it was asked to connect to (`HOST:PORT`), in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// What no client should have sent it.
    pub(crate) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.faults))
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, open: &Arc<Open>) -> Option<()> {
        // One byte at a time, so that none of the tunnel's is taken for the head's.
        let mut reader = BufReader::with_capacity(1, stream);
        let asked = match http::read_connect(&mut reader) {
            Ok(asked) => asked,
            Err(Some(fault)) => {
                lock(&self.faults).push(fault);
                return Response::new(405, "text/plain", "").send(reader.get_mut()).ok();
            }
            Err(None) => return None,
        };
        lock(&self.asked).push(asked);
        let mut client = reader.into_inner();
        let answer = *lock(&self.answer);
        match answer {
            ProxyAnswer::Close => None,
            ProxyAnswer::Stall => std::io::copy(&mut client, &mut std::io::sink()).ok().map(|_| ()),
            ProxyAnswer::Refuse(status) => {
                Response::new(status, "text/html", "<html>no</html>\n").send(&mut client).ok()
            }
            ProxyAnswer::Forward(port) => forward(client, port, open),
        }
    }
}

fn forward(mut client: TcpStream, port: u16, open: &Arc<Open>) -> Option<()> {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return Response::new(502, "text/html", "").send(&mut client).ok();
    };
    let _as_it_was = (client.set_nodelay(true), server.set_nodelay(true));
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (back, to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    open.spawn(back, move |back, _| pass(back, to));
    pass(client, server);
    Some(())
}

/// Passes bytes on until their end, and the end too.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _gone = std::io::copy(&mut from, &mut to);
    let _gone = to.shutdown(Shutdown::Write);
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.stop();
        let faults = self.take_faults();
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "a client asked the proxy for something else: {faults:#?}");
        }
    }
}

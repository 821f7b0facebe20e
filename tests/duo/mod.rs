//! A look-alike of Duo's cloud: the Auth API, version 2, over real TLS with an authority of its own.
//!
//! It is strict: whatever Duo would refuse is refused as Duo would, and remembered. A look-alike that goes away with
//! faults that the test has not taken fails the test. And it can be told to misbehave: see [`misbehaviour`].
//!
//! ```ignore
//! let duo = Lookalike::start(Options::default());
//! duo.add(User::with_phone("jdoe").phone(Phone::WhenTold));
//! // `host = "localhost:PORT"`, the keys and `ca_file` go into the settings, and somebody logs in.
//! duo.approve("jdoe");
//! assert_eq!(duo.sent().len(), 1);
//! ```
#![allow(dead_code, unused_imports, reason = "every binary that tests the product uses a part of it")]

mod certificates;
mod http;
mod listener;
mod misbehaviour;
pub(crate) mod odd;
mod old_tls;
mod people;
mod proxy;
mod request;
mod seen;
mod server;
mod signature;
mod state;
mod transaction;

pub(crate) use certificates::Certificate;
pub(crate) use http::Response;
pub(crate) use listener::Network;
pub(crate) use misbehaviour::{Misbehaviour, RetryAfter, Rule};
pub(crate) use people::{Device, Phone, Policy, SMARTPHONE, User};
pub(crate) use proxy::{Proxy, ProxyAnswer};
pub(crate) use request::Endpoint;
pub(crate) use seen::{Channel, Connection, Fault, Request, Sent};
pub(crate) use signature::{IKEY, SKEY};

use certificates::Certificates;
use listener::Listener;
use rustls::SupportedProtocolVersion;
use server::Server;
use state::{Clock, State, World};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use transaction::Reaction;

/// How long something that a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What is settled before it starts.
pub(crate) struct Options {
    /// The host that its certificate is for: a name or an address.
    pub(crate) name: String,
    /// The network that it is in.
    pub(crate) network: Network,
    /// The versions of TLS that it speaks.
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// How long a request for a status is held at most.
    pub(crate) hold: Duration,
    /// What the look-up says of somebody it does not know.
    pub(crate) unknown_users: Policy,
    /// The code of its answer to a date that is too far off.
    pub(crate) off_date_code: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "localhost".to_owned(),
            network: Network::Here,
            versions: rustls::ALL_VERSIONS,
            hold: Duration::from_secs(10),
            unknown_users: Policy::Enroll("https://enrol.invalid/portal".to_owned()),
            off_date_code: 40104,
        }
    }
}

/// A running look-alike; it stops when it is dropped.
pub(crate) struct Lookalike {
    server: Arc<Server>,
    listener: Listener,
    directory: tempfile::TempDir,
}

impl Lookalike {
    pub(crate) fn start(options: Options) -> Self {
        let certificates = Certificates::for_host(&options.name, options.versions);
        let directory = tempfile::tempdir().unwrap();
        // For processes of other users, too.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, certificates.authority()).unwrap();
        std::fs::set_permissions(&ca_file, PermissionsExt::from_mode(0o644)).unwrap();
        let server = Arc::new(Server {
            state: State::new(options.hold, options.unknown_users),
            certificates,
            name: options.name,
            off_date_code: options.off_date_code,
            port: OnceLock::new(),
        });
        let shared = Arc::clone(&server);
        let listener = Listener::start(options.network, move |stream, _| shared.serve(stream));
        server.port.set(listener.port()).expect("set once");
        Self { server, listener, directory }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.port()
    }

    /// `NAME:PORT`, for the settings.
    pub(crate) fn host(&self) -> String {
        format!("{}:{}", self.server.name, self.port())
    }

    /// The authority's certificate, as a PEM file.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The authority's certificate, PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        self.server.certificates.authority()
    }

    /// Makes somebody known, or known anew.
    pub(crate) fn add(&self, user: User) {
        self.server.state.add(user);
    }

    /// Misbehaves, from now on; rules are tried in the order in which they came.
    pub(crate) fn misbehave(&self, rule: Rule) {
        self.change(|world| world.rules.push(rule));
    }

    /// Misbehaves no longer.
    pub(crate) fn behave(&self) {
        self.change(|world| world.rules.clear());
    }

    /// Shows this certificate to new connections.
    pub(crate) fn present(&self, certificate: Certificate) {
        self.change(|world| world.certificate = certificate);
    }

    /// Has its clock be so many seconds ahead of the machine's, or behind.
    pub(crate) fn set_clock_ahead(&self, seconds: i64) {
        self.change(|world| world.clock = Clock::Ahead(seconds));
    }

    /// Has its clock stand still at a time, in seconds since 1970.
    pub(crate) fn set_clock(&self, time: i64) {
        self.change(|world| world.clock = Clock::At(time));
    }

    /// Approves what is open on somebody's phone, once something is; how many logins that were.
    pub(crate) fn approve(&self, user: &str) -> usize {
        self.react(user, Reaction::Approve)
    }

    /// As [`Lookalike::approve`]: denies.
    pub(crate) fn deny(&self, user: &str) -> usize {
        self.react(user, Reaction::Deny)
    }

    /// As [`Lookalike::approve`]: says that it was not them.
    pub(crate) fn report_fraud(&self, user: &str) -> usize {
        self.react(user, Reaction::ReportFraud)
    }

    fn react(&self, user: &str, reaction: Reaction) -> usize {
        let reacted = self.server.state.react(user, reaction, Instant::now() + PATIENCE);
        reacted.unwrap_or_else(|| panic!("nothing came to {user}'s phone within {PATIENCE:?}"))
    }

    /// Every request, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.state.world().seen.requests.clone()
    }

    /// Every request to an endpoint.
    pub(crate) fn requests_to(&self, endpoint: Endpoint) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.endpoint == Some(endpoint));
        requests
    }

    /// Waits until an endpoint was asked so many times.
    pub(crate) fn await_requests(&self, endpoint: Endpoint, count: usize) -> Vec<Request> {
        self.await_that(&format!("{count} requests to {endpoint:?}"), |world| {
            let here = world.seen.requests.iter().filter(|request| request.endpoint == Some(endpoint));
            (here.count() >= count).then_some(())
        });
        self.requests_to(endpoint)
    }

    /// Every time that a phone was made to ring.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.server.state.world().seen.sent.clone()
    }

    /// Waits until so many were sent to phones.
    pub(crate) fn await_sent(&self, count: usize) -> Vec<Sent> {
        self.await_that(&format!("{count} sent to phones"), |world| {
            (world.seen.sent.len() >= count).then(|| world.seen.sent.clone())
        })
    }

    /// What came of the connections so far.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.server.state.world().seen.connections.clone()
    }

    /// Waits until something came of so many connections.
    pub(crate) fn await_connections(&self, count: usize) -> Vec<Connection> {
        self.await_that(&format!("{count} connections"), |world| {
            (world.seen.connections.len() >= count).then(|| world.seen.connections.clone())
        })
    }

    /// What Duo would have refused.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.server.state.world().seen.faults.clone()
    }

    /// As [`Lookalike::faults`], for a test that expects them: they are forgotten.
    pub(crate) fn take_faults(&self) -> Vec<Fault> {
        self.change(|world| std::mem::take(&mut world.seen.faults))
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        self.server.state.change(change)
    }

    fn await_that<T>(&self, what: &str, probe: impl FnMut(&mut World) -> Option<T>) -> T {
        let found = self.server.state.wait(Instant::now() + PATIENCE, probe);
        found.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
    }
}

impl Drop for Lookalike {
    fn drop(&mut self) {
        self.change(|world| world.stopped = true);
        self.listener.stop();
        let faults = self.take_faults();
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "Duo would have refused: {faults:#?}");
        }
    }
}

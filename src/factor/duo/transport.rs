//! HTTPS to one host: one request, one answer, no redirects, no proxy but the one that is set, and never longer than
//! the time that is given.

use super::signing::Method;
use super::{DuoError, trust};
use crate::clock::rfc3339;
use crate::config;
use rustls::CertificateError;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};
use zeroize::Zeroizing;

/// The longest answer, in bytes. A user with a hundred devices has less than half of it.
const MAX_BODY: u64 = 64 * 1024;

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The buffers of a connection, in bytes: a head must fit.
const BUFFER: usize = 32 * 1024;

/// The longest text of an error of the libraries below, in characters: it may quote the other side.
const MAX_CAUSE: usize = 300;

/// A way to the API host.
pub(super) struct Transport {
    /// `HOST:PORT`, for errors and for URLs.
    place: String,
    config: ureq::config::Config,
    /// Holds the connection that is kept open from one request to the next.
    agent: RefCell<Agent>,
}

/// One request.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Encoded: they go into the query or into the body.
    pub(super) parameters: Zeroizing<String>,
    /// The headers `Date` and `Authorization`, where the request is signed.
    pub(super) signature: Option<(String, String)>,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// HTTP's.
    pub(super) status: u16,
    /// The headers `Retry-After` or `X-Retry-After`.
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Transport {
    /// Prepares the way to `host`; nothing is connected yet.
    pub(super) fn new(host: &str, settings: &config::Duo) -> Result<Self, DuoError> {
        let roots = trust::roots(settings.ca_file.as_ref())?;
        let proxy = match &settings.http_proxy {
            Some(address) => {
                let proxy = Proxy::new(address.as_str());
                let wrong =
                    |_| DuoError::Settings("[duo] http_proxy is not the address of a proxy".to_owned());
                Some(proxy.map_err(wrong)?)
            }
            None => None,
        };
        let config = configure(&roots, proxy);
        let agent = RefCell::new(config.new_agent());
        Ok(Self { place: format!("{host}:{}", settings.port.get()), config, agent })
    }

    /// `HOST:PORT`
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Makes a request and takes its whole answer; nothing where that takes longer than `time`.
    pub(super) fn exchange(&self, call: Call, time: Duration) -> Result<Option<Reply>, DuoError> {
        let mut url = format!("https://{}{}", self.place, call.path);
        if call.method == Method::Get && !call.parameters.is_empty() {
            url.push('?');
            url.push_str(&call.parameters);
        }
        let agent = self.agent.borrow().clone();
        let (answer, waiting) = mpsc::sync_channel(1);
        // In a thread of its own, which is left behind when the time is up. ureq's timeouts cannot do that: a proxy that
        // drips gets the whole time for each drop, and for a look-up of a name ureq starts a thread in any case, and
        // panics where the system has none to give. Without timeouts of its own it starts none.
        let work = move || {
            let _ = answer.send(talk(&agent, &url, &call));
        };
        thread::Builder::new().name("duo".to_owned()).spawn(work).map_err(|cause| {
            // Not "cannot be reached": too many logins at a time must not switch the second factor off.
            DuoError::Settings(format!(
                "no thread for a request to Duo: {cause}; raise the unit's TasksMax or LimitNPROC"
            ))
        })?;
        match waiting.recv_timeout(time) {
            Ok(result) => result.map(Some).map_err(|error| self.explain(&error)),
            Err(RecvTimeoutError::Timeout) => {
                // Ends whatever is still open; the next request starts afresh.
                self.agent.replace(self.config.new_agent()).shutdown();
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(DuoError::Settings(format!("{}: the request ended without a word", self.place)))
            }
        }
    }

    fn explain(&self, error: &ureq::Error) -> DuoError {
        if let Some(rustls::Error::InvalidCertificate(cause)) = tls_error(error) {
            let cause = describe_certificate(cause);
            return DuoError::Certificate(format!("{}: {cause}", self.place));
        }
        DuoError::Unreachable(format!("{}: {}{}", self.place, describe(error), self.way()))
    }

    /// The end of an error, where a proxy may be to blame.
    pub(super) fn way(&self) -> &'static str {
        if self.config.proxy().is_some() { ", by way of [duo] http_proxy" } else { "" }
    }
}

fn configure(roots: &[CertificateDer<'_>], proxy: Option<Proxy>) -> ureq::config::Config {
    let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    Agent::config_builder()
        // Also takes back what ureq has read from variables such as HTTPS_PROXY.
        .proxy(proxy)
        .https_only(true)
        .tls_config(tls)
        // A redirect is an answer like any other, and not one of Duo's.
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("openvpn-2fa/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .max_response_header_size(MAX_HEAD)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .build()
}

fn talk(agent: &Agent, url: &str, call: &Call) -> Result<Reply, ureq::Error> {
    let headers = call.signature.iter().flat_map(|(date, authorization)| {
        [("Date", date.as_str()), ("Authorization", authorization.as_str())]
    });
    let mut response = match call.method {
        Method::Get => {
            headers.fold(agent.get(url), |request, (name, value)| request.header(name, value)).call()?
        }
        Method::Post => headers
            .fold(agent.post(url), |request, (name, value)| request.header(name, value))
            .content_type("application/x-www-form-urlencoded")
            .send(call.parameters.as_str())?,
    };
    let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let retry_after = header("Retry-After").or_else(|| header("X-Retry-After"));
    let status = response.status().as_u16();
    // ureq's limit is reached by an answer of exactly that length.
    let body = response.body_mut().with_config().limit(MAX_BODY + 1).read_to_vec();
    let body = match status {
        // The status says enough, and a body that cannot be read must not turn a refusal into something milder.
        300..=499 => body.unwrap_or_default(),
        _ => body?,
    };
    Ok(Reply { status, retry_after, body })
}

/// What TLS says; it comes wrapped into an I/O error.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn describe_certificate(cause: &CertificateError) -> String {
    let clock = "or this machine's clock is wrong";
    match cause {
        CertificateError::UnknownIssuer => {
            "none of the authorities that are trusted for Duo has signed it; [duo] ca_file can name others"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            // `DnsName("a.example")`
            let names = presented.iter().map(|name| {
                name.split_once('(').map_or(&**name, |(_, name)| name.trim_end_matches(')').trim_matches('"'))
            });
            let names = printable(&names.collect::<Vec<_>>().join(" "));
            format!("it is for another name ({names}): check [duo] host")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired at {}, {clock}", rfc3339(not_after.as_secs()))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}, {clock}", rfc3339(not_before.as_secs()))
        }
        other => printable(other),
    }
}

fn describe(error: &ureq::Error) -> String {
    if let Some(tls) = tls_error(error) {
        return format!("TLS failed: {}", printable(tls));
    }
    match error {
        ureq::Error::BodyExceedsLimit(_) => format!("the answer is longer than {MAX_BODY} bytes"),
        ureq::Error::ConnectProxyFailed(cause) => {
            format!("the proxy does not connect ({})", printable(cause))
        }
        ureq::Error::Io(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
            "the connection was closed before the answer was complete".to_owned()
        }
        ureq::Error::Io(cause) => printable(cause),
        other => printable(other),
    }
}

/// A cause in one line of bounded length: it may quote what the other side sent.
fn printable(cause: &impl std::fmt::Display) -> String {
    let text: String = cause.to_string().chars().take(MAX_CAUSE).collect();
    crate::printable::text(&text)
}

#[cfg(test)]
mod tests;

//! What may be asked, and with which parameters. Whatever Duo would refuse is refused, and remembered as a fault.

use super::http::{Raw, Response};
use super::signature::Judge;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Duo refuses more (`pushinfo`, in bytes).
const PUSHINFO_LIMIT: usize = 20_000;

/// A place of the Auth API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    Ping,
    Check,
    Preauth,
    Auth,
    AuthStatus,
}

use Endpoint::{Auth, AuthStatus, Check, Ping, Preauth};

impl Endpoint {
    pub(crate) const ALL: [Self; 5] = [Ping, Check, Preauth, Auth, AuthStatus];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Ping => "/auth/v2/ping",
            Check => "/auth/v2/check",
            Preauth => "/auth/v2/preauth",
            Auth => "/auth/v2/auth",
            AuthStatus => "/auth/v2/auth_status",
        }
    }

    pub(crate) fn method(self) -> &'static str {
        match self {
            Ping | Check | AuthStatus => "GET",
            Preauth | Auth => "POST",
        }
    }

    fn known(self) -> &'static [&'static str] {
        match self {
            Ping | Check => &[],
            Preauth => &[
                "client_supports_verified_push",
                "hostname",
                "ipaddr",
                "text_prompt",
                "trusted_device_token",
                "username",
            ],
            Auth => &[
                "async",
                "device",
                "display_username",
                "factor",
                "hostname",
                "ipaddr",
                "passcode",
                "prompt",
                "pushinfo",
                "txid",
                "type",
                "username",
            ],
            AuthStatus => &["txid"],
        }
    }

    fn needed(self) -> &'static [&'static str] {
        match self {
            Ping | Check => &[],
            Preauth => &["username"],
            Auth => &["factor", "username"],
            AuthStatus => &["txid"],
        }
    }
}

/// The parameters of a request that was accepted.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Duo's no, and why in our words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) response: Response,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn credentials(code: u32, message: &str, why: &str) -> Self {
        Self { response: Response::fail(401, code, message, None), why: why.to_owned() }
    }

    /// Names the parameter, as Duo does.
    pub(super) fn parameter(name: &str, why: &str) -> Self {
        let response = Response::fail(400, 40002, "Invalid request parameters", Some(name));
        Self { response, why: format!("parameter {name}: {why}") }
    }

    pub(super) fn malformed(why: String) -> Self {
        Self { response: Response::fail(400, 40000, "Bad request", None), why }
    }
}

/// What the address tells: where the request goes.
pub(super) fn endpoint(raw: &Raw) -> Result<Endpoint, Refusal> {
    let Some(endpoint) = Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == raw.path) else {
        let response = Response::fail(404, 40401, "Resource not found", None);
        return Err(Refusal { response, why: format!("path {:?}", raw.path) });
    };
    if endpoint.method() != raw.method {
        let response = Response::fail(405, 40501, "Method not allowed", None);
        return Err(Refusal { response, why: format!("{} of {}", raw.method, raw.path) });
    }
    Ok(endpoint)
}

/// The parameters on the wire, in their order, decoded.
pub(super) fn parameters(raw: &Raw) -> Result<Vec<(String, String)>, Refusal> {
    let refused = |why: &str| Refusal::malformed(why.to_owned());
    let text = if raw.method == "POST" {
        if raw.query.is_some() {
            return Err(refused("a query with POST"));
        }
        let kind = raw.header("content-type").unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
            return Err(refused(&format!("Content-Type {kind:?}")));
        }
        std::str::from_utf8(&raw.body).map_err(|_| refused("a body that is not UTF-8"))?
    } else {
        if !raw.body.is_empty() {
            return Err(refused("a body with GET"));
        }
        raw.query.as_deref().unwrap_or_default()
    };
    pairs(text).ok_or_else(|| refused(&format!("parameters {text:?} are not form-encoded")))
}

/// Decodes `a=b&c=d`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((unescape(name)?, unescape(value)?))
    };
    text.split('&').map(pair).collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok()?[0]
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'*' => *first,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Checks a request in full, in the order in which Duo may be taken to: host, credentials, parameters.
pub(super) fn check(
    raw: &Raw,
    endpoint: Endpoint,
    parameters: &[(String, String)],
    judge: &Judge<'_>,
) -> Result<Parameters, Refusal> {
    if endpoint != Ping {
        judge.check(raw, parameters)?;
    }
    let mut accepted = Parameters::new();
    for (name, value) in parameters {
        if !endpoint.known().contains(&name.as_str()) {
            return Err(Refusal::parameter(name, "unknown"));
        }
        if accepted.insert(name.clone(), value.clone()).is_some() {
            return Err(Refusal::parameter(name, "twice"));
        }
    }
    for name in endpoint.needed() {
        if accepted.get(*name).is_none_or(String::is_empty) {
            return Err(Refusal::parameter(name, "missing or empty"));
        }
    }
    values(&accepted)?;
    if endpoint == Auth {
        companions(&accepted)?;
    }
    Ok(accepted)
}

fn values(parameters: &Parameters) -> Result<(), Refusal> {
    for (name, value) in parameters {
        let good = match name.as_str() {
            "ipaddr" => value.parse::<IpAddr>().is_ok(),
            "async" | "text_prompt" | "client_supports_verified_push" => matches!(value.as_str(), "0" | "1"),
            "pushinfo" => is_pushinfo(value),
            _ => !value.is_empty(),
        };
        if !good {
            return Err(Refusal::parameter(name, &format!("{value:?}")));
        }
    }
    Ok(())
}

/// URL-encoded pairs inside the parameter.
fn is_pushinfo(value: &str) -> bool {
    let named =
        |pairs: Vec<(String, String)>| !pairs.is_empty() && pairs.iter().all(|(name, _)| !name.is_empty());
    value.len() <= PUSHINFO_LIMIT && pairs(value).is_some_and(named)
}

/// Each factor has one parameter that says more, and must not have that of another factor.
fn companions(parameters: &Parameters) -> Result<(), Refusal> {
    let companion = match parameters["factor"].as_str() {
        "auto" | "push" | "phone" | "sms" => "device",
        "passcode" => "passcode",
        "prompt" => "prompt",
        other => return Err(Refusal::parameter("factor", &format!("{other:?} is unknown"))),
    };
    for name in ["device", "passcode", "prompt"] {
        if parameters.contains_key(name) != (name == companion) {
            let why = format!("with factor {}", parameters["factor"]);
            return Err(Refusal::parameter(name, &why));
        }
    }
    Ok(())
}

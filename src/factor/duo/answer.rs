//! What Duo's answers mean. Pure.
//!
//! Duo adds fields and words as it likes: what is missing, `null`, of another type or not known is passed over where
//! it is no decision, and a denial where it is one.

use super::json::Unambiguous;
use super::{Capability, Choices, Device, Event, Preauth, Prompt, Status, Transaction, Verdict};
use crate::clock::UnixTime;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// The longest text of Duo's that is passed on, in characters.
const MAX_TEXT: usize = 1_000;

/// The longest text of an error, in characters: two of them go into one line of the log.
const MAX_FAULT: usize = 300;

/// The longest name of a device, in characters: several stand in one line of a question.
const MAX_LABEL: usize = 40;

/// The longest identifier that is sent back to Duo, in bytes. Its own have 20 to 36.
const MAX_ID: usize = 256;

/// What is around every answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// `OK`, with what was asked for.
    Response(Value),
    /// `FAIL`
    Fault(Fault),
}

/// Why Duo refuses a request. Made printable.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Duo's number, such as 40102; 0 where there is none.
    pub(super) code: i64,
    /// Duo's words.
    pub(super) message: String,
    /// More of them: the parameter that is wrong.
    pub(super) detail: String,
}

impl Fault {
    /// Whether Duo says that our clock is wrong (40104, 40105).
    pub(super) fn is_about_the_clock(&self) -> bool {
        matches!(self.code, 40_104 | 40_105)
    }

    /// What to do about it, where that is known; `status` is that of HTTP.
    fn remedy(&self, status: u16) -> Option<&'static str> {
        match (self.code, status) {
            (40_101..=40_102, _) => Some("check [duo] ikey and skey"),
            (40_103, _) => Some("check [duo] skey, and that ikey and host belong to the same application"),
            (40_104..=40_105, _) => Some("set this machine's clock"),
            (_, 403) => Some("an application of the kind Auth API is needed: check [duo] ikey"),
            (_, 404 | 405) => Some("an application of the kind Auth API is needed: check [duo] host"),
            (_, 401) => Some("check [duo] ikey, skey and host"),
            _ => None,
        }
    }

    /// In one line: `HTTP 401, code 40102: Invalid integration key (…): check [duo] ikey and skey`.
    pub(super) fn describe(&self, status: u16) -> String {
        let mut text = format!("HTTP {status}");
        if self.code != 0 {
            let _ = write!(text, ", code {}", self.code);
        }
        if !self.message.is_empty() {
            let _ = write!(text, ": {}", self.message);
        }
        if !self.detail.is_empty() {
            let _ = write!(text, " ({})", self.detail);
        }
        if let Some(remedy) = self.remedy(status) {
            let _ = write!(text, ": {remedy}");
        }
        text
    }
}

/// Reads what is around an answer; nothing where it is no answer of Duo's.
pub(super) fn envelope(body: &[u8]) -> Option<Envelope> {
    #[derive(Deserialize)]
    struct Outer {
        stat: String,
        #[serde(default)]
        response: Unambiguous,
        #[serde(default)]
        code: Value,
        #[serde(default)]
        message: Value,
        #[serde(default)]
        message_detail: Value,
    }

    // serde_json ends at 128 levels, so that no answer can exhaust the stack.
    let outer: Outer = serde_json::from_slice(body).ok()?;
    match outer.stat.as_str() {
        "OK" => Some(Envelope::Response(outer.response.0)),
        "FAIL" => Some(Envelope::Fault(Fault {
            code: outer.code.as_i64().unwrap_or_default(),
            message: line(&outer.message).chars().take(MAX_FAULT).collect(),
            detail: line(&outer.message_detail).chars().take(MAX_FAULT).collect(),
        })),
        _ => None,
    }
}

/// The answer of `/auth/v2/preauth`.
pub(super) fn preauth(response: &Value) -> Preauth {
    let message = line(&response["status_msg"]);
    match response["result"].as_str() {
        Some("auth") => Preauth::Auth(choices(response)),
        Some("allow") => Preauth::Allow { message },
        Some("enroll") => {
            let portal = Some(line(&response["enroll_portal_url"])).filter(|url| !url.is_empty());
            Preauth::Enroll { message, portal }
        }
        _ => Preauth::Deny { message },
    }
}

/// The answer of `/auth/v2/auth`; nothing where it names no transaction.
pub(super) fn transaction(response: &Value) -> Option<Transaction> {
    identifier(&response["txid"]).map(Transaction)
}

/// The answer of `/auth/v2/auth_status`.
pub(super) fn status(response: &Value) -> Status {
    let verdict = match response["result"].as_str() {
        Some("waiting") => Verdict::Waiting,
        Some("allow") => Verdict::Allow,
        _ => Verdict::Deny,
    };
    let event = match response["status"].as_str() {
        Some("sms_sent") => Event::SmsSent,
        Some("timeout") => Event::Timeout,
        Some("fraud") => Event::Fraud,
        Some("locked_out") => Event::LockedOut,
        Some("bypass") => Event::Bypass,
        _ => Event::Other,
    };
    Status { verdict, event, message: line(&response["status_msg"]) }
}

/// The answer of `/auth/v2/ping` and `/auth/v2/check`.
pub(super) fn time(response: &Value) -> Option<UnixTime> {
    response["time"].as_u64()
}

fn choices(response: &Value) -> Choices {
    let devices = response["devices"].as_array().map(Vec::as_slice).unwrap_or_default();
    Choices {
        devices: devices.iter().filter_map(device).collect(),
        prompt: prompt(&response["prompt"]),
        transaction: transaction(response),
    }
}

/// A device; nothing where it has no name that could be sent back.
fn device(value: &Value) -> Option<Device> {
    let label = ["number", "name", "display_name"]
        .iter()
        .map(|key| line(&value[key]))
        .find(|label| !label.trim().is_empty())
        .unwrap_or_default();
    let capabilities = value["capabilities"].as_array().map(Vec::as_slice).unwrap_or_default();
    Some(Device {
        id: identifier(&value["device"])?,
        label: label.chars().take(MAX_LABEL).collect(),
        capabilities: capabilities.iter().filter_map(|word| capability(word.as_str()?)).collect(),
    })
}

fn capability(word: &str) -> Option<Capability> {
    match word {
        "auto" => Some(Capability::Auto),
        "push" => Some(Capability::Push),
        "sms" => Some(Capability::Sms),
        "phone" => Some(Capability::Phone),
        "mobile_otp" => Some(Capability::MobileOtp),
        _ => None,
    }
}

/// Duo's own prompt; nothing where it has no text.
fn prompt(value: &Value) -> Option<Prompt> {
    let text = value["text"].as_str().filter(|text| !text.trim().is_empty())?;
    // Line breaks are the prompt's own; each line is a text.
    let text = cut(text).lines().map(crate::printable::text).collect::<Vec<_>>().join("\n");
    let entries = value["factors"].as_object();
    let mut factors: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|(typed, sent)| Some((typed.as_str(), identifier(sent)?)))
        .filter(|(typed, _)| identifier(&Value::from(*typed)).is_some())
        .map(|(typed, sent)| (typed.to_owned(), sent))
        .collect();
    let default = factors.iter().position(|(typed, _)| typed == "default").map(|at| factors.remove(at).1);
    // An object has no order of its own: 1, 2 … 10.
    factors.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
    Some(Prompt { text, factors, default })
}

/// An identifier of Duo's, which goes back as it came: printable ASCII, not too long.
fn identifier(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// A text of Duo's for people, in one line and printable; empty where there is none.
fn line(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let spaced: String =
        cut(text).chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    crate::printable::text(spaced.trim())
}

/// The beginning of a text that is too long.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests;

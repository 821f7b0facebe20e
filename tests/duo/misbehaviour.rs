//! What the look-alike can be told to do wrong.

use super::http::Response;
use super::odd::Edit;
use super::request::Endpoint;
use std::time::Duration;
use time::OffsetDateTime;

/// One way to misbehave.
#[derive(Clone, Debug)]
pub(crate) enum Misbehaviour {
    /// Closes as soon as it has accepted.
    CloseOnAccept,
    /// Accepts, and is silent for ever.
    StallBeforeTls,
    /// Sends half of its part of the handshake, and no more.
    StallInTls,
    /// Knows nothing newer than TLS 1.1.
    Tls11,
    /// Answers in HTTP without TLS, whatever it is sent.
    PlainHttp,
    /// Carries the request out and closes, without a word.
    CloseAfterRequest,
    /// Carries the request out and is silent for ever.
    StallAfterRequest,
    /// Sends half of the right answer, says that there is more, and closes.
    Truncated,
    /// Sends the right answer, and white space behind it for ever.
    Endless,
    /// Sends the right answer, and so many bytes of white space behind it: right JSON all the same.
    Padded(usize),
    /// Sends the right answer, a byte at a time, with this pause between them.
    Drip(Duration),
    /// Sends the right answer, edited.
    Edited(Edit),
    /// Carries nothing out, and says that there were too many requests.
    RateLimited(RetryAfter),
    /// Carries nothing out, and sends this.
    Instead(Response),
}

/// What 429 says of when to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RetryAfter {
    Nothing,
    /// `Retry-After`, in seconds.
    Seconds(u64),
    /// `Retry-After`, as a date that far from now.
    Date(Duration),
    /// `X-Retry-After`, in seconds.
    ExtendedSeconds(u64),
    /// `X-Retry-After`, as a date that far from now.
    ExtendedDate(Duration),
    /// `Retry-After`, as nothing that can be read.
    Garbage,
}

/// When to misbehave, and how. The oldest that fits is taken.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    misbehaviour: Misbehaviour,
    endpoint: Option<Endpoint>,
    left: Option<usize>,
}

impl Misbehaviour {
    /// For every connection or request from now on.
    pub(crate) fn always(self) -> Rule {
        Rule { misbehaviour: self, endpoint: None, left: None }
    }

    /// For the next so many.
    pub(crate) fn times(self, count: usize) -> Rule {
        Rule { left: Some(count), ..self.always() }
    }

    /// A status with a page of a gateway's, without Duo's envelope.
    pub(crate) fn status(status: u16) -> Self {
        Self::Instead(Response::new(status, "text/html", format!("<html><h1>{status}</h1></html>\n")))
    }

    /// A status in Duo's envelope.
    pub(crate) fn refusal(status: u16, code: u32, message: &str) -> Self {
        Self::Instead(Response::fail(status, code, message, Some("of a test")))
    }

    /// 200, and an envelope with a `stat` that nobody knows.
    pub(crate) fn unknown_stat() -> Self {
        Self::Instead(Response::new(
            200,
            "application/json",
            r#"{"stat":"PERHAPS","response":{"result":"allow"}}"#,
        ))
    }

    /// 200, and bytes that are neither JSON nor text.
    pub(crate) fn garbage() -> Self {
        Self::Instead(Response::new(200, "application/json", [0, 0xff, b'{', 0x80, b'"', 0x1b, b'[', b'\n']))
    }

    /// 200, and nothing.
    pub(crate) fn empty() -> Self {
        Self::Instead(Response::new(200, "application/json", ""))
    }

    /// Elsewhere.
    pub(crate) fn redirect(status: u16, url: &str) -> Self {
        Self::Instead(Response::new(status, "text/html", "").with_header("Location", url))
    }

    fn is_of_connection(&self) -> bool {
        use Misbehaviour::{CloseOnAccept, PlainHttp, StallBeforeTls, StallInTls, Tls11};
        matches!(self, CloseOnAccept | StallBeforeTls | StallInTls | Tls11 | PlainHttp)
    }
}

impl Rule {
    /// At this endpoint only. Misbehaviour before a request has come knows no endpoint.
    pub(crate) fn at(mut self, endpoint: Endpoint) -> Self {
        assert!(!self.misbehaviour.is_of_connection(), "{:?} comes before a request", self.misbehaviour);
        self.endpoint = Some(endpoint);
        self
    }

    /// Takes the misbehaviour for a new connection.
    pub(super) fn take_for_connection(rules: &mut [Self]) -> Option<Misbehaviour> {
        Self::take(rules, |rule| rule.misbehaviour.is_of_connection())
    }

    /// Takes the misbehaviour for a request.
    pub(super) fn take_for_request(rules: &mut [Self], endpoint: Option<Endpoint>) -> Option<Misbehaviour> {
        Self::take(rules, |rule| {
            !rule.misbehaviour.is_of_connection() && (rule.endpoint.is_none() || rule.endpoint == endpoint)
        })
    }

    fn take(rules: &mut [Self], fits: impl Fn(&Self) -> bool) -> Option<Misbehaviour> {
        let place = rules.iter().position(|rule| rule.left != Some(0) && fits(rule))?;
        let rule = &mut rules[place];
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.misbehaviour.clone())
    }
}

impl RetryAfter {
    /// The answer with the header.
    pub(super) fn response(self) -> Response {
        let response = Response::fail(429, 42901, "Too Many Requests", None);
        match self {
            Self::Nothing => response,
            Self::Seconds(seconds) => response.with_header("Retry-After", seconds.to_string()),
            Self::Date(delay) => response.with_header("Retry-After", http_date(delay)),
            Self::ExtendedSeconds(seconds) => response.with_header("X-Retry-After", seconds.to_string()),
            Self::ExtendedDate(delay) => response.with_header("X-Retry-After", http_date(delay)),
            Self::Garbage => response.with_header("Retry-After", "when it is convenient"),
        }
    }
}

/// The machine's time and a delay, in the form of RFC 9110, section 5.6.7.
fn http_date(delay: Duration) -> String {
    let time = OffsetDateTime::now_utc() + delay;
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (hour, minute, second) = time.to_hms();
    let (day, year) = (time.day(), time.year());
    format!("{}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", &weekday[..3], &month[..3])
}

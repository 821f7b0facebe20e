//! HTTP/1.1, as much of it as a client of Duo's needs, and no laxer than that.

use std::io::{BufRead, Read, Write};

/// Longer than anything that the product has to say.
const HEAD_LIMIT: u64 = 32 * 1024;
const BODY_LIMIT: usize = 256 * 1024;

/// A request as it came.
pub(super) struct Raw {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no request.
pub(super) enum Unreadable {
    /// The peer sent nothing (more).
    Closed,
    /// Not HTTP as it should be.
    Malformed(String),
}

impl Raw {
    /// The only value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection is to be closed after the answer.
    pub(super) fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads a request to its end.
pub(super) fn read(input: &mut impl BufRead) -> Result<Raw, Unreadable> {
    let mut head = input.take(HEAD_LIMIT);
    let line = read_line(&mut head)?;
    let mut raw = request_line(&line).ok_or_else(|| malformed(&format!("request line {line:?}")))?;
    loop {
        let line = read_line(&mut head).map_err(|_| malformed("head without an end"))?;
        if line.is_empty() {
            break;
        }
        let header = header(&line).ok_or_else(|| malformed(&format!("header {line:?}")))?;
        if raw.header(&header.0).is_some() {
            return Err(malformed(&format!("header {} twice", header.0)));
        }
        raw.headers.push(header);
    }
    raw.body = read_body(&raw, input)?;
    Ok(raw)
}

fn malformed(what: &str) -> Unreadable {
    Unreadable::Malformed(what.to_owned())
}

fn read_line(input: &mut impl BufRead) -> Result<String, Unreadable> {
    let mut line = Vec::new();
    if input.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
        return Err(Unreadable::Closed);
    }
    let line = String::from_utf8(line).map_err(|_| malformed("bytes that are not UTF-8"))?;
    let line = line.strip_suffix("\r\n").ok_or_else(|| malformed(&format!("line end of {line:?}")))?;
    Ok(line.to_owned())
}

fn request_line(line: &str) -> Option<Raw> {
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let path = path.starts_with('/').then(|| path.to_owned())?;
    Some(Raw { method: method.to_owned(), path, query, headers: Vec::new(), body: Vec::new() })
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    good.then(|| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

fn read_body(raw: &Raw, input: &mut impl BufRead) -> Result<Vec<u8>, Unreadable> {
    match (raw.header("content-length"), raw.header("transfer-encoding")) {
        (None, None) => Ok(Vec::new()),
        (Some(length), None) => {
            let length = length.parse().map_err(|_| malformed(&format!("Content-Length {length:?}")))?;
            read_exactly(length, input)
        }
        (None, Some("chunked")) => read_chunks(input),
        (length, coding) => Err(malformed(&format!("Content-Length {length:?} and coding {coding:?}"))),
    }
}

fn read_exactly(length: usize, input: &mut impl Read) -> Result<Vec<u8>, Unreadable> {
    if length > BODY_LIMIT {
        return Err(malformed(&format!("body of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).map_err(|error| malformed(&format!("body cut off: {error}")))?;
    Ok(bytes)
}

fn read_chunks(input: &mut impl BufRead) -> Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    loop {
        let size = read_line(input)?;
        let length = usize::from_str_radix(&size, 16).map_err(|_| malformed(&format!("chunk {size:?}")))?;
        if body.len().saturating_add(length) > BODY_LIMIT {
            return Err(malformed("body too long"));
        }
        body.extend(read_exactly(length, input)?);
        if !read_line(input)?.is_empty() {
            return Err(malformed("chunk longer than said"));
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// An answer with any body.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// Duo's envelope around something that went well.
    pub(crate) fn ok(response: &serde_json::Value) -> Self {
        let envelope = serde_json::json!({ "stat": "OK", "response": response });
        Self::new(200, "application/json", envelope.to_string())
    }

    /// Duo's envelope around a refusal.
    pub(crate) fn fail(status: u16, code: u32, message: &str, detail: Option<&str>) -> Self {
        let mut envelope = serde_json::json!({ "stat": "FAIL", "code": code, "message": message });
        if let Some(detail) = detail {
            envelope["message_detail"] = detail.into();
        }
        Self::new(status, "application/json", envelope.to_string())
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Everything up to the body.
    pub(super) fn head(&self, framing: &Framing) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        match framing {
            Framing::Length(length) => head.extend(["Content-Length: ", &length.to_string(), "\r\n\r\n"]),
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n\r\n"),
        }
        head.into_bytes()
    }

    pub(super) fn send(&self, output: &mut impl Write) -> std::io::Result<()> {
        // In one piece: one record and one segment, where it fits.
        let framing = Framing::Length(self.body.len());
        output.write_all(&[self.head(&framing).as_slice(), &self.body].concat())?;
        output.flush()
    }
}

/// How the end of a body is told.
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Unnamed",
    }
}

/// Reads a CONNECT request (RFC 9110, section 9.3.6); where to. `None` when nothing came.
pub(super) fn read_connect(input: &mut impl BufRead) -> Result<String, Option<String>> {
    let fault = |unreadable| match unreadable {
        Unreadable::Closed => None,
        Unreadable::Malformed(what) => Some(what),
    };
    let line = read_line(input).map_err(fault)?;
    // OpenSSL's client says 1.0.
    let ["CONNECT", asked, "HTTP/1.0" | "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Some(format!("request line {line:?}")));
    };
    while !read_line(input).map_err(fault)?.is_empty() {}
    Ok(asked.to_owned())
}

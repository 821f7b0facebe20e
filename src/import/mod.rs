//! Enrolments of other programs, read from their files. Pure: bytes in, what was found and what was not read out.
//!
//! One file a format. Every parser takes bytes that anybody may have written: it has limits, it executes nothing, and it
//! goes on after an entry that it cannot read. Reasons hold no secrets.

mod encoding;
mod google;
mod migration;
mod oath;
mod openvpn_otp;
mod pickle;
mod rows;
mod uris;

pub use encoding::base32;
pub use migration::{Part, missing_parts};
pub use rows::{Cell, Row};

use crate::clock::UnixTime;
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::secret::SecretBytes;
use std::fmt;

/// The longest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The longest line of a text format, in bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// The most entries of one file; the rest is an error, not cut silently.
pub const MAX_ENTRIES: usize = 100_000;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `~/.google_authenticator` of libpam-google-authenticator; one file a user
    GoogleAuthenticator,
    /// `users.oath` of `pam_oath` (oath-toolkit)
    Oath,
    /// `otp-secrets` of openvpn-otp and ppp-otp
    OpenvpnOtp,
    /// A Python pickle of a dictionary: user to base32 secret
    Pickle,
    /// An SQLite database with a column of users and one of secrets
    Sqlite,
    /// A list of otpauth:// URIs, one a line; also an encrypted `export`
    Uris,
    /// Google Authenticator's export, otpauth-migration:// URIs, one a line
    Migration,
}

/// What a format does not say, and the time of day.
#[derive(Debug, Clone, Copy)]
pub struct Assumed {
    /// The time of day.
    pub now: UnixTime,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
}

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line, counted from 1.
    Line(usize),
    /// An entry of a file without lines, counted from 1.
    Entry(usize),
    /// A byte, counted from 0.
    Byte(usize),
}

impl fmt::Display for Place {
    /// What follows the name of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Entry(entry) => write!(f, ": entry {entry}"),
            Self::Byte(byte) => write!(f, ": byte {byte}"),
        }
    }
}

/// An enrolment that was found.
pub struct Found {
    /// Where.
    pub place: Place,
    /// Whose it is; `None` where the file does not say.
    pub user: Option<UserName>,
    /// The service's name; empty where there is none.
    pub issuer: String,
    /// The shared secret, at least [`crate::factor::totp::MIN_SECRET_BYTES`] long.
    pub secret: SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code, 6 to 8.
    pub digits: u8,
    /// Seconds of a step, 1 to 86400.
    pub period: u32,
    /// The last step that was used, as far as the file tells.
    pub last_step: Option<u64>,
    /// Codes for emergencies that stay behind: their form is another one here.
    pub scratch_codes: usize,
}

/// Something that was not read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub place: Place,
    /// Why. Not safe for a terminal: it may quote the file, though no secret of it.
    pub reason: String,
}

/// What a file came to.
#[derive(Default)]
pub struct Contents {
    /// What can be taken over.
    pub found: Vec<Found>,
    /// What cannot.
    pub unread: Vec<Unread>,
    /// Which parts of exports in several parts are in it.
    pub parts: Vec<Part>,
}

impl Contents {
    fn add(&mut self, place: Place, result: Result<Found, String>) {
        match result {
            Ok(found) => self.found.push(Found { place, ..found }),
            Err(reason) => self.unread.push(Unread { place, reason }),
        }
    }

    fn unread(place: Place, reason: impl Into<String>) -> Self {
        Self { unread: vec![Unread { place, reason: reason.into() }], ..Self::default() }
    }

    /// The number of things looked at.
    fn len(&self) -> usize {
        self.found.len() + self.unread.len()
    }
}

/// What the bytes look like; `None` when like nothing known.
#[must_use]
pub fn guess(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"SQLite format 3\0") {
        return Some(Format::Sqlite);
    }
    if pickle::looks_like_it(bytes) {
        return Some(Format::Pickle);
    }
    // A byte that is no text further down is a matter of its line.
    let text = bytes.utf8_chunks().next()?.valid();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if google::looks_like_it(text) {
        return Some(Format::GoogleAuthenticator);
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is = |looks: fn(&str) -> bool| looks(first);
    if is(uris::looks_like_it) {
        Some(Format::Uris)
    } else if is(migration::looks_like_it) {
        Some(Format::Migration)
    } else if is(oath::looks_like_it) {
        Some(Format::Oath)
    } else if is(openvpn_otp::looks_like_it) {
        Some(Format::OpenvpnOtp)
    } else {
        None
    }
}

/// Reads a file of any format but SQLite, whose rows come from elsewhere ([`read_rows`]).
#[must_use]
pub fn read(format: Format, bytes: &[u8], assumed: Assumed) -> Contents {
    match format {
        Format::GoogleAuthenticator => google::read(bytes, assumed),
        Format::Oath => oath::read(bytes, assumed),
        Format::OpenvpnOtp => openvpn_otp::read(bytes, assumed),
        Format::Pickle => pickle::read(bytes, assumed),
        Format::Uris | Format::Migration => uris::read(bytes),
        Format::Sqlite => Contents::unread(Place::File, "not read as text"),
    }
}

/// Reads the rows of a table.
#[must_use]
pub fn read_rows(rows: Vec<Row>, assumed: Assumed) -> Contents {
    rows::read(rows, assumed)
}

/// Goes through the lines of a text that say something: no empty ones, no comments.
fn each_line(bytes: &[u8], mut read: impl FnMut(&mut Contents, Place, &str)) -> Contents {
    let mut contents = Contents::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let place = Place::Line(index + 1);
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if contents.len() >= MAX_ENTRIES {
            contents.add(place, Err(format!("more than {MAX_ENTRIES} entries, the rest is not read")));
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            contents.add(place, Err(format!("longer than {MAX_LINE_BYTES} bytes")));
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(line) => read(&mut contents, place, line),
            Err(_) => contents.add(place, Err("not UTF-8".to_owned())),
        }
    }
    contents
}

/// A name of a user, as `enroll` takes them.
fn user(text: &str) -> Result<UserName, String> {
    text.parse().map_err(|error: crate::name::NameError| error.to_string())
}

fn digits(number: u64) -> Result<u8, String> {
    match number {
        6..=8 => Ok(u8::try_from(number).unwrap_or(6)),
        _ => Err(format!("codes of {number} digits; 6 to 8 are possible")),
    }
}

fn period(number: u64) -> Result<u32, String> {
    match u32::try_from(number) {
        Ok(seconds @ 1..=86_400) => Ok(seconds),
        _ => Err(format!("steps of {number} seconds; 1 to 86400 are possible")),
    }
}

const COUNTER_BASED: &str =
    "codes by counter (HOTP) are not supported, only by time (TOTP): enrol this user anew";

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

//! The log: one line of `key=value` pairs a decision, to syslog (which the journal reads too), facility `auth`;
//! to standard error where there is no syslog.
//!
//! A line is made of typed pairs, and no type of a secret can become one. Values from outside are quoted and made safe,
//! so that nobody can write a second line or a second pair.

mod read;

pub use read::pairs;

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;

/// How much a line matters; the number is syslog's severity (RFC 5424, table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong with the installation: nobody, or fewer than should, get in.
    Error = 3,
    /// Somebody should look at this.
    Warning = 4,
    /// The ordinary course of things.
    Info = 6,
}

/// syslog's facility `auth` (RFC 5424, table 1).
const FACILITY: u8 = 4;

/// Where syslog listens.
const SOCKET: &str = "/dev/log";

/// The longest line, so that no log daemon cuts it.
const MAX_BYTES: usize = 1_800;

/// The most that a text of the client's takes of a line, as it is written. Three of them, an address and a detail leave
/// room for the rest, so that no client can push the outcome over the edge of its line.
const MAX_CLAIM: usize = 256;

/// A line that is being put together.
#[derive(Debug)]
#[must_use = "a line that is not written is lost"]
pub struct Entry {
    level: Level,
    text: String,
}

impl Entry {
    /// Begins a line about `event`, one of a small set of fixed words.
    pub fn new(level: Level, event: &'static str) -> Self {
        Self { level, text: format!("event={event}") }
    }

    /// Adds a pair. `key` is a fixed word; `value` may come from outside.
    pub fn pair(self, key: &'static str, value: impl Display) -> Self {
        self.push(key, &value.to_string(), usize::MAX)
    }

    /// Adds a pair whose value the client chose, as long as it liked: what is too long ends in `...`.
    pub fn claim(self, key: &'static str, value: &str) -> Self {
        self.push(key, value, MAX_CLAIM)
    }

    /// Adds such a pair where there is a value.
    pub fn maybe_claim(self, key: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.claim(key, value),
            None => self,
        }
    }

    fn push(mut self, key: &'static str, value: &str, limit: usize) -> Self {
        self.text.push(' ');
        self.text.push_str(key);
        self.text.push('=');
        push_value(&mut self.text, value, limit);
        self
    }

    /// Adds a pair where there is a value.
    pub fn maybe(self, key: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.pair(key, value),
            None => self,
        }
    }

    /// The line as it will be written, without the frame of the log daemon.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the line. Never waits, and never fails the caller: a door does not stay open or shut because a log is full.
    pub fn write(self) {
        let mut text = self.text;
        if text.len() > MAX_BYTES {
            let cut = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(cut);
            text.push_str("...");
        }
        if to_syslog(self.level, &text).is_err() {
            let _ = writeln!(std::io::stderr(), "openvpn-2fa: {text}");
        }
    }
}

/// Whether there is a syslog to write to.
#[must_use]
pub fn has_syslog() -> bool {
    // A socket that nobody reads is no syslog.
    UnixDatagram::unbound().and_then(|socket| socket.connect(SOCKET)).is_ok()
}

fn to_syslog(level: Level, text: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SOCKET)?;
    // Without a time: the daemon knows it, and formatting local time is what a small program should leave alone.
    let priority = FACILITY * 8 + level as u8;
    let message = format!("<{priority}>openvpn-2fa[{}]: {text}", std::process::id());
    socket.send(message.as_bytes()).map(drop)
}

/// Plain words stand as they are; everything else is quoted, with `"`, `\` and what is not printable escaped. What would
/// take more than `limit` bytes between the quotes is cut, and not within an escape.
fn push_value(line: &mut String, value: &str, limit: usize) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/+-,".contains(&byte);
    if !value.is_empty() && value.len() <= limit && value.bytes().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    let start = line.len();
    for character in value.chars() {
        let before = line.len();
        match character {
            '"' | '\\' => {
                line.push('\\');
                line.push(character);
            }
            ' '..='~' => line.push(character),
            other => {
                let _ = write!(line, "\\u{{{:x}}}", u32::from(other));
            }
        }
        if line.len() - start > limit {
            line.truncate(before);
            line.push_str("...");
            break;
        }
    }
    line.push('"');
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_from_outside_cannot_start_a_pair_or_a_line() {
        for (value, written) in [
            ("alice", "user=alice"),
            ("2001:db8::1", "user=2001:db8::1"),
            ("", "user=\"\""),
            ("a outcome=accept", "user=\"a outcome=accept\""),
            ("a\" outcome=\"accept", "user=\"a\\\" outcome=\\\"accept\""),
            ("a\\", "user=\"a\\\\\""),
            ("a\nevent=login", "user=\"a\\u{a}event=login\""),
            ("\x1b[2Jj\u{f6}rg", "user=\"\\u{1b}[2Jj\\u{f6}rg\""),
            ("a=b", "user=\"a=b\""),
        ] {
            let entry = Entry::new(Level::Info, "login").pair("user", value);
            assert_eq!(entry.text(), format!("event=login {written}"));
        }
    }
    #[test]
    fn a_client_cannot_push_the_rest_of_its_line_over_the_edge() {
        for text in ["a", "\"", "\\", "\u{10ffff}", "\u{e4}", "x="] {
            for length in [MAX_CLAIM / 2, MAX_CLAIM, MAX_CLAIM + 1, 4_096] {
                let claimed = text.repeat(length);
                let entry = Entry::new(Level::Info, "login")
                    .claim("user", &claimed)
                    .claim("common_name", &claimed)
                    .maybe_claim("software", Some(&claimed))
                    .pair("outcome", "reject");
                let line = entry.text();
                assert!(line.len() <= MAX_BYTES / 2, "{}", line.len());
                assert!(line.ends_with(" outcome=reject"), "{line}");
                // An escape that was cut would swallow a quote.
                let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes % 2, 0, "{line}");
            }
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        let entry = Entry::new(Level::Info, "login").claim("user", &"a".repeat(MAX_CLAIM + 1));
        assert_eq!(entry.text(), format!("event=login user=\"{}...\"", "a".repeat(MAX_CLAIM)));
        let entry = Entry::new(Level::Info, "login").claim("user", &"a".repeat(MAX_CLAIM));
        assert_eq!(entry.text(), format!("event=login user={}", "a".repeat(MAX_CLAIM)));
    }
}

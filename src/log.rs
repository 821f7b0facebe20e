//! The log: one line of `key=value` pairs a decision, to syslog (which the journal reads too), facility `auth`;
//! to standard error where there is no syslog.
//!
//! A line is made of typed pairs, and no type of a secret can become one. Values from outside are quoted and made safe,
//! so that nobody can write a second line or a second pair.

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
    pub fn pair(mut self, key: &'static str, value: impl Display) -> Self {
        let value = value.to_string();
        self.text.push(' ');
        self.text.push_str(key);
        self.text.push('=');
        push_value(&mut self.text, &value);
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

/// Plain words stand as they are; everything else is quoted, with `"`, `\` and what is not printable escaped.
fn push_value(line: &mut String, value: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/+-,".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for character in value.chars() {
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
}

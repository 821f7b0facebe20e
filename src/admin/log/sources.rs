//! Where the system keeps what was logged: the journal, or files of a syslog daemon.
//!
//! Anybody may write to the log under any name. The journal knows who wrote a line, so those of other users are passed
//! over there. A file does not know, but in it the name of the program stands at a fixed place, and what a user typed comes
//! after it.

use crate::clock;
use crate::config::Settings;
use crate::log;
use anyhow::Context;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the program calls itself there.
const IDENTIFIER: &str = "openvpn-2fa";

/// Where syslog daemons put what is of the facility `auth`, the older file first.
const FILES: [&str; 2] = ["/var/log/auth.log.1", "/var/log/auth.log"];

/// The longest line that is looked at, in bytes: much longer than ours.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// A line of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When it was written, as the log says it.
    pub(super) time: String,
    /// What it says.
    pub(super) pairs: Vec<(String, String)>,
}

impl Line {
    fn of(time: &str, message: &str) -> Option<Self> {
        let pairs = log::pairs(message)?.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Some(Self { time: time.to_owned(), pairs })
    }

    /// The value of a key, where the line has it.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// The newest of the lines that are wanted, up to a number.
pub(super) struct Newest<'a> {
    number: usize,
    is_wanted: &'a dyn Fn(&Line) -> bool,
    lines: VecDeque<Line>,
}

impl<'a> Newest<'a> {
    pub(super) fn new(number: usize, is_wanted: &'a dyn Fn(&Line) -> bool) -> Self {
        Self { number, is_wanted, lines: VecDeque::new() }
    }

    /// The lines, oldest first.
    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines.into()
    }

    /// Takes a line that is newer than those before it.
    fn newer(&mut self, line: Line) {
        if (self.is_wanted)(&line) {
            self.lines.push_back(line);
        }
        if self.lines.len() > self.number {
            self.lines.pop_front();
        }
    }

    /// Takes a line that is older than those before it.
    fn older(&mut self, line: Line) {
        if !self.is_full() && (self.is_wanted)(&line) {
            self.lines.push_front(line);
        }
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= self.number
    }
}

/// Reads what the machine has. Returns where that was.
pub(super) fn system(settings: &Settings, newest: &mut Newest<'_>) -> String {
    let mut looked_in = Vec::new();
    if journal(&trusted(settings), newest).is_ok() {
        looked_in.push(format!("the journal (journalctl --identifier {IDENTIFIER})"));
        if !newest.lines.is_empty() {
            return looked_in.join(", ");
        }
    }
    for file in FILES {
        if let Ok(file) = self::file(Path::new(file), newest) {
            looked_in.push(file);
        }
    }
    if looked_in.is_empty() {
        return format!("any log: there is no journal here, and no {} that can be read (as root?)", FILES[1]);
    }
    looked_in.join(", ")
}

/// The users whose lines are believed: root, this one, and the one that hooks run as, which is that of the database.
fn trusted(settings: &Settings) -> Vec<u32> {
    let database = std::fs::metadata(&settings.totp.token_db_path);
    let ours = rustix::process::geteuid().as_raw();
    [0, ours].into_iter().chain(database.map(|database| database.uid())).collect()
}

fn journal(trusted: &[u32], newest: &mut Newest<'_>) -> io::Result<()> {
    let mut journalctl = Command::new("journalctl")
        .args(["--identifier", IDENTIFIER, "--output", "json", "--output-fields", "MESSAGE,_UID"])
        .args(["--reverse", "--no-pager", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(output) = journalctl.stdout.take() {
        each_line(BufReader::new(output), |line| {
            if let Some(line) = of_journal(line, trusted) {
                newest.older(line);
            }
            !newest.is_full()
        })?;
    }
    // It may have more to say, which nobody wants to know.
    let _ = journalctl.kill();
    let status = journalctl.wait()?;
    if newest.is_full() || status.success() { Ok(()) } else { Err(io::Error::other("journalctl failed")) }
}

/// A line of `journalctl --output json` (systemd's "Journal JSON Format").
fn of_journal(line: &[u8], trusted: &[u32]) -> Option<Line> {
    let entry: Value = serde_json::from_slice(line).ok()?;
    let uid: u32 = entry.get("_UID")?.as_str()?.parse().ok()?;
    if !trusted.contains(&uid) {
        return None;
    }
    let microseconds: u64 = entry.get("__REALTIME_TIMESTAMP")?.as_str()?.parse().ok()?;
    Line::of(&clock::rfc3339(microseconds / 1_000_000), entry.get("MESSAGE")?.as_str()?)
}

/// Reads a file of a syslog daemon. Returns its name.
pub(super) fn file(path: &Path, newest: &mut Newest<'_>) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    each_line(BufReader::new(file), |line| {
        if let Some(line) = of_syslog(&String::from_utf8_lossy(line)) {
            newest.newer(line);
        }
        true
    })
    .with_context(|| name.clone())?;
    Ok(name)
}

/// A line of a syslog daemon: `Nov 21 21:07:48 host openvpn-2fa[4711]: event=…`, or with a time by RFC 3339. The host is one
/// word, so a name that somebody typed is never taken for that of the program.
fn of_syslog(line: &str) -> Option<Line> {
    let dated = |bytes: &str| bytes.starts_with(|first: char| first.is_ascii_digit());
    let (time, rest) = if dated(line) {
        line.split_once(' ')?
    } else {
        // RFC 3164, section 4.1.2: `Mmm dd hh:mm:ss`, 15 bytes.
        (line.get(..15)?, line.get(15..)?.strip_prefix(' ')?)
    };
    let (_host, rest) = rest.split_once(' ')?;
    let rest = rest.strip_prefix(IDENTIFIER)?;
    let (process, message) = rest.split_once(": ")?;
    let number = process.strip_prefix('[').and_then(|process| process.strip_suffix(']'));
    let is_ours =
        process.is_empty() || number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
    if is_ours { Line::of(time, message) } else { None }
}

/// Goes through lines until `read` has had enough. Those that are too long are passed over.
fn each_line(mut input: impl BufRead, mut read: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let limit = MAX_LINE_BYTES as u64 + 1;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() > MAX_LINE_BYTES {
            input.skip_until(b'\n')?;
            continue;
        }
        if !read(line.trim_ascii_end()) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(newest: Newest<'_>) -> Vec<String> {
        newest.into_lines().into_iter().map(|line| line.time).collect()
    }

    #[test]
    fn lines_of_the_journal_are_read_and_those_of_other_users_are_not() {
        let entry = |uid: &str, message: &str| {
            let entry = serde_json::json!({
                "__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1795295268123456", "_UID": uid, "MESSAGE": message,
            });
            of_journal(entry.to_string().as_bytes(), &[0, 990])
        };
        let message = "event=login user=alice outcome=accept";
        for uid in ["0", "990"] {
            let line = entry(uid, message).unwrap();
            assert_eq!((line.time.as_str(), line.value("user")), ("2026-11-21T21:07:48Z", Some("alice")));
        }
        for (uid, message) in [("1000", message), ("", message), ("0", "Accepted password for alice")] {
            assert_eq!(entry(uid, message), None, "{uid} {message}");
        }
        for line in ["", "{}", "[]", r#"{"MESSAGE":"event=login","__REALTIME_TIMESTAMP":"1795295268123456"}"#]
        {
            assert_eq!(of_journal(line.as_bytes(), &[0]), None, "{line}");
        }
    }

    #[test]
    fn lines_of_a_syslog_daemon_are_read_in_both_forms() {
        for (line, time) in [
            ("Nov 21 21:07:48 gate openvpn-2fa[4711]: event=login user=alice", "Nov 21 21:07:48"),
            ("Nov  1 01:07:48 gate openvpn-2fa: event=login user=alice", "Nov  1 01:07:48"),
            (
                "2026-11-21T21:07:48.123456+01:00 gate openvpn-2fa[4711]: event=login user=alice",
                "2026-11-21T21:07:48.123456+01:00",
            ),
        ] {
            let read = of_syslog(line).unwrap();
            assert_eq!((read.time.as_str(), read.value("user")), (time, Some("alice")));
        }
    }

    #[test]
    fn what_somebody_typed_elsewhere_is_not_taken_for_a_line_of_ours() {
        for line in [
            "Nov 21 21:07:48 gate sshd[1]: Invalid user gate openvpn-2fa[1]: event=login user=alice from 192.0.2.1",
            "2026-11-21T21:07:48Z gate sshd[1]: x openvpn-2fa[1]: event=login user=alice",
            "Nov 21 21:07:48 gate openvpn-2fa[1] x]: event=login user=alice",
            "Nov 21 21:07:48 gate openvpn-2fax[1]: event=login user=alice",
            "Nov 21 21:07:48 gate openvpn-2fa[x]: event=login user=alice",
            "Nov 21 21:07:48 gate openvpn-2fa[1]: pam_unix: event=login user=alice",
            "\u{674e}\u{674e}\u{674e}\u{674e}\u{674e}\u{674e} gate openvpn-2fa[1]: event=login",
            "openvpn-2fa[1]: event=login user=alice",
            "",
        ] {
            assert_eq!(of_syslog(line), None, "{line}");
        }
    }

    #[test]
    fn the_newest_are_kept_from_either_end() {
        let line = |time: usize| Line { time: time.to_string(), pairs: Vec::new() };
        let odd = |line: &Line| line.time.parse::<usize>().unwrap() % 2 == 1;
        let mut newest = Newest::new(3, &odd);
        (0..10).for_each(|time| newest.newer(line(time)));
        assert_eq!(times(newest), ["5", "7", "9"]);
        let mut newest = Newest::new(3, &odd);
        (0..10).rev().for_each(|time| newest.older(line(time)));
        assert_eq!(times(newest), ["5", "7", "9"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let long = "x".repeat(MAX_LINE_BYTES * 3);
        let text = format!("one\n{long}\ntwo\r\n{}", "y".repeat(MAX_LINE_BYTES));
        let mut seen = Vec::new();
        each_line(text.as_bytes(), |line| {
            seen.push(line.len());
            true
        })
        .unwrap();
        assert_eq!(seen, [3, 3, MAX_LINE_BYTES]);
    }
}

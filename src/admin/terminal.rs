//! What is special about a terminal: its colours, and what is typed at it.

use crate::files;
use crate::secret::{ExposeSecret, SecretString};
use anyhow::{Context, bail};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use zeroize::Zeroizing;

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 4096;

/// Whether there are to be colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// A terminal, and nobody has set `NO_COLOR`.
    Yes,
    /// Anything else.
    No,
}

/// Whether what is written to `stream` may have colours (no-color.org).
pub(super) fn colours(stream: &impl IsTerminal) -> Colours {
    let plain = std::env::vars_os().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    if stream.is_terminal() && !plain { Colours::Yes } else { Colours::No }
}

/// How many columns the terminal of standard output has.
pub(super) fn columns() -> usize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
}

/// How far something has come that takes a while; nothing is shown where standard error is no terminal, or it is soon done.
pub(super) struct Progress {
    what: &'static str,
    done: usize,
    all: usize,
    shown: bool,
}

impl Progress {
    /// Fewer are not worth a bar.
    const WORTH: usize = 10;

    /// The width of the bar.
    const COLUMNS: usize = 20;

    pub(super) fn begin(what: &'static str, all: usize) -> Self {
        Self { what, done: 0, all, shown: all >= Self::WORTH && io::stderr().is_terminal() }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.shown {
            let _ = write!(io::stderr(), "\r{}", self.line());
        }
    }

    fn line(&self) -> String {
        let Self { what, done, all, .. } = self;
        let filled = Self::COLUMNS * done / (*all).max(1);
        let (bar, rest) = ("#".repeat(filled), ".".repeat(Self::COLUMNS - filled.min(Self::COLUMNS)));
        format!("{what} [{bar}{rest}] {done} of {all}")
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{}\r", " ".repeat(self.line().len()));
        }
    }
}

/// A passphrase that is to be opened with, or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is asked for once.
    Open,
    /// It is asked for twice.
    Make,
}

/// The passphrase: the first line of `file`, or what is typed at the terminal, unseen.
pub(super) fn passphrase(file: Option<&Path>, purpose: Purpose) -> anyhow::Result<SecretString> {
    let passphrase = if let Some(file) = file {
        let bytes = files::read_private(file, 64 * 1024).context("--passphrase-file")?;
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        text(line).with_context(|| format!("--passphrase-file {}", file.display()))?
    } else {
        typed(purpose)?
    };
    if passphrase.expose_secret().is_empty() {
        bail!("the passphrase is empty");
    }
    Ok(passphrase)
}

fn typed(purpose: Purpose) -> anyhow::Result<SecretString> {
    let mut terminal =
        Terminal::open().context("no terminal to ask for a passphrase: --passphrase-file FILE")?;
    let first = terminal.hidden("Passphrase: ")?;
    if purpose == Purpose::Make
        && terminal.hidden("The same again: ")?.expose_secret() != first.expose_secret()
    {
        bail!("the two passphrases differ, nothing was done");
    }
    Ok(first)
}

/// The first line of standard input; where that is a terminal, it is asked for.
pub(super) fn line_of_input(prompt: &str) -> anyhow::Result<SecretString> {
    if io::stdin().is_terminal() { Terminal::open()?.line(prompt) } else { piped() }
}

/// The same, and what is typed is not shown.
pub(super) fn hidden_line_of_input(prompt: &str) -> anyhow::Result<SecretString> {
    if io::stdin().is_terminal() { Terminal::open()?.hidden(prompt) } else { piped() }
}

fn piped() -> anyhow::Result<SecretString> {
    // The descriptor itself: the standard library would leave a copy behind in a buffer of its own.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    first_line(&mut input, "standard input is empty")
}

/// Reads to the end of a line, or of the input; `nothing` is the error where that comes first.
fn first_line(input: &mut impl Read, nothing: &'static str) -> anyhow::Result<SecretString> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES));
    let mut byte = Zeroizing::new([0]);
    loop {
        if input.read(byte.as_mut_slice())? == 0 {
            if line.is_empty() {
                bail!(nothing);
            }
            return text(&line);
        }
        match byte[0] {
            b'\n' | b'\r' => return text(&line),
            _ if line.len() == MAX_LINE_BYTES => bail!("a line of more than {MAX_LINE_BYTES} bytes"),
            byte => line.push(byte),
        }
    }
}

fn text(bytes: &[u8]) -> anyhow::Result<SecretString> {
    Ok(SecretString::from(std::str::from_utf8(bytes).context("not UTF-8")?))
}

/// The terminal of this process, whatever its standard input and output are.
struct Terminal(File);

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open("/dev/tty", flags, Mode::empty())?.into()))
    }

    fn line(&mut self, prompt: &str) -> anyhow::Result<SecretString> {
        self.0.write_all(prompt.as_bytes())?;
        first_line(&mut self.0, "the terminal was closed")
    }

    /// A line that is not shown while it is typed.
    fn hidden(&mut self, prompt: &str) -> anyhow::Result<SecretString> {
        let before = tcgetattr(&self.0)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&self.0, OptionalActions::Flush, &silent)?;
        let _echo = Echo { terminal: self.0.try_clone()?, before };
        self.line(prompt)
    }
}

/// Shows again what is typed, whatever happens.
struct Echo {
    terminal: File,
    before: Termios,
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

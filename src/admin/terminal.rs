//! What is special about a terminal: its colours, and what is typed at it: passphrases, passwords and codes, which also come
//! from a file or standard input.

use crate::files;
use crate::secret::{self, ExposeSecret, SecretBytes, SecretString};
use anyhow::{Context, bail};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
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
    let first = text(&terminal.hidden("Passphrase: ")?)?;
    if purpose == Purpose::Make
        && terminal.hidden("The same again: ")?.as_slice() != first.expose_secret().as_bytes()
    {
        bail!("the two passphrases differ, nothing was done");
    }
    Ok(first)
}

/// The next line of standard input; where that is a terminal, it is asked for.
pub(super) fn line_of_input(prompt: &str, echo: Echo) -> anyhow::Result<SecretString> {
    text(Answers::of_process()?.ask(prompt, echo)?.expose_secret())
}

fn text(bytes: &[u8]) -> anyhow::Result<SecretString> {
    Ok(SecretString::from(std::str::from_utf8(bytes).context("not UTF-8")?))
}

/// Whether what is typed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// A code.
    Shown,
    /// A password.
    Hidden,
}

/// Whoever answers questions: a person at the terminal, or a script by lines on standard input.
pub(super) enum Answers {
    /// The terminal, where standard input is one.
    Terminal(Terminal),
    /// Standard input, a line for each question.
    Lines,
}

impl Answers {
    /// # Errors
    /// When standard input is a terminal and this process has none of its own.
    pub(super) fn of_process() -> anyhow::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Lines);
        }
        Ok(Self::Terminal(Terminal::open().context("no terminal to ask at")?))
    }

    /// Asks; the answer is what was typed, without the end of the line.
    ///
    /// # Errors
    /// When nobody answers, or with more than can be an answer.
    pub(super) fn ask(&mut self, prompt: &str, echo: Echo) -> anyhow::Result<SecretBytes> {
        let line = match (self, echo) {
            (Self::Terminal(terminal), Echo::Hidden) => terminal.hidden(prompt)?,
            (Self::Terminal(terminal), Echo::Shown) => terminal.shown(prompt)?,
            (Self::Lines, _) => next_line()?,
        };
        Ok(secret::secret(&line))
    }
}

/// The next line of standard input, read byte by byte: what comes after it is another's, and no buffer keeps it.
fn next_line() -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut line = secret::buffer(MAX_LINE_BYTES);
    let mut byte = Zeroizing::new([0]);
    loop {
        match rustix::io::read(rustix::stdio::stdin(), byte.as_mut_slice()) {
            Ok(0) if line.is_empty() => bail!("standard input is at its end, and one more line is wanted"),
            Ok(0) => return Ok(line),
            Ok(_) if byte[0] == b'\n' => {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            Ok(_) if line.len() == MAX_LINE_BYTES => bail!("a line of more than {MAX_LINE_BYTES} bytes"),
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error)).context("standard input"),
        }
    }
}

/// The terminal of this process, whatever its standard input and output are.
pub(super) struct Terminal(File);

/// What came of waiting for a line.
enum Typed {
    Line(Zeroizing<Vec<u8>>),
    Signal(Signal),
}

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open("/dev/tty", flags, Mode::empty())?.into()))
    }

    fn shown(&mut self, prompt: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        self.0.write_all(prompt.as_bytes())?;
        match self.line(None)? {
            Typed::Line(line) => Ok(line),
            Typed::Signal(signal) => bail!("{signal}"),
        }
    }

    /// A line that is not shown while it is typed. A signal that ends or stops this process takes effect once the terminal
    /// shows again what is typed.
    fn hidden(&mut self, prompt: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        loop {
            let held = HeldSignals::hold()?;
            let before = tcgetattr(&self.0)?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            silent.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(&self.0, OptionalActions::Flush, &silent)?;
            let restored = Restored { terminal: self.0.try_clone()?, before };
            self.0.write_all(prompt.as_bytes())?;
            let typed = self.line(Some(&held))?;
            drop(restored);
            drop(held);
            match typed {
                Typed::Line(line) => return Ok(line),
                Typed::Signal(signal) => {
                    self.0.write_all(b"\n")?;
                    // Ends this process, as a rule; after a pause (Ctrl-Z) the question is put again.
                    raise(signal)?;
                }
            }
        }
    }

    fn line(&mut self, signals: Option<&HeldSignals>) -> anyhow::Result<Typed> {
        let mut line = secret::buffer(MAX_LINE_BYTES);
        let mut byte = Zeroizing::new([0]);
        loop {
            if let Some(signal) = signals.map(|held| held.wait_for(&self.0)).transpose()?.flatten() {
                return Ok(Typed::Signal(signal));
            }
            if self.0.read(byte.as_mut_slice())? == 0 {
                bail!("the terminal was closed");
            }
            match byte[0] {
                b'\n' | b'\r' => return Ok(Typed::Line(line)),
                _ if line.len() == MAX_LINE_BYTES => bail!("more than {MAX_LINE_BYTES} bytes were typed"),
                byte => line.push(byte),
            }
        }
    }
}

/// Shows again what is typed, whatever happens.
struct Restored {
    terminal: File,
    before: Termios,
}

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Signals that end or stop a process and are kept back for a while.
struct HeldSignals {
    arrived: SignalFd,
    mask: SigSet,
}

impl HeldSignals {
    const SIGNALS: [Signal; 5] =
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP];

    fn hold() -> anyhow::Result<Self> {
        let signals: SigSet = Self::SIGNALS.into_iter().collect();
        let arrived = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mask = SigSet::thread_get_mask()?;
        signals.thread_block()?;
        Ok(Self { arrived, mask })
    }

    /// Waits until there is something to read, or a signal has come.
    fn wait_for(&self, terminal: &File) -> anyhow::Result<Option<Signal>> {
        loop {
            let mut ready = [PollFd::new(terminal, PollFlags::IN), PollFd::new(&self.arrived, PollFlags::IN)];
            match rustix::event::poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let typed = !ready[0].revents().is_empty();
            if let Some(arrived) = self.arrived.read_signal()? {
                let number = i32::try_from(arrived.ssi_signo)?;
                return Ok(Some(Signal::try_from(number)?));
            }
            if typed {
                return Ok(None);
            }
        }
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = self.mask.thread_set_mask();
    }
}

//! Asking before something is destroyed.

use crate::cli::Consent;
use anyhow::bail;
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 100;

/// Whether somebody is there to be asked, and has not agreed beforehand.
pub(super) fn is_wanted(consent: &Consent) -> bool {
    !consent.yes && io::stdin().is_terminal()
}

/// Asks `question` on the terminal. Scripts are not asked, nor is who has said `--yes`.
///
/// # Errors
/// When the answer is not yes.
pub(super) fn ask(question: &str, consent: &Consent) -> anyhow::Result<()> {
    if !is_wanted(consent) {
        return Ok(());
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = Vec::new();
    io::stdin().lock().take(MAX_ANSWER).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        // The end of the input, which left the cursor behind the question.
        writeln!(io::stderr())?;
    }
    if is_yes(&answer) { Ok(()) } else { bail!("nothing was changed") }
}

fn is_yes(answer: &[u8]) -> bool {
    [&b"y"[..], b"yes"].iter().any(|yes| answer.trim_ascii().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for yes in [&b"y\n"[..], b"Y\r\n", b"yes\n", b" YES \n", b"y"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in [&b"\n"[..], b"", b"n\n", b"no\n", b"yy\n", b"yes please\n", b"j\n", b"y\0\n", b"\xff\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}

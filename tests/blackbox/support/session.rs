//! The three files of a key negotiation, as OpenVPN makes them.

use super::eventually;
use data_encoding::BASE64;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A key negotiation.
pub(crate) struct Session {
    pub(crate) control: PathBuf,
    pub(crate) pending: PathBuf,
    pub(crate) reason: PathBuf,
}

impl Session {
    /// Makes the files, empty.
    pub(crate) fn new(directory: &Path, number: usize) -> Self {
        let path = |kind: &str| directory.join(format!("openvpn_{kind}_{number:032x}.tmp"));
        let session = Self { control: path("acf"), pending: path("apf"), reason: path("afr") };
        session.renew();
        session
    }

    /// Makes the files again, empty, under the same names: a session without a verdict, and nobody has a lock on it.
    pub(crate) fn renew(&self) {
        self.end();
        for file in self.files() {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).unwrap();
        }
    }

    /// The three files.
    pub(crate) fn files(&self) -> [&Path; 3] {
        [&self.control, &self.pending, &self.reason]
    }

    /// Removes the files, as OpenVPN does when the negotiation has ended.
    pub(crate) fn end(&self) {
        for file in self.files() {
            let _ = std::fs::remove_file(file);
        }
    }

    /// What stands in the control file now: `1`, `0` or nothing.
    pub(crate) fn verdict(&self) -> String {
        std::fs::read_to_string(&self.control).unwrap()
    }

    /// Waits for the verdict.
    pub(crate) fn decided(&self) -> String {
        eventually("a verdict", || Some(self.verdict()).filter(|verdict| !verdict.is_empty()))
    }

    /// The question for the client, if one was written.
    pub(crate) fn pending(&self) -> String {
        std::fs::read_to_string(&self.pending).unwrap()
    }

    /// What the client is told.
    pub(crate) fn reason(&self) -> String {
        std::fs::read_to_string(&self.reason).unwrap()
    }

    /// The text that the client is told, without the reference.
    pub(crate) fn told(&self) -> String {
        told(&self.reason()).to_owned()
    }

    /// The CRV1 question that the client is told.
    pub(crate) fn question(&self) -> Question {
        Question::parse(&self.reason())
    }

    /// Whether an answer is being judged: its worker holds a lock on the control file.
    pub(crate) fn is_being_answered(&self) -> bool {
        File::open(&self.control).is_ok_and(|file| file.try_lock().is_err())
    }

    /// Waits until no answer is being judged.
    pub(crate) fn answers_are_judged(&self) {
        eventually("the end of the worker", || (!self.is_being_answered()).then_some(()));
    }
}

/// A CRV1 question.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) state: String,
    pub(crate) user: String,
    pub(crate) text: String,
}

impl Question {
    fn parse(reason: &str) -> Self {
        let parts: Vec<&str> = reason.splitn(5, ':').collect();
        let ["CRV1", "R,E", state, user, text] = parts[..] else { panic!("no CRV1 question: {reason:?}") };
        let user = String::from_utf8(BASE64.decode(user.as_bytes()).unwrap()).unwrap();
        assert!(state.len() >= 32 && state.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{state:?}");
        assert!(
            reason.len() <= 256 && reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{reason:?}"
        );
        Self { state: state.to_owned(), user, text: text.to_owned() }
    }

    /// The password field that answers it.
    pub(crate) fn answer(&self, response: &str) -> String {
        format!("CRV1::{}::{response}", self.state)
    }
}

/// `text (ref 7K2M9Q)` without the reference, which must be there.
pub(crate) fn told(reason: &str) -> &str {
    let (text, reference) =
        reason.rsplit_once(" (ref ").unwrap_or_else(|| panic!("no reference: {reason:?}"));
    let reference = reference.strip_suffix(')').unwrap_or_else(|| panic!("no reference: {reason:?}"));
    assert!(
        reference.len() == 6 && reference.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b)),
        "no reference: {reason:?}"
    );
    text
}

//! The files that carry a deferred verdict to OpenVPN.
//!
//! OpenVPN makes them, empty, for each key negotiation, and removes them when it ends. So none is ever created here: a
//! file that is gone means that the session is gone.

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The three files of one key negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFiles {
    /// `auth_control_file`: one byte, `1` or `0`. Its name is also the name of the session.
    pub verdict: PathBuf,
    /// `auth_pending_file`: the question for the client; read once, right after the hook returns 2.
    pub pending: Option<PathBuf>,
    /// `auth_failed_reason_file`: the text for the client; read when the verdict is `0`.
    pub reason: Option<PathBuf>,
}

/// A file of a session could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// OpenVPN has removed it: the client is gone, or the login has timed out.
    #[error("the session is gone ({} does not exist)", .0.display())]
    SessionGone(PathBuf),
    /// There is a verdict already.
    #[error("the session has its verdict already")]
    AlreadyDecided,
    /// OpenVPN named no such file.
    #[error("OpenVPN set no {0} in the environment")]
    NotNamed(&'static str),
    /// Something else is in its place.
    #[error("{} is not a regular file with one name", .0.display())]
    NotOurs(PathBuf),
    /// The system said no.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl ControlFiles {
    /// Writes the question for the client, before the hook returns 2.
    ///
    /// # Errors
    /// When the file is gone or cannot be written.
    pub fn write_pending(&self, content: &str) -> Result<(), ControlError> {
        let path = self.pending.as_deref().ok_or(ControlError::NotNamed("auth_pending_file"))?;
        write_at_start(path, &open(path, OFlags::WRONLY)?, content.as_bytes())
    }

    /// Accepts the session.
    ///
    /// # Errors
    /// When it is gone, was decided before, or the verdict cannot be written.
    pub fn accept(&self) -> Result<(), ControlError> {
        self.decide(b'1', None)
    }

    /// Rejects the session; `reason` is for the client: a text or a CRV1 question. A reason that cannot be written
    /// does not keep the verdict from being written.
    ///
    /// # Errors
    /// As [`ControlFiles::accept`].
    pub fn reject(&self, reason: &str) -> Result<(), ControlError> {
        self.decide(b'0', Some(reason))
    }

    /// Whether the session exists and has no verdict.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        rustix::fs::stat(&self.verdict).is_ok_and(|state| state.st_size == 0)
    }

    /// Writes one byte, once: the lock and the look at the size make two writers impossible.
    fn decide(&self, verdict: u8, reason: Option<&str>) -> Result<(), ControlError> {
        let path = &self.verdict;
        let file = open(path, OFlags::RDWR)?;
        // A record lock, which the `flock` of an answer slot on the same file does not hinder.
        let lock = rustix::fs::fcntl_lock(&file, FlockOperation::LockExclusive);
        lock.map_err(|errno| io_error(path, errno))?;
        let state = rustix::fs::fstat(&file).map_err(|errno| io_error(path, errno))?;
        if state.st_size != 0 {
            return Err(ControlError::AlreadyDecided);
        }
        if let (Some(reason), Some(reason_path)) = (reason, self.reason.as_deref()) {
            // The reason first: OpenVPN reads it as soon as it sees the verdict.
            let written = open(reason_path, OFlags::WRONLY)
                .and_then(|f| write_at_start(reason_path, &f, reason.as_bytes()));
            drop(written);
        }
        write_at_start(path, &file, &[verdict])
    }
}

/// What became of the wish to answer a session's question.
#[derive(Debug)]
pub enum SlotState {
    /// This answer is the first; the slot is held until its holders are gone.
    Taken(AnswerSlot),
    /// Another answer is being judged.
    Busy,
    /// The session is decided, or gone.
    Closed,
}

/// The right to answer the question of a session: of all answers that a client sends, the first one that OpenVPN
/// handed over has it. A lock on the session's file, which the kernel releases when its holder dies.
#[derive(Debug)]
pub struct AnswerSlot(OwnedFd);

impl AnswerSlot {
    /// Takes the slot of the session, if it is free. OpenVPN runs one hook at a time, so whoever asks first had the
    /// first answer.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn take(files: &ControlFiles) -> Result<SlotState, ControlError> {
        let path = &files.verdict;
        let file = match open(path, OFlags::RDWR) {
            Ok(file) => file,
            Err(ControlError::SessionGone(_)) => return Ok(SlotState::Closed),
            Err(error) => return Err(error),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(SlotState::Busy),
            Err(errno) => return Err(io_error(path, errno)),
        }
        let state = rustix::fs::fstat(&file).map_err(|errno| io_error(path, errno))?;
        Ok(if state.st_size == 0 { SlotState::Taken(Self(file)) } else { SlotState::Closed })
    }

    /// The open file that holds the lock; the process that judges the answer has to keep it open.
    #[must_use]
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

fn open(path: &Path, access: OFlags) -> Result<OwnedFd, ControlError> {
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => ControlError::SessionGone(path.to_owned()),
        Errno::LOOP => ControlError::NotOurs(path.to_owned()),
        errno => io_error(path, errno),
    })?;
    let state = rustix::fs::fstat(&file).map_err(|errno| io_error(path, errno))?;
    // No name left: OpenVPN removed it between our look and now.
    if state.st_nlink == 0 {
        return Err(ControlError::SessionGone(path.to_owned()));
    }
    if FileType::from_raw_mode(state.st_mode) != FileType::RegularFile || state.st_nlink != 1 {
        return Err(ControlError::NotOurs(path.to_owned()));
    }
    Ok(file)
}

fn write_at_start(path: &Path, file: &OwnedFd, content: &[u8]) -> Result<(), ControlError> {
    match rustix::io::pwrite(file, content, 0) {
        Ok(written) if written == content.len() => Ok(()),
        Ok(_) => Err(ControlError::Io { path: path.to_owned(), cause: io::ErrorKind::WriteZero.into() }),
        Err(errno) => Err(io_error(path, errno)),
    }
}

fn io_error(path: &Path, errno: Errno) -> ControlError {
    ControlError::Io { path: path.to_owned(), cause: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> (tempfile::TempDir, ControlFiles) {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        };
        let files =
            ControlFiles { verdict: make("acf"), pending: Some(make("apf")), reason: Some(make("afr")) };
        (directory, files)
    }

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_verdict_is_written_once() {
        let (_directory, files) = session();
        assert!(files.is_undecided());
        files.reject("Incorrect code").unwrap();
        assert!(matches!(files.accept(), Err(ControlError::AlreadyDecided)));
        assert!(matches!(files.reject("again"), Err(ControlError::AlreadyDecided)));
        assert_eq!(content(&files.verdict), "0");
        assert_eq!(content(files.reason.as_ref().unwrap()), "Incorrect code");
        assert!(!files.is_undecided());
    }

    #[test]
    fn nothing_is_created_for_a_session_that_is_gone() {
        let (directory, files) = session();
        for file in [&files.verdict, files.reason.as_ref().unwrap(), files.pending.as_ref().unwrap()] {
            std::fs::remove_file(file).unwrap();
        }
        assert!(matches!(files.accept(), Err(ControlError::SessionGone(_))));
        assert!(matches!(files.reject("no"), Err(ControlError::SessionGone(_))));
        assert!(files.write_pending("x").is_err());
        assert!(matches!(AnswerSlot::take(&files), Ok(SlotState::Closed)));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_in_place_of_a_control_file_are_not_written_through() {
        let (directory, files) = session();
        let victim = directory.path().join("victim");
        std::fs::write(&victim, "").unwrap();
        std::fs::remove_file(&files.verdict).unwrap();
        std::os::unix::fs::symlink(&victim, &files.verdict).unwrap();
        assert!(matches!(files.accept(), Err(ControlError::NotOurs(_))));
        std::fs::remove_file(&files.verdict).unwrap();
        std::fs::hard_link(&victim, &files.verdict).unwrap();
        assert!(matches!(files.accept(), Err(ControlError::NotOurs(_))));
        assert_eq!(content(&victim), "");
    }

    #[test]
    fn one_answer_at_a_time_has_the_slot_and_none_after_the_verdict() {
        let (_directory, files) = session();
        let SlotState::Taken(slot) = AnswerSlot::take(&files).unwrap() else { panic!("the slot is free") };
        assert!(matches!(AnswerSlot::take(&files), Ok(SlotState::Busy)));
        // Holding the slot does not keep the primary check from rejecting the session.
        files.reject("Authentication failed").unwrap();
        drop(slot);
        assert!(matches!(AnswerSlot::take(&files), Ok(SlotState::Closed)));
    }
}

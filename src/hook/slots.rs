//! The cap on workers.
//!
//! OpenVPN exits, for everyone, when it cannot fork a hook (`openvpn_execve_check` in `run_command.c`), and a unit may
//! limit the tasks that it and its hooks have together. So a worker runs only while it holds one of `[worker] max`
//! slots: locks on files beside the database, which the kernel releases when their holder dies, however it dies.

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The right to have a worker, for as long as any process holds this descriptor.
#[derive(Debug)]
pub(super) struct Slot(OwnedFd);

impl Slot {
    /// The descriptor that a worker has to keep open.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// No slot can be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub(super) struct SlotError {
    path: PathBuf,
    cause: io::Error,
}

/// Takes one of `max` slots beside `database`; `None` when all are taken. Never waits.
pub(super) fn take(database: &Path, max: u64) -> Result<Option<Slot>, SlotError> {
    for number in 1..=max {
        let mut path = database.as_os_str().to_owned();
        path.push(format!(".worker-{number}"));
        let path = PathBuf::from(path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let failed = |errno: Errno| SlotError { path: path.clone(), cause: errno.into() };
        let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Slot(file))),
            Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_slots_as_the_cap_says_and_they_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.sqlite3");
        let first = take(&database, 2).unwrap().expect("free");
        let second = take(&database, 2).unwrap().expect("free");
        assert!(take(&database, 2).unwrap().is_none());
        assert!(take(&database, 3).unwrap().is_some());
        drop(first);
        assert!(take(&database, 2).unwrap().is_some());
        drop(second);
    }

    #[test]
    fn a_slot_is_held_by_whoever_inherited_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.sqlite3");
        let slot = take(&database, 1).unwrap().expect("free");
        let inherited = slot.fd().try_clone().unwrap();
        drop(slot);
        assert!(take(&database, 1).unwrap().is_none());
        drop(inherited);
        assert!(take(&database, 1).unwrap().is_some());
    }

    #[test]
    fn without_a_directory_there_is_an_error_and_no_slot() {
        let directory = tempfile::tempdir().unwrap();
        assert!(take(&directory.path().join("missing/t.sqlite3"), 1).is_err());
    }
}

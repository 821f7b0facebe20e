//! The cap on workers.
//!
//! OpenVPN exits, for everyone, when it cannot fork a hook (`openvpn_execve_check` in `run_command.c`), and a unit may
//! limit the tasks that it and its hooks have together. So a worker runs only while it holds one of `[worker] max`
//! slots: locks on single bytes far behind the end of the database file, where SQLite has none. The kernel releases a
//! lock when its last holder dies, however it dies; and no file has to be made for it.

use crate::files::{self, ReadError};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::OFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The byte of the first slot. SQLite's own locks begin at 2^30 (`PENDING_BYTE`), its largest file ends before 2^49.
const FIRST_BYTE: i64 = 1 << 60;

/// The right to have a worker, for as long as any process holds this descriptor.
#[derive(Debug)]
pub(super) struct Slot(OwnedFd);

impl Slot {
    /// The descriptor that a worker has to keep open.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// No slot can be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SlotError {
    /// There is no database yet.
    #[error("there is no database at {}: enrol the first user (openvpn-2fa enroll USER)", .0.display())]
    NoDatabase(PathBuf),
    /// Its file cannot be opened.
    #[error("the database cannot be used: {0}")]
    Open(ReadError),
    /// It cannot be locked.
    #[error("the database {} cannot be locked: {cause}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Errno,
    },
}

/// Takes one of `max` slots of `database`; `None` when all are taken. Never waits.
pub(super) fn take(database: &Path, max: u64) -> Result<Option<Slot>, SlotError> {
    let file = files::open_regular(database, OFlags::RDWR).map_err(|error| match error {
        ReadError::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
            SlotError::NoDatabase(database.to_owned())
        }
        error => SlotError::Open(error),
    })?;
    for number in 0..i64::try_from(max).unwrap_or(i64::MAX) {
        match lock_byte(&file, FIRST_BYTE + number) {
            Ok(()) => return Ok(Some(Slot(file))),
            Err(Errno::EAGAIN | Errno::EACCES) => {}
            Err(cause) => return Err(SlotError::Lock { path: database.to_owned(), cause }),
        }
    }
    Ok(None)
}

/// An open file description lock: it belongs to the open file, not to this process, so a child that inherits the file
/// holds it too (`fcntl`(2)).
fn lock_byte(file: &OwnedFd, byte: i64) -> Result<(), Errno> {
    let lock = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or(i16::MAX),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or(i16::MAX),
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.sqlite3");
        std::fs::write(&path, "").unwrap();
        (directory, path)
    }

    #[test]
    fn there_are_as_many_slots_as_the_cap_says_and_they_come_back() {
        let (_directory, database) = database();
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
        let (_directory, database) = database();
        let slot = take(&database, 1).unwrap().expect("free");
        let inherited = slot.fd().try_clone().unwrap();
        drop(slot);
        assert!(take(&database, 1).unwrap().is_none());
        drop(inherited);
        assert!(take(&database, 1).unwrap().is_some());
    }

    #[test]
    fn slots_are_not_in_the_way_of_the_database() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.sqlite3");
        let mut database = crate::store::Database::open_or_create(&path).unwrap();
        let _slot = take(&path, 1).unwrap().expect("free");
        assert!(!database.delete(&"alice".parse().unwrap()).unwrap());
        assert!(take(&path, 1).unwrap().is_none());
    }

    #[test]
    fn slots_are_where_no_database_is() {
        let (_directory, database) = database();
        // Everything that SQLite locks, and every byte that a file of its largest size can have.
        let other = files::open_regular(&database, OFlags::RDWR).unwrap();
        let all = libc::flock {
            l_type: i16::try_from(libc::F_WRLCK).unwrap(),
            l_whence: i16::try_from(libc::SEEK_SET).unwrap(),
            l_start: 0,
            l_len: 1 << 49,
            l_pid: 0,
        };
        fcntl(&other, FcntlArg::F_OFD_SETLK(&all)).unwrap();
        let slots: Vec<Slot> = (0..20).map(|_| take(&database, 20).unwrap().expect("free")).collect();
        assert!(take(&database, 20).unwrap().is_none());
        drop(slots);
    }

    #[test]
    fn a_database_that_cannot_be_opened_is_not_one_that_is_missing() {
        let (_directory, database) = database();
        let below_a_file = database.join("t.sqlite3");
        assert!(matches!(take(&below_a_file, 1), Err(SlotError::Open(ReadError::Io { .. }))));
    }

    #[test]
    fn without_a_database_there_is_an_error_and_no_file() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(take(&directory.path().join("t.sqlite3"), 1), Err(SlotError::NoDatabase(_))));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

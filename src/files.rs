//! Opening files with suspicion: no symlinks where none belong, owner and mode checked on what was opened, never on
//! the name before it.

use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Somebody else could have changed the file, or can read what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not a regular file.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// A symbolic link, where none is followed.
    #[error("{} is a symbolic link, which is not followed here; name the file itself", .0.display())]
    Link(PathBuf),
    /// Neither root nor the user that runs this owns it.
    #[error("{path} belongs to user {owner}; to give it to the user that OpenVPN runs as: chown {wanted} {path}", path = path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The numeric user that owns it.
        owner: u32,
        /// The numeric user that this process runs as.
        wanted: u32,
    },
    /// Its mode lets others do too much.
    #[error("{path} is open to other users (mode {mode:04o}); to mend it: chmod {remedy} {path}", path = path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What to tell chmod.
        remedy: &'static str,
    },
    /// It has a second name, which may be in a place that others write to.
    #[error("{} has {links} names (hard links); copy it, so that it has one", path.display())]
    Links {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system said no.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is there, and not to be trusted.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
}

impl ReadError {
    fn io(path: &Path, cause: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), cause: cause.into() }
    }
}

/// Who may do what with a file, for it to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nobody else can write to it: settings.
    Unwritable,
    /// Nobody else can read or write it, and it has one name: secrets.
    Private,
}

/// A file that nobody else can have written.
#[derive(Debug)]
pub struct TrustedFile {
    /// What is in it.
    pub bytes: Zeroizing<Vec<u8>>,
    path: PathBuf,
    /// Its permission bits, when it was read.
    mode: u32,
}

impl TrustedFile {
    /// Checks that nobody else can read it either: a secret may stand in a file only then.
    ///
    /// # Errors
    /// When others can.
    pub fn require_unreadable(&self) -> Result<(), TrustError> {
        forbid(&self.path, self.mode, 0o077, "go-rwx")
    }
}

/// Reads a whole settings file that nobody but root and the present user can have written. Symlinks are followed, as
/// administrators use them; what counts is the file at the end.
///
/// # Errors
/// When it cannot be read, is longer than `limit` bytes, or could have been written by others.
pub fn read_trusted(path: &Path, limit: u64) -> Result<TrustedFile, ReadError> {
    // Not blocking, so that a FIFO in its place cannot hold up OpenVPN.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| ReadError::io(path, e))?;
    let state = check(path, &file, Trust::Unwritable)?;
    let bytes = read_all(path, file, &state, limit)?;
    Ok(TrustedFile { bytes, path: path.to_owned(), mode: state.st_mode })
}

/// Reads a whole file that holds a secret: ours alone, no symlink, no second name.
///
/// # Errors
/// When it cannot be read, is longer than `limit` bytes, or others can read or write it.
pub fn read_private(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let (file, _) = open_with_state(path, OFlags::RDONLY)?;
    let state = check(path, &file, Trust::Private)?;
    read_all(path, file, &state, limit)
}

/// Reads a whole file that OpenVPN wrote for this call: a regular file, no symlink.
///
/// # Errors
/// When it cannot be read, is no regular file, or is longer than `limit` bytes.
pub fn read_handed_over(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let (file, state) = open_with_state(path, OFlags::RDONLY)?;
    read_all(path, file, &state, limit)
}

/// Opens an existing regular file, no symlink.
///
/// # Errors
/// When it cannot be opened or is something else.
pub fn open_regular(path: &Path, access: OFlags) -> Result<OwnedFd, ReadError> {
    open_with_state(path, access).map(|(file, _)| file)
}

fn open_with_state(path: &Path, access: OFlags) -> Result<(OwnedFd, Stat), ReadError> {
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ISDIR => TrustError::NotRegular(path.to_owned()).into(),
        Errno::LOOP => TrustError::Link(path.to_owned()).into(),
        errno => ReadError::io(path, errno),
    })?;
    let state = rustix::fs::fstat(&file).map_err(|e| ReadError::io(path, e))?;
    require_regular(path, &state)?;
    Ok((file, state))
}

/// Checks that an open file is ours alone: owner and mode right, no second name. `path` is for the error.
///
/// # Errors
/// When it is not.
pub fn require_private(path: &Path, file: &OwnedFd) -> Result<(), ReadError> {
    check(path, file, Trust::Private).map(drop)
}

/// Checks that nobody else can put files into `directory` or take some away.
///
/// # Errors
/// When it cannot be looked at, belongs to somebody else, or others can write to it.
pub fn check_directory(directory: &Path) -> Result<(), ReadError> {
    let state = rustix::fs::stat(directory).map_err(|e| ReadError::io(directory, e))?;
    check_owner(directory, &state)?;
    Ok(forbid(directory, state.st_mode, 0o022, "go-w")?)
}

/// Gives a new file of root's to the user who owns the directory that it is in: the one that OpenVPN runs as, where that is
/// not root. Otherwise an administrator's command would make files that no hook can open.
///
/// # Errors
/// When the directory cannot be looked at, or the system says no.
pub fn give_to_owner_of(directory: &Path, file: &OwnedFd) -> io::Result<()> {
    let owner = rustix::fs::stat(directory)?;
    if !rustix::process::geteuid().is_root() || owner.st_uid == 0 {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
    Ok(rustix::fs::fchown(file, Some(user), Some(group))?)
}

/// The directory that `path` is in.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn check(path: &Path, file: &OwnedFd, trust: Trust) -> Result<Stat, ReadError> {
    let state = rustix::fs::fstat(file).map_err(|e| ReadError::io(path, e))?;
    require_regular(path, &state)?;
    check_owner(path, &state)?;
    let (forbidden, remedy) = match trust {
        Trust::Unwritable => (0o022, "go-w"),
        Trust::Private => (0o077, "go-rwx"),
    };
    forbid(path, state.st_mode, forbidden, remedy)?;
    if trust == Trust::Private && state.st_nlink > 1 {
        return Err(TrustError::Links { path: path.to_owned(), links: state.st_nlink }.into());
    }
    Ok(state)
}

/// An error with its remedy when any of the bits `forbidden` is set in `mode`.
fn forbid(path: &Path, mode: u32, forbidden: u32, remedy: &'static str) -> Result<(), TrustError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(TrustError::Mode { path: path.to_owned(), mode: mode & 0o7777, remedy })
}

fn require_regular(path: &Path, state: &Stat) -> Result<(), TrustError> {
    if FileType::from_raw_mode(state.st_mode) == FileType::RegularFile {
        return Ok(());
    }
    Err(TrustError::NotRegular(path.to_owned()))
}

fn check_owner(path: &Path, state: &Stat) -> Result<(), TrustError> {
    let ours = rustix::process::geteuid().as_raw();
    // Root reads what root or the unprivileged user of OpenVPN owns: it could become that user anyway.
    if state.st_uid == 0 || state.st_uid == ours || ours == 0 {
        return Ok(());
    }
    Err(TrustError::Owner { path: path.to_owned(), owner: state.st_uid, wanted: ours })
}

/// Reads a regular file, which `state` is of, into a buffer of its size: what is reserved beyond that is wiped at the end all the same, and each
/// page of it costs time while OpenVPN waits.
fn read_all(path: &Path, file: OwnedFd, state: &Stat, limit: u64) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let failed = |kind, message| Err(ReadError::io(path, io::Error::new(kind, message)));
    let size = u64::try_from(state.st_size).unwrap_or(0);
    if size > limit {
        return failed(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes"));
    }
    let mut bytes = crate::secret::buffer(usize::try_from(size + 1).unwrap_or(usize::MAX));
    File::from(file).take(size + 1).read_to_end(&mut bytes).map_err(|error| ReadError::io(path, error))?;
    if bytes.len() as u64 > size {
        return failed(io::ErrorKind::InvalidData, "somebody writes it while it is read".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn file_with_mode(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn settings_that_others_can_write_are_refused_with_the_remedy() {
        for (mode, accepted) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            let (_directory, path) = file_with_mode(mode);
            let read = read_trusted(&path, 100);
            assert_eq!(read.is_ok(), accepted, "{mode:o}");
            if let Err(error) = read {
                assert!(error.to_string().contains("chmod go-w"), "{error}");
            }
        }
    }

    #[test]
    fn private_files_are_refused_when_others_can_read_them_or_they_have_two_names() {
        for (mode, accepted) in [(0o600, true), (0o640, false), (0o604, false)] {
            let (_directory, path) = file_with_mode(mode);
            let file = open_regular(&path, OFlags::RDONLY).unwrap();
            assert_eq!(require_private(&path, &file).is_ok(), accepted, "{mode:o}");
        }
        let (directory, path) = file_with_mode(0o600);
        symlink(&path, directory.path().join("link")).unwrap();
        assert!(open_regular(&directory.path().join("link"), OFlags::RDONLY).is_err());
        std::fs::hard_link(&path, directory.path().join("hard")).unwrap();
        let file = open_regular(&path, OFlags::RDONLY).unwrap();
        assert!(require_private(&path, &file).unwrap_err().to_string().contains("hard links"));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_an_error_and_not_cut() {
        // The kernel makes its content up, and says that there is none.
        let error = read_handed_over(Path::new("/proc/self/status"), 100_000).unwrap_err();
        assert!(error.to_string().contains("somebody writes it"), "{error}");
    }

    #[test]
    fn a_file_longer_than_the_limit_is_an_error_and_not_cut() {
        let (directory, path) = file_with_mode(0o600);
        assert_eq!(read_handed_over(&path, 5).unwrap().as_slice(), b"12345");
        assert!(read_handed_over(&path, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        assert!(read_handed_over(directory.path(), 4).is_err());
        symlink(&path, directory.path().join("link")).unwrap();
        assert!(read_handed_over(&directory.path().join("link"), 5).is_err());
    }
}

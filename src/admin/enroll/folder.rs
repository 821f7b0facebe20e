//! A directory of secrets that is filled before it is known whether they will count.

use anyhow::{Context, bail};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A directory of ours alone. What was put into it goes again, and the directory itself if it was made here, unless
/// [`Folder::keep`] is called.
pub(super) struct Folder {
    path: PathBuf,
    directory: OwnedFd,
    is_new: bool,
    files: Vec<String>,
    kept: bool,
}

impl Folder {
    /// Makes the directory, 0700. One that is there already must be empty and ours; it gets that mode.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("--out {}", path.display());
        let is_new = match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno).with_context(failed),
        };
        // From here on by what was opened, whatever becomes of the name.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty()).with_context(failed)?;
        let folder = Self { path: path.to_owned(), directory, is_new, files: Vec::new(), kept: false };
        if !is_new {
            for entry in rustix::fs::Dir::read_from(&folder.directory).with_context(failed)? {
                if ![&b"."[..], b".."].contains(&entry.with_context(failed)?.file_name().to_bytes()) {
                    bail!("--out {}: it is not empty; name a new directory", path.display());
                }
            }
            let owner = rustix::fs::fstat(&folder.directory).with_context(failed)?.st_uid;
            if owner != rustix::process::geteuid().as_raw() {
                bail!("--out {}: it belongs to user {owner}; name a new directory", path.display());
            }
            rustix::fs::fchmod(&folder.directory, Mode::RWXU).with_context(failed)?;
        }
        Ok(folder)
    }

    /// Makes a file in it, 0600.
    pub(super) fn write(&mut self, name: String, content: &[u8]) -> anyhow::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR)
            .with_context(|| self.path.join(&name).display().to_string())?;
        self.files.push(name);
        let name = || self.path.join(self.files.last().map_or("", String::as_str)).display().to_string();
        File::from(file).write_all(content).with_context(name)
    }

    /// Removes a file that was made.
    pub(super) fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        self.files.retain(|known| known != name);
        rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())
            .with_context(|| self.path.join(name).display().to_string())
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        rustix::fs::syncfs(&self.directory).with_context(|| format!("--out {}", self.path.display()))
    }

    /// What is in it stays.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in &self.files {
            let _ = rustix::fs::unlinkat(&self.directory, file, AtFlags::empty());
        }
        if self.is_new {
            let _ = rustix::fs::rmdir(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_not_kept_goes_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cards");
        let mut folder = Folder::create(&path).unwrap();
        folder.write("a".to_owned(), b"1").unwrap();
        assert_eq!(std::fs::metadata(path.join("a")).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(folder.write("a".to_owned(), b"2").is_err(), "never twice");
        drop(folder);
        assert!(!path.exists());
        // One that was there stays, empty as it was.
        std::fs::create_dir(&path).unwrap();
        let mut folder = Folder::create(&path).unwrap();
        folder.write("a".to_owned(), b"1").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn what_is_kept_stays_but_for_what_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cards");
        let mut folder = Folder::create(&path).unwrap();
        for name in ["a", "b"] {
            folder.write(name.to_owned(), b"1").unwrap();
        }
        folder.keep();
        folder.remove("a").unwrap();
        drop(folder);
        assert!(!path.join("a").exists() && path.join("b").exists());
        assert!(Folder::create(&path).is_err(), "not empty");
    }
}

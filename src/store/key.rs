//! The key that secrets in the database are encrypted with: its file, and its name.

use crate::files;
use crate::printable;
use crate::random::{Random, RandomError};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{Mode, OFlags};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use std::cell::OnceCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The length of a key, in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// The longest key file, in bytes: 64 hexadecimal digits and a line break.
const MAX_FILE_BYTES: u64 = 66;

/// The name of a key: stored beside what was encrypted with it, and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// 16 hexadecimal digits, from which nobody gets to the key: a MAC of a fixed text under it (HMAC-SHA-256, cut).
    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
        mac.update(b"openvpn-2fa: name of a store key, version 1");
        Self(HEXLOWER.encode(&mac.finalize().into_bytes()[..8]))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key cannot be had. The texts are safe for a terminal, and hold nothing of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such file.
    #[error(
        "there is no key at {}: put it back; where there never was one, openvpn-2fa new-key FILE makes it",
        shown(.0)
    )]
    Missing(PathBuf),
    /// It cannot be read, or others can read it.
    #[error("the key is not used: {}", printable::text(&.0.to_string()))]
    Unreadable(files::ReadError),
    /// Something else is in the file.
    #[error(
        "{} holds no key: one line is wanted, 32 bytes in base64 (44 characters) or hexadecimal (64), as openvpn-2fa new-key makes it",
        shown(.0)
    )]
    Malformed(PathBuf),
}

/// A key file cannot be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// The system said no; a file that is there already is left as it is.
    #[error("cannot make the key file {}: {cause}", shown(.path))]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// A path, safe for a terminal.
pub(super) fn shown(path: &Path) -> String {
    printable::text(&path.display().to_string())
}

/// A key that was read from a file.
pub(super) struct Key {
    bytes: SecretBox<[u8; KEY_BYTES]>,
    id: KeyId,
    file: PathBuf,
}

impl Key {
    /// Reads a key file, which nobody else may be able to read.
    ///
    /// # Errors
    /// When it is not there, not ours alone, or holds something else.
    pub(super) fn read(path: &Path) -> Result<Self, KeyError> {
        let content = files::read_private(path, MAX_FILE_BYTES).map_err(|error| match error {
            files::ReadError::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
                KeyError::Missing(path.to_owned())
            }
            files::ReadError::Io { cause, .. } if cause.kind() == io::ErrorKind::FileTooLarge => {
                KeyError::Malformed(path.to_owned())
            }
            error => KeyError::Unreadable(error),
        })?;
        let bytes = decode(&content).ok_or_else(|| KeyError::Malformed(path.to_owned()))?;
        Ok(Self { id: KeyId::of(bytes.expose_secret()), bytes, file: path.to_owned() })
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        self.bytes.expose_secret()
    }

    pub(super) fn id(&self) -> &KeyId {
        &self.id
    }

    /// Where it is from, safe for a terminal.
    pub(super) fn origin(&self) -> String {
        shown(&self.file)
    }
}

/// The key in the content of a file: base64 with its padding, or hexadecimal, and a line break or none.
fn decode(content: &[u8]) -> Option<SecretBox<[u8; KEY_BYTES]>> {
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let encoding = match line.len() {
        44 => BASE64,
        64 => HEXLOWER_PERMISSIVE,
        _ => return None,
    };
    // A byte more than there can be: base64 does not know its padding before it has seen it.
    let mut decoded = Zeroizing::new([0; KEY_BYTES + 1]);
    let room = encoding.decode_len(line.len()).ok()?;
    let length = encoding.decode_mut(line, decoded.get_mut(..room)?).ok()?;
    if length != KEY_BYTES {
        return None;
    }
    Some(SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| key.copy_from_slice(&decoded[..KEY_BYTES])))
}

/// Makes a key and the file for it, 0600, which must not be there yet. Returns the key's name once it is on the disk.
///
/// # Errors
/// When there is something of that name, or the file cannot be written; then none is left behind.
pub fn new_key(path: &Path, random: &dyn Random) -> Result<KeyId, NewKeyError> {
    let failed = |cause: io::Error| NewKeyError::Create { path: path.to_owned(), cause };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random.fill(key.as_mut_slice())?;
    let mut line = Zeroizing::new([b'\n'; 45]);
    BASE64.encode_mut(key.as_slice(), &mut line[..44]);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file =
        rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| failed(error.into()))?;
    let mut file = File::from(file);
    let written = file.write_all(line.as_slice()).and_then(|()| file.sync_all()).and_then(|()| {
        // The name too: secrets may be encrypted with the key a moment later.
        File::open(files::directory_of(path))?.sync_all()
    });
    if let Err(cause) = written {
        let _ = std::fs::remove_file(path);
        return Err(failed(cause));
    }
    Ok(KeyId::of(&key))
}

/// The key of the settings, which is read when it is first needed.
pub(super) struct Keyring {
    file: Option<PathBuf>,
    key: OnceCell<Key>,
}

impl Keyring {
    /// The key in `file`; none where no file is named.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, key: OnceCell::new() }
    }

    /// The key; `None` where the settings name none.
    ///
    /// # Errors
    /// When it is named and cannot be had.
    pub(super) fn key(&self) -> Result<Option<&Key>, KeyError> {
        let Some(file) = &self.file else { return Ok(None) };
        if let Some(key) = self.key.get() {
            return Ok(Some(key));
        }
        let key = Key::read(file)?;
        Ok(Some(self.key.get_or_init(|| key)))
    }
}

#[cfg(test)]
mod tests;

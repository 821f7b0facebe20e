//! The secret key of the Duo application, from the settings or from a file of its own.

use super::DuoError;
use crate::config;
use crate::files;
use crate::secret::{ExposeSecret, SecretString};
use std::path::Path;

/// The longest secret key, in bytes. Duo's have 40.
const MAX_KEY: usize = 256;

/// The secret key that `settings` hold or name.
///
/// # Errors
/// [`DuoError::Settings`] when there is none, or it cannot be one, or others can read it.
pub(super) fn read(settings: &config::Duo) -> Result<SecretString, DuoError> {
    match (&settings.skey, &settings.skey_file) {
        (Some(key), _) => checked_key(key.expose_secret().as_bytes(), "[duo] skey"),
        (None, Some(path)) => key_from(path),
        (None, None) => {
            let missing = settings.missing().unwrap_or("[duo] skey is not set");
            Err(DuoError::Settings(missing.to_owned()))
        }
    }
}

fn key_from(path: &Path) -> Result<SecretString, DuoError> {
    // Room for the key and a line break.
    let bytes = files::read_private(path, MAX_KEY as u64 + 2)
        .map_err(|error| DuoError::Settings(crate::printable::text(&format!("[duo] skey_file: {error}"))))?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    checked_key(line, &crate::printable::text(&format!("[duo] skey_file: {}", path.display())))
}

/// The secret key, where `bytes` can be one. `origin` says where they are from; the error does not show them.
fn checked_key(bytes: &[u8], origin: &str) -> Result<SecretString, DuoError> {
    let fits = (1..=MAX_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(bytes) {
        Ok(key) if fits => Ok(SecretString::from(key)),
        _ => Err(DuoError::Settings(format!(
            "{origin}: not a secret key: one line of letters and digits is wanted, 40 at Duo, and no more than {MAX_KEY}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Duo;
    use std::os::unix::fs::PermissionsExt;

    fn complaint(settings: &Duo) -> String {
        match read(settings) {
            Err(DuoError::Settings(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_key_is_one_line_that_can_be_seen() {
        let long = "x".repeat(257);
        for wrong in ["", " ", "a b", "a\n", "a\tb", "k\u{f6}y", &long] {
            let text = complaint(&Duo { skey: Some(SecretString::from(wrong)), ..Duo::default() });
            assert!(text.starts_with("[duo] skey: not a secret key") && !text.contains("xxx"), "{text}");
        }
    }

    #[test]
    fn the_secret_key_can_come_from_a_private_file_alone() {
        let directory = tempfile::tempdir().unwrap();
        let with = |content: &str, mode: u32| {
            let path = directory.path().join("skey");
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Duo { skey: None, skey_file: Some(path), ..Duo::default() }
        };
        for content in ["topsecret", "topsecret\n", "topsecret\r\n"] {
            assert_eq!(read(&with(content, 0o600)).unwrap().expose_secret(), "topsecret");
        }
        for (content, mode, why) in [
            ("topsecret\n", 0o640, "chmod go-rwx"),
            ("topsecret\n", 0o604, "chmod go-rwx"),
            ("", 0o600, "not a secret key"),
            ("\n", 0o600, "not a secret key"),
            ("topsecret\n\n", 0o600, "not a secret key"),
            ("topsecret\nmore\n", 0o600, "not a secret key"),
            (&"topsecret".repeat(100), 0o600, "longer than 258 bytes"),
        ] {
            let text = complaint(&with(content, mode));
            assert!(text.starts_with("[duo] skey_file: ") && text.contains(why), "{text}");
            assert!(
                text.contains(directory.path().to_str().unwrap()) && !text.contains("topsecret"),
                "{text}"
            );
        }
        let settings = with("topsecret", 0o600);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("skey"), &link).unwrap();
        let text = complaint(&Duo { skey_file: Some(link), ..settings });
        assert!(text.contains("symbolic link"), "{text}");
    }
}

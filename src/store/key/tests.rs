use super::*;
use crate::random::SystemRandom;
use std::os::unix::fs::{PermissionsExt, symlink};

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

impl Key {
    /// A key that is in no file.
    pub(in crate::store) fn of_hex(hex: &str, file: &Path) -> Self {
        let bytes = decode(hex.as_bytes()).unwrap();
        Self { id: KeyId::of(bytes.expose_secret()), bytes, file: file.to_owned() }
    }
}

fn complaint(path: &Path) -> String {
    match Key::read(path) {
        Ok(_) => panic!("{} was read", path.display()),
        Err(error) => error.to_string(),
    }
}

fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.key");
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

#[test]
fn a_key_is_base64_or_hexadecimal_on_one_line() {
    for line in [HEX, &HEX.to_uppercase(), BASE] {
        for end in ["", "\n", "\r\n"] {
            // 0400 is what a credential of systemd has.
            for mode in [0o600, 0o400] {
                let (_directory, path) = file(format!("{line}{end}").as_bytes(), mode);
                let key = Key::read(&path).unwrap();
                assert_eq!(key.bytes(), &std::array::from_fn(|at| u8::try_from(at).unwrap()));
                assert_eq!(key.origin(), path.display().to_string());
            }
        }
    }
}

#[test]
fn the_name_of_a_key_is_an_hmac_and_not_the_key() {
    // By Python: hmac.new(bytes(range(32)), b"openvpn-2fa: name of a store key, version 1", "sha256").hexdigest()[:16]
    assert_eq!(Key::of_hex(HEX, Path::new("k")).id().as_str(), "23e58de66d047175");
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    let long = HEX.repeat(3);
    for content in [
        "",
        "\n",
        &HEX[2..],
        &HEX[1..],
        &format!("{HEX}0"),
        &format!("{HEX}00"),
        &format!(" {HEX}"),
        &format!("{HEX}\n\n"),
        &format!("{HEX} \n"),
        &BASE[..43],
        &BASE.replace('=', ""),
        &format!("{}A===", &BASE[..40]),
        &format!("{}==", &BASE[..42]),
        &format!("{}AAAA", &BASE[..40]),
        &BASE.replace("AAEC", "AA\nC"),
        &HEX.replace("0001", "000g"),
        &long,
    ] {
        let (_directory, path) = file(content.as_bytes(), 0o600);
        let text = complaint(&path);
        assert!(text.contains("holds no key") && text.contains("openvpn-2fa new-key"), "{content:?}: {text}");
        assert!(text.contains(path.to_str().unwrap()) && !text.contains("AAEC"), "{text}");
        assert!(!text.contains("0405"), "{text}");
    }
    let (_directory, path) = file(&[0xff; 32], 0o600);
    assert!(complaint(&path).contains("holds no key"), "raw bytes are not taken");
}

#[test]
fn a_key_that_others_can_read_or_that_is_not_there_is_refused_with_the_remedy() {
    for mode in [0o640, 0o604, 0o620] {
        let (_directory, path) = file(HEX.as_bytes(), mode);
        assert!(complaint(&path).contains("chmod go-rwx"), "{mode:o}");
    }
    let (directory, path) = file(HEX.as_bytes(), 0o600);
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(complaint(&link).contains("symbolic link"));
    assert!(complaint(directory.path()).contains("not a regular file"));
    let text = complaint(&directory.path().join("a\x1b[2J"));
    assert!(text.contains("there is no key at") && text.contains("new-key"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_new_key_is_private_readable_and_never_replaces_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    let id = new_key(&one, &SystemRandom).unwrap();
    assert_eq!(Key::read(&one).unwrap().id(), &id);
    assert_eq!(std::fs::metadata(&one).unwrap().permissions().mode() & 0o7777, 0o600);
    let content = std::fs::read(&one).unwrap();
    assert_eq!((content.len(), content[44]), (45, b'\n'));
    assert_ne!(new_key(&other, &SystemRandom).unwrap(), id);

    let link = directory.path().join("link");
    symlink(directory.path().join("target"), &link).unwrap();
    for there in [&one, &link] {
        let text = new_key(there, &SystemRandom).unwrap_err().to_string();
        assert!(text.contains("File exists") && text.contains(there.to_str().unwrap()), "{text}");
    }
    assert_eq!(std::fs::read(&one).unwrap(), content);
    assert!(!directory.path().join("target").exists());
    assert!(new_key(&directory.path().join("no/key"), &SystemRandom).is_err());
}

#[test]
fn a_key_is_read_when_it_is_needed_and_once() {
    let (_directory, path) = file(HEX.as_bytes(), 0o600);
    let keyring = Keyring::new(Some(path.clone()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(keyring.key().is_err());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(keyring.key().unwrap().is_some());
    std::fs::remove_file(&path).unwrap();
    assert!(keyring.key().unwrap().is_some());
    assert!(Keyring::new(None).key().unwrap().is_none());
}

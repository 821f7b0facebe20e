//! Files encrypted with a passphrase, in the form of age (C2SP "The age file encryption format", version 1, its scrypt
//! recipient and its armor): `age -d` and `rage -d` open what is sealed here.
//!
//! Scrypt and ChaCha20-Poly1305 are those of their crates. What is ours: the lines around them.

use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, SecretString, buffer};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use data_encoding::{BASE64, BASE64_NOPAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: &str = "age-encryption.org/v1";
const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const ARMOR_END: &str = "-----END AGE ENCRYPTED FILE-----";

/// Columns of base64 ("the armored file").
const COLUMNS: usize = 64;

/// Work for a passphrase, as age itself has it: 2^18 rounds, 256 MiB, about a second.
const WORK: u8 = 18;

/// The most work that a file may ask for: a gibibyte of memory.
const MAX_WORK: u8 = 20;

const SALT_BYTES: usize = 16;
const FILE_KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// Bytes of a part of the payload that is encrypted on its own ("STREAM").
const CHUNK_BYTES: usize = 64 * 1024;

/// A file cannot be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not as the format wants it.
    #[error("an encrypted file that is cut off or damaged")]
    Damaged,
    /// It is not encrypted with a passphrase.
    #[error("encrypted for a key and not with a passphrase: age -d -i KEYFILE FILE | openvpn-2fa import -")]
    NoPassphrase,
    /// It asks for more memory than is reasonable.
    #[error("encrypted with a work factor of {0}, more than {MAX_WORK}")]
    Work(u8),
    /// It is another one's, or changed.
    #[error("the passphrase is wrong, or the file is damaged")]
    Wrong,
}

/// Whether a file says that it is encrypted.
#[must_use]
pub fn looks_like_it(bytes: &[u8]) -> bool {
    bytes.starts_with(VERSION.as_bytes()) || bytes.trim_ascii_start().starts_with(ARMOR_BEGIN.as_bytes())
}

/// Encrypts `plain`; the result is text.
///
/// # Errors
/// When there is no randomness.
pub fn seal(plain: &[u8], passphrase: &SecretString, random: &dyn Random) -> Result<String, RandomError> {
    seal_with_work(plain, passphrase, random, WORK)
}

fn seal_with_work(
    plain: &[u8],
    passphrase: &SecretString,
    random: &dyn Random,
    work: u8,
) -> Result<String, RandomError> {
    let mut file_key = Zeroizing::new([0; FILE_KEY_BYTES]);
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    random.fill(file_key.as_mut_slice())?;
    random.fill(&mut salt)?;
    random.fill(&mut nonce)?;

    let mut wrapped = file_key.to_vec();
    let wrapping = ChaCha20Poly1305::new((&*wrapping_key(passphrase, &salt, work)).into());
    seal_part(&wrapping, Nonce::default(), &mut wrapped, 0);
    let salt = BASE64_NOPAD.encode(&salt);
    let mut sealed =
        format!("{VERSION}\n-> scrypt {salt} {work}\n{}\n---", BASE64_NOPAD.encode(&wrapped)).into_bytes();
    let mac = header_mac(file_key.as_slice()).chain_update(&sealed).finalize().into_bytes();
    sealed.extend_from_slice(format!(" {}\n", BASE64_NOPAD.encode(&mac)).as_bytes());

    sealed.extend_from_slice(&nonce);
    let payload = ChaCha20Poly1305::new((&*derive(file_key.as_slice(), &nonce, b"payload")).into());
    // Room for all of it at once, so that no copy of the plain text is left behind.
    sealed.reserve_exact(plain.len() + (plain.len() / CHUNK_BYTES + 1) * TAG_BYTES);
    let mut chunks = plain.chunks(CHUNK_BYTES).peekable();
    let mut counter = 0;
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let last = chunks.peek().is_none();
        let start = sealed.len();
        sealed.extend_from_slice(chunk);
        seal_part(&payload, chunk_nonce(counter, last), &mut sealed, start);
        counter += 1;
        if last {
            return Ok(armored(&sealed));
        }
    }
}

/// Decrypts what [`seal`] or age made.
///
/// # Errors
/// When it is damaged, the passphrase is another one, or it was not made with a passphrase.
pub fn open(bytes: &[u8], passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let plain_armor;
    let bytes = if bytes.starts_with(VERSION.as_bytes()) {
        bytes
    } else {
        plain_armor = unarmored(bytes).ok_or(OpenError::Damaged)?;
        &plain_armor
    };
    let mut lines = Lines(bytes);
    if lines.next() != Some(VERSION) {
        return Err(OpenError::Damaged);
    }
    let stanza: Vec<&str> = lines.next().ok_or(OpenError::Damaged)?.split(' ').collect();
    let &["->", "scrypt", salt, work] = &stanza[..] else {
        return Err(if stanza.first() == Some(&"->") { OpenError::NoPassphrase } else { OpenError::Damaged });
    };
    let salt = BASE64_NOPAD.decode(salt.as_bytes()).map_err(|_| OpenError::Damaged)?;
    let work = work.parse().map_err(|_| OpenError::Damaged)?;
    if salt.len() != SALT_BYTES || work == 0 {
        return Err(OpenError::Damaged);
    }
    if work > MAX_WORK {
        return Err(OpenError::Work(work));
    }
    let wrapped = lines.next().and_then(|line| BASE64_NOPAD.decode(line.as_bytes()).ok());
    let mut file_key = Zeroizing::new(wrapped.ok_or(OpenError::Damaged)?);
    let header = bytes.len() - lines.0.len() + "---".len();
    let mac = lines.next().and_then(|line| line.strip_prefix("--- ")).ok_or(OpenError::Damaged)?;
    let mac = BASE64_NOPAD.decode(mac.as_bytes()).map_err(|_| OpenError::Damaged)?;
    if file_key.len() != FILE_KEY_BYTES + TAG_BYTES {
        return Err(OpenError::Damaged);
    }
    let wrapping = ChaCha20Poly1305::new((&*wrapping_key(passphrase, &salt, work)).into());
    open_part(&wrapping, Nonce::default(), &mut file_key).ok_or(OpenError::Wrong)?;
    let expected = header_mac(&file_key).chain_update(&bytes[..header]);
    expected.verify_slice(&mac).map_err(|_| OpenError::Wrong)?;

    let (nonce, payload) = lines.0.split_at_checked(NONCE_BYTES).ok_or(OpenError::Damaged)?;
    let key = ChaCha20Poly1305::new((&*derive(&file_key, nonce, b"payload")).into());
    let mut plain = buffer(payload.len());
    let mut chunks = payload.chunks(CHUNK_BYTES + TAG_BYTES).peekable();
    let mut counter = 0;
    while let Some(chunk) = chunks.next() {
        let last = chunks.peek().is_none();
        let mut part = Zeroizing::new(chunk.to_vec());
        open_part(&key, chunk_nonce(counter, last), &mut part).ok_or(OpenError::Wrong)?;
        // An empty part may stand alone, and nowhere else.
        if part.is_empty() && counter > 0 {
            return Err(OpenError::Damaged);
        }
        plain.extend_from_slice(&part);
        counter += 1;
    }
    if counter == 0 { Err(OpenError::Damaged) } else { Ok(plain) }
}

/// Lines that end in a newline, until something else begins.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let length = self.0.iter().take(1024).position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&self.0[..length]).ok()?;
        self.0 = &self.0[length + 1..];
        Some(line)
    }
}

fn wrapping_key(passphrase: &SecretString, salt: &[u8], work: u8) -> Zeroizing<[u8; 32]> {
    let salt = [b"age-encryption.org/v1/scrypt".as_slice(), salt].concat();
    let parameters = scrypt::Params::new(work, 8, 1).expect("work from 1 to 20 is possible");
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.expose_secret().as_bytes(), &salt, &parameters, key.as_mut_slice())
        .expect("32 bytes are a possible length");
    key
}

/// HKDF-SHA-256 (RFC 5869) of one block.
fn derive(key: &[u8], salt: &[u8], information: &[u8]) -> Zeroizing<[u8; 32]> {
    let extracted = Zeroizing::new(<[u8; 32]>::from(mac(salt).chain_update(key).finalize().into_bytes()));
    let expanded = mac(extracted.as_slice()).chain_update(information).chain_update([1]).finalize();
    Zeroizing::new(expanded.into_bytes().into())
}

fn header_mac(file_key: &[u8]) -> Hmac<Sha256> {
    mac(derive(file_key, &[], b"header").as_slice())
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn chunk_nonce(counter: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce.into()
}

/// Encrypts what stands in `bytes` from `start` on, and puts the tag behind it.
fn seal_part(key: &ChaCha20Poly1305, nonce: Nonce, bytes: &mut Vec<u8>, start: usize) {
    let tag = key
        .encrypt_inout_detached(&nonce, &[], (&mut bytes[start..]).into())
        .expect("only messages of 256 GiB are too long (RFC 8439, section 2.8)");
    bytes.extend_from_slice(&tag);
}

fn open_part(key: &ChaCha20Poly1305, nonce: Nonce, bytes: &mut Vec<u8>) -> Option<()> {
    let length = bytes.len().checked_sub(TAG_BYTES)?;
    let tag = Tag::try_from(&bytes[length..]).ok()?;
    bytes.truncate(length);
    key.decrypt_inout_detached(&nonce, &[], bytes.as_mut_slice().into(), &tag).ok()
}

fn armored(bytes: &[u8]) -> String {
    let mut text = format!("{ARMOR_BEGIN}\n");
    for line in BASE64.encode(bytes).as_bytes().chunks(COLUMNS) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + ARMOR_END + "\n"
}

fn unarmored(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let inside = text.strip_prefix(ARMOR_BEGIN)?.strip_suffix(ARMOR_END)?;
    let base64: String = inside.split_ascii_whitespace().collect();
    BASE64.decode(base64.as_bytes()).ok()
}

#[cfg(test)]
mod tests;

//! Secrets as other programs write them.

use crate::factor::totp::MIN_SECRET_BYTES;
use crate::secret::{SecretBytes, SecretString, secret};
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

/// The longest secret, in bytes.
const MAX_SECRET_BYTES: usize = 512;

/// Base32 as people type it: blanks, hyphens, lower case and padding do not matter, nor do bits that are over at the
/// end, which every authenticator drops.
///
/// # Errors
/// When it is something else, or the secret is too short or too long. The text holds nothing of the secret.
pub fn base32(text: &str) -> Result<SecretBytes, String> {
    decode_base32(text, |letter| letter)
}

/// The same with `0`, `1` and `8` taken for `O`, `L` and `B`, as google-authenticator and openvpn-otp do.
pub(super) fn base32_mistyped(text: &str) -> Result<SecretBytes, String> {
    decode_base32(text, |letter| match letter {
        b'0' => b'O',
        b'1' => b'L',
        b'8' => b'B',
        letter => letter,
    })
}

fn decode_base32(text: &str, read_as: impl Fn(u8) -> u8) -> Result<SecretBytes, String> {
    let text = text.trim().trim_end_matches('=');
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8 + 1));
    let (mut bits, mut count, mut letters) = (0_u16, 0, 0);
    for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'-')) {
        let value = match read_as(byte.to_ascii_uppercase()) {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return Err("the secret is not base32 (A to Z, 2 to 7)".to_owned()),
        };
        bits = (bits << 5 | u16::from(value)) & 0x1fff;
        count += 5;
        letters += 1;
        if count >= 8 {
            count -= 8;
            let [_, byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
        }
    }
    // A last letter that holds no bit of the last byte: something is missing.
    if matches!(letters % 8, 1 | 3 | 6) {
        return Err("the secret is not base32: it ends too early".to_owned());
    }
    checked(&bytes)
}

/// Hexadecimal digits of either case.
pub(super) fn hex(text: &str) -> Result<SecretBytes, String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map(Zeroizing::new);
    checked(&bytes.map_err(|_| "the secret is not hexadecimal".to_owned())?)
}

/// Bytes as they are.
pub(super) fn checked(bytes: &[u8]) -> Result<SecretBytes, String> {
    match bytes.len() {
        0 => Err("the secret is empty".to_owned()),
        length if length < MIN_SECRET_BYTES => Err(format!(
            "the secret has {} bits, and at least {} are needed",
            length * 8,
            MIN_SECRET_BYTES * 8
        )),
        length if length > MAX_SECRET_BYTES => {
            Err(format!("the secret is longer than {MAX_SECRET_BYTES} bytes"))
        }
        _ => Ok(secret(bytes)),
    }
}

/// `%41` as `A`; a `+` stays one. `None` for what is not UTF-8 afterwards, or a `%` without two digits.
pub(super) fn percent_decode(text: &str) -> Option<SecretString> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    std::str::from_utf8(&bytes).ok().map(SecretString::from)
}

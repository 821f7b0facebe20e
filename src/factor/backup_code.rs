//! Backup codes: for the day on which the telephone is lost. Each is good once.
//!
//! A code is twelve letters and digits in groups of four, such as `k7fm-2p9x-d4qr`: 60 random bits, and longer than any
//! TOTP code. Of so many possible codes nobody guesses one, not even with the store in hand, where a hash that takes a
//! microsecond is all that a guess costs: trying them all takes a machine that does 20 billion hashes a second two years
//! for each code. So no slow hash is needed, which would be a way to keep the store busy. The salt keeps the work
//! for one code from helping with another.

use crate::random::{Random, RandomError};
use crate::secret::{ExposeSecret, SecretBytes, SecretString};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The symbols of a code: Crockford's base 32 in lower case, without those that look like others.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Symbols of a code.
const LENGTH: usize = 12;

/// Symbols between two hyphens.
const GROUP: usize = 4;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// A backup code in its one form: lower case, no hyphens.
pub struct BackupCode(SecretString);

/// What is stored of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaltedHash {
    /// The salt.
    pub salt: [u8; SALT_BYTES],
    /// HMAC-SHA-256 of the code, with the salt as the key.
    pub hash: [u8; 32],
}

impl BackupCode {
    /// A new code.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        random.fill(bytes.as_mut_slice())?;
        let symbol = |byte: &u8| char::from(SYMBOLS[usize::from(byte % 32)]);
        Ok(Self(SecretString::from(bytes.iter().map(symbol).collect::<String>())))
    }

    /// Recognises a code as people type it: in any case, with hyphens and blanks or without, `o` for `0`, `i` and `l` for
    /// `1`. `None` for anything else.
    #[must_use]
    pub fn parse(typed: &SecretBytes) -> Option<Self> {
        let mut code = String::with_capacity(LENGTH);
        for &byte in typed.expose_secret() {
            match symbol(byte) {
                _ if byte == b'-' || byte == b' ' => {}
                Some(symbol) if code.len() < LENGTH => code.push(symbol),
                _ => {
                    zeroize::Zeroize::zeroize(&mut code);
                    return None;
                }
            }
        }
        let whole = code.len() == LENGTH;
        let code = Self(SecretString::from(code));
        whole.then_some(code)
    }

    /// Whether `typed` has the form in which codes are printed, in any case: groups with hyphens between them. For a place
    /// where it could also be something else, such as the end of a password.
    #[must_use]
    pub fn is_written_out(typed: &[u8]) -> bool {
        let is_hyphen = |index: usize| index % (GROUP + 1) == GROUP;
        typed.len() == LENGTH + LENGTH / GROUP - 1
            && typed
                .iter()
                .enumerate()
                .all(|(index, &byte)| if is_hyphen(index) { byte == b'-' } else { symbol(byte).is_some() })
    }

    /// The code for its owner: `k7fm-2p9x-d4qr`.
    #[must_use]
    pub fn printed(&self) -> SecretString {
        let code = self.0.expose_secret();
        let mut printed = String::with_capacity(LENGTH * 2);
        for (index, symbol) in code.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                printed.push('-');
            }
            printed.push(symbol);
        }
        SecretString::from(printed)
    }

    /// What to store of it.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn hashed(&self, random: &dyn Random) -> Result<SaltedHash, RandomError> {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt)?;
        Ok(SaltedHash { salt, hash: self.mac(&salt).finalize().into_bytes().into() })
    }

    /// Whether it is the code that was stored, in constant time.
    #[must_use]
    pub fn is(&self, stored: &SaltedHash) -> bool {
        self.mac(&stored.salt).verify_slice(&stored.hash).is_ok()
    }

    fn mac(&self, salt: &[u8; SALT_BYTES]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length");
        mac.chain_update(self.0.expose_secret())
    }
}

/// The symbol that a typed character stands for.
fn symbol(byte: u8) -> Option<char> {
    let lower = match byte.to_ascii_lowercase() {
        b'o' => b'0',
        b'i' | b'l' => b'1',
        other => other,
    };
    SYMBOLS.contains(&lower).then_some(char::from(lower))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::totp;
    use crate::random::SystemRandom;
    use crate::secret::secret;
    use std::collections::HashSet;

    fn parsed(typed: &[u8]) -> Option<String> {
        BackupCode::parse(&secret(typed)).map(|code| code.printed().expose_secret().to_owned())
    }

    #[test]
    fn new_codes_differ_use_every_symbol_and_are_read_as_they_are_printed() {
        let codes: Vec<String> = (0..200)
            .map(|_| BackupCode::generate(&SystemRandom).unwrap().printed().expose_secret().to_owned())
            .collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 200);
        let used: HashSet<char> = codes.iter().flat_map(|code| code.chars()).filter(|c| *c != '-').collect();
        assert_eq!(used.len(), 32);
        for code in codes {
            assert_eq!(code.len(), 14);
            assert!(BackupCode::is_written_out(code.as_bytes()), "{code}");
            assert_eq!(parsed(code.as_bytes()), Some(code.clone()));
            assert!(totp::Code::parse(&secret(code.as_bytes())).is_none(), "no TOTP code: {code}");
        }
    }

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = Some("k7fm-2p9x-d401".to_owned());
        for typed in
            ["k7fm-2p9x-d401", "K7FM2P9XD401", "k7fm 2p9x d4ol", " k7-fm2p-9x d4OI ", "K7FM-2P9X-D4OL"]
        {
            assert_eq!(parsed(typed.as_bytes()), code, "{typed}");
        }
        for typed in [
            "",
            "123456",
            "12345678",
            "k7fm-2p9x-d40",
            "k7fm-2p9x-d4011",
            "k7fm-2p9x-d4u1",
            "k7fm_2p9xd401",
            "push",
        ] {
            assert_eq!(parsed(typed.as_bytes()), None, "{typed}");
        }
        assert_eq!(parsed(b"k7fm-2p9x-d4\xff1"), None);
        // Twelve digits are no TOTP code.
        assert!(parsed(b"1234-5678-9012").is_some());
        assert!(totp::Code::parse(&secret(b"123456789012")).is_none());
    }

    #[test]
    fn only_the_printed_form_is_written_out() {
        for (typed, expected) in [
            ("k7fm-2p9x-d401", true),
            ("K7FM-2P9X-D4OL", true),
            ("k7fm2p9xd401", false),
            ("k7fm2-p9x-d401", false),
            ("k7fm-2p9x-d40u", false),
            ("k7fm-2p9x-d4012", false),
            ("k7fm-2p9x-", false),
            ("", false),
        ] {
            assert_eq!(BackupCode::is_written_out(typed.as_bytes()), expected, "{typed}");
        }
    }

    #[test]
    fn a_stored_code_is_recognised_and_no_other() {
        let [code, other] = [(); 2].map(|()| BackupCode::generate(&SystemRandom).unwrap());
        let stored = code.hashed(&SystemRandom).unwrap();
        assert!(code.is(&stored) && !other.is(&stored));
        assert_ne!(stored, code.hashed(&SystemRandom).unwrap(), "salted");
        assert!(!code.is(&SaltedHash { salt: [0; 16], ..stored }));
    }

    // Expected by: printf k7fm2p9xd4qr | openssl mac -digest SHA256 -macopt hexkey:000102030405060708090a0b0c0d0e0f HMAC
    #[test]
    fn the_hash_is_hmac_sha_256_with_the_salt_as_key() {
        let code = BackupCode::parse(&secret(b"k7fm-2p9x-d4qr")).unwrap();
        let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let hash = code.mac(&salt).finalize().into_bytes();
        let expected = "9A27173A278C034EE95083D884ACF44453D27D59D9FD50974CDE2A582D4B5A16";
        assert_eq!(data_encoding::HEXUPPER.encode(&hash), expected);
    }
}

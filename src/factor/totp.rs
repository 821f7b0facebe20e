//! TOTP by RFC 6238, and the texts around it: codes as people type them, base32 secrets, `otpauth://` URIs.
//!
//! The arithmetic is `totp-rs`'. What is ours: one step at a time, so that a step that was used is recognised.

use crate::auth::Token;
use crate::clock::UnixTime;
use crate::secret::{ExposeSecret, SecretBytes, SecretString};
use data_encoding::BASE32_NOPAD;
use std::fmt::Write as _;
use std::str::FromStr;
use totp_rs::{Builder, Totp};

/// Bits of a secret that is made here: 160, the length of the default hash (RFC 4226, section 4, R6).
pub const NEW_SECRET_BYTES: usize = 20;

/// The shortest secret that is taken over from elsewhere: 80 bits, as google-authenticator makes them.
pub const MIN_SECRET_BYTES: usize = 10;

/// The hash function of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Algorithm {
    /// HMAC-SHA-1, the default, and the only one that every app knows.
    #[default]
    Sha1,
    /// HMAC-SHA-256
    Sha256,
    /// HMAC-SHA-512
    Sha512,
}

impl Algorithm {
    /// The name in `otpauth://` URIs and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Sha1, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| format!("unknown algorithm {name:?}, there are SHA1, SHA256 and SHA512"))
    }
}

impl From<Algorithm> for totp_rs::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::SHA1,
            Algorithm::Sha256 => Self::SHA256,
            Algorithm::Sha512 => Self::SHA512,
        }
    }
}

/// A code as typed, without the blanks that apps show in the middle: 6 to 8 digits.
pub struct Code(SecretString);

impl Code {
    /// Recognises a code; `None` for anything else.
    #[must_use]
    pub fn parse(typed: &SecretBytes) -> Option<Self> {
        let typed = typed.expose_secret();
        let mut digits = String::with_capacity(9);
        for &byte in typed {
            match byte {
                b'0'..=b'9' if digits.len() < 8 => digits.push(char::from(byte)),
                b' ' => {}
                _ => return None,
            }
        }
        (digits.len() >= 6).then(|| Self(SecretString::from(digits)))
    }
}

/// When a code is checked, and how generously.
#[derive(Debug, Clone, Copy)]
pub struct Instant {
    /// The time of day.
    pub now: UnixTime,
    /// Steps accepted before and after the present one.
    pub window: u64,
}

/// What a code is to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The code of a step that was not used.
    Matches {
        /// The step: seconds since the epoch over the period (RFC 6238, section 4.2, `T`).
        step: u64,
        /// Steps from the present one; positive when the user's clock is ahead.
        offset: i64,
    },
    /// The code of a step that was used, or of one before it.
    AlreadyUsed,
    /// None of them.
    No,
}

/// Compares a code with the codes of a token around `when`, in constant time for each (RFC 6238, section 5.2: a code is
/// accepted once).
#[must_use]
pub fn check(token: &Token, code: &Code, when: Instant) -> Check {
    let code = code.0.expose_secret();
    let totp = generator(token);
    let period = u64::from(token.period.max(1));
    let is_code_of = |step: u64| totp.check(code, step.saturating_mul(period)).is_some();
    let present = when.now / period;
    let mut result = Check::No;
    // The nearest step first; all are looked at, so that the time does not tell which one it was.
    for distance in 0..=when.window {
        for step in [present.checked_sub(distance), present.checked_add(distance)].into_iter().flatten() {
            if !is_code_of(step) {
                continue;
            }
            if token.last_step.is_some_and(|last| step <= last) {
                if result == Check::No {
                    result = Check::AlreadyUsed;
                }
            } else if !matches!(result, Check::Matches { .. }) {
                let distance = i64::try_from(distance).unwrap_or(i64::MAX);
                result = Check::Matches { step, offset: if step < present { -distance } else { distance } };
            }
        }
    }
    // A client that saved the last good code and sends it again, however late.
    if result == Check::No && token.last_step.is_some_and(is_code_of) {
        return Check::AlreadyUsed;
    }
    result
}

/// The code of a token at a time, for checking against other implementations.
#[must_use]
pub fn code_at(token: &Token, time: UnixTime) -> SecretString {
    SecretString::from(generator(token).generate(time).to_string())
}

fn generator(token: &Token) -> Totp {
    // `build` would refuse secrets below 128 bits, which other programs have made and users bring along. What the
    // arithmetic needs (at most 8 digits, a period) is checked where tokens are read.
    Builder::new()
        .with_algorithm(token.algorithm.into())
        .with_digits(token.digits.clamp(6, 8))
        .with_secret(token.secret.expose_secret().to_vec())
        .with_skew(0)
        .with_step_duration(u64::from(token.period.max(1)))
        .build_noncompliant()
}

/// A secret as base32 without padding, as apps want it.
#[must_use]
pub fn base32(secret: &SecretBytes) -> SecretString {
    SecretString::from(BASE32_NOPAD.encode(secret.expose_secret()))
}

/// The parts of an `otpauth://` URI.
pub struct Enrolment<'a> {
    /// The service's name.
    pub issuer: &'a str,
    /// The user's name.
    pub account: &'a str,
    /// The token.
    pub token: &'a Token,
}

impl Enrolment<'_> {
    /// The URI (Google Authenticator's "Key Uri Format"): no default algorithm, digit count or period in it, and
    /// blanks as `%20`, as apps expect.
    #[must_use]
    pub fn uri(&self) -> SecretString {
        let (issuer, account) = (percent_encode(self.issuer), percent_encode(self.account));
        let secret = base32(&self.token.secret);
        let mut uri =
            format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", secret.expose_secret());
        if self.token.algorithm != Algorithm::default() {
            let _ = write!(uri, "&algorithm={}", self.token.algorithm.name());
        }
        if self.token.digits != 6 {
            let _ = write!(uri, "&digits={}", self.token.digits);
        }
        if self.token.period != 30 {
            let _ = write!(uri, "&period={}", self.token.period);
        }
        SecretString::from(uri)
    }
}

/// RFC 3986: everything but the unreserved characters, upper-case hex.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

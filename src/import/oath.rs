//! `users.oath` of oath-toolkit's `pam_oath` (liboath's users file): type, user, PIN, secret in hexadecimal, then what the
//! module notes itself: a counter, the last code, and when it was used.

use super::{Assumed, COUNTER_BASED, Contents, Found, Place, digits, each_line, encoding, user};
use crate::auth::{Token, TokenId};
use crate::factor::totp::{Algorithm, code_at};
use crate::secret::ExposeSecret;

/// How far from now a last code is looked for, in steps. Older ones are outside every window.
const STEPS_AROUND: u64 = 120;

pub(super) fn looks_like_it(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.next().is_some_and(|kind| kind == "HOTP" || kind.starts_with("HOTP/")) && words.count() >= 3
}

pub(super) fn read(bytes: &[u8], assumed: Assumed) -> Contents {
    each_line(bytes, |contents, place, line| contents.add(place, read_line(line, assumed)))
}

fn read_line(line: &str, assumed: Assumed) -> Result<Found, String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [kind, name, pin, secret, noted @ ..] = &words[..] else {
        return Err("not a line of users.oath: type, user, PIN and secret are wanted".to_owned());
    };
    let (period, digits) = kind_of(kind)?;
    let user = user(name)?;
    match *pin {
        // Checked elsewhere, as the password is here.
        "-" | "+" => {}
        _ => {
            return Err(format!(
                "{user} has a PIN, which is not part of a code here: put - in its place, the password is PAM's"
            ));
        }
    }
    let secret = encoding::hex(secret)?;
    let token = Token { id: TokenId(0), secret, algorithm: Algorithm::Sha1, digits, period, last_step: None };
    let last_step = noted.get(1).and_then(|code| step_of(code, &token, assumed.now));
    Ok(Found {
        place: Place::File,
        user: Some(user),
        issuer: String::new(),
        secret: token.secret,
        algorithm: token.algorithm,
        digits,
        period,
        last_step,
        scratch_codes: 0,
    })
}

/// `HOTP/T30/6`: seconds of a step, digits of a code. Both may be left out.
fn kind_of(kind: &str) -> Result<(u32, u8), String> {
    let mut parts = kind.split('/');
    let (Some("HOTP"), Some(mode)) = (parts.next(), parts.next()) else {
        return Err(if kind == "HOTP" { COUNTER_BASED.to_owned() } else { "unknown type".to_owned() });
    };
    let Some(seconds) = mode.strip_prefix('T') else {
        return Err(if mode == "E" { COUNTER_BASED.to_owned() } else { "unknown type".to_owned() });
    };
    let seconds = seconds.parse().map_err(|_| "unknown type".to_owned())?;
    let digits = parts
        .next()
        .map_or(Ok(6), |text| text.parse().map_err(|_| "unknown type".to_owned()).and_then(digits))?;
    if parts.next().is_some() {
        return Err("unknown type".to_owned());
    }
    Ok((super::period(seconds)?, digits))
}

/// The step of the last code that was used, if it was lately: the latest that has this code, so that it is not taken
/// again. The time beside it is not needed; it is in whatever zone the machine had.
fn step_of(code: &str, token: &Token, now: u64) -> Option<u64> {
    let period = u64::from(token.period);
    let present = now / period;
    let steps = present.saturating_sub(STEPS_AROUND)..=present + STEPS_AROUND;
    steps.rev().find(|step| code_at(token, step * period).expose_secret() == code)
}

//! `~/.google_authenticator` of libpam-google-authenticator (its FILEFORMAT): the secret on the first line, options as
//! `" NAME VALUE`, then scratch codes. The file does not say whose it is.

use super::{Assumed, COUNTER_BASED, Contents, Found, Place, encoding, period};
use crate::factor::totp::Algorithm;

/// A day: a step that is further ahead than that was not used, the file is wrong.
pub(super) const MAX_SECONDS_AHEAD: u64 = 86_400;

pub(super) fn looks_like_it(text: &str) -> bool {
    let mut lines = text.lines();
    let is_secret = |line: &str| {
        line.trim().len() >= 8 && line.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'=')
    };
    lines.next().is_some_and(is_secret) && lines.all(is_option_or_scratch_code)
}

fn is_option_or_scratch_code(line: &str) -> bool {
    line.starts_with("\" ") || line.trim().bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn read(bytes: &[u8], assumed: Assumed) -> Contents {
    let Ok(text) = std::str::from_utf8(bytes) else { return Contents::unread(Place::File, "not UTF-8") };
    let mut contents = Contents::default();
    match read_text(text, assumed) {
        Ok(found) => contents.found.push(found),
        Err((place, reason)) => contents = Contents::unread(place, reason),
    }
    contents
}

fn read_text(text: &str, assumed: Assumed) -> Result<Found, (Place, String)> {
    let (mut by_time, mut step, mut used, mut scratch_codes) = (false, 30, Vec::new(), 0);
    for (index, line) in text.lines().enumerate().skip(1) {
        let fail = |reason: String| (Place::Line(index + 1), reason);
        let Some(option) = line.strip_prefix("\" ") else {
            scratch_codes += usize::from(!line.trim().is_empty());
            continue;
        };
        let mut words = option.split_ascii_whitespace();
        match words.next() {
            Some("TOTP_AUTH") => by_time = true,
            Some("HOTP_COUNTER") => return Err(fail(COUNTER_BASED.to_owned())),
            Some("OTP_DISABLED") => return Err(fail("the file says OTP_DISABLED".to_owned())),
            Some("STEP_SIZE") => {
                let seconds = words.next().and_then(|word| word.parse().ok());
                let seconds = seconds.ok_or_else(|| fail("STEP_SIZE without a number".to_owned()))?;
                step = period(seconds).map_err(fail)?;
            }
            Some("DISALLOW_REUSE") => used.extend(words.filter_map(|word| word.parse::<u64>().ok())),
            // Policies of that module: this program has settings of its own.
            _ => {}
        }
    }
    let first = text.lines().next().unwrap_or_default();
    let secret = encoding::base32_mistyped(first).map_err(|reason| (Place::Line(1), reason))?;
    if !by_time {
        let reason = "no TOTP_AUTH in the file: its codes are not by time".to_owned();
        return Err((Place::File, reason));
    }
    // Steps, not seconds, whatever FILEFORMAT says: the module writes what it compares, time over STEP_SIZE.
    let furthest = (assumed.now + MAX_SECONDS_AHEAD) / u64::from(step);
    let last_step = used.into_iter().filter(|&used| used <= furthest).max();
    Ok(Found {
        place: Place::File,
        user: None,
        issuer: String::new(),
        secret,
        algorithm: Algorithm::Sha1,
        digits: 6,
        period: step,
        last_step,
        scratch_codes,
    })
}

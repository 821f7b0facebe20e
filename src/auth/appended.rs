//! Second factors appended to the password, for clients with one box only.

use crate::config::Appended;
use crate::factor::backup_code::BackupCode;

/// How many digits a code has, where the user's token is not known.
pub(super) const DEFAULT_DIGITS: usize = 6;

/// Splits what was typed into password and response, if it ends in something that can be a response.
///
/// With [`Appended::Digits`], the last `digits` digits are the code. With [`Appended::Comma`], what follows the last
/// comma is, if it looks like a code or a factor word; else it is part of the password.
pub(super) fn split(typed: &[u8], form: Appended, digits: usize) -> Option<(&[u8], &[u8])> {
    match form {
        Appended::Off => None,
        Appended::Comma => {
            let comma = typed.iter().rposition(|&byte| byte == b',')?;
            let (password, response) = (&typed[..comma], &typed[comma + 1..]);
            (!password.is_empty() && looks_like_response(response)).then_some((password, response))
        }
        Appended::Digits => {
            let at = typed.len().checked_sub(digits)?;
            let (password, code) = typed.split_at(at);
            (!password.is_empty() && code.iter().all(u8::is_ascii_digit)).then_some((password, code))
        }
    }
}

/// A code (six to eight digits, blanks allowed), a backup code with its hyphens, or a factor word with an optional device number.
fn looks_like_response(response: &[u8]) -> bool {
    let digits = response.iter().filter(|byte| byte.is_ascii_digit()).count();
    let code =
        (6..=8).contains(&digits) && response.iter().all(|byte| byte.is_ascii_digit() || *byte == b' ');
    let word = response.to_ascii_lowercase();
    code || BackupCode::is_written_out(response)
        || [&b"push"[..], b"phone", b"sms"]
            .iter()
            .any(|name| word.strip_prefix(*name).is_some_and(|number| number.iter().all(u8::is_ascii_digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_password_is_taken_off_only_where_it_can_be_a_response() {
        use Appended::{Comma, Digits, Off};
        for (form, digits, typed, expected) in [
            (Off, 6, "secret,123456", None),
            (Comma, 6, "secret,123456", Some(("secret", "123456"))),
            (Comma, 6, "se,cret,123 456", Some(("se,cret", "123 456"))),
            (Comma, 6, "secret,12345678", Some(("secret", "12345678"))),
            (Comma, 6, "secret,push", Some(("secret", "push"))),
            (Comma, 6, "secret,Phone2", Some(("secret", "Phone2"))),
            (Comma, 6, "secret,k7fm-2P9x-d4qr", Some(("secret", "k7fm-2P9x-d4qr"))),
            (Comma, 6, "correct,horsebattery", None),
            (Comma, 6, "secret,k7fm2p9xd4qr", None),
            (Digits, 6, "secretk7fm-2p9x-d4qr", None),
            (Comma, 6, "se,cret", None),
            (Comma, 6, "secret,12345", None),
            (Comma, 6, "secret,", None),
            (Comma, 6, ",123456", None),
            (Comma, 6, "secret123456", None),
            (Digits, 6, "secret123456", Some(("secret", "123456"))),
            (Digits, 6, "secret1234567", Some(("secret1", "234567"))),
            (Digits, 8, "secret12345678", Some(("secret", "12345678"))),
            (Digits, 8, "secret123456", None),
            (Digits, 6, "secret12345x", None),
            (Digits, 6, "123456", None),
            (Digits, 6, "", None),
        ] {
            let parts = split(typed.as_bytes(), form, digits);
            let expected = expected.map(|(p, r): (&str, &str)| (p.as_bytes(), r.as_bytes()));
            assert_eq!(parts, expected, "{form:?} {digits} {typed}");
        }
    }
}

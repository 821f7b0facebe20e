//! The texts of challenges, as OpenVPN passes them to clients (`doc/management-notes.txt`, "Challenge/Response").

use super::OpenMethod;
use crate::printable;
use data_encoding::BASE64;
use std::time::Duration;

/// Longest text of a question, in bytes: with its prefix it stays below what clients pass to their windows
/// (246 bytes for `CR_TEXT`, 256 for a CRV1 line in GUI clients).
const MAX_TEXT_BYTES: usize = 200;

/// Longest CRV1 question with everything, in bytes: GUI clients read lines of 256.
const MAX_DYNAMIC_BYTES: usize = 256;

/// What is left for the text of a CRV1 question to somebody with a very long name, in bytes.
const MIN_TEXT_BYTES: usize = 40;

/// The content of `auth_pending_file` for a question in the waiting session: how long it waits, the method, the text.
///
/// Flags: `R`, an answer is needed; `E`, what is typed is shown.
#[must_use]
pub fn pending(timeout: Duration, text: &str) -> String {
    format!("{}\ncrtext\nCR_TEXT:R,E:{}\n", timeout.as_secs(), printable::ascii(text, MAX_TEXT_BYTES))
}

/// The content of `auth_pending_file` that has the client open an `https://` address. `None` where it is longer than
/// clients take.
#[must_use]
pub fn open_address(timeout: Duration, method: OpenMethod, address: &str) -> Option<String> {
    let (method, message) = match method {
        OpenMethod::WebAuth => ("webauth", "WEB_AUTH::"),
        OpenMethod::OpenUrl => ("openurl", "OPEN_URL:"),
    };
    let fits = address.len() <= MAX_TEXT_BYTES && address.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| format!("{}\n{method}\n{message}{address}\n", timeout.as_secs()))
}

/// The failure reason that is a CRV1 question. `state` is letters and digits; `username` is what the client sent, and
/// not empty, because OpenVPN GUI splits at colons.
#[must_use]
pub fn dynamic(state: &str, username: &str, text: &str) -> String {
    let username = BASE64.encode(username.as_bytes());
    let head = format!("CRV1:R,E:{state}:{username}:");
    let room = MAX_DYNAMIC_BYTES.saturating_sub(head.len()).clamp(MIN_TEXT_BYTES, MAX_TEXT_BYTES);
    head + &printable::ascii(text, room)
}

/// The failure reason that makes a client come again by itself after `backoff` seconds; for clients that know it.
#[must_use]
pub fn temporary(backoff: u32, text: &str) -> String {
    format!("TEMP[backoff {backoff}]: {}", printable::ascii(text, MAX_TEXT_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_have_the_form_that_clients_expect() {
        assert_eq!(
            pending(Duration::from_secs(300), "Please enter your TOTP code"),
            "300\ncrtext\nCR_TEXT:R,E:Please enter your TOTP code\n"
        );
        assert_eq!(
            open_address(Duration::from_secs(60), OpenMethod::WebAuth, "https://x.test/a"),
            Some("60\nwebauth\nWEB_AUTH::https://x.test/a\n".to_owned())
        );
        assert_eq!(
            open_address(Duration::from_secs(60), OpenMethod::OpenUrl, "https://x.test/a"),
            Some("60\nopenurl\nOPEN_URL:https://x.test/a\n".to_owned())
        );
        for bad in ["https://x\n1", "https://x y", &"x".repeat(201)] {
            assert_eq!(open_address(Duration::from_secs(60), OpenMethod::OpenUrl, bad), None, "{bad:?}");
        }
        assert_eq!(dynamic("ABC234", "alice", "Your code"), "CRV1:R,E:ABC234:YWxpY2U=:Your code");
        assert_eq!(temporary(5, "Server busy, try again"), "TEMP[backoff 5]: Server busy, try again");
    }

    #[test]
    fn no_question_is_longer_or_stranger_than_clients_take() {
        let long = "x\u{fc}\n".repeat(200);
        let pending = pending(Duration::from_secs(1), &long);
        assert_eq!(pending.lines().count(), 3);
        assert!(pending.lines().last().unwrap().len() <= 246);
        for user in ["alice", "alice.longname@branch.example.com"] {
            let dynamic = dynamic("A2B3C4D5E6F7A2B3C4D5E6F7A2B3C4D5", user, &long);
            assert!(dynamic.len() <= 256 && dynamic.bytes().all(|b| (b' '..=b'~').contains(&b)), "{dynamic}");
        }
    }
}

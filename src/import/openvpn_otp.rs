//! `otp-secrets` of openvpn-otp and ppp-otp: `user server type:hash:encoding:key:pin:udid client`, a line each. Words may
//! be quoted. `totp` has the steps and digits of the plugin's line in server.conf, which are not in this file.

use super::{Assumed, COUNTER_BASED, Contents, Found, Place, digits, each_line, encoding, period, user};
use crate::factor::totp::Algorithm;
use zeroize::Zeroizing;

pub(super) fn looks_like_it(line: &str) -> bool {
    words(line).is_some_and(|words| {
        words.len() >= 3 && (words[2].matches(':').count() >= 4 || words[2].starts_with("plain:"))
    })
}

pub(super) fn read(bytes: &[u8], assumed: Assumed) -> Contents {
    each_line(bytes, |contents, place, line| contents.add(place, read_line(line, assumed)))
}

fn read_line(line: &str, assumed: Assumed) -> Result<Found, String> {
    let words = words(line).ok_or("a quotation mark without its end")?;
    let [name, _server, description, ..] = &words[..] else {
        return Err("not a line of otp-secrets: user, server, secret and client are wanted".to_owned());
    };
    let user = user(name)?;
    if description.to_ascii_lowercase().starts_with("plain:") {
        return Err(format!("{user} has a password and no secret"));
    }
    let parts: Vec<&str> = description.split(':').collect();
    let [kind, hash, encoding, key, pin, ..] = parts[..] else {
        return Err("not type:hash:encoding:key:pin".to_owned());
    };
    let kind = kind.to_ascii_lowercase();
    let (period, digits) = match kind.as_str() {
        "totp" => (assumed.period, assumed.digits),
        "hotp" => return Err(COUNTER_BASED.to_owned()),
        "motp" => return Err("Mobile-OTP is not supported: enrol this user anew".to_owned()),
        kind => kind
            .strip_prefix("totp-")
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(step, count)| Some((period(step.parse().ok()?), digits(count.parse().ok()?))))
            .map_or(Err("unknown type".to_owned()), |(period, digits)| Ok((period?, digits?)))?,
    };
    let algorithm = match hash.to_ascii_lowercase().as_str() {
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return Err("another hash than sha1, sha256 and sha512".to_owned()),
    };
    if !pin.is_empty() {
        return Err(format!(
            "{user} has a PIN, which is not part of a code here: take it out of the line, the password is PAM's"
        ));
    }
    let secret = match encoding.to_ascii_lowercase().as_str() {
        "base32" => encoding::base32_mistyped(key),
        "hex" => encoding::hex(key),
        "text" => encoding::checked(key.as_bytes()),
        _ => Err("another encoding than base32, hex and text".to_owned()),
    }?;
    Ok(Found {
        place: Place::File,
        user: Some(user),
        issuer: String::new(),
        secret,
        algorithm,
        digits,
        period,
        last_step: None,
        scratch_codes: 0,
    })
}

/// The words of a line, up to a `#`; `None` when a quotation mark is not closed.
fn words(line: &str) -> Option<Vec<Zeroizing<String>>> {
    let mut words: Vec<Zeroizing<String>> = Vec::new();
    let mut word: Option<Zeroizing<String>> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let mut push = |character| {
            // Once as long as it can get, so that no copy of it is left behind.
            word.get_or_insert_with(|| Zeroizing::new(String::with_capacity(line.len()))).push(character);
        };
        match (quote, character) {
            (Some(mark), _) if mark == character => quote = None,
            (None, '#') => break,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_with(|| Zeroizing::new(String::with_capacity(line.len())));
            }
            (None, '\\') => push(characters.next()?),
            (None, _) if character.is_ascii_whitespace() => words.extend(word.take()),
            (Some(_) | None, _) => push(character),
        }
    }
    words.extend(word.take());
    quote.is_none().then_some(words)
}

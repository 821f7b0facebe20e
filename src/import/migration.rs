//! Google Authenticator's "Transfer accounts": `otpauth-migration://offline?data=…`, base64 of a protocol buffer. A large
//! export is several of them. The message was never published; its fields are as those who read it have found them.

use super::{COUNTER_BASED, Contents, Found, Place, encoding, uris, user};
use crate::factor::totp::Algorithm;
use crate::secret::ExposeSecret;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

const PREFIX: &str = "otpauth-migration://";

pub(super) fn looks_like_it(line: &str) -> bool {
    line.get(..PREFIX.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(PREFIX))
}

/// A QR code of an export that has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The number of the export.
    pub export: u64,
    /// Which it is, from 0.
    pub part: u64,
    /// How many there are.
    pub parts: u64,
}

/// Says which exports are not whole.
#[must_use]
pub fn missing_parts(parts: &[Part]) -> Vec<String> {
    let mut exports: BTreeMap<u64, (u64, BTreeSet<u64>)> = BTreeMap::new();
    for part in parts {
        let (wanted, seen) = exports.entry(part.export).or_default();
        *wanted = part.parts.max(*wanted);
        seen.insert(part.part);
    }
    let seen =
        exports.into_values().map(|(wanted, seen)| (wanted, u64::try_from(seen.len()).unwrap_or(u64::MAX)));
    seen.filter(|(wanted, seen)| seen < wanted)
        .map(|(wanted, seen)| format!("the export has {wanted} QR codes, and only {seen} of them are here"))
        .collect()
}

/// Reads the URI of a line.
pub(super) fn read(contents: &mut Contents, place: Place, uri: &str) {
    if let Err(reason) = read_payload(contents, place, uri) {
        contents.add(place, Err(reason));
    }
}

fn read_payload(contents: &mut Contents, place: Place, uri: &str) -> Result<(), String> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let data = query.split('&').find_map(|pair| pair.strip_prefix("data=")).ok_or("no data in the URI")?;
    let text = encoding::percent_decode(data).ok_or("its data is not percent-encoded")?;
    // A plus sign becomes a blank where a URI went through a form.
    let text = Zeroizing::new(text.expose_secret().replace(' ', "+"));
    let text = text.trim_end_matches('=').as_bytes();
    let bytes = BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text));
    let bytes = Zeroizing::new(bytes.map_err(|_| "its data is not base64")?);
    let (mut part, mut count) = (Part { export: 0, part: 0, parts: 0 }, 0);
    let mut message = Message(&bytes);
    while let Some((field, value)) = message.next()? {
        match (field, value) {
            (1, Value::Bytes(account)) => {
                count += 1;
                contents
                    .add(place, read_account(account).map_err(|reason| format!("account {count}: {reason}")));
            }
            (3, Value::Number(parts)) => part.parts = parts,
            (4, Value::Number(number)) => part.part = number,
            (5, Value::Number(export)) => part.export = export,
            _ => {}
        }
    }
    if count == 0 {
        return Err("no account in it".to_owned());
    }
    contents.parts.push(part);
    Ok(())
}

fn read_account(bytes: &[u8]) -> Result<Found, String> {
    let (mut secret, mut name, mut issuer) = (&[][..], &[][..], &[][..]);
    let (mut algorithm, mut digits, mut kind) = (0, 0, 0);
    let mut message = Message(bytes);
    while let Some((field, value)) = message.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => secret = bytes,
            (2, Value::Bytes(bytes)) => name = bytes,
            (3, Value::Bytes(bytes)) => issuer = bytes,
            (4, Value::Number(number)) => algorithm = number,
            (5, Value::Number(number)) => digits = number,
            (6, Value::Number(number)) => kind = number,
            _ => {}
        }
    }
    if kind == 1 {
        return Err(COUNTER_BASED.to_owned());
    }
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "a name that is not UTF-8".to_owned());
    let (name, mut issuer) = (text(name)?, text(issuer)?.to_owned());
    // Often the label of the URI that was scanned.
    let account = match name.strip_prefix(issuer.as_str()).and_then(|rest| rest.strip_prefix(':')) {
        Some(account) if !issuer.is_empty() => account,
        _ if issuer.is_empty() => name.split_once(':').map_or(name, |(prefix, account)| {
            prefix.clone_into(&mut issuer);
            account
        }),
        _ => name,
    };
    Ok(Found {
        place: Place::File,
        user: Some(user(uris::account_of(account))?),
        issuer,
        secret: encoding::checked(secret)?,
        algorithm: match algorithm {
            0 | 1 => Algorithm::Sha1,
            2 => Algorithm::Sha256,
            3 => Algorithm::Sha512,
            _ => return Err("another algorithm than SHA1, SHA256 and SHA512".to_owned()),
        },
        digits: match digits {
            0 | 1 => 6,
            2 => 8,
            3 => 7,
            _ => return Err("an unknown number of digits".to_owned()),
        },
        period: 30,
        last_step: None,
        scratch_codes: 0,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// A protocol buffer, read field by field ("Encoding" in its documentation).
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let broken = || "its data is cut off or damaged".to_owned();
        let key = self.number().ok_or_else(broken)?;
        let value = match key & 7 {
            0 => self.number().map(Value::Number),
            1 => self.take(8).map(|_| Value::Other),
            2 => self.number().and_then(|length| self.take(length)).map(Value::Bytes),
            5 => self.take(4).map(|_| Value::Other),
            _ => None,
        };
        Ok(Some((key >> 3, value.ok_or_else(broken)?)))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

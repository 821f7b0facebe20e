//! `otpauth://totp/…` URIs, one a line (Google Authenticator's "Key Uri Format").

use super::{COUNTER_BASED, Contents, Found, Place, digits, each_line, encoding, migration, period, user};
use crate::factor::totp::Algorithm;
use crate::secret::{ExposeSecret, SecretString};

const SCHEME: &str = "otpauth://";

pub(super) fn looks_like_it(line: &str) -> bool {
    line.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// Reads a list that may hold URIs of both kinds.
pub(super) fn read(bytes: &[u8]) -> Contents {
    each_line(bytes, |contents, place, line| {
        if migration::looks_like_it(line) {
            migration::read(contents, place, line);
        } else {
            contents.add(place, read_uri(line));
        }
    })
}

pub(super) fn read_uri(uri: &str) -> Result<Found, String> {
    if !looks_like_it(uri) {
        return Err("not an otpauth:// URI".to_owned());
    }
    let rest = &uri[SCHEME.len()..];
    let rest = rest.split('#').next().unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, label) = path.split_once('/').unwrap_or((path, ""));
    match kind.to_ascii_lowercase().as_str() {
        "totp" => {}
        "hotp" => return Err(COUNTER_BASED.to_owned()),
        _ => return Err("an otpauth:// URI of an unknown type".to_owned()),
    }
    let mut parameters = Parameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        // Some write blanks as forms do. No other value can hold one.
        let spaced = (name == "issuer").then(|| value.replace('+', "%20"));
        let value = encoding::percent_decode(spaced.as_deref().unwrap_or(value));
        parameters.set(&name, value.ok_or("a value that is not percent-encoded UTF-8")?)?;
    }
    let issuer = parameters.issuer.as_ref().map_or("", |issuer| issuer.expose_secret());
    let (prefix, account) = split_label(label, issuer)?;
    let secret = parameters.secret.as_ref().ok_or("no secret in the URI")?;
    Ok(Found {
        place: Place::File,
        user: Some(user(account_of(&account))?),
        issuer: if issuer.is_empty() { prefix } else { issuer.to_owned() },
        secret: encoding::base32(secret.expose_secret())?,
        algorithm: parameters.algorithm,
        digits: parameters.digits.map_or(Ok(6), digits)?,
        period: parameters.period.map_or(Ok(30), period)?,
        last_step: None,
        scratch_codes: 0,
    })
}

#[derive(Default)]
struct Parameters {
    secret: Option<SecretString>,
    issuer: Option<SecretString>,
    algorithm: Algorithm,
    digits: Option<u64>,
    period: Option<u64>,
}

impl Parameters {
    fn set(&mut self, name: &str, value: SecretString) -> Result<(), String> {
        let number = |what| value.expose_secret().parse().map_err(|_| format!("{what} is not a number"));
        match name {
            "secret" => self.secret = Some(value),
            "issuer" => self.issuer = Some(value),
            "algorithm" => {
                let name = value.expose_secret().to_ascii_uppercase().replace('-', "");
                self.algorithm =
                    name.parse().map_err(|_| "another algorithm than SHA1, SHA256 and SHA512".to_owned())?;
            }
            "digits" => self.digits = Some(number("digits")?),
            "period" => self.period = Some(number("period")?),
            // image, color, lock and what else apps have thought of
            _ => {}
        }
        Ok(())
    }
}

/// The account without the blank that many put behind the colon.
pub(super) fn account_of(label: &str) -> &str {
    let account = label.trim_start();
    if account.is_empty() { label } else { account }
}

/// The two parts of a label, `issuer:account`; the first may be missing. A colon that is written as one is the border;
/// else the issuer's name is, where it stands at the beginning; else the first colon that is encoded.
fn split_label(label: &str, issuer: &str) -> Result<(String, String), String> {
    let decode = |text: &str| {
        let decoded = encoding::percent_decode(text).ok_or("a label that is not percent-encoded UTF-8")?;
        Ok::<_, String>(decoded.expose_secret().to_owned())
    };
    if let Some((prefix, account)) = label.split_once(':') {
        return Ok((decode(prefix)?, decode(account)?));
    }
    let label = decode(label)?;
    let after_issuer = label.strip_prefix(issuer).and_then(|rest| rest.strip_prefix(':'));
    if let Some(account) = after_issuer.filter(|_| !issuer.is_empty()) {
        return Ok((issuer.to_owned(), account.to_owned()));
    }
    Ok(match label.split_once(':') {
        Some((prefix, account)) => (prefix.to_owned(), account.to_owned()),
        None => (String::new(), label),
    })
}

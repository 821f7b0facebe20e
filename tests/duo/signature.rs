//! Whether a request is signed right and in time, worked out from the wire alone.
//!
//! Nothing of the product's is used here, and another implementation of HMAC, so that both must be right to agree.

use super::http::Raw;
use super::request::Refusal;
use data_encoding::{BASE64, HEXLOWER};
use ring::hmac;

/// The integration key of the look-alike.
pub(crate) const IKEY: &str = "DILOOKALIKELOOKALIKE";
/// Its secret key; worth nothing anywhere else.
pub(crate) const SKEY: &str = "lookalikeLookalikelookalikeLookalike0123";

/// Duo refuses a date that is further off.
const TOLERANCE: u64 = 5 * 60;

/// What a signature is judged by.
pub(super) struct Judge<'a> {
    /// The hosts that may be signed, in lower case.
    pub(super) hosts: &'a [String],
    /// Seconds since 1970.
    pub(super) now: i64,
    /// The code of the answer to a date that is too far off.
    pub(super) off_date_code: u32,
}

impl Judge<'_> {
    /// Refuses what Duo would refuse. `parameters` are those on the wire, decoded.
    pub(super) fn check(&self, raw: &Raw, parameters: &[(String, String)]) -> Result<(), Refusal> {
        let refused = |code, message: &str, why: &str| Refusal::credentials(code, message, why);
        let missing = |why: &str| refused(40101, "Missing request credentials", why);
        let authorization = raw.header("authorization").ok_or_else(|| missing("no Authorization"))?;
        let pair = credentials(authorization).ok_or_else(|| missing("Authorization is not Basic"))?;
        let (ikey, signature) = pair.split_once(':').ok_or_else(|| missing("no colon in Authorization"))?;
        if ikey != IKEY {
            let why = format!("integration key {ikey:?}");
            return Err(refused(40102, "Invalid integration key in request credentials", &why));
        }
        let Some(date) = raw.header("date") else {
            return Err(refused(40104, "Missing request timestamp", "no Date"));
        };
        let off = |why: &str| refused(self.off_date_code, "Bad request timestamp", why);
        let time = unix_time(date).ok_or_else(|| off(&format!("Date {date:?} is not of RFC 2822")))?;
        if time.abs_diff(self.now) > TOLERANCE {
            return Err(off(&format!("Date {date:?} is {} s off", time - self.now)));
        }
        let signed = |host| canonical(raw, date, host, parameters);
        if !self.hosts.iter().any(|host| verifies(&signed(host), signature)) {
            let why = format!("signature; it should be over {:?}", signed(&self.hosts[0]));
            return Err(refused(40103, "Invalid signature in request credentials", &why));
        }
        Ok(())
    }
}

fn credentials(authorization: &str) -> Option<String> {
    let encoded = authorization.strip_prefix("Basic ")?;
    String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()
}

fn canonical(raw: &Raw, date: &str, host: &str, parameters: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = parameters.iter().map(|(name, value)| (escape(name), escape(value))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [date, &raw.method.to_ascii_uppercase(), host, &raw.path, &pairs.join("&")].join("\n")
}

/// RFC 3986: everything but the unreserved characters is escaped.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Lower-case hexadecimal HMAC-SHA512; nothing else, so that a client of the historic SHA-1 is found out.
fn verifies(canonical: &str, signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA512, SKEY.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, canonical.as_bytes()).as_ref()) == signature
}

/// A date of RFC 2822, in the form that a sender may still generate (section 3.3): day of the week, numeric zone.
fn unix_time(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [weekday, day, month, year, clock, zone] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let digits = |text: &str, length| {
        let good = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| text.parse::<u8>().ok())?
    };
    let month = u8::try_from(MONTHS.iter().position(|known| *known == month)? + 1).ok()?;
    let year = i32::from(digits(year.get(..2)?, 2)?) * 100 + i32::from(digits(year.get(2..)?, 2)?);
    let day = digits(day, day.len().clamp(1, 2))?;
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()?;
    let name = date.weekday().to_string();
    if weekday.strip_suffix(',')? != &name[..3] {
        return None;
    }
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>()[..] else { return None };
    let time = date.with_hms(digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?).ok()?;
    let east = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let ahead = i64::from(digits(zone.get(1..3)?, 2)?) * 3600 + i64::from(digits(zone.get(3..)?, 2)?) * 60;
    Some(time.assume_utc().unix_timestamp() - east * ahead)
}

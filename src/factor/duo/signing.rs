//! How a request to Duo is signed. Pure. Source: Duo's Auth API, version 2, signature version 2 with SHA-512.

use crate::clock::UnixTime;
use crate::secret::{ExposeSecret, SecretString};
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use zeroize::Zeroizing;

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters in the body.
    Post,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The parameters of a request. One of them may be a passcode, so their memory is wiped.
#[derive(Default)]
pub(super) struct Parameters(Vec<(&'static str, Zeroizing<String>)>);

impl Parameters {
    /// Adds one.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.push((key, Zeroizing::new(value.into())));
        self
    }

    /// Adds one where there is a value.
    pub(super) fn maybe(self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// `key=value` pairs, encoded and sorted by key, with `&` between them: what is signed, and what is sent.
    pub(super) fn canonical(&self) -> Zeroizing<String> {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|(key, _)| *key);
        // Room for the longest there can be, so that no copy of a passcode stays behind when the text grows.
        let room = sorted.iter().map(|(key, value)| (key.len() + value.len()) * 3 + 2).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for (key, value) in sorted {
            if !text.is_empty() {
                text.push('&');
            }
            push_encoded(&mut text, key);
            text.push('=');
            push_encoded(&mut text, value);
        }
        text
    }
}

/// Appends `value`, percent-encoded but for the characters that RFC 3986 (2.3) calls unreserved.
pub(super) fn push_encoded(text: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// What is signed.
pub(super) struct Signed<'a> {
    /// As in the header `Date`: [`date`].
    pub(super) date: &'a str,
    pub(super) method: Method,
    /// The API host, without a port.
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    /// [`Parameters::canonical`]
    pub(super) parameters: &'a str,
}

impl Signed<'_> {
    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self, ikey: &str, skey: &SecretString) -> String {
        let host = self.host.to_ascii_lowercase();
        let lines = [self.date, self.method.name(), &host, self.path, self.parameters];
        let mut mac = Hmac::<Sha512>::new_from_slice(skey.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length (RFC 2104, 3)");
        for (number, line) in lines.into_iter().enumerate() {
            if number > 0 {
                mac.update(b"\n");
            }
            mac.update(line.as_bytes());
        }
        let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
        format!("Basic {}", BASE64.encode(format!("{ikey}:{signature}").as_bytes()))
    }
}

/// `time` as in the header `Date`: `Tue, 21 Aug 2012 17:29:18 -0000` (RFC 2822, 3.3; UTC is `-0000` there, for a
/// machine that does not say in which zone it is).
pub(super) fn date(time: UnixTime) -> String {
    i64::try_from(time)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&Rfc2822).ok())
        .and_then(|date| Some(format!("{}-0000", date.strip_suffix("+0000")?)))
        // A clock beyond the year 9999. Duo then says that the clock is wrong.
        .unwrap_or_else(|| "Thu, 01 Jan 1970 00:00:00 -0000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IKEY: &str = "DIWJ8X6AEYOR5OMC6TQ1";
    const SKEY: &str = "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep";

    fn parameters(pairs: &[(&'static str, &str)]) -> Parameters {
        pairs.iter().fold(Parameters::default(), |all, (key, value)| all.with(key, *value))
    }

    // Python: '&'.join(quote(k, safe='~') + '=' + quote(v, safe='~') for k, v in sorted(parameters.items()))
    #[test]
    fn parameters_are_sorted_by_key_and_all_but_unreserved_characters_encoded() {
        for (pairs, canonical) in [
            (&[][..], ""),
            (&[("username", "root"), ("realname", "First Last")], "realname=First%20Last&username=root"),
            (&[("b", ""), ("a", "")], "a=&b="),
            (
                &[("a", "-_.~*+ /%&=?#:@!$'()\"\\|")],
                "a=-_.~%2A%2B%20%2F%25%26%3D%3F%23%3A%40%21%24%27%28%29%22%5C%7C",
            ),
            (&[("a", "j\u{f6}rg \u{732b}")], "a=j%C3%B6rg%20%E7%8C%AB"),
            (&[("a", "\0\n\x7f")], "a=%00%0A%7F"),
            (
                &[
                    ("username", "j\u{f6}rg+vpn \u{732b}*~"),
                    ("passcode", ""),
                    ("pushinfo", "Server=vpn%201&a=b"),
                ],
                "passcode=&pushinfo=Server%3Dvpn%25201%26a%3Db&username=j%C3%B6rg%2Bvpn%20%E7%8C%AB%2A~",
            ),
        ] {
            assert_eq!(parameters(pairs).canonical().as_str(), canonical);
        }
    }

    // Expected values worked out with Python: hmac.new(skey, '\n'.join([date, method, host.lower(), path, parameters]),
    // hashlib.sha512).hexdigest(), joined to the key with ':' and encoded by base64.b64encode.
    #[test]
    fn signatures_are_those_of_another_implementation() {
        let several = parameters(&[
            ("username", "j\u{f6}rg+vpn \u{732b}*~"),
            ("passcode", ""),
            ("factor", "auto"),
            ("device", "DE-v_1.2"),
            ("pushinfo", "Server=vpn%201&a=b"),
        ]);
        for (time, method, host, path, parameters, expected) in [
            (
                1_345_570_158,
                Method::Post,
                "API-XXXXXXXX.duosecurity.com",
                "/auth/v2/preauth",
                parameters(&[("username", "root"), ("realname", "First Last")]),
                "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6MmQ3ZjgxMjMyYTdkZDEwMTI1YmM3Yzc4YmJiZThhMWY2ZTIwMWNmZTMwOTUzNDg3OWU\
                 zZjNmMDVjNzg0ODc0ZDhhMzY0NjY2NWQ5NjQ1OGI3MmFjNjA4ZDY5ODcwNGY4ZjA1ODNkMDI0MzU4NDg4NmVjZDAyNTk3YTMxZmNj\
                 YjU=",
            ),
            (
                1_354_900_680,
                Method::Post,
                "api.example.com",
                "/auth/v2/auth",
                several,
                "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6NjRmOWE3NzJkNGFlOWMzMTg0NDBhNDU3YzE3MzRiYWRiYjc0MzliNDhjOTYyYjE1OGR\
                 mYTM0NThjZTgwMWNkYmU2N2MxMGFjMDBhMTExMmRlMmM2Y2JkNjliNTI4YWZiMDg5NWUwMjY3ZTE2MzVlM2ExMWM4ZTdmMmE1OTlm\
                 ZDc=",
            ),
            (
                0,
                Method::Get,
                "localhost",
                "/auth/v2/check",
                Parameters::default(),
                "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6MDhiYzdkZWQwY2IxY2I0MDdkZTg5NGNjZThiOWU3OTQwOWE1NGI2YjQ1ODNlYzhiN2J\
                 jNzQ2NzVmNDJhYWE4ZjVjZTE2N2QyYTQwNTQ4NWJkZTRkNjQ5MWRiOTRmYTBkYjgyM2Q0YjdjN2NjZjhlNzQ0N2Y3MzQzZDQwMzg2\
                 Njg=",
            ),
        ] {
            let (date, parameters) = (date(time), parameters.canonical());
            let signed = Signed { date: &date, method, host, path, parameters: &parameters };
            assert_eq!(signed.authorization(IKEY, &SecretString::from(SKEY)), expected, "{path}");
        }
    }

    // Expected values from `date -R -u -d @N`, with -0000 for +0000.
    #[test]
    fn dates_are_written_as_rfc_2822() {
        for (time, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 -0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 -0000"),
            (1_345_570_158, "Tue, 21 Aug 2012 17:29:18 -0000"),
            (1_354_900_680, "Fri, 07 Dec 2012 17:18:00 -0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 -0000"),
            (u64::MAX, "Thu, 01 Jan 1970 00:00:00 -0000"),
        ] {
            assert_eq!(date(time), text);
        }
    }
}

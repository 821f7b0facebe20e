//! Types of values, each of which checks itself when it is read.

use crate::clock::UnixTime;
use crate::name::{GroupName, UserName};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Unexpected, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::value::Datetime;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// The constant `VALUE`; out of bounds does not compile.
    #[must_use]
    pub const fn new<const VALUE: u64>() -> Self {
        const { assert!(MIN <= VALUE && VALUE <= MAX) };
        Self(VALUE)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeNumber<const MIN: u64, const MAX: u64>;

        impl<const MIN: u64, const MAX: u64> Visitor<'_> for WholeNumber<MIN, MAX> {
            type Value = Bounded<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                u64::try_from(value)
                    .ok()
                    .filter(|value| (MIN..=MAX).contains(value))
                    .map(Bounded)
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
            }
        }

        deserializer.deserialize_i64(WholeNumber)
    }
}

/// One line of text for a user: 1 to [`Line::MAX_BYTES`] bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Line(String);

impl Line {
    /// What every client passes to its window (`openvpn-hooks`: 246 bytes for `CR_TEXT:` and text, less for CRV1).
    pub const MAX_BYTES: usize = 200;

    /// A default that is known to be good.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Line {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Err("the text is empty".to_owned());
        }
        if text.len() > Self::MAX_BYTES {
            return Err(format!(
                "the text has {} bytes, clients show no more than {}",
                text.len(),
                Self::MAX_BYTES
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("the text holds a control character or a line break".to_owned());
        }
        Ok(Self(text))
    }
}

/// The path of a file from the root: hooks and shells are in different directories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PathBuf")]
pub struct FullPath(PathBuf);

impl FullPath {
    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<PathBuf> for FullPath {
    type Error = &'static str;

    fn try_from(path: PathBuf) -> Result<Self, Self::Error> {
        if path.is_absolute() { Ok(Self(path)) } else { Err("a full path is wanted, from the root: /...") }
    }
}

/// The name of a PAM service: letters, digits, `_`, `-` and `.`, and no path.
///
/// PAM joins the name to a directory, so that a slash in it would read another file (CVE-2011-4122).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceName(String);

impl ServiceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ServiceName {
    fn default() -> Self {
        Self("openvpn".to_owned())
    }
}

impl TryFrom<String> for ServiceName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(allowed) {
            return Err("not the name of a PAM service: a file name in /etc/pam.d is wanted, made of letters, digits, \
                        '_', '-' and '.'"
                .to_owned());
        }
        Ok(Self(name))
    }
}

/// A day, such as `2026-12-31`: a date of TOML, or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Day(time::Date);

impl Day {
    /// The first second after the day, by UTC.
    #[must_use]
    pub fn end(self) -> UnixTime {
        let next = self.0.next_day().unwrap_or(self.0);
        u64::try_from(next.midnight().assume_utc().unix_timestamp()).unwrap_or(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl TryFrom<toml::Value> for Day {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const WANTED: &str = "a day is wanted, such as 2026-12-31";
        let moment = match value {
            toml::Value::Datetime(moment) => moment,
            toml::Value::String(text) => text.parse().map_err(|_| WANTED)?,
            _ => return Err(WANTED),
        };
        let Datetime { date: Some(date), time: None, offset: None } = moment else { return Err(WANTED) };
        let month = time::Month::try_from(date.month).map_err(|_| WANTED)?;
        let date = time::Date::from_calendar_date(i32::from(date.year), month, date.day);
        date.map(Self).map_err(|_| WANTED)
    }
}

/// Names of users: a list of texts, or one text with commas between them, which is what the environment can carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<UserName>);

impl Names {
    /// Whether `name` is among them, letter by letter.
    #[must_use]
    pub fn contains(&self, name: &UserName) -> bool {
        self.0.contains(name)
    }

    /// The names in lower case.
    #[must_use]
    pub(super) fn to_lowercase(&self) -> Self {
        Self(self.0.iter().filter_map(|name| name.to_lowercase().ok()).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(list(deserializer, "a list of user names")?.into_iter().collect()))
    }
}

/// Names of Unix groups, in the form of [`Names`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups(Vec<GroupName>);

impl Groups {
    /// So that a request to the process that looks them up has an end, in bytes.
    const MAX_BYTES: usize = 4096;

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[GroupName] {
        &self.0
    }

    /// Whether `name` is among them, letter by letter.
    #[must_use]
    pub fn contains(&self, name: &GroupName) -> bool {
        self.0.contains(name)
    }
}

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let groups: Vec<GroupName> = list(deserializer, "a list of groups")?;
        if groups.iter().map(|group| group.as_str().len() + 1).sum::<usize>() > Self::MAX_BYTES {
            return Err(de::Error::custom(format_args!(
                "the names have more than {} bytes together",
                Self::MAX_BYTES
            )));
        }
        Ok(Self(groups))
    }
}

/// A list of texts, or one text with commas between them.
fn list<'de, D, T>(deserializer: D, expecting: &'static str) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct ListOrText<T>(&'static str, PhantomData<T>);

    fn parse<T: FromStr<Err: fmt::Display>, E: de::Error>(text: &str) -> Result<T, E> {
        text.parse().map_err(|error| E::custom(format_args!("{:?}: {error}", crate::printable::text(text))))
    }

    impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for ListOrText<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if text.trim().is_empty() {
                return Ok(Vec::new());
            }
            text.split(',').map(|part| parse(part.trim())).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some(text) = texts.next_element::<String>()? {
                values.push(parse(&text)?);
            }
            Ok(values)
        }
    }

    deserializer.deserialize_any(ListOrText(expecting, PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected from `date -u -d 'DAY + 1 day' +%s`.
    #[test]
    fn a_day_is_over_at_the_next_midnight_by_utc() {
        let day = |text: &str| Day::try_from(toml::Value::String(text.to_owned()));
        for (text, end) in
            [("2026-12-31", 1_798_761_600), ("2028-02-28", 1_835_395_200), ("1970-01-01", 86_400)]
        {
            assert_eq!(day(text).unwrap().end(), end);
            assert_eq!(day(text).unwrap().to_string(), text);
        }
        for text in
            ["", "2026-12", "2026-13-01", "2027-02-29", "31.12.2026", "2026-12-31T00:00:00Z", "12:00:00"]
        {
            assert!(day(text).is_err(), "{text}");
        }
        assert!(Day::try_from(toml::Value::Integer(20_261_231)).is_err());
    }
}

//! The form in which names are taken, and which of them may log in.

use super::Auth;
use crate::name::{NameError, NameRefusal, UserName};
use regex_lite::Regex;
use serde::Deserialize;

/// What becomes of the case of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsernameCase {
    /// It stays; names that differ in it are different names.
    Keep,
    /// Names are taken in lower case, before anything else is done with them.
    Lower,
}

/// A regular expression that the whole name must match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct UsernamePattern(Regex);

impl UsernamePattern {
    /// The longest expression, in bytes.
    const MAX_BYTES: usize = 500;

    fn matches(&self, name: &UserName) -> bool {
        self.0.is_match(name.as_str())
    }
}

impl TryFrom<String> for UsernamePattern {
    type Error = String;

    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        if pattern.is_empty() {
            return Err("the pattern is empty, and no name would match it: leave the key out".to_owned());
        }
        if pattern.len() > Self::MAX_BYTES {
            return Err(format!("the pattern is longer than {} bytes", Self::MAX_BYTES));
        }
        // By itself first, so that none closes the group that is put around it.
        let whole = Regex::new(&pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
        whole.map(Self).map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl Auth {
    /// A name from outside in its one form for PAM, store, Duo and limits.
    ///
    /// # Errors
    /// When it is not a name.
    pub fn canonical(&self, name: &[u8]) -> Result<UserName, NameError> {
        let name = UserName::parse(name)?;
        match self.username_case {
            UsernameCase::Keep => Ok(name),
            UsernameCase::Lower => name.to_lowercase(),
        }
    }

    /// Why nobody of this name, which is in its one form, may log in.
    #[must_use]
    pub fn refusal(&self, name: &UserName) -> Option<NameRefusal> {
        match &self.username_pattern {
            _ if name.deceives() => Some(NameRefusal::Invisible),
            Some(pattern) => (!pattern.matches(name)).then_some(NameRefusal::Pattern),
            None => name.oddity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pattern: Option<&str>, name: &str) -> Option<NameRefusal> {
        let username_pattern = pattern.map(|pattern| pattern.to_owned().try_into().unwrap());
        let auth = Auth { username_pattern, ..Auth::default() };
        auth.refusal(&auth.canonical(name.as_bytes()).unwrap())
    }

    #[test]
    fn names_that_accounts_have_may_log_in_and_those_that_only_guessers_have_may_not() {
        for name in [
            "alice",
            "Alice",
            "a b",
            "o'neill",
            "say \"hi\"",
            "corp:alice",
            "DOMAIN\\alice",
            "alice@example.org",
            "alice+vpn",
            "first.last_2-x",
            "100%s$(x);`y`",
            "j\u{f6}rg",
            "\u{674e}\u{56db}",
            "1000",
            "host$",
            ".hidden",
            "a.",
            "~x",
        ] {
            assert_eq!(refused(None, name), None, "{name}");
        }
        for (name, why) in [
            ("-x", NameRefusal::Hyphen),
            ("--help", NameRefusal::Hyphen),
            ("/etc/passwd", NameRefusal::Slash),
            ("a/b", NameRefusal::Slash),
            ("..", NameRefusal::Dots),
            (".", NameRefusal::Dots),
            ("a..b", NameRefusal::Dots),
            (" ", NameRefusal::Blank),
            (" a", NameRefusal::Blank),
            ("a ", NameRefusal::Blank),
            ("a\u{a0}", NameRefusal::Blank),
            ("a\u{202e}b", NameRefusal::Invisible),
            ("a\u{200b}", NameRefusal::Invisible),
            ("\u{feff}a", NameRefusal::Invisible),
        ] {
            assert_eq!(refused(None, name), Some(why), "{name:?}");
        }
    }

    #[test]
    fn a_pattern_takes_the_place_of_the_rules_and_matches_the_whole_name() {
        let refusal = Some(NameRefusal::Pattern);
        for (pattern, name, expected) in [
            ("[a-z]+", "alice", None),
            ("[a-z]+", "alice2", refusal),
            ("[a-z]+", "2alice", refusal),
            ("[a-z]+", "Alice", refusal),
            ("^[a-z]+$", "alice", None),
            ("a|ab", "ab", None),
            ("a|b", "xb", refusal),
            (r"[a-z]+(/[a-z]+)?", "corp/alice", None),
            ("[a-z\u{e4}\u{f6}\u{fc}]+", "j\u{f6}rg", None),
            ("(?m)^a$", "a", None),
            // What nobody sees is refused whatever the pattern says.
            (".*", "a\u{202e}b", Some(NameRefusal::Invisible)),
        ] {
            assert_eq!(refused(Some(pattern), name), expected, "{pattern} {name}");
        }
        for pattern in ["", "(", "a)|(b", "[z-a]", "(?x) a # comment", &"a".repeat(501)] {
            assert!(UsernamePattern::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_case_of_a_name_goes_where_the_settings_say_so() {
        let lower = Auth { username_case: UsernameCase::Lower, ..Auth::default() };
        for (name, expected) in [("ALICE", "alice"), ("J\u{d6}RG", "j\u{f6}rg"), ("DOM\\Bob", "dom\\bob")] {
            assert_eq!(lower.canonical(name.as_bytes()).unwrap().as_str(), expected);
            assert_eq!(Auth::default().canonical(name.as_bytes()).unwrap().as_str(), name);
        }
        // Lower case can be longer.
        let long = "\u{130}".repeat(127);
        assert_eq!(lower.canonical(long.as_bytes()), Err(NameError::TooLong));
    }
}

//! Names of users.

use std::fmt;

/// The name of a user, as it goes to PAM, to the database and to Duo: UTF-8, 1 to 255 bytes, no control characters.
///
/// OpenVPN has replaced control characters already (`string_mod_remap_name`); everything else a client can send is
/// possible here: spaces, quotes, colons, slashes. So a name is never part of a path, a command or a log line
/// without being made safe first. Which names may log in is another question: [`NameRefusal`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(String);

/// Why a text is not the name of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("the user's name is empty")]
    Empty,
    /// More than [`UserName::MAX_BYTES`].
    #[error("the user's name is longer than 255 bytes")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("the user's name is not UTF-8")]
    NotUtf8,
    /// A control character, newline and tab included.
    #[error("the user's name holds a control character")]
    Control,
}

/// Why nobody of this name may log in or be enrolled, though it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameRefusal {
    /// Characters that cannot be seen, or that turn the text around.
    #[error("the user's name holds a character that cannot be seen")]
    Invisible,
    /// It could be taken for an option.
    #[error("the user's name begins with a hyphen")]
    Hyphen,
    /// It could be taken for a path.
    #[error("the user's name holds a slash")]
    Slash,
    /// It could be taken for a directory.
    #[error("the user's name holds two dots in a row, or is a dot")]
    Dots,
    /// It could be taken for another name.
    #[error("the user's name begins or ends with a blank")]
    Blank,
    /// The administrator's own rule.
    #[error("the user's name does not match [auth] username_pattern")]
    Pattern,
}

impl UserName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Parses a name from outside.
    ///
    /// # Errors
    /// When `bytes` are not a name.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name in lower case.
    ///
    /// # Errors
    /// When it is too long then.
    pub fn to_lowercase(&self) -> Result<Self, NameError> {
        Self::parse(self.0.to_lowercase().as_bytes())
    }

    /// Whether it holds what nobody sees, so that it can pass for another name.
    #[must_use]
    pub fn deceives(&self) -> bool {
        self.0.chars().any(crate::printable::is_unsafe)
    }

    /// What no account has in its name, and what those like who try out programs behind a login: modules and scripts make
    /// paths and command lines of names.
    #[must_use]
    pub fn oddity(&self) -> Option<NameRefusal> {
        let name = self.0.as_str();
        if name.starts_with('-') {
            return Some(NameRefusal::Hyphen);
        }
        if name.contains('/') {
            return Some(NameRefusal::Slash);
        }
        if name.contains("..") || name == "." {
            return Some(NameRefusal::Dots);
        }
        (name.trim() != name).then_some(NameRefusal::Blank)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for UserName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

/// The name of a Unix group: 1 to 255 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for GroupName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() || name.len() > UserName::MAX_BYTES || name.chars().any(char::is_control) {
            return Err("not the name of a group: 1 to 255 bytes without control characters are wanted");
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::printable::text(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_taken_whole_or_refused() {
        let long = vec![b'a'; 256];
        for (bytes, expected) in [
            (&b"alice"[..], Ok("alice")),
            (b"a \"b\" c:d/../%s", Ok("a \"b\" c:d/../%s")),
            ("j\u{f6}rg".as_bytes(), Ok("j\u{f6}rg")),
            (&long[..255], Ok(std::str::from_utf8(&long[..255]).unwrap())),
            (b"", Err(NameError::Empty)),
            (&long, Err(NameError::TooLong)),
            (b"a\xff", Err(NameError::NotUtf8)),
            (b"a\nb", Err(NameError::Control)),
            (b"a\0b", Err(NameError::Control)),
            ("a\u{9b}b".as_bytes(), Err(NameError::Control)),
        ] {
            assert_eq!(UserName::parse(bytes).as_ref().map(UserName::as_str), expected.as_ref().copied());
        }
    }
}

//! Text from outside made safe for a terminal and for a log line.

use std::fmt::Write;
use unicode_width::UnicodeWidthChar as _;

/// `text` with everything that could move a cursor, recolour, reorder or hide other text written as `\u{…}`.
#[must_use]
pub fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Control characters, and the Unicode ones that change the direction or the presence of their neighbours.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal `text` takes, which [`text`] has made safe (UAX #11).
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// How many columns a character takes: two where terminals draw it wide, none where it stands above another.
#[must_use]
pub fn width_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// `text` reduced to what every OpenVPN client shows: printable ASCII. Anything else becomes `?`, because one byte
/// outside 0x20-0x7e loses the whole message on clients since 2.6.11. At most `limit` bytes.
#[must_use]
pub fn ascii(text: &str, limit: usize) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_are_shown_not_obeyed() {
        assert_eq!(text("a\x1b[31mb\r\n\u{202e}c"), "a\\u{1b}[31mb\\u{d}\\u{a}\\u{202e}c");
        assert_eq!(text("j\u{f6}rg 'x' \"y\""), "j\u{f6}rg 'x' \"y\"");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        for (text, columns) in [
            ("alice", 5),
            ("j\u{f6}rg", 4),
            ("jo\u{308}rg", 4),
            ("\u{674e}\u{56db}", 4),
            ("\u{1f511}", 2),
            ("", 0),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn messages_to_clients_are_ascii_and_bounded() {
        assert_eq!(ascii("f\u{fc}r\tdich", 200), "f?r?dich");
        assert_eq!(ascii("abcdef", 3), "abc");
    }
}

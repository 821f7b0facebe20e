//! Lines that anybody may put something into.

use super::*;
use crate::fuzzing::{cases, is_printable, troublesome_text};
use proptest::prelude::*;

/// What a line says, read as a program would that knows the form: words, and texts in quotes.
fn read(line: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let value;
        (value, rest) = match after.strip_prefix('"') {
            None => {
                after.split_once(' ').map_or((after.to_owned(), ""), |(word, rest)| (word.to_owned(), rest))
            }
            Some(quoted) => {
                let (value, rest) = unquote(quoted)?;
                (value, rest.strip_prefix(' ').unwrap_or(rest))
            }
        };
        pairs.push((key.to_owned(), value));
    }
    Some(pairs)
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return Some((value, rest.as_str())),
            '\\' => match rest.next()? {
                'u' => {
                    let (hex, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    value.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                    rest = after.chars();
                }
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_a_line_says_what_was_put_into_it_and_nothing_else(
        user in troublesome_text(), detail in troublesome_text(), software in proptest::option::of(troublesome_text())
    ) {
        let entry = Entry::new(Level::Info, "login")
            .pair("user", &user)
            .pair("outcome", "reject")
            .maybe("software", software.as_deref())
            .pair("detail", &detail);
        let line = entry.text();
        prop_assert!(is_printable(line) && line.is_ascii());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut expected = vec![pair("event", "login"), pair("user", &user), pair("outcome", "reject")];
        expected.extend(software.map(|software| pair("software", &software)));
        expected.push(pair("detail", &detail));
        prop_assert_eq!(read(line), Some(expected));
    }

    #[test]
    fn fuzz_text_for_people_moves_no_cursor(text in troublesome_text(), limit in 0..300_usize) {
        prop_assert!(is_printable(&crate::printable::text(&text)));
        let ascii = crate::printable::ascii(&text, limit);
        prop_assert!(ascii.len() <= limit && ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
}

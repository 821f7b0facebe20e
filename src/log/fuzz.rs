//! Lines that anybody may put something into.

use super::*;
use crate::fuzzing::{almost_text, cases, is_printable, troublesome_text};
use proptest::prelude::*;
use proptest::sample::Index;

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
        let found = pairs(line).unwrap().into_iter().map(|(key, value)| (key.to_owned(), value));
        prop_assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fuzz_a_line_that_was_cut_says_no_more_than_the_whole_one(detail in troublesome_text(), at in any::<Index>()) {
        let entry = Entry::new(Level::Info, "login").pair("user", "alice").pair("detail", &detail).pair("ref", "X");
        let cut = &entry.text()[..at.index(entry.text().len())];
        let (whole, found) = (pairs(entry.text()).unwrap(), pairs(cut).unwrap_or_default());
        prop_assert!(found.len() <= whole.len());
        for ((key, value), (of_key, of_value)) in found.iter().zip(&whole) {
            prop_assert!(key == of_key && of_value.starts_with(value.as_str()), "{}", cut);
        }
    }

    #[test]
    fn fuzz_whatever_a_log_holds_can_be_read(line in almost_text(troublesome_text().prop_map(|text| format!("event={text}")))) {
        let _ = pairs(&line);
    }

    #[test]
    fn fuzz_text_for_people_moves_no_cursor(text in troublesome_text(), limit in 0..300_usize) {
        prop_assert!(is_printable(&crate::printable::text(&text)));
        let ascii = crate::printable::ascii(&text, limit);
        prop_assert!(ascii.len() <= limit && ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
}

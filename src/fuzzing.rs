//! What the properties of the parsers share: bytes that are almost right.
//!
//! The properties are called `fuzz…`, and stand beside what they are about. In the ordinary tests each has a few hundred
//! cases; `scripts/torture fuzz` gives them millions (`PROPTEST_CASES`), and adds up the lines in which they say how many.

use proptest::prelude::*;
use proptest::sample::Index;

/// A few hundred cases, or as many as `PROPTEST_CASES` says. Nothing is written beside the sources.
pub(crate) fn cases() -> ProptestConfig {
    fewer_cases(1)
}

/// One in `share` of them, but some: for properties that take long.
pub(crate) fn fewer_cases(share: u32) -> ProptestConfig {
    let all =
        ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    let cases = if share == 1 { all.cases } else { (all.cases / share).max(30) };
    // Who passes has run all of them.
    println!("\ncases {cases} {}", std::thread::current().name().unwrap_or("?"));
    ProptestConfig { cases, ..all }
}

/// Bytes that mean something to one parser or another.
const MEANINGFUL: &[u8] = b"\0\n\r\t\x1b :=,;.'\"[]{}()\\/#+-_%@?*~09azAZ\x7f\x80\xc3\xe2\xff";

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
    Splice(Index, Vec<u8>),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop_oneof![3 => proptest::sample::select(MEANINGFUL), 1 => any::<u8>()];
    prop_oneof![
        4 => (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        4 => (any::<Index>(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        3 => (any::<Index>(), 1..9_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), proptest::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(at, bytes)| Mutation::Splice(at, bytes)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: Mutation) {
    let length = bytes.len();
    let place = |index: Index| index.index(length + 1);
    match mutation {
        Mutation::Replace(at, byte) => {
            if length > 0 {
                bytes[at.index(length)] = byte;
            }
        }
        Mutation::Insert(at, byte) => bytes.insert(place(at), byte),
        Mutation::Remove(at, count) => {
            let at = place(at);
            bytes.drain(at..(at + count).min(length));
        }
        Mutation::Repeat(at, count) => {
            let at = place(at);
            let repeated = bytes[at..(at + count).min(length)].to_vec();
            bytes.splice(at..at, repeated);
        }
        Mutation::Cut(at) => bytes.truncate(place(at)),
        Mutation::Splice(at, new) => {
            let at = place(at);
            bytes.splice(at..at, new);
        }
    }
}

/// What `valid` makes, as it is or with a few things wrong in it.
pub(crate) fn almost(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let mutations = prop_oneof![
        1 => Just(Vec::new()),
        6 => proptest::collection::vec(mutation(), 1..4),
        1 => proptest::collection::vec(mutation(), 4..16),
    ];
    (valid, mutations).prop_map(|(mut bytes, mutations)| {
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        bytes
    })
}

/// As [`almost`], for parsers of text.
pub(crate) fn almost_text(valid: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    almost(valid.prop_map(String::into_bytes)).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Text with everything in it that has ever been trouble.
pub(crate) fn troublesome_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9 ]{0,40}",
        3 => "[ -~]{0,60}",
        2 => "\\PC{0,40}",
        1 => any::<String>(),
        1 => proptest::collection::vec(proptest::sample::select(MEANINGFUL), 0..30)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => Just("\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}".to_owned()),
        1 => "[a-z\n\r\t\u{85}\u{2028}:'\"\\[\\]\\\\]{0,300}",
    ]
}

/// Whether a terminal, a log or a client could take any of it for something else than text.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
}

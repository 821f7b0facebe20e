use super::*;
use crate::fuzzing::{almost, fewer_cases};
use crate::random::SystemRandom;
use proptest::prelude::*;

/// Little work: a test is no attacker.
const LITTLE: u8 = 4;

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text)
}

fn sealed(plain: &[u8]) -> String {
    seal_with_work(plain, &passphrase("correct horse"), &SystemRandom, LITTLE).unwrap()
}

/// Made by age 1.1.1: `age -p -a`, passphrase "tea at five", work factor 18.
const BY_AGE: &str = include_str!("by-age-1.1.1");

#[test]
fn what_age_made_is_opened() {
    let plain = open(BY_AGE.as_bytes(), &passphrase("tea at five")).unwrap();
    assert_eq!(plain.as_slice(), b"otpauth://totp/x:alice?secret=GEZDGNBVGY3TQOJQ&issuer=x\n");
}

#[test]
fn what_is_sealed_is_opened_whatever_its_length() {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]
    {
        let plain: Vec<u8> = (0_u8..=255).cycle().take(length).collect();
        let text = sealed(&plain);
        assert!(looks_like_it(text.as_bytes()) && text.lines().all(|line| line.len() <= COLUMNS));
        assert_eq!(
            open(text.as_bytes(), &passphrase("correct horse")).unwrap().as_slice(),
            plain,
            "{length}"
        );
    }
}

#[test]
fn another_passphrase_and_every_change_are_noticed() {
    let text = sealed(b"a secret");
    assert_eq!(open(text.as_bytes(), &passphrase("wrong horse")).unwrap_err(), OpenError::Wrong);
    let bytes = unarmored(text.as_bytes()).unwrap();
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        assert!(open(&changed, &passphrase("correct horse")).is_err(), "byte {index}");
    }
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length], &passphrase("correct horse")).is_err(), "{length} bytes");
    }
    // Whole parts, cut away or in another order.
    let long = unarmored(sealed(&vec![7; 3 * CHUNK_BYTES]).as_bytes()).unwrap();
    let part = CHUNK_BYTES + TAG_BYTES;
    let cut = &long[..long.len() - part];
    assert!(open(cut, &passphrase("correct horse")).is_err());
    let start = long.len() - 3 * part;
    let swapped = [
        &long[..start],
        &long[start + part..start + 2 * part],
        &long[start..start + part],
        &long[start + 2 * part..],
    ];
    assert!(open(&swapped.concat(), &passphrase("correct horse")).is_err());
}

#[test]
fn what_cannot_be_opened_says_why() {
    let recipient = "age-encryption.org/v1\n-> X25519 abc\nxyz\n--- mac\n";
    assert_eq!(open(recipient.as_bytes(), &passphrase("x")).unwrap_err(), OpenError::NoPassphrase);
    let costly = format!("{VERSION}\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 21\nAA\n--- AA\n");
    assert_eq!(open(costly.as_bytes(), &passphrase("x")).unwrap_err(), OpenError::Work(21));
}

/// The work that a file asks for, whether or not it is a good file.
fn work(bytes: &[u8]) -> Option<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().nth(1)?.split(' ').nth(3)?.parse().ok()
}

proptest! {
    #![proptest_config(fewer_cases(10))]

    #[test]
    fn fuzz_what_was_changed_is_noticed(armor in any::<bool>(), bytes in almost(sealed_file())) {
        // A file that asks for a gibibyte is for another test.
        if work(&bytes).is_some_and(|work| work > 6) {
            return Ok(());
        }
        let bytes = if armor { armored(&bytes).into_bytes() } else { bytes };
        if let Ok(plain) = open(&bytes, &passphrase("correct horse")) {
            prop_assert_eq!(plain.as_slice(), PLAIN);
        }
    }
}

const PLAIN: &[u8] = b"otpauth://totp/x:alice?secret=GEZDGNBVGY3TQOJQ&issuer=x\n";

fn sealed_file() -> impl Strategy<Value = Vec<u8>> {
    let text = seal_with_work(PLAIN, &passphrase("correct horse"), &SystemRandom, 1).unwrap();
    Just(unarmored(text.as_bytes()).unwrap())
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = open(&bytes, &passphrase("x"));
        let header = [VERSION.as_bytes(), b"\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n", &bytes].concat();
        let _ = open(&header, &passphrase("x"));
    }
}

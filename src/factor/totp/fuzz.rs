//! Codes as people type them, checks at any time, and texts of secrets.

use super::*;
use crate::auth::TokenId;
use crate::fuzzing::{almost, cases, troublesome_text};
use crate::secret::secret;
use proptest::prelude::*;

fn token() -> impl Strategy<Value = Shown> {
    let algorithm = prop_oneof![Just(Algorithm::Sha1), Just(Algorithm::Sha256), Just(Algorithm::Sha512)];
    let period = prop_oneof![3 => Just(30_u32), 1 => Just(0), 1 => any::<u32>(), 1 => 1..100_u32];
    let digits = prop_oneof![4 => 6..=8_u8, 1 => any::<u8>()];
    let last = proptest::option::of(prop_oneof![0..60_000_000_u64, any::<u64>(), Just(u64::MAX)]);
    let bytes = prop_oneof![4 => proptest::collection::vec(any::<u8>(), 10..40), 1 => proptest::collection::vec(any::<u8>(), 0..200)];
    (bytes, algorithm, digits, period, last).prop_map(|(bytes, algorithm, digits, period, last_step)| {
        Shown(Token { id: TokenId(1), secret: secret(&bytes), algorithm, digits, period, last_step })
    })
}

fn time() -> impl Strategy<Value = UnixTime> {
    prop_oneof![4 => 1_500_000_000..2_500_000_000_u64, 1 => 0..100_u64, 1 => any::<u64>()]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_a_code_is_six_to_eight_digits(
        typed in almost(prop_oneof!["[0-9 ]{0,12}", "[0-9]{6,8}", "[0-9]{3} [0-9]{3}"].prop_map(String::into_bytes))
    ) {
        let digits: Vec<u8> = typed.iter().copied().filter(|byte| *byte != b' ').collect();
        let right = (6..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let parsed = Code::parse(&secret(&typed));
        prop_assert_eq!(parsed.as_ref().map(|code| code.0.expose_secret().as_bytes()), right.then_some(&digits[..]));
    }

    #[test]
    fn fuzz_a_code_matches_only_a_step_in_the_window_that_is_new(
        token in token(),
        now in time(), window in 0..=10_u64, distance in -14..=14_i64
    ) {
        let token = token.0;
        let period = u64::from(token.period.max(1));
        let present = now / period;
        let Some(step) = present.checked_add_signed(distance) else { return Ok(()) };
        let typed = code_at(&token, step.saturating_mul(period));
        let code = Code::parse(&secret(typed.expose_secret().as_bytes())).expect("six to eight digits");
        match check(&token, &code, Instant { now, window }) {
            Check::Matches { step, offset } => {
                prop_assert!(token.last_step.is_none_or(|last| step > last));
                prop_assert!(offset.unsigned_abs() <= window);
                prop_assert_eq!(present.checked_add_signed(offset), Some(step));
                let again = code_at(&token, step.saturating_mul(period));
                prop_assert_eq!(again.expose_secret(), typed.expose_secret());
            }
            Check::AlreadyUsed => prop_assert!(token.last_step.is_some()),
            Check::No => prop_assert!(distance.unsigned_abs() > window, "a right code is not taken"),
        }
    }

    #[test]
    fn fuzz_a_secret_is_written_so_that_it_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let text = base32(&secret(&bytes));
        prop_assert_eq!(data_encoding::BASE32_NOPAD.decode(text.expose_secret().as_bytes()).unwrap(), bytes);
    }

    #[test]
    fn fuzz_a_uri_says_what_was_put_into_it(
        issuer in troublesome_text(), account in troublesome_text(), bytes in proptest::collection::vec(any::<u8>(), 10..40)
    ) {
        let token = Token {
            id: TokenId(1), secret: secret(&bytes), algorithm: Algorithm::Sha1, digits: 6, period: 30, last_step: None,
        };
        let uri = Enrolment { issuer: &issuer, account: &account, token: &token }.uri();
        let uri = uri.expose_secret();
        prop_assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()));
        let (label, query) = uri.strip_prefix("otpauth://totp/").unwrap().split_once('?').unwrap();
        let (written_issuer, written_account) = label.split_once(':').unwrap();
        prop_assert_eq!(decoded(written_issuer), issuer.as_bytes());
        prop_assert_eq!(decoded(written_account), account.as_bytes());
        let expected = format!("secret={}&issuer={written_issuer}", base32(&token.secret).expose_secret());
        prop_assert_eq!(query, expected);
    }
}

/// A token that can be shown when a property fails.
struct Shown(Token);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Token { algorithm, digits, period, last_step, .. } = &self.0;
        write!(f, "{algorithm:?}, {digits} digits, {period} s, last step {last_step:?}")
    }
}

/// A second implementation of RFC 3986, 2.1.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let hex = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

use super::*;
use crate::auth::TokenId;
use crate::secret::secret;

fn token(secret_bytes: &[u8], algorithm: Algorithm, digits: u8) -> Token {
    Token { id: TokenId(1), secret: secret(secret_bytes), algorithm, digits, period: 30, last_step: None }
}

fn code(text: &str) -> Code {
    Code::parse(&secret(text.as_bytes())).unwrap()
}

// RFC 6238, appendix B; the secrets of the longer hashes as in errata 2866.
#[test]
fn codes_are_those_of_rfc_6238() {
    let seed = b"1234567890".repeat(7);
    for (algorithm, length, codes) in [
        (Algorithm::Sha1, 20, ["94287082", "07081804", "14050471", "89005924", "69279037", "65353130"]),
        (Algorithm::Sha256, 32, ["46119246", "68084774", "67062674", "91819424", "90698825", "77737706"]),
        (Algorithm::Sha512, 64, ["90693936", "25091201", "99943326", "93441116", "38618901", "47863826"]),
    ] {
        let token = token(&seed[..length], algorithm, 8);
        for (time, expected) in
            [59, 1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000, 20_000_000_000].iter().zip(codes)
        {
            assert_eq!(code_at(&token, *time).expose_secret(), expected, "{algorithm:?} {time}");
            let when = Instant { now: *time, window: 0 };
            assert_eq!(check(&token, &code(expected), when), Check::Matches { step: time / 30, offset: 0 });
        }
    }
}

#[test]
fn secrets_of_80_bits_and_other_lengths_work() {
    // oathtool --totp -b --now '1970-01-01 00:00:59 UTC' with the secret in base32, one line each:
    //   -d6 GEZDGNBVGY3TQOJQ; --totp=SHA256 -d7 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
    let short = token(b"1234567890", Algorithm::Sha1, 6);
    assert_eq!(code_at(&short, 59).expose_secret(), "263420");
    let seven = token(b"12345678901234567890", Algorithm::Sha256, 7);
    assert_eq!(code_at(&seven, 59).expose_secret(), "2247374");
}

#[test]
fn a_code_counts_in_its_window_and_says_how_far_off_it_was() {
    let token = token(b"12345678901234567890", Algorithm::Sha1, 6);
    let now: UnixTime = 1_000_000_020;
    let present = now / 30;
    for (steps_off, window, matches) in [
        (0, 0, true),
        (-1, 0, false),
        (1, 0, false),
        (-1, 1, true),
        (1, 1, true),
        (2, 1, false),
        (-2, 2, true),
    ] {
        let step = present.checked_add_signed(steps_off).unwrap();
        let typed = code_at(&token, step * 30);
        let result = check(&token, &code(typed.expose_secret()), Instant { now, window });
        let expected = if matches { Check::Matches { step, offset: steps_off } } else { Check::No };
        assert_eq!(result, expected, "{steps_off} {window}");
    }
}

#[test]
fn a_step_that_was_used_and_those_before_it_are_never_accepted_again() {
    let mut token = token(b"12345678901234567890", Algorithm::Sha1, 6);
    let now = 1_000_000_020;
    let present = now / 30;
    token.last_step = Some(present);
    let when = Instant { now, window: 1 };
    for (step, expected) in [
        (present - 1, Check::AlreadyUsed),
        (present, Check::AlreadyUsed),
        (present + 1, Check::Matches { step: present + 1, offset: 1 }),
    ] {
        assert_eq!(check(&token, &code(code_at(&token, step * 30).expose_secret()), when), expected);
    }
    // Long after: still known as the code that was used, not counted as a guess.
    let late = Instant { now: now + 3_600, window: 1 };
    assert_eq!(check(&token, &code(code_at(&token, present * 30).expose_secret()), late), Check::AlreadyUsed);
    assert_eq!(check(&token, &code(code_at(&token, (present - 1) * 30).expose_secret()), late), Check::No);
}

#[test]
fn codes_may_have_blanks_and_nothing_else() {
    for (typed, accepted) in [
        ("123456", true),
        ("123 456", true),
        (" 1234 5678 ", true),
        ("12345", false),
        ("123456789", false),
        ("", false),
        ("12345a", false),
        ("123-456", false),
        ("123\t456", false),
        ("\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", false),
    ] {
        assert_eq!(Code::parse(&secret(typed.as_bytes())).is_some(), accepted, "{typed:?}");
    }
    // Leading zeros count, and a code of another length than the token's is no match.
    let token = token(b"12345678901234567890", Algorithm::Sha1, 8);
    let when = Instant { now: 59, window: 1 };
    assert_eq!(check(&token, &code("287082"), when), Check::No);
}

#[test]
fn uris_leave_defaults_out_and_encode_the_rest() {
    let mut token = token(b"1234567890", Algorithm::Sha1, 6);
    let uri = |token: &Token, issuer, account| {
        Enrolment { issuer, account, token }.uri().expose_secret().to_owned()
    };
    assert_eq!(
        uri(&token, "OpenVPN Server", "alice"),
        "otpauth://totp/OpenVPN%20Server:alice?secret=GEZDGNBVGY3TQOJQ&issuer=OpenVPN%20Server"
    );
    assert_eq!(
        uri(&token, "A&B:\u{fc}", "a b/c?d@e"),
        "otpauth://totp/A%26B%3A%C3%BC:a%20b%2Fc%3Fd%40e?secret=GEZDGNBVGY3TQOJQ&issuer=A%26B%3A%C3%BC"
    );
    token.algorithm = Algorithm::Sha256;
    token.digits = 8;
    token.period = 60;
    assert!(uri(&token, "x", "y").ends_with("&algorithm=SHA256&digits=8&period=60"));
}

//! Enrolments that anybody may have written, in every format.

use super::tests::FORMATS;
use super::*;
use crate::factor::totp::MIN_SECRET_BYTES;
use crate::fuzzing::{almost, cases};
use crate::secret::{ExposeSecret, secret};
use proptest::prelude::*;
use proptest::sample::select;

const ASSUMED: Assumed = Assumed { now: 1_795_314_065, digits: 6, period: 30 };

/// A file of each format, as its program writes it.
const FILES: [&[u8]; 9] = [
    b"GEZDGNBVGY3TQOJQ\n\" RATE_LIMIT 3 30 1795314065\n\" STEP_SIZE 60\n\" DISALLOW_REUSE 29921900 29921901\n\" TOTP_AUTH\n12345678\n",
    b"# users\nHOTP/T30/6 a - 31323334353637383930 0 123456 2026-01-01T00:00:00L\nHOTP/T60/8\tb\t+\t3132333435363738393031323334\n",
    b"a otp totp-60-8:sha256:hex:31323334353637383930::x *\n'b c' otp totp:sha1:base32:LJYHR64TUI7IL3RD::xxx * # d\n",
    b"(dp0\nVa\np1\nVGEZDGNBVGY3TQOJQ\np2\nsV\xf6\np3\nVJBSWY3DPEHPK3PXP\np4\ns.",
    b"\x80\x02}q\0(X\x01\0\0\0aq\x01X\x10\0\0\0GEZDGNBVGY3TQOJQq\x02X\x02\0\0\0\xc3\xb6q\x03X\x10\0\0\0JBSWY3DPEHPK3PXPq\x04u.",
    b"\x80\x04\x95\x31\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94\x8c\x10GEZDGNBVGY3TQOJQ\x94\x8c\x02\xc3\xb6\x94\x8c\x10JBSWY3DPEHPK3PXP\x94u.",
    b"\xef\xbb\xbf# old\r\notpauth://totp/OpenVPN%20Server:alice?secret=GEZDGNBVGY3TQOJQ&issuer=OpenVPN%20Server\r\n",
    b"otpauth://totp/VPN:j%C3%B6rg?algorithm=SHA512&secret=GEZDGNBVGY3TQOJQ&digits=7&period=90&issuer=VPN&image=x\n",
    b"otpauth-migration://offline?data=Ch4KCjEyMzQ1Njc4OTASBWFsaWNlGgNWUE4gASgBMAIQARgBIAAo0gk%3D\n",
];

/// A file, and the name of a format that need not be its own.
fn file() -> impl Strategy<Value = (Vec<u8>, Format)> {
    (almost(select(FILES.to_vec()).prop_map(<[u8]>::to_vec)), select(FORMATS.to_vec()))
}

/// What stands in a column, and the type that it has there.
fn column() -> impl Strategy<Value = (Vec<u8>, u8)> {
    let known = select(vec![
        "alice",
        "GEZDGNBVGY3TQOJQ",
        "gezd gnbv gy3t qojq",
        "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&digits=8",
    ]);
    (almost(known.prop_map(|text| text.as_bytes().to_vec())), 0..5_u8)
}

fn cell((bytes, kind): &(Vec<u8>, u8)) -> Cell {
    match kind {
        0 => Cell::Other,
        1 => Cell::Blob(secret(bytes)),
        _ => Cell::Text(secret(bytes)),
    }
}

/// What was found can be stored and used, and there is no more of it than there were bytes.
fn check(contents: &Contents, length: usize) -> Result<(), TestCaseError> {
    prop_assert!(contents.found.len() + contents.unread.len() <= length + 1);
    for found in &contents.found {
        prop_assert!(found.secret.expose_secret().len() >= MIN_SECRET_BYTES);
        prop_assert!((6..=8).contains(&found.digits) && (1..=86_400).contains(&found.period));
        // Not of the far future, or there would be no way in for its owner.
        let furthest = (ASSUMED.now + google::MAX_SECONDS_AHEAD) / u64::from(found.period);
        prop_assert!(found.last_step.is_none_or(|step| step <= furthest));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_what_is_found_in_a_file_can_be_used((file, format) in file()) {
        let guessed = guess(&file).filter(|format| *format != Format::Sqlite);
        for format in [Some(format), guessed].into_iter().flatten() {
            check(&read(format, &file, ASSUMED), file.len())?;
        }
    }

    #[test]
    fn fuzz_what_is_found_in_a_table_can_be_used(
        rows in proptest::collection::vec((column(), column()), 0..4),
    ) {
        let count = rows.len();
        let rows = rows.iter().map(|(user, secret)| Row { user: cell(user), secret: cell(secret) }).collect();
        let contents = read_rows(rows, ASSUMED);
        check(&contents, count)?;
        prop_assert_eq!(contents.found.len() + contents.unread.len(), count);
    }
}

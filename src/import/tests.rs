use super::*;
use crate::auth::{Token, TokenId};
use crate::factor::totp::code_at;
use crate::secret::{ExposeSecret, secret};
use proptest::prelude::*;

const NOW: UnixTime = 1_795_314_065;
const ASSUMED: Assumed = Assumed { now: NOW, digits: 6, period: 30 };

/// What was found, as text: user, secret in base32, algorithm, digits, period.
fn found(contents: &Contents) -> Vec<String> {
    let line = |found: &Found| {
        let user = found.user.as_ref().map_or("?", UserName::as_str);
        let secret = data_encoding::BASE32_NOPAD.encode(found.secret.expose_secret());
        format!("{user} {secret} {} {} {}", found.algorithm.name(), found.digits, found.period)
    };
    contents.found.iter().map(line).collect()
}

/// Why the only entry was not read.
fn reason(contents: &Contents) -> &str {
    assert_eq!((contents.found.len(), contents.unread.len()), (0, 1), "{:?}", contents.unread);
    &contents.unread[0].reason
}

#[test]
fn base32_is_taken_as_people_type_it() {
    let plain = encoding::base32("GEZDGNBVGY3TQOJQ").unwrap();
    assert_eq!(plain.expose_secret(), b"1234567890");
    for text in ["gezdgnbvgy3tqojq", " GEZD GNBV GY3T QOJQ ", "GEZD-GNBV-GY3T-QOJQ", "GEZDGNBVGY3TQOJQ======"]
    {
        assert_eq!(encoding::base32(text).unwrap().expose_secret(), plain.expose_secret(), "{text}");
    }
    // 26 letters are 16 bytes and two bits, which are nobody's, whatever they are.
    for last in ["A", "B", "D"] {
        let text = format!("GEZDGNBVGY3TQOJQGEZDGNBVG{last}");
        assert_eq!(encoding::base32(&text).unwrap().expose_secret().len(), 16);
    }
    for (text, why) in [
        ("", "empty"),
        ("GEZDGNBVGY3TQOI", "72 bits, and at least 80"),
        ("GEZDGNBVGY3TQOJQG", "ends too early"),
        ("GEZDGNBVGY3TQOJ0", "not base32"),
        ("GEZDGNBVGY3TQOJ\u{df}", "not base32"),
        (&"A".repeat(840), "longer than 512 bytes"),
    ] {
        assert!(encoding::base32(text).unwrap_err().contains(why), "{text}");
    }
    let mistyped = encoding::base32_mistyped("01801801801801801").map(drop);
    assert!(mistyped.unwrap_err().contains("too early"));
    assert_eq!(
        encoding::base32_mistyped("OLBOLBOLBOLBOLBO").unwrap().expose_secret(),
        encoding::base32_mistyped("0180180180180180").unwrap().expose_secret()
    );
}

#[test]
fn a_google_authenticator_file_has_its_step_and_the_steps_that_were_used() {
    let file = "GEZDGNBVGY3TQOJQ\n\" RATE_LIMIT 3 30 1795314065\n\" STEP_SIZE 60\n\
                \" DISALLOW_REUSE 29921900 29921901 99999999999\n\" TOTP_AUTH\n12345678\n87654321\n";
    assert_eq!(guess(file.as_bytes()), Some(Format::GoogleAuthenticator));
    let contents = read(Format::GoogleAuthenticator, file.as_bytes(), ASSUMED);
    assert_eq!(found(&contents), ["? GEZDGNBVGY3TQOJQ SHA1 6 60"]);
    assert_eq!(contents.found[0].last_step, Some(29_921_901), "the far future was not used");
    assert_eq!(contents.found[0].scratch_codes, 2);
    for (file, why) in [
        ("GEZDGNBVGY3TQOJQ\n\" HOTP_COUNTER 7\n", "by counter"),
        ("GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n\" HOTP_COUNTER 7\n", "by counter"),
        ("GEZDGNBVGY3TQOJQ\n\" RATE_LIMIT 3 30\n", "TOTP_AUTH"),
        ("GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n\" STEP_SIZE 0\n", "0 seconds"),
        ("GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n\" STEP_SIZE\n", "without a number"),
        ("GEZDGNBV\n\" TOTP_AUTH\n", "40 bits"),
        ("", "empty"),
    ] {
        let contents = read(Format::GoogleAuthenticator, file.as_bytes(), ASSUMED);
        assert!(reason(&contents).contains(why), "{file}: {}", reason(&contents));
    }
}

#[test]
fn users_oath_lines_are_taken_one_by_one() {
    let seed = "31323334353637383930";
    for (line, expected) in [
        (format!("HOTP/T30 a - {seed}"), "a GEZDGNBVGY3TQOJQ SHA1 6 30"),
        (format!("HOTP/T30/6 a + {seed}"), "a GEZDGNBVGY3TQOJQ SHA1 6 30"),
        (format!("HOTP/T60/7\ta\t-\t{}", seed.to_uppercase()), "a GEZDGNBVGY3TQOJQ SHA1 7 60"),
        (format!("HOTP/T30/8 a - {seed} 0 123456 2026-01-01T00:00:00L"), "a GEZDGNBVGY3TQOJQ SHA1 8 30"),
    ] {
        assert_eq!(guess(line.as_bytes()), Some(Format::Oath));
        assert_eq!(found(&read(Format::Oath, line.as_bytes(), ASSUMED)), [expected]);
    }
    for (line, why) in [
        (format!("HOTP a - {seed}"), "by counter"),
        (format!("HOTP/E a - {seed}"), "by counter"),
        (format!("HOTP/T30 a 1234 {seed}"), "PIN"),
        (format!("HOTP/T30/5 a - {seed}"), "5 digits"),
        (format!("HOTP/T0 a - {seed}"), "0 seconds"),
        (format!("HOTP/T30/6/7 a - {seed}"), "unknown type"),
        (format!("HOTP/Tx a - {seed}"), "unknown type"),
        (format!("MOTP a - {seed}"), "unknown type"),
        ("HOTP/T30 a - 3132".to_owned(), "16 bits"),
        ("HOTP/T30 a - 313".to_owned(), "not hexadecimal"),
        ("HOTP/T30 a -".to_owned(), "not a line"),
        (format!("HOTP/T30 {} - {seed}", "a".repeat(256)), "longer than 255 bytes"),
    ] {
        let contents = read(Format::Oath, line.as_bytes(), ASSUMED);
        assert!(reason(&contents).contains(why) && !reason(&contents).contains(seed), "{line}");
    }
}

#[test]
fn the_last_code_of_users_oath_is_not_accepted_again() {
    let token = Token {
        id: TokenId(0),
        secret: secret(b"12345678901234567890"),
        algorithm: Algorithm::Sha1,
        digits: 6,
        period: 30,
        last_step: None,
    };
    let used = NOW / 30 - 3;
    let code = code_at(&token, used * 30);
    let seed = "3132333435363738393031323334353637383930";
    let line = format!("HOTP/T30 a - {seed} 0 {} 2026-11-22T02:00:00L", code.expose_secret());
    assert_eq!(read(Format::Oath, line.as_bytes(), ASSUMED).found[0].last_step, Some(used));
    let line = format!("HOTP/T30 a - {seed} 0 000000x 2026-11-22T02:00:00L");
    assert_eq!(read(Format::Oath, line.as_bytes(), ASSUMED).found[0].last_step, None);
}

#[test]
fn otp_secrets_lines_are_taken_one_by_one() {
    for (line, expected) in [
        ("john otp totp:sha1:base32:LJYHR64TUI7IL3RD::xxx *", "john LJYHR64TUI7IL3RD SHA1 6 30"),
        ("john otp TOTP:SHA512:BASE32:ljyhr64tui7il3rd: *", "john LJYHR64TUI7IL3RD SHA512 6 30"),
        ("a otp totp-60-8:sha256:hex:31323334353637383930::x *", "a GEZDGNBVGY3TQOJQ SHA256 8 60"),
        ("'a b' otp totp:sha1:text:1234567890::x * # c", "a b GEZDGNBVGY3TQOJQ SHA1 6 30"),
        ("a\\ b otp totp:sha1:text:1234567890::x *", "a b GEZDGNBVGY3TQOJQ SHA1 6 30"),
    ] {
        assert_eq!(guess(line.as_bytes()), Some(Format::OpenvpnOtp), "{line}");
        assert_eq!(found(&read(Format::OpenvpnOtp, line.as_bytes(), ASSUMED)), [expected]);
    }
    let eight = Assumed { digits: 8, period: 60, ..ASSUMED };
    let line = b"a otp totp:sha1:text:1234567890::x *";
    assert_eq!(found(&read(Format::OpenvpnOtp, line, eight)), ["a GEZDGNBVGY3TQOJQ SHA1 8 60"]);
    for (line, why) in [
        ("bob otp totp:sha1:base32:K7BYLIU5D2V33X6S:1234:xxx *", "PIN"),
        ("lucie otp hotp:sha1:base32::MT4GWEZTSRBV2QQC:xxx *", "by counter"),
        ("m otp motp:md5:hex:31323334353637383930:1:x *", "Mobile-OTP"),
        ("m otp totp-x-6:sha1:hex:31323334353637383930::x *", "unknown type"),
        ("m otp totp-60-9:sha1:hex:31323334353637383930::x *", "9 digits"),
        ("m otp totp:md5:hex:31323334353637383930::x *", "another hash"),
        ("m otp totp:sha1:base64:31323334353637383930::x *", "another encoding"),
        ("m otp plain:hello *", "a password"),
        ("m otp totp:sha1 *", "not type:hash"),
        ("m otp", "not a line"),
        ("'m otp totp:sha1:text:1234567890::x *", "quotation mark"),
    ] {
        let contents = read(Format::OpenvpnOtp, line.as_bytes(), ASSUMED);
        assert!(reason(&contents).contains(why), "{line}: {}", reason(&contents));
    }
}

#[test]
fn labels_of_uris_are_split_as_they_are_meant() {
    for (uri, user, issuer) in [
        (
            "otpauth://totp/OpenVPN%20Server:alice?secret=GEZDGNBVGY3TQOJQ&issuer=OpenVPN%20Server",
            "alice",
            "OpenVPN Server",
        ),
        ("otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQ", "alice", ""),
        ("otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQ&issuer=a+b", "alice", "a b"),
        ("otpauth://totp/VPN%3Aalice?secret=GEZDGNBVGY3TQOJQ", "alice", "VPN"),
        ("otpauth://totp/VPN:%20alice?secret=GEZDGNBVGY3TQOJQ", "alice", "VPN"),
        ("otpauth://totp/VPN:corp%3Aalice?secret=GEZDGNBVGY3TQOJQ&issuer=VPN", "corp:alice", "VPN"),
        ("otpauth://totp/a%3Ab%3Aalice?secret=GEZDGNBVGY3TQOJQ&issuer=a%3Ab", "alice", "a:b"),
        ("OTPAUTH://TOTP/j%C3%B6rg?SECRET=gezd%20gnbv%20gy3t%20qojq", "j\u{f6}rg", ""),
    ] {
        assert_eq!(guess(uri.as_bytes()), Some(Format::Uris));
        let contents = read(Format::Uris, uri.as_bytes(), ASSUMED);
        assert_eq!(found(&contents), [format!("{user} GEZDGNBVGY3TQOJQ SHA1 6 30")], "{uri}");
        assert_eq!(contents.found[0].issuer, issuer);
    }
    let uri = b"otpauth://totp/a?algorithm=sha-512&secret=GEZDGNBVGY3TQOJQ&digits=7&period=90&image=x&&y";
    assert_eq!(found(&read(Format::Uris, uri, ASSUMED)), ["a GEZDGNBVGY3TQOJQ SHA512 7 90"]);
    for (uri, why) in [
        ("otpauth://hotp/a?secret=GEZDGNBVGY3TQOJQ&counter=0", "by counter"),
        ("otpauth://steam/a?secret=GEZDGNBVGY3TQOJQ", "unknown type"),
        ("otpauth://totp/a", "no secret"),
        ("otpauth://totp/?secret=GEZDGNBVGY3TQOJQ", "empty"),
        ("otpauth://totp/a%0Ab?secret=GEZDGNBVGY3TQOJQ", "control character"),
        ("otpauth://totp/a%zz?secret=GEZDGNBVGY3TQOJQ", "percent-encoded"),
        ("otpauth://totp/a%ff?secret=GEZDGNBVGY3TQOJQ", "percent-encoded"),
        ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=9", "9 digits"),
        ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=six", "not a number"),
        ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&period=0", "0 seconds"),
        ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&algorithm=MD5", "another algorithm"),
        ("https://totp/a?secret=GEZDGNBVGY3TQOJQ", "not an otpauth"),
        ("otpauth-migration://offline?data=%21", "not base64"),
        ("otpauth-migration://offline?data=CgA", "account 1: the user's name is empty"),
        ("otpauth-migration://offline?data=CgE", "cut off"),
        ("otpauth-migration://offline?data=", "no account"),
        ("otpauth-migration://offline", "no data"),
    ] {
        let contents = read(Format::Uris, uri.as_bytes(), ASSUMED);
        assert!(reason(&contents).contains(why), "{uri}: {}", reason(&contents));
    }
}

#[test]
fn a_list_goes_on_after_what_it_cannot_read() {
    let list = b"\xef\xbb\xbf# old\r\n\r\notpauth://totp/a?secret=GEZDGNBVGY3TQOJQ\r\n\xff\xff\r\nx\r\n\
                 otpauth://totp/b?secret=GEZDGNBVGY3TQOJQ";
    assert_eq!(guess(list), Some(Format::Uris));
    let contents = read(Format::Uris, list, ASSUMED);
    assert_eq!(found(&contents).len(), 2);
    let places: Vec<Place> = contents.unread.iter().map(|unread| unread.place).collect();
    assert_eq!(places, [Place::Line(4), Place::Line(5)]);
    assert_eq!(contents.found[1].place, Place::Line(6));
    let long = format!("otpauth://totp/a?secret={}", "A".repeat(20_000));
    assert!(reason(&read(Format::Uris, long.as_bytes(), ASSUMED)).contains("longer than"));
}

#[test]
fn parts_of_an_export_that_are_missing_are_told() {
    let part = |export, part| Part { export, part, parts: 2 };
    assert!(missing_parts(&[part(1, 0), part(1, 1), part(1, 1)]).is_empty());
    let missing = missing_parts(&[part(1, 0), part(2, 1), part(2, 0)]);
    assert_eq!(missing, ["the export has 2 QR codes, and only 1 of them are here"]);
}

/// Python's `pickle.dumps` of dictionaries and lists, and what is put together by hand where Python 3 has no more hand for
/// it.
#[test]
fn pickles_of_users_and_secrets_are_read() {
    let both = ["a GEZDGNBVGY3TQOJQ SHA1 6 30", "\u{f6} JBSWY3DPEHPK3PXP SHA1 6 30"];
    for (pickle, expected) in [
        // {'a': …, 'ö': …}, protocols 0, 2 and 4
        (&b"(dp0\nVa\np1\nVGEZDGNBVGY3TQOJQ\np2\nsV\xf6\np3\nVJBSWY3DPEHPK3PXP\np4\ns."[..], &both[..]),
        (
            b"\x80\x02}q\0(X\x01\0\0\0aq\x01X\x10\0\0\0GEZDGNBVGY3TQOJQq\x02X\x02\0\0\0\xc3\xb6q\x03X\x10\0\0\0JBSWY3DPEHPK3PXPq\x04u.",
            &both,
        ),
        (
            b"\x80\x04\x95\x31\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94\x8c\x10GEZDGNBVGY3TQOJQ\x94\x8c\x02\xc3\xb6\x94\x8c\x10JBSWY3DPEHPK3PXP\x94u.",
            &both,
        ),
        // Python 2, protocol 0
        (b"(dp0\nS'a'\np1\nS\"GEZDGNBVGY3TQOJQ\"\np2\nsS'\\xc3\\xb6'\nS'JBSWY3DPEHPK3PXP'\ns.", &both),
        // [('a', …)], bytes, a dictionary in a dictionary, a secret that is used twice
        (b"\x80\x04]\x94\x8c\x01a\x94\x8c\x10GEZDGNBVGY3TQOJQ\x94\x86\x94a.", &both[..1]),
        (b"\x80\x04}\x94\x8c\x01a\x94C\x10GEZDGNBVGY3TQOJQ\x94s.", &both[..1]),
        (b"\x80\x04}(\x8c\x01a}(\x8c\x06secret\x8c\x10GEZDGNBVGY3TQOJQ\x8c\x01nK\x05uu.", &both[..1]),
        (b"\x80\x04}(\x8c\x01a\x8c\x10GEZDGNBVGY3TQOJQ\x94\x8c\x01bh\x00u.", &["a GEZDGNBVGY3TQOJQ SHA1 6 30", "b GEZDGNBVGY3TQOJQ SHA1 6 30"]),
        // set twice: the last counts
        (b"\x80\x04}(\x8c\x01a\x8c\x10JBSWY3DPEHPK3PXP\x8c\x01a\x8c\x10GEZDGNBVGY3TQOJQu.", &both[..1]),
        (b"}.", &[]),
    ] {
        assert_eq!(guess(pickle), Some(Format::Pickle), "{}", pickle.escape_ascii());
        let contents = read(Format::Pickle, pickle, ASSUMED);
        assert_eq!(found(&contents), expected, "{}: {:?}", pickle.escape_ascii(), contents.unread);
        assert!(contents.unread.is_empty());
    }
}

#[test]
fn pickles_that_do_anything_else_are_refused_by_the_name_of_the_instruction() {
    let endless = [b"\x80\x04".to_vec(), vec![b'('; 500_000]].concat();
    let many = [b"\x80\x04".to_vec(), vec![b'N'; 500_000]].concat();
    let doubling = [b"\x80\x04N".to_vec(), vec![b'2'; 500_000]].concat();
    for (pickle, place, why) in [
        (&b"\x80\x04\x8c\x05posix\x8c\x06system\x93."[..], Place::Byte(17), "STACK_GLOBAL"),
        (b"\x80\x02cposix\nsystem\n.", Place::Byte(2), "GLOBAL"),
        (b"\x80\x02}(X\x01\0\0\0acos\nsystem\n", Place::Byte(10), "GLOBAL"),
        (b"\x80\x02))R.", Place::Byte(4), "REDUCE"),
        (b"\x80\x02}}b.", Place::Byte(4), "BUILD"),
        (b"(iposix\nsystem\n.", Place::Byte(1), "INST"),
        (b"\x80\x02(o.", Place::Byte(3), "OBJ"),
        (b"\x80\x02)\x81.", Place::Byte(3), "NEWOBJ"),
        (b"\x80\x04)\x92.", Place::Byte(3), "NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", Place::Byte(2), "EXT"),
        (b"\x80\x02Pid\n.", Place::Byte(2), "PERSID"),
        (b"\x80\x04\x8f.", Place::Byte(2), "a set"),
        (b"\x80\x05\x97.", Place::Byte(2), "a buffer"),
        (b"\x80\x02\xfe.", Place::Byte(2), "0xfe"),
        (b"\x80\x09.", Place::Byte(0), "protocol after 5"),
        (b"\x80\x04", Place::Byte(2), "cut off"),
        (b"\x80\x04X\xff\xff\xff\xffa", Place::Byte(2), "cut off"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa", Place::Byte(2), "cut off"),
        (b"\x80\x04.", Place::Byte(2), "takes more"),
        (b"\x80\x04(.", Place::Byte(3), "takes more"),
        (b"\x80\x04u.", Place::Byte(2), "takes more"),
        (b"\x80\x04}NNNu.", Place::Byte(6), "takes more"),
        (b"\x80\x04}(NNNu.", Place::Byte(7), "without a value"),
        (b"\x80\x04](NNu.", Place::Byte(6), "no dictionary"),
        (b"\x80\x04}Na.", Place::Byte(4), "no list"),
        (b"\x80\x04h\x07.", Place::Byte(2), "never set"),
        (b"\x80\x04g7x\n.", Place::Byte(2), "no number"),
        (b"\x80\x04V\\ud800\n.", Place::Byte(2), "wrong escape"),
        (b"\x80\x04S'a\\q'\n.", Place::Byte(2), "unknown escape"),
        (b"\x80\x04N.", Place::File, "no dictionary of users"),
        (b"\x80\x04]Na.", Place::File, "something else than users"),
        (&endless, Place::Byte(400_002), "on the stack"),
        (&many, Place::Byte(400_002), "400000 values"),
        (&doubling, Place::Byte(400_002), "on the stack"),
    ] {
        let contents = read(Format::Pickle, pickle, ASSUMED);
        let shown = pickle[..pickle.len().min(40)].escape_ascii();
        assert!(reason(&contents).contains(why), "{shown}: {}", reason(&contents));
        assert_eq!(contents.unread[0].place, place, "{shown}");
    }
}

#[test]
fn a_dictionary_that_holds_itself_is_no_trap() {
    // d = {}; d['a'] = d
    let contents = read(Format::Pickle, b"\x80\x04}\x94\x8c\x01a\x94h\x00s.", ASSUMED);
    assert!(reason(&contents).contains("neither text nor bytes"));
}

#[test]
fn rows_hold_secrets_in_several_forms() {
    let text = |bytes: &[u8]| Cell::Text(secret(bytes));
    let blob = |bytes: &[u8]| Cell::Blob(secret(bytes));
    let rows = vec![
        Row { user: text(b"a"), secret: text(b"gezd gnbv gy3t qojq") },
        Row { user: text(b"b"), secret: blob(b"GEZDGNBVGY3TQOJQ") },
        Row { user: blob(b"c"), secret: blob(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09") },
        Row { user: text(b"d"), secret: text(b"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&digits=8") },
        Row { user: text(b"e"), secret: Cell::Other },
        Row { user: Cell::Other, secret: text(b"GEZDGNBVGY3TQOJQ") },
        Row { user: text(b"\xff"), secret: text(b"GEZDGNBVGY3TQOJQ") },
    ];
    let contents = read_rows(rows, ASSUMED);
    assert_eq!(
        found(&contents),
        [
            "a GEZDGNBVGY3TQOJQ SHA1 6 30",
            "b GEZDGNBVGY3TQOJQ SHA1 6 30",
            "c AAAQEAYEAUDAOCAJ SHA1 6 30",
            "d GEZDGNBVGY3TQOJQ SHA1 8 30"
        ]
    );
    let places: Vec<Place> = contents.unread.iter().map(|unread| unread.place).collect();
    assert_eq!(places, [Place::Entry(5), Place::Entry(6), Place::Entry(7)]);
}

#[test]
fn what_is_nothing_known_is_not_guessed() {
    for bytes in
        [&b""[..], b"hello", b"\n\n", b"# only a comment\n", b"\xff\xfe\x00", b"alice:GEZDGNBVGY3TQOJQ\n"]
    {
        assert_eq!(guess(bytes), None, "{}", bytes.escape_ascii());
    }
    assert_eq!(guess(b"SQLite format 3\0"), Some(Format::Sqlite));
}

pub(super) const FORMATS: [Format; 6] = [
    Format::GoogleAuthenticator,
    Format::Oath,
    Format::OpenvpnOtp,
    Format::Pickle,
    Format::Uris,
    Format::Migration,
];

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = guess(&bytes);
        for format in FORMATS {
            let _ = read(format, &bytes, ASSUMED);
        }
        let _ = read(Format::Pickle, &[b"\x80\x04", bytes.as_slice()].concat(), ASSUMED);
        let base64 = data_encoding::BASE64.encode(&bytes);
        let _ = read(Format::Migration, format!("otpauth-migration://offline?data={base64}").as_bytes(), ASSUMED);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "[HOTPotp:/T03686 aä%=&?'\"\\\\#\n-]{0,80}") {
        let _ = guess(text.as_bytes());
        for format in FORMATS {
            let _ = read(format, text.as_bytes(), ASSUMED);
        }
        let _ = read(Format::Uris, format!("otpauth://totp/{text}?secret={text}").as_bytes(), ASSUMED);
    }

    #[test]
    fn a_uri_of_ours_comes_back_as_it_was(
        user in "[^\\p{Cc}\\s][^\\p{Cc}]{0,19}",
        issuer in "[^\\p{Cc}]{0,20}",
        bytes in proptest::collection::vec(any::<u8>(), 10..40),
        digits in 6_u8..=8,
        period in 1_u32..=86_400,
    ) {
        let token = Token {
            id: TokenId(0), secret: secret(&bytes), algorithm: Algorithm::Sha256, digits, period, last_step: None,
        };
        let uri = crate::factor::totp::Enrolment { issuer: &issuer, account: &user, token: &token }.uri();
        let contents = read(Format::Uris, uri.expose_secret().as_bytes(), ASSUMED);
        prop_assert_eq!(contents.found.len(), 1, "{:?}", contents.unread);
        let found = &contents.found[0];
        prop_assert_eq!(found.secret.expose_secret(), bytes.as_slice());
        prop_assert_eq!(found.user.as_ref().map(UserName::as_str), Some(user.as_str()));
        prop_assert_eq!((found.digits, found.period), (digits, period));
        prop_assert_eq!(&found.issuer, &issuer);
    }
}

use super::*;
use crate::secret::ExposeSecret;
use proptest::prelude::*;

fn shown(field: Result<PasswordField, CredentialsError>) -> String {
    let text = |bytes: &SecretBytes| String::from_utf8_lossy(bytes.expose_secret()).into_owned();
    match field {
        Ok(PasswordField::Plain(password)) => format!("plain {}", text(&password)),
        Ok(PasswordField::Static { password, response }) => {
            format!("static {} {}", text(&password), text(&response))
        }
        Ok(PasswordField::Dynamic { state, response }) => {
            format!("dynamic {} {}", state.as_str(), text(&response))
        }
        Ok(PasswordField::SessionToken) => "token".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_credentials_file_is_two_lines_and_nothing_else() {
    for (bytes, expected) in [
        (&b"alice\nsecret\n"[..], Ok(("alice", "secret"))),
        (b"alice\nsecret", Ok(("alice", "secret"))),
        (b"\nsecret\n", Ok(("", "secret"))),
        (b"alice\n\n", Ok(("alice", ""))),
        (b"a b:c\"\n p w \n", Ok(("a b:c\"", " p w "))),
        (b"alice", Err(CredentialsError::NotTwoLines)),
        (b"", Err(CredentialsError::NotTwoLines)),
        (b"alice\nsecret\nmore", Err(CredentialsError::NotTwoLines)),
        (b"alice\nsec\0ret\n", Err(CredentialsError::Nul)),
    ] {
        let parsed = Credentials::parse(bytes).map(|credentials| {
            (
                String::from_utf8(credentials.username).unwrap(),
                String::from_utf8(credentials.password.expose_secret().to_vec()).unwrap(),
            )
        });
        assert_eq!(parsed.as_ref().map(|(u, p)| (u.as_str(), p.as_str())), expected.as_ref().copied());
    }
    let long = [b"alice\n".as_slice(), &[b'x'; 4097]].concat();
    assert_eq!(Credentials::parse(&long).err(), Some(CredentialsError::TooLong));
}

#[test]
fn password_fields_are_recognised_by_their_beginning() {
    for (field, expected) in [
        ("secret", "plain secret"),
        ("", "plain "),
        ("scrv1:a:b", "plain scrv1:a:b"),
        ("SCRV1:c2VjcmV0:MTIzNDU2", "static secret 123456"),
        ("SCRV1::MTIzNDU2", "static  123456"),
        ("SCRV1:c2VjcmV0:", "static secret "),
        ("SCRV1::", "static  "),
        ("SCRV1:c2VjcmV0", "error: malformed SCRV1 response"),
        ("SCRV1:", "error: malformed SCRV1 response"),
        ("SCRV1:c2VjcmV0:MTIzNDU2:", "error: malformed SCRV1 response"),
        ("SCRV1:c2VjcmV:MTIzNDU2", "error: malformed SCRV1 response"),
        ("SCRV1:c2VjcmV0:MTIzNDU2\n", "error: malformed SCRV1 response"),
        ("SCRV1:AAAA:MTIzNDU2", "error: malformed SCRV1 response"),
        ("CRV1::ABC234::123456", "dynamic ABC234 123456"),
        ("CRV1::ABC234::", "dynamic ABC234 "),
        ("CRV1::ABC234::12::34", "dynamic ABC234 12::34"),
        ("CRV1::ABC234", "error: malformed CRV1 response"),
        ("CRV1::::123456", "error: malformed CRV1 response"),
        ("CRV1::AB:C::123456", "error: malformed CRV1 response"),
        ("CRV1::../x::123456", "error: malformed CRV1 response"),
        ("CRV1:R,E:ABC", "plain CRV1:R,E:ABC"),
        ("SESS_ID_AT_abc", "token"),
    ] {
        assert_eq!(shown(PasswordField::parse(field.as_bytes())), expected, "{field}");
    }
    let long = format!("CRV1::ABC::{}", "1".repeat(513));
    assert_eq!(shown(PasswordField::parse(long.as_bytes())), "error: what the client sent is too long");
}

#[test]
fn what_is_as_long_as_allowed_is_taken_and_one_byte_more_is_not() {
    let password =
        |length| Credentials::parse(&[b"alice\n".as_slice(), &vec![b'x'; length]].concat()).is_ok();
    assert!(password(4_096) && !password(4_097));
    let field = |text: String| PasswordField::parse(text.as_bytes()).is_ok();
    let answer = |length| BASE64.encode(&vec![b'1'; length]);
    for (form, longest) in [
        ((|n| format!("CRV1::{}::1", "A".repeat(n))) as fn(usize) -> String, 64),
        (|n| format!("CRV1::A::{}", "1".repeat(n)), 512),
        (|n| format!("SCRV1:cHc=:{}", BASE64.encode(&vec![b'1'; n])), 512),
    ] {
        assert!(field(form(longest)) && !field(form(longest + 1)), "{longest}");
    }
    let response = |length| parse_response(answer(length).as_bytes()).is_ok();
    assert!(response(512) && !response(513));
    // A file with the longest of everything fits.
    const { assert!(MAX_FILE_BYTES >= 2 * 4_096 + 2) };
}

#[test]
fn credentials_are_handed_over_as_they_are_read() {
    let written = Credentials::serialise(b"alice", b"secret");
    assert_eq!(written.as_slice(), b"alice\nsecret\n");
    assert_eq!(written.capacity(), written.len(), "a buffer that grew has left a copy behind");
}

#[test]
fn answers_are_base64_or_an_error() {
    for (bytes, expected) in [
        (&b"MTIzNDU2\n"[..], Some("123456")),
        (b"MTIgMzQ=", Some("12 34")),
        (b"", Some("")),
        (b"123456\n", None),
        (b"MTIz\nNDU2\n", None),
        (b"MTI=MTI=", None),
        (b"\xff\xfe", None),
    ] {
        let parsed = parse_response(bytes).ok();
        let text = parsed.as_ref().map(|response| std::str::from_utf8(response.expose_secret()).unwrap());
        assert_eq!(text, expected);
    }
    let long = BASE64.encode(&[b'1'; 513]);
    assert_eq!(parse_response(long.as_bytes()).err(), Some(CredentialsError::TooLong));
}

proptest! {
    #[test]
    fn no_bytes_from_outside_bring_a_parser_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Credentials::parse(&bytes);
        let _ = parse_response(&bytes);
        let _ = PasswordField::parse(&bytes);
        let _ = PasswordField::parse(&[b"SCRV1:", bytes.as_slice()].concat());
        let _ = PasswordField::parse(&[b"CRV1::", bytes.as_slice()].concat());
    }

    #[test]
    fn a_static_response_is_read_as_it_was_written(password in "[ -~]{0,60}", response in "[ -~]{0,60}") {
        let field = format!("SCRV1:{}:{}", BASE64.encode(password.as_bytes()), BASE64.encode(response.as_bytes()));
        prop_assert_eq!(shown(PasswordField::parse(field.as_bytes())), format!("static {password} {response}"));
    }
}

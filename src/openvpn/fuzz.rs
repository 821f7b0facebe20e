//! What clients and OpenVPN hand over, and what clients are sent.

use super::*;
use crate::fuzzing::{almost, cases, is_printable, troublesome_text};
use crate::secret::ExposeSecret;
use data_encoding::BASE64;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..longest)
}

fn credentials_file() -> impl Strategy<Value = Vec<u8>> {
    let lines = (bytes(300), prop_oneof![password_field(), bytes(300)], any::<bool>());
    lines.prop_map(|(name, password, ends)| {
        [name, b"\n".to_vec(), password, if ends { b"\n".to_vec() } else { Vec::new() }].concat()
    })
}

fn password_field() -> impl Strategy<Value = Vec<u8>> {
    let encoded = || bytes(40).prop_map(|bytes| BASE64.encode(&bytes));
    prop_oneof![
        (encoded(), encoded()).prop_map(|(one, two)| format!("SCRV1:{one}:{two}").into_bytes()),
        ("[A-Z2-7]{0,40}", bytes(30))
            .prop_map(|(state, answer)| { [format!("CRV1::{state}::").into_bytes(), answer].concat() }),
        "[A-Z2-7]{32}".prop_map(|state| format!("CRV1::{state}::123456").into_bytes()),
        "SESS_ID_AT_[a-zA-Z0-9+/]{0,60}".prop_map(String::into_bytes),
        "[ -~]{0,40}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_credentials_are_what_stands_in_the_file(file in almost(credentials_file())) {
        if let Ok(Credentials { username, password }) = Credentials::parse(&file) {
            let password = password.expose_secret();
            let whole = [&username, &b"\n"[..], password].concat();
            prop_assert_eq!(file.strip_suffix(b"\n").filter(|_| file != whole).unwrap_or(&file), whole.as_slice());
            prop_assert!(!username.contains(&b'\n') && !password.contains(&b'\n') && !file.contains(&0));
            prop_assert!(password.len() <= 4_096);
            let again = Credentials::parse(&Credentials::serialise(&username, password)).unwrap();
            prop_assert_eq!(again.username, username);
            prop_assert_eq!(again.password.expose_secret(), password);
        }
    }

    #[test]
    fn fuzz_a_password_field_is_read_as_it_would_be_written(field in almost(password_field())) {
        let nul = |bytes: &[u8]| bytes.contains(&0);
        match PasswordField::parse(&field) {
            Ok(PasswordField::Plain(password)) => {
                prop_assert_eq!(password.expose_secret(), field.as_slice());
                for form in [&b"SCRV1:"[..], b"CRV1::", b"SESS_ID_AT_"] {
                    prop_assert!(!field.starts_with(form));
                }
            }
            Ok(PasswordField::Static { password, response }) => {
                let (password, response) = (password.expose_secret(), response.expose_secret());
                prop_assert!(response.len() <= 512 && !nul(password) && !nul(response));
                let written = format!("SCRV1:{}:{}", BASE64.encode(password), BASE64.encode(response));
                prop_assert_eq!(written.as_bytes(), field.as_slice());
            }
            Ok(PasswordField::Dynamic { state, response }) => {
                let (state, response) = (state.as_str(), response.expose_secret());
                prop_assert!((1..=64).contains(&state.len()) && response.len() <= 512);
                prop_assert!(state.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                prop_assert_eq!([format!("CRV1::{state}::").as_bytes(), response].concat(), field);
            }
            Ok(PasswordField::SessionToken) => prop_assert!(field.starts_with(b"SESS_ID_AT_")),
            Err(_) => prop_assert!(field.starts_with(b"SCRV1:") || field.starts_with(b"CRV1::")),
        }
    }

    #[test]
    fn fuzz_an_answer_is_base64_or_nothing(
        sent in almost((bytes(60), any::<bool>()).prop_map(|(answer, ends)| {
            format!("{}{}", BASE64.encode(&answer), if ends { "\n" } else { "" }).into_bytes()
        }))
    ) {
        if let Ok(response) = parse_response(&sent) {
            let response = response.expose_secret();
            prop_assert!(response.len() <= 512 && !response.contains(&0));
            let line = sent.strip_suffix(b"\n").unwrap_or(&sent);
            prop_assert!(BASE64.encode(response).as_bytes() == line);
        }
    }

    #[test]
    fn fuzz_an_environment_says_no_more_than_stands_in_it(
        variables in proptest::collection::vec((variable(), almost(value())), 0..12)
    ) {
        let variables: Vec<(OsString, OsString)> =
            variables.into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value))).collect();
        let first = |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_encoded_bytes())
        };
        let environment = Environment::from_variables(variables.clone());
        let genuine = environment.session_state() == SessionState::Authenticated;
        prop_assert_eq!(genuine, first("session_state") == Some(b"Authenticated"));
        let initial = environment.session_state() == SessionState::Initial;
        prop_assert_eq!(initial, matches!(first("session_state"), None | Some(b"Initial")));
        let control = environment.control_files();
        prop_assert_eq!(control.is_some(), first("auth_control_file").is_some_and(|path| !path.is_empty()));
        let script = match first("script_type") {
            None => Some(None),
            Some(b"user-pass-verify") => Some(Some(ScriptType::UserPassVerify)),
            Some(b"client-crresponse") => Some(Some(ScriptType::ClientCrResponse)),
            Some(_) => None,
        };
        prop_assert_eq!(environment.script_type().ok(), script);
        prop_assert!(environment.common_name().is_none_or(|name| !name.is_empty()));
        if let Some(address) = environment.client_address() {
            let known = ["untrusted_ip", "untrusted_ip6", "trusted_ip", "trusted_ip6"];
            let texts = known.iter().filter_map(|name| std::str::from_utf8(first(name)?).ok());
            prop_assert!(texts.filter_map(|text| text.parse().ok()).any(|known: std::net::IpAddr| known == address));
        }
        let client = environment.client_software();
        if client.answers_in_session {
            prop_assert!(first("IV_SSO").unwrap().windows(6).any(|word| word == b"crtext"));
        }
        if client.understands_backoff {
            let bits = std::str::from_utf8(first("IV_PROTO").unwrap()).unwrap().trim().parse::<u32>().unwrap();
            prop_assert_eq!(bits & 256, 256);
        }
    }

    #[test]
    fn fuzz_a_question_reaches_the_client_whole_and_in_one_line(
        text in troublesome_text(), user in troublesome_text(), state in "[A-Z2-7]{32}", seconds in any::<u64>()
    ) {
        let pending = challenge::pending(Duration::from_secs(seconds), &text);
        let lines: Vec<&str> = pending.split('\n').collect();
        let [timeout, "crtext", message, ""] = lines[..] else { panic!("three lines: {pending:?}") };
        prop_assert_eq!(timeout.parse(), Ok(seconds));
        prop_assert!(message.starts_with("CR_TEXT:R,E:") && message.len() <= 246);
        prop_assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)));

        let user: String = user.chars().take(60).collect();
        let question = challenge::dynamic(&state, &user, &text);
        prop_assert!(question.len() <= 1_000 && question.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let parts: Vec<&str> = question.splitn(5, ':').collect();
        prop_assert_eq!(&parts[..3], &["CRV1", "R,E", &state][..]);
        prop_assert_eq!(BASE64.decode(parts[3].as_bytes()).unwrap(), user.as_bytes());
        if user.len() <= 30 {
            prop_assert!(question.len() <= 256, "{}", question);
        }

        for method in [OpenMethod::WebAuth, OpenMethod::OpenUrl] {
            if let Some(pending) = challenge::open_address(Duration::from_secs(seconds), method, &text) {
                prop_assert_eq!(pending.matches('\n').count(), 3);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
        let temporary = challenge::temporary(5, &text);
        prop_assert!(temporary.len() <= 256 && is_printable(&temporary) && temporary.is_ascii());
    }
}

fn variable() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(
        &[
            "script_type",
            "session_state",
            "auth_control_file",
            "auth_pending_file",
            "auth_failed_reason_file",
            "untrusted_ip",
            "untrusted_ip6",
            "trusted_ip",
            "IV_SSO",
            "IV_GUI_VER",
            "IV_PROTO",
            "IV_VER",
            "common_name",
            "tls_digest_sha256_0",
            "username",
        ][..],
    );
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => "[a-zA-Z_]{1,12}"]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(
        &[
            "user-pass-verify",
            "client-crresponse",
            "Initial",
            "Authenticated",
            "Expired",
            "AuthenticatedEmptyUser",
            "192.0.2.1",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "fe80::1%eth0",
            "webauth,openurl,crtext",
            "crtext",
            "\"net.tunnelblick.tunnelblick 6300 8.0 (build 6300)\"",
            "de.blinkt.openvpn 0.7.51",
            "990",
            "4294967295",
            "/tmp/openvpn_acf_1.tmp",
            "",
        ][..],
    );
    prop_oneof![4 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => bytes(40)]
}

/// A session whose files are on a disk that costs nothing.
fn session(directory: &std::path::Path) -> ControlFiles {
    let path = |name: &str| directory.join(name);
    ControlFiles { verdict: path("acf"), pending: Some(path("apf")), reason: Some(path("afr")) }
}

#[test]
fn fuzz_a_verdict_is_written_once_whatever_stands_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let files = session(directory.path());
    let content = prop_oneof![Just(Vec::new()), bytes(20)];
    let mut runner = proptest::test_runner::TestRunner::new(cases());
    runner
        .run(&(content, troublesome_text(), any::<bool>()), |(there, reason, accepts)| {
            std::fs::write(&files.verdict, &there).unwrap();
            std::fs::write(files.reason.as_ref().unwrap(), b"").unwrap();
            prop_assert_eq!(files.is_undecided(), there.is_empty());
            let decided = if accepts { files.accept() } else { files.reject(&reason) };
            let (now, said) = (
                std::fs::read(&files.verdict).unwrap(),
                std::fs::read(files.reason.as_ref().unwrap()).unwrap(),
            );
            if there.is_empty() {
                prop_assert!(decided.is_ok());
                prop_assert_eq!(now, if accepts { b"1" } else { b"0" });
                prop_assert_eq!(said, if accepts { b"" } else { reason.as_bytes() });
            } else {
                prop_assert!(matches!(decided, Err(ControlError::AlreadyDecided)));
                prop_assert_eq!((now, said), (there, Vec::new()));
            }
            prop_assert!(files.accept().is_err() && files.reject("x").is_err());
            Ok(())
        })
        .unwrap();
}

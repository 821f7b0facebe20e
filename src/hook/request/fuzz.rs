//! A whole call: the file and the environment together.

use super::*;
use crate::config::{Appended, Identity};
use crate::fuzzing::{almost, cases, troublesome_text};
use data_encoding::BASE64;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn file() -> impl Strategy<Value = Vec<u8>> {
    let typed = prop_oneof![
        "[ -~]{0,30}",
        "[a-z]{0,8},?[0-9]{5,9}",
        "[a-z]{0,8},(push|Phone2|sms)",
        ("[ -~]{0,20}", "[0-9]{0,8}").prop_map(|(password, code)| {
            format!("SCRV1:{}:{}", BASE64.encode(password.as_bytes()), BASE64.encode(code.as_bytes()))
        }),
        "CRV1::[A-Z2-7]{32}::[0-9]{6}",
        "SESS_ID_AT_[a-z]{0,20}",
    ];
    (troublesome_text(), typed).prop_map(|(name, typed)| format!("{name}\n{typed}\n").into_bytes())
}

fn settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_u8).prop_map(|(pam, common_name, same, appended)| {
        let mut settings = Settings::default();
        settings.auth.primary = if pam { Primary::Pam } else { Primary::None };
        settings.auth.identity = if common_name { Identity::CommonName } else { Identity::Username };
        settings.auth.match_common_name = same;
        settings.auth.appended = [Appended::Off, Appended::Comma, Appended::Digits][usize::from(appended)];
        settings
    })
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(b"Test-Client".to_vec()),
        2 => troublesome_text().prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_whoever_is_at_the_door_is_who_the_file_and_the_certificate_say(
        settings in settings(), file in almost(file()), common_name in proptest::option::of(names()),
        state in "(Initial|Authenticated|Expired|)"
    ) {
        let mut variables = vec![(OsString::from("session_state"), OsString::from(&state))];
        variables.extend(common_name.clone().map(|name| ("common_name".into(), OsString::from_vec(name))));
        let environment = Environment::from_variables(variables);
        let Ok(Login { attempt, submission }) = Login::parse(&settings, &environment, &file) else { return Ok(()) };
        let line = file.split(|byte| *byte == b'\n').next().unwrap();
        let certificate = common_name.as_deref().and_then(|name| std::str::from_utf8(name).ok());
        // Only a certificate's own name can stand for one that was not typed.
        if line.is_empty() {
            prop_assert!(settings.auth.primary == Primary::None && settings.auth.identity == Identity::CommonName);
            prop_assert_eq!(Some(attempt.user.as_str()), certificate);
        } else {
            prop_assert_eq!(attempt.user.as_str().as_bytes(), line);
        }
        match settings.auth.identity {
            Identity::Username => prop_assert_eq!(&attempt.identity, &attempt.user),
            Identity::CommonName => prop_assert_eq!(Some(attempt.identity.as_str()), certificate),
        }
        if settings.auth.match_common_name {
            prop_assert_eq!(Some(attempt.user.as_str()), certificate);
        }
        if settings.auth.primary == Primary::None {
            prop_assert!(certificate.is_some_and(|name| !name.is_empty()));
        }
        prop_assert!(!attempt.user.as_str().chars().any(char::is_control));
        let typed = file.splitn(3, |byte| *byte == b'\n').nth(1).unwrap();
        let token = typed.starts_with(b"SESS_ID_AT_");
        prop_assert_eq!(matches!(submission, Submission::GenuineToken), token && state == "Authenticated");
        prop_assert_eq!(matches!(submission, Submission::RefusedToken), token && state != "Authenticated");
        // What has a factor in it is never answered by a question before it was looked at.
        if let Submission::Both { response, .. } = &submission && !response.expose_secret().is_empty() {
            prop_assert!(!submission.lacks_factor(&settings.auth));
        }
        let _ = Login { attempt, submission }.question_ahead(&settings);
    }
}

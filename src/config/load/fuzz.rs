//! Settings files and environments, as an administrator's worst enemy would write them.

use super::*;
use crate::config::{Failmode, Unenrolled};
use crate::fuzzing::{almost, cases, is_printable, troublesome_text};
use proptest::prelude::*;
use std::os::unix::ffi::OsStringExt;

/// Everything that [`load`] does with what is in a file, whose name is `f`.
fn load_bytes(bytes: &[u8], environment: &[(OsString, OsString)]) -> Result<Settings, ConfigError> {
    let mut merged = toml::Table::new();
    for entry in file_entries(Path::new("f"), bytes)? {
        merge(&mut merged, entry)?;
    }
    for entry in environment.iter().filter_map(environment_entry) {
        merge(&mut merged, entry)?;
    }
    let settings = Settings::deserialize(toml::Value::Table(merged)).expect("each entry was good alone");
    check_combinations(&settings)?;
    Ok(settings)
}

fn key() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(
        &[
            "factor = 'duo'",
            "primary = 'none'",
            "identity = 'common-name'",
            "match_common_name = true",
            "challenge = 'crv1'",
            "appended = 'comma'",
            "unenrolled = 'allow'",
            "exempt = ['a', 'b']",
            "exempt = 'a, b'",
            "stall_budget_ms = 100",
            "service = 'openvpn'",
            "token_db_path = '/var/lib/x'",
            "challenge_text = 'Your code'",
            "challenge_timeout = 300",
            "window = 1",
            "max = 4",
            "max_failures = 5",
            "seconds = 0x12c",
            "host = 'api-x.duosecurity.com'",
            "ikey = 'DIXXXXXXXXXXXXXXXXXX'",
            "skey_file = '/etc/k'",
            "failmode = 'safe'",
            "ca_file = 'system'",
            "http_proxy = 'http://proxy:3128'",
            "port = 443",
            "x = [[[[[[]]]]]]",
            "x = {y = {z = 1}}",
            "x = 1979-05-27T07:32:00Z",
            "x = nan",
            "x.y.z = \"\\u0000\\uffff\"",
        ][..],
    );
    prop_oneof![
        8 => known.prop_map(str::to_owned),
        1 => ("[a-z_]{1,10}", "[ -&(-~]{0,20}").prop_map(|(key, value)| format!("{key} = '{value}'")),
        1 => "[a-z_]{1,10} = -?[0-9]{1,25}",
    ]
}

fn toml_file() -> impl Strategy<Value = Vec<u8>> {
    let name =
        prop_oneof![8 => proptest::sample::select(&SECTIONS[..]).prop_map(str::to_owned), 1 => "[a-z]{1,8}"];
    let section = (name, proptest::collection::vec(key(), 0..5))
        .prop_map(|(name, keys)| format!("[{name}]\n{}\n", keys.join("\n")));
    proptest::collection::vec(section, 0..5).prop_map(|sections| sections.concat().into_bytes())
}

fn variables() -> impl Strategy<Value = Vec<(OsString, OsString)>> {
    let name = prop_oneof![
        proptest::sample::select(
            &[
                "authPrimary",
                "authUnenrolled",
                "totpWindow",
                "duoFailmode",
                "duoPort",
                "lockoutSeconds",
                "authExempt",
                "workerMax"
            ][..]
        )
        .prop_map(str::to_owned),
        "(auth|pam|totp|worker|lockout|duo)[A-Z][a-zA-Z]{0,12}",
        "[a-zA-Z_]{1,12}",
    ];
    let value = prop_oneof!["(none|pam|allow|deny|safe|secure|true|-?[0-9]{1,20})", troublesome_text()];
    let pair = (name, almost(value.prop_map(String::into_bytes)));
    proptest::collection::vec(pair.prop_map(|(name, value)| (name.into(), OsString::from_vec(value))), 0..4)
}

/// Nothing lets anybody in that does not say so.
fn check(settings: &Settings, said: &str) -> Result<(), TestCaseError> {
    prop_assert!(settings.auth.unenrolled == Unenrolled::Deny || said.contains("allow"));
    prop_assert!(settings.auth.primary == Primary::Pam || said.contains("none"));
    prop_assert!(settings.duo.failmode == Failmode::Secure || said.contains("safe"));
    prop_assert!(settings.auth.exempt.is_empty() || said.contains("xempt"));
    prop_assert!(settings.totp.window.get() <= 10 && settings.auth.stall_budget_ms.get() <= 60_000);
    prop_assert!((1..=1_000).contains(&settings.lockout.max_failures.get()));
    prop_assert!((1..=31_536_000).contains(&settings.lockout.seconds.get()));
    prop_assert!((1..=86_400).contains(&settings.totp.challenge_timeout.get()));
    prop_assert!(!settings.totp.challenge_text.as_str().chars().any(char::is_control));
    prop_assert!(!settings.pam.service.as_str().contains('/'));
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn fuzz_settings_are_good_or_an_error_in_one_line(file in almost(toml_file()), variables in variables()) {
        match load_bytes(&file, &variables) {
            Ok(settings) => {
                let values = variables.iter().flat_map(|(name, value)| [name, value]);
                let said = values.map(|text| text.to_string_lossy()).collect::<Vec<_>>().join(" ");
                // A text can be written with escapes, too.
                let file = String::from_utf8_lossy(&file);
                if !file.contains('\\') {
                    check(&settings, &format!("{said} {file}"))?;
                }
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(is_printable(&text), "{text:?}");
                prop_assert!(text.len() <= 4_000);
            }
        }
    }

    #[test]
    fn fuzz_no_error_repeats_the_secret_key(
        before in almost(toml_file()), after in almost(toml_file()), value in "[ -&(-~]{0,10}"
    ) {
        const SECRET: &str = "s3cr3tK3yThatNobodyMaySee";
        let line = format!("\n[duo]\nskey = '{SECRET}{value}'\n");
        let file = [before.as_slice(), line.as_bytes(), after.as_slice()].concat();
        // Within a text of several lines it is not the key, but part of another value.
        prop_assume!(![&before, &after].iter().any(|part| part.windows(3).any(|w| w == b"'''" || w == b"\"\"\"")));
        if let Err(error) = load_bytes(&file, &[]) {
            prop_assert!(!error.to_string().contains(SECRET), "{error}");
        }
    }
}

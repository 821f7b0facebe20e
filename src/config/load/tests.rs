use super::*;
use crate::config::{CaFile, Challenge, DuoPrompt, Failmode, Identity, Unenrolled};
use crate::secret::ExposeSecret;
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};

/// A settings file in a directory of its own, which nobody else can read or write.
struct SettingsFile {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl SettingsFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
        std::io::Write::write_all(&mut file, content.as_ref()).unwrap();
        Self { directory, path }
    }

    fn chmod(&self, mode: u32) {
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn sources(&self, environment: &[(&str, &str)]) -> Sources {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Sources { file: Some(self.path.clone()), database: None, environment }
    }

    fn load(&self) -> Result<Settings, ConfigError> {
        load(&self.sources(&[]))
    }

    /// What is said against the file, with its name cut off: `LINE: [section] key: why`.
    fn complaint(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        let prefix = format!("{}:", self.path.display());
        text.strip_prefix(&prefix).unwrap_or_else(|| panic!("no file and line in {text:?}")).to_owned()
    }
}

fn in_file(content: &str) -> Result<Settings, ConfigError> {
    SettingsFile::new(content).load()
}

/// Settings from an empty file (so that none on this machine is read) and these variables.
fn in_environment(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    load(&SettingsFile::new("").sources(variables))
}

/// One key: its names, a value for it in both spellings, and how to see what became of it.
struct Key {
    section: &'static str,
    name: &'static str,
    variable: &'static str,
    in_file: &'static str,
    in_environment: &'static str,
    shown: fn(&Settings) -> String,
    default: &'static str,
    changed: &'static str,
}

/// Every key of design.md 1.3.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key { section: "auth", name: "factor", variable: "authFactor", in_file: "'totp'", in_environment: "totp", shown: |s| format!("{:?}", s.auth.factor), default: "Totp", changed: "Totp" },
    Key { section: "auth", name: "primary", variable: "authPrimary", in_file: "'none'", in_environment: "none", shown: |s| format!("{:?}", s.auth.primary), default: "Pam", changed: "None" },
    Key { section: "auth", name: "identity", variable: "authIdentity", in_file: "'common-name'", in_environment: "common-name", shown: |s| format!("{:?}", s.auth.identity), default: "Username", changed: "CommonName" },
    Key { section: "auth", name: "username_case", variable: "authUsernameCase", in_file: "'lower'", in_environment: "lower", shown: |s| format!("{:?}", s.auth.username_case), default: "Keep", changed: "Lower" },
    Key { section: "auth", name: "username_pattern", variable: "authUsernamePattern", in_file: "'[a-z]+'", in_environment: "[a-z]+", shown: |s| format!("{:?}", s.auth.username_pattern), default: "None", changed: "Some(UsernamePattern(Regex(\"\\\\A(?:[a-z]+)\\\\z\")))" },
    Key { section: "auth", name: "match_common_name", variable: "authMatchCommonName", in_file: "true", in_environment: "true", shown: |s| s.auth.match_common_name.to_string(), default: "false", changed: "true" },
    Key { section: "auth", name: "challenge", variable: "authChallenge", in_file: "'off'", in_environment: "off", shown: |s| format!("{:?}", s.auth.challenge), default: "Auto", changed: "Off" },
    Key { section: "auth", name: "appended", variable: "authAppended", in_file: "'digits'", in_environment: "digits", shown: |s| format!("{:?}", s.auth.appended), default: "Off", changed: "Digits" },
    Key { section: "auth", name: "unenrolled", variable: "authUnenrolled", in_file: "'allow'", in_environment: "allow", shown: |s| format!("{:?}", s.auth.unenrolled), default: "Deny", changed: "Allow" },
    Key { section: "auth", name: "unenrolled_until", variable: "authUnenrolledUntil", in_file: "2026-12-31", in_environment: "2026-12-31", shown: |s| format!("{:?}", s.auth.unenrolled_until.map(|day| day.to_string())), default: "None", changed: "Some(\"2026-12-31\")" },
    Key { section: "auth", name: "exempt", variable: "authExempt", in_file: "['123', 'x']", in_environment: "x,123", shown: |s| format!("{:?}", s.auth.exempt), default: "Names({})", changed: "Names({UserName(\"123\"), UserName(\"x\")})" },
    Key { section: "auth", name: "exempt_groups", variable: "authExemptGroups", in_file: "['a b', 'c']", in_environment: "a b, c", shown: |s| format!("{:?}", s.auth.exempt_groups), default: "Groups([])", changed: "Groups([GroupName(\"a b\"), GroupName(\"c\")])" },
    Key { section: "auth", name: "stall_budget_ms", variable: "authStallBudgetMs", in_file: "0", in_environment: "0", shown: |s| s.auth.stall_budget_ms.get().to_string(), default: "100", changed: "0" },
    Key { section: "pam", name: "service", variable: "pamService", in_file: "'vpn-2'", in_environment: "vpn-2", shown: |s| s.pam.service.as_str().to_owned(), default: "openvpn", changed: "vpn-2" },
    Key { section: "totp", name: "token_db_path", variable: "totpTokenDbPath", in_file: "'/srv/tokens'", in_environment: "/srv/tokens", shown: |s| s.totp.token_db_path.display().to_string(), default: "/var/lib/openvpn-totp/token_index.sqlite3", changed: "/srv/tokens" },
    Key { section: "totp", name: "challenge_text", variable: "totpChallengeText", in_file: "'Code?'", in_environment: "Code?", shown: |s| s.totp.challenge_text.as_str().to_owned(), default: "Please enter your TOTP code", changed: "Code?" },
    Key { section: "totp", name: "challenge_timeout", variable: "totpChallengeTimeout", in_file: "60", in_environment: "60", shown: |s| s.totp.challenge_timeout.get().to_string(), default: "300", changed: "60" },
    Key { section: "totp", name: "issuer_name", variable: "totpIssuerName", in_file: "'ACME'", in_environment: "ACME", shown: |s| s.totp.issuer_name.as_str().to_owned(), default: "OpenVPN Server", changed: "ACME" },
    Key { section: "totp", name: "window", variable: "totpWindow", in_file: "0", in_environment: "0", shown: |s| s.totp.window.get().to_string(), default: "1", changed: "0" },
    Key { section: "totp", name: "self_enroll", variable: "totpSelfEnroll", in_file: "true", in_environment: "true", shown: |s| s.totp.self_enroll.to_string(), default: "false", changed: "true" },
    Key { section: "store", name: "key_file", variable: "storeKeyFile", in_file: "'/k'", in_environment: "/k", shown: |s| format!("{:?}", s.store.key_file()), default: "None", changed: "Some(\"/k\")" },
    Key { section: "worker", name: "max", variable: "workerMax", in_file: "8", in_environment: "8", shown: |s| s.worker.max.get().to_string(), default: "4", changed: "8" },
    Key { section: "lockout", name: "max_failures", variable: "lockoutMaxFailures", in_file: "3", in_environment: "3", shown: |s| s.lockout.max_failures.get().to_string(), default: "5", changed: "3" },
    Key { section: "lockout", name: "address_max_failures", variable: "lockoutAddressMaxFailures", in_file: "0", in_environment: "0", shown: |s| s.lockout.address_max_failures.get().to_string(), default: "50", changed: "0" },
    Key { section: "lockout", name: "seconds", variable: "lockoutSeconds", in_file: "20", in_environment: "20", shown: |s| s.lockout.seconds.get().to_string(), default: "300", changed: "20" },
    Key { section: "duo", name: "host", variable: "duoHost", in_file: "'api'", in_environment: "api", shown: |s| format!("{:?}", s.duo.host), default: "None", changed: "Some(HostName(\"api\"))" },
    Key { section: "duo", name: "ikey", variable: "duoIkey", in_file: "'DI'", in_environment: "DI", shown: |s| format!("{:?}", s.duo.ikey), default: "None", changed: "Some(IntegrationKey(\"DI\"))" },
    Key { section: "duo", name: "skey", variable: "duoSkey", in_file: "'sss'", in_environment: "sss", shown: |s| format!("{:?}", s.duo.skey.as_ref().map(ExposeSecret::expose_secret)), default: "None", changed: "Some(\"sss\")" },
    Key { section: "duo", name: "skey_file", variable: "duoSkeyFile", in_file: "'/k'", in_environment: "/k", shown: |s| format!("{:?}", s.duo.skey_file), default: "None", changed: "Some(\"/k\")" },
    Key { section: "duo", name: "failmode", variable: "duoFailmode", in_file: "'safe'", in_environment: "safe", shown: |s| format!("{:?}", s.duo.failmode), default: "Secure", changed: "Safe" },
    Key { section: "duo", name: "autopush", variable: "duoAutopush", in_file: "true", in_environment: "true", shown: |s| s.duo.autopush.to_string(), default: "false", changed: "true" },
    Key { section: "duo", name: "verified_push", variable: "duoVerifiedPush", in_file: "true", in_environment: "true", shown: |s| s.duo.verified_push.to_string(), default: "false", changed: "true" },
    Key { section: "duo", name: "exempt", variable: "duoExempt", in_file: "['a b', 'c']", in_environment: "c, a b", shown: |s| format!("{:?}", s.duo.exempt), default: "Names({})", changed: "Names({UserName(\"a b\"), UserName(\"c\")})" },
    Key { section: "duo", name: "exempt_groups", variable: "duoExemptGroups", in_file: "['123']", in_environment: "123", shown: |s| format!("{:?}", s.duo.exempt_groups), default: "Groups([])", changed: "Groups([GroupName(\"123\")])" },
    Key { section: "duo", name: "prompt", variable: "duoPrompt", in_file: "'generic'", in_environment: "generic", shown: |s| format!("{:?}", s.duo.prompt), default: "Full", changed: "Generic" },
    Key { section: "duo", name: "prompt_text", variable: "duoPromptText", in_file: "'Duo?'", in_environment: "Duo?", shown: |s| s.duo.prompt_text.as_str().to_owned(), default: "Duo passcode or second factor", changed: "Duo?" },
    Key { section: "duo", name: "ca_file", variable: "duoCaFile", in_file: "'/ca'", in_environment: "/ca", shown: |s| format!("{:?}", s.duo.ca_file), default: "None", changed: "Some(File(\"/ca\"))" },
    Key { section: "duo", name: "http_proxy", variable: "duoHttpProxy", in_file: "'http://p:1'", in_environment: "http://p:1", shown: |s| format!("{:?}", s.duo.http_proxy), default: "None", changed: "Some(ProxyAddress(\"http://p:1\"))" },
    Key { section: "duo", name: "timeout", variable: "duoTimeout", in_file: "30", in_environment: "30", shown: |s| s.duo.timeout.get().to_string(), default: "60", changed: "30" },
    Key { section: "duo", name: "port", variable: "duoPort", in_file: "8443", in_environment: "8443", shown: |s| s.duo.port.get().to_string(), default: "443", changed: "8443" },
];

#[test]
fn what_nobody_set_has_the_default_of_the_contract() {
    let settings = in_file("").unwrap();
    for key in KEYS {
        assert_eq!((key.shown)(&settings), key.default, "[{}] {}", key.section, key.name);
    }
    assert_eq!(settings.auth.stall_budget(), std::time::Duration::from_millis(100));
}

#[test]
fn every_key_can_be_set_in_the_file_and_by_its_name_in_the_environment() {
    for key in KEYS {
        let file = in_file(&format!("[{}]\n{} = {}\n", key.section, key.name, key.in_file)).unwrap();
        assert_eq!((key.shown)(&file), key.changed, "[{}] {}", key.section, key.name);
        let environment = in_environment(&[(key.variable, key.in_environment)]).unwrap();
        assert_eq!((key.shown)(&environment), key.changed, "{}", key.variable);
    }
}

#[test]
fn the_table_of_keys_above_leaves_none_out() {
    for section in SECTIONS {
        let complaint = SettingsFile::new(format!("[{section}]\nnone_such = 1\n")).complaint();
        let expected = complaint.split_once("expected ").unwrap().1;
        for known in expected.split('`').skip(1).step_by(2) {
            assert!(
                KEYS.iter().any(|key| key.section == section && key.name == known),
                "[{section}] {known} is not tested"
            );
        }
    }
    let complaint = SettingsFile::new("[none_such]\nx = 1\n").complaint();
    for known in complaint.split_once("expected ").unwrap().1.split('`').skip(1).step_by(2) {
        assert!(SECTIONS.contains(&known), "[{known}] is not read from the environment");
    }
}

#[test]
fn every_word_of_a_choice_is_known() {
    let auth = |line: &str| in_file(&format!("[auth]\n{line}\n")).unwrap().auth;
    for (word, value) in [
        ("auto", Challenge::Auto),
        ("crtext", Challenge::Crtext),
        ("crv1", Challenge::Crv1),
        ("off", Challenge::Off),
    ] {
        assert_eq!(auth(&format!("challenge = '{word}'")).challenge, value);
    }
    for (word, value) in [("off", Appended::Off), ("comma", Appended::Comma), ("digits", Appended::Digits)] {
        assert_eq!(auth(&format!("appended = '{word}'")).appended, value);
    }
    for (word, value) in [("username", Identity::Username), ("common-name", Identity::CommonName)] {
        assert_eq!(auth(&format!("identity = '{word}'")).identity, value);
    }
    for (word, value) in [("deny", Unenrolled::Deny), ("allow", Unenrolled::Allow)] {
        assert_eq!(auth(&format!("unenrolled = '{word}'")).unenrolled, value);
    }
    for (word, value) in [("pam", Primary::Pam), ("none", Primary::None)] {
        assert_eq!(auth(&format!("primary = '{word}'")).primary, value);
    }
    let duo = |line: &str| in_file(&format!("[duo]\n{line}\n")).unwrap().duo;
    for (word, value) in [("secure", Failmode::Secure), ("safe", Failmode::Safe)] {
        assert_eq!(duo(&format!("failmode = '{word}'")).failmode, value);
    }
    for (word, value) in
        [("full", DuoPrompt::Full), ("short", DuoPrompt::Short), ("generic", DuoPrompt::Generic)]
    {
        assert_eq!(duo(&format!("prompt = '{word}'")).prompt, value);
    }
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let silent = SettingsFile::new("");
    let file = SettingsFile::new("[totp]\ntoken_db_path = '/file'\nwindow = 3\n");
    let variable = [("totpTokenDbPath", "/environment"), ("totpIssuerName", "ACME")];
    let database = |source: &SettingsFile, environment: &[(&str, &str)], option: Option<&str>| {
        let sources = Sources { database: option.map(PathBuf::from), ..source.sources(environment) };
        let settings = load(&sources).unwrap();
        (settings.totp.token_db_path, settings.totp.window.get())
    };
    let path = PathBuf::from;
    assert_eq!(database(&silent, &[], None), (path("/var/lib/openvpn-totp/token_index.sqlite3"), 1));
    assert_eq!(database(&file, &[], None), (path("/file"), 3));
    assert_eq!(database(&file, &variable, None), (path("/environment"), 3));
    assert_eq!(database(&file, &variable, Some("/option")), (path("/option"), 3));
    assert_eq!(database(&silent, &variable, None), (path("/environment"), 1));
    assert_eq!(database(&silent, &[], Some("/option")), (path("/option"), 1));
}

#[test]
fn the_file_is_the_one_of_the_command_line_then_that_of_the_environment() {
    let (one, other) = (SettingsFile::new("[totp]\nwindow = 2\n"), SettingsFile::new("[totp]\nwindow = 3\n"));
    let variable = (OsString::from("openvpn2faConfig"), other.path.clone().into_os_string());
    let environment = vec![variable];
    let window = |file: Option<PathBuf>| {
        let sources = Sources { file, database: None, environment: environment.clone() };
        load(&sources).unwrap().totp.window.get()
    };
    assert_eq!(window(None), 3);
    assert_eq!(window(Some(one.path.clone())), 2);
}

#[test]
fn the_four_names_of_the_older_script_keep_working() {
    let settings = in_environment(&[
        ("totpTokenDbPath", "/old/token_index.sqlite3"),
        ("totpChallengeText", "Your code, please"),
        ("totpChallengeTimeout", "120"),
        ("totpIssuerName", "Old & New"),
    ])
    .unwrap();
    assert_eq!(settings.totp.token_db_path, Path::new("/old/token_index.sqlite3"));
    assert_eq!(settings.totp.challenge_text.as_str(), "Your code, please");
    assert_eq!(settings.totp.challenge_timeout.get(), 120);
    assert_eq!(settings.totp.issuer_name.as_str(), "Old & New");
}

#[test]
fn texts_that_look_like_numbers_or_truths_are_texts_where_texts_are_wanted() {
    for value in ["123", "-1", "true", "false", "007", "1.5", "1979-05-27", "[1]", "{}", "\"q\"", "a=b"] {
        let settings = in_environment(&[
            ("totpIssuerName", value),
            ("totpTokenDbPath", value),
            ("duoSkey", value),
            ("duoPromptText", value),
        ])
        .unwrap();
        assert_eq!(settings.totp.issuer_name.as_str(), value);
        assert_eq!(settings.totp.token_db_path, Path::new(value));
        assert_eq!(settings.duo.skey.unwrap().expose_secret(), value);
        assert_eq!(settings.duo.prompt_text.as_str(), value);
    }
    assert_eq!(in_environment(&[("pamService", "123")]).unwrap().pam.service.as_str(), "123");
}

#[test]
fn variables_that_only_resemble_settings_are_passed_over() {
    // The first three are OpenVPN's own, the next ones a client's.
    for name in [
        "auth_control_file",
        "auth_pending_file",
        "auth_failed_reason_file",
        "IV_totpWindow",
        "UV_totpWindow",
        "totp",
        "totpwindow",
        "totp_window",
        "totpWindow ",
        "totp-Window",
        "totp\u{dc}",
        "TotpWindow",
        "authentication",
        "duodecimal",
        "X509_0_authFactor",
    ] {
        let settings = in_environment(&[(name, "999")]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(settings.totp.window.get(), 1, "{name}");
    }
    let not_text = OsStr::from_bytes(b"totpWindo\xff").to_owned();
    let empty = SettingsFile::new("");
    let sources = Sources { environment: vec![(not_text, "9".into())], ..empty.sources(&[]) };
    assert!(load(&sources).is_ok());
}

#[test]
fn who_mistypes_a_name_is_told_which_one_was_probably_meant() {
    for (content, meant) in [
        ("[totp]\nwindov = 1\n", Some("window")),
        ("[totp]\nToken-DB-Path = '/x'\n", Some("token_db_path")),
        ("[pam]\nservices = 'x'\n", Some("service")),
        ("[totpt]\nwindow = 1\n", Some("totp")),
        ("[lokcout]\n", Some("lockout")),
        ("lockuot = 1\n", Some("lockout")),
        ("[auth]\nchallenge = 'CRV1'\n", Some("crv1")),
        ("[auth]\nidentity = 'comon-name'\n", Some("common-name")),
        ("[auth]\nnonsense = 1\n", None),
        ("[nonsense]\n", None),
        ("[auth]\nunenrolled = 'maybe'\n", None),
        ("[duo]\nskey = 1\n", None),
    ] {
        let file = SettingsFile::new(content);
        let error = load(&file.sources(&[])).map(drop).unwrap_err().to_string();
        let suggested = error.split_once("; did you mean `").map(|(_, rest)| rest.trim_end_matches("`?"));
        assert_eq!(suggested, meant, "{content}: {error}");
    }
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_file_line_section_and_key() {
    let choices = "expected one of";
    for (content, place, why) in [
        // unknown section, key, value
        ("\n[nonsense]\nx = 1\n", "3: [nonsense] x: ", "unknown field `nonsense`"),
        ("\n[nonsense]\n", "2: [nonsense]: ", "unknown field `nonsense`"),
        ("window = 1\n", "1: [window]: ", "unknown field `window`"),
        ("[totp]\nwindow = 1\nwindov = 1\n", "3: [totp] windov: ", "unknown field `windov`, expected one of"),
        ("[pam]\nservices = 'x'\n", "2: [pam] services: ", "unknown field `services`, expected `service`"),
        ("[auth]\n\n# text\nunenrolled = 'maybe'", "4: [auth] unenrolled: ", "unknown variant `maybe`"),
        ("[auth]\nchallenge = 'CRV1'", "2: [auth] challenge: ", choices),
        ("[auth]\nidentity = 'common_name'", "2: [auth] identity: ", "`username` or `common-name`"),
        // wrong type
        ("[totp]\nwindow = '1'\n", "2: [totp] window: ", "expected a whole number from"),
        ("[totp]\nwindow = 1.0\n", "2: [totp] window: ", "expected a whole number from"),
        ("[totp]\nwindow = [1]\n", "2: [totp] window: ", "expected a whole number from"),
        ("[totp]\nissuer_name = 123\n", "2: [totp] issuer_name: ", "expected a string"),
        ("[totp]\ntoken_db_path = 1\n", "2: [totp] token_db_path: ", "expected path string"),
        ("[auth]\nmatch_common_name = 1\n", "2: [auth] match_common_name: ", "expected a boolean"),
        ("[auth]\nmatch_common_name = 'yes'\n", "2: [auth] match_common_name: ", "expected a boolean"),
        ("[auth]\nfactor = {}\n", "2: [auth] factor: ", ""),
        ("totp = 5\n", "1: [totp]: ", "in brackets"),
        ("totp = 'x'\n", "1: [totp]: ", "in brackets"),
        // nested nonsense
        ("[totp.window]\nx = 1\n", "1: [totp] window: ", "expected a whole number from"),
        ("[totp.deeper.still]\nx = 1\n", "1: [totp] deeper: ", "unknown field `deeper`"),
        ("[pam]\nservice = { name = 'x' }\n", "2: [pam] service: ", "expected a string"),
        // out of range
        ("[totp]\nwindow = 11\n", "2: [totp] window: ", "a whole number from 0 to 10"),
        ("[totp]\nwindow = -1\n", "2: [totp] window: ", "integer `-1`, expected a whole number from 0 to 10"),
        ("[totp]\nchallenge_timeout = 0\n", "2: [totp] challenge_timeout: ", "from 1 to 86400"),
        ("[totp]\nchallenge_timeout = 86401\n", "2: [totp] challenge_timeout: ", "from 1 to 86400"),
        ("[auth]\nstall_budget_ms = 60001\n", "2: [auth] stall_budget_ms: ", "from 0 to 60000"),
        ("[worker]\nmax = 0\n", "2: [worker] max: ", "from 1 to 10000"),
        ("[lockout]\nmax_failures = 0\n", "2: [lockout] max_failures: ", "from 1 to 1000"),
        ("[lockout]\nseconds = 0\n", "2: [lockout] seconds: ", "from 1 to 31536000"),
        ("[duo]\nport = 65536\n", "2: [duo] port: ", "from 1 to 65535"),
        ("[duo]\ntimeout = 601\n", "2: [duo] timeout: ", "from 1 to 600"),
        // texts
        ("[totp]\nissuer_name = ''\n", "2: [totp] issuer_name: ", "the text is empty"),
        ("[totp]\nissuer_name = '  '\n", "2: [totp] issuer_name: ", "the text is empty"),
        ("[totp]\nchallenge_text = \"a\\nb\"\n", "2: [totp] challenge_text: ", "control character"),
        ("[totp]\nchallenge_text = \"a\\u001bb\"\n", "2: [totp] challenge_text: ", "control character"),
        ("[totp]\nissuer_name = \"a\\u0000b\"\n", "2: [totp] issuer_name: ", "control character"),
        ("[totp]\nissuer_name = \"a\\u009bb\"\n", "2: [totp] issuer_name: ", "control character"),
        ("[duo]\nprompt_text = \"a\\tb\"\n", "2: [duo] prompt_text: ", "control character"),
        // the PAM service is a name and no path
        ("[pam]\nservice = '../../tmp/evil'\n", "2: [pam] service: ", "not the name of a PAM service"),
        ("[pam]\nservice = 'a/b'\n", "2: [pam] service: ", "not the name of a PAM service"),
        ("[pam]\nservice = '.hidden'\n", "2: [pam] service: ", "not the name of a PAM service"),
        ("[pam]\nservice = ''\n", "2: [pam] service: ", "not the name of a PAM service"),
        ("[pam]\nservice = \"a\\u0000\"\n", "2: [pam] service: ", "not the name of a PAM service"),
    ] {
        let complaint = SettingsFile::new(content).complaint();
        assert!(complaint.starts_with(place) && complaint.contains(why), "{content:?}: {complaint}");
        assert!(!complaint.chars().any(char::is_control), "{content:?}: {complaint:?}");
    }
    let long = format!("[totp]\nissuer_name = '{}'\n", "x".repeat(201));
    assert!(SettingsFile::new(long).complaint().contains("201 bytes, clients show no more than 200"));
    assert!(in_file(&format!("[totp]\nissuer_name = '{}'\n", "x".repeat(200))).is_ok());
}

#[test]
fn what_is_wrong_in_the_environment_is_named_with_the_variable() {
    for (variable, value, place, why) in [
        ("totpWindov", "1", "[totp] windov", "unknown field `windov`"),
        ("authX", "1", "[auth] x", "unknown field `x`"),
        ("totpWindow", "eleven", "[totp] window", "expected a whole number from"),
        ("totpWindow", "11", "[totp] window", "integer `11`, expected a whole number from 0 to 10"),
        ("totpWindow", "-1", "[totp] window", "integer `-1`, expected a whole number from 0 to 10"),
        ("totpWindow", "", "[totp] window", "expected a whole number from"),
        ("totpWindow", " 1", "[totp] window", "expected a whole number from"),
        ("totpWindow", "99999999999999999999", "[totp] window", "expected a whole number from"),
        ("totpChallengeTimeout", "0", "[totp] challenge_timeout", "from 1 to 86400"),
        ("totpChallengeTimeout", "5m", "[totp] challenge_timeout", "expected a whole number from"),
        ("totpChallengeText", "", "[totp] challenge_text", "the text is empty"),
        ("totpChallengeText", "a\u{1b}[2Jb", "[totp] challenge_text", "control character"),
        ("totpIssuerName", "a\nb", "[totp] issuer_name", "control character"),
        ("authMatchCommonName", "yes", "[auth] match_common_name", "expected a boolean"),
        ("authMatchCommonName", "1", "[auth] match_common_name", "expected a boolean"),
        ("authPrimary", "None", "[auth] primary", "unknown variant `None`, expected `pam` or `none`"),
        ("authUsernameCase", "upper", "[auth] username_case", "expected `keep` or `lower`"),
        ("authUsernamePattern", "[a-z", "[auth] username_pattern", "not a regular expression"),
        ("authUsernamePattern", "", "[auth] username_pattern", "the pattern is empty"),
        ("authExemptGroups", "a,,b", "[auth] exempt_groups", "not the name of a group"),
        ("duoExemptGroups", &"a,".repeat(3_000), "[duo] exempt_groups", "not the name of a group"),
        ("authUnenrolledUntil", "tomorrow", "[auth] unenrolled_until", "a day is wanted, such as 2026-12-31"),
        ("authUnenrolledUntil", "20261231", "[auth] unenrolled_until", "a day is wanted"),
        ("pamService", "../x", "[pam] service", "not the name of a PAM service"),
        ("lockoutMaxFailures", "0", "[lockout] max_failures", "from 1 to 1000"),
        ("lockoutAddressMaxFailures", "-1", "[lockout] address_max_failures", "from 0 to 100000"),
    ] {
        let text = in_environment(&[(variable, value)]).unwrap_err().to_string();
        let place = format!("environment variable {variable}: {place}: ");
        assert!(text.starts_with(&place) && text.contains(why), "{variable}={value}: {text}");
        assert!(!text.chars().any(char::is_control), "{variable}={value}: {text:?}");
    }
}

#[test]
fn a_section_that_is_an_array_is_refused() {
    for content in
        ["pam = ['other']\n", "auth = ['totp', 'none']\n", "totp = []\n", "duo = []\n", "[[totp]]\n"]
    {
        let complaint = SettingsFile::new(content).complaint();
        assert!(complaint.starts_with("1: ["), "{content:?}: {complaint}");
    }
}

#[test]
fn a_wrong_value_is_an_error_even_where_a_stronger_source_overrides_it() {
    let file = SettingsFile::new("[totp]\nwindow = 99\n");
    assert!(load(&file.sources(&[("totpWindow", "2")])).is_err());
    let file = SettingsFile::new("");
    let sources =
        Sources { database: Some("/option".into()), ..file.sources(&[("totpChallengeTimeout", "x")]) };
    assert!(load(&sources).is_err());
}

#[test]
fn syntax_errors_are_named_with_their_line() {
    for (content, line) in [
        (&b"[totp]\nwindow = \n"[..], 2),
        (b"[totp\nwindow = 1\n", 1),
        (b"[totp]\n\nwindow == 1\n", 3),
        (b"[totp]\nissuer_name = 'x\nwindow = 1\n", 2),
        (b"[totp]\nwindow = 1\nwindow = 2\n", 3),
        (b"[totp]\nwindow = 1\n[totp]\n", 3),
        (b"[totp]\nwindow = 99999999999999999999\n", 2),
        (b"just words\n", 1),
        (b"[totp]\r\nwindow = ?\r\n", 2),
        (b"[totp]\nissuer_name = '\xff'\n", 2),
        (b"\xff\xfe", 1),
        (b"a = 1\n\0\n", 2),
    ] {
        let complaint = SettingsFile::new(content).complaint();
        let shown = String::from_utf8_lossy(content);
        assert!(complaint.starts_with(&format!("{line}: ")), "{shown:?}: {complaint}");
        assert!(complaint.len() > 4, "{shown:?} has no reason: {complaint}");
    }
    assert!(SettingsFile::new(b"[pam]\nservice = '\xc3'").complaint().starts_with("2: not UTF-8"));
}

#[test]
fn comments_dotted_keys_and_inline_tables_are_understood() {
    for content in [
        "# nothing\n\n[totp] # here\nwindow = 2 # steps\n",
        "totp.window = 2\n",
        "totp = { window = 2 }\n",
        "[totp]\n\"window\" = 2\n",
        "\u{feff}[totp]\nwindow = 2\n",
        "[totp]\r\nwindow = 2\r\n",
        "[auth]\n[totp]\nwindow = 2",
    ] {
        let settings = in_file(content).unwrap_or_else(|error| panic!("{content:?}: {error}"));
        assert_eq!(settings.totp.window.get(), 2, "{content:?}");
    }
}

#[test]
fn a_file_that_somebody_named_must_be_there_and_the_default_one_need_not() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.toml");
    let by_option = Sources { file: Some(missing.clone()), ..Sources::default() };
    let variable = (OsString::from(FILE_VARIABLE), missing.clone().into_os_string());
    let by_variable = Sources { environment: vec![variable], ..Sources::default() };
    for sources in [by_option, by_variable] {
        let text = load(&sources).unwrap_err().to_string();
        assert!(text.contains(missing.to_str().unwrap()) && text.contains("No such file"), "{text}");
    }
    if Path::new(DEFAULT_FILE).exists() {
        eprintln!("not tried: {DEFAULT_FILE} exists on this machine");
    } else {
        assert!(load(&Sources::default()).is_ok());
    }
}

#[test]
fn what_is_no_file_is_no_settings_file() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for path in [directory.path().to_owned(), fifo] {
        let error = load(&Sources { file: Some(path.clone()), ..Sources::default() }).unwrap_err();
        assert!(error.to_string().contains(&format!("{} is not a regular file", path.display())), "{error}");
    }
}

#[test]
fn a_file_that_others_could_have_written_is_refused_with_the_remedy() {
    let file = SettingsFile::new("[totp]\nwindow = 2\n");
    for (mode, accepted) in
        [(0o644, true), (0o640, true), (0o600, true), (0o664, false), (0o646, false), (0o666, false)]
    {
        file.chmod(mode);
        match file.load() {
            Ok(settings) => assert!(accepted && settings.totp.window.get() == 2, "{mode:o}"),
            Err(error) => {
                let text = error.to_string();
                let remedy = format!("chmod go-w {}", file.path.display());
                assert!(!accepted && text.contains(&remedy), "{mode:o}: {text}");
                assert!(matches!(error, ConfigError::Untrusted(_)));
            }
        }
    }
    // Through a link, what counts is the file at its end.
    let link = file.directory.path().join("link.toml");
    symlink(&file.path, &link).unwrap();
    let sources = Sources { file: Some(link), ..Sources::default() };
    assert!(load(&sources).is_err());
    file.chmod(0o644);
    assert_eq!(load(&sources).unwrap().totp.window.get(), 2);
}

#[test]
fn a_file_that_is_too_large_is_refused_and_not_cut() {
    let setting = "[totp]\nwindow = 2\n";
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap();
    let padded = |length: usize| format!("{setting}{}", "#".repeat(length - setting.len()));
    assert_eq!(in_file(&padded(limit)).unwrap().totp.window.get(), 2);
    let text = in_file(&padded(limit + 1)).unwrap_err().to_string();
    assert!(text.contains("longer than 65536 bytes"), "{text}");
}

#[test]
fn duo_as_the_factor_needs_to_be_reachable() {
    let complete =
        [("authFactor", "duo"), ("duoHost", "api-1.example"), ("duoIkey", "DI"), ("duoSkeyFile", "/k")];
    assert!(in_environment(&complete).is_ok());
    let with_key = [complete[0], complete[1], complete[2], ("duoSkey", "k")];
    assert!(in_environment(&with_key).is_ok());
    for (left_out, named) in [(1, "[duo] host"), (2, "[duo] ikey"), (3, "[duo] skey_file")] {
        let mut variables = complete.to_vec();
        variables.remove(left_out);
        let text = in_environment(&variables).unwrap_err().to_string();
        assert!(text.contains(&format!("{named} ")) && text.contains("set"), "{text}");
        variables.remove(0);
        assert!(in_environment(&variables).is_ok(), "it need not be, while another factor is used");
    }
}

#[test]
fn a_secret_key_stands_only_in_a_file_that_nobody_else_can_read() {
    let file = SettingsFile::new("[totp]\nwindow = 2\n[duo]\nport = 1\nskey = 'topsecret'\n");
    for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
        file.chmod(mode);
        assert_eq!(file.load().is_ok(), accepted, "{mode:o}");
        if !accepted {
            let complaint = file.complaint();
            assert!(complaint.starts_with("5: [duo] skey: "), "{complaint}");
            assert!(complaint.contains(&format!("chmod go-rwx {}", file.path.display())), "{complaint}");
            assert!(!complaint.contains("topsecret"), "{complaint}");
        }
    }
    // Nothing secret is in a path, nor in a file that leaves the key to the environment.
    let file = SettingsFile::new("[duo]\nikey = 'DI'\n");
    file.chmod(0o644);
    assert!(load(&file.sources(&[("duoSkey", "topsecret")])).is_ok());
    let file = SettingsFile::new("[duo]\nskey_file = '/k'\n");
    file.chmod(0o644);
    assert!(file.load().is_ok());
}

#[test]
fn the_api_host_is_a_name_alone() {
    let host = |name: &str| in_file(&format!("[duo]\nhost = '{name}'\n")).map(|s| s.duo.host.unwrap());
    for (name, known) in [
        ("api-12345678.duosecurity.com", "api-12345678.duosecurity.com"),
        ("API-12345678.DuoSecurity.com", "api-12345678.duosecurity.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        (&["a"; 127].join("."), &["a"; 127].join(".")),
    ] {
        assert_eq!(host(name).unwrap().as_str(), known);
    }
    let long = ["a"; 128].join(".");
    for (name, why) in [
        ("https://api-1.example", "the host name alone"),
        ("api-1.example/", "the host name alone"),
        ("api-1.example:443", "the host name alone"),
        ("a@b", "the host name alone"),
        ("::1", "the host name alone"),
        ("", "not a host name"),
        (".", "not a host name"),
        ("a..b", "not a host name"),
        ("a.b.", "not a host name"),
        ("-a.b", "not a host name"),
        ("a b", "not a host name"),
        ("a?b", "not a host name"),
        ("a_b", "not a host name"),
        ("j\u{f6}rg.example", "not a host name"),
        ("127.1", "not a host name"),
        ("256.0.0.1", "not a host name"),
        (&long, "not a host name"),
    ] {
        let text = host(name).unwrap_err().to_string();
        assert!(text.contains("[duo] host: ") && text.contains(why), "{name}: {text}");
    }
}

#[test]
fn an_integration_key_has_no_colon_and_nothing_that_cannot_be_seen() {
    let key = |value: &str| in_file(&format!("[duo]\nikey = {value}\n"));
    assert_eq!(key("'DIWJ8X6AEYOR5OMC6TQ1'").unwrap().duo.ikey.unwrap().as_str(), "DIWJ8X6AEYOR5OMC6TQ1");
    for value in ["''", "'DI:x'", "'DI x'", "\"DI\\n\"", "'D\u{cf}'", &format!("'{}'", "D".repeat(129))] {
        let text = key(value).unwrap_err().to_string();
        assert!(text.contains("[duo] ikey: not an integration key"), "{value}: {text}");
    }
}

#[test]
fn a_proxy_is_an_address_with_http_and_a_port() {
    let proxy = |value: &str| in_file(&format!("[duo]\nhttp_proxy = '{value}'\n"));
    for (value, known) in [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example:3128/", "http://proxy.example:3128"),
        ("http://192.0.2.1:80", "http://192.0.2.1:80"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ] {
        assert_eq!(proxy(value).unwrap().duo.http_proxy.unwrap().as_str(), known);
    }
    for value in [
        "",
        "proxy.example:3128",
        "proxy.example",
        "http://proxy.example",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://proxy.example:+80",
        "http://proxy.example:80/x",
        "http://:80",
        "http://[proxy]:80",
        "https://proxy.example:3128",
        "socks5://proxy.example:1080",
        "http://name:topsecret@proxy.example:3128",
        "http://a b:80",
    ] {
        let text = proxy(value).unwrap_err().to_string();
        assert!(text.contains("[duo] http_proxy: ") && text.contains("http://HOST:PORT"), "{value}: {text}");
        assert!(!text.contains("topsecret"), "{text}");
    }
}

#[test]
fn authorities_are_a_file_or_the_machines() {
    let authorities = |value: &str| in_file(&format!("[duo]\nca_file = '{value}'\n")).unwrap().duo.ca_file;
    assert_eq!(authorities("system"), Some(CaFile::System));
    assert_eq!(authorities("/system"), Some(CaFile::File("/system".into())));
    assert_eq!(authorities("System"), Some(CaFile::File("System".into())));
}

#[test]
fn names_of_users_are_a_list_or_a_text_with_commas() {
    let name = |text: &str| text.parse::<crate::name::UserName>().unwrap();
    let exempt = in_environment(&[("duoExempt", "alice, bob"), ("authExempt", "")]).unwrap();
    assert!(exempt.duo.exempt.contains(&name("alice")) && exempt.duo.exempt.contains(&name("bob")));
    assert!(!exempt.duo.exempt.contains(&name("Alice")) && !exempt.duo.exempt.contains(&name("alice, bob")));
    assert!(exempt.auth.exempt.is_empty());
    // A name with a comma can be written in the file only.
    let exempt = in_file("[duo]\nexempt = ['alice, bob']\n").unwrap().duo.exempt;
    assert!(exempt.contains(&name("alice, bob")) && !exempt.contains(&name("alice")));
    for (value, why) in [
        ("['alice', '']", "the user's name is empty"),
        ("'alice,,bob'", "the user's name is empty"),
        ("['a', \"b\\n\"]", "control character"),
        ("['a', 1]", "expected a string"),
        ("1", "expected a list of user names"),
        ("true", "expected a list of user names"),
        ("{ a = 1 }", "expected a list of user names"),
    ] {
        let complaint = SettingsFile::new(format!("[auth]\nexempt = {value}\n")).complaint();
        assert!(
            complaint.starts_with("2: [auth] exempt: ") && complaint.contains(why),
            "{value}: {complaint}"
        );
        assert!(!complaint.chars().any(char::is_control), "{complaint:?}");
    }
    assert!(in_environment(&[("duoExempt", "alice,")]).is_err());
}

#[test]
fn the_file_of_the_store_key_is_named_from_the_root() {
    for path in ["store.key", "./store.key", "", "~/store.key"] {
        let complaint = SettingsFile::new(format!("[store]\nkey_file = '{path}'\n")).complaint();
        assert!(complaint.starts_with("2: [store] key_file: a full path is wanted"), "{complaint}");
    }
    assert!(in_environment(&[("storeKeyFile", "store.key")]).is_err());
}

#[test]
fn a_day_can_be_a_date_or_a_text() {
    for day in ["2026-12-31", "'2026-12-31'"] {
        let settings = in_file(&format!("[auth]\nunenrolled = 'allow'\nunenrolled_until = {day}\n")).unwrap();
        assert_eq!(settings.auth.unenrolled_until.unwrap().to_string(), "2026-12-31");
    }
    for day in ["2026-12-31T10:00:00Z", "2026-12-31T10:00:00", "10:00:00", "20261231", "true"] {
        let text = in_file(&format!("[auth]\nunenrolled_until = {day}\n")).unwrap_err().to_string();
        assert!(text.contains(":2: [auth] unenrolled_until: a day is wanted, such as 2026-12-31"), "{text}");
    }
}

#[test]
fn settings_that_exclude_each_other_are_refused() {
    let both = in_file("[duo]\nskey = 'topsecret'\nskey_file = '/etc/k'\n").unwrap_err().to_string();
    assert!(both.contains("skey and skey_file") && !both.contains("topsecret"), "{both}");
    let file = SettingsFile::new("[duo]\nskey_file = '/etc/k'\n");
    let mixed = load(&file.sources(&[("duoSkey", "topsecret")])).unwrap_err().to_string();
    assert!(mixed.contains("skey and skey_file") && !mixed.contains("topsecret"), "{mixed}");
    let pushes = in_file("[duo]\nverified_push = true\nautopush = true\n").unwrap_err().to_string();
    assert!(pushes.contains("[duo] verified_push and autopush"), "{pushes}");
    let same = in_file("[store]\nkey_file = '/d'\n[totp]\ntoken_db_path = '/d'\n").unwrap_err().to_string();
    assert!(same.contains("[store] key_file and [totp] token_db_path"), "{same}");
    for groups in ["exempt_groups = ['a']", "[duo]\nexempt_groups = ['a']"] {
        let text = in_file(&format!("[auth]\nprimary = 'none'\n{groups}\n")).unwrap_err().to_string();
        assert!(text.contains("primary = \"none\" and exempt_groups"), "{text}");
    }
    let alone = in_file("[auth]\nprimary = 'none'\n[totp]\nself_enroll = true\n").unwrap_err().to_string();
    assert!(alone.contains("primary = \"none\" and [totp] self_enroll"), "{alone}");
    for form in ["comma", "digits"] {
        let text = in_file(&format!("[auth]\nprimary = 'none'\nappended = '{form}'\n")).unwrap_err();
        assert!(text.to_string().contains("nothing to append to"), "{text}");
    }
}

#[test]
fn settings_that_are_printed_show_no_secret_key() {
    let settings = in_file("[duo]\nskey = 'topsecret'\n").unwrap();
    assert!(!format!("{settings:?}").contains("topsecret"));
}

#[test]
fn a_value_that_is_not_utf_8_is_refused_or_taken_as_it_is() {
    let empty = SettingsFile::new("");
    let bytes = OsStr::from_bytes(b"/srv/caf\xe9");
    let with = |name: &str| {
        let variable = (OsString::from(name), bytes.to_owned());
        load(&Sources { environment: vec![variable], ..empty.sources(&[]) })
    };
    for name in ["totpIssuerName", "duoSkey", "duoHost"] {
        assert!(with(name).unwrap_err().to_string().contains(name));
    }
    match with("totpTokenDbPath") {
        Ok(settings) => assert_eq!(settings.totp.token_db_path, Path::new(bytes)),
        Err(error) => assert!(error.to_string().contains("totpTokenDbPath"), "{error}"),
    }
}

#[test]
fn a_path_from_the_environment_need_not_be_utf_8() {
    let empty = SettingsFile::new("");
    let directory = empty.directory.path().join(OsStr::from_bytes(b"caf\xe9.toml"));
    let written = std::fs::write(&directory, "[totp]\nwindow = 2\n");
    if written.is_err() {
        return eprintln!("not tried: this file system takes UTF-8 names only");
    }
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o600)).unwrap();
    let variable = (OsString::from(FILE_VARIABLE), directory.into_os_string());
    let settings = load(&Sources { environment: vec![variable], ..Sources::default() }).unwrap();
    assert_eq!(settings.totp.window.get(), 2);
}

/// Ways to write a secret key into a file, most of them wrong. `@` is the key.
const FORMS: &[&str] = &[
    "[duo]\nskey = '@'\nport = 0\n",
    "[duo]\nskey = \"@\"\nunknown = 1\n",
    "[duo]\nskey = @\n",
    "[duo]\nskey = '@\n",
    "[duo]\nskey = \"@\n",
    "[duo]\nskey = '@' '@'\n",
    "[duo]\nskey '@'\n",
    "[duo]\nskey = ['@']\n",
    "[duo]\nskey = [@]\n",
    "[duo]\nskey = { value = '@' }\n",
    "[duo]\nskey = { @ = 1 }\n",
    "[duo]\nskey = '''@\n'''\n[duo]\n",
    "[duo]\nskey = '@'\nskey = '@'\n",
    "[duo]\nskey = \"\\q@\"\n",
    "[duo]\nskey = @.5\n",
    "[duo]\nskey = -@\n",
    "[auth]\nskey = '@'\n",
    "skey = '@'\n",
    "[duo]\nskey_file = '/k'\nskey = '@'\n",
];

#[test]
fn an_error_about_a_file_never_shows_the_secret_key_in_it() {
    let mut leaks = Vec::new();
    for form in FORMS {
        for key in ["5BB3Rmlxq8Vd0a7DkPzTeWf1YuHs", "4711081547110815", "4711.0815"] {
            let Err(error) = in_file(&form.replace('@', key)) else { continue };
            if format!("{error} {error:?}").contains(key) {
                leaks.push(format!("{form:?}: {error}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

proptest! {
    #[test]
    fn no_bytes_bring_the_loader_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = SettingsFile::new(bytes).load();
    }

    #[test]
    fn no_text_that_looks_like_settings_brings_the_loader_down(
        text in r#"(\[{1,2}(auth|totp|duo|x|\.){0,3}\]{0,2}|(window|skey|factor|host|a\.b)? ?=? ?(['"\[{]?[ -~\n\u{80}-\u{2fff}]{0,12}['"\]}]?)|#|\n){0,12}"#
    ) {
        match SettingsFile::new(&text).load() {
            Ok(_) => {}
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_variable_brings_the_loader_down(
        name in "(auth|pam|totp|worker|lockout|duo)[ -~\u{80}-\u{ff}]{0,20}",
        value in proptest::collection::vec(1_u8.., 0..80),
    ) {
        let empty = SettingsFile::new("");
        let variable = (OsString::from(name), OsStr::from_bytes(&value).to_owned());
        let _ = load(&Sources { environment: vec![variable], ..empty.sources(&[]) });
    }

    #[test]
    fn no_error_shows_the_secret_key(form in 0..FORMS.len(), key in "[A-Za-z0-9+/]{12,40}") {
        if let Err(error) = in_file(&FORMS[form].replace('@', &key)) {
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains(&key), "{}", said);
        }
    }
}

use super::super::finding::Level;
use super::*;
use crate::config::{Bounded, Identity, Primary, UsernameCase};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

fn found(text: &str, settings: &Settings) -> Vec<(Level, String)> {
    let conf = ServerConf::parse(Path::new("server.conf"), text);
    let mut findings = Findings::default();
    look_at_lines(&conf, &program(), &mut findings);
    look(&conf, settings, &mut findings);
    let text = |finding: super::super::finding::Finding| {
        let place = finding.place.map(|place| place.to_string()).unwrap_or_default();
        (finding.level, format!("{place}: {} | {}", finding.text, finding.remedy.unwrap_or_default()))
    };
    findings.all.into_iter().map(text).collect()
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn good() -> String {
    format!(
        "script-security 2\nauth-user-pass-verify {0} via-file\nclient-crresponse {0}\n\
         auth-gen-token 43200\n<auth-gen-token-secret>\nx\n</auth-gen-token-secret>\n",
        program().display()
    )
}

#[track_caller]
fn finds(text: &str, settings: &Settings, level: Level, expected: &str) {
    let all = found(text, settings);
    let hit = all.iter().any(|(found, what)| *found == level && what.contains(expected));
    assert!(hit, "{text}: {level:?} {expected:?} not in {all:#?}");
}

#[test]
fn a_configuration_as_in_the_readme_is_good() {
    for (level, text) in found(&good(), &Settings::default()) {
        assert_eq!(level, Level::Good, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_fault_is_found_in_its_line() {
    let program = program().display().to_string();
    let verify = format!("auth-user-pass-verify {program} via-file\n");
    let answer = format!("client-crresponse {program}");
    let long = format!("auth-user-pass-verify {program} --db /x via-file\n");
    for (from, to, level, text) in [
        (
            "script-security 2",
            "",
            Level::Bad,
            "script-security is 1, so OpenVPN starts no hook | script-security 2",
        ),
        (
            "script-security 2",
            "script-security 2\nscript-security 0",
            Level::Bad,
            "server.conf:2: script-security is 0",
        ),
        (verify.as_str(), "", Level::Bad, "no auth-user-pass-verify"),
        (
            &verify,
            "auth-user-pass-verify /nowhere via-file\n",
            Level::Bad,
            "server.conf:2: there is no /nowhere",
        ),
        (&verify, "auth-user-pass-verify /etc via-file\n", Level::Bad, "/etc cannot be executed"),
        (&verify, "auth-user-pass-verify /etc/passwd via-file\n", Level::Bad, "chmod 0755 /etc/passwd"),
        (&verify, "auth-user-pass-verify /bin/true via-file\n", Level::Doubtful, "which is not the program"),
        (&verify, "auth-user-pass-verify openvpn-2fa via-file\n", Level::Bad, "is no full path"),
        (&verify, "auth-user-pass-verify \"\" via-file\n", Level::Bad, "no program is named"),
        (&verify, "auth-user-pass-verify '/x \"' via-file\n", Level::Bad, "is not closed"),
        (&verify, &long, Level::Bad, "--db /x\" via-file"),
        (
            &verify,
            "auth-user-pass-verify \"/x --nonsense\" via-file\n",
            Level::Bad,
            "refuse everybody: unexpected argument '--nonsense'",
        ),
        ("via-file", "via-env", Level::Bad, "via-env needs script-security 3"),
        ("via-file", "via-pipe", Level::Bad, "neither via-file nor via-env"),
        ("via-file", "", Level::Bad, "how the password comes is not said"),
        ("client-crresponse", "#", Level::Bad, "no client-crresponse"),
        (&answer, &format!("{answer} --db /x"), Level::Bad, "more than one word follows"),
        (&answer, &format!("client-crresponse \"{program} --db /x\""), Level::Bad, "different options"),
        (
            &answer,
            &format!("client-crresponse /bin/true\n{answer}"),
            Level::Doubtful,
            "server.conf:3: client-crresponse stands here and again later",
        ),
        ("auth-gen-token 43200", "", Level::Doubtful, "asked for a code at each renegotiation"),
        ("auth-gen-token 43200", "auth-gen-token 600", Level::Doubtful, "good for 600 s"),
        ("auth-gen-token 43200", "auth-gen-token 43200 100", Level::Bad, "auth-gen-token 43200 120"),
        (
            "<auth-gen-token-secret>\nx\n</auth-gen-token-secret>",
            "",
            Level::Doubtful,
            "do not outlive a restart",
        ),
        (
            "<auth-gen-token-secret>\nx\n</auth-gen-token-secret>",
            "auth-gen-token-secret /nowhere",
            Level::Bad,
            "openvpn --genkey auth-token /nowhere",
        ),
        (
            "<auth-gen-token-secret>\nx\n</auth-gen-token-secret>",
            "auth-gen-token-secret /etc/passwd",
            Level::Bad,
            "make tokens that need no code",
        ),
        ("auth-gen-token 43200", "auth-gen-token\nreneg-sec 0", Level::Bad, "reneg-sec 0"),
        // A tenth less than 300, and half of that.
        ("script-security 2", "script-security 2\nreneg-sec 300", Level::Doubtful, "a question lasts 135 s"),
        (
            "script-security 2",
            "script-security 2\nreneg-sec 3600 200",
            Level::Doubtful,
            "a question lasts 100 s",
        ),
        ("script-security 2", "script-security 2\nhand-window 30", Level::Doubtful, "given up after 30 s"),
        (
            "script-security 2",
            "script-security 2\nuser nosuchuser",
            Level::Bad,
            "there is no user nosuchuser",
        ),
        ("script-security 2", "script-security 2\nchroot /x", Level::Bad, "chroot /x"),
        ("script-security 2", "script-security 2\ntmp-dir /nowhere", Level::Bad, "no directory /nowhere"),
        (
            "script-security 2",
            "script-security 2\nplugin /x/openvpn-plugin-auth-pam.so openvpn",
            Level::Bad,
            "decides about logins too",
        ),
        ("script-security 2", "script-security 2\nplugin /x/other.so", Level::Doubtful, "is not known here"),
        (
            "script-security 2",
            "script-security 2\nmanagement-client-auth",
            Level::Bad,
            "management interface",
        ),
        (
            "script-security 2",
            "script-security 2\nauth-user-pass-optional",
            Level::Doubtful,
            "are refused: [auth] primary is PAM",
        ),
        ("script-security 2", "script-security 2\nsetenv a \"b", Level::Bad, "server.conf:2: the quote"),
    ] {
        finds(&good().replacen(from, to, 1), &Settings::default(), level, text);
    }
}

#[test]
fn the_configuration_is_held_against_the_settings() {
    let mut certificate = Settings::default();
    certificate.auth.primary = Primary::None;
    let mut common_name = Settings::default();
    common_name.auth.primary = Primary::None;
    common_name.auth.identity = Identity::CommonName;
    let mut lower = Settings::default();
    lower.auth.username_case = UsernameCase::Lower;
    let mut matched = Settings::default();
    matched.auth.match_common_name = true;
    let mut patient = Settings::default();
    patient.totp.challenge_timeout = Bounded::new::<86_400>();
    let mut self_enrolling = Settings::default();
    self_enrolling.totp.self_enroll = true;
    for (line, settings, level, text) in [
        ("verb 3", &self_enrolling, Level::Doubtful, "logs the keys of the tokens"),
        (
            "auth-user-pass-optional",
            &certificate,
            Level::Doubtful,
            "[auth] identity is the name that is typed",
        ),
        ("auth-user-pass-optional", &common_name, Level::Good, "the certificate says who they are"),
        ("verify-client-cert none", &certificate, Level::Bad, "[auth] primary = \"none\""),
        ("verify-client-cert optional", &matched, Level::Bad, "match_common_name"),
        ("username-as-common-name", &common_name, Level::Bad, "any name that they type"),
        ("username-as-common-name", &lower, Level::Doubtful, "Alice and alice are one user"),
        ("user nobody", &certificate, Level::Doubtful, "must belong to nobody"),
        ("verb 3", &patient, Level::Doubtful, "a question lasts 1620 s at most"),
    ] {
        finds(&format!("{}{line}\n", good()), settings, level, text);
    }
    for (level, text) in found(&format!("{}verb 2\n", good()), &self_enrolling) {
        assert_eq!(level, Level::Good, "{text}");
    }
    for line in [
        "verb 5",
        "verify-client-cert none",
        "username-as-common-name",
        "user root",
        "group nogroup",
        "plugin /x/openvpn-plugin-down-root.so x",
    ] {
        for (level, text) in found(&format!("{}{line}\n", good()), &Settings::default()) {
            assert_eq!(level, Level::Good, "{line}: {text}");
        }
    }
}

#[test]
fn a_program_that_others_can_change_is_found_and_a_copy_or_a_link_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy");
    std::fs::copy(program(), &copy).unwrap();
    let link = directory.path().join("link");
    symlink(program(), &link).unwrap();
    for path in [&copy, &link] {
        let text = good().replace(&program().display().to_string(), &path.display().to_string());
        for (level, text) in found(&text, &Settings::default()) {
            assert_eq!(level, Level::Good, "{text}");
        }
    }
    let text = good().replace(&program().display().to_string(), &copy.display().to_string());
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o777)).unwrap();
    finds(&text, &Settings::default(), Level::Bad, "others can put their own program in the place of");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    finds(&text, &Settings::default(), Level::Bad, &format!("chmod go-w {}", directory.path().display()));
}

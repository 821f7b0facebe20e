//! OpenVPN's configuration: every fault with its line, and with the line to write instead.

use super::{found, good, the};
use crate::support::{PROGRAM, Site, chmod};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_fault_is_found_with_its_line_and_the_line_to_write_instead() {
    let site = Site::new();
    site.enroll("alice");
    let tmp = site.path("open");
    std::fs::create_dir(&tmp).unwrap();
    chmod(&tmp, 0o777);
    let open_tmp = format!("tmp-dir {}", tmp.display());
    let verify = format!("auth-user-pass-verify {PROGRAM} via-file");
    let answer = format!("client-crresponse {PROGRAM}");
    let secret = "<auth-gen-token-secret>\nkey\n</auth-gen-token-secret>";
    // What is replaced by what; level and line of the finding, 0 for none; words of it; words of the remedy.
    for (from, to, level, line, text, remedy) in [
        ("script-security 2", "verb 3", "fail", 0, "script-security is 1", "script-security 2"),
        ("script-security 2", "script-security 1", "fail", 2, "script-security is 1", "script-security 2"),
        (&verify, "verb 3", "fail", 0, "no auth-user-pass-verify", &verify),
        (
            &verify,
            "auth-user-pass-verify /usr/bin/nothing via-file",
            "fail",
            3,
            "there is no /usr/bin/nothing",
            &verify,
        ),
        (
            &verify,
            "auth-user-pass-verify /bin/true via-file",
            "look",
            3,
            "not the program that checks now",
            &verify,
        ),
        (
            &verify,
            &format!("auth-user-pass-verify {PROGRAM} via-env"),
            "fail",
            3,
            "via-env needs script-security 3",
            &verify,
        ),
        (
            &verify,
            &format!("auth-user-pass-verify {PROGRAM} via-env\nscript-security 3"),
            "look",
            3,
            "via-env shows passwords",
            &verify,
        ),
        (&verify, &format!("auth-user-pass-verify {PROGRAM}"), "fail", 3, "how the password comes", &verify),
        (
            &verify,
            &format!("auth-user-pass-verify {PROGRAM} --config /x via-file"),
            "fail",
            3,
            "belong between quotes",
            &format!("auth-user-pass-verify \"{PROGRAM} --config /x\" via-file"),
        ),
        (
            &verify,
            &format!("{verify}\n{verify}"),
            "look",
            3,
            "stands here and again later",
            "take the line out: auth-user",
        ),
        (&answer, "verb 3", "fail", 0, "no client-crresponse", &answer),
        (
            "auth-gen-token 43200",
            "verb 3",
            "look",
            0,
            "asked for a code at each renegotiation",
            "auth-gen-token 43200",
        ),
        (secret, "verb 3", "look", 5, "do not outlive a restart", "auth-gen-token-secret "),
        (
            secret,
            "auth-gen-token-secret /nowhere",
            "fail",
            6,
            "there is no /nowhere",
            "openvpn --genkey auth-token /nowhere",
        ),
        (secret, "reneg-sec 0", "fail", 6, "reneg-sec 0", "take reneg-sec out"),
        (secret, "reneg-sec 400", "look", 6, "a question lasts 180 s at most", "hand-window 300"),
        (secret, "hand-window 20", "look", 6, "given up after 20 s", "hand-window 60"),
        (secret, "user nobody", "look", 6, "user nobody", "take the line out: user nobody"),
        (
            secret,
            "user nobody\nsetenv authPrimary pam",
            "fail",
            6,
            "what pam_unix needs",
            "take the line out: user nobody",
        ),
        (secret, "chroot /var/empty", "fail", 6, "chroot /var/empty", "take the line out"),
        (secret, "tmp-dir /nowhere", "fail", 6, "no directory /nowhere", "take tmp-dir out"),
        (secret, &open_tmp, "fail", 6, "others can change what", "chmod 0700"),
        (
            secret,
            "plugin /usr/lib/openvpn/openvpn-plugin-auth-pam.so login",
            "fail",
            6,
            "decides about logins too",
            "take the line out: plugin",
        ),
        (
            secret,
            "verify-client-cert none",
            "fail",
            6,
            "takes the certificate for the first proof",
            "take the line out",
        ),
        (
            secret,
            "auth-user-pass-optional",
            "look",
            6,
            "[auth] identity is the name that is typed",
            "identity = \"common-name\"",
        ),
        (
            secret,
            "username-as-common-name\nsetenv authIdentity common-name",
            "fail",
            6,
            "of any name that they type",
            "match_common_name = true",
        ),
        (
            secret,
            "setenv totpChallengeTimeout 7200",
            "look",
            0,
            "whatever [totp] challenge_timeout says (7200)",
            "hand-window 7200",
        ),
        (
            secret,
            "setenv x \"y",
            "fail",
            6,
            "the quote \" is not closed: OpenVPN does not start",
            "openvpn --config",
        ),
        (secret, "config /nowhere.conf", "fail", 6, "/nowhere.conf is included", "openvpn --config"),
        (secret, "setenv openvpn2faConfig /nowhere.toml", "fail", 0, "/nowhere.toml", "nobody gets in"),
    ] {
        let conf = good().replacen(from, to, 1);
        assert_ne!(conf, good(), "{from}");
        let all = found(&site, &conf, |_| ());
        let one = the(&all, level, "server", text);
        assert_eq!(one.line.unwrap_or(0), line, "{to}: {one:?}");
        assert_eq!(one.file, Some(site.path("server.conf")), "{to}");
        assert!(one.remedy.as_ref().unwrap().contains(remedy), "{to}: {one:?}");
    }
}

#[test]
fn a_fault_in_an_included_file_has_its_place_there() {
    let site = Site::new();
    std::fs::write(site.path("more.conf"), "# more\nreneg-sec 0\n").unwrap();
    let all = found(&site, &format!("{}config more.conf\n", good()), |_| ());
    let one = the(&all, "fail", "server", "reneg-sec 0");
    assert_eq!((one.file.clone(), one.line), (Some(site.path("more.conf")), Some(2)));
}

#[test]
fn files_that_others_can_write_are_found() {
    let site = Site::new();
    site.enroll("alice");
    std::fs::write(site.path("server.conf"), "").unwrap();
    chmod(&site.path("server.conf"), 0o666);
    let all = found(&site, &good(), |_| ());
    let one = the(&all, "fail", "server", "others can have OpenVPN run what they like");
    assert!(one.remedy.as_ref().unwrap().starts_with("chmod go-w "), "{one:?}");

    let copy = site.path("copy");
    std::fs::copy(PROGRAM, &copy).unwrap();
    let conf = good().replace(PROGRAM, copy.to_str().unwrap());
    chmod(&copy, 0o777);
    let all = found(&site, &conf, |_| ());
    the(&all, "fail", "server", "put their own program in the place of");
    chmod(&copy, 0o644);
    let all = found(&site, &conf, |_| ());
    let one = the(&all, "fail", "server", "cannot be executed");
    assert_eq!(one.remedy, Some(format!("chmod 0755 {}", copy.display())));

    chmod(&site.database(), 0o644);
    the(&found(&site, &good(), |_| ()), "fail", "database", "chmod go-rwx");
    chmod(&site.database(), 0o600);
    chmod(&site.path("state"), 0o777);
    the(&found(&site, &good(), |_| ()), "fail", "database", "chmod go-w");
    chmod(&site.config(), 0o666);
    the(&found(&site, &good(), |_| ()), "fail", "settings", "chmod go-w");
}

#[test]
fn a_key_that_is_gone_or_open_to_others_is_found() {
    let site = Site::new();
    let key = site.path("key");
    let setting = format!("[store]\nkey_file = '{}'\n", key.display());
    let settings = std::fs::read_to_string(site.config()).unwrap() + &setting;
    std::fs::write(site.config(), settings).unwrap();
    assert_eq!(site.admin(&["new-key", key.to_str().unwrap()]).status, 0);
    site.enroll("alice");
    the(&found(&site, &good(), |_| ()), "ok", "database", "1 users");
    chmod(&key, 0o644);
    the(&found(&site, &good(), |_| ()), "fail", "database", "chmod go-rwx");
    std::fs::remove_file(&key).unwrap();
    the(&found(&site, &good(), |_| ()), "fail", "database", "there is no key at");
}

#[test]
fn hooks_that_are_told_of_other_files_are_checked_with_those() {
    let site = Site::new();
    site.enroll("alice");
    let option = |file: &str| good().replace(PROGRAM, &format!("\"{PROGRAM} --config {file}\""));
    let all = found(&site, &option(site.config().to_str().unwrap()), |_| ());
    the(&all, "ok", "server", "logins come to this program");
    assert!(!all.iter().any(|one| one.finding.contains("its hooks read")), "{all:#?}");
    the(&found(&site, &option("/nowhere.toml"), |_| ()), "fail", "server", "/nowhere.toml");
    the(&found(&site, &good(), |_| ()), "look", "server", "its hooks read /etc/openvpn-2fa/config.toml");
    let different = good().replacen(PROGRAM, &format!("\"{PROGRAM} --db /x\""), 1);
    the(&found(&site, &different, |_| ()), "fail", "server", "the two hooks have different options");
}

#[test]
fn texts_that_clients_lose_or_cut_are_found() {
    let site = Site::with(&[("totpChallengeText", "Code f\u{fc}r's VPN:")]);
    let all = found(&site, &good(), |_| ());
    let lost = the(&all, "fail", "settings", "[totp] challenge_text holds \u{fc}");
    assert_eq!(lost.remedy.as_deref(), Some("[totp] challenge_text = \"Code f?r's VPN:\""));
    let cut = the(&all, "look", "settings", "[totp] challenge_text holds ' :");
    assert_eq!(cut.remedy.as_deref(), Some("[totp] challenge_text = \"Code f\u{fc}rs VPN\""));
}

//! What OpenVPN's configuration says against what this program needs. Pure: facts in, findings out.

use super::finding::Findings;
use super::server_conf::{Directive, ServerConf};
use crate::config::{Primary, Settings};
use std::path::Path;

/// `hand-window` where the configuration has none, in seconds.
const HAND_WINDOW: u64 = 60;

/// `reneg-sec` where the configuration has none, in seconds.
const RENEG_SEC: u64 = 3_600;

/// Looks at one configuration. `program` is the executable that should be in its hooks; `settings` are those that its
/// hooks have.
pub(super) fn look(conf: &ServerConf, program: &Path, settings: &Settings, findings: &mut Findings) {
    hooks(conf, program, findings);
    tokens(conf, findings);
    windows(conf, settings, findings);
    rights(conf, settings, findings);
    others(conf, findings);
}

fn hooks(conf: &ServerConf, program: &Path, findings: &mut Findings) {
    let name = conf.path.display();
    let security = conf.number("script-security").unwrap_or(1);
    let program_text = program.display();
    if security < 2 {
        findings.bad(
            format!("{name}: script-security is {security}, so OpenVPN starts no hook"),
            "script-security 2",
        );
    }
    match conf.last("auth-user-pass-verify") {
        None => findings.bad(
            format!("{name}: no auth-user-pass-verify, so nobody is checked by this program"),
            format!("auth-user-pass-verify {program_text} via-file"),
        ),
        Some(line) => {
            let place = conf.place(line);
            if starts(line, program, findings, &place) {
                match line.words.get(2).map(String::as_str) {
                    Some("via-file") => findings.good(format!("{place}: logins come to this program")),
                    Some("via-env") if security < 3 => findings.bad(
                        format!(
                            "{place}: via-env needs script-security 3, which shows passwords to every hook"
                        ),
                        format!("auth-user-pass-verify {program_text} via-file"),
                    ),
                    Some("via-env") => findings.doubtful(
                        format!("{place}: via-env shows passwords to every hook"),
                        format!("auth-user-pass-verify {program_text} via-file"),
                    ),
                    _ => findings.bad(
                        format!("{place}: how the password comes is not said"),
                        format!("auth-user-pass-verify {program_text} via-file"),
                    ),
                }
            }
        }
    }
    match conf.last("client-crresponse") {
        None => findings.bad(
            format!("{name}: no client-crresponse, so answers of clients that are asked while they connect are lost"),
            format!("client-crresponse {program_text}"),
        ),
        Some(line) => {
            let place = conf.place(line);
            if starts(line, program, findings, &place) {
                findings.good(format!("{place}: answers come to this program"));
            }
        }
    }
}

/// Whether a hook line starts this program. Says so if not.
fn starts(line: &Directive, program: &Path, findings: &mut Findings, place: &str) -> bool {
    let command = line.words.get(1).map_or("", String::as_str);
    let path = Path::new(command.split_whitespace().next().unwrap_or_default());
    let same = |path: &Path| std::fs::canonicalize(path).ok();
    if !path.is_absolute() {
        findings.bad(
            format!("{place}: {command:?} is no full path"),
            format!("{} {}", line.words[0], program.display()),
        );
        return false;
    }
    let Some(found) = same(path) else {
        findings.bad(
            format!("{place}: there is no {}", path.display()),
            format!("{} {}", line.words[0], program.display()),
        );
        return false;
    };
    if same(program) != Some(found) {
        findings.doubtful(
            format!("{place}: starts {}, which is not the program that checks now", path.display()),
            format!("{} {}", line.words[0], program.display()),
        );
        return false;
    }
    true
}

fn tokens(conf: &ServerConf, findings: &mut Findings) {
    let name = conf.path.display();
    let Some(line) = conf.last("auth-gen-token") else {
        findings.doubtful(
            format!(
                "{name}: no auth-gen-token, so users are asked for a code at each renegotiation (every hour)"
            ),
            "auth-gen-token 43200",
        );
        return;
    };
    if conf.last("auth-gen-token-secret").is_none() {
        findings.doubtful(
            format!("{}: without a secret file, tokens do not outlive a restart of the server", conf.place(line)),
            "auth-gen-token-secret /etc/openvpn/server/auth-token.key\n(openvpn --genkey auth-token makes the file)",
        );
    } else {
        findings.good(format!("{}: tokens take the place of codes at renegotiations", conf.place(line)));
    }
}

fn windows(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let renegotiation = conf.number("reneg-sec").unwrap_or(RENEG_SEC);
    let hand_window = conf.number("hand-window").unwrap_or(HAND_WINDOW);
    if let Some(line) = conf.last("reneg-sec").filter(|_| renegotiation == 0) {
        findings.bad(
            format!(
                "{}: with reneg-sec 0 a question lasts {hand_window} s, and OpenVPN does not start with auth-gen-token",
                conf.place(line)
            ),
            "take reneg-sec out; auth-gen-token keeps users from being asked again",
        );
    }
    let longest = hand_window.max(renegotiation / 2);
    let timeout = settings.totp.challenge_timeout.get();
    if timeout > longest {
        findings.doubtful(
            format!(
                "{}: a question lasts {longest} s at most, whatever [totp] challenge_timeout says ({timeout})",
                conf.path.display()
            ),
            format!("hand-window {timeout}, or a shorter challenge_timeout"),
        );
    }
}

fn rights(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    for name in ["user", "group", "chroot"] {
        let Some(line) = conf.last(name) else { continue };
        let value = line.words.get(1).map_or("", String::as_str);
        if name != "chroot" && value == "root" {
            continue;
        }
        let place = conf.place(line);
        match settings.auth.primary {
            Primary::Pam => findings.bad(
                format!(
                    "{place}: {name} {value}: hooks then can read neither the database nor what pam_unix needs"
                ),
                format!("take the line out: {name} {value}"),
            ),
            Primary::None => findings.doubtful(
                format!("{place}: {name} {value}: the database and the settings must belong to the user of the hooks"),
                format!("take the line out, or chown -R {value} the directory of the database"),
            ),
        }
    }
    if let Some(line) = conf.last("tmp-dir") {
        let directory = line.words.get(1).map_or("", String::as_str);
        if !Path::new(directory).is_dir() {
            findings.bad(
                format!("{}: there is no directory {directory}", conf.place(line)),
                "take tmp-dir out, or make the directory for OpenVPN's user alone",
            );
        }
    }
}

fn others(conf: &ServerConf, findings: &mut Findings) {
    for line in conf.all("plugin") {
        let plugin = line.words.get(1).map_or("", String::as_str);
        let known = ["auth-pam", "duo", "openvpn-otp", "ldap", "radius", "google"];
        if known.iter().any(|name| plugin.contains(name)) {
            findings.bad(
                format!("{}: {plugin} decides about logins too, and both have to agree", conf.place(line)),
                "take the line out: this program asks PAM itself",
            );
        }
    }
    if let Some(line) = conf.last("auth-user-pass-optional") {
        findings.doubtful(
            format!("{}: clients may come without name and password", conf.place(line)),
            "right only for [auth] primary = \"none\" with identity = \"common-name\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn found(text: &str, settings: &Settings) -> Vec<(Level, String)> {
        let conf = ServerConf::parse(Path::new("server.conf"), text);
        let mut findings = Findings::default();
        look(&conf, &program(), settings, &mut findings);
        findings.0.into_iter().map(|finding| (finding.level, finding.text)).collect()
    }

    fn program() -> std::path::PathBuf {
        std::env::current_exe().unwrap()
    }

    fn good() -> String {
        format!(
            "script-security 2\nauth-user-pass-verify {0} via-file\nclient-crresponse \"{0} --config /x\"\n\
             auth-gen-token 43200\nauth-gen-token-secret /x\n",
            program().display()
        )
    }

    #[test]
    fn a_configuration_as_in_the_readme_is_good() {
        for (level, text) in found(&good(), &Settings::default()) {
            assert_eq!(level, Level::Good, "{text}");
        }
    }

    #[test]
    fn each_fault_is_found_in_its_line() {
        let verify = format!("auth-user-pass-verify {} via-file\n", program().display());
        for (from, to, level, text) in [
            ("script-security 2", "", Level::Bad, "script-security is 1"),
            (verify.as_str(), "", Level::Bad, "no auth-user-pass-verify"),
            (
                &verify,
                "auth-user-pass-verify /nowhere via-file\n",
                Level::Bad,
                "server.conf:2: there is no /nowhere",
            ),
            (
                &verify,
                "auth-user-pass-verify /bin/true via-file\n",
                Level::Doubtful,
                "which is not the program",
            ),
            (&verify, "auth-user-pass-verify openvpn-2fa via-file\n", Level::Bad, "is no full path"),
            ("via-file", "via-env", Level::Bad, "via-env needs script-security 3"),
            ("via-file", "", Level::Bad, "how the password comes is not said"),
            ("client-crresponse", "#", Level::Bad, "no client-crresponse"),
            ("auth-gen-token 43200", "", Level::Doubtful, "asked for a code at each renegotiation"),
            ("auth-gen-token-secret /x", "", Level::Doubtful, "do not outlive a restart"),
            ("auth-gen-token 43200", "auth-gen-token\nreneg-sec 0", Level::Bad, "reneg-sec 0"),
            (
                "script-security 2",
                "script-security 2\nreneg-sec 300",
                Level::Doubtful,
                "a question lasts 150 s",
            ),
            ("script-security 2", "script-security 2\nuser nobody", Level::Bad, "server.conf:2: user nobody"),
            ("script-security 2", "script-security 2\nchroot /x", Level::Bad, "chroot /x"),
            ("script-security 2", "script-security 2\ntmp-dir /nowhere", Level::Bad, "no directory /nowhere"),
            (
                "script-security 2",
                "script-security 2\nplugin /x/openvpn-plugin-auth-pam.so openvpn",
                Level::Bad,
                "decides about logins too",
            ),
        ] {
            let changed = good().replacen(from, to, 1);
            let all = found(&changed, &Settings::default());
            let hit = all.iter().any(|(found, what)| *found == level && what.contains(text));
            assert!(hit, "{to:?}: {text:?} not in {all:#?}");
        }
    }
}

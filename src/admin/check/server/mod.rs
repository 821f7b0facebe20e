//! What OpenVPN's configuration says against what this program needs.

mod hooks;
mod names;
mod rights;
mod tokens;

pub(super) use hooks::Hook;

use super::finding::Findings;
use super::server_conf::ServerConf;
use crate::config::Settings;
use std::path::Path;

/// Plugins that decide about logins, by a part of their name.
const DECIDING: [&str; 9] =
    ["auth-pam", "duo", "openvpn-otp", "ldap", "radius", "google", "oauth2", "authy", "auth-script"];

/// Plugins that do not.
const HARMLESS: [&str; 1] = ["down-root"];

/// Looks at what depends on the settings that the hooks have.
pub(super) fn look(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    tokens::look(conf, settings, findings);
    rights::look(conf, settings, findings);
    names::look(conf, settings, findings);
    keys_in_the_log(conf, settings, findings);
}

/// The level from which on OpenVPN logs what it sends to a client, a question with the key of a new token among it
/// (`D_PUSH` in errlevel.h).
const LOGS_QUESTIONS: u32 = 3;

/// `verb`, where users set up their own tokens.
fn keys_in_the_log(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let Some(line) = conf.last("verb").filter(|_| settings.totp.self_enroll) else { return };
    if line.value().parse().is_ok_and(|level: u32| level >= LOGS_QUESTIONS) {
        findings.at(&line.place).doubtful(
            "OpenVPN logs the keys of the tokens that users set up ([totp] self_enroll)",
            format!("verb {}", LOGS_QUESTIONS - 1),
        );
    }
}

/// Looks at what does not depend on settings. `program` is the executable that should be in the hooks.
pub(super) fn look_at_lines(conf: &ServerConf, program: &Path, findings: &mut Findings) {
    for fault in &conf.faults {
        findings
            .at(&fault.place)
            .bad(format!("{}: OpenVPN does not start", fault.text), "openvpn --config FILE says the same");
    }
    hooks::writable(conf, findings);
    hooks::look(conf, program, findings);
    others(conf, findings);
}

/// Whoever else decides about logins.
fn others(conf: &ServerConf, findings: &mut Findings) {
    for line in conf.all("plugin") {
        let plugin = line.value();
        let file = Path::new(plugin)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let is_one_of = |names: &[&str]| names.iter().any(|name| file.contains(name));
        let take_out = format!("take the line out: {}", line.words.join(" "));
        if is_one_of(&DECIDING) {
            findings.at(&line.place).bad(
                format!("{plugin} decides about logins too, and both have to agree"),
                format!("{take_out}\n(this program asks PAM itself)"),
            );
        } else if !is_one_of(&HARMLESS) {
            findings.at(&line.place).doubtful(
                format!("{plugin} is not known here; if it decides about logins, both have to agree"),
                take_out,
            );
        }
    }
    if let Some(line) = conf.last("management-client-auth") {
        findings.at(&line.place).bad(
            "whoever is at the management interface decides about logins too, and both have to agree",
            "take the line out: management-client-auth",
        );
    }
}

#[cfg(test)]
mod tests;

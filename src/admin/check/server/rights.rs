//! What hooks may do: user, root directory, temporary files.

use super::super::finding::Findings;
use super::super::pam;
use super::super::server_conf::ServerConf;
use crate::config::{Primary, Settings};
use nix::unistd::User;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where OpenVPN puts passwords for hooks, if nothing else is said.
const TMP_DIR: &str = "/tmp";

pub(super) fn look(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    user(conf, settings, findings);
    root(conf, findings);
    temporary(conf, findings);
}

fn user(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let Some(line) = conf.last("user") else { return };
    let name = line.value();
    let account = User::from_name(name).ok().flatten();
    let Some(account) = account else {
        let text = format!("there is no user {name}, and OpenVPN does not start");
        return findings.at(&line.place).bad(text, format!("take the line out: user {name}"));
    };
    if account.uid.is_root() {
        return;
    }
    let take_out = format!("take the line out: user {name}");
    let unix = settings.auth.primary == Primary::Pam && pam::asks(&settings.pam.service, "pam_unix");
    if unix {
        findings.at(&line.place).bad(
            format!("user {name}: hooks then can read neither the database nor what pam_unix needs"),
            take_out,
        );
    } else {
        findings.at(&line.place).doubtful(
            format!("user {name}: the database and its directory must belong to {name}, and {name} must be able to read the settings"),
            format!("{take_out}\nor see what {name} can do: openvpn-2fa check --as-openvpn"),
        );
    }
}

fn root(conf: &ServerConf, findings: &mut Findings) {
    let Some(line) = conf.last("chroot") else { return };
    findings.at(&line.place).bad(
        format!(
            "chroot {}: hooks are started in there, where neither this program nor PAM, database and settings are",
            line.value()
        ),
        format!("take the line out: chroot {}", line.value()),
    );
}

/// OpenVPN writes passwords and codes there for the hooks.
fn temporary(conf: &ServerConf, findings: &mut Findings) {
    let line = conf.last("tmp-dir");
    let directory = line.map_or_else(|| Path::new(TMP_DIR).to_owned(), |line| conf.resolve(line.value()));
    let place = line.map_or_else(|| conf.place(), |line| line.place.clone());
    let remedy = "take tmp-dir out, or make the directory for OpenVPN's user alone";
    match std::fs::metadata(&directory) {
        Ok(state) if state.is_dir() => {
            let mode = state.permissions().mode();
            if mode & 0o022 != 0 && mode & 0o1000 == 0 {
                findings.at(&place).bad(
                    format!("others can change what OpenVPN hands to hooks in {}", directory.display()),
                    format!("chmod 0700 {}", directory.display()),
                );
            }
        }
        _ => findings.at(&place).bad(
            format!("there is no directory {}, and OpenVPN does not start", directory.display()),
            remedy,
        ),
    }
}

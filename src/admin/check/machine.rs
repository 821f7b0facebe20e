//! The machine: clock, OpenVPN's version, the limits of its unit.

use super::finding::Findings;
use super::server_conf::ServerConf;
use crate::config::Settings;
use std::path::Path;
use std::process::{Command, Stdio};

/// The oldest OpenVPN whose deferred verdicts work.
const OLDEST: [u64; 3] = [2, 6, 2];

/// Tasks that OpenVPN and the front of one hook take besides the workers.
const OTHER_TASKS: u64 = 2;

/// What a program prints, if there is such a program and it does.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the clock is kept right: codes depend on it.
pub(super) fn clock(findings: &mut Findings) {
    let shown = printed("timedatectl", &["show", "--property=NTPSynchronized", "--value"]);
    match shown.as_deref().map(str::trim) {
        Some("yes") => findings.good("the clock is synchronised"),
        Some("no") => findings.doubtful(
            "the clock is not synchronised; codes fit for half a minute either way only",
            "timedatectl set-ntp true, or install chrony",
        ),
        _ => findings.doubtful(
            "whether the clock is synchronised cannot be seen here (no timedatectl)",
            "compare it with another clock: date -u",
        ),
    }
}

pub(super) fn openvpn(findings: &mut Findings) {
    let version = ["openvpn", "/usr/sbin/openvpn", "/usr/local/sbin/openvpn"]
        .iter()
        .find_map(|program| version_in(&printed(program, &["--version"])?));
    let Some(version) = version else {
        return findings.doubtful("there is no openvpn here", "apt-get install openvpn");
    };
    let text = version.map(|number| number.to_string()).join(".");
    if version < OLDEST {
        findings.bad(
            format!("OpenVPN {text} is too old: verdicts that come later work from 2.6.2 on"),
            "install a newer one",
        );
    } else {
        findings.good(format!("OpenVPN {text}"));
    }
}

/// The version in the first line of `openvpn --version`: `OpenVPN 2.6.14 x86_64-pc-linux-gnu …`, `OpenVPN 2.7_rc1 …`.
fn version_in(text: &str) -> Option<[u64; 3]> {
    let number = text.strip_prefix("OpenVPN ")?.split_whitespace().next()?;
    let mut parts = number.split(['.', '_', '-']).map(|part| part.parse().unwrap_or(0));
    Some([parts.next()?, parts.next()?, parts.next().unwrap_or(0)])
}

/// Whether the unit of a server allows as many tasks as workers may wait.
pub(super) fn unit(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let Some(unit) = unit_of(&conf.path) else { return };
    let shown = |property: &str| {
        let text = printed("systemctl", &["show", &unit, &format!("--property={property}"), "--value"])?;
        text.trim().parse::<u64>().ok()
    };
    let needed = settings.worker.max.get() * 2 + OTHER_TASKS;
    let root = conf.last("user").is_none_or(|line| line.words.get(1).is_some_and(|name| name == "root"));
    for (property, binds) in [("TasksMax", true), ("LimitNPROC", !root)] {
        match shown(property) {
            Some(limit) if binds && limit < needed => findings.bad(
                format!(
                    "{unit}: {property}={limit}, and [worker] max = {} may need {needed}: OpenVPN ends when it can \
                     start no hook",
                    settings.worker.max.get()
                ),
                "install the drop-in in contrib/systemd, or lower [worker] max",
            ),
            Some(limit) if binds => findings.good(format!("{unit}: {property}={limit}")),
            _ => {}
        }
    }
}

/// The unit that starts a configuration in one of the usual places.
fn unit_of(conf: &Path) -> Option<String> {
    let name = conf.file_stem()?.to_str()?;
    match conf.parent()?.to_str()? {
        "/etc/openvpn/server" => Some(format!("openvpn-server@{name}.service")),
        "/etc/openvpn" => Some(format!("openvpn@{name}.service")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_openvpn_prints() {
        for (text, version) in [
            ("OpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)]", Some([2, 6, 14])),
            ("OpenVPN 2.7_rc1 x", Some([2, 7, 0])),
            ("OpenVPN 2.6.0 x", Some([2, 6, 0])),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(version_in(text), version, "{text}");
        }
    }

    #[test]
    fn units_are_known_by_the_place_of_their_configuration() {
        let unit = |path| unit_of(Path::new(path));
        assert_eq!(unit("/etc/openvpn/server/a.conf").as_deref(), Some("openvpn-server@a.service"));
        assert_eq!(unit("/etc/openvpn/a.conf").as_deref(), Some("openvpn@a.service"));
        assert_eq!(unit("/tmp/a.conf"), None);
    }
}

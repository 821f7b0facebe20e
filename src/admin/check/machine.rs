//! The machine: clock and OpenVPN's version.

use super::finding::Findings;
use std::process::{Command, Stdio};

/// The oldest OpenVPN whose deferred verdicts work.
const OLDEST: [u64; 3] = [2, 6, 2];

/// What a program prints, if there is such a program and it does.
pub(super) fn printed(program: &str, arguments: &[&str]) -> Option<String> {
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
    match synchronised() {
        Some(true) => findings.good("the clock is synchronised"),
        Some(false) => findings.doubtful(
            "the clock is not synchronised; codes fit for half a minute either way only",
            "timedatectl set-ntp true, or install chrony",
        ),
        None => findings.doubtful(
            "whether the clock is synchronised cannot be seen here (neither timedatectl nor chronyc says)",
            "compare it with another clock: date -u",
        ),
    }
}

/// What systemd says, or chrony. `None` where neither does.
fn synchronised() -> Option<bool> {
    let systemd = printed("timedatectl", &["show", "--property=NTPSynchronized", "--value"]);
    match systemd.as_deref().map(str::trim) {
        Some("yes") => return Some(true),
        Some("no") => return Some(false),
        _ => {}
    }
    let chrony = printed("chronyc", &["-n", "tracking"])?;
    let state = chrony.lines().find_map(|line| line.strip_prefix("Leap status"))?;
    Some(!state.contains("Not synchronised"))
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
}

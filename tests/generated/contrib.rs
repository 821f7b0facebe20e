//! What other programs read of `contrib` is as they want it.

use super::place;
use std::process::{Command, Output};

fn ran(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs what tests need"))
}

/// Compiled and not loaded: the kernel need not have `AppArmor`.
#[test]
#[ignore = "needs apparmor_parser, of the package apparmor"]
fn the_apparmor_profile_is_one() {
    let profile = place("contrib/apparmor/usr.local.bin.openvpn-2fa");
    let parser = |options: &[&str]| {
        let output = ran(Command::new("apparmor_parser")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .args(["--skip-kernel-load", "--skip-cache"])
            .args(options)
            .arg(&profile));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    parser(&[]);
    assert_eq!(parser(&["--names"]), "openvpn-2fa\nopenvpn-2fa//helper\nopenvpn-2fa//look\n");
}

/// Beside a unit like Debian's, as it would be installed.
#[test]
#[ignore = "needs systemd-analyze, of the package systemd"]
fn the_drop_in_is_one() {
    let root = tempfile::tempdir().unwrap();
    let unit = root.path().join("openvpn-server@site.service");
    let drop_ins = root.path().join("openvpn-server@site.service.d");
    std::fs::create_dir(&drop_ins).unwrap();
    std::fs::write(&unit, "[Service]\nType=notify\nExecStart=/bin/true\nLimitNPROC=10\n").unwrap();
    let drop_in = place("contrib/systemd/openvpn-server@.service.d/openvpn-2fa.conf");
    let verified = |content: &str| {
        std::fs::write(drop_ins.join("openvpn-2fa.conf"), content).unwrap();
        let output = ran(Command::new("systemd-analyze")
            .env("SYSTEMD_UNIT_PATH", format!("{}:", root.path().display()))
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(&unit));
        // What it only doubts leaves the status as it is.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours = |line: &&str| line.contains("openvpn-2fa.conf");
        (output.status.success(), said.lines().filter(ours).map(str::to_owned).collect::<Vec<_>>())
    };
    let content = std::fs::read_to_string(drop_in).unwrap();
    assert_eq!(verified(&content), (true, Vec::new()));
    // The instrument: a word that systemd does not know.
    assert!(!verified(&content.replace("TasksMax", "TaskMax")).1.is_empty());
}

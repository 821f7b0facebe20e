//! `check --as-openvpn`: tried as somebody else. Root only.

use super::{Finding, fake, findings, found, good, the};
use crate::support::{PROGRAM, Site, chmod, run};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user that hooks often run as.
const NOBODY: u32 = 65_534;

/// A copy of the program at a site, where everybody can start it.
fn copy(site: &Site) -> PathBuf {
    let copy = site.path("openvpn-2fa");
    // By a process of its own: a program that this one writes cannot be started while any copy of this process, on its way to
    // starting another one, has it open.
    assert!(Command::new("cp").arg(PROGRAM).arg(&copy).status().unwrap().success());
    chmod(&copy, 0o755);
    copy
}

fn give(path: &Path, owner: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
}

/// What a copy of the program finds, with these lines in the server's configuration.
fn tried(site: &Site, lines: &str) -> Vec<Finding> {
    let copy = copy(site);
    let conf = site.path("server.conf");
    let text = good().replace(PROGRAM, copy.to_str().unwrap());
    std::fs::write(&conf, format!("{text}tmp-dir {}\n{lines}", site.tmp().display())).unwrap();
    let mut command = Command::new(copy);
    command.env_clear().arg("--config").arg(site.config()).args([
        "check",
        "--json",
        "--as-openvpn",
        "--server-conf",
    ]);
    findings(&run(command.arg(conf)))
}

#[test]
#[ignore = "needs root, to be somebody else"]
fn nobody_cannot_do_what_root_can_and_each_thing_is_told() {
    let site = Site::new();
    site.enroll("alice");
    let all = tried(&site, "user nobody\ngroup nogroup\n");
    let one = the(&all, "fail", "as-openvpn", "nobody (uid 65534, group nogroup) cannot start this program");
    assert!(one.remedy.as_ref().unwrap().contains("chmod 0755"), "{one:?}");

    chmod(&site.path("."), 0o755);
    let all = tried(&site, "user nobody\ngroup nogroup\n");
    the(&all, "ok", "as-openvpn", "hooks run as nobody (uid 65534, group nogroup)");
    the(&all, "ok", "as-openvpn", "the settings can be read");
    let database = the(&all, "fail", "as-openvpn", "Permission denied");
    assert!(database.remedy.as_ref().unwrap().contains("must belong to nobody"), "{database:?}");
    the(&all, "fail", "as-openvpn", "OpenVPN cannot write what it hands to hooks");
    the(&all, "look", "as-openvpn", "not tried: a password and a code");
    the(&all, "look", "as-openvpn", "not tried: what a unit of systemd hides");

    for path in [site.path("state"), site.database(), site.tmp()] {
        give(&path, NOBODY);
    }
    let all = tried(&site, "user nobody\ngroup nogroup\n");
    the(&all, "ok", "as-openvpn", "the database can be read and written");
    the(&all, "ok", "as-openvpn", "OpenVPN can write what it hands to hooks");
    assert!(!all.iter().any(|one| one.subject == "as-openvpn" && one.level == "fail"), "{all:#?}");

    // Readable, and not writable.
    let database = site.database();
    let mounted =
        format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}'", site.path("state").display());
    let script = format!("{mounted} && exec \"$0\" \"$@\"");
    let mut command = Command::new("/usr/bin/unshare");
    command.env_clear().args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script]);
    command.arg(site.path("openvpn-2fa")).arg("--config").arg(site.config());
    command.args(["check", "--json", "--as-openvpn", "--server-conf"]).arg(site.path("server.conf"));
    let all = findings(&run(&mut command));
    assert!(
        all.iter().any(|one| one.subject == "as-openvpn" && one.level == "fail"),
        "{}: {all:#?}",
        database.display()
    );

    chmod(&site.config(), 0o600);
    let all = tried(&site, "user nobody\ngroup nogroup\n");
    the(&all, "fail", "as-openvpn", "cannot read the settings file");
}

#[test]
#[ignore = "needs root, to be somebody else"]
fn as_nobody_pam_unix_is_said_to_refuse_everybody() {
    let site = Site::with(&[]);
    chmod(&site.path("."), 0o755);
    site.enroll("alice");
    let all = tried(&site, "user nobody\nsetenv authPrimary pam\nsetenv pamService other\n");
    the(&all, "fail", "as-openvpn", "pam_unix cannot read it");
    let all = tried(&site, "setenv authPrimary pam\nsetenv pamService other\n");
    the(&all, "ok", "as-openvpn", "pam_unix can read it");
}

#[test]
#[ignore = "needs root, to be somebody else"]
fn root_without_the_capabilities_that_the_unit_takes_is_root_all_the_same() {
    let site = Site::new();
    site.enroll("alice");
    let all = tried(&site, "");
    the(&all, "ok", "as-openvpn", "hooks run as root (uid 0, group root)");
    the(&all, "ok", "as-openvpn", "the database can be read and written");
    let all = tried(&site, "user nosuchuser\n");
    the(&all, "fail", "as-openvpn", "there is no user nosuchuser");
}

#[test]
#[ignore = "needs root, to put a configuration where a unit would start it"]
fn where_systemd_runs_it_is_asked_to_try_with_the_properties_of_the_unit() {
    let site = Site::new();
    site.enroll("alice");
    let place = site.path("etc");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("a.conf"), good()).unwrap();
    fake(&site, "systemctl", "printf 'PrivateTmp=yes\\nUser=\\nProtectHome=yes\\nTasksMax=512\\n'");
    let asked = site.path("asked");
    let script = format!(
        "echo \"$@\" > '{}'\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"",
        asked.display()
    );
    let path = fake(&site, "systemd-run", &script);
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/system && mount --bind '{}' /etc/openvpn/server && exec \"$0\" \"$@\"",
        place.display()
    );
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script, PROGRAM]);
    command.arg("--config").arg(site.config()).args(["check", "--json", "--as-openvpn"]);
    let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", path.display());
    let all = findings(&run(command.env_clear().env("PATH", path)));
    the(&all, "ok", "as-openvpn", "tried by systemd, with the properties of openvpn-server@a.service");
    the(&all, "ok", "as-openvpn", "hooks run as root");
    let asked = std::fs::read_to_string(asked).unwrap();
    for word in [
        "--pipe",
        "--wait",
        "--property=PrivateTmp=yes",
        "--property=ProtectHome=yes",
        "--property=TasksMax=512",
    ] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    assert!(!asked.contains("User="), "{asked}");
}

#[test]
fn without_the_option_nothing_is_tried() {
    let all = found(&Site::new(), &good(), |_| ());
    assert!(!all.iter().any(|one| one.subject == "as-openvpn"), "{all:#?}");
}

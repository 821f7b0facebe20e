//! The machine around OpenVPN, with programs of the test's own in place of the machine's; and the terminal.

use super::{fake, found, good, the};
use crate::support::{Site, run};
use std::process::Command;

#[test]
fn an_openvpn_that_is_too_old_is_found() {
    let site = Site::new();
    for (version, level) in [("2.5.9", "fail"), ("2.6.1", "fail"), ("2.6.2", "ok"), ("2.7_rc1", "ok")] {
        let path = fake(&site, "openvpn", &format!("echo 'OpenVPN {version} x86_64-pc-linux-gnu'"));
        let all = found(&site, &good(), |command| {
            command.env("PATH", path);
        });
        the(&all, level, "openvpn", &format!("OpenVPN {version}").replace("_rc1", ".0"));
    }
}

#[test]
fn a_clock_that_nobody_keeps_right_is_found() {
    let site = Site::new();
    let clock = |timedatectl: &str, chronyc: &str, level: &str, text: &str| {
        fake(&site, "timedatectl", timedatectl);
        let path = fake(&site, "chronyc", chronyc);
        let all = found(&site, &good(), |command| {
            command.env("PATH", path);
        });
        the(&all, level, "clock", text);
    };
    clock("echo yes", "exit 1", "ok", "the clock is synchronised");
    clock("echo no", "exit 1", "look", "the clock is not synchronised");
    clock("exit 1", "echo 'Leap status     : Normal'", "ok", "the clock is synchronised");
    clock("exit 1", "echo 'Leap status     : Not synchronised'", "look", "the clock is not synchronised");
    clock("exit 1", "exit 1", "look", "cannot be seen here");
}

#[test]
#[ignore = "needs root, to put a configuration where a unit would start it"]
fn a_unit_that_allows_too_few_tasks_is_found() {
    let site = Site::new();
    site.enroll("alice");
    let place = site.path("etc");
    std::fs::create_dir(&place).unwrap();
    let check = |conf: &str, properties: &str| {
        std::fs::write(place.join("a.conf"), conf).unwrap();
        let script = format!("[ \"$2\" = openvpn-server@a.service ] || exit 1\nprintf '{properties}'");
        let path = fake(&site, "systemctl", &script);
        let script = format!("mount --bind '{}' /etc/openvpn/server && exec \"$0\" \"$@\"", place.display());
        let mut command = Command::new("/usr/bin/unshare");
        command.args([
            "--mount",
            "--propagation",
            "private",
            "/bin/sh",
            "-c",
            &script,
            crate::support::PROGRAM,
        ]);
        command.arg("--config").arg(site.config()).args(["check", "--json"]);
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", path.display());
        super::findings(&run(command.env_clear().env("PATH", path)))
    };
    let all = check(&good(), "TasksMax=10\\nLimitNPROC=5\\nPrivateTmp=yes\\n");
    the(&all, "ok", "unit", "openvpn-server@a.service: TasksMax=10");
    the(&all, "fail", "unit", "PrivateTmp, so hooks do not see the database at /tmp/");
    let all = check(&good(), "TasksMax=9\\n");
    let one = the(&all, "fail", "unit", "TasksMax=9, and [worker] max = 4 may need 10");
    assert!(one.remedy.as_ref().unwrap().starts_with("TasksMax=512"), "{one:?}");
    let all = check(&format!("{}user nobody\n", good()), "LimitNPROC=5\\n");
    the(&all, "fail", "unit", "LimitNPROC=5");
}

/// What a command prints on a terminal.
fn on_a_terminal(site: &Site, variables: &[(&str, &str)]) -> String {
    let line = format!("{} --config {} check", crate::support::PROGRAM, site.config().display());
    let mut script = Command::new("/usr/bin/script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().envs(variables.iter().copied());
    run(&mut script).stdout
}

#[test]
fn colours_are_for_terminals_whose_owner_has_not_said_no() {
    let site = Site::new();
    let shown = on_a_terminal(&site, &[]);
    assert!(shown.contains("\x1b[32mok  \x1b[0m  ") && shown.contains("\x1b[33mlook\x1b[0m  "), "{shown}");
    assert!(on_a_terminal(&site, &[("NO_COLOR", "")]).contains('\x1b'));
    assert!(!on_a_terminal(&site, &[("NO_COLOR", "1")]).contains('\x1b'));
}

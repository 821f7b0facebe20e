//! OpenVPN that is not root, and so its hooks.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{FAILED, Scene, TRY_AGAIN};
use crate::harness::accounts::{UnixUser, pam_service, slow_pam_service};
use crate::harness::enrolment::Enrolment;
use crate::harness::report::Case;
use crate::harness::sandbox;
use crate::harness::server::Server;
use crate::harness::server_builder::Becomes;
use crate::harness::{PATIENCE, eventually};

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_server_that_gives_up_root_lets_in_with_both_factors_only,
        a_server_that_never_was_root_lets_in_with_both_factors_only,
        processes_of_hooks_cannot_be_looked_into_by_their_own_user,
        pam_unix_without_root_is_refused_and_the_log_says_why,
        a_database_of_root_without_root_is_refused_and_the_log_says_why,
        the_rights_that_debians_unit_leaves_are_enough,
    ]
}

const PASSWORD: &str = "Heron-in-the-reeds";

/// A PAM service that needs no root: a program that compares the password with a file of OpenVPN's user, and writes down
/// as whom it ran.
struct PasswordFile {
    service: String,
    ran_as: PathBuf,
}

impl PasswordFile {
    fn new(directory: &Path, user: &UnixUser) -> Self {
        let own = directory.join("passwords");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("alice"), format!("{PASSWORD}\n")).unwrap();
        let script = directory.join("check-password");
        let lines = format!(
            "#!/bin/sh\nid -un >> {0}/ran-as\ntyped=$(tr -d '\\0')\nread -r right < {0}/\"$PAM_USER\" || exit 1\n\
             [ \"$typed\" = \"$right\" ]\n",
            own.display()
        );
        std::fs::write(&script, lines).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let text = own.display().to_string();
        sandbox::run("chmod", ["-R", "go-rwx", &text]);
        sandbox::run("chown", ["-R", &user.name, &text]);
        let service = pam_service(&format!(
            "auth required pam_exec.so quiet expose_authtok {}\naccount required pam_permit.so\n",
            script.display()
        ));
        Self { service, ran_as: own.join("ran-as") }
    }
}

/// Logs in by each kind of question, and does not with a wrong password, a wrong code or a code that was used.
fn lets_in_with_both_factors_only(becomes: Becomes) {
    let user = UnixUser::new();
    let builder = Server::builder().run_by(&user.name, becomes);
    let passwords = PasswordFile::new(builder.directory(), &user);
    let server = builder.set("pam", "service", passwords.service.as_str()).start();
    let enrolment = server.enroll("alice");

    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1("alice", "wrong", &enrolment.code()).expect_refusal(FAILED);
    let mut client = server.client().start();
    let question =
        client.log_in_by_crv1("alice", PASSWORD, &enrolment.wrong_code()).expect_question(TRY_AGAIN);
    server.let_nobody_in();
    let code = enrolment.code();
    client.answer(&question, &code);
    client.reply().expect_connected();
    assert!(client.reaches_the_server());
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1("alice", PASSWORD, &code).expect_refused();
    let mut client = server.client().crtext().start();
    client.log_in_by_crtext("alice", PASSWORD, &enrolment.next_code()).expect_connected();

    // The commands of root in between have left nothing that the hooks could not open.
    for arguments in [&["list"][..], &["enroll", "bob"], &["delete", "--yes", "bob"], &["unlock", "alice"]] {
        let output = server.administer(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let ran_as = std::fs::read_to_string(&passwords.ran_as).unwrap();
    assert!(ran_as.lines().count() >= 4 && ran_as.lines().all(|name| name == user.name), "{ran_as}");
    let owner = sandbox::run("id", ["-u", &user.name]).trim().parse::<u32>().unwrap();
    for entry in std::fs::read_dir(server.database().parent().unwrap()).unwrap() {
        let (path, state) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        assert_eq!((state.uid(), state.mode() & 0o777), (owner, 0o600), "{}", path.display());
    }
}

fn a_server_that_gives_up_root_lets_in_with_both_factors_only() {
    lets_in_with_both_factors_only(Becomes::Later);
}

fn a_server_that_never_was_root_lets_in_with_both_factors_only() {
    lets_in_with_both_factors_only(Becomes::Before);
}

/// `unix_chkpwd`, which is root's, tells nobody whether the password of another user is right.
fn pam_unix_without_root_is_refused_and_the_log_says_why() {
    let openvpn = UnixUser::new();
    let server = Server::builder().run_by(&openvpn.name, Becomes::Later).start();
    let user = UnixUser::new();
    let enrolment = server.enroll(&user.name);
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_refusal(FAILED);
    server.let_nobody_in();
    let line = server.wait_for_log("the decision", |line| line.contains("reason=primary-denied"));
    assert!(line.contains("pam_unix can check nobody's password but that of the user it runs as"), "{line}");
}

fn a_database_of_root_without_root_is_refused_and_the_log_says_why() {
    let user = UnixUser::new();
    let builder = Server::builder().run_by(&user.name, Becomes::Later);
    let passwords = PasswordFile::new(builder.directory(), &user);
    let server = builder.set("pam", "service", passwords.service.as_str()).start();
    let state = server.database().parent().unwrap().display().to_string();
    sandbox::run("chown", ["root", &state]);
    let enrolment = Enrolment::new(&server.database(), "alice", &[], &[]);
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1("alice", PASSWORD, &enrolment.code()).expect_refused();
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains("tokens.sqlite3") && log.contains("Permission denied"), "{log}");
}

/// They hold passwords: no core dump, no debugger of the same user. Programs that modules start are their own affair.
fn processes_of_hooks_cannot_be_looked_into_by_their_own_user() {
    let user = UnixUser::new();
    let service = slow_pam_service(5);
    let builder = Server::builder().run_by(&user.name, Becomes::Later);
    let server = builder.set("pam", "service", service.as_str()).start();
    server.enroll("alice");
    let mut client = server.client().crtext().start();
    client.log_in("alice", PASSWORD);
    let name = |id: &i32| std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    let processes = eventually("worker, PAM's process and its program", PATIENCE, || {
        let processes = server.hook_processes();
        let are_there = processes.iter().any(|id| name(id) == "sleep\n");
        are_there.then_some(processes)
    });
    let is_readable = |id: i32| {
        let mut reader = Command::new("setpriv");
        reader.args(["--reuid", &user.name, "--regid", "nogroup", "--clear-groups", "cat"]);
        reader.arg(format!("/proc/{id}/environ")).output().unwrap().status.success()
    };
    let mut looked_at = 0;
    for id in processes {
        if name(&id) == "sleep\n" {
            assert!(is_readable(id), "the instrument: a process that does not protect itself");
        } else if name(&id) == "openvpn-2fa\n" {
            looked_at += 1;
            assert!(!is_readable(id), "process {id} can be looked into");
            let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
            let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "core dumps");
        }
    }
    // The front, too, where it has not gone on yet.
    assert!(looked_at >= 2, "worker and PAM's process");
}

/// `openvpn-server@.service` of Debian 12 and 13, and `NoNewPrivileges` on top of it.
fn the_rights_that_debians_unit_leaves_are_enough() {
    let script = "exec setpriv --no-new-privs --bounding-set -all,+ipc_lock,+net_admin,+net_bind_service,+net_raw,\
                  +setgid,+setuid,+setpcap,+sys_chroot,+dac_override,+audit_write openvpn --config \"$1\"";
    let Scene { server, user, enrolment } = Scene::with(Server::builder().mounts(script));
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, "wrong", &enrolment.code()).expect_refusal(FAILED);
    let expired = UnixUser::new();
    let theirs = server.enroll(&expired.name);
    expired.expire_account();
    client.log_in_by_scrv1(&expired.name, &expired.password, &theirs.code()).expect_refusal(FAILED);
    server.let_nobody_in();
    client.log_in_by_scrv1(&user.name, &user.password, &enrolment.code()).expect_connected();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1") && !status.contains("CapBnd:\t000001ffffffffff"), "{status}");
}

//! Real Unix users and PAM services, in the sandbox's copy of `/etc`.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::sandbox;

/// `useradd` and the like do not wait for each other's lock on `/etc/passwd`.
static PASSWD: Mutex<()> = Mutex::new(());
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A Unix user that nobody else uses, with a yescrypt password.
#[derive(Clone, Debug)]
pub(crate) struct UnixUser {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl UnixUser {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::with_password(&format!("Zebra-{number}-crossing"))
    }

    pub(crate) fn with_password(password: &str) -> Self {
        let name = format!("user{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let _one_at_a_time = PASSWD.lock().unwrap();
        sandbox::run("useradd", ["-M", "-N", "-s", "/usr/sbin/nologin", &name]);
        let mut chpasswd =
            Command::new("chpasswd").args(["-c", "YESCRYPT"]).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(chpasswd.stdin.take().unwrap(), "{name}:{password}").unwrap();
        assert!(chpasswd.wait().unwrap().success(), "chpasswd failed for {name}");
        let shadow = std::fs::read_to_string("/etc/shadow").unwrap();
        assert!(shadow.contains(&format!("\n{name}:$y$")), "{name} has no yescrypt password");
        Self { name, password: password.into() }
    }

    /// The account phase of PAM refuses the user from now on.
    pub(crate) fn expire_account(&self) {
        let _one_at_a_time = PASSWD.lock().unwrap();
        sandbox::run("chage", ["-E", "1", &self.name]);
    }

    /// Makes a group of the user's own, and the user a member of it.
    pub(crate) fn join(&self, group: &str) {
        let _one_at_a_time = PASSWD.lock().unwrap();
        let mut groups = std::fs::OpenOptions::new().append(true).open("/etc/group").unwrap();
        // Not by groupadd, which knows no blanks; directories do.
        writeln!(groups, "{group}:x:{}:{}", 40_000 + NEXT.fetch_add(1, Ordering::Relaxed), self.name)
            .unwrap();
    }

    /// No password is right from now on.
    pub(crate) fn lock_password(&self) {
        let _one_at_a_time = PASSWD.lock().unwrap();
        sandbox::run("usermod", ["-L", &self.name]);
    }
}

/// Writes a PAM service of the test's own; its name.
pub(crate) fn pam_service(lines: &str) -> String {
    let name = format!("openvpn-test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    std::fs::write(format!("/etc/pam.d/{name}"), lines).unwrap();
    name
}

/// A PAM service that takes `seconds` before it looks at the password.
pub(crate) fn slow_pam_service(seconds: u32) -> String {
    pam_service(&format!(
        "auth required pam_exec.so quiet /bin/sleep {seconds}\n\
         auth required pam_unix.so\n\
         account required pam_unix.so\n"
    ))
}

/// A PAM service that checks nothing: every name and password is right.
pub(crate) fn permissive_pam_service() -> String {
    pam_service("auth required pam_permit.so\naccount required pam_permit.so\n")
}

/// A PAM service that writes down what it was asked.
pub(crate) struct RecordingPam {
    pub(crate) service: String,
    record: PathBuf,
}

impl RecordingPam {
    /// Its files go to `directory`.
    pub(crate) fn new(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let (script, record) = (directory.join("record-pam"), directory.join("pam.record"));
        let line = "PAM_TYPE=$PAM_TYPE PAM_USER=$PAM_USER PAM_RHOST=$PAM_RHOST PAM_TTY=$PAM_TTY";
        std::fs::write(&script, format!("#!/bin/sh\necho \"{line}\" >> {}\n", record.display())).unwrap();
        std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let script = script.display();
        let service = pam_service(&format!(
            "auth required pam_exec.so quiet {script}\n\
             auth required pam_unix.so\n\
             account required pam_exec.so quiet {script}\n\
             account required pam_unix.so\n"
        ));
        Self { service, record }
    }

    /// The calls so far, one line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        let record = std::fs::read_to_string(&self.record).unwrap_or_default();
        record.lines().map(String::from).collect()
    }
}

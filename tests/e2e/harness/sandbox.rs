//! A throw-away machine: namespaces in which users, PAM services, networks and mounts vanish with the run.
//!
//! The test binary starts itself again inside new mount, network and process namespaces:
//!
//! * *outside* (what cargo started) looks whether the tests can run here at all, and holds a pipe to the inside;
//! * *init* is process 1 of the namespace: mounts, starts the tests, reaps. It exits when the tests have
//!   ended or the pipe closes, and the kernel then kills whatever is left. So Ctrl-C or `kill -9` on the
//!   outside leaves nothing behind;
//! * *tests* runs the trials.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// Says what a copy of this binary is to be.
const ROLE: &str = "OPENVPN_2FA_E2E_ROLE";

/// Inside: everything the tests write. A tmpfs of the sandbox.
const ROOT: &str = "/run/e2e";

const UNSHARE: [&str; 7] =
    ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"];

/// Nothing here outlives the mount namespace. `/dev` is a small one of our own, so that no `/dev/log` of the
/// machine takes the product's log lines away from the server's log.
const PREPARE: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/etc /run/dev/net /run/dev/pts /run/dev/shm /run/lock /run/netns /run/e2e
cp -a /etc/. /run/etc
mount --bind /run/etc /etc
for node in null zero full random urandom tty net/tun; do
    touch "/run/dev/$node"
    mount --bind "/dev/$node" "/run/dev/$node"
done
ln -s /proc/self/fd /run/dev/fd
ln -s fd/0 /run/dev/stdin
ln -s fd/1 /run/dev/stdout
ln -s fd/2 /run/dev/stderr
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
mount --rbind /run/dev /dev
ip link set lo up
cat > /etc/pam.d/openvpn <<'END'
auth    required pam_unix.so
account required pam_unix.so
END
"#;

/// Shows that a server could be started: a network namespace and a tun device in it.
const PROBE: &str = r"
ip netns add probe
ip netns exec probe openvpn --mktun --dev tun9 >/dev/null
";

/// Which process of a run this is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Outside,
    Init,
    Tests,
    /// Answers UDP datagrams at the server's end of the tunnels.
    Echo,
    /// Sends UDP datagrams through a tunnel and notes when they come back.
    Pinger,
}

impl Role {
    pub(crate) fn of_this_process() -> Self {
        match std::env::var(ROLE).as_deref() {
            Ok("init") => Self::Init,
            Ok("tests") => Self::Tests,
            Ok("echo") => Self::Echo,
            Ok("pinger") => Self::Pinger,
            _ => Self::Outside,
        }
    }

    /// Turns `command`, which starts this very binary, into this role.
    pub(crate) fn give_to(self, command: &mut Command) -> &mut Command {
        let name = match self {
            Self::Outside => return command.env_remove(ROLE),
            Self::Init => "init",
            Self::Tests => "tests",
            Self::Echo => "echo",
            Self::Pinger => "pinger",
        };
        command.env(ROLE, name)
    }
}

/// The directory of this run, inside the sandbox unless `OPENVPN_2FA_E2E_KEEP` names one that stays.
pub(crate) fn root() -> PathBuf {
    std::env::var_os("OPENVPN_2FA_E2E_KEEP").map_or_else(|| PathBuf::from(ROOT), PathBuf::from)
}

/// This binary, for starting it in another role.
pub(crate) fn this_binary() -> PathBuf {
    std::env::current_exe().expect("/proc/self/exe can be read")
}

/// One sentence why the end-to-end tests cannot run on this machine, or `None` when they can.
pub(crate) fn why_not() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("they need root, for namespaces, tun devices and Unix users of their own.".into());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun.".into());
    }
    let programs = [
        "unshare", "mount", "ip", "openvpn", "openssl", "oathtool", "useradd", "chpasswd", "chage", "usermod",
    ];
    let missing: Vec<&str> = programs.into_iter().filter(|program| !in_path(program)).collect();
    if !missing.is_empty() {
        return Some(format!("these programs are missing: {}.", missing.join(", ")));
    }
    let probe = Command::new("unshare")
        .args(UNSHARE)
        .args(["sh", "-c", &format!("{PREPARE}{PROBE}")])
        .stdin(Stdio::null())
        .output();
    match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "namespaces, mounts or tun devices cannot be made here: {}",
            String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")
        )),
        Err(error) => Some(format!("unshare cannot be started: {error}.")),
    }
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Outside: runs this binary's tests in a new sandbox, to their end.
pub(crate) fn enter() -> ExitCode {
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(this_binary()).args(std::env::args_os().skip(1)).stdin(Stdio::piped());
    let mut child = Role::Init.give_to(&mut command).spawn().expect("unshare starts");
    // `wait` would close the pipe first, which is the signal to end.
    let pipe = child.stdin.take();
    let status = child.wait().expect("a child can be waited for");
    drop(pipe);
    code_of(status)
}

/// Process 1 of the sandbox.
pub(crate) fn init() -> ExitCode {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        let _closed = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(130);
    });
    let prepared = Command::new("sh").args(["-c", PREPARE]).stdin(Stdio::null()).status();
    if !prepared.is_ok_and(|status| status.success()) {
        eprintln!("the sandbox of the end-to-end tests could not be prepared");
        return ExitCode::FAILURE;
    }
    let mut command = Command::new(this_binary());
    command.args(std::env::args_os().skip(1)).stdin(Stdio::null());
    #[expect(clippy::zombie_processes, reason = "the loop below waits for everybody")]
    let tests = Role::Tests.give_to(&mut command).spawn().expect("this binary starts once more");
    let tests = rustix::process::Pid::from_child(&tests);
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == tests => {
                return code_of(ExitStatus::from_raw(status.as_raw()));
            }
            // Orphans of the servers' hooks.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("process 1 of the sandbox cannot wait: {error}"),
        }
    }
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Runs a program that must succeed; its standard output.
///
/// # Panics
/// When it fails, with what it said.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! `check --as-openvpn`: what the hooks of a server could do, tried as the user and in the sandbox that they would have.
//!
//! Where systemd runs, it starts the trial with the properties of the server's unit; elsewhere a child of this process puts
//! off what OpenVPN puts off. Either way a process of this program is at the end of it, which looks and writes what it found
//! to its standard output.

mod privileges;
mod probe;

pub(in crate::admin) use probe::run as run_probe;

use super::finding::{Finding, Findings};
use super::server_conf::ServerConf;
use super::unit::Unit;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The hidden command of the process that looks.
const COMMAND: &str = "check-as";

/// There when systemd is the init process (`sd_booted`(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// The properties of a unit that decide what its processes can do, and that `systemd-run` takes as `systemctl` shows them.
const PROPERTIES: [&str; 23] = [
    "User",
    "Group",
    "SupplementaryGroups",
    "WorkingDirectory",
    "PrivateTmp",
    "PrivateDevices",
    "ProtectSystem",
    "ProtectHome",
    "ProtectKernelTunables",
    "ProtectControlGroups",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "CapabilityBoundingSet",
    "NoNewPrivileges",
    "RestrictAddressFamilies",
    "RestrictSUIDSGID",
    "MemoryDenyWriteExecute",
    "LimitNPROC",
    "LimitNOFILE",
    "TasksMax",
    "MemoryMax",
    "UMask",
];

/// What the process is to look at, on its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Request {
    /// What to put off first.
    privileges: Option<Privileges>,
    /// This program, to be started once more as whoever is left.
    program: PathBuf,
    /// The settings file that the hooks read.
    file: Option<PathBuf>,
    /// `--db` of the hooks.
    database: Option<PathBuf>,
    /// `setenv` of the hooks.
    environment: Vec<(String, String)>,
    /// OpenVPN's `tmp-dir`.
    tmp_dir: PathBuf,
}

/// What OpenVPN puts off before it starts hooks.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Privileges {
    user: Option<String>,
    group: Option<String>,
    /// Whether systemd limits capabilities already.
    limited: Limited,
}

/// Who limits capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Limited {
    /// The unit.
    ByUnit,
    /// The process itself, to those of Debian's units.
    ByProcess,
}

/// Whom and what the hooks of a server would be told.
pub(super) struct Hooks {
    pub(super) file: Option<PathBuf>,
    pub(super) database: Option<PathBuf>,
    pub(super) tmp_dir: PathBuf,
}

/// Tries what the hooks of a server would do.
pub(super) fn look(conf: &ServerConf, hooks: &Hooks, findings: &mut Findings) {
    findings.about("as-openvpn");
    if !rustix::process::geteuid().is_root() {
        return findings.at(&conf.place()).doubtful(
            "not tried as OpenVPN: only root can start something as somebody else",
            "sudo openvpn-2fa check --as-openvpn",
        );
    }
    match try_out(conf, hooks, findings) {
        Ok(found) => findings.all.extend(found),
        Err(error) => {
            let text = format!("what the hooks can do could not be tried: {error:#}");
            findings.at(&conf.place()).bad(text, "the rest of this list still holds");
        }
    }
}

fn try_out(conf: &ServerConf, hooks: &Hooks, findings: &mut Findings) -> anyhow::Result<Vec<Finding>> {
    let program = std::env::current_exe()?;
    let unit = Unit::of(conf, &PROPERTIES).filter(|_| Path::new(SYSTEMD).is_dir());
    let name = |option| conf.last(option).map(|line| line.value().to_owned());
    let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
    let request = Request {
        privileges: Some(Privileges {
            user: name("user"),
            group: name("group"),
            limited: if unit.is_some() { Limited::ByUnit } else { Limited::ByProcess },
        }),
        program: program.clone(),
        file: hooks.file.clone(),
        database: hooks.database.clone(),
        environment: conf.environment().into_iter().map(|(name, value)| (text(name), text(value))).collect(),
        tmp_dir: hooks.tmp_dir.clone(),
    };
    let mut command = if let Some(unit) = &unit {
        findings.at(&conf.place()).good(format!("tried by systemd, with the properties of {}", unit.name));
        by_systemd(unit, &program)
    } else {
        findings.at(&conf.place()).doubtful(
            "not tried: what a unit of systemd hides and limits (PrivateTmp, ProtectHome, ProtectSystem, TasksMax); \
             there is no systemd here, or no unit of this configuration",
            "openvpn-2fa check --as-openvpn where systemd runs, with the configuration in /etc/openvpn/server",
        );
        let mut command = Command::new(&program);
        command.arg(COMMAND);
        command
    };
    ask(&mut command, &request)
}

fn by_systemd(unit: &Unit, program: &Path) -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"]);
    for property in PROPERTIES {
        if let Some(value) = unit.property(property) {
            command.arg(format!("--property={property}={value}"));
        }
    }
    command.arg("--").arg(program).arg(COMMAND);
    command
}

/// Starts a process that looks, and takes what it found.
fn ask(command: &mut Command, request: &Request) -> anyhow::Result<Vec<Finding>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let request = serde_json::to_vec(request)?;
    // One that ends before it has read everything says why on its standard error.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(&request));
    let output = child.wait_with_output()?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        anyhow::anyhow!("{}: {last} ({})", command.get_program().display(), output.status)
    })
}

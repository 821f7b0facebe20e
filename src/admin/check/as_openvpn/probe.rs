//! The process that looks: as whoever it is started.

use super::super::finding::{Finding, Findings, Place};
use super::super::{duo, pam};
use super::{COMMAND, Request, ask, privileges};
use crate::auth::Store;
use crate::config::{self, Factor, Primary, Settings, Sources};
use crate::log;
use crate::random::{Random, SystemRandom};
use crate::store::{Database, DatabaseError};
use nix::unistd::{Group, User};
use rustix::fs::{Mode, OFlags};
use rustix::process::Resource;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

/// The longest request, in bytes: a configuration's `setenv` lines fit well.
const MAX_REQUEST_BYTES: u64 = 4 * 1024 * 1024;

/// Where `pam_unix` finds what passwords are compared with.
const SHADOW: &str = "/etc/shadow";

/// A request on standard input, what was found on standard output.
pub(in crate::admin) fn run() -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_REQUEST_BYTES).read_to_end(&mut bytes)?;
    let request: Request = serde_json::from_slice(&bytes)?;
    let found = match &request.privileges {
        Some(privileges) => match privileges::put_off(privileges) {
            Ok(()) => start_again(&request),
            Err(error) => only(|findings| {
                findings.bad(
                    format!("not tried as OpenVPN: {error}"),
                    "user and group in the server's configuration",
                );
            }),
        },
        None => only(|findings| look(&request, findings)),
    };
    crate::admin::print(&serde_json::to_string(&found)?)
}

fn only(say: impl FnOnce(&mut Findings)) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.about("as-openvpn");
    say(&mut findings);
    findings.all
}

/// Starts this program once more, as OpenVPN would a hook.
fn start_again(request: &Request) -> Vec<Finding> {
    let again = Request { privileges: None, ..request.clone() };
    let mut command = Command::new(&request.program);
    command.arg(COMMAND).env_clear();
    ask(&mut command, &again).unwrap_or_else(|error| {
        only(|findings| {
            let path = request.program.display();
            findings.bad(
                format!("{} cannot start this program: {error:#}", who()),
                format!("chmod 0755 {path}, and a directory that everybody can enter"),
            );
        })
    })
}

fn look(request: &Request, findings: &mut Findings) {
    findings.good(format!("hooks run as {}", who()));
    let text = |word: &String| OsString::from(word);
    let sources = Sources {
        file: request.file.clone(),
        database: request.database.clone(),
        environment: request.environment.iter().map(|(name, value)| (text(name), text(value))).collect(),
    };
    match config::load(&sources) {
        Ok(settings) => {
            findings.good("the settings can be read");
            database(&settings, findings);
            primary(&settings, findings);
            if settings.auth.factor == Factor::Duo || settings.duo.host.is_some() {
                duo::find(&settings, findings);
            }
            limits(&settings, findings);
        }
        Err(error) => {
            findings.bad(error.to_string(), "the file must be readable for them; nobody gets in until then");
        }
    }
    temporary(&request.tmp_dir, findings);
    if log::has_syslog() {
        findings.good("the log can be written (/dev/log)");
    } else {
        findings.doubtful(
            "there is no log daemon to be reached (/dev/log); lines go to OpenVPN's standard error",
            "install one, or look at journalctl -u of OpenVPN's unit",
        );
    }
    findings.doubtful("not tried: a password and a code", "openvpn-2fa check login USER (as root)");
}

/// The database: read, its secrets opened, and held for writing for a moment. Nothing is written.
fn database(settings: &Settings, findings: &mut Findings) {
    let path = &settings.totp.token_db_path;
    let whose = format!("the database must belong to {}: chown -R it and its directory", who_alone());
    let mut database = match Database::open(settings) {
        Ok(database) => database,
        Err(DatabaseError::Missing(_)) if settings.auth.factor == Factor::Duo => {
            return findings.at(&Place::file(path)).doubtful(
                "not tried: there is no database yet",
                "openvpn-2fa set USER --factor duo makes it",
            );
        }
        Err(error) => return findings.bad(error.to_string(), whose),
    };
    if let Err(error) = database.users() {
        return findings.bad(error.to_string(), whose);
    }
    if let Err(error) = database.begin().map(drop) {
        return findings.bad(format!("it can be read, and not written: {error}"), whose);
    }
    findings.at(&Place::file(path)).good("the database can be read and written");
    let key = settings.store.key_file();
    match (database.check_secrets(), key) {
        (Err(error), _) => {
            findings.bad(error.to_string(), format!("the key must be readable for {} alone", who_alone()));
        }
        (Ok(()), Some(key)) => findings.at(&Place::file(&key)).good("the key can be read"),
        (Ok(()), None) => {}
    }
}

fn primary(settings: &Settings, findings: &mut Findings) {
    if settings.auth.primary == Primary::None {
        return;
    }
    pam::find(settings, findings);
    if pam::asks(&settings.pam.service, "pam_unix") {
        match std::fs::File::open(SHADOW) {
            Ok(_) => findings.at(&Place::file(Path::new(SHADOW))).good("pam_unix can read it"),
            Err(error) => findings.at(&Place::file(Path::new(SHADOW))).bad(
                format!("pam_unix cannot read it ({error}), and refuses the passwords of all users"),
                "take user and group out of the server's configuration",
            ),
        }
    }
}

/// Tries to make a file as OpenVPN does for each login.
fn temporary(directory: &Path, findings: &mut Findings) {
    let place = Place::file(directory);
    let Ok(suffix) = SystemRandom.reference() else { return };
    let path = directory.join(format!("openvpn_2fa_check_{suffix}.tmp"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => {
            let _ = std::fs::remove_file(&path);
            findings.at(&place).good("OpenVPN can write what it hands to hooks (tmp-dir)");
        }
        Err(error) => findings.at(&place).bad(
            format!("OpenVPN cannot write what it hands to hooks (tmp-dir): {error}"),
            format!("tmp-dir DIRECTORY, one that belongs to {}", who_alone()),
        ),
    }
}

fn limits(settings: &Settings, findings: &mut Findings) {
    let needed = settings.worker.max.get() * 2;
    let limit = rustix::process::getrlimit(Resource::Nproc).current;
    // Root is not bound by it.
    if let Some(limit) = limit.filter(|&limit| limit < needed && !rustix::process::geteuid().is_root()) {
        findings.bad(
            format!("{} may have {limit} processes, and [worker] max may need {needed}", who_alone()),
            "LimitNPROC= in the unit (the drop-in in contrib/systemd), or lower [worker] max",
        );
    }
}

/// The user that this process runs as.
fn who_alone() -> String {
    let uid = nix::unistd::geteuid();
    User::from_uid(uid).ok().flatten().map_or_else(|| format!("user {uid}"), |user| user.name)
}

/// User and groups of this process, for people.
fn who() -> String {
    let gid = nix::unistd::getegid();
    let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
    format!("{} (uid {}, group {group})", who_alone(), nix::unistd::geteuid())
}

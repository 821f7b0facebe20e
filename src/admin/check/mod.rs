//! `check`: what a login depends on, looked at one thing after the other, each with what to do about it.

mod as_openvpn;
pub(super) mod duo;
mod finding;
pub(super) mod login;
mod machine;
mod pam;
mod server;
mod server_conf;
mod texts;
mod unit;

pub(super) use as_openvpn::run_probe;

use super::terminal;
use crate::cli::{CheckAll, Global};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, ConfigError, Factor, Settings, Sources, Unenrolled};
use crate::openvpn::Environment;
use crate::store::Database;
use finding::{Findings, Level, Place};
use server::Hook;
use server_conf::ServerConf;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Where OpenVPN's units look for configurations.
const CONF_DIRECTORIES: [&str; 2] = ["/etc/openvpn/server", "/etc/openvpn"];

/// Checks everything. Returns whether nothing is wrong.
pub(super) fn run(arguments: &CheckAll, global: &Global, environment: &Environment) -> anyhow::Result<bool> {
    let mut findings = Findings::default();
    findings.about("settings");
    let settings = match load(global.config.clone(), global, environment.variables().to_vec()) {
        Ok(settings) => settings,
        Err(error) => {
            findings.bad(error.to_string(), NOBODY);
            return show(&findings, global);
        }
    };
    match &global.config {
        Some(path) => findings.at(&Place::file(path)).good("the settings can be used"),
        None => findings.good("the settings can be used"),
    }
    texts::find(&settings, &mut findings);
    unenrolled(&settings, None, &mut findings);
    findings.about("database");
    database(&settings, &mut findings);
    findings.about("pam");
    pam::find(&settings, &mut findings);
    findings.about("clock");
    machine::clock(&mut findings);
    findings.about("openvpn");
    machine::openvpn(&mut findings);
    if settings.auth.factor == Factor::Duo || settings.duo.host.is_some() {
        findings.about("duo");
        duo::find(&settings, &mut findings);
    }
    findings.about("server");
    for conf in configurations(&arguments.server_conf, &mut findings) {
        server(&conf, global, &settings, &mut findings)?;
        if arguments.as_openvpn {
            as_openvpn::look(&conf, &hooks_of(&conf, global), &mut findings);
            findings.about("server");
        }
    }
    show(&findings, global)
}

/// Where nothing else is to be done first.
const NOBODY: &str = "nobody gets in until this is mended";

fn load(
    file: Option<PathBuf>,
    global: &Global,
    environment: Vec<(OsString, OsString)>,
) -> Result<Settings, ConfigError> {
    config::load(&Sources { file, database: global.db.clone(), environment })
}

fn show(findings: &Findings, global: &Global) -> anyhow::Result<bool> {
    if global.json {
        super::print_json(&findings.json())?;
    } else {
        super::print(&findings.text(terminal::colours(&io::stdout())))?;
    }
    Ok(findings.level() != Level::Bad)
}

/// The configurations that were named, or those that the units would start.
fn configurations(named: &[PathBuf], findings: &mut Findings) -> Vec<ServerConf> {
    let mut paths = named.to_vec();
    if paths.is_empty() {
        for directory in CONF_DIRECTORIES {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let files = entries.map(|entry| entry.path());
            paths.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "conf")));
        }
        paths.sort();
    }
    let mut confs = Vec::new();
    for path in paths {
        match ServerConf::read(&path) {
            // A client's configuration is no business of ours, unless it was named.
            Ok(conf) if !named.is_empty() || conf.is_server() => confs.push(conf),
            Ok(_) => {}
            Err(why) => findings.at(&Place::file(&path)).bad(why, "name the right file with --server-conf"),
        }
    }
    if confs.is_empty() && named.is_empty() {
        findings.doubtful(
            "no server configuration in /etc/openvpn/server or /etc/openvpn",
            "name it with --server-conf FILE",
        );
    }
    confs
}

/// A server: its lines, and the settings that its hooks have.
fn server(
    conf: &ServerConf,
    global: &Global,
    ours: &Settings,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    server::look_at_lines(conf, &program, findings);
    let theirs = match settings_of(conf, global, findings) {
        Ok(settings) => settings,
        Err(error) => {
            let text = format!("with what its hooks are told: {error}");
            findings.at(&conf.place()).bad(text, NOBODY);
            return Ok(());
        }
    };
    server::look(conf, &theirs, findings);
    elsewhere(conf, ours, &theirs, findings);
    if (theirs.auth.unenrolled, theirs.auth.unenrolled_until)
        != (ours.auth.unenrolled, ours.auth.unenrolled_until)
    {
        unenrolled(&theirs, Some(conf), findings);
    }
    findings.about("unit");
    unit::look(conf, &theirs, findings);
    findings.about("server");
    Ok(())
}

/// Where the hooks of a server look: options in the line, then `setenv`, then what was given here.
fn hooks_of(conf: &ServerConf, global: &Global) -> as_openvpn::Hooks {
    let options = Hook::of_logins(conf).map(|hook| hook.options.global).unwrap_or_default();
    let file = options.config.or_else(|| file_by_setenv(conf)).or_else(|| global.config.clone());
    let tmp_dir = conf.last("tmp-dir").map_or_else(|| "/tmp".into(), |line| conf.resolve(line.value()));
    as_openvpn::Hooks { file, database: options.db.or_else(|| global.db.clone()), tmp_dir }
}

fn file_by_setenv(conf: &ServerConf) -> Option<PathBuf> {
    let environment = conf.environment();
    environment.into_iter().find(|(name, _)| name == config::FILE_VARIABLE).map(|(_, value)| value.into())
}

/// The settings that the hooks of a server have. Says so when they come from another file than `--config` names here.
fn settings_of(conf: &ServerConf, global: &Global, findings: &mut Findings) -> Result<Settings, ConfigError> {
    if let Some(here) = &global.config {
        let theirs = hooks_of(conf, &Global::default()).file;
        let theirs = theirs.unwrap_or_else(|| config::DEFAULT_FILE.into());
        if !same_file(here, &theirs) {
            findings.at(&conf.place()).doubtful(
                format!("its hooks read {}, and not {}", theirs.display(), here.display()),
                format!("setenv {} {}", config::FILE_VARIABLE, here.display()),
            );
        }
    }
    let as_openvpn::Hooks { file, database, .. } = hooks_of(conf, global);
    config::load(&Sources { file, database, environment: conf.environment() })
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

/// The database, its file and its directory, and the key to what is in it.
fn database(settings: &Settings, findings: &mut Findings) {
    let path = &settings.totp.token_db_path;
    let opened = Database::open(settings).map_err(|error| error.to_string()).and_then(|mut database| {
        let users = database.users().map_err(|error| error.to_string())?;
        Ok((database.check_secrets(), users.len()))
    });
    match opened {
        Ok((Err(error), _)) => {
            findings.bad(
                error.to_string(),
                "users whose secrets cannot be read do not get in; openvpn-2fa rekey",
            );
        }
        Ok((Ok(()), 0)) if settings.auth.factor == Factor::Totp => findings
            .at(&Place::file(path))
            .doubtful("nobody is enrolled, so nobody can log in", "openvpn-2fa enroll USER"),
        Ok((Ok(()), users)) => findings.at(&Place::file(path)).good(format!("{users} users")),
        Err(_) if settings.auth.factor == Factor::Duo && !path.exists() => {
            findings.at(&Place::file(path)).good("the first login will make the database");
        }
        Err(error) => findings.bad(error, "until this is mended nobody gets in"),
    }
}

/// Whether users without a second factor get in, and for how long. `conf` has other settings than the rest.
fn unenrolled(settings: &Settings, conf: Option<&ServerConf>, findings: &mut Findings) {
    if settings.auth.unenrolled == Unenrolled::Deny {
        return;
    }
    let findings = match conf {
        Some(conf) => findings.at(&conf.place()),
        None => findings,
    };
    match settings.auth.unenrolled_until {
        None => findings.doubtful(
            "[auth] unenrolled = \"allow\" lets in who has no second factor, for ever",
            "[auth] unenrolled_until = the last day on which that is to be so, such as 2026-12-31",
        ),
        Some(day) if SystemClock.now() >= day.end() => findings.doubtful(
            format!("[auth] unenrolled = \"allow\" held until {day}; now nobody is let in by it"),
            "[auth] unenrolled = \"deny\"",
        ),
        Some(day) => findings
            .good(format!("[auth] unenrolled = \"allow\" lets in who has no second factor, until {day}")),
    }
}

/// Whether the commands in a shell and the hooks of a server use the same database.
fn elsewhere(conf: &ServerConf, ours: &Settings, theirs: &Settings, findings: &mut Findings) {
    let (ours, theirs) = (&ours.totp.token_db_path, &theirs.totp.token_db_path);
    if ours != theirs {
        findings.at(&conf.place()).doubtful(
            format!("its hooks use {}, and the commands {}", theirs.display(), ours.display()),
            format!("openvpn-2fa --db {} \u{2026}, or set it in the settings file", theirs.display()),
        );
    }
}

//! `check`: what a login depends on, looked at one thing after the other, each with what to do about it.

pub(super) mod duo;
mod finding;
mod machine;
mod server;
mod server_conf;

use super::terminal;
use crate::cli::{CheckAll, Global};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Factor, Primary, Settings, Sources, Unenrolled};
use crate::openvpn::Environment;
use crate::store::Database;
use finding::{Findings, Level};
use server_conf::ServerConf;
use std::io;
use std::path::{Path, PathBuf};

/// The longest configuration of OpenVPN's that is read, in bytes.
const MAX_CONF_BYTES: u64 = 1024 * 1024;

/// Where OpenVPN's units look for configurations.
const CONF_DIRECTORIES: [&str; 2] = ["/etc/openvpn/server", "/etc/openvpn"];

/// Checks everything. Returns whether nothing is wrong.
pub(super) fn run(arguments: &CheckAll, global: &Global, environment: &Environment) -> anyhow::Result<bool> {
    let mut findings = Findings::default();
    let settings = match load(global, environment.variables().to_vec()) {
        Ok(settings) => settings,
        Err(error) => {
            findings.bad(error.to_string(), "nobody gets in until this is mended");
            return show(&findings, global);
        }
    };
    match &global.config {
        Some(path) => findings.good(format!("{}: the settings can be used", path.display())),
        None => findings.good("the settings can be used"),
    }
    let program = std::env::current_exe()?;
    let (confs, unreadable) = configurations(&arguments.server_conf);
    for (path, why) in unreadable {
        findings.bad(format!("{}: {why}", path.display()), "name the right file with --server-conf");
    }
    if confs.is_empty() {
        findings.doubtful(
            "no server configuration in /etc/openvpn/server or /etc/openvpn",
            "name it with --server-conf FILE",
        );
    }
    database(&settings, &mut findings);
    primary(&settings, &mut findings);
    unenrolled(&settings, None, &mut findings);
    machine::clock(&mut findings);
    machine::openvpn(&mut findings);
    if settings.auth.factor == Factor::Duo || settings.duo.host.is_some() {
        duo::find(&settings, &mut findings);
    }
    for conf in &confs {
        // What the hooks of this server see: its setenv goes before the file.
        match load(global, conf.environment()) {
            Ok(theirs) => {
                server::look(conf, &program, &theirs, &mut findings);
                elsewhere(conf, &settings, &theirs, &mut findings);
                if (theirs.auth.unenrolled, theirs.auth.unenrolled_until)
                    != (settings.auth.unenrolled, settings.auth.unenrolled_until)
                {
                    unenrolled(&theirs, Some(&conf.path), &mut findings);
                }
                machine::unit(conf, &theirs, &mut findings);
            }
            Err(error) => findings.bad(
                format!("{}: with the setenv lines of this file: {error}", conf.path.display()),
                "nobody gets in until this is mended",
            ),
        }
    }
    show(&findings, global)
}

fn load(
    global: &Global,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
) -> Result<Settings, config::ConfigError> {
    config::load(&Sources { file: global.config.clone(), database: global.db.clone(), environment })
}

fn show(findings: &Findings, global: &Global) -> anyhow::Result<bool> {
    if global.json {
        super::print_json(&findings.json())?;
    } else {
        super::print(&findings.text(terminal::colours(&io::stdout())))?;
    }
    Ok(findings.level() != Level::Bad)
}

/// The configurations that were named, or those that the units would start. And those that cannot be read.
fn configurations(named: &[PathBuf]) -> (Vec<ServerConf>, Vec<(PathBuf, String)>) {
    let mut paths = named.to_vec();
    if paths.is_empty() {
        for directory in CONF_DIRECTORIES {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let files = entries.map(|entry| entry.path());
            paths.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "conf")));
        }
        paths.sort();
    }
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        match read_conf(&path) {
            Ok(text) => {
                let conf = ServerConf::parse(&path, &text);
                // A client's configuration is no business of ours, unless it was named.
                if !named.is_empty() || conf.last("server").is_some() || conf.last("mode").is_some() {
                    read.push(conf);
                }
            }
            Err(why) => unreadable.push((path, why)),
        }
    }
    (read, unreadable)
}

fn read_conf(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_CONF_BYTES {
        return Err(format!("longer than {MAX_CONF_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn database(settings: &Settings, findings: &mut Findings) {
    let path = settings.totp.token_db_path.display();
    let users = Database::open(settings)
        .map_err(|error| error.to_string())
        .and_then(|mut database| database.users().map_err(|error| error.to_string()));
    match users {
        Ok(users) if users.is_empty() && settings.auth.factor == Factor::Totp => findings
            .doubtful(format!("{path}: nobody is enrolled, so nobody can log in"), "openvpn-2fa enroll USER"),
        Ok(users) => findings.good(format!("{path}: {} users", users.len())),
        Err(_) if settings.auth.factor == Factor::Duo && !settings.totp.token_db_path.exists() => {
            findings.good(format!("{path}: the first login will make the database"));
        }
        Err(error) => findings.bad(error, "until this is mended nobody gets in"),
    }
}

fn primary(settings: &Settings, findings: &mut Findings) {
    if settings.auth.primary == Primary::None {
        findings.good("the certificate is the first proof; PAM is not asked");
        return;
    }
    let service = settings.pam.service.as_str();
    let places = ["/etc/pam.d", "/usr/lib/pam.d"];
    match places.iter().map(|place| Path::new(place).join(service)).find(|path| path.exists()) {
        Some(path) => findings.good(format!("{}: the PAM service", path.display())),
        None => findings.bad(
            format!("there is no PAM service {service}, so every password is refused"),
            format!("install -m 0644 contrib/pam.d/openvpn /etc/pam.d/{service}"),
        ),
    }
}

/// Whether users without a second factor get in, and for how long. `conf` has other settings than the rest.
fn unenrolled(settings: &Settings, conf: Option<&Path>, findings: &mut Findings) {
    if settings.auth.unenrolled == Unenrolled::Deny {
        return;
    }
    let place = conf.map_or_else(String::new, |conf| format!("{}: ", conf.display()));
    match settings.auth.unenrolled_until {
        None => findings.doubtful(
            format!("{place}[auth] unenrolled = \"allow\" lets in who has no second factor, for ever"),
            "[auth] unenrolled_until = the last day on which that is to be so, such as 2026-12-31",
        ),
        Some(day) if SystemClock.now() >= day.end() => findings.doubtful(
            format!("{place}[auth] unenrolled = \"allow\" held until {day}; now nobody is let in by it"),
            "[auth] unenrolled = \"deny\"",
        ),
        Some(day) => findings.good(format!(
            "{place}[auth] unenrolled = \"allow\" lets in who has no second factor, until {day}"
        )),
    }
}

/// Whether the commands in a shell and the hooks of a server use the same database.
fn elsewhere(conf: &ServerConf, ours: &Settings, theirs: &Settings, findings: &mut Findings) {
    let (ours, theirs) = (&ours.totp.token_db_path, &theirs.totp.token_db_path);
    if ours != theirs {
        findings.doubtful(
            format!(
                "{}: its hooks use {}, and the commands {}",
                conf.path.display(),
                theirs.display(),
                ours.display()
            ),
            format!("openvpn-2fa --db {} …, or set it in the settings file", theirs.display()),
        );
    }
}

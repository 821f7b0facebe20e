//! The administrator's commands, one file each but for the smallest.
//!
//! Standard output is data, standard error is talk. Exit status: 0 done, 1 failed, 2 wrong usage (clap's).

mod accounts;
mod backup;
mod backup_codes;
mod check;
mod confirm;
mod confirm_code;
mod delete;
mod enroll;
mod export;
mod import;
mod list;
mod log;
mod new_key;
mod qr;
mod rekey;
mod set;
mod show;
mod table;
mod terminal;

use crate::auth::{UserState, is_locked};
use crate::cli::{Check, CheckOne, Cli, Command, Global};
use crate::clock::{self, Clock, SystemClock, UnixTime};
use crate::config::{self, Factor, Settings, Sources};
use crate::name::{NameRefusal, UserName};
use crate::openvpn::Environment;
use crate::printable;
use crate::store::{Database, Enrolled};
use anyhow::Context;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs a command.
#[must_use]
pub fn run(cli: &Cli, environment: &Environment) -> ExitCode {
    if matches!(cli.command, Command::PrimaryCheck) {
        crate::primary::run_helper();
        return ExitCode::SUCCESS;
    }
    // Whatever is wrong, it says so in its own words.
    if matches!(cli.command, Command::Verify) {
        return crate::verify::run(&cli.global, environment);
    }
    if matches!(cli.command, Command::CheckAs) {
        return match check::run_probe() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    // Settings that cannot be read are something that it finds.
    if let Command::Check(Check { what: None, all }) = &cli.command {
        return match check::run(all, &cli.global, environment) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        };
    }
    if let Command::Check(Check { what: Some(CheckOne::Login(arguments)), .. }) = &cli.command {
        return match check::login::run(arguments, &cli.global, environment) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        };
    }
    let result = settings(&cli.global, environment).and_then(|settings| match &cli.command {
        // Done with above.
        Command::PrimaryCheck
        | Command::Verify
        | Command::CheckAs
        | Command::Check(Check { what: None | Some(CheckOne::Login(_)), .. }) => Ok(()),
        Command::Enroll(arguments) => enroll::run(arguments, &settings, cli.global.json),
        Command::Confirm(arguments) => confirm_code::run(arguments, &settings, cli.global.json),
        Command::BackupCodes(arguments) => backup_codes::run(arguments, &settings, cli.global.json),
        Command::List => list::run(&settings, cli.global.json),
        Command::Log(arguments) => log::run(arguments, &settings, cli.global.json),
        Command::Show(arguments) => show::run(arguments, &settings, cli.global.json),
        Command::Delete(arguments) => delete::run(arguments, &settings, cli.global.json),
        Command::Unlock(arguments) => accounts::unlock(arguments, &settings, cli.global.json),
        Command::Disable(arguments) => accounts::disable(arguments, &settings, cli.global.json),
        Command::Enable(arguments) => accounts::enable(arguments, &settings, cli.global.json),
        Command::Rename(arguments) => accounts::rename(arguments, &settings, cli.global.json),
        Command::Set(arguments) => set::run(arguments, &settings, cli.global.json),
        Command::NewKey(arguments) => new_key::run(arguments, cli.global.json),
        Command::Rekey(arguments) => rekey::run(arguments, &settings, cli.global.json),
        Command::Check(Check { what: Some(CheckOne::Duo(arguments)), .. }) => {
            check::duo::run(arguments, &settings, cli.global.json)
        }
        Command::Import(arguments) => import::run(arguments, &settings, cli.global.json),
        Command::Export(arguments) => export::run(arguments, &settings, cli.global.json),
        Command::Backup(arguments) => backup::back_up(arguments, &settings, cli.global.json),
        Command::Restore(arguments) => backup::restore(arguments, &settings, cli.global.json),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "openvpn-2fa: {error:#}");
    ExitCode::FAILURE
}

fn settings(global: &Global, environment: &Environment) -> anyhow::Result<Settings> {
    let environment = environment.variables().to_vec();
    Ok(config::load(&Sources { file: global.config.clone(), database: global.db.clone(), environment })?)
}

/// Whoever read our output has had enough of it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn user_name(text: &str) -> anyhow::Result<UserName> {
    text.parse().with_context(|| format!("{text:?} is not a name of a user"))
}

/// The name of a user who is to be stored, in the form in which it logs in.
fn new_user_name(text: &str, settings: &Settings) -> anyhow::Result<UserName> {
    user_name(text)?;
    let name = settings.auth.canonical(text.as_bytes())?;
    if let Some(refusal) = settings.auth.refusal(&name) {
        let rule = match refusal {
            NameRefusal::Pattern => "",
            _ => " ([auth] username_pattern can allow other names)",
        };
        anyhow::bail!("nobody can log in as {:?}: {refusal}{rule}", printable::text(text));
    }
    Ok(name)
}

/// The name of a user who may be stored: as it is written, or else in the form in which it logs in. Names from before the
/// settings were changed can be reached so.
fn stored_name(name: UserName, settings: &Settings, database: &mut Database) -> anyhow::Result<UserName> {
    if database.enrolled(name.as_str())?.is_some() {
        return Ok(name);
    }
    Ok(settings.auth.canonical(name.as_str().as_bytes())?)
}

fn database(settings: &Settings) -> anyhow::Result<Database> {
    Ok(Database::open(settings)?)
}

/// Why a right code of a user would not let them in.
fn hindrances(user: &UserName, stored: &Enrolled, settings: &Settings) -> Vec<String> {
    let mut reasons = Vec::new();
    if stored.state == UserState::Disabled {
        reasons.push(format!("{user} is disabled: openvpn-2fa enable {user}"));
    }
    if is_locked(stored.failures, SystemClock.now()) {
        reasons.push(format!("{user} is locked: openvpn-2fa unlock {user}"));
    }
    let factor = stored.factor.unwrap_or(settings.auth.factor);
    if factor != Factor::Totp {
        reasons.push(format!(
            "{user} has {} as second factor: codes count after openvpn-2fa set {user} --factor totp",
            factor.word()
        ));
    }
    reasons
}

fn not_enrolled(user: &UserName) -> anyhow::Error {
    anyhow::anyhow!("{user} is not enrolled (openvpn-2fa list shows who is)")
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{value:#}\n"))
}

fn json_time(time: Option<UnixTime>) -> serde_json::Value {
    time.map_or(serde_json::Value::Null, |time| clock::rfc3339(time).into())
}

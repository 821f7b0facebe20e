//! `openvpn-2fa`: a second factor for OpenVPN Community Edition.
//!
//! OpenVPN starts this program for every login (`auth-user-pass-verify`) and for every answer to a challenge
//! (`client-crresponse`); an administrator starts it from the shell.
//!
//! # The parts, and who knows whom
//!
//! | part | what it is |
//! |---|---|
//! | [`cli`] | clap types |
//! | [`config`] | command line, environment, file and defaults become one checked [`config::Settings`] |
//! | [`openvpn`] | OpenVPN's contract: parsers of what it hands over, texts of challenges, control files |
//! | [`auth`] | the decision, over traits; lockout; proofs. Knows nothing of OpenVPN, files, PAM or SQL |
//! | `door` | what the ways in have in common: the line in the log, the real services behind a decision |
//! | [`hook`] | the front that OpenVPN waits for and the worker behind it: they drive the decision |
//! | [`verify`] | the door for other programs: one JSON request, one reply |
//! | [`factor`] | TOTP; Duo: what it is asked, menus, and the client, with the only HTTP |
//! | [`primary`] | PAM, in a process of its own, with the only `unsafe` code |
//! | [`store`] | SQLite, with the only SQL; secrets sealed with a key from outside |
//! | [`import`] | files of other programs, read from bytes, one format each |
//! | [`admin`] | the administrator's commands, one file each |
//! | [`age`], [`name`], [`secret`], [`clock`], [`random`], [`files`], [`printable`], [`process`], [`log`] | leaves |
//!
//! `hook`, `verify` and `admin` know all others; `auth` knows `config`, `factor` and leaves; `primary` and `store` implement
//! `auth`'s traits, [`factor::duo`] has one of its own; `openvpn` and the leaves know leaves only.
//!
//! # Who trusts whom
//!
//! What a client sends (name, password field, answers, `IV_*`, certificate names) is bytes until a parser in `openvpn`
//! or [`name`] has made a type of it. Files that OpenVPN names are opened without following links, and none is created.
//! Settings and database are used only when nobody else can have written them. Duo's answers are bytes, too. Whatever
//! fails is a rejection.

pub mod admin;
pub mod age;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
mod door;
pub mod factor;
pub mod files;
#[cfg(test)]
mod fuzzing;
pub mod hook;
pub mod import;
pub mod log;
pub mod name;
pub mod openvpn;
pub mod primary;
pub mod printable;
pub mod process;
pub mod random;
pub mod secret;
pub mod store;
pub mod verify;

use clap::Parser;
use cli::{Cli, HookOptions};
use log::{Entry, Level};
use openvpn::{Environment, ScriptType};
use std::process::ExitCode;

/// Runs the program: as a hook when OpenVPN says so in `script_type`, else as an administrator's command.
#[must_use]
pub fn run() -> ExitCode {
    let environment = Environment::of_process();
    match environment.script_type() {
        Ok(None) => admin::run(&Cli::parse(), &environment),
        Ok(Some(script)) => run_hook(script, &environment),
        Err(other) => {
            let detail =
                format!("script_type {other:?}: only auth-user-pass-verify and client-crresponse are served");
            Entry::new(Level::Error, "hook").pair("outcome", "reject").pair("detail", detail).write();
            ExitCode::FAILURE
        }
    }
}

fn run_hook(script: ScriptType, environment: &Environment) -> ExitCode {
    let options = match HookOptions::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // Not clap's own exit status: OpenVPN would take 2 for a verdict that is still to come.
            let text = error.to_string();
            let detail = text.lines().next().unwrap_or_default();
            Entry::new(Level::Error, "hook").pair("outcome", "reject").pair("detail", detail).write();
            if let (ScriptType::ClientCrResponse, Some(file)) = (script, std::env::args_os().next_back()) {
                hook::discard_answer(file.as_ref());
            }
            return hook::Exit::Rejected.into();
        }
    };
    hook::run(script, &options, environment).into()
}

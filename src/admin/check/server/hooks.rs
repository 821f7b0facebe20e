//! The lines that start this program.

use super::super::finding::{Findings, Place};
use super::super::server_conf::{Directive, ServerConf, words};
use crate::cli::HookOptions;
use clap::Parser;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The options that start hooks of ours.
const NAMES: [&str; 2] = ["auth-user-pass-verify", "client-crresponse"];

/// The longest executable that is compared with another, in bytes.
const MAX_PROGRAM_BYTES: u64 = 256 * 1024 * 1024;

/// A hook, as OpenVPN would start it.
#[derive(Debug)]
pub(in crate::admin::check) struct Hook {
    /// What is started.
    pub(in crate::admin::check) program: PathBuf,
    /// Its options.
    pub(in crate::admin::check) options: HookOptions,
}

impl Hook {
    /// The command of a hook line: split once more by the same rules (`argv_parse_cmd`), the file appended.
    fn parse(line: &Directive) -> Result<Self, String> {
        let command = words(line.value())?;
        let (program, options) = command.split_first().ok_or("no program is named")?;
        let file = "file".to_owned();
        let arguments = std::iter::once(program).chain(options).chain(std::iter::once(&file));
        let options = HookOptions::try_parse_from(arguments).map_err(|error| {
            let text = error.to_string();
            let why = text.lines().next().unwrap_or_default();
            format!("the hook would refuse everybody: {}", why.trim_start_matches("error: "))
        })?;
        Ok(Self { program: program.into(), options })
    }

    /// The hook that takes logins, if there is one that can.
    pub(in crate::admin::check) fn of_logins(conf: &ServerConf) -> Option<Self> {
        conf.last(NAMES[0]).and_then(|line| Self::parse(line).ok())
    }
}

pub(super) fn look(conf: &ServerConf, program: &Path, findings: &mut Findings) {
    script_security(conf, findings);
    for name in NAMES {
        let lines: Vec<_> = conf.all(name).collect();
        for earlier in lines.iter().rev().skip(1) {
            findings.at(&earlier.place).doubtful(
                format!("{name} stands here and again later, and the last one counts"),
                take_out(earlier),
            );
        }
    }
    let correct = |name: &str| match name {
        "client-crresponse" => format!("{name} {}", program.display()),
        _ => format!("{name} {} via-file", program.display()),
    };
    match conf.last(NAMES[0]) {
        None => findings
            .at(&conf.place())
            .bad("no auth-user-pass-verify, so nobody is checked by this program", correct(NAMES[0])),
        Some(line) => {
            if starts(line, program, &correct(NAMES[0]), findings) {
                method(conf, line, &correct(NAMES[0]), findings);
            }
        }
    }
    match conf.last(NAMES[1]) {
        None => findings.at(&conf.place()).bad(
            "no client-crresponse, so answers of clients that are asked while they connect are lost",
            correct(NAMES[1]),
        ),
        Some(line) => {
            if line.words.len() > 2 {
                findings.at(&line.place).bad(
                    "more than one word follows client-crresponse, and OpenVPN does not start",
                    format!("client-crresponse \"{}\"", line.words[1..].join(" ")),
                );
            } else if starts(line, program, &correct(NAMES[1]), findings) {
                findings.at(&line.place).good("answers come to this program");
            }
        }
    }
    same_options(conf, findings);
}

fn take_out(line: &Directive) -> String {
    format!("take the line out: {}", line.words.join(" "))
}

fn script_security(conf: &ServerConf, findings: &mut Findings) {
    let security = conf.number("script-security").unwrap_or(1);
    if security < 2 {
        let place = conf.last("script-security").map_or_else(|| conf.place(), |line| line.place.clone());
        findings
            .at(&place)
            .bad(format!("script-security is {security}, so OpenVPN starts no hook"), "script-security 2");
    }
}

/// How the password comes.
fn method(conf: &ServerConf, line: &Directive, correct: &str, findings: &mut Findings) {
    let security = conf.number("script-security").unwrap_or(1);
    if line.words.len() > 3 {
        let (last, command) = line.words[1..].split_last().unwrap_or((&line.words[0], &[]));
        findings.at(&line.place).bad(
            "too many words, and OpenVPN does not start: options of the program belong between quotes",
            format!("auth-user-pass-verify \"{}\" {last}", command.join(" ")),
        );
        return;
    }
    match line.words.get(2).map(String::as_str) {
        Some("via-file") => findings.at(&line.place).good("logins come to this program"),
        Some("via-env") if security < 3 => findings
            .at(&line.place)
            .bad("via-env needs script-security 3, which shows passwords to every hook", correct),
        Some("via-env") => {
            findings.at(&line.place).doubtful("via-env shows passwords to every hook", correct);
        }
        Some(_) => findings.at(&line.place).bad(
            "what follows the program is neither via-file nor via-env, and OpenVPN does not start",
            correct,
        ),
        None => findings
            .at(&line.place)
            .bad("how the password comes is not said, and OpenVPN does not start", correct),
    }
}

/// Whether a hook line starts this program. Says so if not.
fn starts(line: &Directive, program: &Path, correct: &str, findings: &mut Findings) -> bool {
    let hook = match Hook::parse(line) {
        Ok(hook) => hook,
        Err(error) => {
            findings.at(&line.place).bad(error, correct);
            return false;
        }
    };
    let path = hook.program.as_path();
    if !path.is_absolute() {
        findings.at(&line.place).bad(format!("{} is no full path", path.display()), correct);
        return false;
    }
    let state = match std::fs::metadata(path) {
        Ok(state) => state,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.at(&line.place).bad(format!("there is no {}", path.display()), correct);
            return false;
        }
        Err(error) => {
            findings.at(&line.place).bad(format!("{}: {error}", path.display()), correct);
            return false;
        }
    };
    if !state.is_file() || state.permissions().mode() & 0o111 == 0 {
        let text = format!("{} cannot be executed, and OpenVPN does not start", path.display());
        findings.at(&line.place).bad(text, format!("chmod 0755 {}", path.display()));
        return false;
    }
    if let Some((place, remedy)) = changeable_by_others(path) {
        let text = format!("others can put their own program in the place of {} ({place})", path.display());
        findings.at(&line.place).bad(text, remedy);
    }
    if !same_program(path, program) {
        let text = format!("starts {}, which is not the program that checks now", path.display());
        let remedy = format!(
            "{correct}\nor install this one there: install -m 0755 {} {}",
            program.display(),
            path.display()
        );
        findings.at(&line.place).doubtful(text, remedy);
        return false;
    }
    true
}

/// Who besides root and the present user can change an executable, or a directory on the way to it: where, and what to do.
fn changeable_by_others(path: &Path) -> Option<(String, String)> {
    let real = std::fs::canonicalize(path).ok()?;
    let ours = rustix::process::geteuid().as_raw();
    real.ancestors().find_map(|part| {
        let state = std::fs::metadata(part).ok()?;
        let shown = part.display();
        if state.uid() != 0 && state.uid() != ours {
            return Some((format!("{shown} belongs to user {}", state.uid()), format!("chown root {shown}")));
        }
        // In a directory such as /tmp nobody takes away what belongs to others. Debian's group staff owns /usr/local.
        let sticky = state.is_dir() && state.mode() & 0o1000 != 0;
        let group = if state.is_dir() || state.gid() == 0 { 0 } else { 0o020 };
        let open = state.mode() & (0o002 | group) != 0 && !sticky;
        open.then(|| {
            (format!("{shown} has mode {:04o}", state.mode() & 0o7777), format!("chmod go-w {shown}"))
        })
    })
}

/// Whether two paths lead to the same program: the same file, or a copy of it.
fn same_program(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if real(one).is_some_and(|one| Some(one) == real(other)) {
        return true;
    }
    let size = |path: &Path| std::fs::metadata(path).map(|state| state.len()).ok();
    size(one).is_some_and(|bytes| bytes <= MAX_PROGRAM_BYTES && Some(bytes) == size(other))
        && std::fs::read(one).is_ok_and(|bytes| std::fs::read(other).is_ok_and(|others| bytes == others))
}

/// The answer to a question is decided with the settings and the database that the question was put with.
fn same_options(conf: &ServerConf, findings: &mut Findings) {
    let [Some(verify), Some(answer)] = NAMES.map(|name| conf.last(name)) else { return };
    let (Ok(first), Ok(second)) = (Hook::parse(verify), Hook::parse(answer)) else { return };
    let of = |hook: &Hook| (hook.options.global.config.clone(), hook.options.global.db.clone());
    if of(&first) != of(&second) {
        findings.at(&answer.place).bad(
            "the two hooks have different options, so answers are looked for where no question was put",
            format!("client-crresponse \"{}\"", verify.value()),
        );
    }
}

/// Whoever writes the configuration has OpenVPN run what they like.
pub(super) fn writable(conf: &ServerConf, findings: &mut Findings) {
    for file in &conf.files {
        if let Some((place, remedy)) = changeable_by_others(file) {
            findings
                .at(&Place::file(file))
                .bad(format!("others can have OpenVPN run what they like ({place})"), remedy);
        }
    }
}

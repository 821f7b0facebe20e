//! Commands on a terminal, which `script` has.

use super::{PROGRAM, Site, need};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// What a terminal shows of a command whose user types `typed`, and the exit status; `None` where no terminal can be had.
pub(crate) fn on_terminal(site: &Site, arguments: &str, typed: &str) -> Option<(i32, String)> {
    on_terminal_after(site, "true", arguments, typed)
}

/// The same on a terminal that a line of shell has made ready.
pub(crate) fn on_terminal_after(
    site: &Site,
    before: &str,
    arguments: &str,
    typed: &str,
) -> Option<(i32, String)> {
    let mut script = script(site, before, arguments);
    // The pipe is closed behind it, which is the end of the input on the terminal.
    let _ = script.stdin.take().unwrap().write_all(typed.as_bytes());
    seen(script, Vec::new())
}

/// As [`on_terminal`], where what is typed before the program asks would be lost: it waits for `question`.
pub(crate) fn on_terminal_when_asked(
    site: &Site,
    arguments: &str,
    question: &str,
    typed: &str,
) -> Option<(i32, String)> {
    let mut script = script(site, "true", arguments);
    let mut shown = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&shown).contains(question) {
        if script.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 0 {
            break;
        }
        shown.push(byte[0]);
    }
    let _ = script.stdin.take().unwrap().write_all(typed.as_bytes());
    seen(script, shown)
}

fn seen(script: Child, mut shown: Vec<u8>) -> Option<(i32, String)> {
    let output = script.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("pseudo-terminal") {
        eprintln!("not tried: {complaint}");
        return None;
    }
    shown.extend(output.stdout);
    Some((output.status.code().unwrap(), String::from_utf8(shown).unwrap()))
}

fn script(site: &Site, before: &str, arguments: &str) -> Child {
    need("script");
    let line = format!("{before} && exec {PROGRAM} --config {} {arguments}", site.config().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    script.env_remove("NO_COLOR");
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    script.spawn().unwrap()
}

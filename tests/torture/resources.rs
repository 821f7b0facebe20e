//! The group `resources`: not enough of anything.

use crate::faults::one;
use crate::limits::Limits;
use crate::logins::{Login, Mishap};
use crate::place::{Kind, Place};
use crate::report::{Line, Report};
use crate::seed::Seed;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

const LOGINS: [Login; 6] = [
    Login::Right,
    Login::WrongCode,
    Login::Question,
    Login::QuestionInSession,
    Login::AnswerByReconnecting,
    Login::AnswerInSession,
];

pub(crate) fn run(seed: &Seed, limits: &Limits, unix_user: Option<&str>, report: &mut Report) {
    let mut seed = seed.of("resources");
    let files: Vec<String> = (3..=32).map(|number| format!("--nofile={number}:{number}")).collect();
    limited("files", &files, limits, report);
    // The program and its libraries take some 15 MB of addresses; what is beyond, threads and buffers.
    let memory: Vec<String> =
        (1..=40).map(|_| (2 << 20) + seed.below(60 << 20)).map(|bytes| format!("--as={bytes}")).collect();
    limited("memory", &memory, limits, report);
    let sizes = [0, 1, 20, 100, 4_096, 8_192, 32_768, 65_536, 200_000];
    limited("size of files", &sizes.map(|bytes| format!("--fsize={bytes}")), limits, report);
    let times = [0, 1].map(|seconds| format!("--cpu={seconds}"));
    limited("processor", &times, limits, report);
    streams(limits, report);
    temporary_directory(limits, report);
    match unix_user {
        Some(_) => log(limits, report),
        None => report.skip("a log that is full", "it needs root, and a sandbox"),
    }
}

fn limited(name: &str, options: &[String], limits: &Limits, report: &mut Report) {
    let place = Place::new(Kind::Hasty, None);
    let mut line = Line::new(format!("resources: {name}"));
    for option in options {
        for login in LOGINS {
            if limits.time_is_up() {
                break;
            }
            let mishap = Mishap { by: &["/usr/bin/prlimit", option, "--"], ..Mishap::NONE };
            one(&place, login, option, &mishap, 0, &mut line, report);
        }
    }
    report.finish(&line);
}

/// Standard input, output and error, each of them closed or not.
fn streams(limits: &Limits, report: &mut Report) {
    let place = Place::new(Kind::Hasty, None);
    let mut line = Line::new("resources: closed streams");
    for combination in 0..8 {
        let closed = |bit, text| if combination & (1 << bit) == 0 { "" } else { text };
        let script =
            format!("exec \"$0\" \"$@\" {} {} {}", closed(0, "<&-"), closed(1, ">&-"), closed(2, "2>&-"));
        for login in LOGINS {
            if limits.time_is_up() {
                break;
            }
            let mishap = Mishap { by: &["/bin/sh", "-c", &script], ..Mishap::NONE };
            one(&place, login, &script, &mishap, 0, &mut line, report);
        }
    }
    report.finish(&line);
}

fn temporary_directory(limits: &Limits, report: &mut Report) {
    let place = Place::new(Kind::Hasty, None);
    let mut line = Line::new("resources: no temporary directory");
    let (there, away) = (place.site.tmp(), place.site.path("tmp-away"));
    for login in LOGINS {
        if limits.time_is_up() {
            break;
        }
        let script = format!("mv {} {} && exec \"$0\" \"$@\"", there.display(), away.display());
        let mishap = Mishap {
            by: &["/bin/sh", "-c", &script],
            set: &[("PATH", "/usr/bin:/bin")],
            after: &|_| {
                assert!(!there.exists(), "somebody made a temporary directory");
                std::fs::rename(&away, &there).unwrap();
                for path in crate::support::files_below(&there).keys() {
                    if path.to_string_lossy().contains("openvpn_up_") {
                        // OpenVPN's, which would have removed it.
                        std::fs::remove_file(path).unwrap();
                    }
                }
            },
            ..Mishap::NONE
        };
        one(&place, login, "no temporary directory", &mishap, 0, &mut line, report);
    }
    report.finish(&line);
}

/// Syslog's socket, which nobody reads, or which is no socket. In the sandbox only: it has a `/dev` of its own.
fn log(limits: &Limits, report: &mut Report) {
    let place = Place::new(Kind::Hasty, None);
    let mut line = Line::new("resources: a log that is full");
    let socket = Path::new("/dev/log");
    assert!(!socket.exists(), "this is the machine's /dev/log");
    let listener = UnixDatagram::bind(socket).unwrap();
    let writer = UnixDatagram::unbound().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.send_to(&[b'x'; 1_000], socket).is_ok() {}
    for login in LOGINS {
        if !limits.time_is_up() {
            one(&place, login, "a full log", &Mishap::NONE, 0, &mut line, report);
        }
    }
    drop(listener);
    std::fs::remove_file(socket).unwrap();
    std::fs::create_dir(socket).unwrap();
    for login in LOGINS {
        if !limits.time_is_up() {
            one(&place, login, "a log that is a directory", &Mishap::NONE, 0, &mut line, report);
        }
    }
    std::fs::remove_dir(socket).unwrap();
    report.finish(&line);
}

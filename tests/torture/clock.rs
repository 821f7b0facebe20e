//! The group `clock`: it is stepped back and forth between the steps of a login.
//!
//! By `libfaketime`, which is put in front of the C library: the program reads the clock there.

use crate::limits::Limits;
use crate::place::{Kind, Place};
use crate::report::{Line, Report};
use crate::seed::Seed;
use crate::support::now;
use std::collections::HashSet;
use std::path::PathBuf;

/// Days on which the clock is stepped.
const ROUNDS: usize = 40;

/// Logins on such a day.
const STEPS: usize = 12;

fn library() -> Option<PathBuf> {
    let directories = std::fs::read_dir("/usr/lib").ok()?;
    directories
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
}

pub(crate) fn run(seed: &Seed, limits: &Limits, report: &mut Report) {
    let Some(library) = library() else {
        return report.skip("clock", "libfaketime is not here (Debian's package faketime)");
    };
    let mut seed = seed.of("clock");
    let mut line = Line::new("clock: stepped back and forth");
    for _ in 0..ROUNDS {
        if limits.time_is_up() {
            break;
        }
        let place = Place::new(Kind::Patient, None);
        report.rounds += 1;
        line.rounds += 1;
        for finding in one_day(&place, &library, &mut seed, &mut line) {
            line.findings += 1;
            report.found("clock", &finding);
        }
    }
    report.finish(&line);
}

/// Logs in again and again, each time by another clock.
fn one_day(place: &Place, library: &std::path::Path, seed: &mut Seed, line: &mut Line) -> Vec<String> {
    let mut findings = Vec::new();
    let mut used = HashSet::new();
    let mut offset = 0_i64;
    let at = |offset: i64, password: &str| {
        let session = place.site.session();
        let status = place
            .site
            .login(&session, &place.user, password)
            .set("IV_SSO", "")
            .set("LD_PRELOAD", library)
            .set("FAKETIME", format!("{offset:+}"))
            .set("DONT_FAKE_MONOTONIC", "1")
            .status();
        let question = session.reason().starts_with("CRV1:").then(|| session.question());
        let verdict = session.verdict();
        session.end();
        (status == 0 || verdict == "1", question)
    };
    for _ in 0..STEPS {
        offset += *seed.one_of(&[0, 30, -30, 90, -90, 300, -300, 3_600, -3_600, 86_400, -86_400]);
        let step = now().saturating_add_signed(offset) / 30;
        let step = step.saturating_add_signed(i64::try_from(seed.below(7)).unwrap() - 3);
        let code = place.token.code_of_step(step);
        let let_in = if seed.below(2) == 0 {
            at(offset, &code).0
        } else {
            let (_, question) = at(offset, "");
            // Asked by one clock, answered by another.
            let later = offset + *seed.one_of(&[0, 1, 19, 22, -5, -3_600]);
            question.is_some_and(|question| {
                let let_in = at(later, &question.answer(&code)).0;
                if let_in && later > offset + 21 {
                    findings.push(format!("a question was answered {} s after it was put", later - offset));
                }
                let_in
            })
        };
        if let_in {
            line.let_in += 1;
            if !used.insert(code) {
                findings.push("a code was accepted twice".to_owned());
            }
        }
    }
    // A lock ends when its time has passed, whatever the clock did before.
    place.reset(0);
    offset += 3_600;
    for _ in 0..5 {
        at(offset, "000000");
    }
    let code = |offset: i64| place.token.code_of_step(now().saturating_add_signed(offset) / 30);
    if at(offset, &code(offset)).0 {
        findings.push("somebody who is locked was let in".to_owned());
    }
    if !at(offset + 302, &code(offset + 302)).0 {
        findings.push("a lock does not end".to_owned());
    }
    findings
}

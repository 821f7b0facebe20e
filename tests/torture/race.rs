//! The group `race`: many logins at once with the same code, however it is handed in. Exactly one is let in.

use crate::limits::Limits;
use crate::report::{Line, Report};
use crate::support::{Session, Site, eventually};
use data_encoding::BASE64;

/// Logins at once.
const RACERS: usize = 24;

/// Logins that have been asked already, and those who were not.
enum Racer {
    Login { session: Session, password: String },
    Answer { session: Session, sent: String },
}

pub(crate) fn run(rounds: usize, limits: &Limits, report: &mut Report) {
    let mut line = Line::new("race of 24 logins with one code");
    for round in 0..rounds {
        if limits.time_is_up() {
            break;
        }
        let site = Site::with(&[("workerMax", "100")]);
        let token = site.enroll("alice");
        let code = token.code();
        let racers: Vec<Racer> = (0..RACERS).map(|number| racer(&site, &code, number + round)).collect();
        let let_in: usize = std::thread::scope(|scope| {
            let runners: Vec<_> =
                racers.iter().map(|racer| scope.spawn(|| usize::from(is_let_in(&site, racer)))).collect();
            runners.into_iter().map(|runner| runner.join().unwrap()).sum()
        });
        report.rounds += 1;
        line.rounds += 1;
        line.let_in += let_in;
        if let_in != 1 {
            line.findings += 1;
            report.found("race", &format!("{let_in} of {RACERS} logins with one code were let in"));
        }
        if site.failures("alice") != 0 {
            line.findings += 1;
            report.found("race", "a code that was judged before counts as a guess");
        }
    }
    report.finish(&line);
}

fn racer(site: &Site, code: &str, number: usize) -> Racer {
    match number % 3 {
        0 => Racer::Login { session: site.session(), password: code.to_owned() },
        1 => {
            let password = site.asked_to_reconnect("alice").answer(code);
            Racer::Login { session: site.session(), password }
        }
        _ => {
            let session = site.asked_in_session("alice");
            Racer::Answer { session, sent: format!("{}\n", BASE64.encode(code.as_bytes())) }
        }
    }
}

fn is_let_in(site: &Site, racer: &Racer) -> bool {
    match racer {
        Racer::Login { session, password } => {
            let status = site.login(session, "alice", password).set("IV_SSO", "").status();
            assert_eq!(status == 0, session.verdict() == "1", "status {status}");
            status == 0
        }
        Racer::Answer { session, sent } => {
            assert_eq!(site.answer(session, "alice", sent.as_bytes()).status(), 0);
            eventually("a verdict", || Some(session.verdict()).filter(|verdict| !verdict.is_empty())) == "1"
        }
    }
}

//! The group `disk`: what can happen to the file of the database.

use crate::faults::one;
use crate::limits::Limits;
use crate::logins::{Login, Mishap};
use crate::place::{Kind, Place};
use crate::report::{Line, Report};
use crate::seed::Seed;
use crate::support::{Site, chmod};
use rusqlite::Connection;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LOGINS: [Login; 4] = [Login::Right, Login::WrongCode, Login::Question, Login::AnswerByReconnecting];

/// SQLite's pages, in bytes.
const PAGE: u64 = 4_096;

/// Databases that are spoilt at random, of each kind.
const SPOILT: usize = 150;

pub(crate) fn run(seed: &Seed, limits: &Limits, unix_user: Option<&str>, report: &mut Report) {
    match unix_user {
        Some(_) => {
            full(limits, report);
            read_only(limits, report);
        }
        None => report.skip("a disk that is full or read-only", "it needs root, and a sandbox"),
    }
    locked(limits, report);
    beside(limits, report);
    hung(limits, report);
    spoilt(&mut seed.of("disk"), limits, report);
    replaced(limits, report);
}

fn mount(words: &[&OsStr]) {
    let status = Command::new("mount").args(words).status().unwrap();
    assert!(status.success(), "mount {words:?}");
}

/// The database on a small disk of its own.
fn small_disk() -> Place {
    let place = Place::new(Kind::Hasty, None);
    let state = place.site.database().parent().unwrap().to_owned();
    let content = std::fs::read(place.site.database()).unwrap();
    mount(
        &["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs"]
            .map(OsStr::new)
            .into_iter()
            .chain([state.as_os_str()])
            .collect::<Vec<_>>(),
    );
    std::fs::write(place.site.database(), content).unwrap();
    chmod(&place.site.database(), 0o600);
    place
}

fn unmount(place: &Place) {
    let state = place.site.database().parent().unwrap().to_owned();
    let status = Command::new("umount").arg("--lazy").arg(state).status().unwrap();
    assert!(status.success());
}

/// Room for so many more pages, and no more: from none to more than a login needs.
fn full(limits: &Limits, report: &mut Report) {
    let place = small_disk();
    let filler = place.site.path("state/filler");
    let mut line = Line::new("disk: full");
    for free in 0..=24 {
        for login in LOGINS {
            if limits.time_is_up() {
                break;
            }
            let mishap = Mishap {
                before: &|_| {
                    let file = std::fs::File::create(&filler).unwrap();
                    let pages = (0..).take_while(|page| file.write_all_at(&[1; 4_096], page * PAGE).is_ok());
                    let all = pages.count() as u64;
                    file.set_len(all.saturating_sub(free) * PAGE).unwrap();
                },
                after: &|_| std::fs::remove_file(&filler).unwrap(),
                ..Mishap::NONE
            };
            one(&place, login, &format!("{free} pages left"), &mishap, 2, &mut line, report);
        }
    }
    unmount(&place);
    report.finish(&line);
}

fn read_only(limits: &Limits, report: &mut Report) {
    let place = small_disk();
    let state = place.site.path("state");
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        mount(&[OsStr::new("-o"), OsStr::new(&options), state.as_os_str()]);
    };
    let mut line = Line::new("disk: read-only");
    for login in LOGINS {
        if limits.time_is_up() {
            break;
        }
        let mishap = Mishap { before: &|_| remount("ro"), after: &|_| remount("rw"), ..Mishap::NONE };
        one(&place, login, "read-only", &mishap, 2, &mut line, report);
    }
    unmount(&place);
    report.finish(&line);
}

/// Another writer keeps the database for a while: shorter than a login waits for it, and longer.
fn locked(limits: &Limits, report: &mut Report) {
    let mut line = Line::new("disk: locked");
    for kind in [Kind::Patient, Kind::Hasty] {
        let place = Place::new(kind, None);
        for (seconds, login) in
            [(1, Login::Right), (2, Login::AnswerInSession), (12, Login::Right), (12, Login::WrongCode)]
        {
            if limits.time_is_up() {
                break;
            }
            let database = place.site.database();
            let mishap = Mishap {
                before: &|_| {
                    let connection = Connection::open(&database).unwrap();
                    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_secs(seconds));
                        drop(connection);
                    });
                },
                ..Mishap::NONE
            };
            one(&place, login, &format!("locked for {seconds} s"), &mishap, 0, &mut line, report);
        }
    }
    report.finish(&line);
}

/// Odd files beside the database: the journal and its index, and the account of waiting.
fn beside(limits: &Limits, report: &mut Report) {
    let mut line = Line::new("disk: odd files beside the database");
    for suffix in ["-stall", "-wal", "-shm", "-journal"] {
        for oddity in 0..8_usize {
            // SQLite writes to a journal that has a second name. Nobody else can make one: the directory is ours alone.
            if limits.time_is_up()
                || (suffix != "-stall" && oddity == 2)
                || (suffix == "-journal" && oddity == 6)
            {
                continue;
            }
            let place = Place::new(Kind::Hasty, None);
            let mut path = place.site.database().into_os_string();
            path.push(suffix);
            let path = PathBuf::from(path);
            let victim = place.site.path("victim");
            std::fs::write(&victim, "precious").unwrap();
            let remove = || {
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_dir(&path);
            };
            let mishap = Mishap {
                before: &|_| {
                    remove();
                    match oddity {
                        0 => std::fs::create_dir(&path).unwrap(),
                        1 => symlink(&victim, &path).unwrap(),
                        2 => std::fs::hard_link(&victim, &path).unwrap(),
                        3 => std::fs::write(&path, [0xff; 8]).unwrap(),
                        4 => std::fs::write(&path, vec![0x5a; 40_000]).unwrap(),
                        5 => std::fs::write(&path, "").unwrap(),
                        6 => fifo(&path),
                        _ => symlink("/nowhere/at/all", &path).unwrap(),
                    }
                },
                after: &|_| remove(),
                ..Mishap::NONE
            };
            let login = [Login::Right, Login::WrongCode][oddity % 2];
            for login in [login, Login::Question] {
                one(&place, login, &format!("{suffix}, oddity {oddity}"), &mishap, 0, &mut line, report);
                if std::fs::read(&victim).unwrap() != b"precious" {
                    line.findings += 1;
                    report.found(suffix, &format!("oddity {oddity}: another file was written to"));
                }
            }
        }
    }
    report.finish(&line);
}

/// A FIFO in place of the rollback journal: SQLite waits for somebody to write to it, for ever. The worker does not.
fn hung(limits: &Limits, report: &mut Report) {
    let mut line = Line::new("disk: a worker that hangs");
    if !limits.time_is_up() {
        let site =
            Site::with(&[("authStallBudgetMs", "0"), ("totpChallengeTimeout", "1"), ("workerMax", "1")]);
        let token = site.enroll("alice");
        let journal = site.path("state/tokens.sqlite3-journal");
        fifo(&journal);
        let session = site.session();
        assert_eq!(site.login(&session, "alice", "").status(), 2);
        std::thread::sleep(Duration::from_secs(35));
        std::fs::remove_file(&journal).unwrap();
        report.rounds += 1;
        line.rounds += 1;
        // It would have the only slot.
        let session = site.session();
        if site.login(&session, "alice", &token.code()).status() != 2 || session.decided() != "1" {
            line.findings += 1;
            report.found("disk", "a worker that hangs is not ended");
        }
    }
    report.finish(&line);
}

fn fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

/// Cut off at each page, cut off anywhere, bytes changed anywhere: a wrong code is never accepted, a right one at most
/// once, and whoever is refused finds the reason in the log.
fn spoilt(seed: &mut Seed, limits: &Limits, report: &mut Report) {
    let place = Place::new(Kind::Patient, None);
    place.reset(2);
    let (database, whole) = (place.site.database(), std::fs::read(place.site.database()).unwrap());
    let pages = whole.len() / 4_096;
    let mut files: Vec<(String, Vec<u8>)> =
        (0..pages).map(|page| (format!("{page} pages"), whole[..page * 4_096].to_vec())).collect();
    for number in 0..SPOILT {
        let length = seed.below(whole.len());
        files.push((format!("{length} bytes"), whole[..length].to_vec()));
        let mut bytes = whole.clone();
        for _ in 0..=seed.below(if number % 2 == 0 { 4 } else { 200 }) {
            let at = seed.below(bytes.len());
            bytes[at] = u8::try_from(seed.below(256)).unwrap();
        }
        files.push((format!("spoilt {number}"), bytes));
    }
    let mut line = Line::new("disk: cut off or spoilt");
    for (name, content) in files {
        if limits.time_is_up() {
            break;
        }
        line.rounds += 1;
        report.rounds += 1;
        put(&database, &content);
        let code = place.token.code();
        let wrong = place.token.wrong_code();
        let mut findings = Vec::new();
        let by_wrong = place.lets_in(&wrong);
        let right = [place.lets_in(&code), place.lets_in(&code)];
        line.let_in += usize::from(right[0]);
        if by_wrong {
            findings.push("a wrong code was accepted");
        }
        if right == [true; 2] {
            findings.push("a code was accepted twice");
        }
        for finding in findings {
            line.findings += 1;
            report.found(&format!("disk: {name}"), finding);
        }
    }
    put(&database, &whole);
    if !place.lets_in(&place.token.code()) {
        line.findings += 1;
        report.found("disk", "the old database does not do any more");
    }
    report.finish(&line);
}

/// A database in place of another, with nothing beside it.
fn put(database: &Path, content: &[u8]) {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
    let _ = std::fs::remove_file(database);
    let file = OpenOptions::new().write(true).create_new(true).open(database).unwrap();
    file.write_all_at(content, 0).unwrap();
    chmod(database, 0o600);
}

/// Something else in its place, in the middle of a login.
fn replaced(limits: &Limits, report: &mut Report) {
    let mut line = Line::new("disk: replaced");
    for what in [
        "another database",
        "another program's database",
        "a text",
        "nothing",
        "an empty file",
        "a directory",
    ] {
        if limits.time_is_up() {
            break;
        }
        let (site, other) = (Site::new(), Site::new());
        let token = site.enroll("alice");
        other.enroll("alice");
        let (by_reconnecting, in_session) =
            (site.asked_to_reconnect("alice"), site.asked_in_session("alice"));
        let database = site.database();
        let whole = std::fs::read(&database).unwrap();
        let foreign = site.path("foreign");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        match what {
            "another database" => put(&database, &std::fs::read(other.database()).unwrap()),
            "another program's database" => put(&database, &std::fs::read(&foreign).unwrap()),
            "a text" => put(&database, b"somebody's diary"),
            "nothing" => std::fs::remove_file(&database).unwrap(),
            "an empty file" => put(&database, b""),
            _ => {
                std::fs::remove_file(&database).unwrap();
                std::fs::create_dir(&database).unwrap();
            }
        }
        report.rounds += 1;
        line.rounds += 1;
        let code = token.code();
        let sent = format!("{}\n", data_encoding::BASE64.encode(code.as_bytes()));
        let login = |password: &str| {
            let session = site.session();
            site.login(&session, "alice", password).set("IV_SSO", "").status() == 0
                || session.verdict() == "1"
        };
        let let_in = [login(&code), login(&by_reconnecting.answer(&code)), {
            site.answer(&in_session, "alice", sent.as_bytes()).status();
            in_session.verdict() == "1"
        }];
        if let_in.contains(&true) {
            line.findings += 1;
            report.found(&format!("disk: {what}"), &format!("let in: {let_in:?}"));
        }
        in_session.end();
        let _ = std::fs::remove_dir(&database);
        put(&database, &whole);
        if !login(&code) {
            line.findings += 1;
            report.found(&format!("disk: {what}"), "the old database does not do any more");
        }
    }
    report.finish(&line);
}

//! The process behind the one that OpenVPN waits for.

use crate::support::{PROGRAM, Site, chmod, eventually, log_is_visible, need};
use data_encoding::BASE64;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Shorter than a worker waits for the database (10 s), longer than anything else takes.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Holds the database as another writer would, until it is dropped.
fn busy_database(site: &Site) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(site.database()).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[test]
fn openvpn_does_not_wait_longer_than_the_budget() {
    let site = Site::with(&[("authStallBudgetMs", "100")]);
    let token = site.enroll("alice");
    let [first, second] = token.codes();

    let (session, database, start) = (site.session(), busy_database(&site), Instant::now());
    assert_eq!(site.login(&session, "alice", &first).status(), 2);
    assert!(start.elapsed() < AT_ONCE, "the login waited for the database");
    assert_eq!((session.verdict(), session.pending()), Default::default());
    drop(database);
    assert_eq!(session.decided(), "1");

    // The question goes out meanwhile, and its answer is taken.
    let (session, database, start) = (site.session(), busy_database(&site), Instant::now());
    assert_eq!(site.login(&session, "alice", "").status(), 2);
    assert_eq!(session.pending().lines().count(), 3);
    let sent = format!("{}\n", BASE64.encode(second.as_bytes()));
    assert_eq!(site.answer(&session, "alice", sent.as_bytes()).status(), 0);
    assert!(start.elapsed() < AT_ONCE, "question or answer waited for the database");
    assert_eq!(session.verdict(), "");
    drop(database);
    assert_eq!(session.decided(), "1");
}

#[test]
fn after_a_storm_openvpn_does_not_wait_at_all() {
    let site = Site::with(&[("authStallBudgetMs", "1000")]);
    let token = site.enroll("alice");
    // As when calls have waited for all that they may, in sum.
    let spent = site.database().with_file_name("tokens.sqlite3-stall");
    std::fs::write(&spent, u64::MAX.to_be_bytes()).unwrap();
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &token.code()).status(), 2);
    assert_eq!(session.decided(), "1");
}

#[test]
fn a_session_that_ends_meanwhile_gets_no_verdict_and_no_file() {
    let site = Site::with(&[("authStallBudgetMs", "0")]);
    let token = site.enroll("alice");
    for password in [token.code(), token.wrong_code(), String::new()] {
        let (session, database) = (site.session(), busy_database(&site));
        assert_eq!(site.login(&session, "alice", &password).set("IV_SSO", "").status(), 2);
        session.end();
        let decisions = || site.logs().lines().filter(|line| line.contains("event=login")).count();
        let before = decisions();
        drop(database);
        if log_is_visible() {
            eventually("the end of the worker", || (decisions() > before).then_some(()));
            eventually("a line about it", || {
                site.logged(&["event=verdict", "the session is gone"]).then_some(())
            });
        }
        assert!(session.files().iter().all(|file| !file.exists()));
    }
}

#[test]
fn a_worker_that_dies_without_a_word_is_a_rejection() {
    let site = Site::new();
    let token = site.enroll("alice");
    let [first, second] = token.codes();
    // It may write to no file, so that its first one, to the database, kills it (SIGXFSZ).
    let no_files = ["/bin/sh", "-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" \"$@\""];
    let session = site.session();
    assert_eq!(site.login(&session, "alice", &first).by(&no_files).status(), 1);
    assert_ne!(session.verdict(), "1");
    let session = site.session();
    assert_eq!(site.login(&session, "alice", "").by(&no_files).status(), 1, "nobody is asked in vain");
    assert_eq!(
        site.login(&site.session(), "alice", &second).status(),
        0,
        "the database is as good as before"
    );
}

/// Makes a site belong to nobody, when root runs the tests, and says how to become nobody there.
fn given_to_nobody(site: &Site) -> Vec<String> {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return vec![PROGRAM.to_owned()];
    }
    let program = site.path("openvpn-2fa");
    let copied = Command::new("cp").arg("--preserve=mode").arg(PROGRAM).arg(&program).status().unwrap();
    assert!(copied.success());
    for path in crate::support::files_below(&site.path("")).keys() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chmod(&site.path(""), 0o755);
    let become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    become_nobody.iter().map(|&word| word.to_owned()).chain([program.display().to_string()]).collect()
}

#[test]
fn a_worker_that_cannot_be_started_is_done_without() {
    need("prlimit");
    need("setpriv");
    let site = Site::new();
    let token = site.enroll("alice");
    let sessions: [_; 3] = std::array::from_fn(|_| site.session());
    let nobody = given_to_nobody(&site);
    // One process and no more: not for root, whom this limit does not bind.
    let (program, become_nobody) = nobody.split_last().unwrap();

    let become_nobody = become_nobody.iter().map(String::as_str);
    let limited: Vec<&str> = become_nobody.chain(["prlimit", "--nproc=1:1", program]).collect();
    let path = std::env::var_os("PATH").unwrap();
    let status = |session, password: &str| {
        let call = site.login(session, "alice", password).via_env(password);
        call.set("PATH", &path).instead(&limited).status()
    };
    assert_eq!(status(&sessions[0], &token.wrong_code()), 1);
    assert_eq!((sessions[0].verdict(), sessions[0].told()), ("0".to_owned(), "Incorrect code".to_owned()));
    assert_eq!(status(&sessions[1], &token.code()), 0);
    assert_eq!(sessions[1].verdict(), "1");
    assert_eq!(status(&sessions[2], ""), 2);
    assert_eq!(sessions[2].pending().lines().count(), 3);
    assert!(site.logged(&["event=worker reason=not-started"]), "{}", site.logs());
}

#[test]
#[ignore = "needs root, to look into processes that protect themselves"]
fn a_worker_has_nothing_of_openvpns_and_shows_nothing_of_what_was_typed() {
    let site = Site::with(&[("authStallBudgetMs", "0")]);
    let code = site.enroll("alice").code();
    let session = site.session();
    let database = busy_database(&site);
    // OpenVPN leaves descriptors open: this one is the ninth.
    let with_one_more = ["sh", "-c", "exec 9</etc/hostname; exec \"$0\" \"$@\"", PROGRAM];
    assert_eq!(site.login(&session, "alice", "").via_env(&code).instead(&with_one_more).status(), 2);
    let name = session.control.display().to_string();
    let read = |process: &Path, file| {
        String::from_utf8_lossy(&std::fs::read(process.join(file)).unwrap_or_default()).into_owned()
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let workers: Vec<_> = processes.filter(|process| read(process, "environ").contains(&name)).collect();
    let [worker] = &workers[..] else { panic!("the worker waits for the database: {workers:?}") };
    let link = |name: &str| std::fs::read_link(worker.join("fd").join(name)).ok();
    // It has been copied before the call returned, and sees to itself after that.
    eventually("no standard streams of OpenVPN's", || {
        let null = Some(PathBuf::from("/dev/null"));
        (link("0") == null && link("1") == null).then_some(())
    });
    for file in ["environ", "cmdline"] {
        let text = read(worker, file);
        assert!(!text.contains(&code) && !text.contains("password="), "{file}: {text:?}");
    }
    assert_eq!(link("9").filter(|file| file.ends_with("hostname")), None);
    let leads = |process: &Path| {
        let stat = read(process, "stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        Some(fields[3].to_owned()) == process.file_name().and_then(|id| id.to_str()).map(str::to_owned)
    };
    assert!(leads(worker), "a session of its own: {}", read(worker, "stat"));
    drop(database);
    assert_eq!(session.decided(), "1");
}

use super::*;
use crate::auth::{Asked, BackupCodeId, Challenge, Failures, Network, TokenId, UserState};
use crate::config::Factor;
use crate::factor::backup_code::BackupCode;
use crate::factor::duo::menu::Menu;
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretBytes, secret};
use crate::store::BackupCodes;
use crate::store::{NewToken, Replace};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::sync::Barrier;
use std::thread;

const NOW: u64 = 1_795_295_268;
/// The newest schema.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
const KNOWN: i64 = MIGRATIONS.len() as i64;
const KEY: ChallengeKey = ChallengeKey([1; 32]);
const OTHER_KEY: ChallengeKey = ChallengeKey([2; 32]);

/// A database without a key: what most tests are about. Outside of tests nobody can forget the key.
impl<P: AsRef<Path> + ?Sized> From<&P> for Location {
    fn from(path: &P) -> Self {
        Self { database: path.as_ref().to_owned(), key_file: None }
    }
}

/// A directory for one test, 0700 whatever the umask.
fn private_directory() -> tempfile::TempDir {
    let private = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(private).tempdir().unwrap()
}

/// A directory for one test, with the path of a database that is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = private_directory();
    let path = directory.path().join("tokens.sqlite3");
    (directory, path)
}

fn new_database() -> (tempfile::TempDir, PathBuf, Database) {
    let (directory, path) = place();
    let database = Database::open_or_create(&path).unwrap();
    (directory, path, database)
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn secret_of(seed: u8) -> SecretBytes {
    secret(&[seed; 20])
}

fn enrol(database: &mut Database, user: &str, seed: u8, replace: Replace) -> Result<bool, StoreError> {
    let secret = secret_of(seed);
    let token = NewToken { secret: &secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    database.enrol(&name(user), &token, replace, NOW)
}

/// A database with one user, and the number of their token.
fn with_alice() -> (tempfile::TempDir, PathBuf, Database, TokenId) {
    let (directory, path, mut database) = new_database();
    assert!(enrol(&mut database, "alice", 1, Replace::No).unwrap());
    let token = database.enrolled("alice").unwrap().unwrap().tokens[0].id;
    (directory, path, database, token)
}

fn challenge(user: &str, expires_at: u64) -> Challenge {
    Challenge {
        user: user.to_owned(),
        identity: user.to_owned(),
        common_name: Some("Test-Client".to_owned()),
        certificate: None,
        expires_at,
        asked: Asked::Code,
    }
}

/// Runs `change` in a transaction of its own.
fn committed<T>(database: &mut Database, change: impl FnOnce(&mut dyn Records) -> T) -> T {
    let mut records = database.begin().unwrap();
    let result = change(records.as_mut());
    records.commit().unwrap();
    result
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn write_private(path: &Path, content: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, content).unwrap();
}

/// Every file of a directory with its mode and content.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let content = std::fs::read(&path).unwrap_or_default();
            (path.clone(), (mode(&path), content))
        })
        .collect()
}

/// Everything that the tables hold, as text.
fn dump(database: &Database) -> String {
    let mut text = String::new();
    for table in ["user", "totp_token", "backup_code", "challenge", "failure"] {
        let mut statement =
            database.connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|at| row.get_ref(at).unwrap()).collect();
            writeln!(text, "{table} {values:?}").unwrap();
        }
    }
    text
}

fn count(database: &Database, table: &str) -> i64 {
    database.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn pragma(database: &Database, name: &str) -> i64 {
    database.connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

fn error_of(result: Result<Database, DatabaseError>) -> DatabaseError {
    match result {
        Ok(_) => panic!("the database was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_new_database_and_its_directory_are_for_their_owner_only() {
    let directory = private_directory();
    let path = directory.path().join("a/b/tokens.sqlite3");
    let mut database = Database::open_or_create(&path).unwrap();
    enrol(&mut database, "alice", 1, Replace::No).unwrap();
    for made in ["a", "a/b"] {
        assert_eq!(mode(&directory.path().join(made)), 0o700, "{made}");
    }
    let files = snapshot(&directory.path().join("a/b"));
    assert!(files.len() > 1, "the write-ahead log is one of them");
    for (file, (mode, _)) in files {
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let (directory, path) = place();
    chmod(directory.path(), 0o755);
    Database::open_or_create(&path).unwrap();
    assert_eq!((mode(directory.path()), mode(&path)), (0o755, 0o600));
}

#[test]
fn a_new_database_is_marked_as_ours_in_the_file_itself() {
    let (_directory, path, database) = new_database();
    // Still open: what is only in the write-ahead log does not count.
    let content = std::fs::read(&path).unwrap();
    assert_eq!(content[68..72], *b"O2FA");
    assert_eq!(pragma(&database, "user_version"), KNOWN);
    drop(database);
    let content = std::fs::read(&path).unwrap();
    assert_eq!(content[60..64], u32::try_from(KNOWN).unwrap().to_be_bytes(), "user_version");
    assert_eq!(content[68..72], *b"O2FA");
}

#[test]
fn every_connection_is_durable_checks_references_and_wipes_what_it_deletes() {
    let (_directory, path, database) = new_database();
    for database in [database, Database::open(&path).unwrap()] {
        assert_eq!(pragma(&database, "foreign_keys"), 1);
        assert_eq!(pragma(&database, "synchronous"), 2);
        assert_eq!(pragma(&database, "secure_delete"), 1);
        assert_eq!(pragma(&database, "trusted_schema"), 0);
        let journal: String =
            database.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(journal, "wal");
    }
}

#[test]
fn what_was_stored_is_there_after_reopening() {
    let (_directory, path, database, token) = with_alice();
    drop(database);
    let mut database = Database::open(&path).unwrap();
    let alice = database.enrolled("alice").unwrap().unwrap();
    assert_eq!((alice.name.as_str(), alice.state, alice.created_at), ("alice", UserState::Enabled, NOW));
    assert_eq!((alice.factor, alice.last_login_at, alice.failures), (None, None, Failures::default()));
    let [stored] = &alice.tokens[..] else { panic!("one token") };
    assert_eq!((stored.id, stored.sealed_with.as_deref()), (token, None));
    assert_eq!((stored.digits, stored.period, stored.last_step), (6, 30, None));
    assert_eq!(database.tokens(&name("alice")).unwrap()[0].secret.expose_secret(), [1; 20]);
    assert!(database.enrolled("bob").unwrap().is_none());
}

#[test]
fn a_database_that_is_not_there_is_named_and_not_made() {
    let (directory, path) = place();
    for path in [path.clone(), directory.path().join("no/directory.sqlite3")] {
        let error = error_of(Database::open(&path));
        assert!(matches!(error, DatabaseError::Missing(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()) && text.contains("openvpn-2fa enroll"), "{text}");
    }
    let mut on_demand = OnDemand::at(&path);
    assert!(on_demand.is_asked(&KEY).unwrap_err().to_string().contains("there is no database"));
    assert!(on_demand.begin().is_err());
    assert!(snapshot(directory.path()).is_empty());
}

#[test]
fn a_database_is_opened_on_demand_and_then_again_when_it_has_come() {
    let (_directory, path) = place();
    let mut on_demand = OnDemand::at(&path);
    assert!(on_demand.begin().is_err());
    Database::open_or_create(&path).unwrap();
    assert!(!on_demand.is_asked(&KEY).unwrap());
    assert!(on_demand.begin().unwrap().user(&name("alice")).unwrap().is_none());
}

/// What puts something in place of a database.
type Make<'a> = &'a dyn Fn(&Path);

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let foreign = |path: &Path, sql: &str| {
        write_private(path, b"");
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    };
    let cases: &[(&str, Make<'_>, &str)] = &[
        ("text", &|path| write_private(path, b"alice:secret\n"), "not an SQLite database"),
        ("one byte", &|path| write_private(path, b"\0"), "not an SQLite database"),
        ("the magic only", &|path| write_private(path, b"SQLite format 3\0"), "not an SQLite database"),
        (
            "our mark in a file that is no database",
            &|path| {
                let mut content = [b'x'; 200];
                content[68..72].copy_from_slice(b"O2FA");
                write_private(path, &content);
            },
            "not an SQLite database",
        ),
        (
            "the database of the older script",
            &|path| foreign(path, "CREATE TABLE tokens (user TEXT, secret TEXT)"),
            "an SQLite database of another program",
        ),
        (
            "one with our tables and another mark",
            &|path| foreign(path, &format!("{} PRAGMA application_id = 7;", MIGRATIONS[0])),
            "an SQLite database of another program",
        ),
        (
            "one with a write-ahead log",
            &|path| foreign(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)"),
            "an SQLite database of another program",
        ),
    ];
    for (what, make, found) in cases {
        let (directory, path) = place();
        make(&path);
        let before = snapshot(directory.path());
        for error in [error_of(Database::open(&path)), error_of(Database::open_or_create(&path))] {
            assert!(matches!(error, DatabaseError::Foreign { .. }), "{what}: {error}");
            let text = error.to_string();
            let parts = [path.to_str().unwrap(), found, "left as it is", "token_db_path"];
            assert!(parts.iter().all(|part| text.contains(part)), "{what}: {text}");
        }
        assert_eq!(snapshot(directory.path()), before, "{what}");
    }
}

#[test]
fn a_foreign_database_in_use_keeps_its_write_ahead_log() {
    let (directory, path) = place();
    write_private(&path, b"");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (x); PRAGMA journal_mode = WAL; INSERT INTO t VALUES (1);").unwrap();
    let before = snapshot(directory.path());
    assert_eq!(before.len(), 3, "database, log and index");
    assert!(Database::open(&path).is_err() && Database::open_or_create(&path).is_err());
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn a_directory_in_place_of_the_database_is_refused() {
    let (directory, path) = place();
    std::fs::create_dir(&path).unwrap();
    for error in [error_of(Database::open(&path)), error_of(Database::open_or_create(&path))] {
        assert!(error.to_string().contains("is not a regular file"), "{error}");
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    assert_eq!(snapshot(directory.path()).len(), 1);
}

#[test]
fn a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    for version in [&(KNOWN + 1).to_string(), "99", "-1"] {
        let (directory, path, database) = new_database();
        database.connection.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
        drop(database);
        let before = snapshot(directory.path());
        for error in [error_of(Database::open(&path)), error_of(Database::open_or_create(&path))] {
            assert!(
                matches!(error, DatabaseError::TooNew { known, .. } if known == MIGRATIONS.len()),
                "{version}: {error}"
            );
            assert!(error.to_string().contains("later version"), "{error}");
        }
        assert_eq!(snapshot(directory.path()), before, "{version}");
    }
}

#[test]
fn an_empty_file_becomes_a_database() {
    let (_directory, path) = place();
    write_private(&path, b"");
    assert!(matches!(Database::open(&path), Err(DatabaseError::Missing(_))));
    let mut database = Database::open_or_create(&path).unwrap();
    assert!(enrol(&mut database, "alice", 1, Replace::No).unwrap());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(std::fs::read(&path).unwrap()[68..72], *b"O2FA");
}

#[test]
fn a_database_that_is_only_founded_is_migrated() {
    let (_directory, path) = place();
    write_private(&path, b"");
    let founded = Connection::open(&path).unwrap();
    founded.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}")).unwrap();
    drop(founded);
    let database = Database::open(&path).unwrap();
    assert_eq!((pragma(&database, "user_version"), count(&database, "user")), (KNOWN, 0));
}

#[test]
fn a_damaged_database_is_an_error_and_not_a_panic() {
    let (_directory, path, database) = new_database();
    drop(database);
    let mut content = std::fs::read(&path).unwrap();
    let length = content.len();
    content[100..length].fill(0x5a);
    std::fs::write(&path, &content).unwrap();
    let result = Database::open(&path).map_err(|error| error.to_string()).and_then(|mut database| {
        enrol(&mut database, "alice", 1, Replace::No).map_err(|error| error.to_string())
    });
    assert!(result.unwrap_err().contains("database"));
}

#[test]
fn a_database_that_others_can_read_or_have_another_name_for_is_refused_with_the_remedy() {
    type Spoil<'a> = &'a dyn Fn(&Path, &Path);
    let cases: &[(&str, Spoil<'_>, &str)] = &[
        ("group-readable", &|_, path| chmod(path, 0o640), "chmod go-rwx "),
        ("readable by all", &|_, path| chmod(path, 0o604), "chmod go-rwx "),
        ("writable by the group", &|_, path| chmod(path, 0o620), "chmod go-rwx "),
        ("executable by all", &|_, path| chmod(path, 0o601), "chmod go-rwx "),
        ("in a directory of the group", &|directory, _| chmod(directory, 0o770), "chmod go-w "),
        ("in a directory of all", &|directory, _| chmod(directory, 0o703), "chmod go-w "),
        ("in a directory like /tmp", &|directory, _| chmod(directory, 0o1777), "chmod go-w "),
        (
            "with a hard link",
            &|directory, path| std::fs::hard_link(path, directory.join("second")).unwrap(),
            "copy it, so that it has one",
        ),
    ];
    for (what, spoil, remedy) in cases {
        let (directory, path, database) = new_database();
        drop(database);
        spoil(directory.path(), &path);
        let before = snapshot(directory.path());
        for error in [error_of(Database::open(&path)), error_of(Database::open_or_create(&path))] {
            let text = error.to_string();
            assert!(matches!(error, DatabaseError::Untrusted(_)), "{what}: {text}");
            assert!(text.starts_with("the database is not used: "), "{what}: {text}");
            let named = if remedy.starts_with("chmod") {
                let at = if remedy.contains("rwx") { path.as_path() } else { directory.path() };
                format!("{remedy}{}", at.display())
            } else {
                (*remedy).to_owned()
            };
            assert!(text.contains(&named), "{what}: {text}");
        }
        assert_eq!(snapshot(directory.path()), before, "{what}");
    }
}

#[test]
fn a_symbolic_link_in_place_of_the_database_is_not_followed() {
    let (directory, path, database) = new_database();
    drop(database);
    let link = directory.path().join("link.sqlite3");
    symlink(&path, &link).unwrap();
    let dangling = directory.path().join("dangling.sqlite3");
    symlink(directory.path().join("made.sqlite3"), &dangling).unwrap();
    let before = std::fs::read(&path).unwrap();
    for link in [&link, &dangling] {
        for error in [error_of(Database::open(link)), error_of(Database::open_or_create(link))] {
            // At the first look, not only when SQLite gets to see it.
            assert!(matches!(error, DatabaseError::Untrusted(_)), "{error}");
            assert!(error.to_string().contains(link.to_str().unwrap()), "{error}");
        }
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(!directory.path().join("made.sqlite3").exists());
}

#[test]
fn a_directory_that_is_refused_gets_no_database() {
    let (directory, path) = place();
    chmod(directory.path(), 0o777);
    assert!(matches!(Database::open_or_create(&path), Err(DatabaseError::Untrusted(_))));
    assert!(snapshot(directory.path()).is_empty(), "an empty file is left behind");
}

#[test]
fn a_directory_may_be_reached_through_a_link() {
    let directory = private_directory();
    let real = directory.path().join("real");
    std::fs::DirBuilder::new().mode(0o700).create(&real).unwrap();
    symlink(&real, directory.path().join("link")).unwrap();
    let path = directory.path().join("link/tokens.sqlite3");
    if let Err(error) = Database::open_or_create(&path) {
        panic!("{error}");
    }
}

#[test]
fn many_processes_can_make_the_database_at_once() {
    const MAKERS: u8 = 8;
    for _round in 0..8 {
        let directory = private_directory();
        let path = directory.path().join("sub/tokens.sqlite3");
        let start = Barrier::new(usize::from(MAKERS));
        thread::scope(|scope| {
            for number in 0..MAKERS {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut database = Database::open_or_create(path).unwrap();
                    assert!(enrol(&mut database, &format!("user{number}"), number, Replace::No).unwrap());
                });
            }
        });
        let mut database = Database::open(&path).unwrap();
        assert_eq!(database.users().unwrap().len(), usize::from(MAKERS));
        assert_eq!(pragma(&database, "user_version"), KNOWN);
        drop(database);
        assert_eq!(snapshot(&directory.path().join("sub")).len(), 1, "nothing else is left there");
    }
}

#[test]
fn many_processes_can_migrate_the_database_at_once() {
    for _round in 0..8 {
        let (_directory, path) = place();
        write_private(&path, b"");
        let founded = Connection::open(&path).unwrap();
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA journal_mode = WAL;");
        founded.execute_batch(&mark).unwrap();
        drop(founded);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let mut database = Database::open(&path).unwrap();
                    assert!(database.users().unwrap().is_empty());
                });
            }
        });
        assert_eq!(pragma(&Database::open(&path).unwrap(), "user_version"), KNOWN);
    }
}

#[test]
fn opening_a_database_again_changes_nothing_in_it() {
    let (directory, path, database, _) = with_alice();
    drop(database);
    let before = snapshot(directory.path());
    for _ in 0..3 {
        Database::open(&path).unwrap().users().unwrap();
        Database::open_or_create(&path).unwrap().users().unwrap();
    }
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn a_step_is_burnt_once_and_none_before_it_afterwards() {
    let (_directory, _path, mut database, token) = with_alice();
    committed(&mut database, |records| records.burn_step(token, 100, -1)).unwrap();
    for step in [100, 99, 0] {
        assert!(database.begin().unwrap().burn_step(token, step, 0).is_err(), "{step}");
    }
    committed(&mut database, |records| records.burn_step(token, 101, 1)).unwrap();
    let alice = database.enrolled("alice").unwrap().unwrap();
    assert_eq!(alice.tokens[0].last_step, Some(101));
    assert_eq!(alice.tokens[0].last_offset, Some(1));
    assert!(database.begin().unwrap().burn_step(TokenId(token.0 + 1), 102, 0).is_err(), "no such token");
}

#[test]
fn a_transaction_that_is_dropped_changes_nothing() {
    let (_directory, path, mut database, token) = with_alice();
    committed(&mut database, |records| records.put_challenge(&KEY, &challenge("alice", NOW), NOW)).unwrap();
    let before = dump(&database);
    let mut records = database.begin().unwrap();
    let user = records.user(&name("alice")).unwrap().unwrap();
    records.burn_step(token, 100, 0).unwrap();
    records.note_login(user.id, NOW).unwrap();
    records
        .set_failures(&name("alice"), Failures { count: 3, locked_until: Some(NOW), forget_at: None })
        .unwrap();
    records.put_challenge(&OTHER_KEY, &challenge("alice", NOW), NOW).unwrap();
    assert!(records.take_challenge(&KEY).unwrap().is_some());
    drop(records);
    assert_eq!(dump(&database), before);
    assert_eq!(dump(&Database::open(&path).unwrap()), before);
}

#[test]
fn a_transaction_keeps_other_writers_out_and_readers_in() {
    let (_directory, path, mut database, _) = with_alice();
    let mut other = Database::open(&path).unwrap();
    other.connection.busy_timeout(Duration::ZERO).unwrap();
    let mut records = database.begin().unwrap();
    records.put_challenge(&KEY, &challenge("alice", NOW), NOW).unwrap();
    assert!(other.begin().is_err(), "a second writer");
    assert!(!other.is_asked(&KEY).unwrap(), "not there before it is committed");
    records.commit().unwrap();
    assert!(other.is_asked(&KEY).unwrap());
    assert!(other.begin().is_ok());
}

#[test]
fn a_challenge_is_taken_once() {
    let (_directory, path, mut database) = new_database();
    let stored = Challenge {
        user: "alice".to_owned(),
        identity: "Test-Client".to_owned(),
        common_name: Some("Test-Client".to_owned()),
        certificate: Some("45:08:3d".to_owned()),
        expires_at: NOW + 300,
        asked: Asked::DuoMenu(Menu::default()),
    };
    committed(&mut database, |records| records.put_challenge(&KEY, &stored, NOW)).unwrap();
    assert!(committed(&mut database, |records| records.take_challenge(&OTHER_KEY)).unwrap().is_none());
    assert_eq!(committed(&mut database, |records| records.take_challenge(&KEY)).unwrap(), Some(stored));
    assert!(committed(&mut database, |records| records.take_challenge(&KEY)).unwrap().is_none());
    assert!(Database::open(&path).unwrap().begin().unwrap().take_challenge(&KEY).unwrap().is_none());
}

#[test]
fn of_two_answers_at_the_same_time_one_takes_the_challenge() {
    let (_directory, path, mut database) = new_database();
    for round in 0..20 {
        committed(&mut database, |records| records.put_challenge(&KEY, &challenge("alice", NOW), NOW))
            .unwrap();
        let start = Barrier::new(2);
        let take = || {
            let mut database = Database::open(&path).unwrap();
            start.wait();
            committed(&mut database, |records| records.take_challenge(&KEY)).unwrap()
        };
        let (one, other) = thread::scope(|scope| {
            let one = scope.spawn(take);
            (take(), one.join().unwrap())
        });
        assert_eq!(usize::from(one.is_some()) + usize::from(other.is_some()), 1, "round {round}");
    }
}

#[test]
fn old_challenges_are_forgotten_when_a_new_one_is_put() {
    let (_directory, _path, mut database) = new_database();
    let keys: Vec<ChallengeKey> = (0..4).map(|number| ChallengeKey([number; 32])).collect();
    for (key, expires_at) in keys.iter().zip([NOW - 3_601, NOW - 3_600, NOW - 1, NOW + 300]) {
        committed(&mut database, |records| {
            records.put_challenge(key, &challenge("alice", expires_at), NOW - 7_200)
        })
        .unwrap();
    }
    assert_eq!(count(&database, "challenge"), 4);
    committed(&mut database, |records| {
        records.put_challenge(&ChallengeKey([9; 32]), &challenge("bob", NOW), NOW)
    })
    .unwrap();
    // Those that expired lately stay, so that a late answer can be told that it is late.
    let left: Vec<bool> = keys.iter().map(|key| database.is_asked(key).unwrap()).collect();
    assert_eq!(left, [false, true, true, true]);
}

#[test]
fn a_challenge_of_the_same_key_is_replaced() {
    let (_directory, _path, mut database) = new_database();
    for user in ["alice", "bob"] {
        committed(&mut database, |records| records.put_challenge(&KEY, &challenge(user, NOW), NOW)).unwrap();
    }
    let taken = committed(&mut database, |records| records.take_challenge(&KEY)).unwrap().unwrap();
    assert_eq!((taken.user.as_str(), count(&database, "challenge")), ("bob", 0));
}

#[test]
fn whether_a_session_is_asked_is_seen_from_another_process() {
    let (_directory, path, mut database) = new_database();
    let mut other = OnDemand::at(&path);
    assert!(!other.is_asked(&KEY).unwrap());
    committed(&mut database, |records| records.put_challenge(&KEY, &challenge("alice", NOW), NOW)).unwrap();
    assert!(other.is_asked(&KEY).unwrap());
    assert!(!other.is_asked(&OTHER_KEY).unwrap());
    committed(&mut database, |records| records.take_challenge(&KEY)).unwrap();
    assert!(!other.is_asked(&KEY).unwrap());
}

#[test]
fn failures_are_kept_by_name_whether_enrolled_or_not() {
    let (_directory, _path, mut database, _) = with_alice();
    for user in ["alice", "nobody", "a' OR '1'='1"] {
        let user = name(user);
        for failures in [
            Failures { count: 1, ..Failures::default() },
            Failures { count: 5, locked_until: Some(NOW + 300), forget_at: None },
            Failures { count: 0, locked_until: Some(NOW), forget_at: None },
            Failures::default(),
        ] {
            committed(&mut database, |records| records.set_failures(&user, failures)).unwrap();
            assert_eq!(database.begin().unwrap().failures(&user).unwrap(), failures, "{user}");
            assert_eq!(database.begin().unwrap().failures(&name("bystander")).unwrap(), Failures::default());
        }
    }
    assert_eq!(count(&database, "failure"), 0, "no failures leave no row");
}

#[test]
fn failures_of_addresses_are_kept_apart_from_users_until_they_are_forgotten() {
    let (_directory, _path, mut database, _) = with_alice();
    let network = |address: &str| Network::of(address.parse().unwrap());
    let (one, other) = (network("192.0.2.1"), network("2001:db8::1"));
    let failures = Failures { count: 3, locked_until: Some(NOW + 9), forget_at: Some(NOW + 10) };
    committed(&mut database, |records| records.set_address_failures(one, failures, NOW)).unwrap();
    let mut records = database.begin().unwrap();
    assert_eq!(records.address_failures(one).unwrap(), failures);
    assert_eq!(records.address_failures(other).unwrap(), Failures::default());
    assert_eq!(records.failures(&name("192.0.2.1")).unwrap(), Failures::default());
    drop(records);

    committed(&mut database, |records| records.set_failures(&name("alice"), failures)).unwrap();
    committed(&mut database, |records| records.set_address_failures(other, failures, NOW + 10)).unwrap();
    assert_eq!(database.begin().unwrap().address_failures(one).unwrap(), Failures::default());
    assert_eq!(count(&database, "failure"), 2, "a user's are not forgotten with an address's");
    committed(&mut database, |r| r.set_address_failures(other, Failures::default(), NOW)).unwrap();
    assert_eq!(count(&database, "failure"), 1);
}

#[test]
fn a_user_is_enrolled_once_unless_replaced() {
    let (_directory, _path, mut database, token) = with_alice();
    committed(&mut database, |records| records.burn_step(token, 100, 0)).unwrap();
    let before = dump(&database);
    assert!(!enrol(&mut database, "alice", 2, Replace::No).unwrap());
    assert_eq!(dump(&database), before, "a refused enrolment changes nothing");

    // Names are compared as they are: no case folding, no trimming.
    for other in ["Alice", "alice ", "\u{e4}lice"] {
        assert!(enrol(&mut database, other, 3, Replace::No).unwrap(), "{other:?}");
    }
}

#[test]
fn replacing_an_enrolment_leaves_nothing_of_the_old_one() {
    let (_directory, _path, mut database, token) = with_alice();
    let user = database.begin().unwrap().user(&name("alice")).unwrap().unwrap();
    committed(&mut database, |records| {
        records.burn_step(token, 100, 2).unwrap();
        records.note_login(user.id, NOW).unwrap();
        records
            .set_failures(
                &name("alice"),
                Failures { count: 5, locked_until: Some(NOW + 300), forget_at: None },
            )
            .unwrap();
        records.put_challenge(&KEY, &challenge("alice", NOW), NOW).unwrap();
    });
    let backup = "INSERT INTO backup_code (user_id, salt, hash) VALUES (?1, x'00', x'00')";
    database.connection.execute(backup, [user.id.0]).unwrap();

    assert!(enrol(&mut database, "alice", 2, Replace::Yes).unwrap());
    assert_eq!(database.tokens(&name("alice")).unwrap()[0].secret.expose_secret(), [2; 20]);
    let alice = database.enrolled("alice").unwrap().unwrap();
    let [stored] = &alice.tokens[..] else { panic!("one token") };
    assert_eq!((stored.last_step, stored.last_offset), (None, None));
    assert_eq!(alice.last_login_at, Some(NOW), "the user is the same");
    assert_eq!(alice.failures, Failures::default());
    for (table, rows) in
        [("user", 1), ("totp_token", 1), ("backup_code", 0), ("challenge", 0), ("failure", 0)]
    {
        assert_eq!(count(&database, table), rows, "{table}");
    }
    assert!(enrol(&mut database, "bob", 3, Replace::Yes).unwrap(), "nothing to replace is no error");
}

#[test]
fn a_telephone_waits_for_one_login_until_it_ends_or_its_time_is_over() {
    let (_directory, _path, mut database, _) = with_alice();
    let open =
        |database: &mut Database, now| database.begin().unwrap().push_is_open(&name("alice"), now).unwrap();
    assert!(!open(&mut database, NOW));
    committed(&mut database, |records| records.open_push(&name("alice"), NOW + 60)).unwrap();
    assert!(open(&mut database, NOW) && open(&mut database, NOW + 59) && !open(&mut database, NOW + 60));
    assert!(!database.begin().unwrap().push_is_open(&name("bob"), NOW).unwrap());
    committed(&mut database, |records| records.open_push(&name("alice"), NOW + 90)).unwrap();
    assert!(open(&mut database, NOW + 60));
    committed(&mut database, |records| records.close_push(&name("alice"))).unwrap();
    assert!(!open(&mut database, NOW));
    committed(&mut database, |records| records.open_push(&name("alice"), NOW + 60)).unwrap();
    assert!(database.delete(&name("alice")).unwrap());
    assert!(!open(&mut database, NOW), "it goes with the user");
    // Left behind by a login that died under another clock: it would wait for a year.
    committed(&mut database, |records| records.open_push(&name("alice"), NOW + 31_536_000)).unwrap();
    assert!(!open(&mut database, NOW) && open(&mut database, NOW + 31_536_000 - 600));
}

#[test]
fn a_factor_is_set_and_the_open_questions_are_forgotten() {
    let (_directory, _path, mut database, _) = with_alice();
    committed(&mut database, |records| {
        records.put_challenge(&KEY, &challenge("alice", NOW), NOW).unwrap();
        records.put_challenge(&OTHER_KEY, &challenge("bob", NOW), NOW).unwrap();
        records.set_failures(&name("alice"), Failures { count: 3, ..Failures::default() }).unwrap();
    });
    for factor in [Some(Factor::Duo), Some(Factor::Totp), None] {
        database.set_factor(&name("alice"), factor, NOW).unwrap();
        let user = database.begin().unwrap().user(&name("alice")).unwrap().unwrap();
        assert_eq!((user.factor, user.has_token), (factor, true));
    }
    assert_eq!((count(&database, "challenge"), count(&database, "failure")), (1, 1));
    database.set_factor(&name("carol"), Some(Factor::Duo), NOW).unwrap();
    let carol = database.begin().unwrap().user(&name("carol")).unwrap().unwrap();
    assert_eq!((carol.factor, carol.has_token, carol.state), (Some(Factor::Duo), false, UserState::Enabled));
}

#[test]
fn a_database_of_the_first_version_is_brought_up_to_date() {
    let (_directory, path, database) = new_database();
    database
        .connection
        .execute_batch(
            "DROP TABLE push; ALTER TABLE challenge DROP COLUMN asked; ALTER TABLE failure DROP COLUMN forget_at;
             ALTER TABLE challenge DROP COLUMN secret; ALTER TABLE challenge DROP COLUMN sealed_with;
             PRAGMA user_version = 1;
             INSERT INTO challenge (key, user, identity, expires_at) VALUES (zeroblob(32), 'alice', 'alice', 5);
             INSERT INTO failure (kind, subject, count) VALUES ('user', 'alice', 3);",
        )
        .unwrap();
    drop(database);
    let mut database = Database::open(&path).unwrap();
    let taken = database.begin().unwrap().take_challenge(&ChallengeKey([0; 32])).unwrap().unwrap();
    assert_eq!(taken.asked, Asked::Code);
    assert!(!database.begin().unwrap().push_is_open(&name("alice"), NOW).unwrap());
    let failures = database.begin().unwrap().failures(&name("alice")).unwrap();
    assert_eq!(failures, Failures { count: 3, ..Failures::default() });
}

#[test]
fn backup_codes_are_kept_as_hashes_used_once_and_replaced_together() {
    let (_directory, path, mut database, _) = with_alice();
    let alice = name("alice");
    let code = |typed: &[u8]| BackupCode::parse(&secret(typed)).unwrap();
    let hash = |typed: &[u8]| code(typed).hashed(&SystemRandom).unwrap();
    assert_eq!(database.enrolled("alice").unwrap().unwrap().backup_codes, BackupCodes::default());
    let hashes = [hash(b"aaaa-bbbb-cc01"), hash(b"aaaa-bbbb-cc02")];
    assert!(database.replace_backup_codes(&alice, &hashes).unwrap());
    let user = database.begin().unwrap().user(&alice).unwrap().unwrap().id;
    let stored = database.begin().unwrap().backup_codes(user).unwrap();
    assert_eq!(stored.iter().map(|code| code.hash).collect::<Vec<_>>(), hashes);
    assert!(code(b"aaaa-bbbb-cc02").is(&stored[1].hash));

    committed(&mut database, |records| records.use_backup_code(stored[1].id, NOW)).unwrap();
    let codes = database.begin().unwrap().backup_codes(user).unwrap();
    assert_eq!((codes[0].used_at, codes[1].used_at), (None, Some(NOW)));
    assert!(database.begin().unwrap().use_backup_code(stored[1].id, NOW).is_err(), "twice");
    assert!(database.begin().unwrap().use_backup_code(BackupCodeId(99), NOW).is_err());
    let counted = BackupCodes { made: 2, left: 1 };
    assert_eq!(database.enrolled("alice").unwrap().unwrap().backup_codes, counted);

    assert!(database.replace_backup_codes(&alice, &[hash(b"aaaa-bbbb-cc03")]).unwrap());
    let counted = BackupCodes { made: 1, left: 1 };
    assert_eq!(database.enrolled("alice").unwrap().unwrap().backup_codes, counted);
    // Who has no token has no use for them.
    database.set_factor(&name("bob"), Some(Factor::Duo), NOW).unwrap();
    for nobody in ["bob", "nobody"] {
        assert!(!database.replace_backup_codes(&name(nobody), &hashes).unwrap());
    }
    assert_eq!(count(&database, "backup_code"), 1);
    // What this version did not write is an error, and lets nobody in.
    database.connection.execute_batch("UPDATE backup_code SET salt = x'00'").unwrap();
    assert!(database.begin().unwrap().backup_codes(user).is_err());
    drop(database);
    assert!(Database::open(&path).unwrap().enrolled("alice").unwrap().is_some());
}

#[test]
fn a_first_enrolment_starts_without_the_failures_and_questions_of_the_name() {
    let (_directory, _path, mut database) = new_database();
    committed(&mut database, |records| {
        records
            .set_failures(
                &name("alice"),
                Failures { count: 5, locked_until: Some(NOW + 300), forget_at: None },
            )
            .unwrap();
        records.put_challenge(&KEY, &challenge("alice", NOW), NOW).unwrap();
    });
    assert!(enrol(&mut database, "alice", 1, Replace::No).unwrap());
    assert_eq!((count(&database, "failure"), count(&database, "challenge")), (0, 0));
}

#[test]
fn a_deleted_user_leaves_nothing_behind_and_others_alone() {
    let (_directory, _path, mut database, _) = with_alice();
    assert!(enrol(&mut database, "bob", 2, Replace::No).unwrap());
    let bystander = dump(&database).lines().filter(|line| !line.contains("alice")).count();
    assert!(bystander > 0);
    let user = |database: &mut Database, user: &str| {
        database.begin().unwrap().user(&name(user)).unwrap().unwrap().id.0
    };
    for (who, number) in [("alice", 1), ("bob", 2)] {
        let id = user(&mut database, who);
        let backup = "INSERT INTO backup_code (user_id, salt, hash) VALUES (?1, x'00', x'00')";
        database.connection.execute(backup, [id]).unwrap();
        committed(&mut database, |records| {
            records.set_failures(&name(who), Failures { count: 1, ..Failures::default() }).unwrap();
            records.put_challenge(&ChallengeKey([number; 32]), &challenge(who, NOW), NOW).unwrap();
            // Asked under another name, with this one's second factor; and the other way round.
            let as_identity = Challenge { user: "x".to_owned(), ..challenge(who, NOW) };
            records.put_challenge(&ChallengeKey([number + 10; 32]), &as_identity, NOW).unwrap();
            let as_user = Challenge { identity: "x".to_owned(), ..challenge(who, NOW) };
            records.put_challenge(&ChallengeKey([number + 20; 32]), &as_user, NOW).unwrap();
        });
    }
    assert!(database.delete(&name("alice")).unwrap());
    for (table, rows) in
        [("user", 1), ("totp_token", 1), ("backup_code", 1), ("challenge", 3), ("failure", 1)]
    {
        assert_eq!(count(&database, table), rows, "{table}");
    }
    assert!(database.enrolled("alice").unwrap().is_none());
    assert!(!database.delete(&name("alice")).unwrap(), "there is none any more");
    let names: Vec<String> = database.users().unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["bob"]);
}

#[test]
fn the_questions_of_a_name_that_is_not_enrolled_can_be_deleted_too() {
    let (_directory, _path, mut database) = new_database();
    committed(&mut database, |records| records.put_challenge(&KEY, &challenge("alice", NOW), NOW)).unwrap();
    assert!(!database.delete(&name("alice")).unwrap());
    assert!(!database.is_asked(&KEY).unwrap());
}

#[test]
fn a_deleted_secret_is_wiped_from_the_file() {
    let (directory, _path, mut database) = new_database();
    let bytes: Vec<u8> = (b'A'..b'U').collect();
    let token_secret = secret(&bytes);
    let token =
        NewToken { secret: &token_secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    assert!(database.enrol(&name("alice"), &token, Replace::No, NOW).unwrap());
    drop(database);
    let holds_secret = || {
        snapshot(directory.path())
            .values()
            .any(|(_, content)| content.windows(bytes.len()).any(|part| part == bytes))
    };
    assert!(holds_secret());
    let mut database = Database::open(&directory.path().join("tokens.sqlite3")).unwrap();
    assert!(database.delete(&name("alice")).unwrap());
    drop(database);
    assert!(!holds_secret());
}

#[test]
fn users_are_listed_by_name() {
    let (_directory, _path, mut database) = new_database();
    for user in ["mallory", "alice", "Bob", "a b \"c\" d:e'f"] {
        assert!(enrol(&mut database, user, 1, Replace::No).unwrap());
    }
    let names: Vec<String> = database.users().unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["Bob", "a b \"c\" d:e'f", "alice", "mallory"]);
}

#[test]
fn names_are_values_and_never_sql() {
    let (_directory, _path, mut database) = new_database();
    for user in ["'; DROP TABLE user; --", "%", "a\"b", "\u{1F512}", "?1"] {
        assert!(enrol(&mut database, user, 1, Replace::No).unwrap());
        assert!(database.begin().unwrap().user(&name(user)).unwrap().is_some());
        assert_eq!(database.enrolled(user).unwrap().unwrap().name, user);
        assert!(database.delete(&name(user)).unwrap());
        assert_eq!(count(&database, "user"), 0);
    }
}

#[test]
fn the_schema_refuses_what_no_version_writes() {
    let (_directory, _path, database, _) = with_alice();
    for statement in [
        "INSERT INTO totp_token (user_id, secret, created_at) VALUES (999, zeroblob(20), 0)",
        "INSERT INTO backup_code (user_id, salt, hash) VALUES (999, x'00', x'00')",
        "UPDATE user SET id = id + 1",
        "UPDATE totp_token SET secret = zeroblob(9)",
        "UPDATE totp_token SET digits = 5",
        "UPDATE totp_token SET digits = 9",
        "UPDATE totp_token SET period = 0",
        "UPDATE totp_token SET algorithm = 'MD5'",
        "UPDATE totp_token SET last_step = 'x'",
        "UPDATE user SET state = 'maybe'",
        "UPDATE user SET factor = 'fax'",
        "INSERT INTO user (name, created_at) VALUES ('alice', 0)",
        "INSERT INTO failure (kind, subject, count) VALUES ('city', 'x', 1)",
    ] {
        assert!(database.connection.execute(statement, []).is_err(), "{statement}");
    }
}

#[test]
fn an_enrolment_that_cannot_be_stored_leaves_nothing() {
    let (_directory, _path, mut database, _) = with_alice();
    let before = dump(&database);
    let short = secret(b"too short");
    let token = NewToken { secret: &short, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    for (user, replace) in [("bob", Replace::No), ("alice", Replace::Yes)] {
        assert!(database.enrol(&name(user), &token, replace, NOW).is_err());
    }
    assert_eq!(dump(&database), before);
}

#[test]
fn tokens_of_every_kind_are_read_as_they_were_written() {
    let (_directory, _path, mut database) = new_database();
    for (user, algorithm, digits, period) in [
        ("one", Algorithm::Sha1, 6, 30),
        ("two", Algorithm::Sha256, 7, 60),
        ("three", Algorithm::Sha512, 8, 1),
    ] {
        let bytes = secret(&[7; 64]);
        let new = NewToken { secret: &bytes, algorithm, digits, period, label: "" };
        assert!(database.enrol(&name(user), &new, Replace::No, NOW).unwrap());
        let mut records = database.begin().unwrap();
        let id = records.user(&name(user)).unwrap().unwrap().id;
        let [token] = &records.tokens(id).unwrap()[..] else { panic!("one token") };
        assert_eq!((token.algorithm, token.digits, token.period), (algorithm, digits, period));
        assert_eq!(token.secret.expose_secret(), [7; 64]);
    }
}

#[test]
fn state_and_factor_of_a_record_reach_the_decision() {
    let (_directory, _path, mut database, _) = with_alice();
    database.connection.execute("UPDATE user SET state = 'disabled', factor = 'duo'", []).unwrap();
    let user = database.begin().unwrap().user(&name("alice")).unwrap().unwrap();
    assert_eq!((user.state, user.factor), (UserState::Disabled, Some(Factor::Duo)));
    let alice = database.enrolled("alice").unwrap().unwrap();
    assert_eq!((alice.state, alice.factor), (UserState::Disabled, Some(Factor::Duo)));
}

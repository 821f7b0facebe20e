use super::*;
use crate::auth::{Records, Store, UserState};
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::secret::{ExposeSecret, secret};
use crate::store::{Location, NewToken, Replace};
use std::os::unix::fs::PermissionsExt;

const NOW: UnixTime = 1_795_314_065;

fn location(path: &Path) -> Location {
    Location { database: path.to_owned(), key_file: None }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let private = std::fs::Permissions::from_mode(0o700);
        Self(tempfile::Builder::new().permissions(private).tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self) -> Database {
        Database::open_or_create(location(&self.path("live"))).unwrap()
    }
}

fn enrol(database: &mut Database, name: &str, bytes: &[u8]) {
    let token = secret(bytes);
    let new = NewToken { secret: &token, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    let name: UserName = name.parse().unwrap();
    assert!(database.enrol(&name, &new, Replace::Yes, NOW - 1_000).unwrap());
}

fn burn(database: &mut Database, name: &str, step: u64) {
    let token = database.enrolled(name).unwrap().unwrap().tokens.remove(0).id;
    let mut records: Box<dyn Records> = database.begin().unwrap();
    records.burn_step(token, step, 0).unwrap();
    records.commit().unwrap();
}

fn last_step(database: &mut Database, name: &str) -> Option<u64> {
    database.enrolled(name).unwrap().unwrap().tokens[0].last_step
}

fn restart() -> Restart {
    Restart { now: NOW, window: 1 }
}

#[test]
fn a_backup_is_a_private_file_that_is_whole_and_never_replaces_one() {
    let place = Place::new();
    let mut database = place.database();
    enrol(&mut database, "alice", b"12345678901234567890");
    enrol(&mut database, "bob", b"09876543210987654321");
    let counts = database.back_up(&place.path("copy")).unwrap();
    assert_eq!(counts, Counts { users: 2, tokens: 2 });
    let state = std::fs::metadata(place.path("copy")).unwrap();
    assert_eq!(state.permissions().mode() & 0o777, 0o600);
    assert_eq!(verify(&place.path("copy")).unwrap().counts, counts);
    for name in ["copy-wal", "copy-shm", "copy-journal"] {
        assert!(!place.path(name).exists(), "{name}");
    }
    let before = std::fs::read(place.path("copy")).unwrap();
    assert!(matches!(database.back_up(&place.path("copy")), Err(BackupError::Create { .. })));
    assert!(matches!(database.back_up(&place.path("no/such/place")), Err(BackupError::Create { .. })));
    assert_eq!(std::fs::read(place.path("copy")).unwrap(), before);
}

#[test]
fn a_restored_database_holds_what_the_backup_holds_and_the_previous_one_is_kept() {
    let place = Place::new();
    let mut database = place.database();
    enrol(&mut database, "alice", b"12345678901234567890");
    database.back_up(&place.path("copy")).unwrap();
    enrol(&mut database, "alice", b"another secret of hers");
    enrol(&mut database, "bob", b"09876543210987654321");
    let backup = verify(&place.path("copy")).unwrap();
    let before = database.restore(&backup, &place.path("previous"), restart()).unwrap();
    assert_eq!(before, Counts { users: 2, tokens: 2 });
    let users = database.users().unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["alice"]);
    let tokens = database.tokens(&"alice".parse().unwrap()).unwrap();
    assert_eq!(tokens[0].secret.expose_secret(), b"12345678901234567890");
    assert_eq!(users[0].state, UserState::Enabled);
    assert_eq!(verify(&place.path("previous")).unwrap().counts, before);
    // Seen by those who had it open, and by those who open it.
    assert_eq!(place.database().users().unwrap().len(), 1);
    // The name is taken: nothing is done.
    enrol(&mut database, "carol", b"09876543210987654321");
    assert!(database.restore(&backup, &place.path("previous"), restart()).is_err());
    assert_eq!(database.users().unwrap().len(), 2);
    database.back_up(&place.path("it-still-works")).unwrap();
}

#[test]
fn no_used_code_comes_to_life_again() {
    let place = Place::new();
    let mut database = place.database();
    let present = NOW / 30;
    for (name, bytes) in [
        ("used-since", b"11111111111111111111"),
        ("used-before", b"22222222222222222222"),
        ("deleted-since", b"33333333333333333333"),
        ("another-secret", b"44444444444444444444"),
        ("never-used", b"55555555555555555555"),
    ] {
        enrol(&mut database, name, bytes);
    }
    burn(&mut database, "used-before", present - 50);
    database.back_up(&place.path("copy")).unwrap();
    burn(&mut database, "used-since", present);
    burn(&mut database, "deleted-since", present);
    database.delete(&"deleted-since".parse().unwrap()).unwrap();
    enrol(&mut database, "another-secret", b"66666666666666666666");
    let backup = verify(&place.path("copy")).unwrap();
    database.restore(&backup, &place.path("previous"), restart()).unwrap();
    assert_eq!(last_step(&mut database, "used-since"), Some(present));
    assert_eq!(last_step(&mut database, "used-before"), Some(present - 50));
    assert_eq!(last_step(&mut database, "never-used"), Some(0));
    // Nobody knows what was used of these: all that could have been.
    assert_eq!(last_step(&mut database, "deleted-since"), Some(present + 1));
    // The number and the moment of enrolment differ, or the secret does.
    assert_eq!(last_step(&mut database, "another-secret"), Some(present + 1));
    // On a machine that knows nothing.
    let mut new = Database::open_or_create(location(&place.path("new"))).unwrap();
    new.restore(&backup, &place.path("previous-of-new"), restart()).unwrap();
    assert_eq!(last_step(&mut new, "never-used"), Some(present + 1));
}

#[test]
fn backup_codes_that_were_used_or_replaced_are_void() {
    let place = Place::new();
    let mut database = place.database();
    for name in ["used", "replaced", "same", "gone"] {
        enrol(&mut database, name, b"12345678901234567890");
    }
    let sql = |database: &Database, text: &str| database.connection.execute_batch(text).unwrap();
    let code = "INSERT INTO backup_code (user_id, salt, hash) SELECT id, x'00', CAST(name AS BLOB) FROM user";
    sql(&database, code);
    database.back_up(&place.path("copy")).unwrap();
    sql(
        &database,
        "UPDATE backup_code SET used_at = 7 WHERE hash = CAST('used' AS BLOB);
         UPDATE backup_code SET hash = x'01' WHERE hash = CAST('replaced' AS BLOB);",
    );
    database.delete(&"gone".parse().unwrap()).unwrap();
    let backup = verify(&place.path("copy")).unwrap();
    database.restore(&backup, &place.path("previous"), restart()).unwrap();
    let open: Vec<String> = database
        .connection
        .prepare("SELECT CAST(hash AS TEXT) FROM backup_code WHERE used_at IS NULL ORDER BY 1")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(open, ["gone", "same"]);
}

#[test]
fn locks_stay_and_questions_are_forgotten() {
    let place = Place::new();
    let mut database = place.database();
    enrol(&mut database, "alice", b"12345678901234567890");
    database.back_up(&place.path("copy")).unwrap();
    database
        .connection
        .execute_batch(
            "INSERT INTO failure (kind, subject, count, locked_until) VALUES ('user', 'alice', 5, 9999999999);
             INSERT INTO push VALUES ('alice', 9999999999);
             INSERT INTO challenge (key, user, identity, expires_at) VALUES (x'00', 'alice', 'alice', 9999999999);",
        )
        .unwrap();
    let backup = verify(&place.path("copy")).unwrap();
    database.restore(&backup, &place.path("previous"), restart()).unwrap();
    assert_eq!(database.enrolled("alice").unwrap().unwrap().failures.count, 5);
    for table in ["push", "challenge"] {
        let query = format!("SELECT count(*) FROM {table}");
        let left: i64 = database.connection.query_row(&query, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[test]
fn what_is_no_whole_backup_of_ours_is_refused() {
    let place = Place::new();
    let mut database = place.database();
    for number in 0..200 {
        enrol(&mut database, &format!("user {number}"), b"12345678901234567890");
    }
    database.back_up(&place.path("copy")).unwrap();
    let whole = std::fs::read(place.path("copy")).unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = place.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        verify(&path).map(drop).unwrap_err().to_string()
    };
    assert!(refused("text", b"hello").contains("not a backup"));
    assert!(refused("empty", b"").contains("not a backup"));
    refused("cut", &whole[..whole.len() / 2]);
    let mut later = whole.clone();
    later[60..64].copy_from_slice(&99_u32.to_be_bytes());
    assert!(refused("later", &later).contains("later version"));
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4096].fill(0xa5);
    refused("damaged", &damaged);
    let connection = Connection::open(place.path("copy")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM user WHERE id = 7").unwrap();
    drop(connection);
    assert!(verify(&place.path("copy")).map(drop).unwrap_err().to_string().contains("rows without"));
    std::fs::set_permissions(place.path("copy"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(verify(&place.path("copy")).map(drop).unwrap_err().to_string().contains("chmod go-rwx"));
}

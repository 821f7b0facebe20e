use super::*;
use crate::auth::Store as _;
use crate::random::SystemRandom;
use crate::store::{Database, Location, Protection, Rekeyed, Replace, new_key};
use std::fmt::Write as _;
use std::path::PathBuf;

const NOW: UnixTime = 1_795_295_268;
const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// A database, and keys `one` and `two` for it.
struct Place {
    directory: tempfile::TempDir,
    one: KeyId,
    two: KeyId,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = |name: &str| new_key(&directory.path().join(name), &SystemRandom).unwrap();
        let (one, two) = (key("one"), key("two"));
        Self { directory, one, two }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, key: Option<&str>) -> Database {
        let key_file = key.map(|name| self.path(name));
        Database::open_or_create(Location { database: self.path("tokens.sqlite3"), key_file }).unwrap()
    }

    /// A database with three users, whose secrets were stored with this key.
    fn with_users(key: Option<&str>) -> Self {
        let place = Self::new();
        let mut database = place.open(key);
        for user in USERS {
            enrol(&mut database, user).unwrap();
        }
        place
    }

    /// The secrets of the users whose secrets stand somewhere in the files.
    fn in_plain_sight(&self) -> Vec<&'static str> {
        let files: Vec<Vec<u8>> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        let seen = |user: &str| {
            let secret = plain(user);
            files.iter().any(|file| file.windows(secret.len()).any(|part| part == secret))
        };
        USERS.into_iter().filter(|user| seen(user)).collect()
    }
}

/// The secret of a user: 20 bytes that are nowhere by chance.
fn plain(user: &str) -> Vec<u8> {
    format!("{user}-secret-01234567890").into_bytes()[..20].to_vec()
}

fn enrol(database: &mut Database, user: &str) -> Result<bool, StoreError> {
    let secret = secret(&plain(user));
    let token = NewToken { secret: &secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    database.enrol(&name(user), &token, Replace::No, NOW)
}

fn name(user: &str) -> UserName {
    user.parse().unwrap()
}

/// What the decision gets to see.
fn secret_for_a_login(database: &mut Database, user: &str) -> Result<Vec<u8>, String> {
    let mut records = database.begin().unwrap();
    let user = records.user(&name(user)).unwrap().unwrap();
    let tokens = records.tokens(user.id).map_err(|error| error.to_string())?;
    let [token] = &tokens[..] else { panic!("one token") };
    Ok(token.secret.expose_secret().to_vec())
}

fn assert_readable(database: &mut Database) {
    database.check_secrets().unwrap();
    for user in USERS {
        assert_eq!(secret_for_a_login(database, user).unwrap(), plain(user));
        assert_eq!(database.tokens(&name(user)).unwrap()[0].secret.expose_secret(), plain(user));
    }
}

/// The names of the keys of all rows.
fn keys(database: &Database) -> Vec<Option<String>> {
    stored(&database.connection).unwrap().into_iter().map(|row| row.sealed_with).collect()
}

fn rows(database: &Database) -> String {
    let mut text = String::new();
    for row in stored(&database.connection).unwrap() {
        writeln!(text, "{} {:?} {:?}", row.user, row.blob.expose_secret(), row.sealed_with).unwrap();
    }
    text
}

fn done(changed: usize, key: Option<&KeyId>) -> Rekeyed {
    Rekeyed { secrets: 3, changed, key: key.cloned() }
}

#[test]
fn with_a_key_a_secret_is_stored_sealed_and_in_no_file_as_it_is() {
    let place = Place::with_users(Some("one"));
    let mut database = place.open(Some("one"));
    assert_eq!(
        keys(&database),
        [Some(place.one.to_string()), Some(place.one.to_string()), Some(place.one.to_string())]
    );
    assert_readable(&mut database);
    assert_eq!(place.in_plain_sight(), [""; 0]);
    assert_eq!(Place::with_users(None).in_plain_sight(), USERS, "the test sees them where they are");
}

#[test]
fn without_a_key_nothing_changes_and_no_key_is_looked_for() {
    let place = Place::with_users(None);
    // A key that cannot be had is no matter to secrets that are not sealed.
    for key in [None, Some("one"), Some("no-such-key")] {
        let mut database = place.open(key);
        assert_eq!(keys(&database), [None, None, None]);
        for user in USERS {
            assert_eq!(secret_for_a_login(&mut database, user).unwrap(), plain(user));
        }
    }
}

#[test]
fn sealed_and_unsealed_secrets_can_stand_side_by_side() {
    let place = Place::with_users(None);
    let mut database = place.open(Some("one"));
    enrol(&mut database, "dave").unwrap();
    assert_eq!(keys(&database), [None, None, None, Some(place.one.to_string())]);
    assert_readable(&mut database);
    assert_eq!(secret_for_a_login(&mut database, "dave").unwrap(), plain("dave"));
}

#[test]
fn a_secret_that_is_too_short_is_not_stored_sealed_either() {
    let place = Place::new();
    let mut database = place.open(Some("one"));
    let short = secret(b"too short");
    let token = NewToken { secret: &short, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    assert!(database.enrol(&name("alice"), &token, Replace::No, NOW).is_err());
    assert!(database.enrolled("alice").unwrap().is_none());
}

#[test]
fn without_the_key_there_is_an_error_that_says_what_to_do_and_no_secret() {
    let place = Place::with_users(Some("one"));
    let (one, two) = (place.one.as_str(), place.two.as_str());
    let two_file = place.path("two").display().to_string();
    let missing = place.path("no-such-key").display().to_string();
    for (key, parts) in [
        (None, &["alice's secret is encrypted with the key ", one, "set [store] key_file"][..]),
        (
            Some("two"),
            &[
                "alice's secret is encrypted with another key (id ",
                one,
                "), the key of ",
                &two_file,
                " has id ",
                two,
                "rekey --old-key-file",
            ],
        ),
        (Some("no-such-key"), &["[store] key_file: there is no key at ", &missing, "put it back"]),
    ] {
        let mut database = place.open(key);
        let all = [
            secret_for_a_login(&mut database, "alice").unwrap_err(),
            database.check_secrets().unwrap_err().to_string(),
            database.tokens(&name("alice")).map(drop).unwrap_err().to_string(),
        ];
        for text in all {
            assert!(parts.iter().all(|part| text.contains(part)), "{key:?}: {text}");
        }
        // Who is there can be seen, and taken out, by somebody who has lost the key.
        assert_eq!(database.users().unwrap().len(), 3);
        assert_eq!(database.enrolled("alice").unwrap().unwrap().tokens[0].sealed_with.as_deref(), Some(one));
        assert!(database.delete(&name("bob")).unwrap());
        enrol(&mut place.open(Some("one")), "bob").unwrap();
    }
}

#[test]
fn a_user_is_not_enrolled_in_plain_when_the_key_cannot_be_had() {
    let place = Place::with_users(None);
    let mut database = place.open(Some("no-such-key"));
    let before = rows(&database);
    let text = enrol(&mut database, "dave").unwrap_err().to_string();
    assert!(text.contains("there is no key at"), "{text}");
    assert_eq!(rows(&database), before);
    assert!(database.enrolled("dave").unwrap().is_none());
}

#[test]
fn a_row_that_somebody_changed_is_refused() {
    for (change, what) in [
        (
            "UPDATE totp_token SET secret = (SELECT secret FROM totp_token AS other WHERE other.id = 3 - totp_token.id) WHERE id < 3",
            "swapped with bob's",
        ),
        ("UPDATE totp_token SET user_id = 3 - user_id WHERE id < 3", "given to bob"),
        (
            "UPDATE user SET name = 'x' WHERE id = 1; UPDATE user SET name = 'alice' WHERE id = 2; \
             UPDATE user SET name = 'bob' WHERE id = 1",
            "names exchanged",
        ),
        ("UPDATE totp_token SET id = 99 WHERE id = 1", "another number"),
        ("UPDATE totp_token SET digits = 8", "other digits"),
        ("UPDATE totp_token SET period = 60", "another period"),
        ("UPDATE totp_token SET algorithm = 'SHA256'", "another algorithm"),
        ("UPDATE totp_token SET secret = substr(secret, 1, 59)", "a byte too short"),
        ("UPDATE totp_token SET secret = substr(secret, 1, 10)", "cut"),
        ("UPDATE totp_token SET secret = zeroblob(60)", "zeroes"),
    ] {
        let place = Place::with_users(Some("one"));
        let mut database = place.open(Some("one"));
        database.connection.execute_batch(change).unwrap();
        let text = secret_for_a_login(&mut database, "alice").unwrap_err();
        let parts =
            ["alice's secret cannot be decrypted", place.one.as_str(), "openvpn-2fa enroll alice --force"];
        assert!(parts.iter().all(|part| text.contains(part)), "{what}: {text}");
        let before = rows(&database);
        assert!(database.rekey(Protection::None, None).is_err(), "{what}");
        assert_eq!(rows(&database), before, "{what}");
    }
}

#[test]
fn names_in_errors_are_safe_for_a_terminal() {
    let place = Place::new();
    enrol(&mut place.open(Some("one")), "a\u{202e}b").unwrap();
    for key in [None, Some("two")] {
        let text = place.open(key).check_secrets().unwrap_err().to_string();
        assert!(text.starts_with("a\\u{202e}b's secret"), "{text}");
    }
}

#[test]
fn secrets_are_encrypted_afterwards_and_leave_no_trace_in_the_file() {
    let place = Place::with_users(None);
    assert_eq!(place.in_plain_sight(), USERS);
    let mut database = place.open(Some("one"));
    assert_eq!(database.rekey(Protection::Encrypted, None).unwrap(), done(3, Some(&place.one)));
    database.compact().unwrap();
    assert_eq!(place.in_plain_sight(), [""; 0], "while the database is open, with its log");
    assert_readable(&mut database);
    // Again: nothing to do.
    assert_eq!(database.rekey(Protection::Encrypted, None).unwrap(), done(0, Some(&place.one)));
    drop(database);
    assert_eq!(place.in_plain_sight(), [""; 0]);
    assert_readable(&mut place.open(Some("one")));
}

#[test]
fn a_key_takes_the_place_of_another() {
    let place = Place::with_users(Some("one"));
    let mut database = place.open(Some("two"));
    let before = rows(&database);
    for old in [None, Some(place.path("two")), Some(place.path("no-such-key"))] {
        let text = database.rekey(Protection::Encrypted, old.as_deref()).unwrap_err().to_string();
        let expected =
            if old == Some(place.path("no-such-key")) { "there is no key at" } else { "another key" };
        assert!(text.contains(expected), "{text}");
        assert_eq!(rows(&database), before);
    }
    let old = place.path("one");
    assert_eq!(database.rekey(Protection::Encrypted, Some(&old)).unwrap(), done(3, Some(&place.two)));
    assert_readable(&mut database);
    assert!(place.open(Some("one")).check_secrets().is_err(), "the old key opens nothing");
    // With rows of the new key, of none, and of the old one.
    database.delete(&name("bob")).unwrap();
    enrol(&mut place.open(None), "bob").unwrap();
    database.delete(&name("carol")).unwrap();
    enrol(&mut place.open(Some("one")), "carol").unwrap();
    assert_eq!(database.rekey(Protection::Encrypted, Some(&old)).unwrap(), done(2, Some(&place.two)));
    assert_readable(&mut database);
}

#[test]
fn the_encryption_can_be_taken_off_again() {
    for (settings, old) in [(Some("one"), None), (None, Some("one")), (Some("two"), Some("one"))] {
        let place = Place::with_users(Some("one"));
        let mut database = place.open(settings);
        let old = old.map(|name| place.path(name));
        assert_eq!(database.rekey(Protection::None, old.as_deref()).unwrap(), done(3, None));
        database.compact().unwrap();
        assert_eq!(keys(&database), [None, None, None]);
        assert_readable(&mut place.open(None));
    }
    let place = Place::with_users(Some("one"));
    let text = place.open(None).rekey(Protection::None, Some(&place.path("two"))).unwrap_err().to_string();
    assert!(text.contains(place.one.as_str()) && text.contains(place.two.as_str()), "{text}");
}

#[test]
fn without_a_key_in_the_settings_nothing_can_be_encrypted() {
    let place = Place::with_users(None);
    let mut database = place.open(None);
    let text = database.rekey(Protection::Encrypted, Some(&place.path("one"))).unwrap_err().to_string();
    assert!(text.contains("[store] key_file") && text.contains("new-key"), "{text}");
    assert_eq!(keys(&database), [None, None, None]);
}

#[test]
fn a_fault_in_the_middle_changes_nothing() {
    let trigger = "CREATE TEMP TRIGGER fault BEFORE UPDATE OF secret ON totp_token WHEN NEW.id = 3
                   BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    for (stored_with, settings, old, protection) in [
        (None, Some("one"), None, Protection::Encrypted),
        (Some("one"), Some("two"), Some("one"), Protection::Encrypted),
        (Some("one"), Some("one"), None, Protection::None),
    ] {
        let place = Place::with_users(stored_with);
        let mut database = place.open(settings);
        let before = rows(&database);
        database.connection.execute_batch(trigger).unwrap();
        let old = old.map(|name| place.path(name));
        let text = database.rekey(protection, old.as_deref()).unwrap_err().to_string();
        assert!(text.contains("disk full"), "{text}");
        assert_eq!(rows(&database), before);
        assert_eq!(rows(&place.open(stored_with)), before);
        assert_readable(&mut place.open(stored_with));
    }
    // One secret that cannot be read: the others are not touched.
    let place = Place::with_users(Some("one"));
    let mut database = place.open(Some("two"));
    database.connection.execute("UPDATE totp_token SET digits = 8 WHERE id = 3", []).unwrap();
    let before = rows(&database);
    let text = database.rekey(Protection::Encrypted, Some(&place.path("one"))).unwrap_err().to_string();
    assert!(text.contains("carol's secret cannot be decrypted"), "{text}");
    assert_eq!(rows(&database), before);
}

#[test]
fn a_file_that_others_use_all_the_time_is_not_said_to_be_clean() {
    let place = Place::with_users(None);
    let reader = place.open(None);
    reader.connection.execute_batch("BEGIN; SELECT count(*) FROM user;").unwrap();
    let mut database = place.open(Some("one"));
    database.connection.busy_timeout(std::time::Duration::from_millis(50)).unwrap();
    database.rekey(Protection::Encrypted, None).unwrap();
    assert!(database.compact().unwrap_err().to_string().contains("others were using it"));
    assert_readable(&mut database);
    reader.connection.execute_batch("COMMIT").unwrap();
    database.compact().unwrap();
    assert_eq!(place.in_plain_sight(), [""; 0]);
}

use super::*;
use crate::auth::{Asked, Challenge, ChallengeKey, Store as _};
use crate::factor::totp::Algorithm;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, secret};
use crate::store::{Location, NewToken, Replace, new_key};

const NOW: u64 = 1_795_295_268;
const LOCKED: Failures = Failures { count: 5, locked_until: Some(NOW + 300), forget_at: None };
const SECRET: [u8; 20] = [7; 20];

fn name(user: &str) -> UserName {
    user.parse().unwrap()
}

/// A database with alice and bob, sealed with `key` where that is said.
fn database(sealed: bool) -> (tempfile::TempDir, Location, Database) {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    new_key(&key, &SystemRandom).unwrap();
    let location = Location { database: directory.path().join("t.sqlite3"), key_file: sealed.then_some(key) };
    let mut database = Database::open_or_create(location.clone()).unwrap();
    for user in ["alice", "bob"] {
        let secret = secret(&SECRET);
        let token =
            NewToken { secret: &secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
        assert!(database.enrol(&name(user), &token, Replace::No, NOW).unwrap());
    }
    (directory, location, database)
}

fn fail(database: &mut Database, user: &str, failures: Failures) {
    let mut records = database.begin().unwrap();
    records.set_failures(&name(user), failures).unwrap();
    records.commit().unwrap();
}

fn failures(database: &mut Database, user: &str) -> Failures {
    database.begin().unwrap().failures(&name(user)).unwrap()
}

/// Puts a question: to `user`, about the second factor of `identity`.
fn ask(database: &mut Database, key: u8, user: &str, identity: &str) {
    let challenge = Challenge {
        user: user.to_owned(),
        identity: identity.to_owned(),
        common_name: None,
        certificate: None,
        expires_at: NOW + 300,
        asked: Asked::Code,
    };
    let mut records = database.begin().unwrap();
    records.put_challenge(&ChallengeKey([key; 32]), &challenge, NOW).unwrap();
    records.commit().unwrap();
}

fn open_questions<const N: usize>(database: &mut Database) -> [bool; N] {
    std::array::from_fn(|key| database.is_asked(&ChallengeKey([u8::try_from(key).unwrap(); 32])).unwrap())
}

#[test]
fn a_state_is_set_at_once_and_what_it_was_is_told() {
    let (_directory, _location, mut database) = database(false);
    for (state, before) in [
        (UserState::Disabled, UserState::Enabled),
        (UserState::Disabled, UserState::Disabled),
        (UserState::Enabled, UserState::Disabled),
        (UserState::Enabled, UserState::Enabled),
    ] {
        assert_eq!(database.set_state(&name("alice"), state).unwrap(), Some(before));
        let mut records = database.begin().unwrap();
        assert_eq!(records.user(&name("alice")).unwrap().unwrap().state, state);
        assert_eq!(records.user(&name("bob")).unwrap().unwrap().state, UserState::Enabled);
        drop(records);
        assert_eq!(database.set_state(&name("nobody"), state).unwrap(), None);
    }
    assert!(database.enrolled("nobody").unwrap().is_none());
}

#[test]
fn whoever_is_disabled_has_no_open_question_and_no_request_on_the_telephone() {
    let (_directory, _location, mut database) = database(false);
    for (key, user, identity) in
        [(0, "alice", "alice"), (1, "x", "alice"), (2, "alice", "x"), (3, "bob", "bob")]
    {
        ask(&mut database, key, user, identity);
    }
    let mut records = database.begin().unwrap();
    records.open_push(&name("alice"), NOW + 60).unwrap();
    records.commit().unwrap();
    database.set_state(&name("alice"), UserState::Enabled).unwrap();
    assert_eq!(open_questions(&mut database), [true; 4]);
    database.set_state(&name("alice"), UserState::Disabled).unwrap();
    assert_eq!(open_questions(&mut database), [false, false, false, true]);
    assert!(!database.begin().unwrap().push_is_open(&name("alice"), NOW).unwrap());
    assert_eq!(database.enrolled("alice").unwrap().unwrap().tokens.len(), 1, "the enrolment stays");
}

#[test]
fn failures_are_forgotten_whether_there_is_a_record_or_not() {
    let (_directory, _location, mut database) = database(false);
    for user in ["alice", "duo-user"] {
        fail(&mut database, user, LOCKED);
        fail(&mut database, "bob", LOCKED);
        assert_eq!(database.unlock(&name(user)).unwrap(), Some(LOCKED));
        assert_eq!(failures(&mut database, user), Failures::default());
        assert_eq!(failures(&mut database, "bob"), LOCKED);
    }
    assert_eq!(database.unlock(&name("alice")).unwrap(), Some(Failures::default()));
    assert_eq!(database.unlock(&name("duo-user")).unwrap(), None, "nothing is known of that name any more");
}

#[test]
fn a_user_goes_to_another_name_with_everything_but_the_questions() {
    for sealed in [false, true] {
        let (_directory, location, mut database) = database(sealed);
        let id = database.enrolled("alice").unwrap().unwrap().tokens[0].id;
        let user = database.begin().unwrap().user(&name("alice")).unwrap().unwrap().id;
        let mut records = database.begin().unwrap();
        records.burn_step(id, 100, 1).unwrap();
        records.note_login(user, NOW).unwrap();
        records.commit().unwrap();
        let backup = "INSERT INTO backup_code (user_id, salt, hash) VALUES (?1, x'00', x'00')";
        database.connection.execute(backup, [user.0]).unwrap();
        fail(&mut database, "alice", LOCKED);
        for (key, user, identity) in
            [(0, "alice", "x"), (1, "x", "alina"), (2, "alina", "x"), (3, "bob", "bob")]
        {
            ask(&mut database, key, user, identity);
        }
        assert_eq!(database.rename(&name("alice"), &name("alina")).unwrap(), Renaming::Done);

        assert!(database.enrolled("alice").unwrap().is_none());
        assert_eq!(
            (failures(&mut database, "alice"), failures(&mut database, "alina")),
            (Failures::default(), LOCKED)
        );
        assert_eq!(open_questions(&mut database), [false, false, false, true]);
        drop(database);
        let mut database = Database::open(location).unwrap();
        let alina = database.enrolled("alina").unwrap().unwrap();
        assert_eq!(
            (alina.tokens[0].id, alina.tokens[0].last_step, alina.last_login_at),
            (id, Some(100), Some(NOW))
        );
        assert_eq!(alina.tokens[0].sealed_with.is_some(), sealed);
        database.check_secrets().unwrap();
        assert_eq!(database.tokens(&name("alina")).unwrap()[0].secret.expose_secret(), SECRET);
        let codes: i64 = database
            .connection
            .query_row("SELECT count(*) FROM backup_code WHERE user_id = ?1", [user.0], |row| row.get(0))
            .unwrap();
        assert_eq!(codes, 1);
    }
}

#[test]
fn failures_of_a_name_without_a_record_do_not_get_in_the_way_of_a_new_one() {
    let (_directory, _location, mut database) = database(false);
    let few = Failures { count: 2, ..Failures::default() };
    fail(&mut database, "alina", LOCKED);
    fail(&mut database, "alice", few);
    assert_eq!(database.rename(&name("alice"), &name("alina")).unwrap(), Renaming::Done);
    assert_eq!(failures(&mut database, "alina"), few);
}

#[test]
fn a_name_that_is_taken_or_unknown_changes_nothing() {
    let (_directory, _location, mut database) = database(true);
    fail(&mut database, "alice", LOCKED);
    ask(&mut database, 0, "alice", "alice");
    for (old, new, expected) in [
        ("alice", "bob", Renaming::Taken),
        ("alice", "alice", Renaming::Taken),
        ("nobody", "alina", Renaming::Unknown),
        ("nobody", "bob", Renaming::Unknown),
    ] {
        assert_eq!(database.rename(&name(old), &name(new)).unwrap(), expected);
    }
    assert_eq!(failures(&mut database, "alice"), LOCKED);
    assert_eq!(open_questions(&mut database), [true]);
    database.check_secrets().unwrap();
}

#[test]
fn a_sealed_secret_is_not_given_another_name_without_its_key() {
    let (directory, location, mut database) = database(true);
    new_key(&directory.path().join("other"), &SystemRandom).unwrap();
    for key_file in [None, Some("other"), Some("no-such-key")] {
        let key_file = key_file.map(|name| directory.path().join(name));
        let mut other = Database::open(Location { key_file, ..location.clone() }).unwrap();
        assert!(other.rename(&name("alice"), &name("alina")).is_err());
    }
    assert!(database.enrolled("alina").unwrap().is_none());
    database.check_secrets().unwrap();
    // And a name that was changed behind the program's back does not fit.
    database.connection.execute("UPDATE user SET name = 'alina' WHERE name = 'alice'", []).unwrap();
    assert!(database.rename(&name("alina"), &name("alice")).is_err());
}

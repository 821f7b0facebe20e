use super::*;
use crate::auth::{Asked, Records, Store as _, Token, UsedStep, UserState};
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::store::{Database, Location, NewToken, Protection, Replace, new_key};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

const NOW: UnixTime = 1_795_295_268;
const KEY: ChallengeKey = ChallengeKey([1; 32]);
const OTHER_KEY: ChallengeKey = ChallengeKey([2; 32]);
/// A secret that is nowhere by chance.
const PLAIN: &[u8; 20] = b"offered-secret-01234";
const USED: UsedStep = UsedStep { step: 59_843_175, offset: -1 };

/// A directory with a database and two keys for it.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        for key in ["one", "two"] {
            new_key(&site.path(key), &SystemRandom).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, key: Option<&str>) -> Database {
        let key_file = key.map(|name| self.path(name));
        Database::open_or_create(Location { database: self.path("tokens.sqlite3"), key_file }).unwrap()
    }

    /// Whether the secret stands in one of the files as it is.
    fn shows_the_secret(&self) -> bool {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files.into_iter().any(|file| {
            let content = std::fs::read(file.unwrap().path()).unwrap();
            content.windows(PLAIN.len()).any(|part| part == PLAIN)
        })
    }
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn new_secret() -> NewSecret {
    NewSecret::from(secret(PLAIN))
}

fn offer() -> Challenge {
    Challenge {
        user: "bob".to_owned(),
        identity: "bob".to_owned(),
        common_name: Some("Test-Client".to_owned()),
        certificate: None,
        expires_at: NOW + 300,
        asked: Asked::Enrolment(new_secret()),
    }
}

fn committed<T>(database: &mut Database, change: impl FnOnce(&mut dyn Records) -> T) -> T {
    let mut records = database.begin().unwrap();
    let result = change(records.as_mut());
    records.commit().unwrap();
    result
}

fn put(database: &mut Database) {
    committed(database, |records| records.put_challenge(&KEY, &offer(), NOW)).unwrap();
}

/// Takes the question, and puts it back.
fn look(database: &mut Database) -> Result<Option<Challenge>, String> {
    database.begin().unwrap().take_challenge(&KEY).map_err(|error| error.to_string())
}

fn tokens(database: &mut Database, user: &str) -> Vec<Token> {
    database.tokens(&name(user)).unwrap()
}

#[test]
fn an_offered_secret_comes_back_and_stands_in_no_file_where_there_is_a_key() {
    let site = Site::new();
    let mut database = site.open(Some("one"));
    put(&mut database);
    assert!(!site.shows_the_secret());
    assert_eq!(look(&mut database).unwrap(), Some(offer()));
    let taken = committed(&mut database, |records| records.take_challenge(&KEY)).unwrap();
    assert_eq!(taken, Some(offer()));
    assert_eq!(look(&mut database).unwrap(), None);
    // What it becomes is sealed as well.
    committed(&mut database, |records| records.enrol(&name("bob"), &new_secret(), USED, NOW)).unwrap();
    assert!(!site.shows_the_secret());
    assert_eq!(tokens(&mut database, "bob")[0].secret.expose_secret(), PLAIN);
}

#[test]
fn without_a_key_it_is_stored_as_it_is() {
    let site = Site::new();
    let mut database = site.open(None);
    put(&mut database);
    assert!(site.shows_the_secret(), "the look for it finds it");
    assert_eq!(look(&mut database).unwrap(), Some(offer()));
    // And opens with a key that was set since, as tokens do.
    assert_eq!(look(&mut site.open(Some("one"))).unwrap(), Some(offer()));
}

#[test]
fn it_opens_with_its_key_alone_and_errors_hold_nothing_of_it() {
    let site = Site::new();
    put(&mut site.open(Some("one")));
    for (key, part) in [(None, "no key is set"), (Some("two"), "another key")] {
        let error = look(&mut site.open(key)).unwrap_err();
        assert!(error.contains(part) && error.contains("bob"), "{error}");
    }
    // Nothing is stored in plain where the key cannot be had.
    std::fs::remove_file(site.path("one")).unwrap();
    let mut database = site.open(Some("one"));
    assert!(database.begin().unwrap().put_challenge(&OTHER_KEY, &offer(), NOW).is_err());
}

#[test]
fn a_question_that_somebody_changed_is_refused() {
    for change in [
        "user = 'alice'",
        "identity = 'alice'",
        "user = '', identity = 'bobbob'",
        "common_name = 'Other-Client'",
        "common_name = NULL",
        "certificate = ''",
        "expires_at = expires_at + 1",
        "key = zeroblob(32)",
        "secret = zeroblob(60)",
        "secret = zeroblob(0)",
    ] {
        let site = Site::new();
        let mut database = site.open(Some("one"));
        put(&mut database);
        database.connection.execute(&format!("UPDATE challenge SET {change}"), []).unwrap();
        let key = if change.starts_with("key") { ChallengeKey([0; 32]) } else { KEY };
        let taken = database.begin().unwrap().take_challenge(&key);
        let error = taken.expect_err(change).to_string();
        assert!(error.contains("somebody changed the row"), "{change}: {error}");
    }
    let site = Site::new();
    let mut database = site.open(Some("one"));
    put(&mut database);
    database.connection.execute("UPDATE challenge SET secret = NULL", []).unwrap();
    assert!(look(&mut database).is_err());
}

#[test]
fn a_token_is_stored_with_its_step_used() {
    let site = Site::new();
    let mut database = site.open(None);
    committed(&mut database, |records| records.enrol(&name("bob"), &new_secret(), USED, NOW)).unwrap();
    let bob = database.enrolled("bob").unwrap().unwrap();
    assert_eq!((bob.state, bob.factor, bob.created_at), (UserState::Enabled, None, NOW));
    let [token] = &bob.tokens[..] else { panic!("one token") };
    assert_eq!((token.last_step, token.last_offset), (Some(USED.step), Some(USED.offset)));
    assert_eq!((token.algorithm, token.digits, token.period), (Algorithm::Sha1, 6, 30));
    assert_eq!(tokens(&mut database, "bob")[0].secret.expose_secret(), PLAIN);
}

#[test]
fn a_token_is_never_replaced_and_none_comes_beside_it() {
    let site = Site::new();
    let mut database = site.open(None);
    let secret = secret(b"by-an-administrator!");
    let token = NewToken { secret: &secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
    database.enrol(&name("bob"), &token, Replace::No, NOW).unwrap();
    let error = committed(&mut database, |records| records.enrol(&name("bob"), &new_secret(), USED, NOW));
    assert!(error.unwrap_err().to_string().contains("bob has a token"));
    let tokens = tokens(&mut database, "bob");
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].secret.expose_secret(), secret.expose_secret());
}

#[test]
fn of_two_who_set_up_a_token_for_one_name_at_the_same_time_one_does() {
    for _ in 0..10 {
        let site = Site::new();
        drop(site.open(None));
        let start = Barrier::new(2);
        let set_up = |seed: u8| {
            let mut database = site.open(None);
            start.wait();
            let mut records = database.begin().unwrap();
            let has_token = records.user(&name("bob")).unwrap().is_some_and(|bob| bob.has_token);
            let new = NewSecret::from(secret(&[seed; 20]));
            let done = records.enrol(&name("bob"), &new, USED, NOW).is_ok();
            assert_eq!(done, !has_token, "the look under the lock tells");
            if done {
                records.commit().unwrap();
            }
            done
        };
        let both = thread::scope(|scope| {
            let threads = [scope.spawn(|| set_up(1)), scope.spawn(|| set_up(2))];
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(both[0] != both[1], "{both:?}");
        let tokens = tokens(&mut site.open(None), "bob");
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens[0].secret.expose_secret(), [if both[0] { 1 } else { 2 }; 20]);
    }
}

#[test]
fn what_is_offered_goes_when_secrets_are_stored_anew_and_with_what_an_administrator_does() {
    let rekey: fn(&mut Database) = |database| {
        database.rekey(Protection::Encrypted, None).unwrap();
        database.compact().unwrap();
    };
    let enrol: fn(&mut Database) = |database| {
        let secret = secret(&[9; 20]);
        let token =
            NewToken { secret: &secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "" };
        assert!(database.enrol(&name("bob"), &token, Replace::No, NOW).unwrap());
    };
    let disable: fn(&mut Database) = |database| {
        database.set_factor(&name("bob"), None, NOW).unwrap();
        put(database);
        database.set_state(&name("bob"), UserState::Disabled).unwrap();
    };
    let delete: fn(&mut Database) = |database| {
        database.delete(&name("bob")).unwrap();
    };
    for change in [rekey, enrol, disable, delete] {
        let site = Site::new();
        put(&mut site.open(None));
        change(&mut site.open(Some("one")));
        assert_eq!(look(&mut site.open(Some("one"))).unwrap(), None);
    }
    // And then it stands nowhere any more.
    let site = Site::new();
    put(&mut site.open(None));
    assert!(site.shows_the_secret());
    rekey(&mut site.open(Some("one")));
    assert!(!site.shows_the_secret());
}

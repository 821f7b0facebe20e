//! A database that somebody else has written into.

use super::Database;
use crate::auth::{
    Attempt, ChallengeKey, Decision, Outcome, Peer, PrimaryCheck, PrimaryDenial, PrimaryPass, QuestionForm,
    Services, Store, Submission, Token, TokenId,
};
use crate::clock::{Clock, UnixTime};
use crate::config::{Primary, Settings};
use crate::factor::duo::{self, DuoError};
use crate::factor::totp::{self, Algorithm};
use crate::fuzzing::{almost, fewer_cases, troublesome_text};
use crate::name::UserName;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretBytes, secret};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOW: UnixTime = 1_795_295_268;
const SECRET: [u8; 20] = [7; 20];
const STATE: &str = "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH";

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> UnixTime {
        NOW
    }

    fn pause(&self, _: Duration) {}
}

/// Nobody: the certificate is the primary check, and Duo is out of reach.
struct Nobody;

impl PrimaryCheck for Nobody {
    fn authenticate(
        &self,
        _: &UserName,
        _: &SecretBytes,
        _: Option<IpAddr>,
    ) -> Result<PrimaryPass, PrimaryDenial> {
        Err(PrimaryDenial::at_once("nobody".to_owned()))
    }

    fn account(&self, _: &UserName, _: Option<IpAddr>) -> Result<PrimaryPass, PrimaryDenial> {
        Err(PrimaryDenial::at_once("nobody".to_owned()))
    }
}

impl duo::Api for Nobody {
    fn preauth(&self, _: &duo::PreauthRequest<'_>) -> Result<duo::Preauth, DuoError> {
        Err(DuoError::Unreachable("nobody".to_owned()))
    }

    fn auth(&self, _: &duo::AuthRequest<'_>) -> Result<duo::Transaction, DuoError> {
        Err(DuoError::Unreachable("nobody".to_owned()))
    }

    fn auth_status(&self, _: &duo::Transaction) -> Result<duo::Status, DuoError> {
        Err(DuoError::Unreachable("nobody".to_owned()))
    }

    fn time_is_over(&self) -> bool {
        true
    }
}

/// A database whose tables take any value in any column.
struct Lax {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Lax {
    fn new() -> Self {
        let directory = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir()
            .unwrap();
        let path = directory.path().join("t.sqlite3");
        drop(Database::open_or_create(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        let tables: Vec<(String, String)> = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for (name, sql) in tables {
            let mut lax =
                sql.replace("STRICT, WITHOUT ROWID", "").replace("STRICT", "").replace("NOT NULL", "");
            while let Some(check) = lax.find("CHECK (") {
                let mut depth = 0;
                let end = lax[check..].char_indices().find(|(_, c)| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    *c == ')' && depth == 0
                });
                lax.replace_range(check..=check + end.unwrap().0, "");
            }
            // Without a type nothing is converted.
            for kind in ["INTEGER PRIMARY KEY", "INTEGER", "TEXT", "BLOB"] {
                let instead = if kind == "INTEGER PRIMARY KEY" { "PRIMARY KEY" } else { "" };
                lax = lax.replace(kind, instead);
            }
            connection.execute_batch(&format!("DROP TABLE {name}; {lax};")).unwrap();
        }
        Self { path, _directory: directory }
    }

    /// Writes one user with one token, failures and a question, with these values in place of good ones.
    fn write(&self, spoilt: &[(usize, Value)]) {
        let text = |text: &str| Value::Text(text.to_owned());
        let now = i64::try_from(NOW).unwrap();
        let mut values: Vec<Value> = vec![
            1.into(),
            text("alice"),
            text("enabled"),
            Value::Null,
            now.into(),
            Value::Null, // user
            1.into(),
            1.into(),
            text(""),
            Value::Blob(SECRET.to_vec()),
            Value::Null,
            text("SHA1"),
            6.into(),
            30.into(),
            Value::Null,
            Value::Null,
            now.into(), // totp_token
            text("user"),
            text("alice"),
            1.into(),
            Value::Null, // failure
            Value::Blob(ChallengeKey::of_state(STATE).0.to_vec()),
            text("alice"),
            text("alice"),
            text("Test-Client"),
            Value::Null,
            (now + 100).into(),
            text("\"code\""),
            Value::Null,
            Value::Null, // challenge
            text("alice"),
            1.into(), // push
        ];
        assert_eq!(values.len(), COLUMNS.len());
        for (column, value) in spoilt {
            values[*column] = value.clone();
        }
        let connection = Connection::open(&self.path).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;").unwrap();
        let transaction = connection.unchecked_transaction().unwrap();
        let mut rest = values.as_slice();
        for table in ["user", "totp_token", "failure", "challenge", "push"] {
            let columns: Vec<&str> =
                COLUMNS.iter().filter(|(t, _)| *t == table).map(|(_, column)| *column).collect();
            let (row, after) = rest.split_at(columns.len());
            rest = after;
            transaction.execute(&format!("DELETE FROM {table}"), []).unwrap();
            let places = vec!["?"; columns.len()].join(", ");
            let insert = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
            transaction.execute(&insert, params_from_iter(row)).unwrap();
        }
        transaction.commit().unwrap();
    }
}

const COLUMNS: [(&str, &str); 32] = [
    ("user", "id"),
    ("user", "name"),
    ("user", "state"),
    ("user", "factor"),
    ("user", "created_at"),
    ("user", "last_login_at"),
    ("totp_token", "id"),
    ("totp_token", "user_id"),
    ("totp_token", "label"),
    ("totp_token", "secret"),
    ("totp_token", "sealed_with"),
    ("totp_token", "algorithm"),
    ("totp_token", "digits"),
    ("totp_token", "period"),
    ("totp_token", "last_step"),
    ("totp_token", "last_offset"),
    ("totp_token", "created_at"),
    ("failure", "kind"),
    ("failure", "subject"),
    ("failure", "count"),
    ("failure", "locked_until"),
    ("challenge", "key"),
    ("challenge", "user"),
    ("challenge", "identity"),
    ("challenge", "common_name"),
    ("challenge", "certificate"),
    ("challenge", "expires_at"),
    ("challenge", "asked"),
    ("challenge", "secret"),
    ("challenge", "sealed_with"),
    ("push", "identity"),
    ("push", "open_until"),
];

fn column(table: &str, name: &str) -> usize {
    COLUMNS.iter().position(|known| *known == (table, name)).unwrap()
}

const WORDS: &[&str] = &[
    "disabled",
    "duo",
    "totp",
    "SHA512",
    "code",
    "\"duo\"",
    "\"enrolment\"",
    "{\"duoapproval\":\"x\"}",
    "bob",
    "1",
];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        (-10..100_i64).prop_map(Value::Integer),
        any::<f64>().prop_filter("SQLite has no such number", |number| !number.is_nan()).prop_map(Value::Real),
        troublesome_text().prop_map(Value::Text),
        proptest::sample::select(WORDS).prop_map(|word| Value::Text(word.to_owned())),
        almost(Just(SECRET.to_vec())).prop_map(Value::Blob),
        almost(Just(br#"{"duomenu":{"options":[{"kind":"Push","device":"D","label":"x"}],"prompt":null,"transaction":"t"}}"#.to_vec()))
            .prop_map(|json| Value::Text(String::from_utf8_lossy(&json).into_owned())),
    ]
}

fn decide(path: &Path, submission: &Submission) -> Outcome {
    let mut settings = Settings::default();
    settings.auth.primary = Primary::None;
    let peer = Peer { common_name: Some("Test-Client".to_owned()), ..Peer::default() };
    let attempt = Attempt::identify(&settings.auth, b"alice", peer, QuestionForm::Reconnect).unwrap();
    let mut store = Database::open(path).unwrap();
    let services = Services {
        settings: &settings,
        primary: &Nobody,
        store: &mut store,
        clock: &Frozen,
        random: &SystemRandom,
        duo: &Nobody,
    };
    Decision::new(services).login(&attempt, submission, None)
}

fn right_code() -> SecretBytes {
    let token = Token {
        id: TokenId(1),
        secret: secret(&SECRET),
        algorithm: Algorithm::Sha1,
        digits: 6,
        period: 30,
        last_step: None,
    };
    secret(totp::code_at(&token, NOW).expose_secret().as_bytes())
}

fn spoilt() -> impl Strategy<Value = Vec<(usize, Value)>> {
    proptest::collection::vec((0..COLUMNS.len(), value()), 0..4)
}

/// Whether every value is good that a login by a code depends on.
fn is_good(spoilt: &[(usize, Value)]) -> bool {
    let now = |table, name| {
        let column = column(table, name);
        spoilt.iter().rfind(|(spoilt, _)| *spoilt == column).map(|(_, value)| value)
    };
    let text = |value: Option<&Value>, good: &[&str]| match value {
        None => true,
        Some(Value::Text(text)) => good.contains(&text.as_str()),
        Some(_) => false,
    };
    let null_or =
        |value: Option<&Value>, good: fn(&Value) -> bool| value.is_none_or(|v| *v == Value::Null || good(v));
    text(now("user", "name"), &["alice"])
        && text(now("user", "state"), &["enabled"])
        && null_or(now("user", "factor"), |value| *value == Value::Text("totp".to_owned()))
        && null_or(now("totp_token", "sealed_with"), |_| false)
        && text(now("totp_token", "algorithm"), &["SHA1"])
        && now("totp_token", "secret").is_none_or(|value| *value == Value::Blob(SECRET.to_vec()))
        && null_or(
            now("totp_token", "last_step"),
            |value| matches!(value, Value::Integer(step) if *step < i64::try_from(NOW / 30).unwrap() + 1),
        )
}

/// Each case opens a database, so there are fewer.
fn fewer() -> ProptestConfig {
    fewer_cases(20)
}

#[test]
fn fuzz_no_row_of_the_database_lets_anybody_in_without_a_right_code() {
    let database = Lax::new();
    let wrong = || secret(b"000000x");
    TestRunner::new(fewer())
        .run(&spoilt(), |spoilt| {
            for submission in [
                Submission::Typed(wrong()),
                Submission::Answer { state: STATE.to_owned(), response: wrong() },
                Submission::Answer { state: STATE.to_owned(), response: secret(b"") },
                Submission::Typed(secret(b"")),
            ] {
                database.write(&spoilt);
                let outcome = decide(&database.path, &submission);
                prop_assert!(!matches!(outcome, Outcome::Accept(_)), "{outcome:?}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn fuzz_a_right_code_lets_in_only_where_the_rows_are_good() {
    let database = Lax::new();
    TestRunner::new(fewer())
        .run(&spoilt(), |spoilt| {
            for by_answer in [false, true] {
                database.write(&spoilt);
                let submission = if by_answer {
                    Submission::Answer { state: STATE.to_owned(), response: right_code() }
                } else {
                    Submission::Typed(right_code())
                };
                let accepted = matches!(decide(&database.path, &submission), Outcome::Accept(_));
                prop_assert!(!accepted || is_good(&spoilt));
                prop_assert!(accepted || !spoilt.is_empty());
                // Written down, so that it is good once, whatever else stands there.
                let again = matches!(decide(&database.path, &submission), Outcome::Accept(_));
                prop_assert!(!(accepted && again), "twice");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn fuzz_an_administrator_can_look_at_every_row() {
    let database = Lax::new();
    TestRunner::new(fewer())
        .run(&spoilt(), |spoilt| {
            database.write(&spoilt);
            let mut store = Database::open(&database.path).unwrap();
            let _ = store.users();
            let _ = store.enrolled("alice").map(|user| user.map(|user| user.tokens.len()));
            let _ = store.is_asked(&ChallengeKey::of_state(STATE));
            let name: UserName = "alice".parse().unwrap();
            prop_assert!(store.delete(&name).is_ok());
            Ok(())
        })
        .unwrap();
}

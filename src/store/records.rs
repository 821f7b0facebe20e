//! What the decision asks of the store, in SQL.

use super::backup_code;
use super::enrolment::record_of;
use super::key::Keyring;
use super::offer;
use super::tokens::{self, NewToken, tokens_of};
use crate::auth::{
    Asked, BackupCodeId, Challenge, ChallengeKey, Failures, Network, NewSecret, Records, StoreError,
    StoredBackupCode, Token, TokenId, UsedStep, User, UserId, UserState,
};
use crate::clock::UnixTime;
use crate::config::Factor;
use crate::name::UserName;
use crate::printable;
use crate::secret::{ExposeSecret, secret};
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

/// The longest that a telephone can wait for its owner, in seconds: the most that `[duo] timeout` can be. A record that
/// says more was left behind under a clock that has been set back since.
const LONGEST_PUSH: u64 = 600;

/// A transaction that holds the write lock, and the key to the secrets.
pub(super) struct SqliteRecords<'database>(pub(super) Transaction<'database>, pub(super) &'database Keyring);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(format!("database: {error}"))
    }
}

/// A value in the database that this version did not write.
pub(super) fn unreadable(what: &str) -> StoreError {
    StoreError(format!("database: cannot read {what}"))
}

/// SQLite's integers are signed; times and steps are not.
pub(super) fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl Records for SqliteRecords<'_> {
    fn user(&mut self, name: &UserName) -> Result<Option<User>, StoreError> {
        let row: Option<(i64, String, Option<String>, bool)> = self
            .0
            .prepare_cached(
                "SELECT id, state, factor, EXISTS (SELECT 1 FROM totp_token WHERE user_id = user.id)
                 FROM user WHERE name = ?1",
            )?
            .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((id, state, factor, has_token)) = row else { return Ok(None) };
        Ok(Some(User {
            id: UserId(id),
            state: parse_state(&state)?,
            factor: parse_factor(factor.as_deref())?,
            has_token,
        }))
    }

    fn tokens(&mut self, user: UserId) -> Result<Vec<Token>, StoreError> {
        tokens_of(&self.0, self.1, user)
    }

    fn burn_step(&mut self, token: TokenId, step: u64, offset: i64) -> Result<(), StoreError> {
        let changed = self.0.execute(
            "UPDATE totp_token SET last_step = ?2, last_offset = ?3
             WHERE id = ?1 AND (last_step IS NULL OR last_step < ?2)",
            params![token.0, to_sql(step), offset],
        )?;
        // The caller has seen that the step is new, under the same lock. If the database disagrees, nobody gets in.
        if changed == 1 { Ok(()) } else { Err(unreadable("the last step of a token")) }
    }

    fn enrol(
        &mut self,
        name: &UserName,
        secret: &NewSecret,
        UsedStep { step, offset }: UsedStep,
        now: UnixTime,
    ) -> Result<UserId, StoreError> {
        let user = UserId(record_of(&self.0, name, now)?);
        // The caller has seen that there is none, under the same lock.
        if !tokens::stored_of(&self.0, user)?.is_empty() {
            return Err(StoreError(format!(
                "{} has a token, no other is stored",
                printable::text(name.as_str())
            )));
        }
        let Token { secret, algorithm, digits, period, .. } = secret.token();
        let token = NewToken { secret: &secret, algorithm, digits, period, label: "" };
        let id = tokens::insert(&self.0, self.1, (user, name), &token, now)?;
        self.burn_step(id, step, offset)?;
        Ok(user)
    }

    fn backup_codes(&mut self, user: UserId) -> Result<Vec<StoredBackupCode>, StoreError> {
        backup_code::codes_of(&self.0, user)
    }

    fn use_backup_code(&mut self, code: BackupCodeId, now: UnixTime) -> Result<(), StoreError> {
        backup_code::use_code(&self.0, code, now)
    }

    fn note_login(&mut self, user: UserId, now: UnixTime) -> Result<(), StoreError> {
        self.0.execute("UPDATE user SET last_login_at = ?2 WHERE id = ?1", params![user.0, to_sql(now)])?;
        Ok(())
    }

    fn failures(&mut self, identity: &UserName) -> Result<Failures, StoreError> {
        failures_of(&self.0, "user", identity.as_str())
    }

    fn set_failures(&mut self, identity: &UserName, failures: Failures) -> Result<(), StoreError> {
        replace_failures(&self.0, "user", identity.as_str(), failures)
    }

    fn address_failures(&mut self, network: Network) -> Result<Failures, StoreError> {
        failures_of(&self.0, "address", &network.to_string())
    }

    fn set_address_failures(
        &mut self,
        network: Network,
        failures: Failures,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.0.execute("DELETE FROM failure WHERE kind = 'address' AND forget_at <= ?1", [to_sql(now)])?;
        replace_failures(&self.0, "address", &network.to_string(), failures)
    }

    fn push_is_open(&mut self, identity: &UserName, now: UnixTime) -> Result<bool, StoreError> {
        let open = self
            .0
            .query_row(
                "SELECT 1 FROM push WHERE identity = ?1 AND open_until > ?2 AND open_until <= ?3",
                params![identity.as_str(), to_sql(now), to_sql(now.saturating_add(LONGEST_PUSH))],
                |_| Ok(()),
            )
            .optional()?;
        Ok(open.is_some())
    }

    fn open_push(&mut self, identity: &UserName, until: UnixTime) -> Result<(), StoreError> {
        self.0.execute(
            "INSERT INTO push (identity, open_until) VALUES (?1, ?2)
             ON CONFLICT (identity) DO UPDATE SET open_until = ?2",
            params![identity.as_str(), to_sql(until)],
        )?;
        Ok(())
    }

    fn close_push(&mut self, identity: &UserName) -> Result<(), StoreError> {
        self.0.execute("DELETE FROM push WHERE identity = ?1", [identity.as_str()])?;
        Ok(())
    }

    fn put_challenge(
        &mut self,
        key: &ChallengeKey,
        challenge: &Challenge,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        // Kept for a while after they expire, so that a late answer can be told that it is late.
        let forgotten = to_sql(now.saturating_sub(3_600));
        self.0.execute("DELETE FROM challenge WHERE expires_at < ?1", [forgotten])?;
        let (asked, offered) = match &challenge.asked {
            Asked::Enrolment(secret) => {
                let question = offer::Question::of(key, challenge);
                (offer::ASKED.to_owned(), Some(offer::Stored::new(self.1, &question, secret)?))
            }
            asked => (serde_json::to_string(asked).map_err(|_| unreadable("a question"))?, None),
        };
        self.0.execute(
            "INSERT OR REPLACE INTO challenge
             (key, user, identity, common_name, certificate, expires_at, asked, secret, sealed_with)
             VALUES (:key, :user, :identity, :common_name, :certificate, :expires_at, :asked, :secret, :sealed_with)",
            named_params! {
                ":key": key.0,
                ":user": challenge.user,
                ":identity": challenge.identity,
                ":common_name": challenge.common_name,
                ":certificate": challenge.certificate,
                ":expires_at": to_sql(challenge.expires_at),
                ":asked": asked,
                ":secret": offered.as_ref().map(|offered| offered.blob.expose_secret()),
                ":sealed_with": offered.as_ref().and_then(|offered| offered.sealed_with.as_deref()),
            },
        )?;
        Ok(())
    }

    fn take_challenge(&mut self, key: &ChallengeKey) -> Result<Option<Challenge>, StoreError> {
        let row = self
            .0
            .prepare_cached(
                "DELETE FROM challenge WHERE key = ?1
                 RETURNING user, identity, common_name, certificate, expires_at, asked, secret, sealed_with",
            )?
            .query_row([key.0], ChallengeRow::read)
            .optional()?;
        row.map(|row| row.challenge(key, self.1)).transpose()
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit()?)
    }
}

pub(super) fn has_challenge(
    connection: &rusqlite::Connection,
    key: &ChallengeKey,
) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached("SELECT 1 FROM challenge WHERE key = ?1")?
        .query_row([key.0], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// A row of `challenge`, as it is stored.
struct ChallengeRow {
    user: String,
    identity: String,
    common_name: Option<String>,
    certificate: Option<String>,
    expires_at: UnixTime,
    asked: String,
    offered: Option<offer::Stored>,
}

impl ChallengeRow {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let sealed_with: Option<String> = row.get("sealed_with")?;
        let blob = row.get_ref("secret")?.as_blob_or_null()?.map(secret);
        Ok(Self {
            user: row.get("user")?,
            identity: row.get("identity")?,
            common_name: row.get("common_name")?,
            certificate: row.get("certificate")?,
            expires_at: from_sql(row.get("expires_at")?),
            asked: row.get("asked")?,
            offered: blob.map(|blob| offer::Stored { blob, sealed_with }),
        })
    }

    fn challenge(self, key: &ChallengeKey, keyring: &Keyring) -> Result<Challenge, StoreError> {
        let asked = if self.asked == offer::ASKED {
            let question = offer::Question {
                key,
                user: &self.user,
                identity: &self.identity,
                common_name: self.common_name.as_deref(),
                certificate: self.certificate.as_deref(),
                expires_at: self.expires_at,
            };
            Asked::Enrolment(offer::required(self.offered)?.open(keyring, &question)?)
        } else {
            serde_json::from_str(&self.asked).map_err(|_| unreadable("a question"))?
        };
        let Self { user, identity, common_name, certificate, expires_at, .. } = self;
        Ok(Challenge { user, identity, common_name, certificate, expires_at, asked })
    }
}

/// The failures of a subject of this kind, `user` or `address`.
pub(super) fn failures_of(
    connection: &rusqlite::Connection,
    kind: &str,
    subject: &str,
) -> Result<Failures, StoreError> {
    let failures = connection
        .prepare_cached(
            "SELECT count, locked_until, forget_at FROM failure WHERE kind = ?1 AND subject = ?2",
        )?
        .query_row([kind, subject], |row| {
            let (locked_until, forget_at): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            Ok(Failures {
                count: from_sql(row.get(0)?),
                locked_until: locked_until.map(from_sql),
                forget_at: forget_at.map(from_sql),
            })
        })
        .optional()?;
    Ok(failures.unwrap_or_default())
}

fn replace_failures(
    connection: &rusqlite::Connection,
    kind: &str,
    subject: &str,
    failures: Failures,
) -> Result<(), StoreError> {
    if failures == Failures::default() {
        connection.execute("DELETE FROM failure WHERE kind = ?1 AND subject = ?2", [kind, subject])?;
        return Ok(());
    }
    connection.execute(
        "INSERT INTO failure (kind, subject, count, locked_until, forget_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, subject) DO UPDATE SET count = ?3, locked_until = ?4, forget_at = ?5",
        params![
            kind,
            subject,
            to_sql(failures.count),
            failures.locked_until.map(to_sql),
            failures.forget_at.map(to_sql)
        ],
    )?;
    Ok(())
}

pub(super) fn parse_state(state: &str) -> Result<UserState, StoreError> {
    match state {
        "enabled" => Ok(UserState::Enabled),
        "disabled" => Ok(UserState::Disabled),
        _ => Err(unreadable("the state of a user")),
    }
}

pub(super) fn parse_factor(factor: Option<&str>) -> Result<Option<Factor>, StoreError> {
    match factor {
        None => Ok(None),
        Some("totp") => Ok(Some(Factor::Totp)),
        Some("duo") => Ok(Some(Factor::Duo)),
        Some(_) => Err(unreadable("the factor of a user")),
    }
}

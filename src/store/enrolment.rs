//! What an administrator does with the store, in SQL.

use super::Database;
use super::records::{failures_of, from_sql, parse_factor, parse_state, to_sql, tokens_of};
use crate::auth::{Failures, StoreError, Token, UserId, UserState};
use crate::clock::UnixTime;
use crate::config::Factor;
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretBytes};
use rusqlite::{OptionalExtension, Row, params};

/// A token that is to be stored.
pub struct NewToken<'a> {
    /// The shared secret.
    pub secret: &'a SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
}

/// What is stored about a user.
pub struct Enrolled {
    /// The name.
    pub name: String,
    /// Whether it may log in.
    pub state: UserState,
    /// Its factor, where it is not the one of the settings.
    pub factor: Option<Factor>,
    /// When it was enrolled.
    pub created_at: UnixTime,
    /// When it last logged in with a code.
    pub last_login_at: Option<UnixTime>,
    /// Failed second factors since.
    pub failures: Failures,
    /// Its tokens.
    pub tokens: Vec<EnrolledToken>,
}

/// What is stored about a token.
pub struct EnrolledToken {
    /// The token.
    pub token: Token,
    /// What the administrator called it.
    pub label: String,
    /// When it was made.
    pub created_at: UnixTime,
    /// How many steps the user's clock was ahead when a code was last accepted.
    pub last_offset: Option<i64>,
}

/// Whether an enrolment that is there already is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and the new one is refused.
    No,
    /// Its tokens, backup codes, failures and questions go; state and factor stay.
    Yes,
}

impl Database {
    /// Stores a user with one token. Returns whether it was done: not when the user has a token and is not to be replaced.
    /// A user with a record keeps state and factor.
    ///
    /// # Errors
    /// When the database fails.
    pub fn enrol(
        &mut self,
        name: &UserName,
        token: &NewToken<'_>,
        replace: Replace,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let transaction = self.immediate()?;
        let user = record_of(&transaction, name, now)?;
        let enrolled: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM totp_token WHERE user_id = ?1)",
            [user],
            |row| row.get(0),
        )?;
        if enrolled && replace == Replace::No {
            return Ok(false);
        }
        transaction.execute("DELETE FROM totp_token WHERE user_id = ?1", [user])?;
        transaction.execute("DELETE FROM backup_code WHERE user_id = ?1", [user])?;
        forget(&transaction, name)?;
        transaction.execute(
            "INSERT INTO totp_token (user_id, secret, algorithm, digits, period, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                user,
                token.secret.expose_secret(),
                token.algorithm.name(),
                token.digits,
                token.period,
                to_sql(now)
            ],
        )?;
        transaction.commit()?;
        Ok(true)
    }

    /// Sets the factor of a user; `None` is the one of the settings. A user without a record gets one. Questions that wait
    /// for an answer are forgotten: they ask for the other factor.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_factor(
        &mut self,
        name: &UserName,
        factor: Option<Factor>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let transaction = self.immediate()?;
        let user = record_of(&transaction, name, now)?;
        transaction
            .execute("UPDATE user SET factor = ?2 WHERE id = ?1", params![user, factor.map(Factor::word)])?;
        transaction.execute("DELETE FROM challenge WHERE identity = ?1", [name.as_str()])?;
        Ok(transaction.commit()?)
    }

    /// Removes a user with everything about them, the questions that wait for an answer too. Returns whether there was
    /// one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn delete(&mut self, name: &UserName) -> Result<bool, StoreError> {
        let transaction = self.immediate()?;
        let known = transaction
            .query_row("SELECT 1 FROM user WHERE name = ?1", [name.as_str()], |_| Ok(()))
            .optional()?
            .is_some();
        remove(&transaction, name)?;
        transaction.commit()?;
        Ok(known)
    }

    /// All users, by name, without their tokens' secrets leaving the store for longer than the caller keeps them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn users(&mut self) -> Result<Vec<Enrolled>, StoreError> {
        let names: Vec<String> = self
            .connection
            .prepare("SELECT name FROM user ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut users = Vec::with_capacity(names.len());
        for name in names {
            // Gone since: deleted by somebody else, and no error.
            users.extend(self.enrolled(&name)?);
        }
        Ok(users)
    }

    /// What is stored about a user.
    ///
    /// # Errors
    /// When the database fails.
    pub fn enrolled(&mut self, name: &str) -> Result<Option<Enrolled>, StoreError> {
        let user = self
            .connection
            .prepare_cached("SELECT id, state, factor, created_at, last_login_at FROM user WHERE name = ?1")?
            .query_row([name], UserRow::read)
            .optional()?;
        let Some(user) = user else { return Ok(None) };
        Ok(Some(Enrolled {
            name: name.to_owned(),
            state: parse_state(&user.state)?,
            factor: parse_factor(user.factor.as_deref())?,
            created_at: from_sql(user.created_at),
            last_login_at: user.last_login_at.map(from_sql),
            failures: failures_of(&self.connection, name)?,
            tokens: self.enrolled_tokens(UserId(user.id))?,
        }))
    }

    fn enrolled_tokens(&self, user: UserId) -> Result<Vec<EnrolledToken>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT label, created_at, last_offset FROM totp_token WHERE user_id = ?1 ORDER BY id",
        )?;
        let described = statement
            .query_map([user.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<Vec<(String, i64, Option<i64>)>, _>>()?;
        let tokens = tokens_of(&self.connection, user)?;
        Ok(tokens
            .into_iter()
            .zip(described)
            .map(|(token, (label, created_at, last_offset))| EnrolledToken {
                token,
                label,
                created_at: from_sql(created_at),
                last_offset,
            })
            .collect())
    }
}

struct UserRow {
    id: i64,
    state: String,
    factor: Option<String>,
    created_at: i64,
    last_login_at: Option<i64>,
}

impl UserRow {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get("id")?,
            state: row.get("state")?,
            factor: row.get("factor")?,
            created_at: row.get("created_at")?,
            last_login_at: row.get("last_login_at")?,
        })
    }
}

/// The number of the user's record, which is made where there is none.
fn record_of(
    transaction: &rusqlite::Transaction<'_>,
    name: &UserName,
    now: UnixTime,
) -> Result<i64, StoreError> {
    transaction.execute(
        "INSERT INTO user (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        params![name.as_str(), to_sql(now)],
    )?;
    Ok(transaction.query_row("SELECT id FROM user WHERE name = ?1", [name.as_str()], |row| row.get(0))?)
}

fn remove(transaction: &rusqlite::Transaction<'_>, name: &UserName) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM user WHERE name = ?1", [name.as_str()])?;
    forget(transaction, name)
}

/// Removes what can be there for a name that has no record: failures, and questions from before.
fn forget(transaction: &rusqlite::Transaction<'_>, name: &UserName) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM failure WHERE kind = 'user' AND subject = ?1", [name.as_str()])?;
    transaction.execute("DELETE FROM challenge WHERE identity = ?1 OR user = ?1", [name.as_str()])?;
    transaction.execute("DELETE FROM push WHERE identity = ?1", [name.as_str()])?;
    Ok(())
}

//! What an administrator does with the store, in SQL.

use super::Database;
use super::backup_code::{self, BackupCodes};
use super::key::Keyring;
use super::records::{failures_of, from_sql, parse_factor, parse_state, to_sql, unreadable};
use super::sqlite::immediate;
use super::tokens::{self, NewToken};
use crate::auth::{Failures, StoreError, Token, TokenId, UserId, UserState};
use crate::clock::UnixTime;
use crate::config::Factor;
use crate::factor::backup_code::SaltedHash;
use crate::factor::totp::Algorithm;
use crate::name::UserName;
use crate::secret::ExposeSecret;
use rusqlite::{OptionalExtension, Row, params};

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
    /// Its backup codes.
    pub backup_codes: BackupCodes,
    /// Its tokens.
    pub tokens: Vec<EnrolledToken>,
}

/// What is stored about a token, its secret left out.
pub struct EnrolledToken {
    /// Its number.
    pub id: TokenId,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// The last step that was accepted.
    pub last_step: Option<u64>,
    /// The name of the key that its secret is encrypted with; `None`: it is stored as it is.
    pub sealed_with: Option<String>,
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

/// A user who comes from elsewhere.
pub struct NewUser<'a> {
    /// The name.
    pub name: &'a UserName,
    /// The tokens, at least one.
    pub tokens: Vec<UsedToken<'a>>,
    /// The backup codes.
    pub backup_codes: Vec<SaltedHash>,
}

/// A token that was in use elsewhere.
pub struct UsedToken<'a> {
    /// The token.
    pub token: NewToken<'a>,
    /// The last step that was accepted there.
    pub last_step: Option<u64>,
}

/// What became of a [`NewUser`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Enrolled now.
    New,
    /// Enrolled before, with other tokens, which are gone.
    Replaced,
    /// Enrolled before, and left alone.
    LeftAlone,
}

impl Database {
    /// Stores many users in one transaction. A user with a record keeps state and factor. A secret that a user has already
    /// keeps its last step: no code comes to life again.
    ///
    /// # Errors
    /// When the database fails; then nobody is stored.
    pub fn import(
        &mut self,
        users: &[NewUser<'_>],
        replace: Replace,
        now: UnixTime,
    ) -> Result<Vec<Taken>, StoreError> {
        let Self { connection, keyring, .. } = self;
        let transaction = immediate(connection)?;
        let mut taken = Vec::with_capacity(users.len());
        for NewUser { name, tokens, backup_codes } in users {
            let user = record_of(&transaction, name, now)?;
            let enrolled = !tokens::stored_of(&transaction, UserId(user))?.is_empty();
            if enrolled && replace == Replace::No {
                taken.push(Taken::LeftAlone);
                continue;
            }
            let before = last_steps(&transaction, keyring, UserId(user), tokens)?;
            clear(&transaction, user, name)?;
            for (UsedToken { token, last_step }, before) in tokens.iter().zip(before) {
                let id = tokens::insert(&transaction, keyring, (UserId(user), name), token, now)?;
                transaction.execute(
                    "UPDATE totp_token SET last_step = ?2 WHERE id = ?1",
                    params![id.0, before.max(*last_step).map(to_sql)],
                )?;
            }
            backup_code::insert(&transaction, UserId(user), backup_codes)?;
            taken.push(if enrolled { Taken::Replaced } else { Taken::New });
        }
        transaction.commit()?;
        Ok(taken)
    }

    /// Stores a user with one token, as [`Database::import`] does with many. Returns whether it was done: not when the user
    /// has a token and is not to be replaced.
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
        let tokens = vec![UsedToken { token: *token, last_step: None }];
        let outcome = self.import(&[NewUser { name, tokens, backup_codes: Vec::new() }], replace, now)?;
        Ok(outcome != [Taken::LeftAlone])
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
        let transaction = immediate(&mut self.connection)?;
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
        let transaction = immediate(&mut self.connection)?;
        let known = transaction
            .query_row("SELECT 1 FROM user WHERE name = ?1", [name.as_str()], |_| Ok(()))
            .optional()?
            .is_some();
        remove(&transaction, name)?;
        transaction.commit()?;
        Ok(known)
    }

    /// All users, by name. Needs no key.
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

    /// What is stored about a user. Needs no key.
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
            failures: failures_of(&self.connection, "user", name)?,
            backup_codes: backup_code::count_of(&self.connection, UserId(user.id))?,
            tokens: self.enrolled_tokens(UserId(user.id))?,
        }))
    }

    fn enrolled_tokens(&self, user: UserId) -> Result<Vec<EnrolledToken>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, algorithm, digits, period, last_step, sealed_with, label, created_at, last_offset
             FROM totp_token WHERE user_id = ?1 ORDER BY id",
        )?;
        let mut rows = statement.query([user.0])?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next()? {
            let algorithm: String = row.get("algorithm")?;
            let last_step: Option<i64> = row.get("last_step")?;
            tokens.push(EnrolledToken {
                id: TokenId(row.get("id")?),
                algorithm: algorithm.parse().map_err(|_| unreadable("an algorithm"))?,
                digits: row.get("digits")?,
                period: row.get("period")?,
                last_step: last_step.map(from_sql),
                sealed_with: row.get("sealed_with")?,
                label: row.get("label")?,
                created_at: from_sql(row.get("created_at")?),
                last_offset: row.get("last_offset")?,
            });
        }
        Ok(tokens)
    }

    /// The tokens of a user with their secrets, oldest first; none where there is no such user.
    ///
    /// # Errors
    /// When the database fails, or a secret is encrypted and cannot be read.
    pub fn tokens(&mut self, name: &UserName) -> Result<Vec<Token>, StoreError> {
        let user = self
            .connection
            .query_row("SELECT id FROM user WHERE name = ?1", [name.as_str()], |row| row.get(0))
            .optional()?;
        match user {
            Some(user) => tokens::tokens_of(&self.connection, &self.keyring, UserId(user)),
            None => Ok(Vec::new()),
        }
    }

    /// Tries every secret, and the key that new ones would be encrypted with.
    ///
    /// # Errors
    /// When the database fails, the key cannot be had, or a secret cannot be read: the first of them.
    pub fn check_secrets(&mut self) -> Result<(), StoreError> {
        self.keyring.key()?;
        for token in tokens::stored(&self.connection)? {
            token.secret(&self.keyring)?;
        }
        Ok(())
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
pub(super) fn record_of(
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

/// Takes away what an enrolment put there.
fn clear(transaction: &rusqlite::Transaction<'_>, user: i64, name: &UserName) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM totp_token WHERE user_id = ?1", [user])?;
    transaction.execute("DELETE FROM backup_code WHERE user_id = ?1", [user])?;
    forget(transaction, name)
}

/// The last steps that a user has used of these secrets. Where the secrets of before cannot be read any more, each may be
/// the same.
fn last_steps(
    transaction: &rusqlite::Transaction<'_>,
    keyring: &Keyring,
    user: UserId,
    tokens: &[UsedToken<'_>],
) -> Result<Vec<Option<u64>>, StoreError> {
    if let Ok(before) = tokens::tokens_of(transaction, keyring, user) {
        let last = |new: &UsedToken<'_>| {
            let same = |old: &&Token| {
                old.period == new.token.period
                    && old.secret.expose_secret() == new.token.secret.expose_secret()
            };
            before.iter().filter(same).filter_map(|old| old.last_step).max()
        };
        return Ok(tokens.iter().map(last).collect());
    }
    let mut latest =
        transaction.prepare("SELECT max(last_step) FROM totp_token WHERE user_id = ?1 AND period = ?2")?;
    let latest = tokens.iter().map(|new| {
        let step: Option<i64> = latest.query_row(params![user.0, new.token.period], |row| row.get(0))?;
        Ok(step.map(from_sql))
    });
    latest.collect()
}

fn remove(transaction: &rusqlite::Transaction<'_>, name: &UserName) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM user WHERE name = ?1", [name.as_str()])?;
    forget(transaction, name)
}

/// Removes what can be there for a name that has no record: failures, and questions from before.
fn forget(transaction: &rusqlite::Transaction<'_>, name: &UserName) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM failure WHERE kind = 'user' AND subject = ?1", [name.as_str()])?;
    forget_questions(transaction, name)
}

/// Removes the questions that wait for an answer, and the request that waits on the telephone.
pub(super) fn forget_questions(
    transaction: &rusqlite::Transaction<'_>,
    name: &UserName,
) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM challenge WHERE identity = ?1 OR user = ?1", [name.as_str()])?;
    transaction.execute("DELETE FROM push WHERE identity = ?1", [name.as_str()])?;
    Ok(())
}

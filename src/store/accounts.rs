//! Changing whether and under which name a user logs in, in SQL.

use super::Database;
use super::enrolment::forget_questions;
use super::records::{failures_of, parse_state};
use super::sqlite::immediate;
use super::tokens;
use crate::auth::{Failures, StoreError, UserId, UserState};
use crate::name::UserName;
use rusqlite::{OptionalExtension, Transaction, params};

/// What came of giving a user another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renaming {
    /// Done.
    Done,
    /// There is no user of the old name.
    Unknown,
    /// There is a user of the new name already.
    Taken,
}

impl Database {
    /// Lets a user log in or not, from now on; questions and requests on the telephone that are open are forgotten when
    /// not. Returns what it was before; `None` where there is no such user.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_state(&mut self, name: &UserName, state: UserState) -> Result<Option<UserState>, StoreError> {
        let transaction = immediate(&mut self.connection)?;
        let before: Option<String> = transaction
            .query_row("SELECT state FROM user WHERE name = ?1", [name.as_str()], |row| row.get(0))
            .optional()?;
        let Some(before) = before else { return Ok(None) };
        let word = match state {
            UserState::Enabled => "enabled",
            UserState::Disabled => "disabled",
        };
        transaction.execute("UPDATE user SET state = ?2 WHERE name = ?1", params![name.as_str(), word])?;
        if state == UserState::Disabled {
            forget_questions(&transaction, name)?;
        }
        transaction.commit()?;
        Ok(Some(parse_state(&before)?))
    }

    /// Forgets the failures of a name, whether it has a record or not. Returns what they were; `None` where nothing is
    /// known of the name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unlock(&mut self, name: &UserName) -> Result<Option<Failures>, StoreError> {
        let transaction = immediate(&mut self.connection)?;
        let failures = failures_of(&transaction, "user", name.as_str())?;
        let forgotten = transaction
            .execute("DELETE FROM failure WHERE kind = 'user' AND subject = ?1", [name.as_str()])?;
        let known = forgotten > 0 || id_of(&transaction, name)?.is_some();
        transaction.commit()?;
        Ok(known.then_some(failures))
    }

    /// Gives a user another name, with tokens, backup codes and failures. Questions that wait for an answer under either
    /// name are forgotten.
    ///
    /// # Errors
    /// When the database fails, or a secret is encrypted and cannot be read: it is tied to the name. Nothing was changed
    /// then.
    pub fn rename(&mut self, old: &UserName, new: &UserName) -> Result<Renaming, StoreError> {
        let Self { connection, keyring, .. } = self;
        let transaction = immediate(connection)?;
        let Some(user) = id_of(&transaction, old)? else { return Ok(Renaming::Unknown) };
        if id_of(&transaction, new)?.is_some() {
            return Ok(Renaming::Taken);
        }
        for token in tokens::stored_of(&transaction, user)? {
            if token.sealed_with.is_some() {
                token.replace(&transaction, new.as_str(), &token.secret(keyring)?, keyring.key()?)?;
            }
        }
        transaction.execute("UPDATE user SET name = ?2 WHERE id = ?1", params![user.0, new.as_str()])?;
        transaction.execute(
            "UPDATE OR REPLACE failure SET subject = ?2 WHERE kind = 'user' AND subject = ?1",
            [old.as_str(), new.as_str()],
        )?;
        for name in [old, new] {
            forget_questions(&transaction, name)?;
        }
        transaction.commit()?;
        Ok(Renaming::Done)
    }
}

/// The number of a user, if there is one of this name.
pub(super) fn id_of(transaction: &Transaction<'_>, name: &UserName) -> Result<Option<UserId>, StoreError> {
    Ok(transaction
        .query_row("SELECT id FROM user WHERE name = ?1", [name.as_str()], |row| row.get(0))
        .optional()?
        .map(UserId))
}

#[cfg(test)]
mod tests;

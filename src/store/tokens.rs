//! TOTP tokens and their secrets, in SQL. The only place that reads and writes a secret: as it is, or sealed where the
//! settings name a key.

use super::key::{Key, KeyError, KeyId, Keyring};
use super::records::{from_sql, to_sql, unreadable};
use super::seal::{self, Binding};
use crate::auth::{StoreError, Token, TokenId, UserId};
use crate::clock::UnixTime;
use crate::factor::totp::{Algorithm, MIN_SECRET_BYTES};
use crate::name::UserName;
use crate::printable;
use crate::random::SystemRandom;
use crate::secret::{ExposeSecret, SecretBytes, secret};
use rusqlite::{Connection, Params, Row, params};

/// A token that is to be stored.
#[derive(Clone, Copy)]
pub struct NewToken<'a> {
    /// The shared secret.
    pub secret: &'a SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// What the administrator calls it; empty where it has no name.
    pub label: &'a str,
}

/// The secret of a token cannot be read. The texts are safe for a terminal.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is sealed, and the settings name no key.
    #[error(
        "{user}'s secret is encrypted with the key {found}, and no key is set: set [store] key_file to the file that holds it"
    )]
    NoKey {
        /// Whose it is.
        user: String,
        /// The name of the key, as it stands in the database.
        found: String,
    },
    /// It is sealed with another key than that of the settings.
    #[error(
        "{user}'s secret is encrypted with another key (id {found}), the key of {file} has id {id}: put the other key back, or, if this one takes its place, openvpn-2fa rekey --old-key-file FILE"
    )]
    OtherKey {
        /// Whose it is.
        user: String,
        /// The name of the key, as it stands in the database.
        found: String,
        /// Where the key at hand is from.
        file: String,
        /// Its name.
        id: KeyId,
    },
    /// It was sealed for another row, or changed since.
    #[error(
        "{user}'s secret cannot be decrypted with the key of {file} (id {id}), though it is the right one: somebody changed the row in the database, or it is damaged. Restore a backup, or enrol {user} again: openvpn-2fa enroll {user} --force"
    )]
    Damaged {
        /// Whose it is.
        user: String,
        /// Where the key is from.
        file: String,
        /// Its name.
        id: KeyId,
    },
    /// The key of the settings cannot be had.
    #[error("[store] key_file: {0}")]
    Key(#[from] KeyError),
}

impl From<SecretError> for StoreError {
    fn from(error: SecretError) -> Self {
        Self(error.to_string())
    }
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        SecretError::from(error).into()
    }
}

/// A row of `totp_token`, its secret as it is stored.
pub(super) struct Stored {
    pub(super) id: TokenId,
    user: String,
    blob: SecretBytes,
    pub(super) sealed_with: Option<String>,
    algorithm: String,
    digits: u8,
    period: u32,
    last_step: Option<i64>,
}

impl Stored {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: TokenId(row.get("id")?),
            user: row.get("user")?,
            blob: secret(row.get_ref("secret")?.as_blob().map_err(|_| unreadable("a secret"))?),
            sealed_with: row.get("sealed_with")?,
            algorithm: row.get("algorithm")?,
            digits: row.get("digits")?,
            period: row.get("period")?,
            last_step: row.get("last_step")?,
        })
    }

    /// Whose it is.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    fn binding<'a>(&'a self, user: &'a str) -> Binding<'a> {
        let Self { id, algorithm, digits, period, .. } = self;
        Binding { user, token: *id, algorithm, digits: *digits, period: *period }
    }

    /// The secret itself; one that is not sealed needs no key.
    pub(super) fn secret(&self, keyring: &Keyring) -> Result<SecretBytes, SecretError> {
        match &self.sealed_with {
            None => Ok(secret(self.blob.expose_secret())),
            Some(found) => match keyring.key()? {
                Some(key) => self.open(key),
                None => Err(SecretError::NoKey {
                    user: printable::text(&self.user),
                    found: printable::text(found),
                }),
            },
        }
    }

    /// The secret, which is sealed with `key`.
    pub(super) fn open(&self, key: &Key) -> Result<SecretBytes, SecretError> {
        let (user, file, id) = (printable::text(&self.user), key.origin(), key.id().clone());
        let found = self.sealed_with.as_deref().unwrap_or_default();
        if found != id.as_str() {
            return Err(SecretError::OtherKey { user, found: printable::text(found), file, id });
        }
        seal::open(key, &self.binding(&self.user), self.blob.expose_secret())
            .map_err(|seal::Damaged| SecretError::Damaged { user, file, id })
    }

    /// Stores `secret` in place of what the row holds: for its user or one who has the row from now on, sealed with
    /// `key` or as it is.
    pub(super) fn replace(
        &self,
        connection: &Connection,
        user: &str,
        secret: &SecretBytes,
        key: Option<&Key>,
    ) -> Result<(), StoreError> {
        match key {
            None => connection.execute(
                "UPDATE totp_token SET secret = ?2, sealed_with = NULL WHERE id = ?1",
                params![self.id.0, secret.expose_secret()],
            )?,
            Some(key) => connection.execute(
                "UPDATE totp_token SET secret = ?2, sealed_with = ?3 WHERE id = ?1",
                params![self.id.0, sealed(key, &self.binding(user), secret)?, key.id().as_str()],
            )?,
        };
        Ok(())
    }
}

fn sealed(key: &Key, binding: &Binding<'_>, secret: &SecretBytes) -> Result<Vec<u8>, StoreError> {
    seal::seal(key, binding, secret, &SystemRandom).map_err(|error| StoreError(error.to_string()))
}

/// The rows of all users.
pub(super) fn stored(connection: &Connection) -> Result<Vec<Stored>, StoreError> {
    read(connection, "ORDER BY totp_token.id", [])
}

/// The rows of a user, oldest first.
pub(super) fn stored_of(connection: &Connection, user: UserId) -> Result<Vec<Stored>, StoreError> {
    read(connection, "WHERE user_id = ?1 ORDER BY totp_token.id", [user.0])
}

fn read(
    connection: &Connection,
    which: &'static str,
    parameters: impl Params,
) -> Result<Vec<Stored>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT totp_token.id, name AS user, secret, sealed_with, algorithm, digits, period, last_step
         FROM totp_token JOIN user ON user.id = user_id {which}"
    ))?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Stored::read(row)?);
    }
    Ok(all)
}

/// The tokens of a user, oldest first.
pub(super) fn tokens_of(
    connection: &Connection,
    keyring: &Keyring,
    user: UserId,
) -> Result<Vec<Token>, StoreError> {
    let token = |row: &Stored| {
        Ok(Token {
            id: row.id,
            secret: row.secret(keyring)?,
            algorithm: row.algorithm.parse().map_err(|_| unreadable("an algorithm"))?,
            digits: row.digits,
            period: row.period,
            last_step: row.last_step.map(from_sql),
        })
    };
    stored_of(connection, user)?.iter().map(token).collect()
}

/// Stores a token, sealed where there is a key. Returns its number.
pub(super) fn insert(
    transaction: &Connection,
    keyring: &Keyring,
    (user, name): (UserId, &UserName),
    token: &NewToken<'_>,
    now: UnixTime,
) -> Result<TokenId, StoreError> {
    // The schema sees that of a secret which is not sealed.
    if token.secret.expose_secret().len() < MIN_SECRET_BYTES {
        return Err(StoreError(format!("a secret of less than {MIN_SECRET_BYTES} bytes is not stored")));
    }
    let insert = |blob: &[u8]| {
        transaction.execute(
            "INSERT INTO totp_token (user_id, secret, algorithm, digits, period, label, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                user.0,
                blob,
                token.algorithm.name(),
                token.digits,
                token.period,
                token.label,
                to_sql(now)
            ],
        )
    };
    let Some(key) = keyring.key()? else {
        insert(token.secret.expose_secret())?;
        return Ok(TokenId(transaction.last_insert_rowid()));
    };
    // The number of the row is part of what is sealed.
    insert(&[0; MIN_SECRET_BYTES])?;
    let id = TokenId(transaction.last_insert_rowid());
    let binding = Binding {
        user: name.as_str(),
        token: id,
        algorithm: token.algorithm.name(),
        digits: token.digits,
        period: token.period,
    };
    transaction.execute(
        "UPDATE totp_token SET secret = ?2, sealed_with = ?3 WHERE id = ?1",
        params![id.0, sealed(key, &binding, token.secret)?, key.id().as_str()],
    )?;
    Ok(id)
}

#[cfg(test)]
mod tests;

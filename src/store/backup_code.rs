//! Backup codes, in SQL.

use super::Database;
use super::records::{from_sql, to_sql};
use super::sqlite::immediate;
use crate::auth::{BackupCodeId, StoreError, StoredBackupCode, UserId};
use crate::clock::UnixTime;
use crate::factor::backup_code::SaltedHash;
use crate::name::UserName;
use rusqlite::{Connection, OptionalExtension, params};

/// How many backup codes a user has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupCodes {
    /// How many were made.
    pub made: u64,
    /// How many of them can still be used.
    pub left: u64,
}

impl Database {
    /// Replaces the backup codes of a user. Returns whether it was done: only users with a token have some.
    ///
    /// # Errors
    /// When the database fails.
    pub fn replace_backup_codes(
        &mut self,
        name: &UserName,
        codes: &[SaltedHash],
    ) -> Result<bool, StoreError> {
        let transaction = immediate(&mut self.connection)?;
        let user: Option<i64> = transaction
            .query_row(
                "SELECT id FROM user WHERE name = ?1 AND EXISTS (SELECT 1 FROM totp_token WHERE user_id = user.id)",
                [name.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        let Some(user) = user else { return Ok(false) };
        transaction.execute("DELETE FROM backup_code WHERE user_id = ?1", [user])?;
        insert(&transaction, UserId(user), codes)?;
        transaction.commit()?;
        Ok(true)
    }
}

/// Stores codes of a user beside those that are there.
pub(super) fn insert(connection: &Connection, user: UserId, codes: &[SaltedHash]) -> Result<(), StoreError> {
    for code in codes {
        connection.execute(
            "INSERT INTO backup_code (user_id, salt, hash) VALUES (?1, ?2, ?3)",
            params![user.0, code.salt, code.hash],
        )?;
    }
    Ok(())
}

/// The codes of a user, the used ones too.
pub(super) fn codes_of(connection: &Connection, user: UserId) -> Result<Vec<StoredBackupCode>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, salt, hash, used_at FROM backup_code WHERE user_id = ?1 ORDER BY id")?;
    let codes = statement.query_map([user.0], |row| {
        let used_at: Option<i64> = row.get(3)?;
        Ok(StoredBackupCode {
            id: BackupCodeId(row.get(0)?),
            hash: SaltedHash { salt: row.get(1)?, hash: row.get(2)? },
            used_at: used_at.map(from_sql),
        })
    })?;
    Ok(codes.collect::<Result<_, _>>()?)
}

/// Marks a code as used. One that is used already is an error: the caller has seen that it was not, under the same lock.
pub(super) fn use_code(connection: &Connection, code: BackupCodeId, now: UnixTime) -> Result<(), StoreError> {
    let changed = connection.execute(
        "UPDATE backup_code SET used_at = ?2 WHERE id = ?1 AND used_at IS NULL",
        params![code.0, to_sql(now)],
    )?;
    if changed == 1 { Ok(()) } else { Err(StoreError("database: cannot read a backup code".to_owned())) }
}

pub(super) fn count_of(connection: &Connection, user: UserId) -> Result<BackupCodes, StoreError> {
    let (made, left): (i64, i64) = connection.query_row(
        "SELECT count(*), count(*) - count(used_at) FROM backup_code WHERE user_id = ?1",
        [user.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(BackupCodes { made: from_sql(made), left: from_sql(left) })
}

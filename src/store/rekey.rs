//! Encrypting all secrets anew, and ridding the file of what they were before.

use super::Database;
use super::key::{Key, KeyId};
use super::offer;
use super::sqlite::immediate;
use super::tokens::{self, SecretError, Stored};
use crate::auth::StoreError;
use crate::secret::SecretBytes;
use std::path::Path;

/// How secrets are to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted with the key of the settings.
    Encrypted,
    /// As they are.
    None,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rekeyed {
    /// How many secrets there are.
    pub secrets: usize,
    /// How many of them were stored otherwise.
    pub changed: usize,
    /// The key that all are encrypted with now.
    pub key: Option<KeyId>,
}

impl Database {
    /// Stores every secret anew, each of which is tried first, in one transaction. `old_key_file` holds the key of before,
    /// where it is not that of the settings. What the secrets were before may still be in the file:
    /// [`Database::compact`] gets rid of it.
    ///
    /// # Errors
    /// When a secret cannot be read, a key cannot be had, or the database fails. Nothing was changed then.
    pub fn rekey(
        &mut self,
        protection: Protection,
        old_key_file: Option<&Path>,
    ) -> Result<Rekeyed, StoreError> {
        let Self { connection, keyring, .. } = self;
        let key = match protection {
            Protection::None => None,
            Protection::Encrypted => Some(keyring.key()?.ok_or_else(|| {
                StoreError("no key is set: [store] key_file (openvpn-2fa new-key FILE makes one)".to_owned())
            })?),
        };
        let old_key =
            old_key_file.map(Key::read).transpose().map_err(|error| StoreError(error.to_string()))?;
        let secret_of = |row: &Stored| -> Result<SecretBytes, StoreError> {
            let Some(old) = &old_key else { return Ok(row.secret(keyring)?) };
            if row.sealed_with.as_deref() == Some(old.id().as_str()) {
                return Ok(row.open(old)?);
            }
            row.secret(keyring).map_err(|error| match error {
                error @ (SecretError::NoKey { .. } | SecretError::OtherKey { .. }) => {
                    StoreError(format!("{error} ({} holds the key {})", old.origin(), old.id()))
                }
                error @ (SecretError::Damaged { .. } | SecretError::Key(_)) => error.into(),
            })
        };
        let transaction = immediate(connection)?;
        let rows = tokens::stored(&transaction)?;
        let mut changed = 0;
        for row in &rows {
            let secret = secret_of(row)?;
            if row.sealed_with.as_deref() != key.map(|key| key.id().as_str()) {
                row.replace(&transaction, row.user(), &secret, key)?;
                changed += 1;
            }
        }
        // Nobody has those yet. Who is being asked gets another one at the next login.
        offer::forget_all(&transaction)?;
        transaction.commit()?;
        Ok(Rekeyed { secrets: rows.len(), changed, key: key.map(|key| key.id().clone()) })
    }

    /// Writes the file anew, so that nothing of what was deleted or replaced is left in it, or in the log beside it.
    ///
    /// # Errors
    /// When the database fails, or others use it for longer than they should. What is stored is whole then, too.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        // Not in a temporary file, which would be one more place with secrets in it.
        self.connection.execute_batch("PRAGMA temp_store = MEMORY; VACUUM;")?;
        let busy: bool =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(StoreError("database: others were using it all the time".to_owned()));
        }
        Ok(())
    }
}

//! Backups, made while logins go on, and taken back.

use super::Database;
use super::foreign::in_memory;
use super::records::to_sql;
use super::sqlite::{DatabaseError, header_is_ours, immediate, migrate};
use crate::auth::StoreError;
use crate::clock::UnixTime;
use crate::files::{self, ReadError};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest backup that is read, in bytes: it is kept in memory.
const MAX_BACKUP_BYTES: u64 = 512 * 1024 * 1024;

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Their tokens.
    pub tokens: u64,
}

/// A backup was not made, or not taken back. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be made.
    #[error("{}: a new file cannot be made: {cause}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file cannot be read or trusted.
    #[error("the backup is not used: {0}")]
    Untrusted(#[from] ReadError),
    /// The file is another one's.
    #[error("{} is not a backup of openvpn-2fa", .0.display())]
    Foreign(PathBuf),
    /// The copy is not what it should be.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said of it.
        reason: String,
    },
    /// The schema is not known, or cannot be brought up to date.
    #[error(transparent)]
    Schema(#[from] DatabaseError),
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A backup that was read and looked at.
pub struct Verified {
    /// A database file with this version's schema.
    image: Zeroizing<Vec<u8>>,
    /// What it holds.
    pub counts: Counts,
}

/// What a restored database starts with.
#[derive(Debug, Clone, Copy)]
pub struct Restart {
    /// The time of day.
    pub now: UnixTime,
    /// Steps that are accepted ahead of now.
    pub window: u64,
}

impl Database {
    /// Copies the database into a new file, 0600, and looks at the copy. Logins go on meanwhile; the copy is that of one
    /// moment.
    ///
    /// # Errors
    /// When the file is there already or cannot be written, or the copy is not whole. Then there is no file.
    pub fn back_up(&mut self, path: &Path) -> Result<Counts, BackupError> {
        // What is counted and what is copied is the same moment: one reading transaction around both.
        let transaction = self.connection.transaction()?;
        copy_to_new_file(&transaction, path)
    }

    /// Replaces what the database holds by a backup, in one transaction, and keeps what it held in the new file `previous`.
    /// Returns what `previous` holds.
    ///
    /// No code that was used is accepted again: a token that is in both keeps the larger last step, another one has all
    /// steps behind it that could have been used by now. A backup code that the database knows as used, or has replaced by
    /// others, is void. Open questions and requests go; failures and locks stay as they are.
    ///
    /// # Errors
    /// When the database fails, or `previous` cannot be made. Then nothing is changed.
    pub fn restore(
        &mut self,
        backup: &Verified,
        previous: &Path,
        restart: Restart,
    ) -> Result<Counts, BackupError> {
        let image = backup.image.as_slice();
        self.connection.execute_batch("ATTACH ':memory:' AS restored")?;
        let result = self.connection.deserialize_read_exact(c"restored", image, image.len(), false);
        let result =
            result.map_err(BackupError::from).and_then(|()| self.replace_by_restored(previous, restart));
        self.connection.execute_batch("DETACH restored")?;
        result
    }

    fn replace_by_restored(&mut self, previous: &Path, restart: Restart) -> Result<Counts, BackupError> {
        // Under the write lock nothing changes any more; SQLite copies for another connection only, as long as this one
        // could be writing.
        let reader = Self::connect(&self.path)?;
        let transaction = immediate(&mut self.connection)?;
        let before = copy_to_new_file(&reader.connection, previous)?;
        let replaced = (|| {
            transaction.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            transaction.execute(BURN_STEPS, [to_sql(restart.now), to_sql(restart.window)])?;
            transaction.execute(VOID_BACKUP_CODES, [to_sql(restart.now)])?;
            for table in tables(&transaction)? {
                transaction.execute_batch(&replace_table(&transaction, &table)?)?;
            }
            transaction.commit()
        })();
        if let Err(error) = replaced {
            let _ = std::fs::remove_file(previous);
            return Err(error.into());
        }
        Ok(before)
    }
}

/// A token is the same when its user and its secret are, or its user, its number and the moment in which it was made (its
/// secret may have been encrypted anew since).
const BURN_STEPS: &str = "
    UPDATE restored.totp_token AS token SET last_step = max(
        coalesce(token.last_step, 0),
        coalesce(
            (SELECT max(coalesce(live.last_step, 0)) FROM main.totp_token AS live
             JOIN main.user AS owner ON owner.id = live.user_id
             WHERE owner.name = (SELECT name FROM restored.user WHERE id = token.user_id)
               AND live.period = token.period
               AND (live.secret = token.secret OR (live.id = token.id AND live.created_at = token.created_at))),
            ?1 / token.period + ?2))";

const VOID_BACKUP_CODES: &str = "
    UPDATE restored.backup_code AS code SET used_at = ?1
    WHERE code.used_at IS NULL
      AND EXISTS (SELECT 1 FROM main.backup_code AS live JOIN main.user AS owner ON owner.id = live.user_id
                  WHERE owner.name = (SELECT name FROM restored.user WHERE id = code.user_id))
      AND NOT EXISTS (SELECT 1 FROM main.backup_code AS live JOIN main.user AS owner ON owner.id = live.user_id
                      WHERE owner.name = (SELECT name FROM restored.user WHERE id = code.user_id)
                        AND live.salt = code.salt AND live.hash = code.hash AND live.used_at IS NULL)";

/// What is about the present, and not brought back.
const EMPTIED: [&str; 2] = ["challenge", "push"];
const KEPT: [&str; 1] = ["failure"];

fn tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY rowid",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn replace_table(connection: &Connection, table: &str) -> Result<String, rusqlite::Error> {
    if KEPT.contains(&table) {
        return Ok(String::new());
    }
    let empty = format!("DELETE FROM main.\"{table}\";");
    if EMPTIED.contains(&table) {
        return Ok(empty);
    }
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1, 'main')")?;
    let columns: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let columns = format!("\"{}\"", columns.join("\", \""));
    Ok(format!(
        "{empty} INSERT INTO main.\"{table}\" ({columns}) SELECT {columns} FROM restored.\"{table}\";"
    ))
}

/// Reads a backup into memory, and looks whether it is one, is whole, and can be brought up to this version's schema. The
/// file itself is not opened by SQLite, and stays as it is.
///
/// # Errors
/// When it is not, or others could have read or written it.
pub fn verify(path: &Path) -> Result<Verified, BackupError> {
    // No more room than it needs: all of it is wiped afterwards.
    let length = std::fs::symlink_metadata(path).map_or(0, |state| state.len());
    let bytes = files::read_private(path, length.min(MAX_BACKUP_BYTES))?;
    if !header_is_ours(&bytes) {
        return Err(BackupError::Foreign(path.to_owned()));
    }
    let damaged = |error: rusqlite::Error| BackupError::Damaged {
        path: path.to_owned(),
        reason: format!("the backup cannot be read: {error}"),
    };
    let mut connection = in_memory(&bytes).map_err(damaged)?;
    connection.execute_batch("PRAGMA query_only = OFF; PRAGMA foreign_keys = ON;").map_err(damaged)?;
    check(&connection, path)?;
    migrate(&mut connection, path)?;
    let counts = count(&connection).map_err(damaged)?;
    let image = Zeroizing::new(connection.serialize(MAIN_DB).map_err(damaged)?.to_vec());
    Ok(Verified { image, counts })
}

fn copy_to_new_file(source: &Connection, path: &Path) -> Result<Counts, BackupError> {
    let create = |cause| BackupError::Create { path: path.to_owned(), cause };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file =
        rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| create(errno.into()))?;
    let result = copy(source, path).and_then(|counts| {
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::from(file).sync_all().and_then(|()| File::open(directory)?.sync_all()).map_err(create)?;
        Ok(counts)
    });
    if result.is_err() {
        let _ = std::fs::remove_file(path);
    }
    result
}

/// Copies into a file that is there and empty, and reads it again.
fn copy(source: &Connection, path: &Path) -> Result<Counts, BackupError> {
    let wanted = count(source)?;
    // Links on the way to it are the administrator's; the file itself was just made, and is none.
    let mut target = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let step = Backup::new(source, &mut target)?.step(-1)?;
    if step != StepResult::Done {
        return Err(StoreError("the database is locked by another program, try again".to_owned()).into());
    }
    // One file, without a write-ahead log beside it.
    target.execute_batch("PRAGMA journal_mode = DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    let Verified { counts, .. } = verify(path)?;
    if counts != wanted {
        let reason = format!("{counts:?} instead of {wanted:?}");
        return Err(BackupError::Damaged { path: path.to_owned(), reason });
    }
    Ok(counts)
}

fn check(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let unreadable = |error: rusqlite::Error| damaged(format!("the backup is damaged: {error}"));
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(unreadable)?;
    if verdict != "ok" {
        return Err(damaged(format!("the backup is damaged: {verdict}")));
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check").map_err(unreadable)?;
    if statement.exists([]).map_err(unreadable)? {
        return Err(damaged("the backup is damaged: rows without their users".to_owned()));
    }
    Ok(())
}

fn count(connection: &Connection) -> Result<Counts, rusqlite::Error> {
    let number = |query: &str| -> Result<u64, rusqlite::Error> {
        connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(super::records::from_sql)
    };
    Ok(Counts {
        users: number("SELECT count(*) FROM main.user")?,
        tokens: number("SELECT count(*) FROM main.totp_token")?,
    })
}

#[cfg(test)]
mod tests;

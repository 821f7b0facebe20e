//! Making, opening and migrating the database file.

use crate::auth::{ChallengeKey, Records, Store, StoreError};
use crate::files::{self, ReadError};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::{Mode, OFlags};
use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks a database as ours (`PRAGMA application_id`, bytes 68-71 of the file): "O2FA".
const APPLICATION_ID: i32 = 0x4f32_4641;

/// The migrations, in order. `PRAGMA user_version` counts how many a database has had.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_users_tokens_challenges.sql")];

/// How long to wait for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The database cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is none.
    #[error(
        "there is no database at {0}: enrol the first user (openvpn-2fa enroll USER), or set [totp] token_db_path"
    )]
    Missing(PathBuf),
    /// It is not ours.
    #[error(
        "{path} is not a database of openvpn-2fa ({found}), it is left as it is: move it away, or set [totp] token_db_path to another file"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// A later version made it.
    #[error(
        "{path} was made by a later version of openvpn-2fa (schema {found}, this one knows {known}): install that version again"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// File or directory are open to others.
    #[error("the database is not used: {0}")]
    Untrusted(ReadError),
    /// SQLite said no.
    #[error("database {}: {cause}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: rusqlite::Error,
    },
    /// The system said no.
    #[error("cannot make the database {}: {cause}", path.display())]
    Create {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// An open database.
pub struct Database {
    pub(super) connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// When there is none, it is not ours, or not ours alone.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let file = match files::open_regular(path, OFlags::RDONLY) {
            Ok(file) => file,
            Err(ReadError::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Err(DatabaseError::Missing(path.to_owned()));
            }
            Err(error) => return Err(DatabaseError::Untrusted(error)),
        };
        // Whose it is comes first: nobody is to be told to change the mode of another program's file.
        let header = header_of(path, &file)?;
        files::require_private(path, &file).map_err(DatabaseError::Untrusted)?;
        // Whoever can put files beside it can put a journal there that SQLite would play back.
        files::check_directory(directory_of(path)).map_err(DatabaseError::Untrusted)?;
        let sqlite = |cause| DatabaseError::Sqlite { path: path.to_owned(), cause };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
        connection
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;")
            .map_err(sqlite)?;
        let mut database = Self { connection, path: path.to_owned() };
        if header == Header::Empty {
            database.found()?;
        }
        database.migrate()?;
        Ok(database)
    }

    /// Opens the database at `path`; makes it, and the directory that it is in, if they are not there: 0600 in 0700.
    ///
    /// # Errors
    /// As [`Database::open`], and when it cannot be made.
    pub fn open_or_create(path: &Path) -> Result<Self, DatabaseError> {
        let create = |path: &Path, cause| DatabaseError::Create { path: path.to_owned(), cause };
        let directory = directory_of(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| create(directory, error))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) | Err(rustix::io::Errno::EXIST) => Self::open(path),
            Err(errno) => Err(create(path, errno.into())),
        }
    }

    /// Writes into an empty file what marks it as ours, before anything else. In SQLite's rollback mode, so that it is
    /// in the file itself and not in a log beside it. Two processes may do this at once.
    fn found(&mut self) -> Result<(), DatabaseError> {
        let path = self.path.clone();
        let sqlite = |cause| DatabaseError::Sqlite { path: path.clone(), cause };
        self.connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; COMMIT; PRAGMA journal_mode = WAL;"
            ))
            .map_err(sqlite)
    }

    fn migrate(&mut self) -> Result<(), DatabaseError> {
        let path = self.path.clone();
        let sqlite = |cause| DatabaseError::Sqlite { path: path.clone(), cause };
        let version = |connection: &Connection| -> Result<usize, DatabaseError> {
            let found: i64 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
            let found = usize::try_from(found).unwrap_or(usize::MAX);
            if found > MIGRATIONS.len() {
                let known = MIGRATIONS.len();
                return Err(DatabaseError::TooNew { path: path.clone(), found, known });
            }
            Ok(found)
        };
        if version(&self.connection)? == MIGRATIONS.len() {
            return Ok(());
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        // Again, under the lock: many hooks may have started at once.
        for migration in &MIGRATIONS[version(&transaction)?..] {
            transaction.execute_batch(migration).map_err(sqlite)?;
        }
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", known).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)
    }

    /// Begins a transaction that holds the write lock from its start.
    pub(super) fn immediate(&mut self) -> Result<Transaction<'_>, rusqlite::Error> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }
}

impl Store for Database {
    fn begin(&mut self) -> Result<Box<dyn Records + '_>, StoreError> {
        let name = self.path.display().to_string();
        let transaction =
            self.immediate().map_err(|error| StoreError(format!("database {name}: {error}")))?;
        Ok(Box::new(super::records::SqliteRecords(transaction)))
    }

    fn is_asked(&mut self, key: &ChallengeKey) -> Result<bool, StoreError> {
        super::records::has_challenge(&self.connection, key)
    }
}

/// A database that is opened when it is first asked, so that a login which ends before that never touches it.
pub struct OnDemand {
    path: PathBuf,
    open: Option<Database>,
}

impl OnDemand {
    /// The database at `path`, not yet opened.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None }
    }
}

impl OnDemand {
    fn open(&mut self) -> Result<&mut Database, StoreError> {
        let database = match self.open.take() {
            Some(database) => database,
            None => Database::open(&self.path).map_err(|error| StoreError(error.to_string()))?,
        };
        Ok(self.open.insert(database))
    }
}

impl Store for OnDemand {
    fn begin(&mut self) -> Result<Box<dyn Records + '_>, StoreError> {
        self.open()?.begin()
    }

    fn is_asked(&mut self, key: &ChallengeKey) -> Result<bool, StoreError> {
        self.open()?.is_asked(key)
    }
}

#[derive(PartialEq, Eq)]
enum Header {
    Empty,
    Ours,
}

/// Looks at the first bytes of the file, so that SQLite never opens what is not ours: opening can change a file.
/// Offsets: "The Database Header" in SQLite's file format document.
fn header_of(path: &Path, file: &OwnedFd) -> Result<Header, DatabaseError> {
    let unreadable = |cause| DatabaseError::Untrusted(ReadError::Io { path: path.to_owned(), cause });
    let mut header = Vec::with_capacity(100);
    let file = File::from(file.try_clone().map_err(unreadable)?);
    file.take(100).read_to_end(&mut header).map_err(unreadable)?;
    let foreign = |found| Err(DatabaseError::Foreign { path: path.to_owned(), found });
    if header.is_empty() {
        return Ok(Header::Empty);
    }
    if !header.starts_with(b"SQLite format 3\0") || header.len() < 100 {
        return foreign("not an SQLite database");
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return foreign("an SQLite database of another program, perhaps of the script that was used before");
    }
    Ok(Header::Ours)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;

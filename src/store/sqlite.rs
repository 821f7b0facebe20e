//! Making, opening and migrating the database file.

use super::key::Keyring;
use super::records::SqliteRecords;
use crate::auth::{ChallengeKey, Records, Store, StoreError};
use crate::config::Settings;
use crate::files::{self, ReadError, directory_of};
use crate::random::{Random, SystemRandom};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks a database as ours (`PRAGMA application_id`, bytes 68-71 of the file): "O2FA".
const APPLICATION_ID: i32 = 0x4f32_4641;

/// How a database of SQLite begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The migrations, in order. `PRAGMA user_version` counts how many a database has had.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/0001_users_tokens_challenges.sql"),
    include_str!("../../migrations/0002_duo.sql"),
    include_str!("../../migrations/0003_address_limit.sql"),
    include_str!("../../migrations/0004_self_enrolment.sql"),
];

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
        "{path} is not a database of openvpn-2fa ({found}), it is left as it is: move it away, then openvpn-2fa import takes its users over; or set [totp] token_db_path to another file"
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
        cause: io::Error,
    },
}

/// Where a database is, and the key to the secrets in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The database file.
    pub database: PathBuf,
    /// The file with the key; without one, secrets are stored as they are, and sealed ones stay shut.
    pub key_file: Option<PathBuf>,
}

impl From<&Settings> for Location {
    fn from(settings: &Settings) -> Self {
        Self { database: settings.totp.token_db_path.clone(), key_file: settings.store.key_file() }
    }
}

/// An open database.
pub struct Database {
    pub(super) connection: Connection,
    /// The key, which is read when a secret is met that needs it, or a new one is stored.
    pub(super) keyring: Keyring,
    pub(super) path: PathBuf,
}

impl Database {
    /// Opens the database at a location.
    ///
    /// # Errors
    /// When there is none, it is not ours, or not ours alone.
    pub fn open(location: impl Into<Location>) -> Result<Self, DatabaseError> {
        let Location { database, key_file } = location.into();
        let mut opened = Self::open_file(&database)?;
        opened.keyring = Keyring::new(key_file);
        Ok(opened)
    }

    fn open_file(path: &Path) -> Result<Self, DatabaseError> {
        let file = match files::open_regular(path, OFlags::RDONLY) {
            Ok(file) => file,
            Err(ReadError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(DatabaseError::Missing(path.to_owned()));
            }
            Err(error) => return Err(DatabaseError::Untrusted(error)),
        };
        // Whose it is comes first: nobody is to be told to change the mode of another program's file.
        if header_of(path, &file)? == Header::Empty {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        files::require_private(path, &file).map_err(DatabaseError::Untrusted)?;
        // Whoever can put files beside it can put a journal there that SQLite would play back.
        files::check_directory(directory_of(path)).map_err(DatabaseError::Untrusted)?;
        Self::connect(path)
    }

    /// Opens the database at a location; makes it, and the directory that it is in, if they are not there: 0600 in 0700.
    ///
    /// # Errors
    /// As [`Database::open`], and when it cannot be made.
    pub fn open_or_create(location: impl Into<Location>) -> Result<Self, DatabaseError> {
        let location = location.into();
        match Self::open(location.clone()) {
            Err(DatabaseError::Missing(_)) => {}
            result => return result,
        }
        let path = &location.database;
        let directory = directory_of(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|cause| DatabaseError::Create { path: directory.to_owned(), cause })?;
        files::check_directory(directory).map_err(DatabaseError::Untrusted)?;
        Self::create(path)?;
        Self::open(location)
    }

    /// Makes a database beside `path` and gives it its name when it is whole, so that nobody ever opens half of one. If
    /// somebody else was faster, theirs stays.
    fn create(path: &Path) -> Result<(), DatabaseError> {
        let failed = |cause: io::Error| DatabaseError::Create { path: path.to_owned(), cause };
        let suffix = SystemRandom.reference().map_err(|error| failed(io::Error::other(error)))?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".new-{suffix}"));
        let unfinished = PathBuf::from(unfinished);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(&unfinished, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(|errno| failed(errno.into()))?;
        // SQLite then gives its journals to the same user.
        let given = files::give_to_owner_of(directory_of(path), &file).map_err(failed);
        let finished = given.and_then(|()| Self::connect(&unfinished)).and_then(|database| {
            let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA journal_mode = WAL;");
            let marked = database.connection.execute_batch(&marks);
            marked.map_err(|cause| DatabaseError::Sqlite { path: unfinished.clone(), cause })?;
            Ok(())
        });
        let named = finished.and_then(|()| name_if_free(&unfinished, path).map_err(failed));
        if named.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        named
    }

    /// Opens a file that has been looked at, and brings its schema up to date if it is ours.
    pub(super) fn connect(path: &Path) -> Result<Self, DatabaseError> {
        let failed = |cause| DatabaseError::Sqlite { path: path.to_owned(), cause };
        // SQLite's own look at links goes through the whole path, and directories may be links.
        let directory = std::fs::canonicalize(directory_of(path))
            .map_err(|cause| DatabaseError::Untrusted(ReadError::Io { path: path.to_owned(), cause }))?;
        let real = path.file_name().map_or_else(|| directory.clone(), |name| directory.join(name));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(real, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;
                 PRAGMA secure_delete = ON;",
            )
            .map_err(failed)?;
        let mut database = Self { connection, keyring: Keyring::new(None), path: path.to_owned() };
        migrate(&mut database.connection, path)?;
        Ok(database)
    }
}

/// Begins a transaction that holds the write lock from its start.
pub(super) fn immediate(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Brings a schema up to date; `path` is for the error.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    let sqlite = |cause| DatabaseError::Sqlite { path: path.to_owned(), cause };
    let version = |connection: &Connection| -> Result<usize, DatabaseError> {
        let found: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        if found > MIGRATIONS.len() {
            return Err(DatabaseError::TooNew { path: path.to_owned(), found, known: MIGRATIONS.len() });
        }
        Ok(found)
    };
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = immediate(connection).map_err(sqlite)?;
    // Again, under the lock: many hooks may have started at once.
    for migration in &MIGRATIONS[version(&transaction)?..] {
        transaction.execute_batch(migration).map_err(sqlite)?;
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", known).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

impl Store for Database {
    fn begin(&mut self) -> Result<Box<dyn Records + '_>, StoreError> {
        let Self { connection, keyring, path } = self;
        let transaction = immediate(connection)
            .map_err(|error| StoreError(format!("database {}: {error}", path.display())))?;
        Ok(Box::new(SqliteRecords(transaction, keyring)))
    }

    fn is_asked(&mut self, key: &ChallengeKey) -> Result<bool, StoreError> {
        super::records::has_challenge(&self.connection, key)
    }
}

/// A database that is opened when it is first asked, so that a login which ends before that never touches it.
pub struct OnDemand {
    location: Location,
    open: Option<Database>,
}

impl OnDemand {
    /// The database at a location, not yet opened.
    #[must_use]
    pub fn at(location: impl Into<Location>) -> Self {
        Self { location: location.into(), open: None }
    }

    fn open(&mut self) -> Result<&mut Database, StoreError> {
        let database = match self.open.take() {
            Some(database) => database,
            None => Database::open(self.location.clone()).map_err(|error| StoreError(error.to_string()))?,
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
    if !header.starts_with(MAGIC) || header.len() < 100 {
        return foreign("not an SQLite database");
    }
    if !header_is_ours(&header) {
        return foreign("an SQLite database of another program, perhaps of the script that was used before");
    }
    Ok(Header::Ours)
}

/// Whether an open file is a database of this program, by its first bytes. Changes neither the file nor its offset.
#[must_use]
pub fn is_ours(file: &OwnedFd) -> bool {
    let mut header = [0; 72];
    matches!(rustix::io::pread(file, &mut header, 0), Ok(72)) && header_is_ours(&header)
}

/// Whether a file that begins so is a database of this program.
pub(super) fn header_is_ours(header: &[u8]) -> bool {
    header.starts_with(MAGIC) && header.get(68..72) == Some(&APPLICATION_ID.to_be_bytes())
}

/// Renames `unfinished` to `path` unless there is a file with something in it.
fn name_if_free(unfinished: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Somebody was faster, or has made an empty file for us to fill.
        Err(Errno::EXIST) if std::fs::symlink_metadata(path)?.len() == 0 => std::fs::rename(unfinished, path),
        Err(Errno::EXIST) => std::fs::remove_file(unfinished),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;

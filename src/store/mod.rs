//! The database: SQLite, embedded. The only SQL in the program is here and in `migrations/`.

mod accounts;
mod backup;
mod backup_code;
mod enrolment;
mod foreign;
mod further_tokens;
#[cfg(test)]
mod fuzz;
mod key;
mod offer;
mod records;
mod rekey;
mod seal;
mod sqlite;
mod tokens;

pub use accounts::Renaming;
pub use backup::{BackupError, Counts, Restart, Verified, verify};
pub use backup_code::BackupCodes;
pub use enrolment::{Enrolled, EnrolledToken, NewUser, Replace, Taken, UsedToken};
pub use foreign::{Columns, ForeignError, rows_of};
pub use further_tokens::Adding;
pub use key::{KeyError, KeyId, NewKeyError, new_key};
pub use rekey::{Protection, Rekeyed};
pub use sqlite::{Database, DatabaseError, Location, OnDemand, is_ours};
pub use tokens::{NewToken, SecretError};

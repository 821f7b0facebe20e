//! The database: SQLite, embedded. The only SQL in the program is here and in `migrations/`.

mod enrolment;
mod records;
mod sqlite;

pub use enrolment::{Enrolled, EnrolledToken, NewToken, Replace};
pub use sqlite::{Database, DatabaseError, OnDemand, is_ours};

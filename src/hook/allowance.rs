//! How long OpenVPN may stand still in all.
//!
//! One call waits no longer than the stall budget. But when hundreds of clients come at once, their calls follow one
//! another, and whoever is connected would wait for the sum. So calls pay for waiting from one account: it holds a few
//! budgets, and fills up slowly. A login here and there never notices; in a storm, most verdicts are deferred.
//!
//! The account is a file of eight bytes beside the database. Where it cannot be used, only the budget counts.

use crate::clock;
use crate::store;
use rustix::fs::{FileType, Mode, OFlags};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// How many budgets the account holds when it is full.
const CAPACITY: u32 = 4;

/// The longest budget that an account is kept for: whoever sets a longer one has chosen to wait.
const LONGEST_BUDGET: Duration = Duration::from_secs(1);

/// The account gains one second of waiting in so many seconds.
const REFILL: u32 = 10;

/// The account of one database.
#[derive(Debug)]
pub(super) struct Allowance {
    budget: Duration,
    account: Option<OwnedFd>,
}

impl Allowance {
    /// The account beside the database at `path`, for calls that wait no longer than `budget`.
    pub(super) fn of(path: &Path, database: &OwnedFd, budget: Duration) -> Self {
        let limited = !budget.is_zero() && budget <= LONGEST_BUDGET;
        // No file is made beside somebody else's.
        let account = if limited && store::is_ours(database) { open(path) } else { None };
        Self { budget, account }
    }

    /// How long the present call may wait.
    pub(super) fn left(&self) -> Duration {
        match self.account.as_ref().map(full_at) {
            Some(full_at) => allowed(self.budget, full_at.saturating_sub(clock::since_epoch())),
            None => self.budget,
        }
    }

    /// Pays for a wait that is over.
    pub(super) fn pay(&self, waited: Duration) {
        let Some(account) = &self.account else { return };
        let now = clock::since_epoch();
        let full_at = now + after(self.budget, full_at(account).saturating_sub(now), waited);
        let milliseconds = u64::try_from(full_at.as_millis()).unwrap_or(u64::MAX);
        // An account that cannot be written leaves the budget as the only limit.
        let _ = rustix::io::pwrite(account, &milliseconds.to_be_bytes(), 0);
    }
}

/// What may be waited when the account is full again after `until_full`.
fn allowed(budget: Duration, until_full: Duration) -> Duration {
    (budget * CAPACITY).saturating_sub(until_full / REFILL).min(budget)
}

/// When the account is full again after `waited` was paid. Never later than when all is spent: a clock that was set back
/// must not close the account for long.
fn after(budget: Duration, until_full: Duration, waited: Duration) -> Duration {
    (until_full + waited * REFILL).min(budget * CAPACITY * REFILL)
}

/// When the account is full, since the epoch.
fn full_at(account: &OwnedFd) -> Duration {
    let mut bytes = [0; 8];
    match rustix::io::pread(account, &mut bytes, 0) {
        Ok(8) => Duration::from_millis(u64::from_be_bytes(bytes)),
        _ => Duration::ZERO,
    }
}

fn open(database: &Path) -> Option<OwnedFd> {
    let mut path = database.as_os_str().to_owned();
    path.push("-stall");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).ok()?;
    let state = rustix::fs::fstat(&file).ok()?;
    // Nothing else is ever written over.
    let ours = FileType::from_raw_mode(state.st_mode) == FileType::RegularFile
        && state.st_nlink == 1
        && matches!(state.st_size, 0 | 8);
    ours.then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(100);

    #[test]
    fn a_storm_uses_the_account_up_and_quiet_fills_it() {
        let mut until_full = Duration::ZERO;
        let mut waited = Duration::ZERO;
        for _ in 0..200 {
            let wait = allowed(BUDGET, until_full);
            waited += wait;
            until_full = after(BUDGET, until_full, wait);
        }
        assert_eq!(waited, BUDGET * CAPACITY);
        assert_eq!(allowed(BUDGET, until_full), Duration::ZERO);
        assert_eq!(allowed(BUDGET, until_full.saturating_sub(Duration::from_millis(500))), BUDGET / 2);
        assert_eq!(allowed(BUDGET, until_full.saturating_sub(Duration::from_secs(1))), BUDGET);
    }

    #[test]
    fn a_clock_that_was_set_back_closes_the_account_for_no_longer_than_a_storm() {
        let years = Duration::from_secs(100_000_000);
        assert_eq!(allowed(BUDGET, years), Duration::ZERO);
        assert_eq!(after(BUDGET, years, Duration::ZERO), BUDGET * CAPACITY * REFILL);
    }

    fn allowance(database: &Path, budget: Duration) -> Allowance {
        let file = crate::files::open_regular(database, OFlags::RDONLY).unwrap();
        Allowance::of(database, &file, budget)
    }

    #[test]
    fn calls_of_one_database_share_an_account_and_another_file_in_its_place_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.sqlite3");
        store::Database::open_or_create(&database).unwrap();
        allowance(&database, BUDGET).pay(BUDGET * 10);
        assert!(allowance(&database, BUDGET).left() < BUDGET / 2);
        assert_eq!(allowance(&database, Duration::ZERO).left(), Duration::ZERO);
        allowance(&database, Duration::from_secs(2)).pay(Duration::from_secs(100));
        assert_eq!(allowance(&database, Duration::from_secs(2)).left(), Duration::from_secs(2));
        let account = directory.path().join("t.sqlite3-stall");
        std::fs::write(&account, "precious!").unwrap();
        allowance(&database, BUDGET).pay(BUDGET * 10);
        assert_eq!(allowance(&database, BUDGET).left(), BUDGET);
        assert_eq!(std::fs::read(&account).unwrap(), b"precious!");
    }

    #[test]
    fn an_account_that_is_no_file_of_ours_is_neither_followed_nor_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("t.sqlite3");
        store::Database::open_or_create(&database).unwrap();
        let (account, victim) = (directory.path().join("t.sqlite3-stall"), directory.path().join("victim"));
        std::fs::write(&victim, "8 bytes!").unwrap();
        std::os::unix::fs::symlink(&victim, &account).unwrap();
        allowance(&database, BUDGET).pay(BUDGET * 10);
        std::fs::remove_file(&account).unwrap();
        std::fs::hard_link(&victim, &account).unwrap();
        allowance(&database, BUDGET).pay(BUDGET * 10);
        std::fs::remove_file(&account).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"8 bytes!");
        rustix::fs::mknodat(rustix::fs::CWD, &account, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        allowance(&database, BUDGET).pay(BUDGET * 10);
        assert_eq!(allowance(&database, BUDGET).left(), BUDGET);
    }

    #[test]
    fn no_file_is_made_beside_a_database_that_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("diary");
        std::fs::write(&database, "somebody's diary").unwrap();
        assert_eq!(allowance(&database, BUDGET).left(), BUDGET);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

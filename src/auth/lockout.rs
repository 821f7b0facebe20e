//! Lockout: failed second factors in a row, and what they lead to. Pure.

use crate::clock::UnixTime;
use crate::config;

/// The failed second factors of a user since the last good one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many, in a row.
    pub count: u64,
    /// Until when the user is locked, if they ever were.
    pub locked_until: Option<UnixTime>,
}

/// Whether a user with these failures may not even try.
#[must_use]
pub fn is_locked(failures: Failures, now: UnixTime) -> bool {
    failures.locked_until.is_some_and(|until| now < until)
}

/// The failures after one more at `now`. The one that reaches `max_failures` locks; when the lock has passed, counting
/// starts again.
#[must_use]
pub fn after_failure(failures: Failures, now: UnixTime, policy: &config::Lockout) -> Failures {
    let lock_has_passed = failures.locked_until.is_some_and(|until| until <= now);
    let count = if lock_has_passed { 1 } else { failures.count.saturating_add(1) };
    let locked_until = (count >= policy.max_failures.get()).then(|| now.saturating_add(policy.seconds.get()));
    Failures { count, locked_until }
}

/// The failures when one that was counted in advance turns out to be none.
#[must_use]
pub fn after_retraction(failures: Failures, policy: &config::Lockout) -> Failures {
    let count = failures.count.saturating_sub(1);
    let locked_until = failures.locked_until.filter(|_| count >= policy.max_failures.get());
    Failures { count, locked_until }
}

/// The failures of a user who is locked at once.
#[must_use]
pub fn locked_at_once(now: UnixTime, policy: &config::Lockout) -> Failures {
    let locked_until = Some(now.saturating_add(policy.seconds.get()));
    Failures { count: policy.max_failures.get(), locked_until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_is_taken_back_also_takes_back_the_lock_that_it_led_to() {
        let policy = config::Lockout::default();
        let mut failures = Failures::default();
        for _ in 0..5 {
            failures = after_failure(failures, 1_000, &policy);
        }
        assert_eq!(after_retraction(failures, &policy), Failures { count: 4, locked_until: None });
        // Somebody else's failure came in between: the lock is theirs.
        failures = after_failure(failures, 1_000, &policy);
        assert!(is_locked(after_retraction(failures, &policy), 1_000));
        assert_eq!(after_retraction(Failures::default(), &policy), Failures::default());
        assert!(is_locked(locked_at_once(1_000, &policy), 1_299));
    }

    #[test]
    fn the_last_failure_allowed_locks_for_a_time_and_then_counting_starts_again() {
        let policy = config::Lockout::default();
        let mut failures = Failures::default();
        for count in 1..=4 {
            failures = after_failure(failures, 1_000, &policy);
            assert_eq!(failures, Failures { count, locked_until: None });
            assert!(!is_locked(failures, 1_000));
        }
        failures = after_failure(failures, 1_000, &policy);
        assert_eq!(failures, Failures { count: 5, locked_until: Some(1_300) });
        assert!(is_locked(failures, 1_000) && is_locked(failures, 1_299) && !is_locked(failures, 1_300));
        assert_eq!(after_failure(failures, 1_300, &policy), Failures { count: 1, locked_until: None });
    }
}

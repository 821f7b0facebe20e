//! Lockout: failed second factors in a row, and what they lead to. Pure.

use crate::clock::UnixTime;
use crate::config;

/// The failed second factors of a user since the last good one, or of a client address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many, in a row.
    pub count: u64,
    /// Until when user or address are locked, if they ever were.
    pub locked_until: Option<UnixTime>,
    /// When they are forgotten by themselves; those of a user never are.
    pub forget_at: Option<UnixTime>,
}

/// Whether a user or an address with these failures may not even try.
#[must_use]
pub fn is_locked(failures: Failures, now: UnixTime) -> bool {
    failures.locked_until.is_some_and(|until| now < until)
}

/// The failures of a user after one more at `now`. The one that reaches `max_failures` locks; when the lock has passed,
/// counting starts again.
#[must_use]
pub(super) fn after_failure(failures: Failures, now: UnixTime, policy: &config::Lockout) -> Failures {
    let end = now.saturating_add(policy.seconds.get());
    one_more(failures, now, policy.max_failures.get(), end)
}

/// The failures of an address after one more at `now`. The one that reaches `address_max_failures` locks; counting starts
/// again when no failure has come for `seconds`. (No right factor ends them: see `[lockout] address_max_failures`.)
#[must_use]
pub(super) fn after_address_failure(failures: Failures, now: UnixTime, policy: &config::Lockout) -> Failures {
    let end = now.saturating_add(policy.seconds.get());
    let failures = one_more(failures, now, policy.address_max_failures.get(), end);
    Failures { forget_at: Some(end), ..failures }
}

fn one_more(failures: Failures, now: UnixTime, max: u64, end: UnixTime) -> Failures {
    let is_over = |time: Option<UnixTime>| time.is_some_and(|time| time <= now);
    let starts_again = is_over(failures.locked_until) || is_over(failures.forget_at);
    let count = if starts_again { 1 } else { failures.count.saturating_add(1) };
    Failures { count, locked_until: (count >= max).then_some(end), forget_at: None }
}

/// The failures of a user when one that was counted in advance turns out to be none.
#[must_use]
pub(super) fn after_retraction(failures: Failures, policy: &config::Lockout) -> Failures {
    one_less(failures, policy.max_failures.get())
}

/// The failures of an address when one that was counted in advance turns out to be none.
#[must_use]
pub(super) fn after_address_retraction(failures: Failures, policy: &config::Lockout) -> Failures {
    one_less(failures, policy.address_max_failures.get())
}

fn one_less(failures: Failures, max: u64) -> Failures {
    match failures.count.saturating_sub(1) {
        0 => Failures::default(),
        count => Failures { count, locked_until: failures.locked_until.filter(|_| count >= max), ..failures },
    }
}

/// The failures of a user who is locked at once.
#[must_use]
pub(super) fn locked_at_once(now: UnixTime, policy: &config::Lockout) -> Failures {
    let locked_until = Some(now.saturating_add(policy.seconds.get()));
    Failures { count: policy.max_failures.get(), locked_until, forget_at: None }
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
        assert_eq!(after_retraction(failures, &policy), Failures { count: 4, ..Failures::default() });
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
            assert_eq!(failures, Failures { count, ..Failures::default() });
            assert!(!is_locked(failures, 1_000));
        }
        failures = after_failure(failures, 1_000, &policy);
        assert_eq!(failures, Failures { count: 5, locked_until: Some(1_300), forget_at: None });
        assert!(is_locked(failures, 1_000) && is_locked(failures, 1_299) && !is_locked(failures, 1_300));
        let again = Failures { count: 1, ..Failures::default() };
        assert_eq!(after_failure(failures, 1_300, &policy), again);
    }

    #[test]
    fn the_failures_of_an_address_are_forgotten_when_none_has_come_for_a_time() {
        let policy = config::Lockout {
            address_max_failures: config::Bounded::new::<3>(),
            ..config::Lockout::default()
        };
        let first = after_address_failure(Failures::default(), 1_000, &policy);
        assert_eq!(first, Failures { count: 1, locked_until: None, forget_at: Some(1_300) });
        let second = after_address_failure(first, 1_299, &policy);
        assert_eq!(second, Failures { count: 2, locked_until: None, forget_at: Some(1_599) });
        assert_eq!(after_address_failure(second, 1_599, &policy).count, 1);
        let third = after_address_failure(second, 1_598, &policy);
        assert_eq!(third, Failures { count: 3, locked_until: Some(1_898), forget_at: Some(1_898) });
        assert!(is_locked(third, 1_897) && !is_locked(third, 1_898));
        assert_eq!(after_address_failure(third, 1_898, &policy).count, 1);
        let back = after_address_retraction(third, &policy);
        assert_eq!(back, Failures { count: 2, locked_until: None, forget_at: Some(1_898) });
        assert_eq!(after_address_retraction(first, &policy), Failures::default());
    }
}

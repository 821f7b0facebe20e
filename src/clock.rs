//! The only place that reads a clock, and the only one that sleeps.
#![allow(clippy::disallowed_methods, reason = "this is the place")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01 00:00:00 UTC.
pub type UnixTime = u64;

/// What the decision needs of a clock.
pub trait Clock {
    /// The time of day, in whole seconds since the epoch; 0 for a clock before it.
    fn now(&self) -> UnixTime;

    /// Waits before something is looked at again.
    fn pause(&self, time: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        since_epoch().as_secs()
    }

    fn pause(&self, time: Duration) {
        pause(time);
    }
}

/// The time since the epoch, zero for a clock before it. For what processes leave to each other; it may be set back.
#[must_use]
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A moment that work must end by, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    budget: Duration,
}

impl Deadline {
    /// The deadline `budget` from now.
    #[must_use]
    pub fn after(budget: Duration) -> Self {
        Self { at: Instant::now() + budget, budget }
    }

    /// How long there was from the start.
    #[must_use]
    pub fn budget(self) -> Duration {
        self.budget
    }

    /// How long is left; zero once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// Measures how long a decision took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What is left of `time`, counted from the start.
    #[must_use]
    pub fn left_of(self, time: Duration) -> Duration {
        time.saturating_sub(self.0.elapsed())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Whole milliseconds since the start.
    #[must_use]
    pub fn milliseconds(self) -> u128 {
        self.0.elapsed().as_millis()
    }
}

/// Waits. The only sleep in the program: for a failure delay, a deadline, or the next look at a result.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// An instant for people and for JSON, as RFC 3339: `2026-11-21T21:07:48Z`.
#[must_use]
pub fn rfc3339(instant: UnixTime) -> String {
    i64::try_from(instant)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{instant} s after 1970"))
}

/// An instant for people who look at many: `2026-11-21 21:07`, by UTC, which stands above it.
#[must_use]
pub fn to_the_minute(instant: UnixTime) -> String {
    let text = rfc3339(instant);
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if text.len() == 20 => format!("{day} {time}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values from `date -u -d @N`.
    #[test]
    fn instants_are_written_as_rfc_3339() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_295_268, "2026-11-21T21:07:48Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "18446744073709551615 s after 1970"),
        ] {
            assert_eq!(rfc3339(time), text);
        }
        assert_eq!(to_the_minute(1_795_295_268), "2026-11-21 21:07");
        assert_eq!(to_the_minute(u64::MAX), "18446744073709551615 s after 1970");
    }
}

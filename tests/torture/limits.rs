//! How long a run may take.

use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Rounds of each group.
    pub(crate) rounds: usize,
    end: Instant,
}

impl Limits {
    pub(crate) fn new(rounds: usize, time: Duration) -> Self {
        Self { rounds, end: Instant::now() + time }
    }

    pub(crate) fn time_is_up(&self) -> bool {
        Instant::now() >= self.end
    }
}

//! What every way in to the decision has in common: the line in the log, and the services behind the decision.
//!
//! A door knows how a login arrives and how a verdict leaves. What comes in between is the same for all of them.

mod report;
mod services;

pub(crate) use report::{Report, Visitor};
pub(crate) use services::{with_decision, with_services};

use std::time::Duration;

/// How much longer than it may wait a process lives at all. What is left of its work when the wait is over takes less, as
/// long as nothing hangs.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

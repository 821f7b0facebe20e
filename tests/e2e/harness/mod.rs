//! A real OpenVPN server with the product in its hooks, and real clients, in a sandbox.

pub(crate) mod accounts;
pub(crate) mod client;
pub(crate) mod client_builder;
pub(crate) mod echo;
pub(crate) mod enrolment;
pub(crate) mod management;
pub(crate) mod network;
pub(crate) mod pki;
pub(crate) mod reply;
pub(crate) mod report;
pub(crate) mod sandbox;
pub(crate) mod server;
pub(crate) mod server_builder;
pub(crate) mod settings;
pub(crate) mod world;

use std::str::FromStr;
use std::time::{Duration, Instant};

/// Longer than any step of a login takes, failure delays and OpenVPN's pauses included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until `probe` finds something.
///
/// # Panics
/// When it has not within `patience`.
pub(crate) fn eventually<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// What `/proc/ID/stat` says of a process that is there, by the number of the field in `proc_pid_stat`(5): from 3 on, which
/// comes after the name.
pub(crate) fn stat_field<T: FromStr>(id: i32, field: usize) -> Option<T> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3)?.parse().ok()
}

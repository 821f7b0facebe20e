//! What a waiting login takes of the machine's memory.

use std::time::Duration;

use super::call::{self, Hook, Session, children_of};
use super::figures::Series;
use super::harness::sandbox;

/// The memory of the processes behind each waiting login, in KiB of PSS: pages shared by several processes count in
/// parts.
pub(crate) struct Waiting {
    /// Of each worker.
    pub(crate) worker: Series,
    /// Of each worker and the process in which its PAM modules run.
    pub(crate) with_pam: Series,
}

/// Lets `count` logins wait at the same time, each for a verdict on `password` that takes a while, and looks at them
/// `after` a time.
pub(crate) fn of_waiting(hook: &Hook, user: &str, password: &str, count: usize, after: Duration) -> Waiting {
    let directory = sandbox::root().join("waiting");
    for number in 0..count {
        let session = Session::new(&directory.join(number.to_string()), user);
        let returned = session.verify(hook, password);
        assert_eq!(returned.status, Some(2), "the login waits for its verdict");
    }
    std::thread::sleep(after);
    let mut waiting = Waiting { worker: Series::default(), with_pam: Series::default() };
    for worker in children_of(rustix::process::getpid().as_raw_pid()) {
        let own = proportional(worker);
        let helpers: f64 = children_of(worker).into_iter().map(proportional).sum();
        waiting.worker.add_number(own);
        waiting.with_pam.add_number(own + helpers);
    }
    call::kill_workers();
    std::fs::remove_dir_all(directory).unwrap();
    assert_eq!(waiting.worker.count(), count, "all of them wait");
    waiting
}

/// A process's share of the memory, in KiB.
fn proportional(pid: i32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("there is a line for it");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

//! What processes of this program do to themselves and to each other, without `unsafe`.

use crate::clock::Deadline;
use crate::log;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, RawFd};
use std::process::Child;
use std::time::Duration;

/// No core dumps, and no debugger of the same user. To be called before the first secret is read.
pub fn protect_memory() {
    // Neither can fail for a process that changes only itself, and downwards; and a login does not depend on them.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The name that `ps` and `top` show: a process started through `/proc/self/exe` would be called `exe`.
pub fn set_name() {
    let _ = rustix::thread::set_name(c"openvpn-2fa");
}

/// Ends this process when the one that started it ends.
pub fn die_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // The parent may have ended before that was set; then whoever reaps orphans is the parent.
    if rustix::process::getppid().is_none_or(Pid::is_init) {
        std::process::exit(1);
    }
}

/// Ends this process when `time` has passed, whatever it waits for then: the last resort, for what has no deadline of its
/// own. A second call replaces the first; children do not inherit it (`alarm`(2)).
pub fn end_after(time: Duration) {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1);
    nix::unistd::alarm::set(seconds);
}

/// Kills `child` and everything that it started and that still runs, and waits for all of them to be gone.
pub fn kill_with_descendants(child: &mut Child) {
    // Orphans of what is killed come to us, and can be killed in turn.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let _ = child.kill();
    let _ = child.wait();
    while let Some(orphan) = any_child() {
        let _ = rustix::process::kill_process(orphan, Signal::KILL);
        if rustix::process::waitpid(Some(orphan), WaitOptions::empty()).is_err() {
            return;
        }
    }
}

fn any_child() -> Option<Pid> {
    let children = std::fs::read_to_string("/proc/thread-self/children").ok()?;
    Pid::from_raw(children.split_ascii_whitespace().next()?.parse().ok()?)
}

/// A session of its own, so that no terminal and no signal to OpenVPN's process group reaches this process.
pub fn detach() {
    // Fails only for the leader of a process group, which has a session of its own or a terminal to keep.
    let _ = rustix::process::setsid();
}

/// Lets OpenVPN and the traffic go first where they and this process want the same processor. To be called by the leader of
/// a session: where the kernel shares processors among sessions, a nice value counts within its own only, and the session has
/// another one ("The autogroup feature" in `sched`(7)).
pub fn yield_to_traffic() {
    // Neither can fail for a process that asks for less, but the second is not everywhere, and is for root at all times and
    // for others once in a while; and a login does not depend on it.
    let _ = rustix::process::nice(NICE);
    let autogroup = File::options().write(true).open("/proc/self/autogroup");
    let _ = autogroup.and_then(|mut file| file.write_all(NICE.to_string().as_bytes()));
}

/// A tenth of the weight of what is not nice.
const NICE: i32 = 10;

/// Closes everything but the standard streams. To be called before anything is opened: OpenVPN leaves descriptors open,
/// and a worker is to have none of them.
pub fn close_what_was_left_open() {
    // All numbers first: the directory in which they are looked up is among what is open.
    let open: Vec<RawFd> = close_fds::iter_open_fds(3).collect();
    for number in open {
        let _ = nix::unistd::close(number);
    }
}

/// Nothing is read from, and nothing written to, what this process got as standard streams; but where there is no syslog,
/// its log lines go on to standard error.
///
/// # Errors
/// As of opening `/dev/null`.
pub fn leave_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    if log::has_syslog() {
        rustix::stdio::dup2_stderr(&null)?;
    }
    Ok(())
}

/// Waits until `fd` can be read or is at its end; false when that is not before `deadline`.
pub fn wait_readable(fd: impl AsFd, deadline: Deadline) -> bool {
    loop {
        let left = deadline.left();
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) if !left.is_zero() => {}
            Err(_) => return false,
        }
    }
}

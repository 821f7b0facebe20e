//! A wrapper that runs a program to the end of its last descendant, and does something bad to it on the way.
//!
//! It is this binary in another role, put in front of the program as `strace` would be: it counts system calls, in each
//! generation of processes (the front, its worker, the worker's helper), and at one of them kills, or makes the call
//! fail. A tracer of our own, because `strace` counts for each process alone and cannot single the worker out.
//!
//! It is the reaper of what it started, so that nothing escapes it: what is left at its deadline is a finding.

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::calls;

/// The first word of the wrapper's command line.
pub(crate) const ROLE: &str = "under-fault";

/// After this time everything that still runs is killed, and it is a finding: longer than anything here may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(50);

/// A process by its distance from the one that OpenVPN starts: the worker is a fork of the front, PAM's process a child of
/// the worker, and a module may start something in turn (`unix_chkpwd`).
pub(crate) const GENERATIONS: [&str; 4] = ["front", "worker", "helper", "module"];

/// What is done to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Nothing,
    /// Nothing; its calls are written down.
    Record,
    /// Something happens when a generation is about to make its call of this number, counted from 1.
    AtCall { generation: usize, call: usize, deed: Deed },
    /// A process is killed so many microseconds after the start.
    AtTime { microseconds: u64, victims: Victims },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Kill(Victims),
    /// The call is not made, and fails with this error.
    Fail(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victims {
    /// At a call: the process that makes it. At a time: the front.
    One,
    /// At a time: the worker, and what it has started.
    Worker,
    /// Everything, as when a unit is killed.
    All,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let victims = |victims| match victims {
            Victims::One => "one",
            Victims::Worker => "worker",
            Victims::All => "all",
        };
        match *self {
            Self::Nothing => f.write_str("nothing"),
            Self::Record => f.write_str("record"),
            Self::AtCall { generation, call, deed: Deed::Kill(who) } => {
                write!(f, "kill:{}:{generation}:{call}", victims(who))
            }
            Self::AtCall { generation, call, deed: Deed::Fail(errno) } => {
                write!(f, "fail:{errno}:{generation}:{call}")
            }
            Self::AtTime { microseconds, victims: who } => write!(f, "time:{}:{microseconds}", victims(who)),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let number = |text: &str| text.parse::<usize>().map_err(|error| format!("{text:?}: {error}"));
        let victims = |text: &str| match text {
            "one" => Ok(Victims::One),
            "worker" => Ok(Victims::Worker),
            "all" => Ok(Victims::All),
            _ => Err(format!("no victims: {text:?}")),
        };
        match parts[..] {
            ["nothing"] => Ok(Self::Nothing),
            ["record"] => Ok(Self::Record),
            ["kill", who, generation, call] => Ok(Self::AtCall {
                generation: number(generation)?,
                call: number(call)?,
                deed: Deed::Kill(victims(who)?),
            }),
            ["fail", errno, generation, call] => Ok(Self::AtCall {
                generation: number(generation)?,
                call: number(call)?,
                deed: Deed::Fail(i32::try_from(number(errno)?).map_err(|error| error.to_string())?),
            }),
            ["time", who, microseconds] => {
                Ok(Self::AtTime { microseconds: number(microseconds)? as u64, victims: victims(who)? })
            }
            _ => Err(format!("no fault: {text:?}")),
        }
    }
}

/// What became of a program under fault.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether what was to happen did.
    pub(crate) hit: bool,
    /// At which call, where that is known.
    pub(crate) at: String,
    /// Whose call that was.
    pub(crate) generation: Option<usize>,
    /// Whether something still ran at the deadline.
    pub(crate) overdue: bool,
    /// From the start to the end of the last process.
    pub(crate) took: Duration,
    /// The calls of each generation, in order; only with [`Fault::Record`].
    pub(crate) calls: Vec<Vec<String>>,
}

impl Outcome {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut outcome = Self::default();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("hit", at) => (outcome.hit, outcome.at) = (true, at.to_owned()),
                ("generation", number) => outcome.generation = number.parse().ok(),
                ("overdue", _) => outcome.overdue = true,
                ("took", milliseconds) => {
                    outcome.took = Duration::from_millis(milliseconds.parse().unwrap_or_default());
                }
                ("calls", calls) => outcome.calls.push(calls.split_whitespace().map(str::to_owned).collect()),
                _ => {}
            }
        }
        outcome
    }

    fn write(&self, path: &Path) {
        let mut text = format!("took {}\n", self.took.as_millis());
        if self.hit {
            let _ = writeln!(text, "hit {}", self.at);
        }
        if let Some(generation) = self.generation {
            let _ = writeln!(text, "generation {generation}");
        }
        if self.overdue {
            text.push_str("overdue\n");
        }
        for calls in &self.calls {
            let _ = writeln!(text, "calls {}", calls.join(" "));
        }
        std::fs::write(path, text).unwrap();
    }
}

/// The wrapper: `under-fault FAULT FILE PROGRAM ARGUMENT…`. Ends as the program does; 128 and the signal where one
/// ended it.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let [fault, file, program @ ..] = arguments else { return ExitCode::from(99) };
    let fault: Fault = fault.to_string_lossy().parse().unwrap();
    let started = Instant::now();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    watch();
    let (code, mut outcome) = match fault {
        Fault::Nothing => kill_later(program, None),
        Fault::AtTime { microseconds, victims } => {
            kill_later(program, Some((Duration::from_micros(microseconds), victims)))
        }
        Fault::Record | Fault::AtCall { .. } => Tracer::start(program, fault).run(),
    };
    outcome.took = started.elapsed();
    outcome.overdue = OVERDUE.load(Ordering::Relaxed);
    outcome.write(Path::new(file));
    ExitCode::from(code)
}

static OVERDUE: AtomicBool = AtomicBool::new(false);

/// Kills what is left when the time is up.
fn watch() {
    std::thread::spawn(|| {
        std::thread::sleep(DEADLINE);
        OVERDUE.store(true, Ordering::Relaxed);
        loop {
            for pid in descendants(std::process::id()) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<u32>>()).collect()
}

fn descendants(pid: u32) -> Vec<Pid> {
    let mut found: Vec<u32> = children(pid);
    let mut looked_at = 0;
    while let Some(&next) = found.get(looked_at) {
        found.extend(children(next));
        looked_at += 1;
    }
    found.into_iter().filter_map(|pid| i32::try_from(pid).ok()).map(Pid::from_raw).collect()
}

fn kill_later(program: &[OsString], when: Option<(Duration, Victims)>) -> (u8, Outcome) {
    let Ok(child) = Command::new(&program[0]).args(&program[1..]).spawn() else {
        return (127, Outcome::default());
    };
    let front = child.id();
    let started = Instant::now();
    // Sleeping is too coarse for what takes a few milliseconds in all.
    while when.is_some_and(|(delay, _)| started.elapsed() < delay) {
        std::thread::yield_now();
    }
    let victims = match when {
        None => Vec::new(),
        Some((_, Victims::One)) => vec![Pid::from_raw(i32::try_from(front).unwrap())],
        // Orphans come to this process: the worker outlives its front.
        Some((_, Victims::Worker)) => descendants(std::process::id())
            .into_iter()
            .filter(|pid| pid.as_raw().unsigned_abs() != front)
            .collect(),
        Some((_, Victims::All)) => descendants(std::process::id()),
    };
    let killed = victims.iter().filter(|victim| kill(**victim, Signal::SIGKILL).is_ok()).count();
    let mut code = 0;
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) if pid.as_raw().unsigned_abs() == front => {
                code = u8::try_from(status).unwrap_or(1);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw().unsigned_abs() == front => {
                code = 128 + u8::try_from(signal as i32).unwrap_or(0);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    (code, Outcome { hit: killed > 0, ..Outcome::default() })
}

struct Tracer {
    fault: Fault,
    front: Pid,
    /// The generation of every process that is there.
    known: HashMap<Pid, usize>,
    /// Stopped at their birth, before their parent has told of them.
    newborn: HashSet<Pid>,
    /// Calls that are to fail when they return.
    failing: HashMap<Pid, i32>,
    /// Whether the program itself runs: the shell that waits for us is over.
    counting: bool,
    counts: [usize; GENERATIONS.len()],
    outcome: Outcome,
    code: u8,
}

impl Tracer {
    fn start(program: &[OsString], fault: Fault) -> Self {
        // It stops until we trace it, and then becomes the program.
        #[expect(clippy::zombie_processes, reason = "`run` waits for everybody")]
        let child = Command::new("/bin/sh")
            .args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""])
            .args(program)
            .stdin(Stdio::inherit())
            .spawn()
            .unwrap();
        let front = Pid::from_raw(i32::try_from(child.id()).unwrap());
        waitpid(front, Some(WaitPidFlag::WUNTRACED)).unwrap();
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(front, options).unwrap();
        kill(front, Signal::SIGCONT).unwrap();
        let calls = vec![Vec::new(); GENERATIONS.len()];
        Self {
            fault,
            front,
            known: HashMap::from([(front, 0)]),
            newborn: HashSet::new(),
            failing: HashMap::new(),
            counting: false,
            counts: [0; GENERATIONS.len()],
            outcome: Outcome { calls, ..Outcome::default() },
            code: 0,
        }
    }

    fn run(mut self) -> (u8, Outcome) {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Exited(pid, status)) => self.gone(pid, u8::try_from(status).unwrap_or(1)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    self.gone(pid, 128 + u8::try_from(signal as i32).unwrap_or(0));
                }
                Ok(WaitStatus::PtraceSyscall(pid)) => self.at_call(pid),
                Ok(WaitStatus::PtraceEvent(pid, _, event)) => self.at_event(pid, event),
                Ok(WaitStatus::Stopped(pid, Signal::SIGCONT)) if !self.counting => self.resume(pid, None),
                Ok(WaitStatus::Stopped(pid, signal)) => self.resume(pid, Some(signal)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return (self.code, self.outcome),
            }
        }
    }

    fn gone(&mut self, pid: Pid, code: u8) {
        self.known.remove(&pid);
        if pid == self.front {
            self.code = code;
        }
    }

    /// One that was killed meanwhile cannot be resumed, which is no error.
    fn resume(&self, pid: Pid, signal: Option<Signal>) {
        let over = self.outcome.hit && self.failing.is_empty();
        let _ = if self.counting && !over { ptrace::syscall(pid, signal) } else { ptrace::cont(pid, signal) };
    }

    fn at_event(&mut self, pid: Pid, event: i32) {
        use nix::libc::{
            PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_FORK, PTRACE_EVENT_STOP, PTRACE_EVENT_VFORK,
        };
        match event {
            PTRACE_EVENT_FORK | PTRACE_EVENT_VFORK | PTRACE_EVENT_CLONE => {
                let generation = self.known.get(&pid).copied().unwrap_or_default();
                // A thread is of its process' generation.
                let generation = generation + usize::from(event != PTRACE_EVENT_CLONE);
                if let Ok(child) = ptrace::getevent(pid) {
                    let child = Pid::from_raw(i32::try_from(child).unwrap());
                    self.known.insert(child, generation.min(GENERATIONS.len() - 1));
                    if self.newborn.remove(&child) {
                        self.resume(child, None);
                    }
                }
            }
            PTRACE_EVENT_EXEC if pid == self.front => self.counting = true,
            PTRACE_EVENT_STOP if !self.known.contains_key(&pid) => {
                self.newborn.insert(pid);
                return;
            }
            _ => {}
        }
        self.resume(pid, None);
    }

    fn at_call(&mut self, pid: Pid) {
        const ENTRY: u8 = 1;
        let Some(&generation) = self.known.get(&pid) else { return self.resume(pid, None) };
        let entry = ptrace::syscall_info(pid).is_ok_and(|info| info.op == ENTRY);
        if !entry {
            if let Some(errno) = self.failing.remove(&pid) {
                calls::fail(pid, errno);
            }
            return self.resume(pid, None);
        }
        self.counts[generation] += 1;
        match self.fault {
            Fault::Record => self.outcome.calls[generation].push(calls::name(pid)),
            Fault::AtCall { generation: wanted, call, deed }
                if generation == wanted && self.counts[generation] == call && !self.outcome.hit =>
            {
                (self.outcome.hit, self.outcome.at) = (true, calls::name(pid));
                self.outcome.generation = Some(generation);
                match deed {
                    Deed::Kill(Victims::One | Victims::Worker) => {
                        let _ = kill(pid, Signal::SIGKILL);
                        return;
                    }
                    Deed::Kill(Victims::All) => {
                        for pid in self.known.keys() {
                            let _ = kill(*pid, Signal::SIGKILL);
                        }
                        return;
                    }
                    Deed::Fail(errno) => {
                        // A file is closed even when that fails (`close`(2)).
                        if self.outcome.at != "close" {
                            calls::skip(pid);
                        }
                        self.failing.insert(pid, errno);
                    }
                }
            }
            Fault::Nothing | Fault::AtCall { .. } | Fault::AtTime { .. } => {}
        }
        self.resume(pid, None);
    }
}

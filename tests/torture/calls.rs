//! System calls by name, and how each can fail.
//!
//! Numbers and registers are those of `x86_64`; on other machines calls have no names, and none is made to fail.

use nix::unistd::Pid;

/// Whether calls can be made to fail here.
pub(crate) const CAN_FAIL: bool = cfg!(target_arch = "x86_64");

const ENOENT: i32 = 2;
const EINTR: i32 = 4;
const EIO: i32 = 5;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EPIPE: i32 = 32;
const ENOLCK: i32 = 37;
const ENOSYS: i32 = 38;
const ENOBUFS: i32 = 105;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EDQUOT: i32 = 122;

/// Number, name, errors.
#[rustfmt::skip]
const CALLS: &[(u64, &str, &[i32])] = &[
    (0, "read", &[EIO, EINTR, EAGAIN]),
    (1, "write", &[ENOSPC, EIO, EINTR, EPIPE, EAGAIN]),
    (2, "open", &[EMFILE, ENOENT, EACCES]),
    (3, "close", &[EIO, EINTR]),
    (4, "stat", &[EIO, ENOENT, EACCES]),
    (5, "fstat", &[EIO]),
    (6, "lstat", &[EIO, ENOENT, EACCES]),
    (7, "poll", &[EINTR, ENOMEM]),
    (8, "lseek", &[EINVAL]),
    (9, "mmap", &[ENOMEM]),
    (10, "mprotect", &[ENOMEM]),
    (11, "munmap", &[ENOMEM]),
    (12, "brk", &[ENOMEM]),
    (13, "rt_sigaction", &[EINVAL]),
    (14, "rt_sigprocmask", &[EINVAL]),
    (16, "ioctl", &[EINVAL]),
    (17, "pread64", &[EIO, EINTR]),
    (18, "pwrite64", &[ENOSPC, EIO, EINTR, EDQUOT, EROFS]),
    (20, "writev", &[ENOSPC, EIO]),
    (21, "access", &[EACCES, ENOENT]),
    (25, "mremap", &[ENOMEM]),
    (28, "madvise", &[EAGAIN]),
    (32, "dup", &[EMFILE]),
    (33, "dup2", &[EBUSY]),
    (35, "nanosleep", &[EINTR]),
    (39, "getpid", &[]),
    (41, "socket", &[EMFILE, ENFILE, ENOBUFS]),
    (42, "connect", &[ECONNREFUSED, EINTR, EAGAIN]),
    (44, "sendto", &[EAGAIN, ECONNREFUSED, ENOBUFS]),
    (45, "recvfrom", &[EINTR, EAGAIN]),
    (46, "sendmsg", &[EAGAIN, ENOBUFS]),
    (47, "recvmsg", &[EINTR]),
    (48, "shutdown", &[EINVAL]),
    (53, "socketpair", &[EMFILE, ENFILE]),
    (56, "clone", &[EAGAIN, ENOMEM]),
    (58, "vfork", &[EAGAIN, ENOMEM]),
    (59, "execve", &[ENOENT, ENOMEM, EACCES]),
    (60, "exit", &[]),
    (61, "wait4", &[EINTR]),
    (62, "kill", &[EACCES]),
    (72, "fcntl", &[EINTR, ENOLCK, EAGAIN, EBADF]),
    (73, "flock", &[EINTR, ENOLCK, EAGAIN]),
    (74, "fsync", &[EIO, ENOSPC]),
    (75, "fdatasync", &[EIO, ENOSPC]),
    (77, "ftruncate", &[EIO, ENOSPC]),
    (79, "getcwd", &[ENOENT]),
    (87, "unlink", &[EACCES, EIO, EROFS]),
    (89, "readlink", &[EIO, EINVAL]),
    (91, "fchmod", &[EROFS]),
    (93, "fchown", &[EROFS]),
    (99, "sysinfo", &[ENOSYS]),
    (112, "setsid", &[EACCES]),
    (131, "sigaltstack", &[ENOMEM]),
    (140, "getpriority", &[EACCES]),
    (141, "setpriority", &[EACCES]),
    (157, "prctl", &[EINVAL, EACCES]),
    (158, "arch_prctl", &[]),
    (186, "gettid", &[]),
    (202, "futex", &[EINTR, EAGAIN]),
    (217, "getdents64", &[EIO]),
    (218, "set_tid_address", &[]),
    (228, "clock_gettime", &[]),
    (230, "clock_nanosleep", &[EINTR]),
    (231, "exit_group", &[]),
    (257, "openat", &[EMFILE, ENFILE, EIO, EACCES, ENOENT, EROFS, EINTR]),
    (262, "newfstatat", &[EIO, ENOENT, EACCES]),
    (263, "unlinkat", &[EACCES, EIO]),
    (267, "readlinkat", &[EIO]),
    (273, "set_robust_list", &[]),
    (290, "eventfd2", &[EMFILE]),
    (291, "epoll_create1", &[EMFILE]),
    (292, "dup3", &[EBUSY]),
    (293, "pipe2", &[EMFILE, ENFILE]),
    (302, "prlimit64", &[EACCES]),
    (318, "getrandom", &[EINTR, ENOSYS, EAGAIN]),
    (332, "statx", &[EIO, ENOSYS]),
    (334, "rseq", &[]),
    (434, "pidfd_open", &[EMFILE]),
    (435, "clone3", &[EAGAIN, ENOMEM, ENOSYS]),
    (436, "close_range", &[ENOSYS, EINVAL]),
    (439, "faccessat2", &[EACCES]),
    (271, "ppoll", &[EINTR, ETIMEDOUT]),
];

/// How the call of this name can fail; nothing where it cannot, or nobody looks.
pub(crate) fn errors(name: &str) -> &'static [i32] {
    CALLS.iter().find(|(_, known, _)| *known == name).map_or(&[EIO], |(_, _, errors)| *errors)
}

/// The name of the call that a stopped process is about to make.
#[cfg(target_arch = "x86_64")]
pub(crate) fn name(pid: Pid) -> String {
    let Ok(registers) = nix::sys::ptrace::getregs(pid) else { return "gone".to_owned() };
    let number = registers.orig_rax;
    let known = CALLS.iter().find(|(known, _, _)| *known == number);
    known.map_or_else(|| format!("call-{number}"), |(_, name, _)| (*name).to_owned())
}

/// Has a stopped process not make the call that it is about to make.
#[cfg(target_arch = "x86_64")]
pub(crate) fn skip(pid: Pid) {
    let Ok(mut registers) = nix::sys::ptrace::getregs(pid) else { return };
    registers.orig_rax = u64::MAX;
    let _ = nix::sys::ptrace::setregs(pid, registers);
}

/// Has the call that returns have failed.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fail(pid: Pid, errno: i32) {
    let Ok(mut registers) = nix::sys::ptrace::getregs(pid) else { return };
    registers.rax = i64::from(-errno).cast_unsigned();
    let _ = nix::sys::ptrace::setregs(pid, registers);
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn name(_: Pid) -> String {
    "call".to_owned()
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn skip(_: Pid) {}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn fail(_: Pid, _: i32) {}

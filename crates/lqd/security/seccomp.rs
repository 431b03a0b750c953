//! Restriction of system calls to those that a serving lqd makes (seccomp).
//!
//! Other calls fail with EPERM instead of ending the process: an attacker gets neither a shell nor a file,
//! and a library that tries a newer call first falls back to the older one.
//!
//! `clone3` passes its flags in memory, which a filter cannot read. A separate filter makes it fail with
//! ENOSYS, so that the C library starts threads by `clone`.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

use super::sandbox::AdminNeeds;

/// Calls with any arguments.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    // The packet path of both back ends; a ring is made before this, and never again.
    libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    libc::SYS_recvmmsg, libc::SYS_sendmmsg, libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_ppoll,
    // Leaving the port (lqd_net::drain).
    libc::SYS_connect, libc::SYS_setsockopt, libc::SYS_getsockopt, libc::SYS_membarrier,
    // Files of Kea, and inotify; landlock restricts the files.
    libc::SYS_openat, libc::SYS_read, libc::SYS_readv, libc::SYS_pread64, libc::SYS_close, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_getcwd, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fcntl,
    libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    // Removes a partly written line from the query log after a full disk.
    libc::SYS_ftruncate,
    // Log lines, signals, systemd, the admin port.
    libc::SYS_write, libc::SYS_writev, libc::SYS_eventfd2, libc::SYS_pipe2, libc::SYS_dup,
    libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_socketpair, libc::SYS_accept4, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    // Memory; mimalloc asks for the NUMA node that a thread runs on.
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_getcpu,
    // Threads, started by each load of a lease file. A separate filter refuses clone3.
    libc::SYS_clone3, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_prctl,
    libc::SYS_futex, libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_getpid, libc::SYS_gettid,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks, random numbers, limits, users.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    libc::SYS_gettimeofday, libc::SYS_getrandom, libc::SYS_getrusage, libc::SYS_prlimit64, libc::SYS_sysinfo,
    libc::SYS_uname, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
];

/// Older calls of some architectures.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[c_long] = &[
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[c_long] = &[];

/// Calls that remove a Unix socket.
const REMOVE: &[c_long] = &[
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// Calls that bind an address and set the mode of its socket.
const BIND: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_fchmodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
];

/// Requests of `ioctl`.
#[rustfmt::skip]
const IOCTLS: &[u64] = &[
    libc::FIONBIO, libc::FIOCLEX, libc::FIONREAD, libc::TCGETS, libc::SIOCGIFINDEX, libc::SIOCGIFNAME,
];

/// Flags of `clone` that create a namespace; `clone` has no CLONE_NEWTIME.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Mask of the type of a socket, without its flags.
const SOCKET_TYPE: u64 = 0xf;

/// Condition on a call: argument, mask, value of the masked bits.
type Condition = (u8, u64, u64);

/// Returns calls with conditions on their arguments: all conditions of one line must hold.
fn limited(admin: AdminNeeds) -> Vec<(c_long, Vec<Vec<Condition>>)> {
    let all = u64::from(u32::MAX);
    let domain = |domain: i32| (0, all, domain as u64);
    let kind = |kind: i32| (1, SOCKET_TYPE, kind as u64);
    // systemd, journald, and the resolver of interface names; nothing raw, nothing exotic.
    let mut sockets = vec![vec![domain(libc::AF_UNIX)]];
    for family in [libc::AF_INET, libc::AF_INET6] {
        sockets.push(vec![domain(family), kind(libc::SOCK_DGRAM)]);
        if admin.binds {
            sockets.push(vec![domain(family), kind(libc::SOCK_STREAM)]);
        }
    }
    // No code is loaded after the start.
    let no_code = vec![vec![(2, libc::PROT_EXEC as u64, 0)]];
    let thread = libc::CLONE_THREAD as u64;
    vec![
        (libc::SYS_socket, sockets),
        (libc::SYS_ioctl, IOCTLS.iter().map(|&request| vec![(1, all, request)]).collect()),
        (libc::SYS_mmap, no_code.clone()),
        (libc::SYS_mprotect, no_code),
        // A thread in the same namespaces, not a process.
        (libc::SYS_clone, vec![vec![(0, NAMESPACES | thread, thread)]]),
        // An abort after a panic signals its own process.
        (libc::SYS_tgkill, vec![vec![(0, all, u64::from(std::process::id()))]]),
    ]
}

/// Restricts all present and future threads of this process.
pub(super) fn restrict(admin: AdminNeeds) -> Result<(), String> {
    // First, as the other filter forbids setting filters.
    let programs = [without_clone3(), program(admin)];
    programs.into_iter().try_for_each(|program| {
        let program = program.map_err(|error| error.to_string())?;
        apply_filter_all_threads(&program).map_err(|error| match error {
            seccompiler::Error::Seccomp(cause) => {
                format!("{cause}; this kernel has no seccomp filters, or the container forbids them")
            }
            other => other.to_string(),
        })
    })
}

/// Returns the filter that makes `clone3` fail with ENOSYS.
fn without_clone3() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, missing, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn program(admin: AdminNeeds) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().chain(OLD_CALLS).chain(of_admin(admin)).map(|&call| (call, Vec::new())).collect();
    for (call, lines) in limited(admin) {
        let condition = |(argument, mask, value)| {
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
        };
        let rule = |line: Vec<Condition>| {
            SeccompRule::new(line.into_iter().map(condition).collect::<Result<_, _>>()?)
        };
        rules.insert(call, lines.into_iter().map(rule).collect::<Result<_, _>>()?);
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// Returns the calls for the admin port's sockets.
fn of_admin(admin: AdminNeeds) -> impl Iterator<Item = &'static c_long> {
    let remove = if admin.removes { REMOVE } else { &[] };
    let bind = if admin.binds { BIND } else { &[] };
    remove.iter().chain(bind)
}

#[cfg(test)]
mod tests;

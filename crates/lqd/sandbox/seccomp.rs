//! System calls: those that a serving lqd makes, and no others.
//!
//! A call that is not listed fails with EPERM rather than ending the process: an attacker gets neither a shell nor
//! a file, and a library that begins to try a newer call first goes on with the older one.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

use super::AdminNeeds;

/// Calls with any arguments.
#[rustfmt::skip]
const CALLS: &[c_long] = &[
    // The packet path of both back ends; a ring is made before this, and never again.
    libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    libc::SYS_recvmmsg, libc::SYS_sendmmsg, libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_ppoll,
    // Leaving the port (lqd_net::drain).
    libc::SYS_connect, libc::SYS_setsockopt, libc::SYS_getsockopt, libc::SYS_membarrier,
    // Files of Kea, and the watch over them. Which ones is landlock's matter.
    libc::SYS_openat, libc::SYS_read, libc::SYS_readv, libc::SYS_pread64, libc::SYS_close, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_getcwd, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fcntl,
    libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    // A line that a full disk took in part is cut off the query log.
    libc::SYS_ftruncate,
    // Log lines, signals, systemd, the admin port.
    libc::SYS_write, libc::SYS_writev, libc::SYS_eventfd2, libc::SYS_pipe2, libc::SYS_dup,
    libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_socketpair, libc::SYS_accept4, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    // Memory.
    libc::SYS_brk, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise,
    // Threads, which each load of a lease file starts anew.
    libc::SYS_clone, libc::SYS_clone3, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_prctl,
    libc::SYS_futex, libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_getpid, libc::SYS_gettid, libc::SYS_tgkill,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks, chance, limits, who we are.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    libc::SYS_gettimeofday, libc::SYS_getrandom, libc::SYS_getrusage, libc::SYS_prlimit64, libc::SYS_sysinfo,
    libc::SYS_uname, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
];

/// Older spellings that some architectures have besides.
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

/// To remove a Unix socket.
const REMOVE: &[c_long] = &[
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// To bind an address later, and to say who may connect there.
const BIND: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_fchmodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
];

/// Calls whose argument of this number must be one of these.
#[rustfmt::skip]
const LIMITED: &[(c_long, u8, &[u64])] = &[
    // systemd and the resolver of interface names; nothing raw, nothing exotic.
    (libc::SYS_socket, 0, &[libc::AF_UNIX as u64, libc::AF_INET as u64, libc::AF_INET6 as u64]),
    (libc::SYS_ioctl, 1, &[libc::FIONBIO, libc::FIOCLEX, libc::FIONREAD, libc::TCGETS, libc::SIOCGIFINDEX,
                           libc::SIOCGIFNAME]),
];

/// Restricts all threads of this process, and those to come.
pub(super) fn restrict(admin: AdminNeeds) -> Result<(), String> {
    let program = program(admin).map_err(|error| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| match error {
        seccompiler::Error::Seccomp(cause) => {
            format!("{cause}; this kernel has no seccomp filters, or the container forbids them")
        }
        other => other.to_string(),
    })
}

fn program(admin: AdminNeeds) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().chain(OLD_CALLS).chain(of_admin(admin)).map(|&call| (call, Vec::new())).collect();
    for &(call, argument, values) in LIMITED {
        let rule = |&value: &u64| {
            let equal = SeccompCmpOp::Eq;
            SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, equal, value)?])
        };
        rules.insert(call, values.iter().map(rule).collect::<Result<_, _>>()?);
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// Calls for the admin port's sockets. One that is bound later is removed at the end, too.
fn of_admin(admin: AdminNeeds) -> impl Iterator<Item = &'static c_long> {
    let remove = if admin.removes { REMOVE } else { &[] };
    let bind = if admin.binds { BIND } else { &[] };
    remove.iter().chain(bind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_compiles_and_is_short_enough_for_the_kernel() {
        const BPF_MAXINSNS: usize = 4096;
        let program = program(AdminNeeds { removes: true, binds: true }).unwrap();
        assert!((CALLS.len()..BPF_MAXINSNS).contains(&program.len()), "{}", program.len());
    }

    #[test]
    fn nothing_is_listed_that_makes_a_shell_or_a_file() {
        let listed =
            |call| CALLS.iter().chain(OLD_CALLS).chain(of_admin(AdminNeeds::default())).any(|&c| c == call);
        let barred = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
            libc::SYS_unlinkat,
            libc::SYS_renameat2,
            libc::SYS_mkdirat,
            libc::SYS_linkat,
            libc::SYS_process_vm_writev,
            libc::SYS_setuid,
            libc::SYS_unshare,
            libc::SYS_mount,
            libc::SYS_bind,
            libc::SYS_listen,
        ];
        assert_eq!(barred.map(listed), [false; 15]);
    }
}

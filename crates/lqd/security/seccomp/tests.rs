//! The filter, tested by an interpreter and by the kernel on a thread.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;

use seccompiler::{apply_filter, sock_filter};

use super::*;

#[test]
fn the_filter_compiles_and_is_short_enough_for_the_kernel() {
    const BPF_MAXINSNS: usize = 4096;
    let program = program(AdminNeeds { removes: true, binds: true }).unwrap();
    assert!((CALLS.len()..BPF_MAXINSNS).contains(&program.len()), "{}", program.len());
}

#[test]
fn no_call_starts_a_shell_or_creates_a_file() {
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

/// Runs a filter's BPF program (linux/bpf_common.h) for a call, and returns its verdict.
fn run(program: &[sock_filter], call: c_long, arguments: [u64; 6]) -> u32 {
    const ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    let mut data = vec![call as u32, ARCH, 0, 0];
    data.extend(arguments.iter().flat_map(|&argument| [argument as u32, (argument >> 32) as u32]));
    let (mut at, mut value) = (0, 0_u32);
    for _ in 0..program.len() {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let holds = match code {
            0x20 => {
                value = data[k as usize / 4];
                continue;
            }
            0x54 => {
                value &= k;
                continue;
            }
            0x06 => return k,
            0x05 => {
                at += k as usize;
                continue;
            }
            0x15 => value == k,
            0x25 => value > k,
            0x35 => value >= k,
            other => panic!("an instruction that filters do not use: {other:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
    panic!("the program does not end");
}

const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;

/// Returns the verdict for a call with these first arguments.
fn judge<const N: usize>(admin: AdminNeeds, call: c_long, first: [i64; N]) -> u32 {
    let mut arguments = [0; 6];
    arguments.iter_mut().zip(first).for_each(|(argument, value)| *argument = value as u64);
    run(&program(admin).unwrap(), call, arguments)
}

#[test]
fn namespaces_and_processes_are_refused() {
    let clone = |flags: i32| judge(AdminNeeds::default(), libc::SYS_clone, [i64::from(flags)]);
    let thread = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    assert_eq!(clone(thread), ALLOW);
    for bit in [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(clone(thread | bit), REFUSE, "{bit:#x}");
    }
    assert_eq!(clone(libc::SIGCHLD), REFUSE, "fork");
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD), REFUSE, "vfork");
    for (call, wanted) in [(libc::SYS_clone3, 0x0005_0000 | libc::ENOSYS as u32), (libc::SYS_clone, ALLOW)] {
        assert_eq!(run(&without_clone3().unwrap(), call, [0; 6]), wanted);
    }
}

#[test]
fn executable_memory_is_refused() {
    let rights = [libc::PROT_NONE, libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE];
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        for right in rights {
            let judge = |rights: i32| judge(AdminNeeds::default(), call, [0, 4096, i64::from(rights)]);
            assert_eq!((judge(right), judge(right | libc::PROT_EXEC)), (ALLOW, REFUSE), "{right}");
        }
    }
}

#[test]
fn signals_to_other_processes_are_refused() {
    let own = i64::from(std::process::id());
    let tgkill = |pid: i64| judge(AdminNeeds::default(), libc::SYS_tgkill, [pid, 1, 6]);
    assert_eq!([own, own + 1, 1, 0, -1].map(tgkill), [ALLOW, REFUSE, REFUSE, REFUSE, REFUSE]);
    let kill = |call| judge(AdminNeeds::default(), call, [own, 9]);
    assert_eq!([libc::SYS_kill, libc::SYS_tkill, libc::SYS_rt_tgsigqueueinfo].map(kill), [REFUSE; 3]);
}

#[test]
fn tcp_sockets_are_allowed_for_an_admin_port_bound_later() {
    let late = AdminNeeds { removes: false, binds: true };
    let socket = |admin, domain: i32, kind: i32| {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        judge(admin, libc::SYS_socket, [i64::from(domain), i64::from(kind | flags)])
    };
    for domain in [libc::AF_INET, libc::AF_INET6] {
        assert_eq!(socket(AdminNeeds::default(), domain, libc::SOCK_STREAM), REFUSE);
        assert_eq!(socket(late, domain, libc::SOCK_STREAM), ALLOW);
        for admin in [AdminNeeds::default(), late] {
            assert_eq!(socket(admin, domain, libc::SOCK_DGRAM), ALLOW);
            let others = [libc::SOCK_RAW, libc::SOCK_SEQPACKET, libc::SOCK_RDM, libc::SOCK_DCCP];
            assert_eq!(others.map(|kind| socket(admin, domain, kind)), [REFUSE; 4]);
        }
    }
    assert_eq!(socket(AdminNeeds::default(), libc::AF_UNIX, libc::SOCK_DGRAM), ALLOW);
    let barred = [libc::AF_PACKET, libc::AF_NETLINK, libc::AF_VSOCK, libc::AF_ALG];
    assert_eq!(barred.map(|domain| socket(late, domain, libc::SOCK_DGRAM)), [REFUSE; 4]);
}

/// The kernel agrees with the interpreter.
#[test]
fn the_kernel_refuses_programs_and_tcp_and_starts_threads() {
    let confined = || {
        for program in [without_clone3(), program(AdminNeeds { removes: false, binds: false })] {
            apply_filter(&program.unwrap()).unwrap();
        }
        assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
        UdpSocket::bind("[::1]:0").unwrap_err(); // bind is for the admin port alone
        UnixDatagram::unbound().unwrap();
        let refused = [TcpListener::bind("[::1]:0").map(drop), Command::new("true").status().map(drop)];
        refused.map(|outcome| outcome.unwrap_err().raw_os_error())
    };
    let refused = thread::spawn(confined).join().unwrap();
    assert_eq!(refused, [Some(libc::EPERM); 2]);
}

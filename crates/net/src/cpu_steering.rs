//! CPU steering: among sockets on one address, the kernel picks that of the worker on the receiving CPU.
//!
//! A BPF program of the group does so while one process has the address alone, a mark on each socket after a
//! takeover (Linux ≥ 6.2): DESIGN.md, "CPU steering".

use std::io;

use crate::{Socket, socket_option};

/// `BPF_MAXINSNS` of the kernel.
const INSTRUCTIONS_MAX: usize = 4_096;

/// A reason why datagrams are still spread by hash.
#[derive(Debug, thiserror::Error)]
pub enum CpuSteeringError {
    /// The program cannot address that many workers.
    #[error("steering by CPU takes 1 to {} workers, got {got}", (INSTRUCTIONS_MAX - 3) / 2)]
    Workers {
        /// Number of workers given.
        got: usize,
    },
    /// The kernel refused the program or the mark.
    #[error(
        "the kernel does not steer datagrams by CPU (SO_INCOMING_CPU, SO_ATTACH_REUSEPORT_CBPF: {0}); run \
         Linux 4.5 or newer"
    )]
    Refused(#[source] io::Error),
}

/// Steers each datagram to the worker on the CPU that received it: worker `i` has `sockets[i]`, which was the
/// `i`th bound to their common address, and runs on CPU `cpus[i]`. Call it once for all sockets of an
/// address, after all are bound.
///
/// Datagrams received on another CPU go to worker "CPU number modulo workers". While another process shares
/// the address, positions in the group are not worker numbers: every datagram is served, by any worker. Once
/// that process has left, the kernel steers by CPU again (Linux ≥ 6.2; by hash before), and spreads datagrams
/// of other CPUs by hash.
///
/// # Errors
/// See [`CpuSteeringError`]; the sockets continue to work, by hash.
///
/// # Panics
/// The numbers of CPUs and sockets differ.
pub fn steer_by_cpu(sockets: &[&Socket], cpus: &[usize]) -> Result<(), CpuSteeringError> {
    assert_eq!(sockets.len(), cpus.len(), "a CPU for each socket");
    let mut program = program(cpus).ok_or(CpuSteeringError::Workers { got: cpus.len() })?;
    for (socket, &cpu) in sockets.iter().zip(cpus) {
        // Marks the socket with its CPU, which the kernel uses when the program is gone.
        socket_option::set(socket, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, cpu as i32)
            .map_err(CpuSteeringError::Refused)?;
    }
    // One program serves the whole group, so it is attached to any member.
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let len = size_of_val(&filter) as libc::socklen_t;
    let (fd, name) = (sockets[0].as_raw_fd(), libc::SO_ATTACH_REUSEPORT_CBPF);
    // SAFETY: the kernel reads `len` octets of a live struct and the instructions it points to, of which it
    // keeps a copy; the descriptor is open.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, (&raw const filter).cast(), len) };
    if set == 0 { Ok(()) } else { Err(CpuSteeringError::Refused(io::Error::last_os_error())) }
}

/// `A = CPU; if A == cpus[0] return 0; if A == cpus[1] return 1; …; return A mod workers`.
fn program(cpus: &[usize]) -> Option<Vec<libc::sock_filter>> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let cpu_of_packet = (libc::SKF_AD_OFF + libc::SKF_AD_CPU) as u32;
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, cpu_of_packet)];
    for (worker, &cpu) in cpus.iter().enumerate() {
        let skip_unless_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        // `jf: 1` skips the answer of this worker.
        program.push(libc::sock_filter { jf: 1, ..statement(skip_unless_equal, cpu as u32) });
        program.push(statement(libc::BPF_RET | libc::BPF_K, worker as u32));
    }
    // CPUs without a worker are spread, or their datagrams would all go to the first one.
    program.push(statement(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, cpus.len() as u32));
    program.push(statement(libc::BPF_RET | libc::BPF_A, 0));
    // The kernel refuses longer programs with EINVAL, which names no cause.
    (!cpus.is_empty() && program.len() <= INSTRUCTIONS_MAX).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SocketOptions, listen};

    /// Result of the program for a datagram received on `cpu`, by `Documentation/networking/filter.rst`.
    fn worker(program: &[libc::sock_filter], cpu: u32) -> u32 {
        let (mut at, mut a) = (0, 0);
        loop {
            let libc::sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match (code, k) {
                (0x20, 0xffff_f024) => a = cpu, // ld #cpu
                (0x15, _) => at += usize::from(if a == k { jt } else { jf }),
                (0x94, _) => a %= k,
                // The real interpreter is the kernel's; this one covers the instructions used.
                (0x06, _) => return k,
                (0x16, _) => return a,
                _ => panic!("instruction {code:#x} {k:#x}"),
            }
        }
    }

    #[test]
    fn a_datagram_goes_to_the_worker_on_its_cpu() {
        let workers = |cpus: &[usize], received_on: &[u32]| -> Vec<u32> {
            let program = program(cpus).unwrap();
            received_on.iter().map(|&cpu| worker(&program, cpu)).collect()
        };
        assert_eq!(workers(&[0, 1, 2, 3], &[0, 1, 2, 3, 4, 7]), [0, 1, 2, 3, 0, 3]);
        assert_eq!(workers(&[9, 3], &[9, 3, 0, 5, 1023]), [0, 1, 0, 1, 1], "other CPUs by their number");
        assert_eq!(workers(&[5], &[0, 5]), [0, 0]);
        let many: Vec<usize> = (0..256).rev().collect();
        assert_eq!(workers(&many, &[255, 0, 256, 1000]), [0, 255, 0, 1000 % 256]);
    }

    #[test]
    fn the_kernel_takes_the_longest_program() {
        let socket = listen("[::1]:0".parse().unwrap(), &SocketOptions::default()).unwrap();
        // The kernel does not check that each position has its own socket.
        steer_by_cpu(&[&socket; 256], &(0..256).collect::<Vec<_>>()).unwrap();
        let refused = steer_by_cpu(&[], &[]).unwrap_err().to_string();
        assert_eq!(refused, "steering by CPU takes 1 to 2046 workers, got 0");
        let too_many = steer_by_cpu(&[&socket; 2_047], &[0; 2_047]);
        assert!(matches!(too_many, Err(CpuSteeringError::Workers { got: 2_047 })));
    }
}

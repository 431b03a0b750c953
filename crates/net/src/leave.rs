//! Leaving a shared port without losing a datagram, so that one process can hand it over to another.
//!
//! A leaving socket connects to a peer that never sends: the kernel then skips it within its group. Its queue
//! is served after a grace period, then it is closed. Alternatives and limits: DESIGN.md, "Leaving a shared
//! port".

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockAddr;

use crate::{Socket, socket_option};

/// Detaches the steering program from the group, of either kind (Linux ≥ 5.3).
const SO_DETACH_REUSEPORT_BPF: i32 = 68;
/// Port of the peer that never sends: "discard" (RFC 863).
const SILENT_PORT: u16 = 9;
/// Wait where the kernel offers no grace period: longer than any lookup takes.
const GRACE: Duration = Duration::from_millis(100);
/// Interval between checks of the queues.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The receiving end of a worker's [`Socket`], kept by the thread that ends the worker and closed first.
#[derive(Debug)]
pub struct Intake {
    /// A second descriptor of the same socket.
    socket: socket2::Socket,
    address: SocketAddrV6,
}

/// Outcome of [`drain`].
#[derive(Debug, Default)]
pub struct Drained {
    /// Sockets that could not leave, with the reason: until they close, the kernel adds datagrams to their
    /// queues, which are lost.
    pub stayed: Vec<(SocketAddrV6, io::Error)>,
    /// Sockets whose queue was not empty at the end of the patience.
    pub unread: Vec<SocketAddrV6>,
}

impl Socket {
    /// Returns the receiving end.
    ///
    /// # Errors
    /// The process is out of descriptors (raise `LimitNOFILE=`).
    pub fn intake(&self) -> io::Result<Intake> {
        Ok(Intake { socket: self.try_clone()?, address: self.local_address() })
    }
}

impl Intake {
    /// Makes the kernel give new datagrams to the other sockets of this port, in any process; without others
    /// it refuses them.
    fn close(&self) -> io::Result<()> {
        let own = *self.address.ip();
        if own.is_multicast() {
            // Leaving the group is enough, as such a socket gets nothing else.
            return self.socket.leave_multicast_v6(&own, self.address.scope_id());
        }
        // A steering program does not skip connected sockets; without one the kernel spreads by hash and
        // marks (`cpu_steering`) and does. Mostly there is no program, which is the only error.
        let _ = socket_option::set(&self.socket, libc::SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
        // A wildcard socket needs a peer that its own address can reach.
        let peer = if own.is_unspecified() { Ipv6Addr::LOCALHOST } else { own };
        let peer = SocketAddrV6::new(peer, SILENT_PORT, 0, self.address.scope_id());
        self.socket.connect(&SockAddr::from(peer))
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live entry, which the kernel writes before it returns; with no time to wait.
        unsafe { libc::poll(&raw mut poll, 1, 0) };
        // The kernel's result is in the entry, so the return value says nothing more.
        poll.revents & libc::POLLIN == 0
    }
}

/// Makes these sockets leave their ports, and waits until their workers, which must still run, have received
/// the queued datagrams. Stop the workers afterwards.
///
/// Waits at most `patience` for the workers.
pub fn drain<'a>(intakes: impl Iterator<Item = &'a Intake> + Clone, patience: Duration) -> Drained {
    let mut drained = Drained::default();
    for intake in intakes.clone() {
        if let Err(error) = intake.close() {
            drained.stayed.push((intake.address, error));
        }
    }
    // A lookup in progress may still queue its datagram to a socket that has left.
    grace_period();
    let until = Instant::now() + patience;
    // Both bounds: workers may have stopped, and traffic may not.
    while !intakes.clone().all(Intake::is_empty) && Instant::now() < until {
        thread::sleep(LOOK_AGAIN);
    }
    let unread = intakes.filter(|intake| !intake.is_empty());
    drained.unread = unread.map(|intake| intake.address).collect();
    drained
}

/// Returns when every socket lookup that is in progress now has queued its datagram.
fn grace_period() {
    const GLOBAL: libc::c_int = 1; // MEMBARRIER_CMD_GLOBAL: synchronize_rcu(), which is one CPU's own order
    // SAFETY: takes no pointers and changes no memory.
    let done = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
    if done != 0 {
        thread::sleep(GRACE); // not with nohz_full
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::{SocketOptions, listen};

    fn options() -> SocketOptions {
        SocketOptions { receive_buffer: 1 << 20, send_buffer: 0 }
    }

    /// Receives and counts the datagrams in the queue of `socket`.
    fn take_all(socket: &Socket) -> usize {
        let socket = UdpSocket::from(socket.try_clone().unwrap());
        socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| socket.recv(&mut [0; 8]).ok()).count()
    }

    /// Sends one datagram each from `count` ports.
    fn send(to: SocketAddrV6, count: usize) {
        for _ in 0..count {
            UdpSocket::bind("[::1]:0").unwrap().send_to(b"?", to).unwrap();
        }
    }

    #[test]
    fn leaving_works_despite_a_steering_program() {
        let leaving = listen("[::1]:0".parse().unwrap(), &options()).unwrap();
        let staying = listen(leaving.local_address(), &options()).unwrap();
        // BPF_RET | BPF_K: always the first socket of the group.
        let mut to_the_first = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: to_the_first.as_mut_ptr() };
        let (fd, len) = (leaving.as_raw_fd(), size_of_val(&program) as libc::socklen_t);
        let name = libc::SO_ATTACH_REUSEPORT_CBPF;
        // SAFETY: the kernel reads one live program of one instruction.
        let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, (&raw const program).cast(), len) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
        send(leaving.local_address(), 50);
        assert_eq!(take_all(&leaving), 50, "steered to the first");
        drain([&leaving.intake().unwrap()].into_iter(), Duration::ZERO);
        send(leaving.local_address(), 50);
        assert_eq!((take_all(&leaving), take_all(&staying)), (0, 50));
    }

    #[test]
    fn remaining_sockets_get_new_datagrams_and_the_leaving_one_keeps_its_queue() {
        for address in ["[::1]:0", "[::]:0"] {
            let leaving = listen(address.parse().unwrap(), &options()).unwrap();
            // Told before anything ends, so that the operator can find the lost ones.
            let to = SocketAddrV6::new(Ipv6Addr::LOCALHOST, leaving.local_address().port(), 0, 0);
            send(to, 20);
            let staying = [
                listen(leaving.local_address(), &options()).unwrap(),
                listen(leaving.local_address(), &options()).unwrap(),
            ];
            let intake = leaving.intake().unwrap();
            let drained = drain([&intake].into_iter(), Duration::ZERO);
            assert!(drained.stayed.is_empty(), "{address}: {:?}", drained.stayed);
            assert_eq!(drained.unread, [leaving.local_address()], "{address}: 20 datagrams are queued");
            send(to, 100);
            assert_eq!(take_all(&leaving), 20, "{address}");
            assert_eq!(staying.iter().map(take_all).sum::<usize>(), 100, "{address}");
            assert!(leaving.intake().unwrap().is_empty());
        }
    }
}

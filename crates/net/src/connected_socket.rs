//! Client side for load generators: a connected socket that sends and receives many datagrams per system
//! call.
//!
//! Measuring servers needs a low cost and known losses: it coalesces both ways if asked to, and counts the
//! datagrams lost on its own side.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Type};

use crate::receive_area::ReceiveArea;
use crate::{REPLY_LEN_MAX, coalesce, control, socket_option};

mod send;

use send::SendArea;

/// Index of the drop count in the array that SO_MEMINFO fills (`SK_MEMINFO_DROPS` of `linux/sock_diag.h`),
/// and the length of the array.
const MEMINFO_DROPS: usize = 8;
const MEMINFO_LEN: usize = 9;

/// Options of a [`ConnectedSocket`].
#[derive(Clone, Copy, Debug)]
pub struct ConnectedSocketOptions {
    /// Requested receive buffer, bytes; 0: the system's default.
    pub receive_buffer: usize,
    /// Requested send buffer, bytes; 0: the system's default.
    pub send_buffer: usize,
    /// Maximum of equal-sized datagrams per send (UDP_SEGMENT); more than 64 count as 64. `None` sends each
    /// datagram separately.
    pub gso: Option<NonZeroU16>,
    /// Receive several datagrams as one (UDP_GRO).
    pub gro: bool,
}

impl Default for ConnectedSocketOptions {
    /// The buffers of [`SocketOptions`](crate::SocketOptions), without coalescing.
    fn default() -> Self {
        let crate::SocketOptions { receive_buffer, send_buffer } = crate::SocketOptions::default();
        Self { receive_buffer, send_buffer, gso: None, gro: false }
    }
}

/// A reason why a socket cannot be connected, and its fix.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A link-local address without a link.
    #[error("cannot send to {0}: a link-local address needs its interface, as in [fe80::1%eth0]:547")]
    NoScope(SocketAddrV6),
    /// The target has no route.
    #[error("no route leads to {0}; `ip -6 route get` shows what is missing")]
    Unreachable(SocketAddrV6),
    /// The kernel does not support coalescing.
    #[error("this kernel cannot take datagrams together ({0}); run Linux 5.0 or newer, or do without")]
    NoCoalescing(io::Error),
    /// Any other failure.
    #[error("cannot send to {target}: {step}: {source}")]
    Other {
        /// Target address.
        target: SocketAddrV6,
        /// The step that failed.
        step: &'static str,
        /// Error of the kernel.
        source: io::Error,
    },
}

/// A UDP socket connected to one target: it receives from that target only, and learns of a closed port.
///
/// Allocates nothing after [`connect`](Self::connect).
pub struct ConnectedSocket {
    socket: socket2::Socket,
    local_port: u16,
    sends: SendArea,
    received: ReceiveArea,
    truncated: u64,
}

impl ConnectedSocket {
    /// Opens a socket on a port that the kernel chooses.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(target: SocketAddrV6, options: ConnectedSocketOptions) -> Result<Self, ConnectError> {
        // Without a link the kernel would send by any interface, or refuse without a reason.
        if target.ip().is_unicast_link_local() && target.scope_id() == 0 {
            return Err(ConnectError::NoScope(target));
        }
        let failed = |step| move |source| ConnectError::Other { target, step, source };
        let socket = socket2::Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))
            .map_err(failed("opening a socket"))?;
        socket_option::enlarge_receive_buffer(&socket, options.receive_buffer)
            .map_err(failed("SO_RCVBUF"))?;
        socket_option::enlarge_send_buffer(&socket, options.send_buffer).map_err(failed("SO_SNDBUF"))?;
        if options.gro {
            socket_option::set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)
                .map_err(ConnectError::NoCoalescing)?;
        }
        // Bound before connecting, so that the port is known when the first reply comes.
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
        socket.bind(&SockAddr::from(any)).map_err(failed("binding"))?;
        // These two have a fix that the operator can find by `ip -6 route get`.
        socket.connect(&SockAddr::from(target)).map_err(|source| match source.raw_os_error() {
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => ConnectError::Unreachable(target),
            _ => failed("connecting")(source),
        })?;
        let bound = socket.local_addr().map_err(failed("reading the bound address"))?;
        Ok(Self {
            // Read back, as the kernel chose the port.
            socket,
            local_port: bound.as_socket_ipv6().map_or(0, |address| address.port()),
            sends: SendArea::new(options.gso.map_or(1, NonZeroU16::get).into())
                .map_err(failed("mapping headers"))?,
            received: ReceiveArea::new(REPLY_LEN_MAX).map_err(failed("mapping receive buffers"))?,
            truncated: 0,
        })
    }

    /// Local port.
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// Sends the adjacent datagrams in `octets`, in order, without waiting; `ends` holds the end of each,
    /// ascending. Returns the number sent: fewer than given, or none, when the send buffer is full; fewer
    /// also after an error behind the first datagram, which the next call returns if it persists.
    ///
    /// # Errors
    /// The kernel refused the first datagram. ECONNREFUSED: the target port is closed, as an ICMPv6 error for
    /// an earlier datagram has shown.
    ///
    /// # Panics
    /// `ends` is not ascending or exceeds `octets`.
    pub fn send(&mut self, octets: &[u8], ends: &[usize]) -> io::Result<usize> {
        self.sends.send(self.socket.as_raw_fd(), octets, ends)
    }

    /// Passes received datagrams to `take`, in order of arrival; waits at most `wait` for the first. Returns
    /// the number passed; more may be left for the next call.
    ///
    /// # Errors
    /// A pending error of the socket, usually ECONNREFUSED.
    pub fn receive(&mut self, wait: Duration, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut count = self.fill()?;
        // Datagrams are usually queued already: a wait would cost a system call.
        if count == 0 && !wait.is_zero() {
            self.wait(wait)?;
            count = self.fill()?;
        }
        let mut taken = 0;
        for number in 0..count {
            let Some(message) = self.received.message(number) else {
                // Neither an answer nor a silent loss.
                self.truncated += 1;
                continue;
            };
            let segment_len = control::decode_segment_len(message.control);
            for datagram in coalesce::datagrams(message.payload, segment_len) {
                take(datagram);
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Receives lost so far at this socket because its buffer was full; the server is not to blame. An
    /// aggregate counts once, whatever it holds (UDP_GRO). The kernel counts modulo 2^32.
    ///
    /// The number is that of SO_RXQ_OVFL, read by SO_MEMINFO (Linux ≥ 4.12): a control message would bring it
    /// only with the next datagram received.
    pub fn dropped(&self) -> u64 {
        let mut info = [0; MEMINFO_LEN];
        let read = socket_option::get(&self.socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut info);
        debug_assert!(read.is_ok(), "{read:?}");
        // A truncated datagram is lost to the caller as well.
        u64::from(info[MEMINFO_DROPS]) + self.truncated
    }

    /// Receives queued datagrams without waiting.
    fn fill(&mut self) -> io::Result<usize> {
        match self.received.fill(self.socket.as_raw_fd()) {
            // An empty queue and a signal are no errors to a caller that does not wait.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            filled => filled,
        }
    }

    /// Waits until the socket is readable, the time is over, or a signal arrives.
    fn wait(&self, wait: Duration) -> io::Result<()> {
        let mut polled = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let wait = libc::timespec {
            // A longer wait than the kernel can hold is as good as for ever.
            tv_sec: libc::time_t::try_from(wait.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        // SAFETY: one live entry, which the kernel writes before it returns, and a live timespec; no signal
        // mask.
        let ready = unsafe { libc::ppoll(&raw mut polled, 1, &raw const wait, std::ptr::null()) };
        if ready >= 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // A signal ends the wait early, which the caller must expect anyway.
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        }
    }
}

impl AsFd for ConnectedSocket {
    /// The descriptor, to wait on several sockets at once: readable when [`receive`](Self::receive) has
    /// datagrams or an error. Do not read or write by it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
#[path = "connected_socket/tests.rs"]
mod tests;

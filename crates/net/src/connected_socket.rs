//! The other end: a requestor that sends and receives many datagrams per system call, for load generators.
//!
//! It measures servers, so that its own cost must be small and its own losses known: it coalesces both ways
//! if asked to, and tells what was lost on its side of the wire.

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

/// Index of the datagrams lost for want of room in the array that SO_MEMINFO fills (`SK_MEMINFO_DROPS` of
/// `linux/sock_diag.h`), and the array's length.
const MEMINFO_DROPS: usize = 8;
const MEMINFO_LEN: usize = 9;

/// Options of a requestor.
#[derive(Clone, Copy, Debug)]
pub struct ConnectedSocketOptions {
    /// Receive buffer asked for, octets; 0: the system's default.
    pub receive_buffer: usize,
    /// Send buffer asked for, octets; 0: the system's default.
    pub send_buffer: usize,
    /// Most datagrams of one size that leave as one send (UDP_SEGMENT); more than 64 count as 64. `None`:
    /// each leaves by itself.
    pub gso: Option<NonZeroU16>,
    /// Receive several datagrams as one (UDP_GRO).
    pub gro: bool,
}

impl Default for ConnectedSocketOptions {
    /// The buffers of [`SocketOptions`](crate::SocketOptions); every datagram by itself.
    fn default() -> Self {
        let crate::SocketOptions { receive_buffer, send_buffer } = crate::SocketOptions::default();
        Self { receive_buffer, send_buffer, gso: None, gro: false }
    }
}

/// Why there is no requestor, and what to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A link-local address needs to say on which link.
    #[error("cannot send to {0}: a link-local address needs its interface, as in [fe80::1%eth0]:547")]
    NoScope(SocketAddrV6),
    /// No route.
    #[error("no route leads to {0}; `ip -6 route get` shows what is missing")]
    Unreachable(SocketAddrV6),
    /// The kernel cannot take datagrams together.
    #[error("this kernel cannot take datagrams together ({0}); run Linux 5.0 or newer, or do without")]
    NoCoalescing(io::Error),
    /// Anything else.
    #[error("cannot send to {target}: {step}: {source}")]
    Other {
        /// Address asked for.
        target: SocketAddrV6,
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A UDP socket connected to one target: it hears that target only, and of a closed port.
///
/// Nothing is allocated after [`connect`](Self::connect).
pub struct ConnectedSocket {
    socket: socket2::Socket,
    local_port: u16,
    sends: SendArea,
    received: ReceiveArea,
    spoilt: u64,
}

impl ConnectedSocket {
    /// Opens a socket on a port of the kernel's choice.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(target: SocketAddrV6, options: ConnectedSocketOptions) -> Result<Self, ConnectError> {
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
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
        socket.bind(&SockAddr::from(any)).map_err(failed("binding"))?;
        socket.connect(&SockAddr::from(target)).map_err(|source| match source.raw_os_error() {
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => ConnectError::Unreachable(target),
            _ => failed("connecting")(source),
        })?;
        let bound = socket.local_addr().map_err(failed("reading the bound address"))?;
        Ok(Self {
            socket,
            local_port: bound.as_socket_ipv6().map_or(0, |address| address.port()),
            sends: SendArea::new(options.gso.map_or(1, NonZeroU16::get).into())
                .map_err(failed("mapping headers"))?,
            received: ReceiveArea::new(REPLY_LEN_MAX).map_err(failed("mapping receive buffers"))?,
            spoilt: 0,
        })
    }

    /// Port the requests leave from.
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// Sends datagrams that lie one after the other in `octets`, in order, without waiting; `ends` tells
    /// where each ends, ascending. Returns how many left: fewer than there are when the send buffer is full
    /// (then even none) or an error came up after some had left, which the next call meets if it lasts.
    ///
    /// # Errors
    /// The kernel did not take the first: ECONNREFUSED tells that nobody listens at the target, which the
    /// kernel knows from the answer to an earlier datagram.
    ///
    /// # Panics
    /// `ends` descends or leads out of `octets`.
    pub fn send(&mut self, octets: &[u8], ends: &[usize]) -> io::Result<usize> {
        self.sends.send(self.socket.as_raw_fd(), octets, ends)
    }

    /// Hands the datagrams that are there to `take`, in order of arrival; waits for the first, at most
    /// `wait`, if there is none. Returns how many it handed over; some may be left for the next call.
    ///
    /// # Errors
    /// What the kernel has to tell of the socket, ECONNREFUSED above all.
    pub fn receive(&mut self, wait: Duration, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut count = self.fill()?;
        if count == 0 && !wait.is_zero() {
            self.wait(wait)?;
            count = self.fill()?;
        }
        let mut taken = 0;
        for number in 0..count {
            let Some(message) = self.received.message(number) else {
                self.spoilt += 1;
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

    /// Receives that reached this socket and were lost here so far, because its buffer was full: no server is
    /// to blame for them. An aggregate counts once, whatever it holds (UDP_GRO). Counts up to 2^32, then from
    /// 0.
    ///
    /// The number is that of SO_RXQ_OVFL, asked of the socket itself (SO_MEMINFO, Linux ≥ 4.12): in control
    /// messages it comes only with the next datagram that is not lost.
    pub fn dropped(&self) -> u64 {
        let mut info = [0; MEMINFO_LEN];
        let asked = socket_option::get(&self.socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut info);
        debug_assert!(asked.is_ok(), "{asked:?}");
        u64::from(info[MEMINFO_DROPS]) + self.spoilt
    }

    /// Receives what is there, without waiting.
    fn fill(&mut self) -> io::Result<usize> {
        match self.received.fill(self.socket.as_raw_fd()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            filled => filled,
        }
    }

    /// Waits until there is something to receive, or the time is over, or a signal comes.
    fn wait(&self, wait: Duration) -> io::Result<()> {
        let mut polled = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let wait = libc::timespec {
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
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        }
    }
}

impl AsFd for ConnectedSocket {
    /// For waiting on several requestors at once: readable when [`receive`](Self::receive) has something to
    /// tell. To read or write by it is to take from this requestor what is its own.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
#[path = "connected_socket/tests.rs"]
mod tests;

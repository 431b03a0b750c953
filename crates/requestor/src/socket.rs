//! The requestor's socket, and interface names.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::Error;

/// Receive buffer for answers that arrive faster than they are read, in bytes; the system may grant less.
const RECEIVE_BUFFER_LEN: usize = 1 << 20;

/// Hop limit of queries to a group: ff05::1:3 spans a whole site (RFC 8415 §7.1).
const MULTICAST_HOPS: u32 = 32;

/// Opens a socket at this address; queries to groups leave through the interface with this index.
pub(crate) fn open(local: SocketAddrV6, interface: Option<u32>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_hops_v6(MULTICAST_HOPS)?;
    if let Some(index) = interface {
        // A destination's scope id selects the interface for ff02::/16 only, not for ff05::/16.
        socket.set_multicast_if_v6(index)?;
    }
    // A smaller buffer only loses more of a burst of answers.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN);
    socket.bind(&SocketAddr::V6(local).into())?;
    UdpSocket::from_std(socket.into())
}

pub(crate) async fn send(socket: &UdpSocket, octets: &[u8], to: SocketAddrV6) -> io::Result<()> {
    socket.send_to(octets, SocketAddr::V6(to)).await.map(|_| ())
}

/// Whether a later transmission may succeed: the buffer was full, or the error belongs to an earlier
/// datagram.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, OutOfMemory, WouldBlock};
    const ENOBUFS: i32 = 105;
    matches!(error.kind(), WouldBlock | Interrupted | OutOfMemory | ConnectionRefused)
        || error.raw_os_error() == Some(ENOBUFS)
}

/// Returns the index of an interface, usable as the scope id of an address.
pub fn interface_index(name: &str) -> Result<u32, Error> {
    let error = |source: io::Error| Error::Interface { name: name.to_owned(), source };
    // Any socket serves the ioctl; this one needs no privilege.
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).map_err(error)?;
    rustix::net::netdevice::name_to_index(&socket, name).map_err(|errno| error(errno.into()))
}

//! The requestor's socket, and interfaces by name.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::Error;

/// Room for answers that come faster than they are read; the system may give less.
const RECEIVE_BUFFER_LEN: usize = 1 << 20;

/// Hops that a query to a group may take: ff05::1:3 is a whole site (RFC 8415 §7.1).
const MULTICAST_HOPS: u32 = 32;

/// A socket at this address; queries to groups leave through the interface with this index.
pub(crate) fn open(local: SocketAddrV6, interface: Option<u32>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_hops_v6(MULTICAST_HOPS)?;
    if let Some(index) = interface {
        socket.set_multicast_if_v6(index)?; // the scope id of a destination counts for ff02::/16 alone
    }
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN);
    socket.bind(&SocketAddr::V6(local).into())?;
    UdpSocket::from_std(socket.into())
}

pub(crate) async fn send(socket: &UdpSocket, octets: &[u8], to: SocketAddrV6) -> io::Result<()> {
    socket.send_to(octets, SocketAddr::V6(to)).await.map(|_| ())
}

/// The next transmission may succeed: want of room, or an echo of an earlier one.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, OutOfMemory, WouldBlock};
    const ENOBUFS: i32 = 105;
    matches!(error.kind(), WouldBlock | Interrupted | OutOfMemory | ConnectionRefused)
        || error.raw_os_error() == Some(ENOBUFS)
}

/// The index of an interface, as the scope id of an address takes it.
pub fn interface_index(name: &str) -> Result<u32, Error> {
    let fault = |source: io::Error| Error::Interface { name: name.to_owned(), source };
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).map_err(fault)?;
    rustix::net::netdevice::name_to_index(&socket, name).map_err(|errno| fault(errno.into()))
}

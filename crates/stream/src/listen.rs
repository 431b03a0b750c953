//! Listening sockets, bound while the process may still bind privileged ports.
//!
//! Connections inherit the options of their listener, so an accept costs no further system call.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Idle time before the kernel probes whether the peer still exists, and interval of the probes.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Time beyond the timeout of a connection before the kernel gives up a peer that acknowledges nothing: the
/// connection's own timeout comes first, as it knows the reason.
const UNACKNOWLEDGED_GRACE: Duration = Duration::from_secs(10);

/// Octets that the kernel holds unsent before the socket counts as full: a stalled reader costs little memory
/// there either.
const UNSENT_MAX: u32 = 128 << 10;

/// A bound socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    address: SocketAddrV6,
}

/// A reason why a listening socket cannot be made, and its fix.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is a multicast group.
    #[error("cannot listen on {0} over TCP: it is a multicast group; name an address of this host, or [::]")]
    Group(Ipv6Addr),
    /// A link-local address without a link.
    #[error("cannot listen on {0}: a link-local address needs its interface, as in [fe80::1%eth0]:547")]
    NoScope(SocketAddrV6),
    /// The address is in use by another process.
    #[error(
        "TCP {0} is in use by another process, shown by `ss -6tlpn`; stop it, or listen on another address or port"
    )]
    InUse(SocketAddrV6),
    /// The address is not one of this host.
    #[error(
        "{0} is not an address of this host; add it (`ip -6 address`), wait until it is no longer tentative, or \
         listen on [::]"
    )]
    NotLocal(SocketAddrV6),
    /// The port is privileged.
    #[error(
        "not allowed to listen on TCP {0}; ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= in the \
         unit)"
    )]
    NotAllowed(SocketAddrV6),
    /// Any other failure.
    #[error("cannot listen on TCP {address}: {step}: {source}")]
    Other {
        /// Requested address.
        address: SocketAddrV6,
        /// The step that failed.
        step: &'static str,
        /// Error of the kernel.
        source: io::Error,
    },
}

impl Listener {
    /// Binds a unicast address or `::` and listens; port 0 lets the kernel choose.
    ///
    /// Another process of the same user may bind it, too (SO_REUSEPORT), as a rolling restart does. `timeout`
    /// is the longest wait for a peer to acknowledge what was sent.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn bind(address: SocketAddrV6, timeout: Duration) -> Result<Self, ListenError> {
        if address.ip().is_multicast() {
            return Err(ListenError::Group(*address.ip()));
        }
        // The kernel would refuse it with EINVAL, which names no cause.
        if address.ip().is_unicast_link_local() && address.scope_id() == 0 {
            return Err(ListenError::NoScope(address));
        }
        let other = |step| move |source| ListenError::Other { address, step, source };
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))
            .map_err(other("opening a socket"))?;
        socket.set_nonblocking(true).map_err(other("O_NONBLOCK"))?;
        socket.set_only_v6(true).map_err(other("IPV6_V6ONLY"))?;
        // Connections of an ended process may still be in TIME_WAIT.
        socket.set_reuse_address(true).map_err(other("SO_REUSEADDR"))?;
        socket.set_reuse_port(true).map_err(other("SO_REUSEPORT"))?;
        // Messages are written many at a time, so waiting for more only delays the last one.
        socket.set_tcp_nodelay(true).map_err(other("TCP_NODELAY"))?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&keepalive).map_err(other("SO_KEEPALIVE"))?;
        // Without it, the kernel keeps a connection to a vanished peer for a quarter of an hour.
        let unacknowledged = timeout + UNACKNOWLEDGED_GRACE;
        socket.set_tcp_user_timeout(Some(unacknowledged)).map_err(other("TCP_USER_TIMEOUT"))?;
        socket.set_tcp_notsent_lowat(UNSENT_MAX).map_err(other("TCP_NOTSENT_LOWAT"))?;
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NotLocal(address),
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
            _ => other("binding")(error),
        })?;
        socket.listen(BACKLOG).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            _ => other("listening")(error),
        })?;
        let bound = socket.local_addr().map_err(other("reading the bound address"))?;
        Ok(Self { address: bound.as_socket_ipv6().unwrap_or(address), inner: socket.into() })
    }

    /// Bound address and port; the port is the kernel's choice if 0 was requested.
    pub fn local_address(&self) -> SocketAddrV6 {
        self.address
    }

    /// Returns another descriptor of the same socket, for another thread.
    pub(crate) fn socket(&self) -> io::Result<TcpListener> {
        self.inner.try_clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(300);

    fn refusal(address: &str) -> String {
        Listener::bind(address.parse().unwrap(), TIMEOUT).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_their_fix() {
        assert!(refusal("[ff05::1:3]:0").contains("multicast group"));
        assert!(refusal("[fe80::1]:0").contains("[fe80::1%eth0]:547"));
        assert!(refusal("[2001:db8:dead::1]:0").contains("listen on [::]"));
        let taken = TcpListener::bind("[::1]:0").unwrap();
        assert!(refusal(&taken.local_addr().unwrap().to_string()).contains("ss -6tlpn"));
    }

    #[test]
    fn a_restarted_server_shares_the_port() {
        let first = Listener::bind("[::1]:0".parse().unwrap(), TIMEOUT).unwrap();
        let second = Listener::bind(first.local_address(), TIMEOUT).unwrap();
        assert_eq!(first.local_address(), second.local_address());
        assert!(TcpListener::bind(first.local_address()).is_err(), "a socket without SO_REUSEPORT");
    }
}

//! Sockets, bound before any worker starts, with the options that make a reply leave from the queried
//! address.
//!
//! Several workers share an address by SO_REUSEPORT: the kernel spreads requestors over them by a hash of
//! addresses and ports. Multicast differs: every matching socket gets a copy, so one socket of one worker
//! joins a group ([`listen_multicast`]), and sockets of [`listen`] refuse groups that they did not join
//! (IPV6_MULTICAST_ALL, Linux ≥ 4.20), which the kernel would deliver otherwise.

use std::ffi::CString;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use socket2::{Domain, Protocol, SockAddr, Type};

use crate::socket_option;

/// Site-dependent options of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Requested receive buffer, bytes: room for a flood while the worker is busy. 0: the system's default.
    pub receive_buffer: usize,
    /// Requested send buffer, bytes: room for replies until the network card sends them. 0: the system's
    /// default.
    pub send_buffer: usize,
}

impl Default for SocketOptions {
    /// 8 MiB to receive, some ten thousand small datagrams with kernel overhead, and 4 MiB to send.
    fn default() -> Self {
        Self { receive_buffer: 8 << 20, send_buffer: 4 << 20 }
    }
}

/// A bound UDP socket.
#[derive(Debug)]
pub struct Socket {
    inner: socket2::Socket,
    address: SocketAddrV6,
    receive_buffer: usize,
    send_buffer: usize,
}

impl Socket {
    /// Bound address and port; the port is the kernel's choice if 0 was requested.
    pub fn local_address(&self) -> SocketAddrV6 {
        self.address
    }

    /// Actual receive buffer, bytes. If less than requested, raise sysctl `net.core.rmem_max` or grant
    /// CAP_NET_ADMIN.
    ///
    /// Linux doubles the requested size for its own overhead, and reports the double; this is half of that.
    pub fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }

    /// Actual send buffer, bytes; as [`receive_buffer`](Self::receive_buffer), by `net.core.wmem_max`.
    pub fn send_buffer(&self) -> usize {
        self.send_buffer
    }

    /// Whether this kernel can coalesce datagrams of this socket (UDP_GRO and UDP_SEGMENT, Linux ≥ 5.12).
    ///
    /// Some network cards and IPsec routes refuse coalesced sends; this shows only when they do, and is
    /// counted ([`uncoalesced`](crate::NetCounters::uncoalesced)).
    pub fn can_coalesce(&self) -> bool {
        let knows = |name| socket_option::get(self, libc::SOL_UDP, name, &mut [0]).is_ok();
        knows(libc::UDP_GRO) && knows(libc::UDP_SEGMENT)
    }

    /// Enables coalesced receives, if the kernel supports them.
    pub(crate) fn receive_together(&self) {
        // A kernel without it serves as well, one datagram at a time.
        if self.can_coalesce() {
            let set = socket_option::set(self, libc::SOL_UDP, libc::UDP_GRO, 1);
            debug_assert!(set.is_ok(), "{set:?}");
        }
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    /// Duplicates the descriptor.
    pub(crate) fn try_clone(&self) -> io::Result<socket2::Socket> {
        self.inner.try_clone()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A reason why a socket cannot be made, and its fix.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is a multicast group.
    #[error(
        "cannot listen on {0}: it is a multicast group; name it together with the interface to join it on"
    )]
    Group(Ipv6Addr),
    /// The group is not a multicast address.
    #[error(
        "cannot join {0}: it is not a multicast group; the groups of DHCPv6 servers are ff05::1:3, and \
         ff02::1:2 on a link"
    )]
    NotAGroup(Ipv6Addr),
    /// A link-local address without a link.
    #[error("cannot listen on {0}: a link-local address needs its interface, as in [fe80::1%eth0]:547")]
    NoScope(SocketAddrV6),
    /// The interface does not exist.
    #[error("no interface is named or numbered {0:?} here; `ip -brief link` lists the interfaces")]
    NoInterface(String),
    /// The address is in use by another process.
    #[error(
        "{0} is in use by another process, shown by `ss -6ulpn`; stop it, or listen on another address \
         or port"
    )]
    InUse(SocketAddrV6),
    /// The address is not one of this host.
    #[error(
        "{0} is not an address of this host; add it (`ip -6 address`), wait until it is no longer tentative, \
         or listen on [::]"
    )]
    NotLocal(SocketAddrV6),
    /// The port is privileged.
    #[error(
        "not allowed to listen on {0}; ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= \
         in the unit)"
    )]
    NotAllowed(SocketAddrV6),
    /// The host has no IPv6.
    #[error(
        "this host has no IPv6; enable it (sysctl net.ipv6.conf.all.disable_ipv6=0, no ipv6.disable=1 at \
         boot)"
    )]
    NoIpv6,
    /// Any other failure.
    #[error("cannot listen on {address}: {step}: {source}")]
    Other {
        /// Requested address.
        address: SocketAddrV6,
        /// The step that failed.
        step: &'static str,
        /// Error of the kernel.
        source: io::Error,
    },
}

/// Binds a socket for one worker to a unicast address or `::`. Call it once per worker: it sets SO_REUSEPORT.
///
/// # Errors
/// See [`ListenError`].
pub fn listen(address: SocketAddrV6, options: &SocketOptions) -> Result<Socket, ListenError> {
    // A group needs an interface to be joined on, which this address does not carry.
    if address.ip().is_multicast() {
        return Err(ListenError::Group(*address.ip()));
    }
    // The kernel would refuse it with EINVAL, which names no cause.
    if address.ip().is_unicast_link_local() && address.scope_id() == 0 {
        return Err(ListenError::NoScope(address));
    }
    bind(open(address, options)?, address)
}

/// Interface to join a group on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface<'a> {
    /// Interface name, as `ip link` shows it.
    Name(&'a str),
    /// Interface index, as `ip link` shows it before the name; 0 is invalid.
    Index(u32),
}

impl<'a, S: AsRef<str> + ?Sized> From<&'a S> for Interface<'a> {
    fn from(name: &'a S) -> Self {
        Self::Name(name.as_ref())
    }
}

impl From<u32> for Interface<'_> {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl Interface<'_> {
    fn index(self) -> Result<NonZeroU32, ListenError> {
        match self {
            Self::Name(name) => {
                let unknown = || ListenError::NoInterface(name.to_owned());
                // A name with a NUL cannot exist, and must not be cut at it.
                let c_name = CString::new(name).map_err(|_| unknown())?;
                // SAFETY: reads a live, NUL-terminated string.
                NonZeroU32::new(unsafe { libc::if_nametoindex(c_name.as_ptr()) }).ok_or_else(unknown)
            }
            Self::Index(index) => {
                let unknown = || ListenError::NoInterface(index.to_string());
                let mut name = [0; libc::IF_NAMESIZE];
                // SAFETY: writes at most IF_NAMESIZE octets, the size of the array.
                let known = unsafe { !libc::if_indextoname(index, name.as_mut_ptr()).is_null() };
                NonZeroU32::new(index).filter(|_| known).ok_or_else(unknown)
            }
        }
    }
}

/// Binds a socket to a multicast `group`, joined on `interface` (a name or an index), for one worker only.
///
/// The socket receives the group on that interface only, so the same group may be joined on several
/// interfaces with a socket each. Replies leave from a unicast address of that interface, chosen by the
/// kernel.
///
/// # Errors
/// See [`ListenError`].
pub fn listen_multicast<'a>(
    group: Ipv6Addr,
    interface: impl Into<Interface<'a>>,
    port: u16,
    options: &SocketOptions,
) -> Result<Socket, ListenError> {
    if !group.is_multicast() {
        return Err(ListenError::NotAGroup(group));
    }
    let index = interface.into().index()?;
    let address = SocketAddrV6::new(group, port, 0, index.get());
    let socket = open(address, options)?;
    let failed = |step| move |source| ListenError::Other { address, step, source };
    // Bound to the interface before the address: no datagram of another one gets in between.
    socket.bind_device_by_index_v6(Some(index)).map_err(failed("binding to the interface"))?;
    let socket = bind(socket, address)?;
    // Joined last, as the socket must be complete when datagrams arrive.
    socket.inner.join_multicast_v6(&group, index.get()).map_err(failed("joining the group"))?;
    Ok(socket)
}

fn open(address: SocketAddrV6, options: &SocketOptions) -> Result<socket2::Socket, ListenError> {
    let failed = |step| move |source| ListenError::Other { address, step, source };
    let socket =
        socket2::Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).map_err(
            |source| match source.raw_os_error() {
                // This is the one failure that a kernel setting fixes.
                Some(libc::EAFNOSUPPORT) => ListenError::NoIpv6,
                _ => failed("opening a socket")(source),
            },
        )?;
    // IPv4 queries have no meaning here, and would come with mapped addresses.
    socket.set_only_v6(true).map_err(failed("IPV6_V6ONLY"))?;
    socket.set_reuse_port(true).map_err(failed("SO_REUSEPORT"))?;
    // Without it a socket would also get groups that other sockets joined.
    socket.set_multicast_all_v6(false).map_err(failed("IPV6_MULTICAST_ALL"))?;
    socket_option::set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
        .map_err(failed("IPV6_RECVPKTINFO"))?;
    // Adds a control message only after the first drop.
    socket_option::set(&socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1).map_err(failed("SO_RXQ_OVFL"))?;
    // `bind` reads the actual sizes back.
    socket_option::enlarge_receive_buffer(&socket, options.receive_buffer).map_err(failed("SO_RCVBUF"))?;
    socket_option::enlarge_send_buffer(&socket, options.send_buffer).map_err(failed("SO_SNDBUF"))?;
    Ok(socket)
}

fn bind(socket: socket2::Socket, address: SocketAddrV6) -> Result<Socket, ListenError> {
    let other = |step, source| ListenError::Other { address, step, source };
    socket.bind(&SockAddr::from(address)).map_err(|source| match source.raw_os_error() {
        // Each errno here has its own fix, so each becomes its own error.
        Some(libc::EADDRINUSE) => ListenError::InUse(address),
        Some(libc::EADDRNOTAVAIL) => ListenError::NotLocal(address),
        Some(libc::EACCES) => ListenError::NotAllowed(address),
        _ => other("binding", source),
    })?;
    let bound = socket.local_addr().map_err(|source| other("reading the bound address", source))?;
    // The kernel reports twice the size that it was given.
    let receive_buffer = socket.recv_buffer_size().map_err(|source| other("SO_RCVBUF", source))? / 2;
    let send_buffer = socket.send_buffer_size().map_err(|source| other("SO_SNDBUF", source))? / 2;
    // The port may have been chosen by the kernel.
    let address = bound.as_socket_ipv6().unwrap_or(address);
    Ok(Socket { inner: socket, address, receive_buffer, send_buffer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str) -> String {
        listen(address.parse().unwrap(), &SocketOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_their_fix() {
        assert!(refusal("[ff05::1:3]:0").contains("name it together with the interface"));
        assert!(refusal("[fe80::1]:0").contains("[fe80::1%eth0]:547"));
        assert!(refusal("[2001:db8:dead::1]:0").contains("listen on [::]"));
        let no_such =
            listen_multicast("ff05::1:3".parse().unwrap(), "no-such-if0", 0, &SocketOptions::default());
        assert!(matches!(no_such, Err(ListenError::NoInterface(name)) if name == "no-such-if0"));
        for index in [0, u32::MAX] {
            let no_such = listen_multicast("ff05::1:3".parse().unwrap(), index, 0, &SocketOptions::default());
            assert!(matches!(no_such, Err(ListenError::NoInterface(text)) if text == index.to_string()));
        }
        let unicast = listen_multicast(Ipv6Addr::LOCALHOST, "lo", 0, &SocketOptions::default());
        assert!(matches!(unicast, Err(ListenError::NotAGroup(Ipv6Addr::LOCALHOST))));
    }

    #[test]
    fn a_group_is_joined_by_name_and_by_index() {
        let group = "ff02::1:2".parse().unwrap();
        let loopback = Interface::from("lo").index().unwrap().get();
        for interface in [Interface::from("lo"), Interface::from(&"lo".to_owned()), Interface::from(loopback)]
        {
            let socket = listen_multicast(group, interface, 0, &SocketOptions::default()).unwrap();
            assert_eq!(socket.local_address().scope_id(), loopback, "{interface:?}");
        }
    }

    #[test]
    fn workers_share_a_port_but_other_programs_cannot() {
        let options = SocketOptions { receive_buffer: 100_000, send_buffer: 0 };
        let first = listen("[::1]:0".parse().unwrap(), &options).unwrap();
        let second = listen(first.local_address(), &options).unwrap();
        assert_eq!(first.local_address(), second.local_address());
        assert_ne!(first.local_address().port(), 0);
        assert!(first.receive_buffer() >= 100_000, "got {}", first.receive_buffer());
        assert!(std::net::UdpSocket::bind(first.local_address()).is_err(), "a socket without SO_REUSEPORT");
    }

    #[test]
    fn an_address_in_use_is_named() {
        let taken = std::net::UdpSocket::bind("[::1]:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(refusal(&address.to_string()).contains("ss -6ulpn"));
    }
}

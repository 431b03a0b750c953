//! A requestor: one UDP socket for one server; a probe query proves silence without sleeping.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use super::lqd::PATIENCE;

/// Longest UDP payload over IPv6 without jumbograms.
const DATAGRAM_LEN_MAX: usize = 65_535;

/// A socket, and the server that it queries.
pub struct Requestor {
    socket: UdpSocket,
    server: SocketAddrV6,
}

impl Requestor {
    /// Binds `::1`, at a port that the kernel chooses.
    pub fn new(server: SocketAddrV6) -> Self {
        Self::bound(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0), server)
    }

    /// Binds this local address.
    ///
    /// # Panics
    /// If it cannot be bound.
    pub fn bound(local: SocketAddrV6, server: SocketAddrV6) -> Self {
        let socket =
            UdpSocket::bind(local).unwrap_or_else(|error| panic!("requestor's socket at {local}: {error}"));
        Self { socket, server }
    }

    /// Returns the local address.
    pub fn local(&self) -> SocketAddrV6 {
        v6(self.socket.local_addr().expect("the socket is bound"))
    }

    /// Sends a query.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn send(&self, query: &[u8]) {
        let sent = self.socket.send_to(query, self.server).expect("the query leaves");
        assert_eq!(sent, query.len());
    }

    /// Returns the next datagram and its sender, if one arrives within the wait.
    pub fn receive(&self, wait: Duration) -> Option<(Vec<u8>, SocketAddrV6)> {
        self.socket.set_read_timeout(Some(wait)).expect("the wait is not zero");
        let mut buffer = vec![0; DATAGRAM_LEN_MAX];
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        buffer.truncate(length);
        Some((buffer, v6(from)))
    }

    /// Sends a query, and waits for the next datagram; `None` if none arrives in time.
    pub fn ask(&self, query: &[u8]) -> Option<(Vec<u8>, SocketAddrV6)> {
        self.send(query);
        self.receive(PATIENCE)
    }

    /// Sends a query that must not be answered, then the probe, which must.
    ///
    /// One worker takes both in order, so an answer to the query would arrive before the probe's. Returns the
    /// datagram that arrived instead of the probe's reply, if any.
    ///
    /// # Panics
    /// If nothing arrives.
    pub fn answer_before_probe(&self, query: &[u8], probe: &Probe) -> Option<Vec<u8>> {
        self.send(query);
        let (first, _) = self.ask(&probe.query).expect("the probe is answered");
        (first != probe.reply).then_some(first)
    }
}

/// A query with its known reply.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The query.
    pub query: Vec<u8>,
    /// The only right reply, the same at any time.
    pub reply: Vec<u8>,
}

fn v6(address: SocketAddr) -> SocketAddrV6 {
    match address {
        SocketAddr::V6(address) => address,
        SocketAddr::V4(address) => unreachable!("{address} at an IPv6 socket"),
    }
}

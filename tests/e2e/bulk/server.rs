//! A server with `--bulk`, and frames of RFC 5460 §5.1 written by hand.

use std::net::{Ipv6Addr, SocketAddrV6, TcpListener};

use crate::support::lqd::Lqd;

/// Puts the length of a message in front of it.
///
/// # Panics
/// If the message is longer than a frame holds.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message has at most 65,535 octets");
    [&length.to_be_bytes()[..], message].concat()
}

/// Starts a server with `--bulk` at a port of its own; returns the port's address, too.
///
/// # Panics
/// As [`Lqd::start`].
pub fn start(flags: &[String]) -> (Lqd, SocketAddrV6) {
    let (address, flag) = bulk_flag();
    (Lqd::start(&[flags, &flag].concat()), address)
}

/// Returns a TCP address of `::1` that is free, and the flags that make a server listen there.
///
/// # Panics
/// If there is none.
pub fn bulk_flag() -> (SocketAddrV6, Vec<String>) {
    let port = crate::support::lqd::free_port();
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
    drop(TcpListener::bind(address).expect("no TCP listener has a port that no UDP socket has"));
    (address, vec!["--bulk".to_owned(), address.to_string()])
}

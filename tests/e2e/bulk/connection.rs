//! A bulk requestor of the tests: one TCP connection, frames of RFC 5460 §5.1 read and written by hand.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddrV6, TcpListener, TcpStream};

use crate::support::lqd::{Lqd, PATIENCE};

/// A connection to the TCP port of a server.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// If the server does not listen there.
    pub fn open(server: SocketAddrV6) -> Self {
        let stream = TcpStream::connect(server).expect("lqd listens at the bulk port");
        stream.set_read_timeout(Some(PATIENCE)).expect("the wait is not zero");
        stream.set_nodelay(true).expect("the connection is open");
        Self(stream)
    }

    /// Sends octets as they are.
    ///
    /// # Panics
    /// If the connection is closed.
    pub fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).expect("the octets leave");
    }

    /// Sends messages, each in a frame.
    ///
    /// # Panics
    /// If the connection is closed.
    pub fn send_messages(&mut self, messages: &[&[u8]]) {
        let frames: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        self.send(&frames);
    }

    /// Ends the sending direction (FIN).
    ///
    /// # Panics
    /// If the connection is closed.
    pub fn end(&self) {
        self.0.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Returns the next message, without the length of its frame; `None` once the server has closed.
    ///
    /// # Panics
    /// If neither comes in time, or a frame is cut off.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        match self.0.read_exact(&mut length[..1]) {
            Err(error) if is_end(&error) => return None,
            first => first.expect("a message or the end comes in time"),
        }
        self.0.read_exact(&mut length[1..]).expect("a whole length");
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut message).expect("a whole message");
        Some(message)
    }

    /// Returns all messages until the server closes.
    pub fn receive_all(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive()).collect()
    }
}

/// Returns whether the server closed the connection, with an end or a reset.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

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

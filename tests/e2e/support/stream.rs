//! A requestor over TCP: octets go out as given, frames come in as RFC 5460 §5.1 defines them, every wait is
//! bounded.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, Shutdown, SocketAddrV6, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use super::lqd::PATIENCE;

/// Longest frame: two octets of length and 65,535 octets (RFC 5460 §5.1).
const FRAME_LEN_MAX: usize = 2 + 65_535;

/// A connection to the server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Outcome of a wait for a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message, without its length.
    Message(Vec<u8>),
    /// The server closed the connection, after whole frames.
    Closed,
    /// The connection was reset, after whole frames.
    Reset,
    /// The server closed the connection within a frame; the octets of that frame so far.
    Cut(Vec<u8>),
    /// Neither a whole frame nor the end came in time; the octets of the frame so far.
    Nothing(Vec<u8>),
}

impl Connection {
    /// Connects from `::1`.
    ///
    /// # Panics
    /// If the server does not listen.
    pub fn new(server: SocketAddrV6) -> Self {
        Self::bound(Ipv6Addr::LOCALHOST, server, None)
    }

    /// Connects from `source`, with a receive buffer of the given size in bytes.
    ///
    /// # Panics
    /// If the server does not listen.
    pub fn bound(source: Ipv6Addr, server: SocketAddrV6, buffer_len: Option<usize>) -> Self {
        let socket =
            rustix::net::socket(AddressFamily::INET6, SocketType::STREAM, None).expect("a TCP socket");
        rustix::net::bind(&socket, &SocketAddrV6::new(source, 0, 0, 0)).expect("the source is ours");
        if let Some(length) = buffer_len {
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, length).expect("a buffer size");
        }
        rustix::net::connect(&socket, &server).unwrap_or_else(|error| panic!("connect to {server}: {error}"));
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("the wait is not zero");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends octets; those that a server does not take, because it has closed the connection, are lost.
    ///
    /// # Panics
    /// If the server does not read in time.
    pub fn send(&mut self, octets: &[u8]) {
        if let Err(error) = self.stream.write_all(octets) {
            let is_closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            assert!(is_closed, "the server does not read: {error}");
        }
    }

    /// Sends each octet in a segment of its own.
    ///
    /// # Panics
    /// As [`Self::send`].
    pub fn send_singly(&mut self, octets: &[u8]) {
        octets.chunks(1).for_each(|octet| self.send(octet));
    }

    /// Closes the sending side.
    pub fn finish(&self) {
        // The server may have closed the connection before.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits for the next frame or the end.
    pub fn receive(&mut self) -> Received {
        self.receive_within(PATIENCE)
    }

    /// Waits at most so long for each part of the next frame, or the end.
    ///
    /// # Panics
    /// If the socket fails.
    pub fn receive_within(&mut self, wait: Duration) -> Received {
        self.stream.set_read_timeout(Some(wait)).expect("the wait is not zero");
        let mut octets = vec![0; FRAME_LEN_MAX];
        loop {
            if let Some(message) = self.take_frame() {
                return Received::Message(message);
            }
            match self.stream.read(&mut octets) {
                Ok(0) if self.buffer.is_empty() => return Received::Closed,
                Ok(0) => return Received::Cut(std::mem::take(&mut self.buffer)),
                Ok(length) => self.buffer.extend_from_slice(&octets[..length]),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        return Received::Nothing(self.buffer.clone());
                    }
                    ErrorKind::ConnectionReset if self.buffer.is_empty() => return Received::Reset,
                    ErrorKind::ConnectionReset => return Received::Cut(std::mem::take(&mut self.buffer)),
                    _ => panic!("the connection fails: {error}"),
                },
            }
        }
    }

    /// Returns the next message; `None` once the server has closed or reset the connection.
    ///
    /// # Panics
    /// If neither comes in time, or a frame is cut off.
    pub fn message(&mut self) -> Option<Vec<u8>> {
        match self.receive() {
            Received::Message(message) => Some(message),
            Received::Closed | Received::Reset => None,
            other => panic!("neither a message nor the end: {other:?}"),
        }
    }

    /// Receives all messages up to the end of the connection; returns them and how it ended.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn receive_to_end(&mut self) -> (Vec<Vec<u8>>, Received) {
        let mut messages = Vec::new();
        loop {
            match self.receive() {
                Received::Message(message) => messages.push(message),
                Received::Nothing(_) => panic!("no end of the connection after {} messages", messages.len()),
                end => return (messages, end),
            }
        }
    }

    /// Takes a whole frame out of the buffer.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.buffer.split_first_chunk()?;
        let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?.to_vec();
        self.buffer.drain(..2 + message.len());
        Some(message)
    }
}

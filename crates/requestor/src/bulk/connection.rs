//! A session over a TCP connection of tokio.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::time::Duration;

use lqd_wire::TransactionId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Error, Message, ProtocolError, Query, Received, Session};
use crate::{Duid, Event, Observer};

/// BULK_LQ_DATA_TIMEOUT (RFC 5460 §5.6).
pub const DATA_TIMEOUT: Duration = Duration::from_secs(300);

/// Octets that are read at once.
const READ_LEN: usize = 64 << 10;

/// Settings of a connection.
#[derive(Clone)]
pub struct Settings {
    /// Local address; `None` leaves it to the system.
    pub local: Option<SocketAddrV6>,
    /// Longest wait for the connection, for the sending of a query, and for each message.
    pub timeout: Duration,
    /// Callback for events.
    pub observer: Option<Observer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { local: None, timeout: DATA_TIMEOUT, observer: None }
    }
}

/// A connection to a server. Dropping it closes it, which ends any answer.
pub struct Connection {
    stream: TcpStream,
    server: SocketAddrV6,
    session: Session,
    settings: Settings,
    buffer: Box<[u8]>,
    /// The octets of `buffer` that the session has not taken.
    unread: Range<usize>,
}

impl Connection {
    /// Connects to a server as the requestor with this DUID (RFC 5460 §6.1).
    pub async fn open(server: SocketAddrV6, own: Duid, settings: Settings) -> Result<Self, Error> {
        let local = settings.local;
        let bind = |source| Error::Bind { address: local.unwrap_or(server), source };
        let socket = TcpSocket::new_v6().map_err(bind)?;
        if let Some(local) = local {
            socket.bind(local.into()).map_err(bind)?;
        }
        let connected = timeout(settings.timeout, socket.connect(SocketAddr::V6(server))).await;
        let connected = connected.map_err(|_| timed_out(server, &settings, true))?;
        let stream = connected.map_err(|source| Error::Connect { server, source })?;
        let connection = Self {
            stream,
            server,
            session: Session::new(own),
            settings,
            buffer: vec![0; READ_LEN].into(),
            unread: 0..0,
        };
        connection.observe(&Event::Connected { to: server });
        Ok(connection)
    }

    /// Address of the server.
    pub fn server(&self) -> SocketAddrV6 {
        self.server
    }

    /// Sends a query, with a random transaction-id that no open query has.
    ///
    /// A server may answer several queries in any order; bound their number, since a server that has enough
    /// of them stops reading (RFC 5460 §7.3).
    pub async fn ask(&mut self, query: &Query) -> Result<TransactionId, Error> {
        let mut id = TransactionId(rand::random());
        while self.session.has(id) {
            id = TransactionId(rand::random());
        }
        let octets = self.session.ask(query, id).map_err(|_| Error::TooLong)?;
        let sent = timeout(self.settings.timeout, self.stream.write_all(&octets)).await;
        let sent = sent.map_err(|_| timed_out(self.server, &self.settings, false))?;
        sent.map_err(|source| self.broken(source))?;
        let to = self.server;
        self.observe(&Event::Sent { to, id, transmission: 1, transmissions_max: 1, octets: &octets });
        Ok(id)
    }

    /// Closes the sending direction, after the last query (RFC 5460 §6.6). Not every server answers then.
    pub async fn finish_sending(&mut self) -> Result<(), Error> {
        self.stream.shutdown().await.map_err(|source| self.broken(source))
    }

    /// Waits for the next message; `None` if the server closed the connection with no query open.
    ///
    /// After an error the connection is of no use: drop it. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        // Counted from here, not from the last message: a slow caller is not the server's fault.
        let deadline = Instant::now() + self.settings.timeout;
        loop {
            if let Some(received) = self.take_frame() {
                match received.map_err(|error| self.fail(error))? {
                    Received::Message(message) => return Ok(Some(*message)),
                    Received::Ignored { .. } => continue,
                }
            }
            let read = timeout_at(deadline, self.stream.read(&mut self.buffer)).await;
            let read = read.map_err(|_| timed_out(self.server, &self.settings, false))?;
            match read.map_err(|source| self.broken(source))? {
                0 => {
                    self.observe(&Event::Disconnected { from: self.server, why: "the server closed it" });
                    let ended = self.session.receive_end();
                    return ended.map(|()| None).map_err(|error| self.protocol(error));
                }
                len => self.unread = 0..len,
            }
        }
    }

    /// Takes the next whole frame out of the octets read.
    fn take_frame(&mut self) -> Option<Result<Received, ProtocolError>> {
        let mut octets = &self.buffer[self.unread.clone()];
        let received = self.session.receive(&mut octets);
        self.unread.start = self.unread.end - octets.len();
        let from = self.server;
        match &received {
            Some(Ok(Received::Message(message))) => {
                let id = message.transaction_id;
                self.observe(&Event::Accepted { from, id, octets: &message.octets });
            }
            Some(Ok(Received::Ignored { reason, octets })) => {
                self.observe(&Event::Ignored { from, reason, octets });
            }
            _ => {}
        }
        received
    }

    fn fail(&self, error: ProtocolError) -> Error {
        self.observe(&Event::Disconnected { from: self.server, why: &error.to_string() });
        self.protocol(error)
    }

    fn protocol(&self, error: ProtocolError) -> Error {
        Error::Protocol { server: self.server, error }
    }

    fn broken(&self, source: io::Error) -> Error {
        self.observe(&Event::Disconnected { from: self.server, why: &source.to_string() });
        Error::Broken { server: self.server, source }
    }

    fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.settings.observer {
            observer(event);
        }
    }
}

fn timed_out(server: SocketAddrV6, settings: &Settings, while_connecting: bool) -> Error {
    Error::TimedOut { server, while_connecting, after: settings.timeout }
}

#[cfg(test)]
mod tests;

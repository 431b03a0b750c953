//! A session over a TCP connection of tokio.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::time::Duration;

use lqd_wire::TransactionId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout, timeout_at};

use super::start_tls::{self, TlsError};
use super::{Error, Message, ProtocolError, Query, Received, Session, Tls};
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
    /// TLS, begun by a STARTTLS as the first message (RFC 7653 §8.2); `None` sends queries in plain text.
    pub tls: Option<Tls>,
    /// Callback for events.
    pub observer: Option<Observer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { local: None, timeout: DATA_TIMEOUT, tls: None, observer: None }
    }
}

/// A stream of octets, in plain text or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a server. Dropping it closes it, which ends any answer.
pub struct Connection {
    stream: Box<dyn Stream>,
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
        let mut connection = Self {
            stream: Box::new(stream),
            server,
            session: Session::new(own),
            settings,
            buffer: vec![0; READ_LEN].into(),
            unread: 0..0,
        };
        connection.observe(&Event::Connected { to: server });
        if let Some(tls) = connection.settings.tls.clone() {
            connection = connection.start_tls(&tls).await?;
        }
        Ok(connection)
    }

    /// Encrypts the stream; on any error, the connection is closed with it (RFC 7653 §8.2).
    async fn start_tls(mut self, tls: &Tls) -> Result<Self, Error> {
        let server = self.server;
        let started = timeout(self.settings.timeout, start_tls::start(self.stream, server, tls)).await;
        let started = started.map_err(|_| timed_out(server, &self.settings, false))?;
        self.stream = match started {
            Ok(stream) => stream,
            Err(error) => {
                if let Some(observer) = &self.settings.observer {
                    observer(&Event::Disconnected { from: server, why: &error.to_string() });
                }
                return Err(Error::Tls { server, error });
            }
        };
        Ok(self)
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
        self.send(id, &octets).await
    }

    /// Sends an active query, as the only one of this connection (RFC 7653 §9.4).
    pub async fn follow(&mut self, query: &Query) -> Result<TransactionId, Error> {
        let id = TransactionId(rand::random());
        let octets = self.session.follow(query, id).map_err(|_| Error::TooLong)?;
        self.send(id, &octets).await
    }

    async fn send(&mut self, id: TransactionId, octets: &[u8]) -> Result<TransactionId, Error> {
        let stream = &mut self.stream;
        // TLS keeps what the socket has not taken: only a flush waits for that.
        let send = async { stream.write_all(octets).await.and(stream.flush().await) };
        let sent = timeout(self.settings.timeout, send).await;
        let sent = sent.map_err(|_| timed_out(self.server, &self.settings, false))?;
        sent.map_err(|source| self.broken(source))?;
        let to = self.server;
        self.observe(&Event::Sent { to, id, transmission: 1, transmissions_max: 1, octets });
        Ok(id)
    }

    /// The error of a server that sent nothing for this time.
    pub(crate) fn silent(&self, after: Duration) -> Error {
        Error::TimedOut { server: self.server, while_connecting: false, after }
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
        match TlsError::of(&source) {
            Some(error) => Error::Tls { server: self.server, error },
            None => Error::Broken { server: self.server, source },
        }
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

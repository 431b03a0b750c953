//! The protocol side of a connection.

use std::net::SocketAddrV6;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::peer::PeerCertificate;
use crate::tls::{HandshakeError, TlsConfig};

/// The protocol of one connection: takes octets that were received, gives octets to send.
///
/// It opens no socket and reads no timer. The connection calls it on one thread, never twice at once.
pub trait Session {
    /// Returns whether it takes more octets; while it does not, nothing is read, and TCP holds the peer back.
    fn wants_octets(&self) -> bool;

    /// Takes received octets, any part of a frame or of several; called only while it wants octets.
    fn receive(&mut self, octets: &[u8]);

    /// Notes the end of the peer (FIN): it sends pending replies and then returns [`Progress::Close`].
    fn receive_end(&mut self);

    /// Returns the number of complete frames so far; each restarts the time for the next one.
    fn frames(&self) -> u64;

    /// Notes that the server stops: it ends open requests and then returns [`Progress::Close`].
    fn terminate(&mut self);

    /// Writes octets to send into `buffer`, all of which is free; called once the previous octets have left.
    fn send(&mut self, buffer: &mut [u8]) -> Progress;

    /// Returns whether the peer must send complete frames in time; if not, the growth of [`Service::growth`]
    /// wakes the session. A frame that has begun must be complete in time in either case.
    fn awaits_frames(&self) -> bool {
        true
    }

    /// Returns the time after which an idle session has something to send, though nothing is received and
    /// nothing grows; taken as 1 ms at least.
    fn wake_in(&self) -> Option<Duration> {
        None
    }

    /// Returns the longest time for the peer to take one send buffer; `None`: that of the server.
    fn send_timeout(&self) -> Option<Duration> {
        None
    }

    /// Notes that the stream is encrypted now, after [`Progress::StartTls`]; returns whether the peer is
    /// allowed, else the connection is closed.
    fn secured(&mut self, _peer: &PeerCertificate) -> bool {
        false
    }

    /// Notes that the TLS handshake failed; the connection is closed.
    fn handshake_failed(&mut self, _error: &HandshakeError) {}
}

/// Result of [`Session::send`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// That many octets at the start of the buffer are to be sent, at least one.
    Octets(usize),
    /// A slice of work is done, with nothing to send yet: call again after others had a turn.
    Busy,
    /// Nothing to do until something is received, or until one of the other events that wake the session.
    Idle,
    /// Everything owed has been sent, and nothing was received beyond: begin the TLS handshake.
    StartTls,
    /// Everything owed has been sent: close.
    Close,
}

/// Maker of the sessions of one thread.
pub trait Service: 'static {
    /// Session of a connection; it stays on the thread.
    type Session: Session;

    /// Returns a session for a peer, or `None` to close the connection before anything is read.
    fn accept(&self, peer: SocketAddrV6) -> Option<Self::Session>;

    /// Length of the buffer that a session sends from, in octets, at least 1.
    fn buffer_len(&self) -> usize;

    /// Returns a signal that sessions have more to send: it wakes each one that awaits no frames.
    ///
    /// A signal that comes while a session sends is not lost.
    fn growth(&self) -> Option<watch::Receiver<()>> {
        None
    }

    /// Returns the configuration for a TLS handshake; without one, [`Progress::StartTls`] closes the
    /// connection.
    fn tls(&self) -> Option<Arc<TlsConfig>> {
        None
    }
}

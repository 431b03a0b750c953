//! TCP server for protocols with many answers to one query: octets in, octets out, no knowledge of either.
//!
//! ```text
//! listen ──► server ──► slots                 accept, limits of connections
//!              │
//!              ▼
//!          connection ◄──► session (trait)    read, write, timeouts, close
//!              │
//!              ▼
//!           buffers, counters
//! ```
//! - `listen`: a bound socket with the options that its connections inherit.
//! - `server`: threads, each with a tokio runtime that accepts and drives connections.
//! - `slots`: limits of open connections, in total and for each requestor address.
//! - `session`: the protocol of one connection, a trait.
//! - `connection`: drives one session over one stream.
//! - `tls`: the encrypted stream that takes the place of the plain one.
//! - `buffers`: send buffers, lent to connections that have something to send.
#![forbid(unsafe_code)]

mod buffers;
mod connection;
mod counters;
mod listen;
mod peer;
mod server;
mod session;
mod slots;
mod tls;

pub use counters::{Closed, Counters, Handshake, Refused};
pub use listen::{ListenError, Listener};
pub use peer::PeerCertificate;
pub use server::{Options, STOP_PATIENCE, Server};
pub use session::{Progress, Service, Session};
pub use tls::{Expiry, HandshakeError, TlsConfig, TlsError, TlsPart};

//! A requestor of active leasequery on one connection.

use std::net::{Ipv6Addr, SocketAddrV6};

use super::second_decoder::{self, Update};
use crate::support::display::decoded;
use crate::support::octets::Pattern;
use crate::support::{Connection, Received, Until};

/// Status codes (RFC 5007 §4.1.3, RFC 5460 §5.5, RFC 7653 §11).
pub const NOT_ALLOWED: u16 = 10;
pub const QUERY_TERMINATED: u16 = 11;
pub const DATA_MISSING: u16 = 12;
pub const CATCH_UP_COMPLETE: u16 = 13;

/// Message types.
pub const REPLY: u8 = 15;
pub const DONE: u8 = 16;
pub const DATA: u8 = 17;

/// Receive buffer of slow readers, in bytes.
const SMALL: usize = 65_536;

/// A connection with an active query.
pub struct Reader {
    pub connection: Connection,
}

impl Reader {
    /// Sends an ACTIVELEASEQUERY with these options behind the requestor's CLIENTID, and reads the reply.
    ///
    /// # Errors
    /// The reply is an error, or another message.
    pub fn open(server: SocketAddrV6, options: &str) -> Result<Self, String> {
        Self::begin(Connection::new(server), options)
    }

    /// The same with a small receive buffer.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn slow(server: SocketAddrV6, options: &str) -> Result<Self, String> {
        Self::begin(Connection::bound(Ipv6Addr::LOCALHOST, server, Some(SMALL)), options)
    }

    fn begin(connection: Connection, options: &str) -> Result<Self, String> {
        let mut reader = Self { connection };
        let reply = reader.ask(options)?;
        match reply.status {
            None if reply.data.is_none() => Ok(reader),
            _ => Err(format!("the reply to {options} is {reply:?}")),
        }
    }

    /// Sends an ACTIVELEASEQUERY, and returns the reply.
    ///
    /// # Errors
    /// Another message comes, or none.
    pub fn ask(&mut self, options: &str) -> Result<Update, String> {
        self.connection.send(&query(options));
        let reply = self.next()?;
        if reply.kind == REPLY { Ok(reply) } else { Err(format!("no REPLY, but {reply:?}")) }
    }

    /// Returns the next message.
    ///
    /// # Errors
    /// The connection ends, or the message is not acceptable.
    pub fn next(&mut self) -> Result<Update, String> {
        match self.connection.receive() {
            Received::Message(message) => Self::accept(&message),
            other => Err(format!("wanted a message, got {other:?}")),
        }
    }

    /// Decodes a message of this query.
    ///
    /// # Errors
    /// It is not acceptable.
    pub fn accept(message: &[u8]) -> Result<Update, String> {
        if message.get(1..4) != Some(&[0xac, 0, 1]) {
            return Err(format!("a message of another query\n{}", decoded(message)));
        }
        second_decoder::accept(message).map_err(|error| format!("{error}\n{}", decoded(message)))
    }

    /// Reads until a message is as wanted.
    ///
    /// # Errors
    /// As [`Self::next`], or it does not come in time.
    pub fn until(&mut self, wanted: impl Fn(&Update) -> bool) -> Result<Update, String> {
        let until = Until::patience();
        loop {
            let update = self.next()?;
            if wanted(&update) {
                return Ok(update);
            }
            if until.is_over() {
                return Err("the awaited message did not come".into());
            }
        }
    }

    /// Reads up to the end of the connection, which must not be within a frame; returns the messages.
    ///
    /// # Errors
    /// A message is not acceptable.
    pub fn read_to_end(&mut self) -> Result<Vec<Update>, String> {
        let (messages, end) = self.connection.receive_to_end();
        match end {
            Received::Closed => messages.iter().map(|message| Self::accept(message)).collect(),
            other => Err(format!("{other:?} after {} messages", messages.len())),
        }
    }
}

/// Returns an ACTIVELEASEQUERY in its frame.
pub fn query(options: &str) -> Vec<u8> {
    Pattern::parse(&format!("{{ 16 ac0001  $me  {options} }}")).example()
}

/// Whether a message tells that this address is leased.
pub fn tells(update: &Update, address: Ipv6Addr) -> bool {
    update.data.iter().flat_map(|data| &data.leases).any(|lease| lease.0 == address && lease.3 > 0)
}

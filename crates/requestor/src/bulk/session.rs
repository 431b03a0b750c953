//! The state machine of a connection: octets in, messages out. No clock, no socket.

use lqd_wire::{Frame, FrameError, MessageType, NoRoomError, TransactionId};

use super::open_query::OpenQuery;
use super::{Message, ProtocolError, Query};
use crate::{Duid, IgnoreReason};

/// One frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message of an open query.
    Message(Box<Message>),
    /// A message that is discarded.
    Ignored {
        /// The reason.
        reason: IgnoreReason,
        /// The message, without its frame.
        octets: Vec<u8>,
    },
}

/// The requestor's end of one TCP connection (RFC 5460 §6). Queries may overlap; answers are told apart by
/// transaction-id.
#[derive(Debug)]
pub struct Session {
    own: Duid,
    open: Vec<OpenQuery>,
    /// The beginning of a frame: one frame at most.
    partial: Vec<u8>,
    /// Set by an error, after which no octet means anything.
    is_failed: bool,
}

impl Session {
    /// A connection of the requestor with this DUID, without queries.
    pub fn new(own: Duid) -> Self {
        Self { own, open: Vec::new(), partial: Vec::new(), is_failed: false }
    }

    /// Opens a query and returns the octets to send. No open query may have the same `id` (RFC 5460 §6.5).
    pub fn ask(&mut self, query: &Query, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        debug_assert!(!self.has(id), "the transaction-id is in use");
        let octets = query.encode(&self.own, id)?;
        self.open.push(OpenQuery::new(id, query.clone()));
        Ok(octets)
    }

    /// Opens an active query (RFC 7653 §8.3) and returns the octets to send. It never completes by itself,
    /// and no other query may be open beside it (§9.4).
    pub fn follow(&mut self, query: &Query, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        debug_assert_eq!(self.open(), 0, "an active query has a connection of its own");
        let octets = query.encode_active(&self.own, id)?;
        self.open.push(OpenQuery::new_active(id, query.clone()));
        Ok(octets)
    }

    /// Whether a query with this transaction-id is open.
    pub fn has(&self, id: TransactionId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }

    /// Number of queries whose answers are not complete.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes octets off the front up to the end of one frame, and returns that frame; `None` once all octets
    /// are taken.
    ///
    /// # Errors
    /// After an error the connection must be closed; further octets are dropped.
    pub fn receive(&mut self, octets: &mut &[u8]) -> Option<Result<Received, ProtocolError>> {
        if self.is_failed {
            *octets = &[];
            return None;
        }
        let received = self.next_frame(octets).transpose()?;
        self.is_failed = received.is_err();
        Some(received)
    }

    /// Takes the end of the connection.
    ///
    /// # Errors
    /// If a message was cut, or a query is open: what came of its answer may be a part (RFC 5460 §6.3.1).
    pub fn receive_end(&mut self) -> Result<(), ProtocolError> {
        if !self.partial.is_empty() {
            return Err(ProtocolError::Cut(self.partial.len()));
        }
        if self.open.is_empty() { Ok(()) } else { Err(ProtocolError::Closed) }
    }

    fn next_frame(&mut self, octets: &mut &[u8]) -> Result<Option<Received>, ProtocolError> {
        // A frame that came whole is read in place.
        if self.partial.is_empty()
            && let Some(Frame { message, rest }) = Frame::split(octets)?
        {
            *octets = rest;
            return self.message(message).map(Some);
        }
        let mut partial = std::mem::take(&mut self.partial);
        let is_whole = extend(&mut partial, octets)?;
        if !is_whole {
            self.partial = partial;
            return Ok(None);
        }
        let received = match Frame::split(&partial)? {
            Some(frame) => self.message(frame.message).map(Some),
            None => Ok(None),
        };
        partial.clear();
        self.partial = partial; // keeps the allocation
        received
    }

    fn message(&mut self, octets: &[u8]) -> Result<Received, ProtocolError> {
        let too_short = FrameError(octets.len() as u16);
        let message = lqd_wire::Message::parse(octets).ok_or(too_short)?;
        let (kind, id) = (message.kind, message.transaction_id);
        match kind {
            MessageType::LEASEQUERY_REPLY | MessageType::LEASEQUERY_DATA | MessageType::LEASEQUERY_DONE => {}
            other => return Err(ProtocolError::UnexpectedType(other)),
        }
        let Some(at) = self.open.iter().position(|open| open.id == id) else {
            if kind == MessageType::LEASEQUERY_DONE {
                return Err(ProtocolError::UnknownDone(id));
            }
            return Ok(Received::Ignored {
                reason: IgnoreReason::OtherTransaction(id),
                octets: octets.to_vec(),
            });
        };
        let message = self.open[at].take(message, octets, &self.own)?;
        if message.completion.is_some() {
            self.open.remove(at);
        }
        Ok(Received::Message(Box::new(message)))
    }
}

/// Moves octets to the partial frame, to its end at most; returns whether it is whole.
fn extend(partial: &mut Vec<u8>, octets: &mut &[u8]) -> Result<bool, FrameError> {
    let mut wanted = Frame::HEADER_LEN;
    loop {
        let len = wanted.saturating_sub(partial.len()).min(octets.len());
        let (taken, rest) = octets.split_at(len);
        partial.extend_from_slice(taken);
        *octets = rest;
        let Some(&header) = partial.first_chunk::<{ Frame::HEADER_LEN }>() else { return Ok(false) };
        // Reports a length that no message has before its octets come.
        Frame::split(partial)?;
        let whole = Frame::HEADER_LEN + usize::from(u16::from_be_bytes(header));
        if partial.len() >= whole {
            return Ok(true);
        }
        if octets.is_empty() {
            return Ok(false);
        }
        wanted = whole;
    }
}

#[cfg(test)]
mod tests;

//! One message of a bulk answer, and the end of an answer.

use lqd_wire::{LqTime, MessageType, TransactionId};

use crate::{ClientData, Deviation, Duid, RawOption, Status};

/// A message of a bulk answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The transaction-id of the query.
    pub transaction_id: TransactionId,
    /// LEASEQUERY-REPLY, LEASEQUERY-DATA or LEASEQUERY-DONE.
    pub kind: MessageType,
    /// DUID of the server, which only LEASEQUERY-REPLY has.
    pub server: Option<Duid>,
    /// The status, if present; absence means success.
    pub status: Option<Status>,
    /// The server's time when it made the message, if requested (RFC 7653 §6.3.1).
    pub base_time: Option<LqTime>,
    /// Bindings of one client on one link. A client with many comes several times.
    pub data: Option<ClientData>,
    /// Unknown options at message level.
    pub other: Vec<RawOption>,
    /// Deviations from the RFCs.
    pub deviations: Vec<Deviation>,
    /// Counts of the answer up to this message.
    pub tally: Tally,
    /// The message, without its frame.
    pub octets: Vec<u8>,
    /// The end of the answer, with its last message (RFC 5460 §6.3.1).
    pub completion: Option<Completion>,
}

/// The end of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The way in which it ended.
    pub outcome: Outcome,
    /// Counts of its content.
    pub tally: Tally,
}

/// The way in which an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// LEASEQUERY-DONE without error: the server sent everything.
    Done,
    /// LEASEQUERY-REPLY without error and without bindings: the server has none.
    NoBinding,
    /// LEASEQUERY-REPLY with an error: the server sends nothing; the message has the status.
    Refused,
    /// LEASEQUERY-DONE with an error: the server did not send everything; the message has the status.
    Terminated,
    /// An answer that does not fit the query; the deviations give the reason.
    Unusable,
}

/// Counts of the content of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages with client data that was accepted: one or more for each client and link.
    pub clients: u64,
    /// Bindings with remaining valid lifetime in them.
    pub bindings: u64,
    /// Bindings without.
    pub expired: u64,
    /// Client data that was discarded.
    pub lost: u64,
}

impl Completion {
    /// Whether the answer has every binding that the server knows.
    pub fn is_whole(&self) -> bool {
        matches!(self.outcome, Outcome::Done | Outcome::NoBinding) && self.tally.lost == 0
    }
}

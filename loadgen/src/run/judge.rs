//! Judgement of received datagrams.

use lqd_wire::{TransactionId, Writer};

use super::check::Checker;
use super::defect::Defect;
use super::in_flight::{Arrival, InFlight, Since};
use super::reply::{self, Reply};
use super::tally::Tally;
use crate::leases::Clients;
use crate::query::{Encoder, Query};

/// Kind of answers expected from the target.
pub(super) enum Expected<'a> {
    /// Answers of a leasequery server.
    Replies(Checker<'a>),
    /// The queries themselves, octet by octet: the target is the baseline, an echo server.
    Echo { encoder: &'a Encoder, clients: &'a Clients },
}

/// Judge of the answers of one batch on one port.
pub(super) struct Judge<'j, 'a> {
    pub(super) flight: &'j mut InFlight<Query>,
    pub(super) expected: &'j mut Expected<'a>,
    pub(super) tally: &'j mut Tally,
    pub(super) unix_now: u32,
}

impl Judge<'_, '_> {
    /// Judges a datagram that has just arrived.
    pub(super) fn datagram(&mut self, octets: &[u8], now: Since) {
        match self.expected {
            Expected::Replies(_) => self.reply(octets, now),
            Expected::Echo { encoder, clients } => {
                let (encoder, clients) = (*encoder, *clients);
                self.echo(octets, now, |w, id, query| encoder.write(w, id, query, clients).is_ok());
            }
        }
    }

    fn reply(&mut self, octets: &[u8], now: Since) {
        // Without a transaction-id no query can be named.
        let Some((id, reply)) = Reply::parse(octets) else {
            return self.tally.wrong(Defect::Malformed, None, octets);
        };
        let Some(query) = self.completed(id, octets, now) else { return };
        let Some(reply) = reply else {
            return self.tally.wrong(Defect::Malformed, Some(query), octets);
        };
        // Counted for wrong answers, too.
        self.tally.status(reply.status);
        // Unreachable: `datagram` has matched it.
        let Expected::Replies(checker) = self.expected else { return };
        match checker.check(&reply, query, self.unix_now) {
            Ok(said) => self.tally.said(said),
            Err(wrong) => self.tally.wrong(wrong, Some(query), octets),
        }
    }

    fn echo(
        &mut self,
        octets: &[u8],
        now: Since,
        write: impl FnOnce(&mut Writer<'_>, TransactionId, Query) -> bool,
    ) {
        // An echo has the form of its query.
        let Some(id) = reply::transaction_id(octets) else {
            return self.tally.wrong(Defect::Malformed, None, octets);
        };
        let Some(query) = self.completed(id, octets, now) else { return };
        let mut sent = [0; Encoder::LEN_MAX];
        let mut w = Writer::new(&mut sent);
        // Written once more rather than kept: queries under way are many.
        if !write(&mut w, id, query) || w.written() != octets {
            self.tally.wrong(Defect::Changed, Some(query), octets);
        }
    }

    /// Completes the query of this answer and returns it, if it is pending.
    fn completed(&mut self, id: TransactionId, octets: &[u8], now: Since) -> Option<Query> {
        match self.flight.complete(id) {
            Arrival::InTime { query, due } => {
                // Counted by due time, so that a late send is no gain.
                self.tally.last = now;
                self.tally.answered(due, now);
                return Some(query);
            }
            Arrival::Late => self.tally.late += 1,
            Arrival::Duplicate => self.tally.wrong(Defect::Again, None, octets),
            Arrival::Unknown => self.tally.wrong(Defect::TransactionId, None, octets),
        }
        None
    }
}

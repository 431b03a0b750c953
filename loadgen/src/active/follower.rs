//! A reader's table, kept up to date by the messages, each of which is checked.

use std::time::{Duration, Instant};

use super::decode::{
    Binding, ClientData, LEASEQUERY_DATA, LEASEQUERY_DONE, LEASEQUERY_REPLY, Malformed, Message,
};
use super::pool::Pool;
use super::query::TRANSACTION_ID;
use super::rows::VALID;
use super::table::{Effect, Table};
use super::written::Written;
use crate::lifetimes::SLACK;
use crate::run::{Defect, DefectCounts};
use crate::times::Times;

/// State of one active query.
pub(super) struct Follower<'a> {
    pool: &'a Pool,
    written: &'a Written,
    requestor: &'a [u8],
    with_base_time: bool,
    max_latency: Option<Duration>,
    base_time: Option<u32>,
    started: Instant,
    has_reply: bool,
    pub(super) table: Table,
    pub(super) counts: Counts,
    pub(super) latency: Times,
    pub(super) wrong: DefectCounts,
    /// The newest row told.
    pub(super) newest: u32,
    /// Time of the last message that changed the table.
    pub(super) last_change: Option<Instant>,
}

/// Numbers of messages and bindings.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Counts {
    pub(super) messages: u64,
    pub(super) keep_alives: u64,
    /// Bindings in all messages, also those that the table had.
    pub(super) bindings: u64,
    /// Bindings that changed the table.
    pub(super) told: u64,
    /// Bindings of leases that are not of this run.
    pub(super) others: u64,
    pub(super) late: u64,
}

/// Whether the query goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    On,
    /// The server ended it with this status; 0 if it gave none.
    Ended(u16),
}

impl From<Malformed> for Defect {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Follower<'a> {
    pub(super) fn new(pool: &'a Pool, written: &'a Written, requestor: &'a [u8]) -> Self {
        Self {
            pool,
            written,
            requestor,
            with_base_time: false,
            max_latency: None,
            base_time: None,
            started: Instant::now(),
            has_reply: false,
            table: Table::new(pool.slots()),
            counts: Counts::default(),
            latency: Times::new(),
            wrong: DefectCounts::default(),
            newest: 0,
            last_change: None,
        }
    }

    pub(super) fn with_base_time(self, with_base_time: bool) -> Self {
        Self { with_base_time, ..self }
    }

    pub(super) fn with_max_latency(self, max_latency: Option<Duration>) -> Self {
        Self { max_latency, ..self }
    }

    /// Whether the server has accepted the query.
    pub(super) fn is_accepted(&self) -> bool {
        self.has_reply
    }

    /// Reads the next message, received at `now`.
    pub(super) fn message(&mut self, octets: &[u8], now: Instant) -> Step {
        self.counts.messages += 1;
        self.judge(octets, now).unwrap_or_else(|defect| {
            self.wrong.count(defect);
            Step::On
        })
    }

    fn judge(&mut self, octets: &[u8], now: Instant) -> Result<Step, Defect> {
        let message = Message::parse(octets)?;
        if message.transaction_id != TRANSACTION_ID {
            return Err(Defect::TransactionId);
        }
        let status = message.status.unwrap_or_default();
        match message.kind {
            LEASEQUERY_REPLY if !self.has_reply => {
                if status != 0 {
                    return Ok(Step::Ended(status));
                }
                self.reply(&message)?;
            }
            LEASEQUERY_DONE if self.has_reply => return Ok(Step::Ended(status)),
            LEASEQUERY_DATA if self.has_reply && status != 0 => return Err(Defect::Status),
            LEASEQUERY_DATA if self.has_reply => {}
            _ => return Err(Defect::Order),
        }
        self.base_time(message.base_time)?;
        match message.client_data {
            Some(data) => self.client_data(data, now)?,
            None if message.kind == LEASEQUERY_DATA => self.counts.keep_alives += 1,
            None => {}
        }
        Ok(Step::On)
    }

    fn reply(&mut self, message: &Message<'_>) -> Result<(), Defect> {
        self.has_reply = true;
        if message.client_id != Some(self.requestor) {
            return Err(Defect::Requestor);
        }
        message.server_id.map(|_| ()).ok_or(Defect::ServerId)
    }

    /// Checks LQ_BASE_TIME: in every message if requested, and never going back.
    fn base_time(&mut self, told: Option<u32>) -> Result<(), Defect> {
        if !self.with_base_time {
            return Ok(());
        }
        let told = told.ok_or(Defect::BaseTime)?;
        let before = self.base_time.replace(told).unwrap_or(told);
        // The time has 32 bits and wraps (RFC 7653 §6.3.1).
        if told.wrapping_sub(before).cast_signed() < 0 { Err(Defect::BaseTime) } else { Ok(()) }
    }

    fn client_data(&mut self, data: &[u8], now: Instant) -> Result<(), Defect> {
        let data = ClientData::parse(data)?;
        let client = self.pool.client(data.duid);
        for binding in data.bindings() {
            let binding = binding?;
            self.counts.bindings += 1;
            match (self.pool.slot(binding.address, binding.len), client) {
                (Some(slot), Some(client)) => self.binding(slot, client, &binding, now)?,
                // Leases that were there before change, too: they expire.
                _ => self.counts.others += 1,
            }
        }
        // Each client of the run was heard during the run.
        let is_old = client.is_some() && data.clt_time > self.age(now) + SHORT_AGE;
        if is_old { Err(Defect::CltTime) } else { Ok(()) }
    }

    fn binding(&mut self, slot: u32, client: u32, told: &Binding, now: Instant) -> Result<(), Defect> {
        if told.valid == 0 {
            let is_news = self.table.remove(slot, client) == Effect::Changed;
            return if is_news { self.told(self.written.removal(slot), now) } else { Ok(()) };
        }
        let remains = told.valid <= VALID && told.valid + self.age(now) >= VALID;
        let row = told.valid.checked_sub(told.preferred).filter(|&row| remains && row > 0);
        let row = row.ok_or(Defect::Lifetime)?;
        if u64::from(row) > self.written.rows() {
            return Err(Defect::Foreign);
        }
        match self.table.put(slot, client, row) {
            Effect::Changed => self.told(Some(row), now),
            Effect::Same => Ok(()),
            Effect::Older => Err(Defect::Older),
        }
    }

    /// Counts a change of the table, by this row if that is known.
    fn told(&mut self, row: Option<u32>, now: Instant) -> Result<(), Defect> {
        self.counts.told += 1;
        self.last_change = Some(now);
        let Some(row) = row else { return Ok(()) };
        self.newest = self.newest.max(row);
        let Some(latency) = self.written.since(row, now) else { return Ok(()) };
        self.latency.record(latency);
        self.counts.late += u64::from(self.max_latency.is_some_and(|max| latency > max));
        Ok(())
    }

    /// Seconds since the start, with the tolerance of all times.
    fn age(&self, now: Instant) -> u32 {
        (now - self.started).as_secs() as u32 + SLACK // a run has at most some hours
    }
}

/// Seconds by which a reclaimed lease is older than its row.
const SHORT_AGE: u32 = 3601;

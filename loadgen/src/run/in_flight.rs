//! Pending queries by transaction-id.
//!
//! The 24 bits of an id are a slot number and a generation: the query of an answer is found by one load, and
//! an id returns only after its slot was free as long as any other. So a late or second answer is recognized
//! as such, not taken for the answer to another query or for a defect of the server.

use std::collections::VecDeque;
use std::time::Duration;

use lqd_wire::TransactionId;

/// Time since the start of the run.
pub(super) type Since = Duration;

const ID_BITS: u32 = 24;

/// Relation of an arriving transaction-id to the queries sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival<Q> {
    /// The id of a pending query, which now is answered.
    InTime { query: Q, due: Since },
    /// The id of a query that was given up, or of one that was retransmitted and answered before.
    Late,
    /// The id of a query that was answered before.
    Duplicate,
    /// The id of no recent query.
    Unknown,
}

/// A query that has timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry<Q> {
    /// A query to give up.
    Lost { due: Since },
    /// A query to retransmit under the same id (RFC 8415 §16.1).
    Again { id: TransactionId, query: Q },
}

#[derive(Clone, Copy)]
enum State<Q> {
    Unused,
    Waiting { query: Q, due: Since, deadline: Since, repeats: u8 },
    Answered { repeated: bool },
}

#[derive(Clone, Copy)]
struct Slot<Q> {
    state: State<Q>,
    generation: u32,
    /// The last generation whose query was given up: its answer may still come, long after the slot is
    /// reused.
    given_up: Option<u32>,
}

/// The queries of one socket that wait for their answers.
pub(super) struct InFlight<Q> {
    slots: Vec<Slot<Q>>,
    slot_bits: u32,
    /// Slots without pending query, the longest free first.
    free: VecDeque<u32>,
    /// Ids in the order of their start; those of answered queries stay until they are the oldest.
    started: VecDeque<u32>,
    timeout: Duration,
    /// Number of retransmissions before a query is given up.
    repeats_max: u8,
}

impl<Q: Copy> InFlight<Q> {
    /// Makes room for `capacity` queries, at most [`CAPACITY_MAX`](Self::CAPACITY_MAX). Each is retransmitted
    /// up to `repeats_max` times, always after `timeout`, and then given up.
    pub(super) fn new(capacity: u32, timeout: Duration, repeats_max: u8) -> Self {
        // Twice the room, and at least 1,024, keeps each id unused for a while after its answer.
        let slots = (2 * capacity).next_power_of_two().max(1024);
        Self {
            // Slots are taken from the front and given back at the end.
            slots: vec![Slot { state: State::Unused, generation: 0, given_up: None }; slots as usize],
            slot_bits: slots.ilog2(),
            free: (0..slots).collect(),
            started: VecDeque::new(),
            timeout,
            repeats_max,
        }
    }

    /// Most pending queries: 2^20, which leaves three bits of generation in the table of twice the size.
    pub(super) const CAPACITY_MAX: u32 = 1 << 20;

    /// Number of pending queries.
    pub(super) fn waiting(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no room for another query.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Starts a query that was due at `due` and is sent now; `None` if there is no room.
    pub(super) fn start(&mut self, query: Q, due: Since, now: Since) -> Option<TransactionId> {
        // The longest free slot comes first, so that its old answers have had time to arrive.
        let number = self.free.pop_front()?;
        let slot = &mut self.slots[number as usize];
        // A new generation makes the ids of the slot's earlier queries unknown.
        let generation = (slot.generation + 1) & ((1 << (ID_BITS - self.slot_bits)) - 1);
        // The deadline counts from sending, as a late send is not the server's.
        slot.state = State::Waiting { query, due, deadline: now + self.timeout, repeats: 0 };
        slot.generation = generation;
        let id = generation << self.slot_bits | number;
        self.started.push_back(id);
        Some(transaction_id(id))
    }

    /// Returns the query of this id, if it is pending.
    pub(super) fn query(&self, TransactionId([a, b, c]): TransactionId) -> Option<Q> {
        match self.state(u32::from_be_bytes([0, a, b, c])) {
            State::Waiting { query, .. } => Some(query),
            _ => None,
        }
    }

    /// Completes the pending query of this id.
    pub(super) fn complete(&mut self, TransactionId([a, b, c]): TransactionId) -> Arrival<Q> {
        let id = u32::from_be_bytes([0, a, b, c]);
        let (number, slot) = self.slot(id);
        let generation = id >> self.slot_bits;
        // Before the generation: the slot may have been reused since.
        if slot.given_up == Some(generation) {
            return Arrival::Late;
        }
        if slot.generation != generation {
            return Arrival::Unknown;
        }
        // The slot was never used: such an id is invented.
        match slot.state {
            State::Unused => Arrival::Unknown,
            // Both answers of a repeated query are right.
            State::Answered { repeated: true } => Arrival::Late,
            State::Answered { repeated: false } => Arrival::Duplicate,
            State::Waiting { query, due, repeats, .. } => {
                self.release(number, State::Answered { repeated: repeats > 0 });
                Arrival::InTime { query, due }
            }
        }
    }

    /// Returns the next query that has timed out; to be called until there is none.
    pub(super) fn expire(&mut self, now: Since) -> Option<Expiry<Q>> {
        loop {
            let &id = self.started.front()?;
            let number = self.slot(id).0;
            // Answered or reused since: it has no deadline any more.
            let State::Waiting { query, due, deadline, repeats } = self.state(id) else {
                self.started.pop_front();
                continue;
            };
            if now < deadline {
                return None;
            }
            self.started.pop_front();
            if repeats < self.repeats_max {
                // The query is sent again under its id, as a client does.
                // A constant timeout keeps `started` sorted by deadline.
                let deadline = now + self.timeout;
                self.slots[number as usize].state =
                    State::Waiting { query, due, deadline, repeats: repeats + 1 };
                self.started.push_back(id);
                return Some(Expiry::Again { id: transaction_id(id), query });
            }
            // Its answer may still come, and must not count as wrong.
            self.slots[number as usize].given_up = Some(id >> self.slot_bits);
            self.release(number, State::Unused);
            return Some(Expiry::Lost { due });
        }
    }

    /// Returns the next timeout, after [`expire`](Self::expire).
    pub(super) fn next_deadline(&self) -> Option<Since> {
        self.started.front().and_then(|&id| match self.state(id) {
            State::Waiting { deadline, .. } => Some(deadline),
            _ => None,
        })
    }

    /// Returns the state of the query of this id; unused if its slot has been reused.
    fn state(&self, id: u32) -> State<Q> {
        let slot = self.slot(id).1;
        if slot.generation == id >> self.slot_bits { slot.state } else { State::Unused }
    }

    fn slot(&self, id: u32) -> (u32, &Slot<Q>) {
        let number = id & ((1 << self.slot_bits) - 1);
        (number, &self.slots[number as usize])
    }

    fn release(&mut self, number: u32, state: State<Q>) {
        self.slots[number as usize].state = state;
        // At the end, so that every other free slot is used before.
        self.free.push_back(number);
    }
}

fn transaction_id(id: u32) -> TransactionId {
    let [_, a, b, c] = id.to_be_bytes();
    TransactionId([a, b, c])
}

#[cfg(test)]
mod tests;

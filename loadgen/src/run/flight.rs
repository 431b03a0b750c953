//! The queries under way, by transaction id.
//!
//! The 24 bits of an id are a slot number and a generation: finding the query of an answer is one load, and
//! an id comes back only after its slot was free for as long as any other. So an answer that comes late or
//! twice is known as what it is, rather than taken for the answer to another query, or for a server's
//! invention.

use std::collections::VecDeque;
use std::time::Duration;

use lqd_wire::TransactionId;

/// Time since the start of the run.
pub(super) type Since = Duration;

const ID_BITS: u32 = 24;

/// What an arriving transaction id belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing<Q> {
    /// To a query under way, due then; it is not under way any more.
    InTime { query: Q, due: Since },
    /// To a query given up before, or one more to a query that was sent again.
    Late,
    /// To a query answered before.
    Again,
    /// To no query of late.
    Unknown,
}

/// A query whose answer has not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry<Q> {
    /// It is given up.
    Lost { due: Since },
    /// It is to be sent once more, under the same id (RFC 8415 §16.1).
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
    /// The last generation whose query was given up: its answer may still come, long after the slot is in use
    /// again.
    given_up: Option<u32>,
}

/// The queries of one socket that wait for their answers.
pub(super) struct Flight<Q> {
    slots: Vec<Slot<Q>>,
    slot_bits: u32,
    /// The slots that no query waits in, the longest free first.
    free: VecDeque<u32>,
    /// Ids in the order in which they were launched; those of answered queries stay until they are the
    /// oldest.
    launched: VecDeque<u32>,
    timeout: Duration,
    /// How often a query is sent again before it is given up.
    repeats_max: u8,
}

impl<Q: Copy> Flight<Q> {
    /// Room for `capacity` queries, at most [`CAPACITY_MAX`](Self::CAPACITY_MAX), each sent again up to
    /// `repeats_max` times and then given up, always after `timeout`.
    pub(super) fn new(capacity: u32, timeout: Duration, repeats_max: u8) -> Self {
        // Twice the room, and 1,024 at least, keeps each id out of use for a while after its answer.
        let slots = (2 * capacity).next_power_of_two().max(1024);
        Self {
            slots: vec![Slot { state: State::Unused, generation: 0, given_up: None }; slots as usize],
            slot_bits: slots.ilog2(),
            free: (0..slots).collect(),
            launched: VecDeque::new(),
            timeout,
            repeats_max,
        }
    }

    /// Most queries under way: 2^20, which leaves three bits of generation.
    pub(super) const CAPACITY_MAX: u32 = 1 << 20;

    /// How many queries are under way.
    pub(super) fn waiting(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Puts a query under way that was due then and is sent now; `None` if there is no room.
    pub(super) fn launch(&mut self, query: Q, due: Since, now: Since) -> Option<TransactionId> {
        let number = self.free.pop_front()?;
        let slot = &mut self.slots[number as usize];
        let generation = (slot.generation + 1) & ((1 << (ID_BITS - self.slot_bits)) - 1);
        slot.state = State::Waiting { query, due, deadline: now + self.timeout, repeats: 0 };
        slot.generation = generation;
        let id = generation << self.slot_bits | number;
        self.launched.push_back(id);
        Some(transaction_id(id))
    }

    /// The query of this id, if it is under way.
    pub(super) fn query(&self, TransactionId([a, b, c]): TransactionId) -> Option<Q> {
        match self.state(u32::from_be_bytes([0, a, b, c])) {
            State::Waiting { query, .. } => Some(query),
            _ => None,
        }
    }

    /// Takes the query of this id from those under way.
    pub(super) fn land(&mut self, TransactionId([a, b, c]): TransactionId) -> Landing<Q> {
        let id = u32::from_be_bytes([0, a, b, c]);
        let (number, slot) = self.slot(id);
        let generation = id >> self.slot_bits;
        if slot.given_up == Some(generation) {
            return Landing::Late;
        }
        if slot.generation != generation {
            return Landing::Unknown;
        }
        match slot.state {
            State::Unused => Landing::Unknown,
            State::Answered { repeated: true } => Landing::Late,
            State::Answered { repeated: false } => Landing::Again,
            State::Waiting { query, due, repeats, .. } => {
                self.release(number, State::Answered { repeated: repeats > 0 });
                Landing::InTime { query, due }
            }
        }
    }

    /// The next query that has waited too long, if there is one; to be called until there is none.
    pub(super) fn expire(&mut self, now: Since) -> Option<Expiry<Q>> {
        loop {
            let &id = self.launched.front()?;
            let number = self.slot(id).0;
            let State::Waiting { query, due, deadline, repeats } = self.state(id) else {
                self.launched.pop_front();
                continue;
            };
            if now < deadline {
                return None;
            }
            self.launched.pop_front();
            if repeats < self.repeats_max {
                let deadline = now + self.timeout;
                self.slots[number as usize].state =
                    State::Waiting { query, due, deadline, repeats: repeats + 1 };
                self.launched.push_back(id);
                return Some(Expiry::Again { id: transaction_id(id), query });
            }
            self.slots[number as usize].given_up = Some(id >> self.slot_bits);
            self.release(number, State::Unused);
            return Some(Expiry::Lost { due });
        }
    }

    /// When the next query has waited too long, after [`expire`](Self::expire).
    pub(super) fn next_deadline(&self) -> Option<Since> {
        self.launched.front().and_then(|&id| match self.state(id) {
            State::Waiting { deadline, .. } => Some(deadline),
            _ => None,
        })
    }

    /// The state of the query of this id; unused if its slot is another's by now.
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
        self.free.push_back(number);
    }
}

fn transaction_id(id: u32) -> TransactionId {
    let [_, a, b, c] = id.to_be_bytes();
    TransactionId([a, b, c])
}

#[cfg(test)]
mod tests;

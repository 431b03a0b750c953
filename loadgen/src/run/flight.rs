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
    /// To a query under way, sent then; it is not under way any more.
    InTime { query: Q, sent: Since },
    /// To a query given up before.
    Late,
    /// To a query answered before.
    Again,
    /// To no query of late.
    Unknown,
}

#[derive(Clone, Copy)]
enum State<Q> {
    Unused,
    Waiting { query: Q, sent: Since },
    Answered,
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
}

impl<Q: Copy> Flight<Q> {
    /// Room for `capacity` queries, at most [`CAPACITY_MAX`](Self::CAPACITY_MAX), each given up after
    /// `timeout`.
    pub(super) fn new(capacity: u32, timeout: Duration) -> Self {
        // Twice the room, and 1,024 at least, keeps each id out of use for a while after its answer.
        let slots = (2 * capacity).next_power_of_two().max(1024);
        Self {
            slots: vec![Slot { state: State::Unused, generation: 0, given_up: None }; slots as usize],
            slot_bits: slots.ilog2(),
            free: (0..slots).collect(),
            launched: VecDeque::new(),
            timeout,
        }
    }

    /// Most queries under way: 2^20, which leaves three bits of generation.
    pub(super) const CAPACITY_MAX: u32 = 1 << 20;

    /// How many queries are under way.
    pub(super) fn waiting(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts a query under way; `None` if there is no room.
    pub(super) fn launch(&mut self, query: Q, sent: Since) -> Option<TransactionId> {
        let number = self.free.pop_front()?;
        let slot = &mut self.slots[number as usize];
        let generation = (slot.generation + 1) & ((1 << (ID_BITS - self.slot_bits)) - 1);
        (slot.state, slot.generation) = (State::Waiting { query, sent }, generation);
        let id = generation << self.slot_bits | number;
        self.launched.push_back(id);
        let [_, a, b, c] = id.to_be_bytes();
        Some(TransactionId([a, b, c]))
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
            State::Answered => Landing::Again,
            State::Waiting { query, sent } => {
                self.release(number, State::Answered);
                Landing::InTime { query, sent }
            }
        }
    }

    /// Gives up the queries that have waited too long; returns how many.
    pub(super) fn give_up(&mut self, now: Since) -> u64 {
        let mut given_up = 0;
        while let Some(&id) = self.launched.front() {
            if let Some(sent) = self.sent(id) {
                if now < sent + self.timeout {
                    break;
                }
                let number = self.slot(id).0;
                self.slots[number as usize].given_up = Some(id >> self.slot_bits);
                self.release(number, State::Unused);
                given_up += 1;
            }
            self.launched.pop_front();
        }
        given_up
    }

    /// When the next query has waited too long, after [`give_up`](Self::give_up).
    pub(super) fn next_deadline(&self) -> Option<Since> {
        self.launched.front().and_then(|&id| self.sent(id)).map(|sent| sent + self.timeout)
    }

    /// When the query of this id was sent, if it still waits.
    fn sent(&self, id: u32) -> Option<Since> {
        match *self.slot(id).1 {
            Slot { state: State::Waiting { sent, .. }, generation, .. }
                if generation == id >> self.slot_bits =>
            {
                Some(sent)
            }
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Since {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn answers_in_time_again_late_and_out_of_nowhere() {
        let mut flight = Flight::new(8, TIMEOUT);
        let first = flight.launch(11_u32, at(0)).unwrap();
        let second = flight.launch(22, at(500)).unwrap();
        assert_eq!(flight.waiting(), 2);
        assert_eq!(flight.land(first), Landing::InTime { query: 11, sent: at(0) });
        assert_eq!(flight.land(first), Landing::Again);
        assert_eq!(flight.give_up(at(1499)), 0);
        assert_eq!(flight.next_deadline(), Some(at(1500)));
        assert_eq!(flight.give_up(at(1500)), 1);
        assert_eq!(flight.land(second), Landing::Late);
        assert_eq!(flight.land(TransactionId([0xff, 0xff, 0xff])), Landing::Unknown);
        assert_eq!((flight.waiting(), flight.next_deadline()), (0, None));
    }

    #[test]
    fn a_late_answer_is_known_after_its_slot_was_used_again() {
        let mut flight = Flight::new(1, TIMEOUT);
        let lost = flight.launch(0_u32, at(0)).unwrap();
        assert_eq!(flight.give_up(at(1000)), 1);
        for query in 0..5_000 {
            let id = flight.launch(query, at(1000)).unwrap();
            assert_eq!(flight.land(id), Landing::InTime { query, sent: at(1000) });
        }
        assert_eq!(flight.land(lost), Landing::Late);
    }

    #[test]
    fn an_id_rests_before_it_comes_back() {
        let mut flight = Flight::new(4, TIMEOUT);
        let first = flight.launch(0_u32, at(0)).unwrap();
        flight.land(first);
        for query in 1..1024 {
            let id = flight.launch(query, at(0)).unwrap();
            assert_ne!(id, first);
            assert_eq!(flight.land(first), Landing::Again, "after {query} others");
            assert_eq!(flight.land(id), Landing::InTime { query, sent: at(0) });
        }
        let reused = flight.launch(7, at(0)).unwrap();
        let slot = |id: TransactionId| u16::from_be_bytes([id.0[1], id.0[2]]) & 1023;
        assert_eq!(slot(reused), slot(first));
        assert_ne!(reused, first);
        assert_eq!(flight.land(first), Landing::Unknown, "of an older generation");
        assert_eq!(flight.land(reused), Landing::InTime { query: 7, sent: at(0) });
    }

    #[test]
    fn room_ends_and_comes_back() {
        let mut flight = Flight::new(Flight::<u32>::CAPACITY_MAX, TIMEOUT);
        let mut room = 0;
        while flight.launch(room, at(0)).is_some() {
            room += 1;
        }
        assert!(room >= Flight::<u32>::CAPACITY_MAX);
        assert_eq!(flight.give_up(at(1000)), u64::from(room));
        assert!(flight.launch(0, at(1000)).is_some());
    }
}

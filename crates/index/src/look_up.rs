//! A batch of look-ups in a pipeline: while one waits for memory, others are begun, moved on and answered.
//!
//! A look-up alone is a chain of dependent cache misses: a map's slot, the client's number, its record. Here each look-up
//! asks for the memory of its next step (prefetch) and is left alone until [`LookUps::turn`] has begun so many others that
//! it has come. No look-up depends on what another finds.
//!
//! Designs considered:
//!
//! 1. Stages (group prefetching): each step runs over all look-ups of the batch before the next begins. The memory idles
//!    while queries are parsed, and then all of the batch asks at once.
//! 2. A state machine for each look-up in a ring of 16 that is refilled as they end (AMAC): faster by itself, but it runs
//!    to its end and leaves no place for the caller's work between steps.
//! 3. This one: state machines, moved on at fixed distances behind the one that is begun, so that parsing, the steps of
//!    others and the writing of replies lie between asking and reading.
//!
//! Of 1 and 2, ns for a look-up by itself (`cargo bench -p lqd-benches --bench index -- "leases/.*/64"`, 20 million with
//! `LQD_BENCH_CLIENTS=10000000`, prefixes found by a probe of the map for each prefix length, another day):
//!
//! ```text
//!             100,000 leases    1 million     20 million
//!             stages  AMAC    stages  AMAC   stages  AMAC
//! address        112    51       142   108      118   142
//! prefix         173    98       201   157      205   206
//! client-id       79    56        90    82       94    85
//! ```
//! Of 1 and 3 in place, CPU of a worker for an answer, coalesced, 2 million leases (`compare --clients 1000000 --seconds 1
//! --gso 64 --window 1024 --rounds 3`, the same morning): 0.41, 0.54 and 0.47 µs by address, prefix and client-id with
//! stages, 0.35, 0.40 and 0.32 with this and with what lies around it written anew. Distances of 4, 6 and 8 were alike
//! (a throw-away loop of batches of 64); 9 steps instead of 7 made prefixes some sixth dearer (`lqload run --mix prefix=1
//! --gso 64 --window 1024 --server-pid`, one run), as what was asked for had left the nearest cache again.
//!
//! A look-up by address asks the trie which prefix lengths are in use around it, and then the map for each of them, longest
//! first: the first lease found is the longest. Nearly all look-ups end with the first client met. Whatever else can
//! happen (equal hashes, an ended lease around which another one lies, a client that left a moment ago, more lengths than
//! there are turns) is noticed by [`judge`], which then looks that one up alone.

use crate::lease::{address_hash, duid_hash, mask};
use crate::map::Probe;
use crate::record::Client;
use crate::store::{Found, LookUp};
use crate::tables::Tables;
use crate::trie::Lengths;

/// Turns in which a look-up moves on: slots for two lengths, a number, and one to spare. Most need two of them.
const STEPS: usize = 4;

/// Most look-ups that are begun between two steps of one.
const DISTANCE_MAX: usize = 4;

/// One look-up on its way. Filled in where it lies, field by field: what is stored in pieces and copied as a whole holds
/// the processor up.
#[derive(Clone, Copy)]
struct Lane<'q> {
    step: Step,
    /// What `step` waits for: a client number, or where a record begins.
    at: u32,
    wanted: Wanted<'q>,
    probe: Probe,
    /// Of a look-up by address: the length that `probe` is for.
    len: u8,
    /// Shorter ones, not probed yet.
    lengths: Lengths,
}

/// [`LookUp`], in place.
#[derive(Clone, Copy)]
enum Wanted<'q> {
    Nothing,
    Covering([u8; 16]),
    Duid(&'q [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nobody is found, or nobody was looked for.
    Nobody,
    /// The slots of `probe` are on their way.
    Probing,
    /// The word of the client number `at` is on its way.
    Number,
    /// The record at `at` is on its way.
    Record,
}

impl Lane<'_> {
    const IDLE: Self = Lane {
        step: Step::Nobody,
        at: 0,
        wanted: Wanted::Nothing,
        probe: Probe::ENDED,
        len: 0,
        lengths: Lengths::NONE,
    };

    #[inline(always)]
    fn probe(&mut self, tables: &Tables, probe: Probe) {
        self.probe = probe;
        self.probe.prefetch(&tables.arena);
        self.step = Step::Probing;
    }

    /// Reads what has been asked for, and asks for what comes next.
    #[inline(always)]
    fn advance(&mut self, tables: &Tables) {
        match self.step {
            Step::Nobody | Step::Record => {}
            Step::Probing => match self.probe.next(&tables.arena) {
                Some(number) => {
                    tables.clients.prefetch(number);
                    self.at = number;
                    self.step = Step::Number;
                }
                None => self.probe_shorter(tables),
            },
            Step::Number => {
                if let Some(record) = tables.clients.get(self.at) {
                    Client::prefetch(&tables.arena, record);
                    self.at = record;
                    self.step = Step::Record;
                }
            }
        }
    }

    /// Looks for a lease of the longest length that is left.
    #[inline(always)]
    fn probe_shorter(&mut self, tables: &Tables) {
        if let Wanted::Covering(address) = &self.wanted
            && let Some(len) = self.lengths.pop_longest()
        {
            self.len = len;
            let first = u128::from_be_bytes(*address) & mask(len);
            self.probe(tables, tables.addresses.probe(&tables.arena, address_hash(first)));
        } else {
            self.step = Step::Nobody;
        }
    }
}

/// Looks one look-up up.
#[inline(never)]
fn alone<'p>(tables: &'p Tables, now: u32, wanted: Wanted<'_>) -> Option<Found<'p>> {
    match wanted {
        Wanted::Nothing => None,
        Wanted::Covering(address) => {
            let (client, place) = tables.covering(address.into(), now)?;
            Some(Found { client, covering: Some(place) })
        }
        Wanted::Duid(duid) => {
            let client = tables.client(tables.find_duid(duid)?)?;
            Some(Found { client, covering: None })
        }
    }
}

/// Up to `N` look-ups that run together.
///
/// The caller begins them between [turns](Self::turn), and asks for each one's result [`Self::turns`] turns after it was
/// begun, so that its own work for some lies between the steps of others.
pub struct LookUps<'p, 'q, const N: usize> {
    tables: &'p Tables,
    lanes: [Lane<'q>; N],
    begun: usize,
    turn: usize,
    distance: usize,
    /// Some look-up probes again: the others are at their record after two steps.
    has_missed: bool,
}

impl<'p, 'q, const N: usize> LookUps<'p, 'q, N> {
    /// For so many look-ups.
    pub(crate) fn new(tables: &'p Tables, count: usize) -> Self {
        let distance = if N == 1 { 0 } else { count.min(DISTANCE_MAX) };
        Self { tables, lanes: [Lane::IDLE; N], begun: 0, turn: 0, distance, has_missed: false }
    }

    /// Turns from the one in which a look-up is begun to the one in which its result is best asked for.
    pub fn turns(&self) -> usize {
        STEPS * self.distance
    }

    /// Begins a look-up, which is the next by position.
    ///
    /// # Panics
    /// If there are `N` already; so do the next three.
    pub fn begin(&mut self, look_up: &LookUp<'q>) {
        match look_up {
            LookUp::Nothing => self.begin_none(),
            LookUp::Covering(address) => self.begin_covering(&address.octets()),
            LookUp::Duid(duid) => self.begin_duid(duid),
        }
    }

    /// Begins one that finds nothing.
    #[inline]
    pub fn begin_none(&mut self) {
        self.begun += 1;
        assert!(self.begun <= N);
    }

    /// Begins one for the client with the longest lease that covers an address.
    #[inline]
    pub fn begin_covering(&mut self, address: &[u8; 16]) {
        let (lane, tables) = (&mut self.lanes[self.begun], self.tables);
        self.begun += 1;
        lane.wanted = Wanted::Covering(*address);
        // A lone look-up has nothing to wait beside.
        if N > 1 {
            lane.lengths = tables.lengths.lengths(&tables.arena, address);
            lane.probe_shorter(tables);
        }
    }

    /// Begins one for the client with this DUID.
    #[inline]
    pub fn begin_duid(&mut self, duid: &'q [u8]) {
        let (lane, tables) = (&mut self.lanes[self.begun], self.tables);
        self.begun += 1;
        lane.wanted = Wanted::Duid(duid);
        if N > 1 {
            lane.probe(tables, tables.duids.probe(&tables.arena, duid_hash(duid)));
        }
    }

    /// Moves those on whose memory should have come.
    #[inline]
    pub fn turn(&mut self) {
        if N == 1 {
            return;
        }
        let mut position = self.turn;
        self.turn += 1;
        for step in 1..=STEPS {
            let Some(earlier) = position.checked_sub(self.distance) else { break };
            position = earlier;
            if step > 2 && !self.has_missed {
                break;
            }
            // Those that are not begun have nothing to wait for.
            if let Some(lane) = self.lanes.get_mut(position) {
                lane.advance(self.tables);
                self.has_missed |= lane.step == Step::Probing;
            }
        }
    }

    /// What the look-up at this position found; bindings whose valid lifetime is over at `now` (UNIX seconds) cover
    /// nothing.
    ///
    /// A client found by DUID may have ended bindings only.
    #[inline(always)]
    pub fn found(&self, now: u32, position: usize) -> Option<Found<'p>> {
        let lane = &self.lanes[position];
        if N == 1 { alone(self.tables, now, lane.wanted) } else { judge(self.tables, now, lane) }
    }
}

/// What the look-up found, once its record is at hand.
#[inline(always)]
fn judge<'p>(tables: &'p Tables, now: u32, lane: &Lane<'_>) -> Option<Found<'p>> {
    if lane.step == Step::Nobody {
        return None;
    }
    if lane.step == Step::Record {
        let client = Client::at(&tables.arena, lane.at);
        match lane.wanted {
            Wanted::Covering(address) => {
                let address = u128::from_be_bytes(address);
                let covering = client.covering_from(address & mask(lane.len), address, now);
                if covering.is_some() {
                    return Some(Found { client, covering });
                }
            }
            Wanted::Duid(duid) if client.has_duid(duid) => return Some(Found { client, covering: None }),
            Wanted::Duid(_) | Wanted::Nothing => {}
        }
    }
    alone(tables, now, lane.wanted)
}

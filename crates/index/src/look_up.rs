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
//! 3. State machines, each moved on at fixed distances behind the one that is begun, so that parsing, the steps of
//!    others and the writing of replies lie between asking and reading.
//! 4. This one: as 3, but four look-ups move on together, and all ask together, right behind each other. A processor
//!    lets a prefetch go only when it has translated the address; it translates several at a time, but only those that
//!    lie within the few hundred instructions that it looks ahead, which is less than one query takes.
//!
//! Ns for a look-up by itself (`cargo bench -p lqd-benches --bench index -- "leases/.*/64"`, 10 and 20 million with
//! `LQD_BENCH_CLIENTS=5000000` and `10000000`; 1 and 2 another day, with a probe for each of two prefix lengths):
//!
//! ```text
//!             100,000 leases       1 million     10 million     20 million
//!               1    2    4       1    2    4        4         1    2    4
//! address     112   51   46     142  108   81      111       118  142  101
//! prefix      173   98   60     201  157   91      111       205  206  139
//! client-id    79   56   37      90   82   63       90        94   85  101
//! ```
//! Of 1 and 3, in place, CPU of a worker for an answer, coalesced, 2 million leases (`compare --clients 1000000 --seconds 1
//! --gso 64 --window 1024 --rounds 3`, the same morning): 0.41, 0.54 and 0.47 µs by address, prefix and client-id with
//! stages, 0.35, 0.40 and 0.32 with 3 and with what lies around it written anew. Of 3 and 4, ns in `answer` alone for
//! batches of 64, best of 5 passes over a million clients, in the same minutes (a throw-away loop, without a network):
//!
//! ```text
//!             2 million leases           20 million
//!              3    4: by 3, 4, 5, 6      3    4: by 3, 4, 5, 6
//! address    105     110 104 106 121    192     158 129 143 145
//! prefix     121     122 120 119 136    199     185 155 162 169
//! client-id  102     105  99  97 118    190     152 136 138 160
//! ```
//! A look-up by address asks the trie which prefix lengths are in use around it, and then the map for each of them, longest
//! first: the first lease found is the longest. Nearly all look-ups end with the first client met. Whatever else can
//! happen (equal hashes, an ended lease around which another one lies, a client that left a moment ago, more lengths than
//! there are turns) is noticed by [`judge`], which then looks that one up alone.

use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use crate::lease::{address_hash, duid_hash, mask};
use crate::map::Probe;
use crate::record::{Client, Covering, Place};
use crate::tables::Tables;
use crate::trie::Lengths;

/// Times that a look-up moves on: to slots for three lengths, to a number, to a record. Most need three of them.
const STEPS: usize = 5;

/// Of those times, how many most look-ups need.
const STEPS_AS_A_RULE: usize = 3;

/// Most look-ups that move on together.
const GROUP_MAX: usize = 4;

/// Key of one lookup in a batch.
#[derive(Clone, Copy, Debug, Default)]
pub enum LookUp<'q> {
    /// Nothing: the query needs no client, and gets none.
    #[default]
    Nothing,
    /// The client with the longest lease that covers this address.
    Covering(Ipv6Addr),
    /// The client with this DUID.
    Duid(&'q [u8]),
}

/// Result of one lookup.
#[derive(Clone, Copy)]
pub struct Found<'p> {
    /// The client, with all its bindings.
    pub client: Client<'p>,
    /// For [`LookUp::Covering`], the place of the binding that covers the address.
    pub(crate) covering: Option<Place>,
}

impl<'p> Found<'p> {
    /// For [`LookUp::Covering`], the binding that covers the address.
    #[inline(always)]
    pub fn covering(&self) -> Option<Covering<'p>> {
        self.covering.map(|place| self.client.covering_at(place))
    }
}

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
    /// Nothing was done yet.
    Begun,
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

    /// Reads what has been asked for, and finds what is to be asked for next.
    #[inline(always)]
    fn advance(&mut self, tables: &Tables) {
        match self.step {
            Step::Nobody | Step::Record => {}
            Step::Begun => self.find_slots(tables),
            Step::Probing => match self.probe.next(&tables.arena) {
                Some(number) => (self.at, self.step) = (number, Step::Number),
                None => self.probe_shorter(tables),
            },
            Step::Number => {
                if let Some(record) = tables.clients.get(self.at) {
                    (self.at, self.step) = (record, Step::Record);
                }
            }
        }
    }

    /// Asks for the memory of the next step.
    #[inline(always)]
    fn ask(&self, tables: &Tables) {
        match self.step {
            Step::Nobody | Step::Begun => {}
            Step::Probing => self.probe.prefetch(&tables.arena),
            Step::Number => tables.clients.prefetch(self.at),
            Step::Record => Client::prefetch(&tables.arena, self.at),
        }
    }

    #[inline(always)]
    fn find_slots(&mut self, tables: &Tables) {
        match &self.wanted {
            Wanted::Nothing => {}
            Wanted::Covering(address) => {
                self.lengths = tables.lengths.around(&tables.arena, address);
                self.probe_shorter(tables);
            }
            Wanted::Duid(duid) => {
                self.probe = tables.duids.probe(&tables.arena, duid_hash(duid));
                self.step = Step::Probing;
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
            self.probe = tables.addresses.probe(&tables.arena, address_hash(first));
            self.step = Step::Probing;
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
    /// Turns taken.
    taken: usize,
    /// Look-ups that move on together.
    group: usize,
    /// Turns until they do; never, where each look-up is best done alone.
    wait: usize,
    /// Some look-up probes again: the others are at their record after [`STEPS_AS_A_RULE`].
    has_missed: bool,
}

impl<'p, 'q, const N: usize> LookUps<'p, 'q, N> {
    /// For so many look-ups.
    pub(crate) fn new(tables: &'p Tables, count: usize) -> Self {
        let group = if N == 1 { 1 } else { count.clamp(1, GROUP_MAX) };
        // The first lease that a lane meets may be none that decides.
        let are_alone = tables.has_shared_firsts.load(Ordering::Relaxed);
        let wait = if are_alone { usize::MAX } else { group };
        Self { tables, lanes: [Lane::IDLE; N], begun: 0, taken: 0, group, wait, has_missed: false }
    }

    /// Turns from the one in which a look-up is begun to the one in which its result is best asked for.
    pub fn turns(&self) -> usize {
        // A lone look-up has nothing to wait beside.
        if N == 1 { 0 } else { STEPS * self.group }
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
        let lane = &mut self.lanes[self.begun];
        self.begun += 1;
        (lane.wanted, lane.step) = (Wanted::Covering(*address), Step::Begun);
    }

    /// Begins one for the client with this DUID.
    #[inline]
    pub fn begin_duid(&mut self, duid: &'q [u8]) {
        let lane = &mut self.lanes[self.begun];
        self.begun += 1;
        (lane.wanted, lane.step) = (Wanted::Duid(duid), Step::Begun);
    }

    /// Once for each group that was begun: moves those on whose memory should have come, and asks for what they read
    /// next.
    #[inline]
    pub fn turn(&mut self) {
        if N == 1 {
            return;
        }
        self.taken += 1;
        self.wait -= 1;
        if self.wait == 0 {
            self.wait = self.group;
            self.move_on();
        }
    }

    #[inline(always)]
    fn move_on(&mut self) {
        let steps = if self.has_missed { STEPS } else { STEPS_AS_A_RULE };
        let first = self.taken.saturating_sub(steps * self.group);
        // Those that are not begun have nothing to wait for.
        let Some(lanes) = self.lanes.get_mut(first..self.taken.min(N)) else { return };
        for lane in &mut *lanes {
            let was_probing = lane.step == Step::Probing;
            lane.advance(self.tables);
            self.has_missed |= was_probing && lane.step == Step::Probing;
        }
        lanes.iter().for_each(|lane| lane.ask(self.tables));
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

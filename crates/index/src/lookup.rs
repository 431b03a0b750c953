//! A batch of lookups in a pipeline: while one waits for memory, others begin, advance and are answered.
//!
//! A lookup alone is a chain of dependent cache misses: a map's slot, the client's number, its record. Here
//! each lookup prefetches the memory of its next step, and goes on after as many [turns](Lookups::turn) as
//! memory takes. Four lookups advance together: a processor translates several prefetched addresses at a
//! time, but only those within the few hundred instructions that it looks ahead. `DESIGN.md` compares the
//! designs.
//!
//! A lookup by address asks the trie for the prefix lengths in use around it, and then the map for each of
//! them, longest first: the first lease found is the longest. Nearly every lookup ends with the first client
//! found. All other cases (equal hashes, an expired lease inside another one, a client that left a moment
//! ago, more lengths than there are turns) are noticed by [`judge`], which then repeats that lookup alone.

use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use crate::lease::{address_hash, duid_hash, mask};
use crate::map::Probe;
use crate::record::{BindingAt, Client, Covering};
use crate::tables::Tables;
use crate::trie::Lengths;

/// Steps of a lookup: to slots for three lengths, to a number, to a record.
const STEPS: usize = 5;

/// Steps that most lookups need.
const STEPS_AS_A_RULE: usize = 3;

/// Most lookups that advance together.
const GROUP_MAX: usize = 4;

/// Key of one lookup in a batch.
#[derive(Clone, Copy, Debug, Default)]
pub enum Lookup<'q> {
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
    /// Position of the binding that covers the address, for [`Lookup::Covering`].
    pub(crate) covering: Option<BindingAt>,
}

impl<'p> Found<'p> {
    /// The binding that covers the address, for [`Lookup::Covering`].
    #[inline(always)]
    pub fn covering(&self) -> Option<Covering<'p>> {
        // The binding is located once, and read only if a reply needs it.
        self.covering.map(|place| self.client.covering_at(place))
    }
}

/// A lookup under way. Filled in place, field by field: copying a partly written struct defeats store-to-load
/// forwarding.
#[derive(Clone, Copy)]
struct Lane<'q> {
    step: Step,
    /// Client number or record address that `step` waits for.
    at: u32,
    wanted: Wanted<'q>,
    probe: Probe,
    /// Prefix length that `probe` is for, in a lookup by address.
    len: u8,
    /// Shorter ones, not probed yet.
    lengths: Lengths,
}

/// [`Lookup`], in place.
#[derive(Clone, Copy)]
enum Wanted<'q> {
    Nothing,
    Covering([u8; 16]),
    Duid(&'q [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// No client is found, or none was wanted.
    NoClient,
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
        step: Step::NoClient,
        at: 0,
        wanted: Wanted::Nothing,
        probe: Probe::ENDED,
        len: 0,
        lengths: Lengths::NONE,
    };

    /// Reads the memory asked for, and finds the memory to ask for next.
    #[inline(always)]
    fn advance(&mut self, tables: &Tables) {
        match self.step {
            // A lane that is done keeps its state until the caller asks.
            Step::NoClient | Step::Record => {}
            Step::Begun => self.find_slots(tables),
            Step::Probing => match self.probe.next(&tables.arena) {
                Some(number) => (self.at, self.step) = (number, Step::Number),
                None => self.probe_shorter(tables),
            },
            Step::Number => {
                // The client left since the slot was read: the lookup is repeated alone.
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
            Step::NoClient | Step::Begun => {}
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
                // Only lengths that exist near the address are probed, longest first.
                self.lengths = tables.lengths.around(&tables.arena, address);
                self.probe_shorter(tables);
            }
            Wanted::Duid(duid) => {
                self.probe = tables.duids.probe(&tables.arena, duid_hash(duid));
                self.step = Step::Probing;
            }
        }
    }

    /// Probes for a lease of the longest length left.
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
            self.step = Step::NoClient;
        }
    }
}

/// Does one lookup to its end.
#[inline(never)]
fn alone<'p>(tables: &'p Tables, now: u32, wanted: Wanted<'_>) -> Option<Found<'p>> {
    match wanted {
        Wanted::Nothing => None,
        Wanted::Covering(address) => {
            let (client, place) = tables.covering(address.into(), now)?;
            Some(Found { client, covering: Some(place) })
        }
        // The second read may fail, if the client left in between.
        Wanted::Duid(duid) => {
            let client = tables.client(tables.find_duid(duid)?)?;
            Some(Found { client, covering: None })
        }
    }
}

/// Up to `N` lookups that run together.
///
/// The caller begins them between [turns](Self::turn), and asks for each one's result [`Self::turns`] turns
/// after it was begun, so that its own work for some lies between the steps of others.
pub struct Lookups<'p, 'q, const N: usize> {
    tables: &'p Tables,
    lanes: [Lane<'q>; N],
    begun: usize,
    /// Turns taken.
    taken: usize,
    /// Lookups that advance together.
    group: usize,
    /// Turns until they do; `usize::MAX` where each lookup is best done alone.
    wait: usize,
    /// Whether some lookup probes again: all others are at their record after [`STEPS_AS_A_RULE`].
    has_missed: bool,
}

impl<'p, 'q, const N: usize> Lookups<'p, 'q, N> {
    /// Prepares for `count` lookups.
    pub(crate) fn new(tables: &'p Tables, count: usize) -> Self {
        // Few queries form a smaller group, so that none waits for lanes that stay empty.
        let group = if N == 1 { 1 } else { count.clamp(1, GROUP_MAX) };
        // The first lease that a lane finds may not be the one that decides.
        let are_alone = tables.has_shared_firsts.load(Ordering::Relaxed);
        let wait = if are_alone { usize::MAX } else { group };
        // Idle lanes find nothing, so positions that are not begun are harmless.
        Self { tables, lanes: [Lane::IDLE; N], begun: 0, taken: 0, group, wait, has_missed: false }
    }

    /// Turns from the begin of a lookup to the best time to ask for its result.
    pub fn turns(&self) -> usize {
        // A single lookup has no others to wait beside.
        if N == 1 { 0 } else { STEPS * self.group }
    }

    /// Begins the next lookup by position.
    ///
    /// # Panics
    /// If there are `N` already; so do the next three.
    pub fn begin(&mut self, lookup: &Lookup<'q>) {
        match lookup {
            Lookup::Nothing => self.begin_none(),
            Lookup::Covering(address) => self.begin_covering(&address.octets()),
            Lookup::Duid(duid) => self.begin_duid(duid),
        }
    }

    /// Begins one that finds nothing.
    #[inline]
    pub fn begin_none(&mut self) {
        self.begun += 1;
        // The check bounds the array accesses of the turns that follow.
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

    /// Once for each group that was begun, advances the lookups whose memory should have come, and prefetches
    /// the memory of their next step.
    #[inline]
    pub fn turn(&mut self) {
        // One lookup alone is done in `found`, as there is nothing to overlap.
        if N == 1 {
            return;
        }
        self.taken += 1;
        self.wait -= 1;
        if self.wait == 0 {
            self.wait = self.group;
            self.advance_group();
        }
    }

    #[inline(always)]
    fn advance_group(&mut self) {
        let steps = if self.has_missed { STEPS } else { STEPS_AS_A_RULE };
        // Lanes that are far enough have reached their record.
        let first = self.taken.saturating_sub(steps * self.group);
        // Lanes that are not begun have nothing to wait for.
        let Some(lanes) = self.lanes.get_mut(first..self.taken.min(N)) else { return };
        for lane in &mut *lanes {
            let was_probing = lane.step == Step::Probing;
            lane.advance(self.tables);
            // One miss, and the whole batch takes the longer way.
            self.has_missed |= was_probing && lane.step == Step::Probing;
        }
        // Prefetches come after all reads, so that none of them waits for another.
        lanes.iter().for_each(|lane| lane.ask(self.tables));
    }

    /// Returns the result of the lookup at this position; bindings whose valid lifetime is over at `now`
    /// (UNIX seconds) cover nothing.
    ///
    /// A client found by DUID may have expired bindings only.
    #[inline(always)]
    pub fn found(&self, now: u32, position: usize) -> Option<Found<'p>> {
        let lane = &self.lanes[position];
        // A prefetched record may turn out not to fit; then the slow way decides.
        if N == 1 { alone(self.tables, now, lane.wanted) } else { judge(self.tables, now, lane) }
    }
}

/// Reads the record that a lookup has reached, or repeats the lookup alone.
#[inline(always)]
fn judge<'p>(tables: &'p Tables, now: u32, lane: &Lane<'_>) -> Option<Found<'p>> {
    // No slot had the hash, so there is no need to repeat it.
    if lane.step == Step::NoClient {
        return None;
    }
    if lane.step == Step::Record {
        let client = Client::at(&tables.arena, lane.at);
        match lane.wanted {
            Wanted::Covering(address) => {
                let address = u128::from_be_bytes(address);
                // The record is checked against the key: hashes may collide.
                let covering = client.covering_from(address & mask(lane.len), address, now);
                if covering.is_some() {
                    return Some(Found { client, covering });
                }
            }
            Wanted::Duid(duid) if client.has_duid(duid) => return Some(Found { client, covering: None }),
            Wanted::Duid(_) | Wanted::Nothing => {}
        }
    }
    // A collision, an expired lease or a record in motion: rare enough for the full search.
    alone(tables, now, lane.wanted)
}

//! A batch of look-ups in lockstep: while one waits for memory, the loads of the others are under way.
//!
//! A look-up alone is a chain of dependent cache misses: a map's slot or nodes of the trie, the client's number, its
//! record. Here each stage runs over all look-ups of the batch, asks for the memory of the next (prefetch), and only
//! then the next begins. No look-up depends on what another finds.
//!
//! Measured against the other way, a state machine for each look-up in a ring of 16 that is refilled as they end (AMAC),
//! `cargo bench -p lqd-benches --bench index -- "leases/.*/64"`, 20 million with `LQD_BENCH_CLIENTS=10000000`; ns for a
//! look-up, on a machine that others used. Prefixes were then found by a probe of the map for each prefix length:
//!
//! ```text
//!             100,000 leases    1 million     20 million
//!             stages  AMAC    stages  AMAC   stages  AMAC
//! address        112    51       142   108      118   142
//! prefix         173    98       201   157      205   206
//! client-id       79    56        90    82       94    85
//! ```
//! By itself the ring is mostly faster. Stages were kept, because a caller can put its own work between them, which
//! a ring that runs to the end has no place for. Whether that outweighs the ring has not been measured: a ring with stages
//! for parsing and writing is what would have to be tried next.
//!
//! A look-up by address first asks the map for a lease that begins there; any lease that does is the longest around
//! the address. Who finds none walks the trie. Nearly all look-ups end with the first candidate. Whatever else can
//! happen (equal hashes, an ended lease around which another one lies, a client that left a moment ago) is noticed by
//! [`judge`], which then looks that one up alone.

use crate::arena::Address;
use crate::clients::ClientId;
use crate::lease::{address_hash, duid_hash};
use crate::map::Probe;
use crate::record::Client;
use crate::store::{Found, LookUp};
use crate::tables::Tables;
use crate::trie::Walk;

/// One look-up on its way.
#[derive(Clone, Copy)]
struct Lane {
    step: Step,
    probe: Probe,
    walk: Walk,
    /// From the trie, and no other client has a prefix that may cover the address.
    is_only: bool,
}

#[derive(Clone, Copy)]
enum Step {
    /// Nobody is found, or nobody was looked for.
    Nobody,
    /// The slots of `probe` are on their way.
    Probing,
    /// The word of this number is on its way.
    Number(ClientId),
    /// This record is on its way.
    Record(Address),
}

impl Lane {
    const IDLE: Self = Lane { step: Step::Nobody, probe: Probe::ENDED, walk: Walk::ENDED, is_only: false };

    fn begin(&mut self, tables: &Tables, probe: Probe) {
        probe.prefetch(&tables.arena);
        self.probe = probe;
        self.step = Step::Probing;
    }

    fn offer(&mut self, tables: &Tables, number: ClientId) {
        tables.clients.prefetch(number);
        self.step = Step::Number(number);
    }
}

/// Looks one look-up up.
fn alone<'p>(tables: &'p Tables, now: u32, look_up: &LookUp<'_>) -> Option<Found<'p>> {
    match *look_up {
        LookUp::Nothing => None,
        LookUp::Covering(address) => {
            let (client, binding) = tables.covering(address, now)?;
            Some(Found { client, covering: Some(binding) })
        }
        LookUp::Duid(duid) => {
            let client = tables.client(tables.find_duid(duid)?)?;
            Some(Found { client, covering: None })
        }
    }
}

/// Up to `N` look-ups, at most 64, that run together: [`Self::add`] each, [`Self::fetch`], then [`Self::found`] each.
///
/// In three calls, so that the caller's own work lies between asking for memory and reading it: queries are parsed while
/// slots are on their way, and replies written while records are.
pub struct LookUps<'p, 'q, const N: usize> {
    tables: &'p Tables,
    wanted: [LookUp<'q>; N],
    lanes: [Lane; N],
    count: usize,
}

impl<'p, 'q, const N: usize> LookUps<'p, 'q, N> {
    pub(crate) fn new(tables: &'p Tables) -> Self {
        const { assert!(N <= Lanes::MAX) };
        Self { tables, wanted: [LookUp::Nothing; N], lanes: [Lane::IDLE; N], count: 0 }
    }

    /// Adds a look-up, which is the next by position.
    ///
    /// # Panics
    /// If there are `N` already.
    #[inline]
    pub fn add(&mut self, look_up: LookUp<'q>) {
        let position = self.count;
        self.wanted[position] = look_up;
        self.count += 1;
        // A lone look-up has nothing to wait beside.
        if N == 1 {
            return;
        }
        let probe = match look_up {
            LookUp::Nothing => return,
            LookUp::Covering(address) => self.tables.addresses.probe(address_hash(address.into())),
            LookUp::Duid(duid) => self.tables.duids.probe(duid_hash(duid)),
        };
        self.lanes[position].begin(self.tables, probe);
    }

    /// Goes as far as asking for each one's record.
    pub fn fetch(&mut self) {
        if N == 1 {
            return;
        }
        let tables = self.tables;
        let (lanes, wanted) = (&mut self.lanes[..self.count], &self.wanted[..self.count]);
        let mut walking = Lanes::default();
        for (position, (lane, look_up)) in lanes.iter_mut().zip(wanted).enumerate() {
            if !matches!(lane.step, Step::Probing) {
                continue;
            }
            if let Some(number) = lane.probe.next(&tables.arena) {
                lane.offer(tables, number);
            } else if matches!(look_up, LookUp::Covering(_)) {
                lane.walk = tables.prefixes.walk();
                if !lane.walk.has_ended() {
                    walking.add(position);
                }
            }
        }
        walk(tables, lanes, wanted, walking);
        for lane in lanes {
            if let Step::Number(number) = lane.step
                && let Some(record) = tables.clients.get(number)
            {
                Client::prefetch(&tables.arena, record);
                lane.step = Step::Record(record);
            }
        }
    }

    /// What the look-up at this position found; bindings whose valid lifetime is over at `now` (UNIX seconds) cover
    /// nothing.
    ///
    /// A client found by DUID may have ended bindings only.
    #[inline]
    pub fn found(&self, now: u32, position: usize) -> Option<Found<'p>> {
        let look_up = &self.wanted[position];
        if N == 1 {
            alone(self.tables, now, look_up)
        } else {
            judge(self.tables, now, look_up, &self.lanes[position])
        }
    }
}

/// Positions of lanes, at most 64.
#[derive(Clone, Copy, Default)]
struct Lanes(u64);

impl Lanes {
    const MAX: usize = u64::BITS as usize;

    fn add(&mut self, position: usize) {
        self.0 |= 1 << position;
    }
}

impl Iterator for Lanes {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let position = self.0.trailing_zeros() as usize;
        (self.0 != 0).then(|| {
            self.0 &= self.0 - 1;
            position
        })
    }
}

/// Walks the trie, all in step, until each has found who may hold a prefix around its address.
fn walk(tables: &Tables, lanes: &mut [Lane], look_ups: &[LookUp<'_>], mut walking: Lanes) {
    while walking.0 != 0 {
        let mut further = Lanes::default();
        for position in walking {
            let (lane, LookUp::Covering(address)) = (&mut lanes[position], look_ups[position]) else {
                continue;
            };
            lane.walk.step(&tables.arena, address.into());
            if !lane.walk.has_ended() {
                further.add(position);
            } else if let Some((number, is_only)) = lane.walk.candidate() {
                lane.is_only = is_only;
                lane.offer(tables, number);
            }
        }
        walking = further;
    }
}

/// What the look-up found, once its record is at hand.
fn judge<'p>(tables: &'p Tables, now: u32, look_up: &LookUp<'_>, lane: &Lane) -> Option<Found<'p>> {
    let client = match lane.step {
        Step::Nobody | Step::Probing => return None,
        Step::Number(_) => return alone(tables, now, look_up),
        Step::Record(record) => Client::at(&tables.arena, record),
    };
    match *look_up {
        LookUp::Covering(address) if lane.is_only => {
            let covering = client.longest_covering(address, now);
            return covering.is_some().then_some(Found { client, covering });
        }
        LookUp::Covering(address) => {
            let covering = client.covering_from(address, now);
            if covering.is_some() {
                return Some(Found { client, covering });
            }
        }
        LookUp::Duid(duid) if client.has_duid(duid) => return Some(Found { client, covering: None }),
        LookUp::Duid(_) | LookUp::Nothing => {}
    }
    alone(tables, now, look_up)
}

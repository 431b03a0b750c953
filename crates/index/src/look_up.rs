//! A batch of look-ups in lockstep: while one waits for memory, the loads of the others are under way.
//!
//! A look-up alone is a chain of dependent cache misses: a map's slot, the client's number, its record. Here each
//! stage runs over all look-ups of the batch, asks for the memory of the next (prefetch), and only then the next begins.
//! No look-up depends on what another finds.
//!
//! Measured against the other way, a state machine for each look-up in a ring of 16 that is refilled as they end (AMAC),
//! `cargo bench -p lqd-benches --bench index -- "leases/.*/64"`, 20 million with `LQD_BENCH_CLIENTS=10000000`; ns for a
//! look-up, on a machine that others used:
//!
//! ```text
//!             100,000 leases    1 million     20 million
//!             stages  AMAC    stages  AMAC   stages  AMAC
//! address        112    51       142   108      118   142
//! prefix         173    98       201   157      205   206
//! client-id       79    56        90    82       94    85
//! ```
//! Neither wins throughout: the ring is faster in a small index, the stages by address in the largest one. Stages are
//! kept as the simpler code; what the ring gains may come from having 16 under way instead of 64, which is not measured.
//!
//! Nearly all look-ups end with the first candidate. Whatever else can happen (equal hashes, an ended lease around
//! which another one lies, a client that left a moment ago) is noticed by [`judge`], which then looks that one up alone.

use std::net::Ipv6Addr;

use crate::arena::Address;
use crate::clients::ClientId;
use crate::lease::{PREFIX_LEN_MAX, address_hash, duid_hash, mask};
use crate::map::Probe;
use crate::record::Client;
use crate::store::{Found, LookUp};
use crate::tables::Tables;

/// One look-up on its way.
#[derive(Clone, Copy)]
struct Lane {
    step: Step,
    probe: Probe,
    /// Prefix length of the lease that is looked for.
    len: u8,
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
    const IDLE: Self = Lane { step: Step::Nobody, probe: Probe::ENDED, len: PREFIX_LEN_MAX };

    fn is_probing(&self) -> bool {
        matches!(self.step, Step::Probing)
    }

    fn begin(&mut self, tables: &Tables, probe: Probe) {
        probe.prefetch(&tables.arena);
        self.probe = probe;
        self.step = Step::Probing;
    }
}

/// Looks one look-up up.
pub(crate) fn alone<'p>(tables: &'p Tables, now: u32, look_up: &LookUp<'_>) -> Option<Found<'p>> {
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

/// Looks up to `N` look-ups up; `found` is as long as `look_ups`.
pub(crate) fn lockstep<'p, const N: usize>(
    tables: &'p Tables,
    now: u32,
    look_ups: &[LookUp<'_>],
    found: &mut [Option<Found<'p>>],
) {
    let mut lanes = [Lane::IDLE; N];
    let lanes = &mut lanes[..look_ups.len()];
    for (lane, look_up) in lanes.iter_mut().zip(look_ups) {
        match *look_up {
            LookUp::Nothing => {}
            LookUp::Covering(address) => {
                lane.begin(tables, tables.addresses.probe(address_hash(address.into())));
            }
            LookUp::Duid(duid) => lane.begin(tables, tables.duids.probe(duid_hash(duid))),
        }
    }
    number(tables, lanes);
    for len in tables.lengths.longest_first().skip_while(|&len| len == PREFIX_LEN_MAX) {
        if !begin_prefixes(tables, lanes, look_ups, len) {
            break;
        }
        number(tables, lanes);
    }
    for lane in &mut *lanes {
        if let Step::Number(number) = lane.step
            && let Some(record) = tables.clients.get(number)
        {
            Client::prefetch(&tables.arena, record);
            lane.step = Step::Record(record);
        }
    }
    for ((lane, look_up), found) in lanes.iter().zip(look_ups).zip(found) {
        *found = judge(tables, now, look_up, lane);
    }
}

/// Reads the slots of those that probe: who finds a candidate goes on, others keep probing, to no end.
fn number(tables: &Tables, lanes: &mut [Lane]) {
    for lane in lanes.iter_mut().filter(|lane| lane.is_probing()) {
        if let Some(number) = lane.probe.next(&tables.arena) {
            tables.clients.prefetch(number);
            lane.step = Step::Number(number);
        }
    }
}

/// Lets those who look for an address and found no longer lease look for one of this length; whether there are any.
fn begin_prefixes(tables: &Tables, lanes: &mut [Lane], look_ups: &[LookUp<'_>], len: u8) -> bool {
    let mut any = false;
    for (lane, look_up) in lanes.iter_mut().zip(look_ups).filter(|(lane, _)| lane.is_probing()) {
        if let LookUp::Covering(address) = *look_up {
            lane.len = len;
            lane.begin(tables, tables.addresses.probe(address_hash(first_of(address, len))));
            any = true;
        }
    }
    any
}

/// The first address of the prefix of this length around an address.
fn first_of(address: Ipv6Addr, len: u8) -> u128 {
    u128::from(address) & mask(len)
}

/// What the look-up found, once its record is at hand.
///
/// A candidate for an address is the answer if its lease begins where it was looked for and covers the address: of
/// any longer lease that did, the first address would have been in the map, and an address begins one lease only.
fn judge<'p>(tables: &'p Tables, now: u32, look_up: &LookUp<'_>, lane: &Lane) -> Option<Found<'p>> {
    let client = match lane.step {
        Step::Nobody | Step::Probing => return None,
        Step::Number(_) => return alone(tables, now, look_up),
        Step::Record(record) => Client::at(&tables.arena, record),
    };
    match *look_up {
        LookUp::Covering(address) => {
            let covering = client.covering_from(first_of(address, lane.len), address, now);
            if covering.is_some() {
                return Some(Found { client, covering });
            }
        }
        LookUp::Duid(duid) if client.has_duid(duid) => return Some(Found { client, covering: None }),
        LookUp::Duid(_) | LookUp::Nothing => {}
    }
    alone(tables, now, look_up)
}

//! A batch of look-ups in lockstep: while one waits for memory, the loads of the others are under way.
//!
//! A look-up alone is a chain of dependent cache misses: trie nodes or a hash slot, the client's number, its record.
//! Here each stage runs over all look-ups of the batch before the next begins, so that the processor finds
//! independent loads next to each other and overlaps them. No look-up depends on what another finds.

use crate::record::Client;
use crate::store::{Found, LookUp};
use crate::tables::Tables;
use crate::trie::{ClientId, Walk};

/// Candidates that are kept for a look-up. A delegated prefix around an address, both leased, makes two; who has more
/// is looked up alone.
const CANDIDATES: usize = 3;

/// One look-up on its way.
#[derive(Clone, Copy)]
struct Lane<'p> {
    walk: Walk,
    numbers: [ClientId; CANDIDATES],
    count: usize,
    clients: [Option<Client<'p>>; CANDIDATES],
}

impl Lane<'_> {
    const EMPTY: Self =
        Lane { walk: Walk::ENDED, numbers: [0; CANDIDATES], count: 0, clients: [None; CANDIDATES] };

    /// Counts candidates beyond the last place, too: who has too many is known by the count.
    fn offer(&mut self, number: ClientId) {
        if let Some(place) = self.numbers.get_mut(self.count) {
            *place = number;
        }
        self.count += 1;
    }
}

/// Looks up to `N` look-ups up; `found` is as long as `look_ups`.
pub(crate) fn lockstep<'p, const N: usize>(
    tables: &'p Tables,
    now: u32,
    look_ups: &[LookUp<'_>],
    found: &mut [Option<Found<'p>>],
) {
    let mut lanes = [Lane::EMPTY; N];
    let lanes = &mut lanes[..look_ups.len()];
    for (lane, look_up) in lanes.iter_mut().zip(look_ups) {
        match look_up {
            LookUp::Nothing => {}
            LookUp::Covering(address) => lane.walk = tables.trie.walk((*address).into()),
            LookUp::Duid(duid) => {
                if let Some(number) = tables.probable_client(duid) {
                    lane.offer(number);
                }
            }
        }
    }
    while lanes.iter().any(|lane| !lane.walk.ended()) {
        for lane in lanes.iter_mut().filter(|lane| !lane.walk.ended()) {
            let mut walk = lane.walk;
            walk.step(&tables.arena, |number| lane.offer(number));
            lane.walk = walk;
        }
    }
    // The word of each client's number, then the first word of its record.
    let mut records = [[None; CANDIDATES]; N];
    for (lane, records) in lanes.iter().zip(&mut records) {
        for (record, number) in records.iter_mut().zip(lane.numbers).take(lane.count) {
            *record = tables.clients.get(number);
        }
    }
    for (lane, records) in lanes.iter_mut().zip(records) {
        for (client, record) in lane.clients.iter_mut().zip(records) {
            *client = record.map(|at| Client::at(&tables.arena, at));
        }
    }
    for ((lane, look_up), found) in lanes.iter().zip(look_ups).zip(found) {
        *found = judge(tables, now, look_up, lane);
    }
}

/// Which of the candidates it is, if any.
fn judge<'p>(tables: &'p Tables, now: u32, look_up: &LookUp<'_>, lane: &Lane<'p>) -> Option<Found<'p>> {
    let candidates = lane.clients.iter().flatten().copied();
    match *look_up {
        LookUp::Nothing => None,
        LookUp::Covering(address) if lane.count > CANDIDATES => {
            tables.covering(address, now).map(|(client, binding)| Found { client, covering: Some(binding) })
        }
        LookUp::Covering(address) => {
            let covers = |client: Client<'p>| {
                let covering = client.longest_covering(address, now)?;
                Some(Found { client, covering: Some(covering) })
            };
            let len = |found: &Found<'_>| found.covering.map(|binding| binding.prefix_len);
            candidates.filter_map(covers).max_by_key(len)
        }
        LookUp::Duid(duid) => {
            let probable = candidates.into_iter().find(|client| client.has_duid(duid));
            // Another DUID with the same tag may have stood before it.
            let client = probable.or_else(|| tables.client(tables.find_duid(duid)?))?;
            Some(Found { client, covering: None })
        }
    }
}

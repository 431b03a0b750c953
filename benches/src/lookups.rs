//! Batches of lookups in the index.

use lqd_index::{Found, Lookup, Pinned};

/// Lookups that run together.
const LANES_MAX: usize = 64;

/// Looks up a whole batch, as workers do; `found` is as long as `lookups`.
pub fn look_up<'p>(
    leases: &'p Pinned<'_>,
    now: u32,
    lookups: &[Lookup<'_>],
    found: &mut [Option<Found<'p>>],
) {
    for (lookups, found) in lookups.chunks(LANES_MAX).zip(found.chunks_mut(LANES_MAX)) {
        // A lookup alone should not pay for the preparation of many.
        match lookups.len() {
            1 => together::<1>(leases, now, lookups, found),
            2..=8 => together::<8>(leases, now, lookups, found),
            _ => together::<LANES_MAX>(leases, now, lookups, found),
        }
    }
}

fn together<'p, const N: usize>(
    leases: &'p Pinned<'_>,
    now: u32,
    lookups: &[Lookup<'_>],
    found: &mut [Option<Found<'p>>],
) {
    let mut together = leases.lookups::<N>(lookups.len());
    let turns = together.turns();
    for turn in 0..lookups.len() + turns {
        if let Some(look_up) = lookups.get(turn) {
            together.begin(look_up);
        }
        together.turn();
        if let Some(position) = turn.checked_sub(turns) {
            found[position] = together.found(now, position);
        }
    }
}

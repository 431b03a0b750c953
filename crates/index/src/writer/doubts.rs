//! Clients in doubt: they may hold a lease whose last row cannot be read.

use super::FastMap;
use crate::lease::{Action, Batch};

/// Most clients remembered for one lease: its former holder, and those named by the last rows that cannot be
/// read.
const CLIENTS_MAX: usize = 16;

pub(super) type Duid = Box<[u8]>;

/// Leases and the clients that they put in doubt.
#[derive(Default)]
pub(super) struct Doubts {
    /// Clients by address as written; the former holder comes first.
    leases: FastMap<u128, Vec<Duid>>,
    /// Leases by which each client is in doubt.
    clients: FastMap<Duid, usize>,
}

/// Clients named by the rows of a lease that cannot be read.
#[derive(Default)]
pub(super) struct Past {
    /// Whether these are all: the rows begin with one that can be read.
    is_whole: bool,
    clients: Vec<Duid>,
}

/// Pasts by address as written.
pub(super) type Pasts = FastMap<u128, Past>;

/// The past of those leases whose last row in this batch cannot be read.
pub(super) fn pasts(batch: &Batch, last: &FastMap<u128, usize>) -> Pasts {
    let mut pasts = Pasts::default();
    // The usual batch has no such row, and costs no table.
    if batch.rows.iter().all(|row| row.action != Action::MarkUnreadable) {
        return pasts;
    }
    for row in &batch.rows {
        let address = batch.key(row);
        if batch.rows[last[&address]].action == Action::MarkUnreadable {
            let past = pasts.entry(address).or_default();
            // A row that can be read makes the ones before it of no matter.
            if row.action != Action::MarkUnreadable {
                *past = Past { is_whole: true, clients: Vec::new() };
            }
            past.clients.push(batch.named_duid(row).into());
        }
    }
    pasts
}

/// Adds the clients from before the batch to the past of each lease.
pub(super) fn prepend(pasts: &mut Pasts, formers: &mut FastMap<u128, Vec<Duid>>) {
    for (address, past) in pasts {
        // Clients named before the batch come first, as they are older.
        past.clients.splice(0..0, formers.remove(address).unwrap_or_default());
    }
}

impl Past {
    /// The clients in doubt by a lease with this past, for which these were in doubt before.
    pub(super) fn joined(&self, holder: &[u8], before: &[Duid]) -> Vec<Duid> {
        let before = [holder].into_iter().chain(before.iter().map(|duid| &**duid));
        let clients = self.clients.iter().map(|duid| &**duid);
        // A readable row ends the doubt of those before it.
        Doubts::joined(before.filter(|_| !self.is_whole).chain(clients))
    }
}

impl Doubts {
    /// Whether the client with this DUID is in doubt.
    pub(super) fn has(&self, duid: &[u8]) -> bool {
        self.clients.contains_key(duid)
    }

    /// The clients that are in doubt by the lease with this address.
    pub(super) fn of_lease(&self, address: u128) -> &[Duid] {
        self.leases.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Collects these clients, each once, without empty DUIDs; of more than the limit, the first and the
    /// last.
    fn joined<'d>(clients: impl Iterator<Item = &'d [u8]>) -> Vec<Duid> {
        let mut joined: Vec<Duid> = Vec::new();
        for duid in clients.filter(|duid| !duid.is_empty()) {
            // Rows may name one client over and over, and each counts once.
            if joined.iter().any(|known| **known == *duid) {
                continue;
            }
            // The first is the former holder, and the newest are the likeliest, so one of the middle goes.
            if joined.len() == CLIENTS_MAX {
                joined.remove(1);
            }
            joined.push(duid.into());
        }
        joined
    }

    /// Finds the clients that begin or cease to be in doubt if these leases have these clients in doubt:
    /// DUIDs, and whether they are in doubt then.
    pub(super) fn changes(&self, next: &[(u128, Vec<Duid>)]) -> Vec<(Duid, bool)> {
        let mut counts: FastMap<&[u8], isize> = FastMap::default();
        for (address, clients) in next {
            // Old and new doubts of a lease are counted against each other.
            self.of_lease(*address).iter().for_each(|duid| *counts.entry(duid).or_default() -= 1);
            clients.iter().for_each(|duid| *counts.entry(duid).or_default() += 1);
        }
        let change = |(duid, change): (&[u8], isize)| {
            let before = self.clients.get(duid).copied().unwrap_or(0);
            let after = before.saturating_add_signed(change);
            // Only a change between none and some matters to the record.
            ((before == 0) != (after == 0)).then(|| (duid.into(), after > 0))
        };
        counts.into_iter().filter_map(change).collect()
    }

    /// Sets the clients in doubt by these leases.
    pub(super) fn set(&mut self, next: Vec<(u128, Vec<Duid>)>) {
        for (address, clients) in next {
            // Counted up before down, so that a client in both is never removed in between.
            for duid in &clients {
                *self.clients.entry(duid.clone()).or_default() += 1;
            }
            // A lease without doubts needs no entry.
            let before = if clients.is_empty() {
                self.leases.remove(&address)
            } else {
                self.leases.insert(address, clients)
            };
            for duid in before.into_iter().flatten() {
                if let Some(count) = self.clients.get_mut(&duid) {
                    *count -= 1;
                    // The last lease that put the client in doubt is readable again.
                    if *count == 0 {
                        self.clients.remove(&duid);
                    }
                }
            }
        }
    }
}

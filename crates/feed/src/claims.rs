//! Addresses that several lease sources claim: the newest cltt counts.
//!
//! The index holds one lease for each address. Leases that lose are kept here, so that they come back when the one that
//! counts leaves its source: nothing else would tell that the address is leased.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;

use lqd_index::{Batch, Change, Held, Writer};

use crate::subnet_numbers::{SourceNumber, SubnetNumbers};

/// Leases that are not in the index because another source has a newer one for their address.
#[derive(Default)]
pub(crate) struct Claims {
    losing: HashMap<Ipv6Addr, Vec<Claim>>,
}

/// One source's lease of an address.
struct Claim {
    source: SourceNumber,
    rank: Rank,
    /// The changes that make it the lease on its address; none for the lease that the index holds.
    rows: Option<Batch>,
}

/// Claims in ascending order; of equal ones that in the index wins, then that of the source configured first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    At {
        cltt: u32,
    },
    /// It may be newer than any other.
    Unreadable,
}

impl Claims {
    /// Number of addresses that several sources claim.
    pub(crate) fn len(&self) -> usize {
        self.losing.len()
    }

    /// Returns an address that several sources claim, with the sources whose leases lose.
    pub(crate) fn example(&self) -> Option<(Ipv6Addr, Vec<SourceNumber>)> {
        let (&address, claims) = self.losing.iter().next()?;
        Some((address, claims.iter().map(|claim| claim.source).collect()))
    }

    pub(crate) fn clear(&mut self) {
        self.losing.clear();
    }

    /// Forgets the losing leases of a source whose addresses it has no more.
    pub(crate) fn retain(&mut self, source: SourceNumber, has: impl Fn(Ipv6Addr) -> bool) {
        self.losing.retain(|&address, claims| {
            claims.retain(|claim| claim.source != source || has(address));
            !claims.is_empty()
        });
    }

    /// Returns the changes to apply for those that a source reports; `None` if no other source claims the addresses, so
    /// that they can be applied as they are.
    pub(crate) fn resolve(
        &mut self,
        index: (&Writer, &SubnetNumbers),
        source: SourceNumber,
        batch: &Batch,
    ) -> Option<Batch> {
        let (writer, numbers) = index;
        let is_contested = |address: &Ipv6Addr| {
            let holder = || writer.held(*address).map(|held| numbers.source(held.subnet_id()));
            self.losing.contains_key(address) || holder().is_some_and(|holder| holder != source)
        };
        let mut contested = BTreeMap::<Ipv6Addr, Vec<usize>>::new();
        for (row, address) in
            batch.changes().map(address_of).enumerate().filter(|(_, address)| is_contested(address))
        {
            contested.entry(address).or_default().push(row);
        }
        if contested.is_empty() {
            return None;
        }
        let mut out = Batch::new();
        for (row, change) in batch.changes().enumerate() {
            if !contested.contains_key(&address_of(change)) {
                push(&mut out, batch, row);
            }
        }
        for (address, rows) in contested {
            let held = writer.held(address).map(|held| (numbers.source(held.subnet_id()), held));
            let own = Claim::of_rows(source, batch, &rows);
            let has_lease = self.settle(address, (source, own), held, &mut out);
            if let Some(&last) = rows.last().filter(|_| !has_lease) {
                // The removal, with its reason.
                push(&mut out, batch, last);
            }
        }
        Some(out)
    }

    /// Appends the lease that counts, unless the index holds it; whether there is any.
    fn settle(
        &mut self,
        address: Ipv6Addr,
        (source, own): (SourceNumber, Option<Claim>),
        held: Option<(SourceNumber, Held<'_>)>,
        out: &mut Batch,
    ) -> bool {
        let mut claims = self.losing.remove(&address).unwrap_or_default();
        claims.retain(|claim| claim.source != source);
        claims.extend(own);
        let other = held.as_ref().filter(|(holder, _)| *holder != source);
        claims.extend(other.map(|(holder, held)| Claim {
            source: *holder,
            rank: Rank::of(held),
            rows: None,
        }));
        let best = (0..claims.len())
            .max_by_key(|&n| (claims[n].rank, claims[n].rows.is_none(), Reverse(claims[n].source)));
        let Some(winner) = best.map(|best| claims.swap_remove(best)) else {
            return false;
        };
        if let Some(rows) = &winner.rows {
            (0..rows.len()).for_each(|row| push(out, rows, row));
        }
        for claim in claims.iter_mut().filter(|claim| claim.rows.is_none()) {
            let mut rows = Batch::new();
            if let Some((_, held)) = &held {
                held.push_into(&mut rows).expect(FITS);
            }
            claim.rows = Some(rows);
        }
        if !claims.is_empty() {
            self.losing.insert(address, claims);
        }
        true
    }
}

/// The reason why pushing a change cannot fail here.
const FITS: &str = "a batch of a source, and the leases that lose by it, are far below 4 GiB";

fn push(out: &mut Batch, batch: &Batch, row: usize) {
    out.push_from(batch, row).expect(FITS);
}

fn address_of(change: Change<'_>) -> Ipv6Addr {
    match change {
        Change::Put(lease) => lease.address,
        Change::Remove(removal) => removal.address,
        Change::Unreadable { address, .. } => address,
    }
}

impl Rank {
    fn of(held: &Held<'_>) -> Self {
        if held.is_unreadable() { Self::Unreadable } else { Self::At { cltt: held.cltt() } }
    }
}

impl Claim {
    /// The claim that these rows of a batch, all of one address, come to; `None` if the last one removes the lease.
    fn of_rows(source: SourceNumber, batch: &Batch, rows: &[usize]) -> Option<Self> {
        let &last = rows.last()?;
        let change = batch.changes().nth(last)?;
        let (rank, rows) = match change {
            Change::Remove(_) => return None,
            Change::Put(lease) => (Rank::At { cltt: lease.cltt }, &[last][..]),
            // Rows before it say which clients may hold the lease.
            Change::Unreadable { .. } => (Rank::Unreadable, rows),
        };
        let mut kept = Batch::new();
        rows.iter().for_each(|&row| push(&mut kept, batch, row));
        Some(Self { source, rank, rows: Some(kept) })
    }
}

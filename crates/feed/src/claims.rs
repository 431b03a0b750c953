//! Addresses that several lease sources claim: the newest cltt counts.
//!
//! The index holds one lease for each address. Leases that lose are kept here, so that they come back when
//! the one that counts leaves its source: nothing else would tell that the address is leased.

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

/// A lease of an address by one source.
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
    /// Unreadable, so that it may be newer than any other.
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
            // A claim whose address is still in the source may win later, so it has to stay.
            claims.retain(|claim| claim.source != source || has(address));
            !claims.is_empty()
        });
    }

    /// Returns the changes to apply for those that a source reports; `None` if no other source claims the
    /// addresses, so that they can be applied as they are.
    pub(crate) fn resolve(
        &mut self,
        index: (&Writer, &SubnetNumbers),
        source: SourceNumber,
        batch: &Batch,
    ) -> Option<Batch> {
        let (writer, numbers) = index;
        let is_contested = |address: &Ipv6Addr| {
            // An address in the index counts as contested only if another source put it there.
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
            // The usual case: nothing is copied.
            return None;
        }
        let mut out = Batch::new();
        for (row, change) in batch.changes().enumerate() {
            // Uncontested rows keep their order, which rows about one address depend on.
            if !contested.contains_key(&address_of(change)) {
                push(&mut out, batch, row);
            }
        }
        for (address, rows) in contested {
            let held = writer.held(address).map(|held| (numbers.source(held.subnet_id()), held));
            let own = Claim::of_rows(source, batch, &rows);
            let has_lease = self.settle(address, (source, own), held.as_ref(), &mut out);
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
        held: Option<&(SourceNumber, Held<'_>)>,
        out: &mut Batch,
    ) -> bool {
        // The former claim of this source is outdated by the new rows, even if those say nothing.
        let mut claims = self.losing.remove(&address).unwrap_or_default();
        claims.retain(|claim| claim.source != source);
        claims.extend(own);
        // The lease in the index competes like the others, so that one comparison decides.
        let other = held.filter(|(holder, _)| *holder != source);
        claims.extend(other.map(|(holder, held)| Claim {
            source: *holder,
            rank: Rank::of(held),
            rows: None,
        }));
        let best = (0..claims.len())
            // Of equal rank, the lease in the index stays: replacing it would change nothing but cost a
            // publication.
            .max_by_key(|&n| (claims[n].rank, claims[n].rows.is_none(), Reverse(claims[n].source)));
        let Some(winner) = best.map(|best| claims.swap_remove(best)) else {
            return false;
        };
        // Rows are absent only for the lease that is in the index already.
        if let Some(rows) = &winner.rows {
            (0..rows.len()).for_each(|row| push(out, rows, row));
        }
        // The lease that the index held has lost: it is kept before it is overwritten.
        for claim in claims.iter_mut().filter(|claim| claim.rows.is_none()) {
            let mut rows = Batch::new();
            if let Some((_, held)) = held {
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
        // Rows of all kinds are grouped by address alone, as the index holds one lease for each.
        Change::Put(lease) => lease.address,
        Change::Remove(removal) => removal.address,
        Change::Unreadable { address, .. } => address,
    }
}

impl Rank {
    fn of(held: &Held<'_>) -> Self {
        // An unreadable row hides its cltt, so no other lease can be shown to be newer.
        if held.is_unreadable() { Self::Unreadable } else { Self::At { cltt: held.cltt() } }
    }
}

impl Claim {
    /// The claim that these rows of a batch, all of one address, come to; `None` if the last one removes the
    /// lease.
    fn of_rows(source: SourceNumber, batch: &Batch, rows: &[usize]) -> Option<Self> {
        // Only the last row about an address counts, as in Kea's own file.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lqd_index::{Lease, LeaseKind, Removal};

    use super::*;
    use crate::subnet_numbers::SourceSubnets;

    /// An index with leases of two sources, applied as the feed does.
    struct Index {
        writer: Writer,
        numbers: Arc<SubnetNumbers>,
        claims: Claims,
    }

    fn address() -> Ipv6Addr {
        "2001:db8::1".parse().unwrap()
    }

    impl Index {
        fn new() -> Self {
            Self { writer: Writer::new().0, numbers: Arc::default(), claims: Claims::default() }
        }

        fn apply(&mut self, source: u32, fill: impl FnOnce(&mut Batch)) {
            let (source, mut batch) = (SourceNumber(source), Batch::new());
            fill(&mut batch);
            SourceSubnets::new(source, &self.numbers).renumber(&mut batch);
            let resolved = self.claims.resolve((&self.writer, &self.numbers), source, &batch);
            self.writer.apply(resolved.as_ref().unwrap_or(&batch));
        }

        fn put(&mut self, source: u32, cltt: u32) {
            let lease = Lease {
                address: address(),
                prefix_len: 128,
                kind: LeaseKind::Address,
                duid: &[1, source as u8],
                valid_lifetime: 100,
                preferred_lifetime: 50,
                cltt,
                subnet_id: 1,
                options: &[],
            };
            self.apply(source, |batch| batch.put(&lease).unwrap());
        }

        /// Source and cltt of the lease in the index; cltt `None` if it cannot be read.
        fn held(&self) -> Option<(u32, Option<u32>)> {
            let held = self.writer.held(address())?;
            let SourceNumber(source) = self.numbers.source(held.subnet_id());
            Some((source, (!held.is_unreadable()).then(|| held.cltt())))
        }
    }

    #[test]
    fn the_newest_lease_is_held_and_older_ones_come_back() {
        let mut index = Index::new();
        for (source, cltt, held) in [(0, 5, 0), (1, 5, 0), (1, 6, 1), (2, 4, 1), (0, 6, 1), (0, 7, 0)] {
            index.put(source, cltt);
            assert_eq!(index.held().unwrap().0, held, "{source} {cltt}");
        }
        for (source, held) in [(2, Some((0, Some(7)))), (0, Some((1, Some(6)))), (1, None)] {
            index.apply(source, |batch| batch.remove(Removal::gone(address())));
            assert_eq!(index.held(), held);
        }
        assert_eq!(index.claims.len(), 0);
    }

    #[test]
    fn an_unreadable_lease_hides_all_others_until_its_source_says_more() {
        let mut index = Index::new();
        index.put(0, 5);
        index.apply(1, |batch| batch.unreadable(address(), 128, &[9]).unwrap());
        assert_eq!(index.held(), Some((1, None)));
        index.put(0, 9);
        assert_eq!((index.held(), index.claims.len()), (Some((1, None)), 1));
        index.put(1, 8);
        assert_eq!(index.held(), Some((0, Some(9))));
    }

    #[test]
    fn claims_of_a_source_end_with_its_leases() {
        let mut index = Index::new();
        index.put(0, 5);
        index.put(1, 4);
        index.claims.retain(SourceNumber(1), |_| true);
        assert_eq!(index.claims.len(), 1);
        index.claims.retain(SourceNumber(1), |_| false);
        assert_eq!(index.claims.len(), 0);
    }
}

//! The store that readers share: the current generation of leases and links.
//!
//! Concurrency contract. One [`Writer`](crate::Writer); any number of readers, up to [`READERS_MAX`]. A
//! reader pins the store once a batch; until it drops the pin, no memory that it can reach is reused or
//! freed, and it takes no lock, never waits, and writes no line that another reader writes. The bindings of a
//! client are published by one word, so they are seen whole. An address that passes from one client to
//! another is covered by one of them at any moment, and so is one whose covering prefix another one replaces,
//! in one batch or in two: a lookup finds one of the two. A new snapshot or a new set of links replaces the
//! old one as a whole.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::{ArcSwap, Guard};

use crate::epoch::Epochs;
use crate::links::Links;
use crate::lookup::{Found, Lookup, Lookups};
use crate::record::{Binding, Client, Covering};
use crate::secondary::{PostingsSize, Secondary};
use crate::tables::Tables;

/// Most readers of a store: 256 workers, 64 threads of bulk leasequery, and threads that scan leases.
pub const READERS_MAX: usize = 324;

/// The leases and links that all workers read.
pub struct Store {
    pub(crate) current: ArcSwap<Generation>,
    pub(crate) epochs: Epochs,
}

/// Leases and the links that belong to them: replaced together, so that no reader joins old ones to new ones.
pub(crate) struct Generation {
    /// Ascending.
    pub(crate) number: u64,
    pub(crate) tables: Arc<Tables>,
    pub(crate) links: Arc<Links>,
    pub(crate) secondary: Arc<Secondary>,
}

/// Numbers about a store, for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Leases held, expired ones included.
    pub leases: usize,
    /// Clients that hold them.
    pub clients: usize,
    /// Clients with more leases than a reply can tell, for which queries get UnspecFail.
    pub oversized_clients: usize,
    /// Their leases.
    pub oversized_leases: usize,
    /// Bytes of memory that the index takes from the system.
    pub bytes: usize,
    /// Links configured.
    pub links: usize,
}

impl Store {
    /// A place for one more reader; `None` if [`READERS_MAX`] exist.
    pub fn reader(self: &Arc<Self>) -> Option<Reader> {
        let place = self.epochs.register()?;
        Some(Reader { store: Arc::clone(self), place })
    }

    /// Bytes of memory by table; those of secondary indexes are estimated.
    pub fn memory(&self) -> Vec<(&'static str, usize)> {
        // Loaded once, so that both sizes belong to one generation.
        let Generation { tables, secondary, .. } = &**self.current.load();
        let indexes = secondary.sizes().into_iter().map(|(name, size)| (name, size.bytes));
        tables.memory().into_iter().chain(indexes).collect()
    }

    /// Size of each secondary index that is maintained, by name.
    pub fn secondary_indexes(&self) -> Vec<(&'static str, PostingsSize)> {
        self.current.load().secondary.sizes()
    }

    /// Counts as they are now.
    pub fn summary(&self) -> Summary {
        let Generation { tables, links, .. } = &**self.current.load();
        // Counts are read one by one, and may be of moments that differ slightly.
        Summary {
            leases: tables.lease_count(),
            clients: tables.client_count(),
            oversized_clients: tables.counts.oversized_clients.load(Ordering::Relaxed),
            oversized_leases: tables.counts.oversized_leases.load(Ordering::Relaxed),
            bytes: tables.bytes(),
            links: links.len(),
        }
    }
}

/// Access of one thread to the store.
pub struct Reader {
    store: Arc<Store>,
    place: usize,
}

impl Reader {
    /// Holds the store still for one batch of queries.
    pub fn pin(&mut self) -> Pinned<'_> {
        self.store.epochs.enter(self.place);
        // Loaded after `enter`: the writer keeps replaced memory until we have left.
        Pinned { current: self.store.current.load(), reader: self }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.store.epochs.unregister(self.place);
    }
}

/// The store during one batch.
pub struct Pinned<'r> {
    current: Guard<Arc<Generation>>,
    reader: &'r mut Reader,
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.reader.store.epochs.leave(self.reader.place);
    }
}

impl Pinned<'_> {
    /// The links.
    pub fn links(&self) -> &Links {
        &self.current.links
    }

    /// Number of this generation of leases and links: another one after they were replaced as a whole.
    pub fn generation(&self) -> u64 {
        self.current.number
    }

    /// Whether there may be leases that are not found here
    /// ([`Writer::set_incomplete`](crate::Writer::set_incomplete)): one that is not found may exist.
    #[inline(always)]
    pub fn is_incomplete(&self) -> bool {
        self.current.tables.incomplete.load(Ordering::Relaxed)
    }

    /// The secondary indexes of this generation.
    pub(crate) fn secondary(&self) -> &Secondary {
        &self.current.secondary
    }

    /// The tables of this generation.
    pub(crate) fn tables(&self) -> &Tables {
        &self.current.tables
    }

    /// The client with the longest lease that covers `address`, has valid lifetime left at `now`, and is one
    /// of those that `is_one` takes.
    ///
    /// For the few queries for which [`Lookups`] find a lease that does not count: it waits for memory at
    /// each step.
    #[cold]
    pub fn covering_where(
        &self,
        address: Ipv6Addr,
        now: u32,
        is_one: impl Fn(Client<'_>, Covering<'_>) -> bool,
    ) -> Option<Found<'_>> {
        let (client, place) = self.current.tables.covering_where(address, now, is_one)?;
        Some(Found { client, covering: Some(place) })
    }

    /// All leases of exactly this prefix, expired ones included, and their clients: none or one as a rule.
    ///
    /// Several if their source tells them apart by host bits, or by kind (an address and a delegated /128);
    /// and, while a lease passes from one client to another, that of both. For queries that know the lease,
    /// as readers of the [change log](crate::ChangeLog) do: it waits for memory at each step.
    pub fn leases_of(
        &self,
        address: Ipv6Addr,
        prefix_len: u8,
    ) -> impl Iterator<Item = (Client<'_>, Binding)> {
        self.current.tables.leases_of(address.into(), prefix_len)
    }

    /// Prepares `count` lookups, at most `N`, that run together.
    pub fn lookups<'q, const N: usize>(&self, count: usize) -> Lookups<'_, 'q, N> {
        Lookups::new(&self.current.tables, count)
    }

    /// Does one lookup to its end, waiting for memory at each step; workers use [`Self::lookups`].
    pub fn find(&self, lookup: Lookup<'_>, now: u32) -> Option<Found<'_>> {
        // One lane: the lookup is done when it is asked for.
        let mut one = self.lookups::<1>(1);
        one.begin(&lookup);
        one.found(now, 0)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Batch, Links, Writer};

    #[test]
    fn a_snapshot_and_new_links_are_another_generation() {
        let (mut writer, store) = Writer::new();
        let mut reader = store.reader().unwrap();
        let generation = reader.pin().generation();
        writer.apply(&Batch::new());
        assert_eq!(reader.pin().generation(), generation, "changes one by one are no new generation");
        // New links change the meaning of leases, so scans have to begin again.
        writer.set_links(Links::default());
        assert_eq!(reader.pin().generation(), generation + 1);
        writer.replace(&[], None);
        assert_eq!(reader.pin().generation(), generation + 2);
    }

    #[test]
    fn each_snapshot_is_complete_or_not_from_its_beginning() {
        let (mut writer, store) = Writer::new();
        let mut reader = store.reader().unwrap();
        let mut is_incomplete = || reader.pin().is_incomplete();
        assert!(!is_incomplete());
        writer.set_incomplete(true);
        assert!(is_incomplete());
        writer.set_links(Links::default());
        assert!(is_incomplete());
        // Only the snapshot itself can make the leases complete again.
        writer.replace(&[], None);
        assert!(!is_incomplete());
        writer.set_next_incomplete(true);
        assert!(!is_incomplete());
        writer.replace(&[], None);
        assert!(is_incomplete());
        writer.set_incomplete(false);
        assert!(!is_incomplete());
        // A flag set between two snapshots must not outlast the second one.
        writer.set_incomplete(true);
        writer.replace(&[], None);
        assert!(!is_incomplete());
    }
}

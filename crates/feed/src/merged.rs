//! The index as all sources share it: the leases of each are replaced and changed without touching those of
//! the others.
//!
//! While one source alone has leases, they are replaced as a whole generation and changed without a look at
//! others.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lqd_index::{Batch, Links, Loader, Removal, Writer};
use tracing::warn;

use crate::claims::Claims;
use crate::oversized::OversizedReport;
use crate::subnet_numbers::{SourceNumber, SubnetNumbers};

/// Leases that are merged before other sources get their turn: some milliseconds of work.
const SLICE: usize = 4096;

/// The index's writer, and whose leases are in the index.
pub(crate) struct Merged {
    writer: Writer,
    numbers: Arc<SubnetNumbers>,
    claims: Claims,
    /// Sources that have, or may have, leases in the index.
    owners: BTreeSet<SourceNumber>,
    /// Sources that hold leases which are not in the index.
    incomplete: BTreeSet<SourceNumber>,
    oversized: OversizedReport,
    has_warned_of_conflict: bool,
    /// Names of sources by their numbers.
    names: Vec<String>,
}

/// The merged index, as the threads of the sources share it. No reader of leases ever takes this lock.
#[derive(Clone)]
pub(crate) struct SharedIndex(Arc<Mutex<Merged>>);

impl SharedIndex {
    pub(crate) fn new(writer: Writer, numbers: Arc<SubnetNumbers>) -> Self {
        Self(Arc::new(Mutex::new(Merged {
            writer,
            numbers,
            claims: Claims::default(),
            owners: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            oversized: OversizedReport::default(),
            has_warned_of_conflict: false,
            names: Vec::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Merged> {
        // A panic of one source's thread must not end the others; the index is consistent between its calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the leases of one source, and with them the links if there are new ones.
    ///
    /// Readers find at each moment, for each address, its old or its new lease. `is_incomplete`: as in
    /// [`Merged::set_incomplete`].
    pub(crate) fn replace(
        &self,
        source: SourceNumber,
        rows: Loader,
        is_incomplete: bool,
        links: Option<Links>,
    ) -> usize {
        {
            let mut merged = self.lock();
            // The usual case of one source needs no merge, and frees the old index at once.
            if merged.owners.iter().all(|&owner| owner == source) {
                return merged.replace_all(source, rows, is_incomplete, links);
            }
        }
        // The snapshot alone, so that its rows are in order and its leases can be searched.
        let (mut snapshot, _) = Writer::new();
        let leases = snapshot.replace_by(rows, None).put;
        // New leases first: an address that passes to another client is found at every moment.
        self.put_all(source, &snapshot);
        // Removals come second: an address must not be missing in between.
        self.remove_others(source, Some(&snapshot));
        let mut merged = self.lock();
        if let Some(links) = links {
            merged.writer.set_links(links);
        }
        // Set after the leases are in, so that completeness is never claimed too early.
        merged.set_incomplete(source, is_incomplete);
        merged.report();
        leases
    }

    /// Brings in the leases of a snapshot that the index does not hold as they are.
    fn put_all(&self, source: SourceNumber, snapshot: &Writer) {
        let mut leases = snapshot.all_held();
        loop {
            // Between two locks, so that other sources get their turn.
            let slice: Vec<_> = leases.by_ref().take(SLICE).collect();
            if slice.is_empty() {
                return;
            }
            let mut batch = Batch::new();
            let mut merged = self.lock();
            for lease in slice {
                // Comparison costs a lookup, and a write a publication.
                let is_known = merged.writer.held(lease.address()).is_some_and(|held| held.is_same(&lease));
                // Most leases of a reload are unchanged, and a comparison costs less than a write.
                if !is_known {
                    lease.push_into(&mut batch).expect("a slice of leases is far below 4 GiB");
                }
            }
            merged.apply(source, &batch);
        }
    }

    /// Removes the leases of a source that its snapshot does not have; without one, all.
    pub(crate) fn remove_others(&self, source: SourceNumber, snapshot: Option<&Writer>) {
        let is_kept = |address: Ipv6Addr| snapshot.is_some_and(|snapshot| snapshot.held(address).is_some());
        let mut gone: Vec<Ipv6Addr> = {
            let mut merged = self.lock();
            // Losing leases first, or one of them would come back for an address that is removed next.
            merged.claims.retain(source, is_kept);
            // Under one lock: a client may get another number between two.
            let held = merged.writer.all_held();
            let own = held.filter(|held| merged.numbers.source(held.subnet_id()) == source);
            own.map(|held| held.address()).filter(|&address| !is_kept(address)).collect()
        };
        // In slices, so that other sources get their turn.
        while !gone.is_empty() {
            let mut batch = Batch::new();
            gone.drain(gone.len().saturating_sub(SLICE)..)
                .for_each(|address| batch.remove(Removal::gone(address)));
            self.lock().apply(source, &batch);
        }
        // The source is gone for good, and can make the index incomplete no more.
        if snapshot.is_none() {
            let mut merged = self.lock();
            merged.owners.remove(&source);
            merged.set_incomplete(source, false);
        }
    }
}

impl Merged {
    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn set_links(&mut self, links: Links) {
        self.writer.set_links(links);
    }

    /// Sets the name of a source, for the log.
    pub(crate) fn set_name(&mut self, source: SourceNumber, name: &str) {
        let at = source.0 as usize;
        self.names.resize(self.names.len().max(at + 1), String::new());
        name.clone_into(&mut self.names[at]);
    }

    /// Prepares for [`SharedIndex::replace`] by this source to replace the leases of all others, too.
    pub(crate) fn keep_only(&mut self, source: SourceNumber) {
        self.claims.clear();
        self.owners = [source].into();
        // Incompleteness of sources that are dropped must not outlast them.
        self.incomplete.retain(|&other| other == source);
    }

    /// Replaces all leases by those of this source.
    fn replace_all(
        &mut self,
        source: SourceNumber,
        rows: Loader,
        is_incomplete: bool,
        links: Option<Links>,
    ) -> usize {
        self.owners = [source].into();
        self.note_incomplete(source, is_incomplete);
        // It takes effect with the new generation, so that readers see both at once.
        self.writer.set_next_incomplete(!self.incomplete.is_empty());
        let leases = self.writer.replace_by(rows, links).put;
        self.report();
        leases
    }

    /// Applies changes that a source reports.
    pub(crate) fn apply(&mut self, source: SourceNumber, batch: &Batch) {
        self.owners.insert(source);
        // Without other sources there is nothing to compare, and a batch costs what it always did.
        let is_alone = self.owners.len() == 1;
        let index = (&self.writer, &*self.numbers);
        match (!is_alone).then(|| self.claims.resolve(index, source, batch)).flatten() {
            Some(resolved) => self.writer.apply(&resolved),
            None => self.writer.apply(batch),
        };
    }

    /// Sets whether a source holds leases that are not in the index: then queries without lease are not told
    /// that there is none.
    pub(crate) fn set_incomplete(&mut self, source: SourceNumber, is_incomplete: bool) {
        self.note_incomplete(source, is_incomplete);
        self.writer.set_incomplete(!self.incomplete.is_empty());
    }

    fn note_incomplete(&mut self, source: SourceNumber, is_incomplete: bool) {
        if is_incomplete {
            self.incomplete.insert(source);
        } else {
            self.incomplete.remove(&source);
        }
    }

    /// Number of addresses that several sources claim.
    pub(crate) fn conflicts(&self) -> usize {
        self.claims.len()
    }

    /// Logs clients with too many leases, and the first address that several sources claim.
    pub(crate) fn report(&mut self) {
        self.oversized.note(&self.writer);
        // One line is enough: the metric counts the others.
        if self.has_warned_of_conflict {
            return;
        }
        let Some((address, losing)) = self.claims.example() else { return };
        let name = |source: SourceNumber| self.names.get(source.0 as usize).map_or("", String::as_str);
        let counted = self.writer.held(address).map(|held| self.numbers.source(held.subnet_id()));
        let losing: Vec<_> = losing.into_iter().map(name).collect();
        warn!(
            %address,
            counted = counted.map_or("", name),
            ?losing,
            "lease sources claim the same address: the lease with the newest client-last-transaction-time is served; \
             see that no two Kea servers have the same pool (further addresses are counted in \
             lqd_leases_in_conflict, not logged)"
        );
        self.has_warned_of_conflict = true;
    }
}

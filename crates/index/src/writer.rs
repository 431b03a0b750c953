//! The writer: whole snapshots and batches of changes, published so that readers see no half step.
//!
//! A batch is applied in an order in which readers never miss the lease of an address that is leased all the
//! time, nor find another one around it instead. During steps 2 to 4 a record may still show leases that its
//! client is losing:
//!
//! 1. The prefix lengths of new leases enter the trie.
//! 2. Each client's new record is published. One that loses an address *to another client*, or a lease that
//!    overlaps
//!    one that the batch brings (`overlap.rs`), still shows it.
//! 3. New leases enter the map by address, a handed-over lease passes to its new client in one store, and new
//!    clients
//!    enter the map by DUID.
//! 4. Once every reader has passed a quiescent point, the superset records of step 2 are replaced by the
//!    final ones, and
//!    the leases that they lost leave the map.
//!
//! Without step 4, a reader that found the old client in the map could read a record that no longer holds the
//! address, and answer "no binding" about a bound address; and a reader that probed for the longer of two
//! prefixes too early could probe for the shorter one too late. For the same reason no lease leaves while a
//! reader may not have seen the leases of an earlier batch.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;

use crate::arena::{Allocator, Editor, Garbage};
use crate::bulk::{Loader, Remaining};
use crate::changes::{ChangeObserver, Changes, Difference, Report, Side};
use crate::clients::ClientId;
use crate::epoch::{Epoch, Epochs};
use crate::lease::{Batch, Lease, duid_hash};
use crate::limits::Limits;
use crate::links::Links;
use crate::octets::word_of;
use crate::options::Packer;
use crate::record::{self, RecordTooLargeError, Unpacked, WORDS_MAX, Wholeness};
use crate::room::Room;
use crate::secondary::{Extractor, Secondary, SecondaryIndexes};
use crate::store::{Generation, READERS_MAX, Store};
use crate::tables::Tables;
use crate::written::Written;

mod doubts;
mod held;
mod merge;
mod overlap;
mod oversized;
mod plan;
mod publish;
mod secondary;
#[cfg(test)]
mod tests;

pub use held::Held;
pub use oversized::OversizedClient;

use doubts::{Doubts, Duid};
use merge::{Edit, Merge, Packed, Role, Staged, Step};
use oversized::Oversized;
use plan::Plan;
use publish::Hook;

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
type FastSet<K> = HashSet<K, foldhash::fast::RandomState>;

/// The one writer of a [`Store`].
pub struct Writer {
    store: Arc<Store>,
    tables: Arc<Tables>,
    allocator: Allocator,
    next_client: ClientId,
    free_clients: Vec<ClientId>,
    /// Memory unlinked in the batch at hand.
    garbage: Vec<Garbage>,
    /// Epoch that has passed once every reader can see the leases that came last.
    gained: Option<Epoch>,
    hook: Hook,
    /// Memory and client numbers unlinked before, free once the epoch has passed.
    retired: VecDeque<(Epoch, Vec<Garbage>, Vec<ClientId>)>,
    links: Arc<Links>,
    secondary_indexes: SecondaryIndexes,
    secondary: Arc<Secondary>,
    extractor: Extractor,
    is_incomplete: bool,
    next_is_incomplete: bool,
    oversized: Oversized,
    written: Written,
    doubts: Doubts,
    unpacked: Unpacked,
    observers: Vec<Box<dyn ChangeObserver>>,
    /// Changes of the batch at hand; filled only for observers.
    report: Report,
    /// Leases that pass from one record of a client to another.
    moved: Unpacked,
    words: Vec<u64>,
    packer: Packer,
}

/// Counts of a batch's effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Addresses whose lease was set.
    pub put: usize,
    /// Addresses that lost their lease.
    pub removed: usize,
}

impl Writer {
    /// Creates an empty store and its writer.
    pub fn new() -> (Self, Arc<Store>) {
        Self::with_limits(Limits::STANDARD)
    }

    /// Creates them with other limits.
    pub(crate) fn with_limits(limits: Limits) -> (Self, Arc<Store>) {
        // The writer shares the tables with the generation that readers see.
        let (tables, links) =
            (Arc::new(Tables::empty(limits, Room::for_text(0))), Arc::new(Links::default()));
        let store = Arc::new(Store {
            current: ArcSwap::from_pointee(Generation {
                number: 0,
                tables: Arc::clone(&tables),
                links: Arc::clone(&links),
                secondary: Arc::default(),
            }),
            epochs: Epochs::new(READERS_MAX),
        });
        let writer = Self {
            store: Arc::clone(&store),
            tables,
            allocator: Allocator::new(),
            next_client: 0,
            free_clients: Vec::new(),
            garbage: Vec::new(),
            gained: None,
            hook: Hook::default(),
            retired: VecDeque::new(),
            links,
            secondary_indexes: SecondaryIndexes::default(),
            secondary: Arc::default(),
            extractor: Extractor::default(),
            is_incomplete: false,
            next_is_incomplete: false,
            oversized: Oversized::default(),
            written: Written::default(),
            doubts: Doubts::default(),
            unpacked: Unpacked::default(),
            observers: Vec::new(),
            report: Report::default(),
            moved: Unpacked::default(),
            words: Vec::new(),
            packer: Packer::default(),
        };
        (writer, store)
    }

    /// The links.
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Replaces the links.
    pub fn set_links(&mut self, links: Links) {
        // Built before the switch, so that no reader finds links without their index.
        self.secondary = Arc::new(self.secondary.with_links(&self.tables, &links));
        let former = std::mem::replace(&mut self.links, Arc::new(links));
        self.swap();
        self.report_links(&former);
    }

    /// Tells observers if these are not the links that readers see now.
    fn report_links(&mut self, former: &Links) {
        // Thousands of subnets are compared for observers only.
        if !self.observers.is_empty() && !former.are_same(&self.links) {
            self.observers.iter_mut().for_each(|observer| observer.links_replaced());
        }
    }

    /// Reports all changes from now on to this observer, too.
    pub fn observe(&mut self, observer: Box<dyn ChangeObserver>) {
        self.observers.push(observer);
    }

    /// Says whether the source holds leases that readers cannot find here, until this is called again or the
    /// next snapshot is published.
    pub fn set_incomplete(&mut self, is_incomplete: bool) {
        // Written only when it changes: every lookup reads the line.
        if self.is_incomplete != is_incomplete {
            self.is_incomplete = is_incomplete;
            self.tables.incomplete.store(is_incomplete, Ordering::Relaxed);
        }
    }

    /// Says whether the next snapshot is incomplete from the beginning.
    pub fn set_next_incomplete(&mut self, is_incomplete: bool) {
        self.next_is_incomplete = is_incomplete;
    }

    /// Replaces all leases by those of these batches, one after the other, and the links if there are new
    /// ones.
    ///
    /// Readers see the old leases and links until the new ones are complete; both take memory meanwhile.
    pub fn replace(&mut self, batches: &[Batch], links: Option<Links>) -> Applied {
        let loader = Loader::with_limits(self.tables.limits);
        let mut first = 0;
        for batch in batches {
            loader.take(first, batch);
            first += batch.len() as u64;
        }
        self.replace_by(loader, links)
    }

    /// Replaces all leases by those of this loader, as [`Self::replace`] does.
    pub fn replace_by(&mut self, loader: Loader, links: Option<Links>) -> Applied {
        let built = loader.build();
        // Changes on the way to the snapshot are not visible yet.
        let mut observers = std::mem::take(&mut self.observers);
        // Memory of the old generation is freed with it, so its lists are dropped.
        self.allocator = built.allocator;
        self.next_client = built.next_client;
        self.free_clients = built.free_clients;
        // Retired runs belong to the old arena.
        self.retired.clear();
        // Templates of the old generation lie in its arena.
        self.packer.clear();
        // Built when all rows are in: keeping it up on the way costs more.
        self.secondary = Arc::default();
        let tables = Arc::new(built.tables);
        // Readers of the new generation have seen nothing yet that could be missed.
        self.gained = None;
        self.oversized = Oversized::of(&tables, built.oversized);
        observers.iter_mut().for_each(|observer| observer.will_change());
        // Kept until observers have compared both generations.
        let old_written = std::mem::take(&mut self.written);
        self.doubts = Doubts::default();
        self.shrink_loaded(&tables);
        // The flag is taken: the snapshot after this one starts anew.
        self.is_incomplete = std::mem::take(&mut self.next_is_incomplete);
        tables.incomplete.store(self.is_incomplete, Ordering::Relaxed);
        let old_tables = std::mem::replace(&mut self.tables, tables);
        // Applied before readers see the tables, so no doubt is ever shown late.
        self.apply_remaining(built.remaining);
        let applied = Applied { put: self.tables.lease_count(), removed: 0 };
        // Links change with the leases, so that they always fit each other.
        let links = links.map_or_else(|| Arc::clone(&self.links), Arc::new);
        let old_links = std::mem::replace(&mut self.links, links);
        // Built from the final tables and links.
        self.build_secondary();
        self.swap();
        let old = Side { tables: &old_tables, written: &old_written };
        let new = Side { tables: &self.tables, written: &self.written };
        // Observers hear of the change when readers can see it.
        let has_new_links = !observers.is_empty() && !old_links.are_same(&self.links);
        for observer in &mut observers {
            // Links first: an observer that begins again by them need not follow the difference.
            if has_new_links {
                observer.links_replaced();
            }
            observer.replaced(&Difference::new(old, new));
        }
        self.observers = observers;
        applied
    }

    /// Applies the rows that a load set aside.
    fn apply_remaining(&mut self, remaining: Remaining) {
        let mut formers = FastMap::<_, Vec<_>>::default();
        for (address, duid) in remaining.formers {
            formers.entry(address).or_default().push(duid);
        }
        for batch in remaining.batches {
            self.apply_after(&batch, &mut formers);
        }
    }

    /// Publishes tables and links, and frees the old ones here, so that no reader is the last to drop them.
    fn swap(&self) {
        let number = self.store.current.load().number + 1;
        let next = Generation {
            number,
            tables: Arc::clone(&self.tables),
            links: Arc::clone(&self.links),
            secondary: Arc::clone(&self.secondary),
        };
        let old = self.store.current.swap(Arc::new(next));
        // Readers that loaded the old generation may still use it.
        self.store.epochs.synchronize();
        drop(old);
    }

    /// Applies the changes of a batch; of several to one address the last counts.
    pub fn apply(&mut self, batch: &Batch) -> Applied {
        self.apply_after(batch, &mut FastMap::default())
    }

    /// Applies a batch, where leases that cannot be read were held by these clients.
    fn apply_after(&mut self, batch: &Batch, formers: &mut FastMap<u128, Vec<Duid>>) -> Applied {
        self.observers.iter_mut().for_each(|observer| observer.will_change());
        // Cloned, since steps below borrow the writer as a whole.
        let tables = Arc::clone(&self.tables);
        let mut last: FastMap<u128, usize> = FastMap::default();
        // Later rows overwrite earlier ones, so the last row of each address is left.
        last.extend(batch.rows.iter().enumerate().map(|(number, row)| (batch.key(row), number)));
        // Numbers come first: lookups of the plan need them.
        self.number_host_bits(&tables, batch, &last);
        let mut pasts = doubts::pasts(batch, &last);
        doubts::prepend(&mut pasts, formers);
        // Options are packed once, though a batch may be staged several times.
        let packed = Packed::new(batch, &tables, &mut self.allocator, &mut self.packer);
        // Each turn but the last splits a client that the batch has rows of, and none twice.
        loop {
            let mut plan = self.plan(&tables, batch, &last, &pasts);
            match self.stage_all(&tables, &packed, &plan) {
                Ok(staged) => {
                    // First: a reader that finds a length unused does not probe for it.
                    self.add_lengths(&tables, batch);
                    self.publish(&tables, &staged, &plan);
                    self.doubts.set(std::mem::take(&mut plan.doubts));
                    // Host bits are forgotten only now, as the old records were read by them.
                    self.forget_host_bits(batch, &last);
                    // Shrinking is a change of its own, after the batch is visible.
                    self.shrink_any(&tables, &staged);
                    self.report_changes(batch);
                    return plan.applied;
                }
                Err(too_large) => too_large.iter().for_each(|duid| self.split(&tables, duid)),
            }
        }
    }

    /// Tells observers of the changes that readers can see now.
    fn report_changes(&mut self, batch: &Batch) {
        let changes = Changes::new(batch, &self.report);
        self.observers.iter_mut().for_each(|observer| observer.changed(&changes));
    }

    /// Writes the new records, or returns the DUIDs of clients whose leases do not fit into one.
    fn stage_all(
        &mut self,
        tables: &Tables,
        batch: &Packed<'_>,
        plan: &Plan,
    ) -> Result<Vec<Staged>, Vec<Vec<u8>>> {
        let (mut staged, mut too_large) = (Vec::new(), Vec::new());
        // Edits are sorted by client, so each is found by bisection.
        let is_edited =
            |client: &ClientId| plan.edits.binary_search_by_key(client, |edit| edit.client).is_ok();
        // A client may change its doubt without any change of its leases.
        let marked = plan.marks.keys().filter(|client| !is_edited(client)).map(|&client| (client, &[][..]));
        let edited = plan.edits.chunk_by(|a, b| a.client == b.client).map(|edits| (edits[0].client, edits));
        // All records are written before any is published, so an error leaves no half batch.
        for (client, edits) in edited.chain(marked) {
            match self.stage(tables, batch, (client, edits), plan) {
                Ok(client) => staged.push(client),
                Err(duid) => too_large.push(duid),
            }
        }
        if too_large.is_empty() {
            return Ok(staged);
        }
        // No reader has seen the staged records.
        staged.iter().for_each(|client| self.discard(tables, client));
        Err(too_large)
    }

    /// Frees the records of a client that is not published.
    fn discard(&mut self, tables: &Tables, client: &Staged) {
        // A new client gives its number back, since no record has it.
        if client.old_record == 0 {
            self.free_clients.push(client.client);
        }
        // Both records of a late client are unpublished.
        let wide = if client.is_late() { client.first_record } else { 0 };
        for at in [client.record, wide].into_iter().filter(|&at| at != 0) {
            self.allocator.free(at, record::Client::at(&tables.arena, at).record_words());
        }
    }

    /// A number that no client has.
    fn number(&mut self) -> ClientId {
        // Numbers are reused, so that the table stays as long as the clients are many.
        self.free_clients.pop().unwrap_or_else(|| {
            // The table cannot grow, so the load ends here with an error for the operator.
            if self.next_client >= self.tables.clients.room() {
                self.tables.full().give_up();
            }
            self.next_client += 1;
            self.tables.clients.reach(self.next_client);
            self.next_client - 1
        })
    }

    /// Writes the new record or records of one client, or returns its DUID if its leases do not fit into one.
    fn stage(
        &mut self,
        tables: &Tables,
        batch: &Packed<'_>,
        (client, edits): (ClientId, &[Edit]),
        plan: &Plan,
    ) -> Result<Staged, Vec<u8>> {
        let role = plan.roles.get(&client).copied().unwrap_or_else(|| self.oversized.role(client));
        let (old_record, old) = (tables.clients.get(client).unwrap_or(0), tables.client(client));
        // The old leases are unpacked, since a record is always written as a whole.
        self.unpacked.read(old, &self.written);
        self.moved.clear();
        // Leases from other records are collected first, as they are borrowed below.
        for edit in edits {
            if let Step::Move { from } = edit.step {
                let from = tables.client(from).expect("a lease moves from a record");
                self.moved.add(from, edit.address, &self.written);
            }
        }
        let mut merge = Merge::new(&self.unpacked, &self.moved, batch, edits);
        let lease_change = merge.leases.len() as isize - old.map_or(0, record::Client::len) as isize;
        let limits = tables.limits;
        // An anchor or segment may be longer in words, as a segment's leases are few.
        let (leases_max, words_max) = match role {
            Role::Whole => (limits.leases, limits.words),
            Role::Anchor | Role::Segment { .. } => (limits.segment, WORDS_MAX),
        };
        let mark = plan.marks.get(&client);
        // A client without record is known by the row that put it in doubt.
        let known = if old.is_some() { self.unpacked.duid() } else { mark.map_or(&[][..], |mark| &mark.0) };
        let duid = merge.leases.first().map_or(known, |lease| lease.duid);
        let wholeness = self.wholeness(role, duid, mark);
        let written = &self.written;
        let (arena, allocator, words) = (&tables.arena, &mut self.allocator, &mut self.words);
        // Used twice: for the final record, and for one that shows old leases too.
        let mut write = |leases: &mut [Lease<'_>], leases_max, words_max| {
            record::sort(leases);
            match (role, leases.len()) {
                (Role::Segment { .. }, 0) => Ok(0),
                // Without leases and without doubt, a client has no record.
                (_, 0) if wholeness == Wholeness::Whole => Ok(0),
                (_, 0) => {
                    let client = (duid.len(), duid.chunks(8).map(word_of), wholeness);
                    Ok(record::write_without_leases(arena, allocator, words, client))
                }
                (_, len) if len > leases_max => Err(RecordTooLargeError),
                _ => record::write(arena, allocator, words, written, (leases, wholeness), words_max),
            }
        };
        // A record that does not fit makes the client oversized.
        let record = match write(&mut merge.leases, leases_max, words_max) {
            Ok(record) => record,
            Err(RecordTooLargeError) => {
                // A number taken for this batch is free again, as the plan is made anew.
                if old_record == 0 {
                    self.free_clients.push(client);
                }
                return Err(duid.to_vec());
            }
        };
        // Leases that must stay visible for a while need a record of their own.
        let first_record = if merge.kept.is_empty() {
            record
        } else {
            merge.leases.append(&mut merge.kept);
            write(&mut merge.leases, usize::MAX, WORDS_MAX).expect("twice a record's leases fit")
        };
        // 0 stands for no record.
        let words_of = |at| if at == 0 { 0 } else { record::Client::at(arena, at).record_words() };
        let Merge { leaving, leaving_late, entering, passing, .. } = merge;
        Ok(Staged {
            client,
            role,
            duid_hash: duid_hash(duid),
            old_record,
            first_record,
            record,
            old_words: words_of(old_record),
            words: words_of(record),
            lease_change,
            leaving,
            leaving_late,
            entering,
            passing,
        })
    }

    /// Whether a new record in this role has all leases of the client with this DUID; `mark`: the change of
    /// its doubt.
    fn wholeness(&self, role: Role, duid: &[u8], mark: Option<&(Duid, bool)>) -> Wholeness {
        match role {
            Role::Anchor | Role::Segment { .. } => Wholeness::Part,
            // A mark is newer than the table of doubts, which changes after publishing.
            Role::Whole if mark.map_or_else(|| self.doubts.has(duid), |mark| mark.1) => Wholeness::InDoubt,
            Role::Whole => Wholeness::Whole,
        }
    }

    /// Adds the prefix lengths of all leases of a batch to the trie, which mostly has them already.
    fn add_lengths(&mut self, tables: &Tables, batch: &Batch) {
        let mut edit =
            Editor { arena: &tables.arena, allocator: &mut self.allocator, garbage: &mut self.garbage };
        // Removals need no length, as they are found by their written address.
        for row in batch.rows.iter().filter(|row| !row.is_removal()) {
            tables.lengths.add(&mut edit, row.address, row.prefix_len);
        }
    }
}

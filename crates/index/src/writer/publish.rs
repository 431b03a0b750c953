//! Publishing of staged records, in the order given in `writer.rs`.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Writer;
use super::merge::Staged;
use super::plan::Plan;
use crate::arena::{Editor, Garbage};
use crate::epoch::Epoch;
use crate::lease::address_hash;
use crate::record;
use crate::tables::Tables;

/// Hook by which tests run readers between two steps; empty otherwise.
#[derive(Default)]
pub(super) struct Hook {
    #[cfg(test)]
    pub(super) call: Option<Box<dyn FnMut(Moment) + Send>>,
}

/// A moment between two steps of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A word was published, or is about to be.
    Step,
    /// The writer waits for a grace period.
    Waiting,
}

impl Hook {
    #[inline(always)]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests use it"))]
    fn at(&mut self, _moment: Moment) {
        #[cfg(test)]
        if let Some(call) = &mut self.call {
            call(_moment);
        }
    }
}

impl Writer {
    /// Does the steps given in `writer.rs`, but for the trie.
    pub(super) fn publish(&mut self, tables: &Tables, staged: &[Staged], plan: &Plan) {
        // A reader that missed a new lease must not find its former neighbour gone, too.
        if plan.has_losses
            && let Some(gained) = self.gained.take()
        {
            self.wait_until(gained);
        }
        // Before records: a scan by key must not miss a client that has the key.
        let gone = self.enter_keys(tables, staged);
        for client in staged {
            for &address in &client.leaving {
                self.leave(tables, client, address);
            }
            // A client that is left must not be found with an empty record.
            if client.first_record == 0 && client.is_known_by_duid() {
                self.leave_duids(tables, client);
            }
            tables.clients.set(client.client, client.first_record);
            self.hook.at(Moment::Step);
        }
        // After records: a map never leads to a record without the lease.
        self.enter(tables, staged);
        // Without late changes there is nothing to wait for.
        if staged.iter().any(Staged::is_late) {
            let epoch = self.store.epochs.advance();
            self.wait_until(epoch);
        }
        for client in staged.iter().filter(|client| client.is_late()) {
            for &address in &client.leaving_late {
                self.leave(tables, client, address);
            }
            if client.record == 0 && client.is_known_by_duid() {
                self.leave_duids(tables, client);
            }
            tables.clients.set(client.client, client.record);
            self.hook.at(Moment::Step);
        }
        // Keys of old records go last: a scan may come once too often, never too rarely.
        self.leave_keys(&gone);
        count(tables, staged);
        // After all stores: readers of later epochs cannot reach the unlinked records.
        let epoch = self.retire(tables, staged);
        if plan.has_gains {
            // The next loss has to wait until readers have seen these gains.
            self.gained = Some(epoch);
        }
        self.oversized.note(tables, staged, plan);
        // Reclaimed at the end, so that the epoch just begun can pass meanwhile.
        self.reclaim(tables);
    }

    /// Enters new leases and clients in the maps, and passes leases to other clients.
    fn enter(&mut self, tables: &Tables, staged: &[Staged]) {
        let mut edit =
            Editor { arena: &tables.arena, allocator: &mut self.allocator, garbage: &mut self.garbage };
        for client in staged {
            for &address in &client.entering {
                tables.addresses.insert(&mut edit, hash(address), client.client);
                self.hook.at(Moment::Step);
            }
            for &(address, to) in &client.passing {
                // One store hands the slot over, so no probe misses both.
                let passed = tables.addresses.hand_over(edit.arena, hash(address), client.client, to);
                passed.expect("a record's leases are in the map");
                self.hook.at(Moment::Step);
            }
            // A new client is found by DUID only when its record is there.
            if client.old_record == 0 && client.is_known_by_duid() {
                tables.duids.insert(&mut edit, client.duid_hash, client.client);
                self.hook.at(Moment::Step);
            }
        }
    }

    fn leave(&mut self, tables: &Tables, client: &Staged, address: Ipv6Addr) {
        let removed = tables.addresses.remove(&tables.arena, hash(address), client.client);
        removed.expect("a record's leases are in the map");
        self.hook.at(Moment::Step);
    }

    fn leave_duids(&mut self, tables: &Tables, client: &Staged) {
        let removed = tables.duids.remove(&tables.arena, client.duid_hash, client.client);
        removed.expect("a client with a record is in the map");
        self.hook.at(Moment::Step);
    }

    /// Waits until every reader has passed a quiescent point since: at most as long as a batch of lookups
    /// takes.
    fn wait_until(&mut self, epoch: Epoch) {
        while !self.store.epochs.passed(epoch) {
            self.hook.at(Moment::Waiting);
            // A reader's batch takes microseconds, so sleeping would be longer.
            std::thread::yield_now();
        }
    }

    /// Queues the memory that this batch unlinked, to be reused after a grace period.
    fn retire(&mut self, tables: &Tables, staged: &[Staged]) -> Epoch {
        let mut garbage = std::mem::take(&mut self.garbage);
        for client in staged {
            let wide = if client.is_late() { client.first_record } else { 0 };
            // The wide record was visible too, and waits like the old one.
            for at in [client.old_record, wide].into_iter().filter(|&at| at != 0) {
                garbage.push(Garbage { at, words: record::Client::at(&tables.arena, at).record_words() });
            }
        }
        // Numbers wait with the memory, as readers may hold them.
        let gone = staged.iter().filter(|client| client.record == 0).map(|client| client.client).collect();
        let epoch = self.store.epochs.advance();
        self.retired.push_back((epoch, garbage, gone));
        epoch
    }

    /// Frees the memory that no reader can hold any more.
    fn reclaim(&mut self, tables: &Tables) {
        while let Some((_, garbage, clients)) =
            // Epochs pass in order, so the first that has not passed ends the walk.
            self.retired.pop_front_if(|(epoch, ..)| self.store.epochs.passed(*epoch))
        {
            garbage.iter().for_each(|run| self.allocator.free(run.at, run.words));
            self.free_clients.extend(clients);
        }
        // Joining frees memory to the system only when much is idle.
        self.allocator.join_if_idle(&tables.arena);
    }
}

fn hash(address: Ipv6Addr) -> u64 {
    address_hash(address.into())
}

/// Keeps the counts of leases and clients.
fn count(tables: &Tables, staged: &[Staged]) {
    let leases = staged.iter().map(|client| client.lease_change).sum();
    let clients = |client: &Staged| isize::from(client.record != 0) - isize::from(client.old_record != 0);
    let known = staged.iter().filter(|client| client.is_known_by_duid());
    // One writer: a load and a store are as good as one step.
    let add = |count: &AtomicUsize, change| {
        count.store(count.load(Ordering::Relaxed).wrapping_add_signed(change), Ordering::Relaxed);
    };
    add(&tables.counts.leases, leases);
    add(&tables.counts.clients, known.map(clients).sum());
}

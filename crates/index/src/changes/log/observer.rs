//! The observer that fills the change log.

use super::chunk::Piece;
use super::entry::LoggedLease;
use super::unreadable::{Remembered, Unreadable};
use super::{ChangeLog, OCTETS_MAX};
use crate::changes::{ChangeObserver, Changes, Difference, FormerLease, LeaseChange, RemovedLease};
use crate::lease::{Lease, mask};
use crate::options::relay_data_of;
use crate::removal::RemovalReason;

/// Appends the changes of a writer to a log.
pub(super) struct LogObserver {
    log: ChangeLog,
    piece: Piece,
    unreadable: Unreadable,
    has_begun: bool,
    /// Second up to which the ends of leases were in the log before the changes at hand.
    ends_told: u32,
}

impl LogObserver {
    pub(super) fn new(log: ChangeLog) -> Self {
        let (piece, unreadable) = Default::default();
        Self { log, piece, unreadable, has_begun: false, ends_told: 0 }
    }

    /// Begins the log with the first event; returns whether this is the first one.
    fn begin(&mut self) -> bool {
        let is_first = !self.has_begun;
        if is_first {
            self.log.restart();
            self.has_begun = true;
        }
        is_first
    }

    fn take(&mut self, change: &LeaseChange<'_>) {
        match change {
            LeaseChange::Put { lease, former } => match self.unreadable.take(lease.address) {
                Some(held) => self.put_readable(lease, &held),
                None => self.put(lease, *former),
            },
            LeaseChange::Removed(removed) if removed.duid.is_empty() => {
                // A lease that was never readable was never told to readers of the log.
                if let Some(held) = self.unreadable.take(removed.address) {
                    let RemovedLease { reason, time, .. } = *removed;
                    self.remove(&RemovedLease { reason, time, ..held.lease() });
                }
            }
            // A lease that was over before it was removed has left its readers already.
            LeaseChange::Removed(removed) if removed.ends.is_some_and(|end| end <= self.ends_told) => {}
            LeaseChange::Removed(removed) => self.remove(removed),
            LeaseChange::Unreadable { before, .. } => {
                if before.is_some_and(|before| self.unreadable.remember(&before)) {
                    self.piece.lost();
                }
            }
        }
        // Large snapshots go piece by piece, so that the lock is held for one at a time.
        if self.piece.len() >= OCTETS_MAX {
            self.flush();
        }
    }

    fn put(&mut self, lease: &Lease<'_>, former: Option<FormerLease<'_>>) {
        let &Lease { duid, prefix_len, kind, subnet_id, cltt, .. } = lease;
        let address = lease.first().into();
        let reason = None;
        let logged = LoggedLease { duid, address, prefix_len, kind, subnet_id, cltt, reason, former };
        self.piece.lease(&logged, Some(cltt));
    }

    /// Puts a lease that could not be read till now, and that this client held before.
    fn put_readable(&mut self, lease: &Lease<'_>, held: &Remembered) {
        let before = held.lease();
        if (before.duid, before.prefix_len, before.kind) != (lease.duid, lease.prefix_len, lease.kind) {
            self.remove(&RemovedLease { reason: RemovalReason::Replaced, time: Some(lease.cltt), ..before });
            return self.put(lease, None);
        }
        let now = FormerLease { subnet_id: lease.subnet_id, relay_data: relay_data_of(lease.options) };
        self.put(lease, Some(before.former).filter(|&former| former != now));
    }

    fn remove(&mut self, removed: &RemovedLease<'_>) {
        let &RemovedLease { duid, prefix_len, kind, former, cltt, reason, time, .. } = removed;
        // Readers of the index know a prefix by its first address, without host bits.
        let address = (u128::from(removed.address) & mask(prefix_len)).into();
        let (subnet_id, former, reason) = (former.subnet_id, Some(former), Some(reason));
        let logged = LoggedLease { duid, address, prefix_len, kind, subnet_id, cltt, reason, former };
        self.piece.lease(&logged, time);
    }

    fn flush(&mut self) {
        self.log.append(&self.piece);
        self.piece.clear();
    }
}

impl ChangeObserver for LogObserver {
    fn will_change(&mut self) {
        // Read before readers see the changes: an expiry told by then was told of a lease still there.
        self.ends_told = self.log.ends_told();
    }

    fn changed(&mut self, changes: &Changes<'_>) {
        self.begin();
        changes.iter().for_each(|change| self.take(&change));
        self.flush();
    }

    fn replaced(&mut self, difference: &Difference<'_>) {
        // Readers of the log begin with the leases of the first snapshot.
        if self.begin() {
            return;
        }
        difference.for_each(|change| self.take(&change));
        self.flush();
    }

    fn links_replaced(&mut self) {
        // Links from before the log are no change.
        if self.has_begun {
            self.piece.links_replaced();
            self.flush();
        }
    }
}

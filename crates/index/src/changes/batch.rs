//! Changes of a batch: its last row for each address, beside the lease that was there before.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::{LeaseChange, RemovedLease};
use crate::lease::{Batch, Change};
use crate::record::{Binding, Client};
use crate::removal::RemovalReason;

/// Effective rows of a batch; kept from batch to batch to save allocations.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<ReportedRow>,
    /// DUIDs of former holders, one after the other.
    duids: Vec<u8>,
}

/// A row that counts.
struct ReportedRow {
    row: usize,
    former: Option<Former>,
}

/// The lease that the index had for the row's address.
struct Former {
    binding: Binding,
    duid: Range<usize>,
}

impl Report {
    /// Forgets the rows of the batch before.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.duids.clear();
    }

    /// Adds the last row of an address, and the lease that it replaces or removes.
    pub(crate) fn add(&mut self, row: usize, former: Option<(Client<'_>, Binding)>) {
        let former = former.map(|(client, binding)| {
            // DUIDs are copied, since the record is freed before the observer is called.
            let start = self.duids.len();
            self.duids.resize(start + client.duid_len(), 0);
            client.copy_duid(&mut self.duids[start..]);
            Former { binding, duid: start..self.duids.len() }
        });
        self.rows.push(ReportedRow { row, former });
    }

    /// Brings the rows, which come in no order, into that of their source.
    pub(crate) fn sort(&mut self) {
        // Maps iterate in no order, and observers are promised that of the source.
        self.rows.sort_unstable_by_key(|row| row.row);
    }
}

/// Changes that one batch made, in the order of its rows: each address at most once as put, and once as
/// removed.
pub struct Changes<'a> {
    batch: &'a Batch,
    report: &'a Report,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(batch: &'a Batch, report: &'a Report) -> Self {
        Self { batch, report }
    }

    /// Each change.
    pub fn iter(&self) -> impl Iterator<Item = LeaseChange<'a>> + use<'a> {
        let (batch, report) = (self.batch, self.report);
        report.rows.iter().flat_map(move |row| changes_of(batch, &report.duids, row)).flatten()
    }
}

/// The removal of the lease that was there, then the new one.
fn changes_of<'a>(
    batch: &'a Batch,
    duids: &'a [u8],
    ReportedRow { row, former }: &'a ReportedRow,
) -> [Option<LeaseChange<'a>>; 2] {
    let former = former.as_ref().map(|Former { binding, duid }| (&duids[duid.clone()], binding));
    match batch.change(&batch.rows[*row]) {
        Change::Put(lease) => {
            // A renewal is no removal, though it replaces the record.
            let replaced = former.filter(|&(duid, former)| {
                let is_same = duid == lease.duid && is_same_prefix(former, lease.prefix_len, lease.kind);
                // An unreadable lease has no DUID, and its end tells an observer nothing.
                !duid.is_empty() && !is_same
            });
            let removed = replaced.map(|(duid, former)| {
                removed(duid, lease.address, former, RemovalReason::Replaced, Some(lease.cltt))
            });
            [removed, Some(LeaseChange::Put(lease))]
        }
        Change::Remove(removal) => {
            let removed = former
                .map(|(duid, former)| removed(duid, removal.address, former, removal.reason, removal.time));
            [removed, None]
        }
        Change::Unreadable { address, prefix_len, duid } => {
            [Some(LeaseChange::Unreadable { address, prefix_len, duid }), None]
        }
    }
}

pub(super) fn is_same_prefix(former: &Binding, prefix_len: u8, kind: crate::LeaseKind) -> bool {
    (former.prefix_len, former.kind) == (prefix_len, kind)
}

pub(super) fn removed<'a>(
    duid: &'a [u8],
    address: Ipv6Addr,
    former: &Binding,
    reason: RemovalReason,
    time: Option<u32>,
) -> LeaseChange<'a> {
    let &Binding { prefix_len, kind, subnet_id, cltt, .. } = former;
    LeaseChange::Removed(RemovedLease { duid, address, prefix_len, kind, subnet_id, cltt, reason, time })
}

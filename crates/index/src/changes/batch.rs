//! Changes of a batch: its last row for each address, beside the lease that was there before.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::{FormerLease, LeaseChange, RemovedLease};
use crate::lease::{Action, Batch, Change};
use crate::options::{copy_relay_data, relay_data_of};
use crate::record::{Binding, Client};
use crate::removal::RemovalReason;

/// Effective rows of a batch; kept from batch to batch to save allocations.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<ReportedRow>,
    /// DUIDs and relay data of former leases, one after the other.
    octets: Vec<u8>,
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
    /// Value of its relay data; `None`: that of the new lease, which is the same client's.
    relay_data: Option<Range<usize>>,
}

impl Report {
    /// Forgets the rows of the batch before.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.octets.clear();
    }

    /// Adds the last row of an address, and the lease that it replaces or removes.
    pub(crate) fn add(&mut self, batch: &Batch, row: usize, former: Option<(Client<'_>, Binding)>) {
        let former = former.map(|(client, binding)| self.copy(batch, row, client, binding));
        self.rows.push(ReportedRow { row, former });
    }

    /// Copies a lease, since its record is freed before the observer is called.
    fn copy(&mut self, batch: &Batch, row: usize, client: Client<'_>, binding: Binding) -> Former {
        let start = self.octets.len();
        self.octets.resize(start + client.duid_len(), 0);
        client.copy_duid(&mut self.octets[start..]);
        let duid = start..self.octets.len();
        copy_relay_data(client, &binding, &mut self.octets);
        let mut relay_data = Some(duid.end..self.octets.len());
        let new = &batch.rows[row];
        // The usual row is a renewal, whose relay data is that of the row.
        if new.action == Action::Put
            && self.octets[duid.clone()] == *batch.duid(new)
            && self.octets[duid.end..] == *relay_data_of(batch.options(new))
        {
            self.octets.truncate(duid.end);
            relay_data = None;
        }
        Former { binding, duid, relay_data }
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
        report.rows.iter().flat_map(move |row| changes_of(batch, &report.octets, row)).flatten()
    }
}

/// The removal of the lease that was there, then the new one.
fn changes_of<'a>(
    batch: &'a Batch,
    octets: &'a [u8],
    ReportedRow { row, former }: &'a ReportedRow,
) -> [Option<LeaseChange<'a>>; 2] {
    let row = &batch.rows[*row];
    let held = former.as_ref().map(|Former { binding, duid, relay_data }| {
        let relay_data = match relay_data {
            Some(range) => &octets[range.clone()],
            None => relay_data_of(batch.options(row)),
        };
        Held { duid: &octets[duid.clone()], binding, relay_data }
    });
    match batch.change(row) {
        Change::Put(lease) => {
            // A renewal is no removal, though it replaces the record.
            let is_same = |held: &Held<'_>| {
                held.duid == lease.duid && is_same_prefix(held.binding, lease.prefix_len, lease.kind)
            };
            // An unreadable lease has no DUID, and its end tells an observer nothing.
            let replaced = held.filter(|held| !held.duid.is_empty() && !is_same(held));
            let removed =
                replaced.map(|held| held.removed(lease.address, RemovalReason::Replaced, Some(lease.cltt)));
            let is_kept = |held: &Held<'_>| is_same(held) && held.differs(lease.subnet_id, former.as_ref());
            let former = held.filter(is_kept).map(Held::former);
            [removed.map(LeaseChange::Removed), Some(LeaseChange::Put { lease, former })]
        }
        Change::Remove(removal) => {
            let removed = held.map(|held| held.removed(removal.address, removal.reason, removal.time));
            [removed.map(LeaseChange::Removed), None]
        }
        Change::Unreadable { address, prefix_len, duid } => {
            let before = held.filter(|held| !held.duid.is_empty());
            let before = before.map(|held| held.removed(address, RemovalReason::Gone, None));
            [Some(LeaseChange::Unreadable { address, prefix_len, duid, before }), None]
        }
    }
}

/// A lease from before a change.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) duid: &'a [u8],
    pub(super) binding: &'a Binding,
    pub(super) relay_data: &'a [u8],
}

pub(super) fn is_same_prefix(former: &Binding, prefix_len: u8, kind: crate::LeaseKind) -> bool {
    (former.prefix_len, former.kind) == (prefix_len, kind)
}

impl<'a> Held<'a> {
    pub(super) fn former(self) -> FormerLease<'a> {
        FormerLease { subnet_id: self.binding.subnet_id, relay_data: self.relay_data }
    }

    /// Whether it was in another subnet than the new lease of its client, or had other relay data.
    fn differs(self, subnet_id: u32, former: Option<&Former>) -> bool {
        self.binding.subnet_id != subnet_id || former.is_some_and(|former| former.relay_data.is_some())
    }

    pub(super) fn removed(
        self,
        address: Ipv6Addr,
        reason: RemovalReason,
        time: Option<u32>,
    ) -> RemovedLease<'a> {
        let &Binding { prefix_len, kind, cltt, .. } = self.binding;
        let (duid, former, ends) = (self.duid, self.former(), self.binding.ends());
        RemovedLease { duid, address, prefix_len, kind, former, cltt, ends, reason, time }
    }
}

//! Leases of one client before and after a batch.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::arena::{Address, Allocator};
use crate::clients::ClientId;
use crate::lease::{Batch, Lease, Row};
use crate::options::Packer;
use crate::record::Unpacked;
use crate::tables::Tables;

/// A batch whose options are blocks of records.
pub(super) struct Packed<'b> {
    pub(super) batch: &'b Batch,
    octets: Vec<u8>,
    /// Range of each row in `octets`.
    blocks: Vec<Range<usize>>,
}

impl<'b> Packed<'b> {
    pub(super) fn new(
        batch: &'b Batch,
        tables: &Tables,
        allocator: &mut Allocator,
        packer: &mut Packer,
    ) -> Self {
        let mut octets = Vec::new();
        // Templates are entered on the way, so the packer needs the tables.
        let pack = |row: &Row| {
            let start = octets.len();
            packer.pack((&tables.templates, &tables.arena), allocator, batch.options(row), &mut octets);
            start..octets.len()
        };
        let blocks = batch.rows.iter().map(pack).collect();
        Self { batch, octets, blocks }
    }

    /// The first address of the lease in a row.
    fn first(&self, row: usize) -> Ipv6Addr {
        self.batch.rows[row].address.into()
    }

    /// The lease in a row that is not a removal.
    fn lease(&self, row: usize) -> Lease<'_> {
        Lease { options: &self.octets[self.blocks[row].clone()], ..self.batch.lease(&self.batch.rows[row]) }
    }
}

/// Change of one address for one client.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    pub(super) client: ClientId,
    /// Address as written.
    pub(super) address: Ipv6Addr,
    pub(super) step: Step,
}

/// Change of the client's lease on the address.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The lease is now that of this row of the batch; `late`: until the grace period is over, the record
    /// shows both.
    Put { row: usize, late: bool },
    /// The lease is now that of this row, and passes from another client, in its slot of the map or not.
    TakeOver { row: usize, in_place: bool },
    /// The lease passes from another record of the same client, in its slot of the map.
    Move { from: ClientId },
    /// The lease is removed; `late`: after the grace period.
    Drop { late: bool },
    /// The lease passes to this other client.
    HandOver { to: ClientId, in_place: bool },
}

impl Step {
    /// The row whose lease is put.
    pub(super) fn row(self) -> Option<usize> {
        match self {
            Self::Put { row, .. } | Self::TakeOver { row, .. } => Some(row),
            Self::Move { .. } | Self::Drop { .. } | Self::HandOver { .. } => None,
        }
    }
}

/// Old and new leases of one client.
pub(super) struct Merge<'a> {
    /// Leases after the batch.
    pub(super) leases: Vec<Lease<'a>>,
    /// Leases that its record must still show until the grace period is over.
    pub(super) kept: Vec<Lease<'a>>,
    /// First addresses that leave the map.
    pub(super) leaving: Vec<Ipv6Addr>,
    /// First addresses that leave the map after the grace period.
    pub(super) leaving_late: Vec<Ipv6Addr>,
    /// First addresses that are not in the map yet.
    pub(super) entering: Vec<Ipv6Addr>,
    /// First addresses that lead to this client and must lead to another.
    pub(super) passing: Vec<(Ipv6Addr, ClientId)>,
}

impl<'a> Merge<'a> {
    /// `edits` are this client's, ascending by address, each address once; `moved` are the leases that they
    /// move to it.
    pub(super) fn new(old: &'a Unpacked, moved: &'a Unpacked, batch: &'a Packed<'_>, edits: &[Edit]) -> Self {
        let mut merge = Self {
            leases: Vec::with_capacity(edits.len() + 2),
            kept: Vec::new(),
            leaving: Vec::new(),
            leaving_late: Vec::new(),
            entering: Vec::new(),
            passing: Vec::new(),
        };
        // Edits whose address had a lease before: those leases are in the map already.
        let mut known = vec![false; edits.len()];
        for lease in old.leases() {
            // Edits are in order, so that each old lease finds its own by bisection.
            match edits.binary_search_by_key(&lease.address, |edit| edit.address) {
                Ok(at) => {
                    known[at] = true;
                    merge.change(lease, edits[at].step, batch);
                }
                // Leases without a change stay as they are.
                Err(_) => merge.leases.push(lease),
            }
        }
        for (edit, known) in edits.iter().zip(known) {
            let Some(row) = edit.step.row() else { continue };
            // In place, the slot is handed over and never entered.
            if !known && !matches!(edit.step, Step::TakeOver { in_place: true, .. }) {
                merge.entering.push(batch.first(row));
            }
            merge.leases.push(batch.lease(row));
        }
        merge.leases.extend(moved.leases());
        merge
    }

    /// Applies the change of an old lease.
    fn change(&mut self, lease: Lease<'a>, step: Step, batch: &Packed<'_>) {
        let address = lease.first().into();
        let is_kept = match step {
            Step::Put { row, late } => {
                // A longer or shorter prefix of the same written address begins elsewhere.
                // With host bits, another length is another first address.
                if batch.first(row) != address {
                    let leaving = if late { &mut self.leaving_late } else { &mut self.leaving };
                    leaving.push(address);
                    self.entering.push(batch.first(row));
                }
                late
            }
            // The new lease comes from the batch or the other record, so the old one goes.
            Step::TakeOver { .. } | Step::Move { .. } => false,
            Step::Drop { late } => {
                let leaving = if late { &mut self.leaving_late } else { &mut self.leaving };
                leaving.push(address);
                late
            }
            Step::HandOver { to, in_place: true } => {
                // The slot keeps leading somewhere at every moment.
                self.passing.push((address, to));
                true
            }
            Step::HandOver { in_place: false, .. } => {
                // Both records have the lease until readers can see the new one.
                self.leaving_late.push(address);
                true
            }
        };
        if is_kept {
            self.kept.push(lease);
        }
    }
}

/// Role of a record (`DESIGN.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// All leases of its client.
    Whole,
    /// No leases of an oversized client; the map by DUID leads to it.
    Anchor,
    /// Some leases of an oversized client.
    Segment { anchor: ClientId },
}

/// A client whose new record is written but not published.
pub(super) struct Staged {
    pub(super) client: ClientId,
    /// Role of the new record; of the old one, too, unless the client becomes oversized or ceases to be.
    pub(super) role: Role,
    pub(super) duid_hash: u64,
    /// 0: it had none.
    pub(super) old_record: Address,
    /// Record to publish at once: a superset of `record` if leases must be shown until the grace period is
    /// over. 0: no lease is left.
    pub(super) first_record: Address,
    /// Record to publish after the grace period. 0: no lease is left.
    pub(super) record: Address,
    /// Words of `old_record` and of `record`.
    pub(super) old_words: usize,
    pub(super) words: usize,
    /// Leases more than before.
    pub(super) lease_change: isize,
    pub(super) leaving: Vec<Ipv6Addr>,
    pub(super) leaving_late: Vec<Ipv6Addr>,
    pub(super) entering: Vec<Ipv6Addr>,
    pub(super) passing: Vec<(Ipv6Addr, ClientId)>,
}

impl Staged {
    /// Whether the map by DUID leads to the client's record, if it has one.
    pub(super) fn is_known_by_duid(&self) -> bool {
        // Only the anchor stands in the map by DUID.
        !matches!(self.role, Role::Segment { .. })
    }

    /// Whether something is left to do after the grace period.
    pub(super) fn is_late(&self) -> bool {
        self.first_record != self.record
    }
}

//! One client's leases before and after a batch.

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
    /// Of each row in `octets`.
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

/// One address's change for one client.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    pub(super) client: ClientId,
    /// As written.
    pub(super) address: Ipv6Addr,
    pub(super) step: Step,
}

/// What happens to the client's lease on the address.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// It is now that of this row of the batch; `late`: until readers have looked away, the record shows both.
    Put { row: usize, late: bool },
    /// It is now that of this row, and another client hands it over, in its slot of the map or not.
    TakeOver { row: usize, in_place: bool },
    /// It is now the lease that another record of the same client has, and passes in its slot of the map.
    Move { from: ClientId },
    /// It is gone; `late`: when readers have looked away.
    Drop { late: bool },
    /// It is this other client's now.
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

/// The leases of one client, old and new held against each other.
pub(super) struct Merge<'a> {
    /// What the client has after the batch.
    pub(super) leases: Vec<Lease<'a>>,
    /// What its record must still show until readers have looked away.
    pub(super) kept: Vec<Lease<'a>>,
    /// First addresses that leave the map.
    pub(super) leaving: Vec<Ipv6Addr>,
    /// First addresses that leave the map when readers have looked away.
    pub(super) leaving_late: Vec<Ipv6Addr>,
    /// First addresses that are not in the map yet.
    pub(super) entering: Vec<Ipv6Addr>,
    /// First addresses that lead to this client and must lead to another.
    pub(super) passing: Vec<(Ipv6Addr, ClientId)>,
}

impl<'a> Merge<'a> {
    /// `edits` are this client's, ascending by address, each address once; `moved` are the leases that they move to it.
    pub(super) fn new(old: &'a Unpacked, moved: &'a Unpacked, batch: &'a Packed<'_>, edits: &[Edit]) -> Self {
        let mut merge = Self {
            leases: Vec::with_capacity(edits.len() + 2),
            kept: Vec::new(),
            leaving: Vec::new(),
            leaving_late: Vec::new(),
            entering: Vec::new(),
            passing: Vec::new(),
        };
        // Whether it had a lease on an address.
        let mut known = vec![false; edits.len()];
        for lease in old.leases() {
            match edits.binary_search_by_key(&lease.address, |edit| edit.address) {
                Ok(at) => {
                    known[at] = true;
                    merge.change(lease, edits[at].step, batch);
                }
                Err(_) => merge.leases.push(lease),
            }
        }
        for (edit, known) in edits.iter().zip(known) {
            let Some(row) = edit.step.row() else { continue };
            if !known && !matches!(edit.step, Step::TakeOver { in_place: true, .. }) {
                merge.entering.push(batch.first(row));
            }
            merge.leases.push(batch.lease(row));
        }
        merge.leases.extend(moved.leases());
        merge
    }

    /// Takes note of an old lease that changes.
    fn change(&mut self, lease: Lease<'a>, step: Step, batch: &Packed<'_>) {
        let address = lease.first().into();
        let is_kept = match step {
            Step::Put { row, late } => {
                // With host bits, another length is another first address.
                if batch.first(row) != address {
                    let leaving = if late { &mut self.leaving_late } else { &mut self.leaving };
                    leaving.push(address);
                    self.entering.push(batch.first(row));
                }
                late
            }
            Step::TakeOver { .. } | Step::Move { .. } => false,
            Step::Drop { late } => {
                let leaving = if late { &mut self.leaving_late } else { &mut self.leaving };
                leaving.push(address);
                late
            }
            Step::HandOver { to, in_place: true } => {
                self.passing.push((address, to));
                true
            }
            Step::HandOver { in_place: false, .. } => {
                self.leaving_late.push(address);
                true
            }
        };
        if is_kept {
            self.kept.push(lease);
        }
    }
}

/// What a record is to its client (`DESIGN.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// All of it.
    Whole,
    /// What the map by DUID leads to, without leases.
    Anchor,
    /// Some of its leases.
    Segment { anchor: ClientId },
}

/// A client whose new record is written but not published.
pub(super) struct Staged {
    pub(super) client: ClientId,
    /// Of the new record, and of the old one but for a client that becomes oversized or ceases to be.
    pub(super) role: Role,
    pub(super) duid_hash: u64,
    /// 0: it had none.
    pub(super) old_record: Address,
    /// To be published at once; differs from `record` if that lacks what must be shown until readers have looked away. 0: no
    /// lease is left.
    pub(super) first_record: Address,
    /// To be published when readers have looked away. 0: no lease is left.
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
        !matches!(self.role, Role::Segment { .. })
    }

    /// Whether something is left to do when readers have looked away.
    pub(super) fn is_late(&self) -> bool {
        self.first_record != self.record
    }
}

//! One client's leases before and after a batch.

use std::net::Ipv6Addr;

use crate::arena::Address;
use crate::lease::{Batch, Lease};
use crate::record::Unpacked;
use crate::trie::{ClientId, Key};

/// One address's change for one client.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    pub(super) client: ClientId,
    pub(super) address: Ipv6Addr,
    pub(super) step: Step,
}

/// What happens to the client's lease on the address.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// It is now that of this row of the batch.
    Put(usize),
    /// It is gone.
    Drop,
    /// It is another client's now, with this prefix length.
    HandOver(u8),
}

impl Step {
    /// The row whose lease is put.
    pub(super) fn row(self) -> Option<usize> {
        if let Self::Put(row) = self { Some(row) } else { None }
    }
}

/// The leases of one client, old and new held against each other.
pub(super) struct Merge<'a> {
    /// What the client has after the batch.
    pub(super) leases: Vec<Lease<'a>>,
    /// What its record must still show until readers have looked away.
    pub(super) handed_over: Vec<Lease<'a>>,
    /// One of the leases it had, if any.
    pub(super) any_old: Option<Lease<'a>>,
    /// Keys that must leave the trie before the record changes.
    pub(super) leaving: Vec<Key>,
    /// Keys that are not in the trie yet, or lead to another client.
    pub(super) entering: Vec<Key>,
    /// Keys that must leave the trie when readers have looked away.
    pub(super) late: Vec<Key>,
}

impl<'a> Merge<'a> {
    /// `edits` are this client's, ascending by address, each address once.
    pub(super) fn new(old: &'a Unpacked, batch: &'a Batch, edits: &[Edit]) -> Self {
        let mut merge = Self {
            leases: Vec::with_capacity(edits.len() + 2),
            handed_over: Vec::new(),
            any_old: None,
            leaving: Vec::new(),
            entering: Vec::new(),
            late: Vec::new(),
        };
        let mut known = vec![false; edits.len()];
        for lease in old.leases() {
            match edits.binary_search_by_key(&lease.address, |edit| edit.address) {
                Ok(at) => known[at] = merge.change(lease, edits[at].step, batch),
                Err(_) => merge.leases.push(lease),
            }
            merge.any_old = Some(lease);
        }
        for (edit, known) in edits.iter().zip(known) {
            let Step::Put(row) = edit.step else { continue };
            let lease = batch.lease(row);
            if !known {
                merge.entering.push(key(&lease));
            }
            merge.leases.push(lease);
        }
        merge
    }

    /// Takes note of an old lease that changes; whether its key stays as it is.
    fn change(&mut self, lease: Lease<'a>, step: Step, batch: &Batch) -> bool {
        let (new_len, same_client) = match step {
            Step::Drop => {
                self.leaving.push(key(&lease));
                return false;
            }
            Step::HandOver(len) => (len, false),
            Step::Put(row) => (batch.rows[row].prefix_len, true),
        };
        let same_key = new_len == lease.prefix_len;
        if !same_key {
            self.late.push(key(&lease));
        }
        if !(same_key && same_client) {
            self.handed_over.push(lease);
        }
        same_key && same_client
    }
}

fn key(lease: &Lease<'_>) -> Key {
    Key::new(lease.address, lease.prefix_len)
}

/// A client whose new record is written but not published.
pub(super) struct Staged {
    pub(super) client: ClientId,
    pub(super) duid_hash: u64,
    /// 0: it had none.
    pub(super) old_record: Address,
    /// To be published at once; differs from `record` if an address is handed over. 0: no lease is left.
    pub(super) first_record: Address,
    /// To be published when readers have looked away. 0: no lease is left.
    pub(super) record: Address,
    /// Leases more than before.
    pub(super) lease_change: isize,
    pub(super) leaving: Vec<Key>,
    pub(super) entering: Vec<Key>,
    pub(super) late: Vec<Key>,
}

impl Staged {
    /// Whether something is left to do when readers have looked away.
    pub(super) fn is_late(&self) -> bool {
        self.first_record != self.record
    }
}

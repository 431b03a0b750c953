//! A batch's changes by client, and which of them must wait until readers have looked away.

use std::net::Ipv6Addr;

use super::merge::{Edit, Step};
use super::overlap::{Extent, contested};
use super::{Applied, FastMap, FastSet, Writer};
use crate::clients::ClientId;
use crate::lease::{Batch, INFINITY, Row};
use crate::record::Binding;
use crate::tables::Tables;

/// What a batch does to each client.
pub(super) struct Plan {
    /// By client, then by address.
    pub(super) edits: Vec<Edit>,
    pub(super) applied: Applied,
    /// Some lease leaves, shrinks or ends earlier without waiting for readers.
    pub(super) has_losses: bool,
    /// Some lease comes, grows or lasts longer.
    pub(super) has_gains: bool,
}

/// The last change of an address, and the lease that is there.
struct Found {
    address: Ipv6Addr,
    row: usize,
    old: Option<(ClientId, Binding)>,
}

/// The second that a lease ends in, whatever the clock says.
fn end(cltt: u32, valid_lifetime: u32) -> u64 {
    match valid_lifetime {
        0 => 0,
        INFINITY => u64::MAX,
        valid_lifetime => u64::from(cltt) + u64::from(valid_lifetime),
    }
}

/// Whether the lease of this row covers more than that binding, now or later; and whether it covers less.
fn compare(old: &Binding, new: &Row) -> (bool, bool) {
    let (old_end, new_end) = (end(old.cltt, old.valid_lifetime), end(new.cltt, new.valid_lifetime));
    (
        new.prefix_len < old.prefix_len || new_end > old_end,
        new.prefix_len > old.prefix_len || new_end < old_end,
    )
}

impl Writer {
    /// What each client has to change. Newcomers get a number, but no record yet.
    pub(super) fn plan(
        &mut self,
        tables: &Tables,
        batch: &Batch,
        last: &FastMap<u128, usize>,
        refused: &FastSet<usize>,
    ) -> Plan {
        let found: Vec<Found> = last
            .iter()
            .map(|(&address, &row)| Found { address: address.into(), row, old: tables.lease_from(address) })
            .collect();
        let is_removal = |row: usize| batch.rows[row].is_removal() || refused.contains(&row);
        let extents: Vec<Extent> = found
            .iter()
            .flat_map(|found| extents(found, Some(&batch.rows[found.row]).filter(|_| !is_removal(found.row))))
            .collect();
        let has_gains = extents.iter().any(|extent| extent.is_gain);
        let losses = extents.iter().filter(|extent| !extent.is_gain).count();
        let late = contested(extents);
        let mut plan = Plan {
            edits: Vec::with_capacity(found.len()),
            applied: Applied { refused: refused.len(), ..Applied::default() },
            has_losses: losses > late.len(),
            has_gains,
        };
        let mut newcomers: FastMap<&[u8], ClientId> = FastMap::default();
        for Found { address, row, old } in found {
            let late = late.contains(&u128::from(address));
            if is_removal(row) {
                plan.applied.removed += usize::from(old.is_some());
                plan.edits.extend(old.map(|(client, _)| Edit { client, address, step: Step::Drop { late } }));
                continue;
            }
            let duid = batch.duid(&batch.rows[row]);
            let known = tables.find_duid(duid);
            let client = known.unwrap_or_else(|| *newcomers.entry(duid).or_insert_with(|| self.number()));
            plan.applied.put += 1;
            match old.filter(|&(owner, _)| owner != client) {
                Some((owner, old)) => {
                    // A slot that changes hands leads to less at once; with a slot for each, readers find both.
                    let in_place = !compare(&old, &batch.rows[row]).1;
                    let step = Step::HandOver { to: client, in_place };
                    plan.edits.push(Edit { client: owner, address, step });
                    plan.edits.push(Edit { client, address, step: Step::TakeOver { row, in_place } });
                }
                None => plan.edits.push(Edit { client, address, step: Step::Put { row, late } }),
            }
        }
        plan.edits.sort_unstable_by_key(|edit| (edit.client, edit.address));
        plan
    }
}

/// What the change of an address gains and loses. A lease that passes to another client is lost late in any case.
fn extents(found: &Found, new: Option<&Row>) -> impl Iterator<Item = Extent> {
    let first = u128::from(found.address);
    let extent = |len, is_gain| Extent { first, len, is_gain };
    let (gain, loss) = match (&found.old, new) {
        (None, new) => (new.map(|new| new.prefix_len), None),
        (Some((_, old)), None) => (None, Some(old.prefix_len)),
        (Some((_, old)), Some(new)) => {
            let (gains, loses) = compare(old, new);
            (gains.then_some(new.prefix_len), loses.then_some(old.prefix_len))
        }
    };
    gain.map(|len| extent(len, true)).into_iter().chain(loss.map(|len| extent(len, false)))
}

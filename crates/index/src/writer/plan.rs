//! A batch's changes by client, and which of them must wait until readers have looked away.

use std::net::Ipv6Addr;

use super::merge::{Edit, Role, Step};
use super::overlap::{Extent, contested};
use super::{Applied, FastMap, Writer};
use crate::clients::ClientId;
use crate::lease::{Batch, INFINITY, Row};
use crate::record::Binding;
use crate::tables::Tables;

/// What a batch does to each client.
#[derive(Default)]
pub(super) struct Plan {
    /// By client, then by address.
    pub(super) edits: Vec<Edit>,
    pub(super) applied: Applied,
    /// Some lease leaves, shrinks or ends earlier without waiting for readers.
    pub(super) has_losses: bool,
    /// Some lease comes, grows or lasts longer.
    pub(super) has_gains: bool,
    /// Of the clients whose record's role is new.
    pub(super) roles: FastMap<ClientId, Role>,
    /// Where new leases of oversized clients go, by anchor.
    pub(super) places: FastMap<ClientId, Place>,
}

/// A segment with room for so many leases.
pub(super) struct Place {
    pub(super) segment: ClientId,
    room: usize,
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
    pub(super) fn plan(&mut self, tables: &Tables, batch: &Batch, last: &FastMap<u128, usize>) -> Plan {
        let found: Vec<Found> = last
            .iter()
            .map(|(&address, &row)| Found { address: address.into(), row, old: tables.lease_from(address) })
            .collect();
        let extents: Vec<Extent> =
            found.iter().flat_map(|found| extents(found, &batch.rows[found.row])).collect();
        let has_gains = extents.iter().any(|extent| extent.is_gain);
        let losses = extents.iter().filter(|extent| !extent.is_gain).count();
        let late = contested(extents);
        let mut plan = Plan { has_losses: losses > late.len(), has_gains, ..Plan::default() };
        plan.edits.reserve(found.len());
        let mut newcomers: FastMap<&[u8], ClientId> = FastMap::default();
        for Found { address, row, old } in found {
            let late = late.contains(&u128::from(address));
            let new = &batch.rows[row];
            if new.is_removal() {
                plan.applied.removed += usize::from(old.is_some());
                plan.edits.extend(old.map(|(client, _)| Edit { client, address, step: Step::Drop { late } }));
                continue;
            }
            let duid = batch.duid(new);
            let known = tables.find_duid(duid);
            let client = known.unwrap_or_else(|| *newcomers.entry(duid).or_insert_with(|| self.number()));
            plan.applied.put += 1;
            if let Some((owner, _)) = old
                && self.oversized.whole(owner) == client
            {
                plan.edits.push(Edit { client: owner, address, step: Step::Put { row, late } });
                continue;
            }
            let client = self.place(tables, client, &mut plan);
            match old {
                Some((owner, old)) => {
                    // A slot that changes hands leads to less at once; with a slot for each, readers find both.
                    let in_place = !compare(&old, new).1;
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

    /// The number whose record takes a new lease of this client: its own, or that of a segment with room.
    fn place(&mut self, tables: &Tables, client: ClientId, plan: &mut Plan) -> ClientId {
        let Some(parts) = self.oversized.parts(client) else { return client };
        let room = |segment| Some(tables.limits.segment.saturating_sub(tables.client(segment)?.len()));
        let open = || parts.open.and_then(|segment| Some(Place { segment, room: room(segment)? }));
        if !plan.places.contains_key(&client) {
            plan.places.extend(open().map(|place| (client, place)));
        }
        if let Some(place) = plan.places.get_mut(&client).filter(|place| place.room > 0) {
            place.room -= 1;
            return place.segment;
        }
        let segment = self.number();
        plan.roles.insert(segment, Role::Segment { anchor: client });
        plan.places.insert(client, Place { segment, room: tables.limits.segment - 1 });
        segment
    }
}

/// What the change of an address gains and loses. A lease that passes to another client is lost late in any case.
fn extents(found: &Found, new: &Row) -> impl Iterator<Item = Extent> + use<> {
    let new = Some(new).filter(|new| !new.is_removal());
    let first = u128::from(found.address);
    let extent = move |len, is_gain| Extent { first, len, is_gain };
    let (gain, loss) = match (&found.old, new) {
        (None, new) => (new.map(|new| new.prefix_len), None),
        (Some((_, old)), None) => (None, Some(old.prefix_len)),
        (Some((_, old)), Some(new)) => {
            let (gains, loses) = compare(old, new);
            (gains.then_some(new.prefix_len), loses.then_some(old.prefix_len))
        }
    };
    gain.map(move |len| extent(len, true)).into_iter().chain(loss.map(move |len| extent(len, false)))
}

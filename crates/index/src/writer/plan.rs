//! Changes of a batch by client, and those of them that must wait for a grace period.

use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use super::doubts::{Duid, Pasts};
use super::merge::{Edit, Role, Step};
use super::overlap::{Extent, contested};
use super::{Applied, FastMap, Writer};
use crate::clients::ClientId;
use crate::lease::{Batch, INFINITY, Row};
use crate::record::Binding;
use crate::tables::Tables;

/// Changes of a batch to each client.
#[derive(Default)]
pub(super) struct Plan {
    /// Edits by client, then by address.
    pub(super) edits: Vec<Edit>,
    pub(super) applied: Applied,
    /// Whether some lease leaves, shrinks or ends earlier without a grace period.
    pub(super) has_losses: bool,
    /// Whether some lease comes, grows or lasts longer.
    pub(super) has_gains: bool,
    /// Leases for which other clients are in doubt than before, by address as written.
    pub(super) doubts: Vec<(u128, Vec<Duid>)>,
    /// Clients that begin or cease to be in doubt: their DUID, and whether they are then.
    pub(super) marks: FastMap<ClientId, (Duid, bool)>,
    /// Roles of clients whose role is new.
    pub(super) roles: FastMap<ClientId, Role>,
    /// Segments that take new leases of oversized clients, by anchor.
    pub(super) open_segments: FastMap<ClientId, OpenSegment>,
}

/// A segment with room for `room` more leases.
pub(super) struct OpenSegment {
    pub(super) segment: ClientId,
    room: usize,
}

/// The last change of an address, and the lease that is there.
struct FoundRow {
    /// Address as written.
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
    // With host bits, another length is another first address.
    let moves = u128::from(old.address) != new.address;
    (
        moves || new.prefix_len < old.prefix_len || new_end > old_end,
        moves || new.prefix_len > old.prefix_len || new_end < old_end,
    )
}

impl Writer {
    /// Plans the changes of each client. New clients get a number, but no record yet.
    pub(super) fn plan(
        &mut self,
        tables: &Tables,
        batch: &Batch,
        last: &FastMap<u128, usize>,
        pasts: &Pasts,
    ) -> Plan {
        let found = last.iter().map(|(&address, &row)| {
            // Found by the written address, which is the key of the source.
            let (first, number) = self.written.place(address);
            FoundRow { address: address.into(), row, old: tables.lease_from(first, number) }
        });
        let found: Vec<FoundRow> = found.collect();
        // Observers need the old lease, which is gone after publishing.
        if !self.observers.is_empty() {
            self.record_report(tables, batch, &found);
        }
        let extents: Vec<Extent> =
            found.iter().flat_map(|found| extents(found, &batch.rows[found.row])).collect();
        let has_gains = extents.iter().any(|extent| extent.is_gain);
        let losses = extents.iter().filter(|extent| !extent.is_gain).count();
        // Only losses under a gain need a grace period, which costs a wait.
        let late = contested(extents);
        let mut plan = Plan { has_losses: losses > late.len(), has_gains, ..Plan::default() };
        plan.edits.reserve(found.len());
        plan.doubts = self.doubtful(tables, &found, pasts);
        let mut newcomers: FastMap<&[u8], ClientId> = FastMap::default();
        for FoundRow { address, row, old } in found {
            // Leases that overlap a new one must be visible until readers can see that one.
            let late = old.as_ref().is_some_and(|(_, old)| late.contains(&u128::from(old.address)));
            let new = &batch.rows[row];
            // A removal of an unknown address changes nothing.
            if new.is_removal() {
                plan.applied.removed += usize::from(old.is_some());
                plan.edits.extend(old.map(|(client, _)| Edit { client, address, step: Step::Drop { late } }));
                continue;
            }
            let duid = batch.duid(new);
            let known = tables.find_duid(duid);
            // Two rows of a new client must give it one number.
            let client = known.unwrap_or_else(|| *newcomers.entry(duid).or_insert_with(|| self.number()));
            plan.applied.put += 1;
            if let Some((owner, _)) = old
                // The lease stays with its client, though it may be in a segment.
                && self.oversized.whole(owner) == client
            {
                plan.edits.push(Edit { client: owner, address, step: Step::Put { row, late } });
                continue;
            }
            // The records of oversized clients are segments: the new lease goes into one with room.
            let client = self.place(tables, client, &mut plan);
            match old {
                Some((owner, old)) => {
                    // A slot that changes hands leads to less at once; with a slot for each, readers find
                    // both.
                    let in_place = !compare(&old, new).1;
                    let step = Step::HandOver { to: client, in_place };
                    plan.edits.push(Edit { client: owner, address, step });
                    plan.edits.push(Edit { client, address, step: Step::TakeOver { row, in_place } });
                }
                // A new address needs no care for old readers.
                None => plan.edits.push(Edit { client, address, step: Step::Put { row, late } }),
            }
        }
        // Each client is staged once, with its edits in the order in which `Merge` looks them up.
        plan.edits.sort_unstable_by_key(|edit| (edit.client, edit.address));
        for (duid, is_in_doubt) in self.doubts.changes(&plan.doubts) {
            let known = tables.find_duid(&duid).or_else(|| newcomers.get(&*duid).copied());
            // A client may be in doubt without ever having had a lease.
            let client = known.unwrap_or_else(|| self.number());
            // An oversized client has unlisted bindings anyway.
            if self.oversized.parts(client).is_none() {
                plan.marks.insert(client, (duid, is_in_doubt));
            }
        }
        plan
    }

    /// Records the last row of each address and the lease that is there now, for observers.
    fn record_report(&mut self, tables: &Tables, batch: &Batch, found: &[FoundRow]) {
        self.report.clear();
        for FoundRow { row, old, .. } in found {
            let former = old.as_ref().and_then(|(client, old)| Some((tables.client(*client)?, *old)));
            self.report.add(batch, *row, former);
        }
        // Observers get changes in the order of the source.
        self.report.sort();
    }

    /// The leases for which other clients are in doubt than before, and these clients.
    fn doubtful(&self, tables: &Tables, found: &[FoundRow], pasts: &Pasts) -> Vec<(u128, Vec<Duid>)> {
        let clients = |&FoundRow { address, old, .. }: &FoundRow| {
            let address = u128::from(address);
            let before = self.doubts.of_lease(address);
            let Some(past) = pasts.get(&address) else {
                // A readable row ended the doubt.
                return (!before.is_empty()).then(|| (address, Vec::new()));
            };
            let mut holder = Vec::new();
            if let Some(client) = old.and_then(|(client, _)| tables.client(client)) {
                holder.resize(client.duid_len(), 0);
                client.copy_duid(&mut holder);
            }
            Some((address, past.joined(&holder, before)))
        };
        found.iter().filter_map(clients).collect()
    }

    /// Numbers the leases of a batch that have host bits, and sees whether any begins where another one does.
    pub(super) fn number_host_bits(&mut self, tables: &Tables, batch: &Batch, last: &FastMap<u128, usize>) {
        let rows = || last.iter().map(|(&address, &row)| (address, &batch.rows[row]));
        let mut is_shared = false;
        for (address, row) in rows().filter(|(_, row)| row.has_host_bits) {
            self.written.enter(address);
            is_shared |=
                self.written.note_first(row.address, address) || tables.lease_from(row.address, 0).is_some();
        }
        // Without host bits anywhere, no two leases begin at one address.
        if self.written.has_any_first() {
            let tidy = |(_, row): &(u128, &Row)| !row.has_host_bits && !row.is_removal();
            is_shared |= rows().filter(tidy).any(|(_, row)| self.written.has_first(row.address));
        }
        // The flag only rises: a lookup that is too careful is still right.
        if is_shared {
            tables.has_shared_firsts.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps of the leases with host bits those that the index holds now.
    pub(super) fn forget_host_bits(&mut self, batch: &Batch, last: &FastMap<u128, usize>) {
        // The usual case, without a table to walk.
        if self.written.is_empty() {
            return;
        }
        for (&address, &row) in last {
            let row = &batch.rows[row];
            self.written.set(address, row.has_host_bits.then_some(row.prefix_len));
        }
    }

    /// The number whose record takes a new lease of this client: its own, or that of a segment with room.
    fn place(&mut self, tables: &Tables, client: ClientId, plan: &mut Plan) -> ClientId {
        // Most clients have one record.
        let Some(parts) = self.oversized.parts(client) else { return client };
        let room = |segment| Some(tables.limits.segment.saturating_sub(tables.client(segment)?.len()));
        let open = || parts.open.and_then(|segment| Some(OpenSegment { segment, room: room(segment)? }));
        // The open segment is taken from the last batch, so that segments fill up.
        if !plan.open_segments.contains_key(&client) {
            plan.open_segments.extend(open().map(|place| (client, place)));
        }
        if let Some(place) = plan.open_segments.get_mut(&client).filter(|place| place.room > 0) {
            place.room -= 1;
            return place.segment;
        }
        // No segment has room, so a new one is opened.
        let segment = self.number();
        plan.roles.insert(segment, Role::Segment { anchor: client });
        plan.open_segments.insert(client, OpenSegment { segment, room: tables.limits.segment - 1 });
        segment
    }
}

/// Prefixes that the change of an address gains and loses. A lease that passes to another client is always
/// lost late.
fn extents(found: &FoundRow, new: &Row) -> impl Iterator<Item = Extent> + use<> {
    let new = Some(new).filter(|new| !new.is_removal());
    let old = found.old.as_ref().map(|(_, old)| old);
    let (gains, loses) = match (old, new) {
        // A lease that comes, goes or passes on changes coverage by its whole prefix.
        (None, _) | (_, None) => (true, true),
        (Some(old), Some(new)) => compare(old, new),
    };
    let gain = new.filter(|_| gains);
    let gain = gain.map(|new| Extent { first: new.address, len: new.prefix_len, is_gain: true });
    let loss = old.filter(|_| loses);
    let loss = loss.map(|old| Extent { first: old.address.into(), len: old.prefix_len, is_gain: false });
    gain.into_iter().chain(loss)
}

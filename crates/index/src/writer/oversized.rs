//! Oversized clients, and how a client becomes one and ceases to be one (`DESIGN.md`).

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use super::merge::{Edit, Packed, Role, Staged, Step};
use super::plan::Plan;
use super::{FastMap, FastSet, Writer};
use crate::clients::ClientId;
use crate::lease::Batch;
use crate::limits::Limits;
use crate::tables::Tables;

/// A client with more leases than one reply can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OversizedClient {
    /// DUID of the client.
    pub duid: Vec<u8>,
    /// Leases it holds, expired ones included.
    pub leases: usize,
}

/// Writes the DUID as Kea does, or that the rows cannot be read.
impl fmt::Display for OversizedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duid.is_empty() {
            return f.write_str("unknown, of rows that cannot be read");
        }
        self.duid.iter().enumerate().try_for_each(|(n, octet)| {
            let colon = if n == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")
        })
    }
}

/// The writer's knowledge of oversized clients.
#[derive(Default)]
pub(super) struct Oversized {
    /// Segments by anchor.
    parts: FastMap<ClientId, Parts>,
    /// The anchor of each segment.
    anchors: FastMap<ClientId, ClientId>,
    /// Leases of all.
    leases: usize,
}

/// The segments of an oversized client.
pub(super) struct Parts {
    leases: usize,
    words: usize,
    segments: FastSet<ClientId>,
    /// Takes new leases.
    pub(super) open: Option<ClientId>,
    /// Number of leases at which it becomes one record again.
    shrinks_at: usize,
}

impl Parts {
    fn new(limits: Limits) -> Self {
        // Hysteresis: a client at the limit must not be split and joined over and over.
        // Half of the limit: at least as many leases were removed as are moved now.
        let shrinks_at = limits.leases / 2;
        Self { leases: 0, words: 0, segments: FastSet::default(), open: None, shrinks_at }
    }

    fn shrinks(&self, limits: Limits) -> bool {
        self.leases <= self.shrinks_at && self.words <= limits.words / 2
    }
}

impl Oversized {
    /// Collects the anchors and segments of a new generation.
    pub(super) fn of(tables: &Tables, anchors: Vec<(ClientId, Vec<ClientId>)>) -> Self {
        let mut this = Self::default();
        for (anchor, segments) in anchors {
            let mut parts = Parts::new(tables.limits);
            for segment in segments {
                // A segment that lost all leases during the load has no record.
                let Some(client) = tables.client(segment) else { continue };
                parts.leases += client.len();
                parts.words += client.record_words();
                parts.segments.insert(segment);
                this.anchors.insert(segment, anchor);
            }
            this.leases += parts.leases;
            this.parts.insert(anchor, parts);
        }
        this
    }

    /// The number by which a client is known: that of its anchor, for a segment.
    pub(super) fn whole(&self, client: ClientId) -> ClientId {
        // A client that is not oversized stands for itself.
        self.anchors.get(&client).copied().unwrap_or(client)
    }

    /// The parts of the client with this anchor.
    pub(super) fn parts(&self, anchor: ClientId) -> Option<&Parts> {
        self.parts.get(&anchor)
    }

    /// The role of this client's record.
    pub(super) fn role(&self, client: ClientId) -> Role {
        match self.anchors.get(&client) {
            Some(&anchor) => Role::Segment { anchor },
            None if self.parts.contains_key(&client) => Role::Anchor,
            None => Role::Whole,
        }
    }

    /// Records the effect of published records.
    pub(super) fn note(&mut self, tables: &Tables, staged: &[Staged], plan: &Plan) {
        // Anchors first, so that their segments find them below.
        for client in staged {
            match client.role {
                Role::Anchor => {
                    self.parts.entry(client.client).or_insert_with(|| Parts::new(tables.limits));
                }
                Role::Whole => {
                    // It was oversized until now.
                    let gone = self.parts.remove(&client.client);
                    self.leases -= gone.map_or(0, |parts| parts.leases);
                }
                Role::Segment { .. } => {}
            }
        }
        for client in staged {
            let Role::Segment { anchor } = client.role else { continue };
            if client.record == 0 {
                self.anchors.remove(&client.client);
            } else {
                self.anchors.insert(client.client, anchor);
            }
            let Some(parts) = self.parts.get_mut(&anchor) else { continue };
            // Counts follow the published records, not the plan.
            parts.leases = parts.leases.saturating_add_signed(client.lease_change);
            self.leases = self.leases.saturating_add_signed(client.lease_change);
            parts.words = parts.words + client.words - client.old_words;
            if client.record == 0 {
                parts.segments.remove(&client.client);
                // Its number may be another client's soon.
                parts.open = parts.open.filter(|&open| open != client.client);
            } else {
                parts.segments.insert(client.client);
            }
        }
        for (anchor, place) in &plan.open_segments {
            if let Some(parts) = self.parts.get_mut(anchor) {
                parts.open = Some(place.segment);
            }
        }
        tables.counts.oversized_clients.store(self.parts.len(), Ordering::Relaxed);
        tables.counts.oversized_leases.store(self.leases, Ordering::Relaxed);
    }
}

impl Writer {
    /// Number of clients with more leases than one reply can hold.
    pub fn oversized_count(&self) -> usize {
        self.oversized.parts.len()
    }

    /// The clients with more leases than one reply can hold.
    pub fn oversized(&self) -> impl Iterator<Item = OversizedClient> {
        // The anchor names the client, as segments may come and go.
        self.oversized.parts.iter().filter_map(|(&anchor, parts)| {
            let anchor = self.tables.client(anchor)?;
            let mut duid = vec![0; anchor.duid_len()];
            anchor.copy_duid(&mut duid);
            Some(OversizedClient { duid, leases: parts.leases })
        })
    }

    /// Makes an oversized client of the one with this DUID, which may have no leases yet.
    pub(super) fn split(&mut self, tables: &Tables, duid: &[u8]) {
        tables.counts.count_resize();
        self.split_records(tables, duid);
        tables.counts.count_resize();
    }

    fn split_records(&mut self, tables: &Tables, duid: &[u8]) {
        // A client without leases yet gets its anchor from this batch.
        let client = tables.find_duid(duid).unwrap_or_else(|| self.number());
        let mut plan = Plan::default();
        plan.roles.insert(client, Role::Anchor);
        // It may have no lease yet that would have its record written.
        plan.marks.insert(client, (duid.into(), false));
        // Collected first, since moving changes the record that is read.
        let addresses: Vec<Ipv6Addr> = self.addresses(tables, client).collect();
        for addresses in addresses.chunks(tables.limits.segment) {
            let segment = self.number();
            plan.roles.insert(segment, Role::Segment { anchor: client });
            // A move is a pair of edits, so that readers find the lease at every moment.
            plan.edits.extend(addresses.iter().flat_map(|&address| moved(address, client, segment)));
        }
        // Published alone, before the batch: the leases that the batch adds go into segments then.
        let staged = self.stage_edits(tables, plan).expect("a segment holds as many leases as it is given");
        self.publish(tables, &staged.0, &staged.1);
    }

    /// Makes one record again of an oversized client that lost most of its leases.
    pub(super) fn shrink(&mut self, tables: &Tables, anchor: ClientId) {
        tables.counts.count_resize();
        self.join_records(tables, anchor);
        tables.counts.count_resize();
    }

    fn join_records(&mut self, tables: &Tables, anchor: ClientId) {
        // It may have shrunk already with another segment.
        let Some(parts) = self.oversized.parts.get_mut(&anchor) else { return };
        let segments: Vec<ClientId> = parts.segments.iter().copied().collect();
        // Should it not fit, it is tried again when as many leases are gone as are left then.
        parts.shrinks_at = parts.leases / 2;
        let mut plan = Plan::default();
        plan.roles.insert(anchor, Role::Whole);
        for segment in segments {
            plan.edits
                .extend(self.addresses(tables, segment).flat_map(|address| moved(address, segment, anchor)));
        }
        // An anchor without segments has no lease to move.
        if plan.edits.is_empty() {
            let Some(old) = tables.client(anchor) else { return };
            self.unpacked.read(Some(old), &self.written);
            let duid = self.unpacked.duid().into();
            let is_in_doubt = self.doubts.has(self.unpacked.duid());
            plan.marks.insert(anchor, (duid, is_in_doubt));
            let staged = self.stage_edits(tables, plan).expect("no lease fits");
            self.publish(tables, &staged.0, &staged.1);
        // A record that does not fit stays split, and is tried again later.
        } else if let Ok(staged) = self.stage_edits(tables, plan) {
            self.publish(tables, &staged.0, &staged.1);
        }
    }

    /// Makes one record again of each client that is to be, of those with these records.
    pub(super) fn shrink_any(&mut self, tables: &Tables, staged: &[Staged]) {
        let anchor = |client: &Staged| match client.role {
            Role::Segment { anchor } => Some(anchor),
            Role::Anchor | Role::Whole => None,
        };
        // Several segments of a client may be staged, and it shrinks once.
        let anchors: FastSet<ClientId> = staged.iter().filter_map(anchor).collect();
        for anchor in anchors {
            if self.oversized.parts(anchor).is_some_and(|parts| parts.shrinks(tables.limits)) {
                self.shrink(tables, anchor);
            }
        }
    }

    /// Makes one record of every oversized client whose leases fit into one, after a load.
    pub(super) fn shrink_loaded(&mut self, tables: &Tables) {
        let fitting = |(_, parts): &(&ClientId, &Parts)| parts.leases <= tables.limits.leases;
        let anchors: Vec<ClientId> =
            // Collected first, as shrinking changes the table.
            self.oversized.parts.iter().filter(fitting).map(|(&anchor, _)| anchor).collect();
        anchors.into_iter().for_each(|anchor| self.shrink(tables, anchor));
        self.oversized.note(tables, &[], &Plan::default());
    }

    /// Iterates over the addresses of a client's leases, as written.
    fn addresses(&self, tables: &Tables, client: ClientId) -> impl Iterator<Item = Ipv6Addr> {
        let client = tables.client(client).into_iter();
        client.flat_map(|client| client.as_written(&self.written)).map(|(address, _)| address)
    }

    /// Stages edits that come from no batch.
    fn stage_edits(&mut self, tables: &Tables, mut plan: Plan) -> Result<(Vec<Staged>, Plan), Vec<Vec<u8>>> {
        // Staging expects edits by client, then by address.
        plan.edits.sort_unstable_by_key(|edit| (edit.client, edit.address));
        let none = Batch::new();
        let packed = Packed::new(&none, tables, &mut self.allocator, &mut self.packer);
        Ok((self.stage_all(tables, &packed, &plan)?, plan))
    }
}

/// A lease that passes as it is from one record to another one of its client.
fn moved(address: Ipv6Addr, from: ClientId, to: ClientId) -> [Edit; 2] {
    [
        Edit { client: from, address, step: Step::HandOver { to, in_place: true } },
        Edit { client: to, address, step: Step::Move { from } },
    ]
}

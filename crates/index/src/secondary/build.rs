//! Secondary indexes of a whole generation, on all cores.

use std::sync::Arc;

use rayon::prelude::*;

use super::postings::Postings;
use super::{Extractor, Key, Kind, Secondary, SecondaryIndexes};
use crate::clients::ClientId;
use crate::links::Links;
use crate::tables::Tables;

/// Client numbers whose keys are in memory at a time.
const WINDOW: ClientId = 1 << 20;

/// Client numbers that a thread takes at a time.
const PART: usize = 1 << 12;

impl Secondary {
    /// The indexes asked for, of all clients in these tables.
    pub(crate) fn build(indexes: SecondaryIndexes, tables: &Tables, links: &Links) -> Self {
        let SecondaryIndexes { relay_id, remote_id, link } = indexes;
        let is_any = relay_id || remote_id || link;
        let kinds = [(Kind::RelayId, relay_id), (Kind::RemoteId, remote_id), (Kind::Link, link)];
        let kinds = kinds.into_iter().chain([(Kind::Partial, is_any)]);
        let kinds: Vec<Kind> = kinds.filter_map(|(kind, is_on)| is_on.then_some(kind)).collect();
        Self::default().with(&kinds, tables, links)
    }

    /// The same indexes but for links, for leases that are on other links now.
    pub(crate) fn with_links(&self, tables: &Tables, links: &Links) -> Self {
        // Other indexes do not depend on links, and are shared by both generations.
        if self.has(Kind::Link) { self.clone().with(&[Kind::Link], tables, links) } else { self.clone() }
    }

    /// Builds the indexes of these kinds, in place of those that there are.
    fn with(mut self, kinds: &[Kind], tables: &Tables, links: &Links) -> Self {
        // Tells the extractor which keys to find.
        let mut built = Self::default();
        for &kind in kinds {
            built.postings[kind as usize] = Some(Arc::new(Postings::with_capacity(0)));
        }
        let end = tables.clients.end();
        let mut first = 0;
        // In windows, so that the keys of all clients are never in memory at once.
        while first < end && !kinds.is_empty() {
            let window = first..first.saturating_add(WINDOW).min(end);
            let entries = entries(&built, window.clone(), tables, links);
            // Sized by the first window, since growing tables cost a rehash of all keys.
            if first == 0 {
                built.presize(&entries, (end as usize).div_ceil(WINDOW as usize));
            }
            built.extend(&entries);
            first = window.end;
        }
        for &kind in kinds {
            self.postings[kind as usize] = built.postings[kind as usize].take();
        }
        self
    }

    /// Makes room for the keys of all windows, of which these entries are the first.
    fn presize(&mut self, entries: &[(Key, ClientId)], windows: usize) {
        for same_kind in entries.chunk_by(|a, b| a.0.kind == b.0.kind) {
            // Entries are sorted, so equal keys lie together.
            let keys = same_kind.chunk_by(|a, b| a.0 == b.0).count();
            // Keys of many clients each come again in the windows behind; keys of one client each do not.
            let is_rare = 2 * keys > same_kind.len();
            let keys = if is_rare { keys * windows } else { keys };
            self.postings[same_kind[0].0.kind as usize] = Some(Arc::new(Postings::with_capacity(keys)));
        }
    }

    fn extend(&self, entries: &[(Key, ClientId)]) {
        let same_keys: Vec<&[(Key, ClientId)]> = entries.chunk_by(|a, b| a.0 == b.0).collect();
        same_keys.into_par_iter().for_each_init(Vec::new, |clients, entries| {
            clients.clear();
            clients.extend(entries.iter().map(|&(_, client)| client));
            let key = entries[0].0;
            if let Some(postings) = self.of(key.kind) {
                // Each key is written once a window, under its shard's lock.
                postings.extend(key.hash, clients);
            }
        });
    }
}

/// The keys of these clients, of those kinds that `secondary` has, ascending.
fn entries(
    secondary: &Secondary,
    clients: std::ops::Range<ClientId>,
    tables: &Tables,
    links: &Links,
) -> Vec<(Key, ClientId)> {
    // Small parts would spend their time on the extractor's buffers.
    let parts = clients.into_par_iter().with_min_len(PART);
    let parts = parts.fold(
        || (Extractor::default(), Vec::new()),
        |(mut extractor, mut entries), client| {
            if let Some(record) = tables.client(client) {
                let keys = extractor.keys(secondary, record, links).iter();
                entries.extend(keys.filter(|key| secondary.has(key.kind)).map(|&key| (key, client)));
            }
            (extractor, entries)
        },
    );
    let mut entries = parts.map(|(_, entries)| entries).reduce(Vec::new, |mut all, mut part| {
        all.append(&mut part);
        all
    });
    // Sorted, so that equal keys become one posting.
    entries.par_sort_unstable();
    entries
}

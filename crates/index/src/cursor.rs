//! Scans of all clients, or of those on a link, in slices; `DESIGN.md` compares the designs.

use std::net::Ipv6Addr;

use lqd_wire::OptionCode;

use crate::clients::ClientId;
use crate::links::{LinkSet, Links};
use crate::record::Client;
use crate::secondary::{Key, Kind, Secondary, has_id};
use crate::store::Pinned;
use crate::tables::Tables;

/// A scan of clients in slices. Between two slices nothing is pinned, and the writer goes on.
///
/// A client that is in the scan's scope from the first slice to the last comes exactly once, with its
/// bindings of that moment, unless the generation is [replaced](ReplacedError). A client that comes or goes
/// meanwhile may be left out, and may come again if it returns. A lease that passes from one client to
/// another may come with both or with neither.
///
/// ```
/// # let (_writer, store) = lqd_index::Writer::new();
/// # let mut reader = store.reader().unwrap();
/// use lqd_index::{Cursor, ReplacedError};
///
/// let (mut cursor, mut clients) = (Cursor::all(), 0);
/// while !cursor.is_done() {
///     let leases = reader.pin();
///     match cursor.advance(&leases, 1024) {
///         Ok(slice) => clients += slice.count(),
///         Err(ReplacedError) => clients = 0,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Cursor {
    scope: Scope,
    /// `None` before the first slice of a generation.
    rest: Option<Rest>,
}

/// The clients of a scan.
#[derive(Clone, Debug)]
enum Scope {
    All,
    /// Clients by the value of one of these options of any relay agent on the path.
    Relay(OptionCode, Box<[u8]>),
    /// Clients on links, by link-address, as a [`LinkId`](crate::LinkId) means nothing in the next
    /// generation.
    Links(Ipv6Addr),
    /// The oversized client with this DUID.
    Oversized(Box<[u8]>),
}

/// Client numbers left to scan. A client keeps its number for as long as it has a record, so `end` is that of
/// the first slice: later numbers belong to clients that came later.
#[derive(Debug)]
struct Rest {
    generation: u64,
    next: ClientId,
    end: ClientId,
    /// Number of resizes before the first slice.
    resizes: usize,
}

/// The generation was replaced since the last slice: clients seen before belong to the old generation, and
/// the next slice is the first one of the new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all leases or links were replaced during the scan; begin again")]
pub struct ReplacedError;

/// A record in a scan.
#[derive(Clone, Copy)]
pub enum Scanned<'p> {
    /// A client, with all its bindings unless it [has unlisted ones](Client::has_unlisted_bindings).
    Client(Client<'p>),
    /// Some bindings of an [oversized](Client::is_oversized) client, which comes once more as a client.
    ///
    /// If the client became oversized or ceased to be during the scan, bindings may come twice or not at all.
    Segment(Client<'p>),
}

impl Cursor {
    /// A scan of all clients, [unreadable](Client::is_unreadable) ones included.
    pub fn all() -> Self {
        Self { scope: Scope::All, rest: None }
    }

    /// A scan of the clients with a binding, expired or not, on the links that this link-address
    /// [names](Links::named), and of those that may have one there: the [partial](Client::is_partial) ones.
    ///
    /// Each client comes with its bindings on other links, too.
    pub fn of_links(link_address: Ipv6Addr) -> Self {
        Self { scope: Scope::Links(link_address), rest: None }
    }

    /// A scan of the clients with a binding, expired or not, that a relay agent with this Relay-ID (the
    /// option's value, a DUID; RFC 5460 §5.4.1) relayed, directly or through others; and of the
    /// [partial](Client::is_partial) ones.
    pub fn of_relay_id(relay_id: &[u8]) -> Self {
        Self { scope: Scope::Relay(OptionCode::RELAY_ID, relay_id.into()), rest: None }
    }

    /// A scan as [`Self::of_relay_id`], by the Remote-ID (the option's value: enterprise number and
    /// identifier; RFC 4649 §3).
    pub fn of_remote_id(remote_id: &[u8]) -> Self {
        Self { scope: Scope::Relay(OptionCode::REMOTE_ID, remote_id.into()), rest: None }
    }

    /// A scan of the [oversized](Client::is_oversized) client with this DUID, and of the
    /// [unreadable](Client::is_unreadable) ones, whose leases may belong to it. Nothing else comes: a client
    /// that is not oversized does not.
    pub fn of_oversized(duid: &[u8]) -> Self {
        Self { scope: Scope::Oversized(duid.into()), rest: None }
    }

    /// Whether a client became oversized, or ceased to be, since the first slice: its bindings may have come
    /// twice, or not at all. Ask after a slice is read, under the same pin.
    pub fn is_torn(&self, leases: &Pinned<'_>) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.resizes != leases.tables().counts.resizes())
    }

    /// Whether the last slice has been read to its end.
    pub fn is_done(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.next == rest.end)
    }

    /// The next slice: the clients among the next `count` client numbers, at least one; of those that a
    /// [secondary index](crate::SecondaryIndexes) has for the scan, if there is one. Drop the pin with the
    /// slice: the writer waits for readers.
    ///
    /// Of a slice that is dropped before its end, the rest comes with the next slice.
    ///
    /// # Errors
    /// If the generation was replaced since the last slice.
    pub fn advance<'p>(
        &mut self,
        leases: &'p Pinned<'_>,
        count: u32,
    ) -> Result<Slice<'_, 'p>, ReplacedError> {
        let (generation, tables, links) = (leases.generation(), leases.tables(), leases.links());
        // Numbers of the old generation mean other clients in the new one.
        if self.rest.take_if(|rest| rest.generation != generation).is_some() {
            return Err(ReplacedError);
        }
        // The end is fixed with the first slice, so that a scan ends while clients come.
        // Counted before a record is read, so that a resize under way is noticed at its end.
        let first = || {
            let resizes = tables.counts.resizes();
            Rest { generation, next: 0, end: tables.clients.end(), resizes }
        };
        let rest = self.rest.get_or_insert_with(first);
        // A slice of none would never end the scan.
        let count = count.max(1);
        let filter = match &self.scope {
            Scope::All => Filter::None,
            Scope::Links(link_address) => Filter::Links(links, links.named(*link_address)),
            Scope::Relay(code, id) => Filter::Relay(*code, id),
            Scope::Oversized(duid) => Filter::Oversized(duid),
        };
        // Read under the pin: numbers listed now belong to records that stay readable.
        let listed = filter.listed(leases.secondary(), rest.next, count);
        let end = match &listed {
            None => rest.next.saturating_add(count).min(rest.end),
            // Fewer than asked for: the index has no more, so the rest is skipped.
            Some(clients) if clients.len() < count as usize => rest.end,
            // The slice ends behind its last number, where the next list begins.
            Some(clients) => clients.last().map_or(rest.end, |&last| rest.end.min(last + 1)),
        };
        let listed = listed.map(Vec::into_iter);
        Ok(Slice { next: &mut rest.next, last: None, end, listed, tables, filter })
    }
}

/// The scope of a scan in one generation.
enum Filter<'c, 'p> {
    None,
    Links(&'p Links, LinkSet<'p>),
    Relay(OptionCode, &'c [u8]),
    Oversized(&'c [u8]),
}

impl Filter<'_, '_> {
    /// The next client numbers that may be in scope, at least up to `count`; `None` without an index: any may
    /// be.
    fn listed(&self, secondary: &Secondary, first: ClientId, count: u32) -> Option<Vec<ClientId>> {
        let count = count as usize;
        let key = match *self {
            Self::None => return None,
            Self::Links(_, set) => {
                // Leases off their subnet are listed apart, since their link depends on the configuration.
                let keys = set.iter().map(Key::link).chain([Key::OFF_SUBNET]);
                return secondary.has(Kind::Link).then(|| secondary.clients(keys, first, count));
            }
            Self::Relay(OptionCode::RELAY_ID, id) => Key::relay_id(id),
            Self::Relay(_, id) => Key::remote_id(id),
            Self::Oversized(_) => Key::PARTIAL,
        };
        secondary.has(key.kind).then(|| secondary.clients([key].into_iter(), first, count))
    }

    fn takes(&self, scanned: Scanned<'_>) -> bool {
        let is_one = |client: Client<'_>| match self {
            Self::None => true,
            Self::Links(links, set) => {
                client.bindings().any(|lease| links.is_on(set, lease.subnet_id, lease.address, lease.kind))
            }
            Self::Relay(code, id) => has_id(client, *code, id),
            Self::Oversized(duid) => client.is_unreadable() || client.is_oversized() && client.has_duid(duid),
        };
        match scanned {
            // Others in doubt have no part in the client.
            Scanned::Client(client) if matches!(self, Self::Oversized(_)) => is_one(client),
            // A partial client may have bindings in scope that its record does not show.
            Scanned::Client(client) => client.is_partial() || is_one(client),
            Scanned::Segment(segment) => is_one(segment),
        }
    }
}

/// Clients of one [slice](Cursor::advance).
pub struct Slice<'c, 'p> {
    next: &'c mut ClientId,
    /// Number of the record that came last.
    last: Option<ClientId>,
    end: ClientId,
    /// The numbers below `end` that may be in scope; `None`: all.
    listed: Option<std::vec::IntoIter<ClientId>>,
    tables: &'p Tables,
    filter: Filter<'c, 'p>,
}

impl Slice<'_, '_> {
    /// Ends the slice, so that the next one begins with the record that came last.
    pub fn repeat_last(self) {
        if let Some(last) = self.last {
            *self.next = last;
        }
    }

    fn next_number(&mut self) -> Option<ClientId> {
        let number = match &mut self.listed {
            None => *self.next,
            // The slice is over when its list is, whatever numbers lie between.
            Some(listed) => listed.next().unwrap_or(self.end),
        };
        // Advanced before the record is read, so that a slice dropped here goes on behind it.
        *self.next = self.end.min(number.saturating_add(1));
        (number < self.end).then_some(number)
    }
}

impl<'p> Iterator for Slice<'_, 'p> {
    type Item = Scanned<'p>;

    fn next(&mut self) -> Option<Scanned<'p>> {
        while let Some(number) = self.next_number() {
            // The client left since the slice was made.
            let Some(record) = self.tables.client(number) else { continue };
            let scanned = if is_segment(self.tables, number, record) {
                Scanned::Segment(record)
            } else {
                Scanned::Client(record)
            };
            if self.filter.takes(scanned) {
                self.last = Some(number);
                return Some(scanned);
            }
        }
        None
    }
}

/// Whether this is the record of a segment: the map by DUID leads to the anchor.
///
/// An anchor cannot be told from a segment by having no bindings: while a client is split, it still shows
/// some.
fn is_segment(tables: &Tables, number: ClientId, record: Client<'_>) -> bool {
    // Only oversized clients have segments, and the map lookup costs far more.
    if !record.is_oversized() {
        return false;
    }
    let mut octets = [0; u8::MAX as usize];
    // The record may be any length up to a DUID's, so the buffer is fixed.
    let duid = &mut octets[..record.duid_len()];
    record.copy_duid(duid);
    tables.find_duid(duid) != Some(number)
}

#[cfg(test)]
mod tests;

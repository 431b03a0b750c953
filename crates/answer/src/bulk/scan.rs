//! Queries about many clients, by Relay-ID, Remote-ID and link (RFC 5460 §5.3), or about an oversized one.

use lqd_index::{Client, Cursor, LinkId, LinkSet, Links, ReplacedError, Scanned};
use lqd_wire::OptionCode;

use super::query::Wanted;
use super::selection::{Out, Resume, Scratch, Selection, Wrote};
use super::step::Context;
use super::{BulkOutcome, BulkSubject};
use crate::QueryKind;
use crate::select::OnLinks;

/// Client numbers of a slice: few, as the index is pinned meanwhile.
pub(super) const SLICE: u32 = 64;

/// A scan over the index.
#[derive(Debug)]
pub(super) struct Scan {
    cursor: Cursor,
    /// The only link, if the queried address decides it.
    link: Option<LinkId>,
    resume: Option<Resume>,
    /// Whether a lease came that cannot be read and may belong to the query.
    pub(super) has_unreadable: bool,
}

impl Scan {
    /// Prepares the scan of a query; `None` for queries about one client.
    ///
    /// [`Self::of_oversized`] prepares those about a client whose bindings lie in several records.
    pub(super) fn of(wanted: &Wanted) -> Option<Self> {
        let cursor = match (wanted.kind?, wanted.subject.as_ref()?) {
            (QueryKind::ByRelayId, BulkSubject::Duid(relay_id)) => Cursor::of_relay_id(relay_id),
            (QueryKind::ByRemoteId, BulkSubject::RemoteId(remote_id)) => Cursor::of_remote_id(remote_id),
            (QueryKind::ByLinkAddress, BulkSubject::Address(link_address)) => Cursor::of_links(*link_address),
            _ => return None,
        };
        Some(Self::new(cursor, None))
    }

    /// Prepares the scan of an oversized client: of its bindings on `link`, or on the links of the query.
    pub(super) fn of_oversized(duid: &[u8], link: Option<LinkId>) -> Self {
        Self::new(Cursor::of_oversized(duid), link)
    }

    fn new(cursor: Cursor, link: Option<LinkId>) -> Self {
        Self { cursor, link, resume: None, has_unreadable: false }
    }

    /// Writes the messages of one slice; returns whether the scan is over.
    ///
    /// # Errors
    /// All leases or links were replaced: the scan has to be prepared again.
    pub(super) fn step(
        &mut self,
        context: &Context<'_>,
        wanted: &Wanted,
        out: &mut Out<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Result<bool, BulkOutcome>, ReplacedError> {
        let links = context.view.links();
        let before = (out.room.w.position(), out.bindings, out.messages);
        // First, since a link of the old generation is not that of the new one.
        let mut slice = self.cursor.advance(context.leases, SLICE)?;
        let named = match self.link {
            Some(link) => Some(LinkSet::of_link(links, link)),
            None => wanted.link_address.map(|address| links.named(address)),
        };
        // An unknown link is an error, whatever bindings there are (RFC 5460 §7.2).
        if named.is_some_and(|named| named.is_empty()) {
            return Ok(Err(BulkOutcome::NotConfigured));
        }
        let selection = Selection {
            view: context.view,
            now: context.now,
            on_links: named.map_or(OnLinks::Whole, OnLinks::Links),
            relay_option: match (wanted.kind, &wanted.subject) {
                (Some(QueryKind::ByRelayId), Some(BulkSubject::Duid(id))) => Some((OptionCode::RELAY_ID, id)),
                (_, Some(BulkSubject::RemoteId(id))) => Some((OptionCode::REMOTE_ID, id)),
                _ => None,
            },
            wanted,
        };
        let mut is_whole = true;
        while let Some(scanned) = slice.next() {
            let client = match scanned {
                // There may be so many of them that they come by segment.
                Scanned::Client(client) | Scanned::Segment(client) if client.is_unreadable() => {
                    self.has_unreadable |= may_be_on(links, named, client);
                    continue;
                }
                // The segments of an oversized client have its bindings.
                Scanned::Client(client) if client.is_oversized() => continue,
                Scanned::Client(client) | Scanned::Segment(client) => client,
            };
            if selection.write(out, client, scratch, &mut self.resume) == Wrote::Part {
                slice.repeat_last();
                is_whole = false;
                break;
            }
        }
        if self.cursor.is_torn(context.leases) {
            // This slice may have bindings that came before, in another record.
            out.room.w.truncate(before.0);
            (out.bindings, out.messages) = (before.1, before.2);
            return Ok(Err(BulkOutcome::Resized));
        }
        Ok(Ok(is_whole && self.cursor.is_done()))
    }
}

/// Returns whether an unreadable lease may be on one of the named links.
fn may_be_on(links: &Links, named: Option<LinkSet<'_>>, unreadable: Client<'_>) -> bool {
    let Some(named) = named else { return true };
    unreadable.bindings().any(|binding| links.of_address(binding.address).intersects(&named))
}

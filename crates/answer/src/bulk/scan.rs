//! Queries about many clients: by Relay-ID, Remote-ID and link (RFC 5460 §5.3).

use lqd_index::{Client, Cursor, LinkSet, Links, ReplacedError, Scanned};
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
    resume: Option<Resume>,
    /// Whether a lease came that cannot be read and may belong to the query.
    pub(super) has_unreadable: bool,
}

impl Scan {
    /// Prepares the scan of a query; `None` for queries about one client.
    pub(super) fn of(wanted: &Wanted) -> Option<Self> {
        let cursor = match (wanted.kind?, wanted.subject.as_ref()?) {
            (QueryKind::ByRelayId, BulkSubject::Duid(relay_id)) => Cursor::of_relay_id(relay_id),
            (QueryKind::ByRemoteId, BulkSubject::RemoteId(remote_id)) => Cursor::of_remote_id(remote_id),
            (QueryKind::ByLinkAddress, BulkSubject::Address(link_address)) => Cursor::of_links(*link_address),
            _ => return None,
        };
        Some(Self { cursor, resume: None, has_unreadable: false })
    }

    /// Writes the messages of one slice; returns whether the scan is over.
    ///
    /// # Errors
    /// All leases or links were replaced: the next step would begin again.
    pub(super) fn step(
        &mut self,
        context: &Context<'_>,
        wanted: &Wanted,
        out: &mut Out<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Result<bool, BulkOutcome>, ReplacedError> {
        let links = context.view.links();
        let named = wanted.link_address.map(|address| links.named(address));
        // An unknown link is an error, whatever bindings there are (RFC 5460 §7.2).
        if named.is_some_and(|named| named.is_empty()) {
            return Ok(Err(BulkOutcome::NotConfigured));
        }
        let selection = Selection {
            view: context.view,
            now: context.now,
            on_links: named.map_or(OnLinks::Whole, OnLinks::Links),
            relay_option: match &wanted.subject {
                Some(BulkSubject::Duid(id)) => Some((OptionCode::RELAY_ID, id)),
                Some(BulkSubject::RemoteId(id)) => Some((OptionCode::REMOTE_ID, id)),
                _ => None,
            },
            wanted,
        };
        let before = (out.room.w.position(), out.bindings, out.messages);
        let mut is_whole = true;
        let mut slice = self.cursor.advance(context.leases, SLICE).inspect_err(|_| {
            // Known of the old leases only.
            (self.resume, self.has_unreadable) = (None, false);
        })?;
        while let Some(scanned) = slice.next() {
            let client = match scanned {
                Scanned::Client(client) if client.is_unreadable() => {
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

//! Queries about one client: by address and by DUID (RFC 5460 §7.2, as in RFC 5007 §4.4.1).

use std::net::Ipv6Addr;

use lqd_index::Lookup;
use lqd_wire::Duid;

use super::query::Wanted;
use super::scan::Scan;
use super::selection::{Out, Resume, Scratch, Selection, Wrote, duid_of};
use super::step::Context;
use super::{BulkOutcome, BulkSubject};
use crate::QueryKind;
use crate::query::{ParsedQuery, Target};
use crate::refusal::Refusal;
use crate::select::{Content, OnLinks};

/// The result of one step.
pub(super) enum Step {
    /// Messages of the client were written.
    Sent(Wrote),
    /// The client is oversized, so a scan has to find its bindings.
    Scan(Scan),
}

/// Writes the messages of the client.
///
/// # Errors
/// The outcome of a query without bindings, as over UDP.
pub(super) fn step(
    context: &Context<'_>,
    wanted: &Wanted,
    out: &mut Out<'_, '_>,
    scratch: &mut Scratch,
    resume: &mut Option<Resume>,
) -> Result<Step, BulkOutcome> {
    let address = match wanted.subject {
        Some(BulkSubject::Address(address)) => address.octets(),
        _ => [0; 16],
    };
    let (target, lookup) = match &wanted.subject {
        Some(BulkSubject::Address(_)) => (Target::address(&address), Lookup::Covering(address.into())),
        Some(BulkSubject::Duid(octets)) => {
            let duid = Duid::new(octets).ok_or(BulkOutcome::MalformedQuery)?;
            (Target::client_id(duid), Lookup::Duid(octets))
        }
        _ => return Err(BulkOutcome::MalformedQuery),
    };
    let link_address = wanted.link_address.map(|address| address.octets());
    let parsed = ParsedQuery { link_address: link_address.as_ref(), target, request: wanted.request() };
    let Context { leases, view, now, .. } = context;
    let found = leases.find(lookup, *now);
    // The record that a DUID leads to shows no binding of an oversized client, so it decides nothing.
    if let (Lookup::Duid(duid), Some(found)) = (lookup, found)
        && found.client.is_oversized()
    {
        return begin_scan(out, Some(Scan::of_oversized(duid, None)));
    }
    let content = if found.is_some_and(|found| found.client.is_partial()) {
        parsed.decide_partial(leases, view, *now, found)
    } else {
        parsed.decide(leases, view, *now, found)
    };
    let is_anywhere = wanted.kind == Some(QueryKind::ByClientId) && link_address.is_none();
    let (client, on_links) = match (content, found) {
        // The only link of the client, and bindings on no configured link beside it.
        (Content::Client(client, _), _) if is_anywhere => (client, OnLinks::Whole),
        (Content::Client(client, on_links), _) => (client, on_links),
        // No LQ_CLIENT_LINK in bulk replies (RFC 5460 §6.3): a message for each link.
        (Content::Links(client), _) => (client, OnLinks::Whole),
        (Content::Refused(Refusal::TooManyBindings), _) => {
            return begin_scan(out, scan_of_holder(context, wanted, address.into()));
        }
        // The client is gone since its first message.
        (Content::NoBinding, _) if out.envelope.is_replied => return Ok(Step::Sent(Wrote::All)),
        (Content::NoBinding, _) => return Err(BulkOutcome::NoBinding),
        // Bindings on no configured link are bindings, too.
        (Content::Refused(Refusal::NotConfigured), Some(found))
            if is_anywhere && !found.client.is_partial() =>
        {
            (found.client, OnLinks::Whole)
        }
        (Content::Refused(refusal), _) => return Err(refusal.into()),
    };
    let selection = Selection { view: *view, now: *now, on_links, relay_option: None, wanted };
    Ok(Step::Sent(selection.write(out, client, scratch, resume)))
}

/// Begins a scan; the error if the client changed its size meanwhile.
fn begin_scan(out: &Out<'_, '_>, scan: Option<Scan>) -> Result<Step, BulkOutcome> {
    match scan {
        // Nothing of it was sent while it was a client of one record.
        Some(scan) if !out.envelope.is_replied => Ok(Step::Scan(scan)),
        _ => Err(BulkOutcome::Resized),
    }
}

/// Prepares the scan of the oversized client whose lease covers this address, on a link of the query if that
/// names one, else on the link of the lease; `None` if there is no such lease any more.
fn scan_of_holder(context: &Context<'_>, wanted: &Wanted, address: Ipv6Addr) -> Option<Scan> {
    let Context { leases, view, now, .. } = context;
    let named = wanted.link_address.map(|address| view.links().named(address));
    let found = leases.covering_where(address, *now, |client, covering| {
        client.is_unreadable() || named.as_ref().is_none_or(|named| view.is_covering_on(named, covering))
    })?;
    let (client, covering) = (found.client, found.covering()?);
    // Read again: the lease that the query was decided by may have passed to another client.
    if !client.is_oversized() || client.is_unreadable() || !view.shows_covering(client, covering) {
        return None;
    }
    let link = if named.is_none() { Some(view.locate_covering(covering).link()?) } else { None };
    Some(Scan::of_oversized(&duid_of(client), link))
}

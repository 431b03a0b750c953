//! Queries about one client: by address and by DUID (RFC 5460 §7.2, as in RFC 5007 §4.4.1).

use lqd_index::Lookup;
use lqd_wire::Duid;

use super::query::Wanted;
use super::selection::{Out, Resume, Scratch, Selection, Wrote};
use super::step::Context;
use super::{BulkOutcome, BulkSubject};
use crate::QueryKind;
use crate::query::{ParsedQuery, Target};
use crate::refusal::Refusal;
use crate::select::{Content, OnLinks};

/// Writes the messages of the client; returns whether that was all.
///
/// # Errors
/// The outcome of a query without bindings, as over UDP.
pub(super) fn step(
    context: &Context<'_>,
    wanted: &Wanted,
    out: &mut Out<'_, '_>,
    scratch: &mut Scratch,
    resume: &mut Option<Resume>,
) -> Result<bool, BulkOutcome> {
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
        // The client is gone since its first message.
        (Content::NoBinding, _) if out.envelope.is_replied => return Ok(true),
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
    Ok(selection.write(out, client, scratch, resume) == Wrote::All)
}

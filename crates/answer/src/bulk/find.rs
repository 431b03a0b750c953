//! Queries about one client: by address and by DUID (RFC 5460 §7.2, as in RFC 5007 §4.4.1).

use std::net::Ipv6Addr;

use lqd_index::Lookup;
use lqd_wire::OptionCode;

use super::BulkSubject;
use super::query::Wanted;
use super::selection::{Out, Resume, Scratch, Selection, Wrote};
use super::step::Context;
use crate::query::ParsedQuery;
use crate::refusal::Refusal;
use crate::select::{Content, OnLinks};
use crate::{QueryKind, QueryTypes};

/// Writes the messages of the client; returns whether that was all.
///
/// # Errors
/// The refusal, as over UDP.
pub(super) fn step(
    context: &Context<'_>,
    wanted: &Wanted,
    out: &mut Out<'_, '_>,
    scratch: &mut Scratch,
    resume: &mut Option<Resume>,
) -> Result<bool, Refusal> {
    let mut parsed = ParsedQuery::EMPTY;
    // The requestor's query-types were checked when the query came.
    let value = value_of(wanted).ok_or(Refusal::MalformedQuery)?;
    parsed.parse(&value, &QueryTypes::ALL, true)?;
    let lookup = match &wanted.subject {
        Some(BulkSubject::Address(address)) => Lookup::Covering(*address),
        Some(BulkSubject::Duid(duid)) => Lookup::Duid(duid),
        _ => Lookup::Nothing,
    };
    let Context { leases, view, now, .. } = context;
    let found = leases.find(lookup, *now);
    let content = if found.is_some_and(|found| found.client.is_partial()) {
        parsed.decide_partial(leases, view, *now, found)
    } else {
        parsed.decide(leases, view, *now, found)
    };
    let is_anywhere = wanted.kind == Some(QueryKind::ByClientId) && wanted.link_address.is_none();
    let (client, on_links) = match (content, found) {
        // The only link of the client, and bindings on no configured link beside it.
        (Content::Client(client, _), _) if is_anywhere => (client, OnLinks::Whole),
        (Content::Client(client, on_links), _) => (client, on_links),
        // No LQ_CLIENT_LINK in bulk replies (RFC 5460 §6.3): a message for each link.
        (Content::Links(client), _) => (client, OnLinks::Whole),
        (Content::NoBinding, _) => return Ok(true),
        // Bindings on no configured link are bindings, too.
        (Content::Refused(Refusal::NotConfigured), Some(found))
            if is_anywhere && !found.client.is_partial() =>
        {
            (found.client, OnLinks::Whole)
        }
        (Content::Refused(refusal), _) => return Err(refusal),
    };
    let selection = Selection { view: *view, now: *now, on_links, relay_option: None, wanted };
    Ok(selection.write(out, client, scratch, resume) == Wrote::All)
}

/// Writes OPTION_LQ_QUERY again, in the form that the queries of UDP have (RFC 5007 §4.1.2.1).
fn value_of(wanted: &Wanted) -> Option<Vec<u8>> {
    let link_address = wanted.link_address.unwrap_or(Ipv6Addr::UNSPECIFIED);
    let mut value = [&[wanted.kind?.wire().0], &link_address.octets()[..]].concat();
    match wanted.subject.as_ref()? {
        BulkSubject::Address(address) => {
            let lifetimes = [0; 8];
            put_option(&mut value, OptionCode::IAADDR, &[&address.octets()[..], &lifetimes].concat());
        }
        BulkSubject::Duid(duid) => put_option(&mut value, OptionCode::CLIENTID, duid),
        BulkSubject::RemoteId(_) => return None,
    }
    Some(value)
}

fn put_option(out: &mut Vec<u8>, code: OptionCode, value: &[u8]) {
    out.extend(code.0.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes()); // at most DUID_LEN_MAX, 130
    out.extend(value);
}

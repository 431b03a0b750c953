//! Clients whose bindings cannot be told whole: those with more than one reply can hold, which the index keeps in parts,
//! and those that may hold a lease whose row in the lease file cannot be read.
//!
//! A query about such a client gets UnspecFail: neither a part of its bindings nor "no binding". By address, the binding
//! that covers the address is known, so all that does not concern the client's other bindings is judged as ever.
//!
//! What stands for the holder of a lease that cannot be read is no client of which anything is known: neither its holder
//! nor its subnet, so no link can be told from another.

use lqd_index::{CLIENT_LEASES_MAX, Client, Found, Pinned};
use lqd_wire::{DATAGRAM_LEN_MAX, Message};

use crate::receive::{Received, Refusal};
use crate::resolve::{self, Content};
use crate::restricted::View;

/// Octets of OPTION_IAADDR (RFC 8415 §21.6); OPTION_IAPREFIX has one more (§21.22).
const IAADDR_LEN: usize = 4 + 24;
/// Octets of three DUID options at least, OPTION_CLIENT_DATA's header and OPTION_CLT_TIME.
const OTHERS_LEN: usize = 3 * (4 + 1) + 4 + 8;

const _: () =
    assert!(CLIENT_LEASES_MAX == (DATAGRAM_LEN_MAX - Message::HEADER_LEN - OTHERS_LEN) / IAADDR_LEN);

/// Decides what to say, as [`resolve::resolve`], when such a client was found.
#[cold]
pub(crate) fn resolve<'p>(
    leases: &'p Pinned<'_>,
    view: &View<'p>,
    now: u32,
    received: &Received<'_>,
    found: Option<Found<'p>>,
) -> Content<'p> {
    let Some(Found { client, .. }) = found else {
        return resolve::resolve(leases, view, now, received, found);
    };
    if client.is_unreadable() && received.refusal.is_none() && !names_nothing(view, received) {
        return Content::Refused(Refusal::Unreadable);
    }
    let content = resolve::resolve(leases, view, now, received, found);
    let is_by_client = !received.target.finds_binding();
    match whole(content) {
        // What was found has no bindings to go by, or not all.
        Content::NoBinding if is_by_client => instead_of(client),
        // A link that is not configured was named, or bindings are on no link that is: of these nothing is known.
        Content::Refused(Refusal::NotConfigured) if is_by_client && received.link_address.is_none() => {
            instead_of(client)
        }
        content => content,
    }
}

/// Whether the query names a link that is not configured.
fn names_nothing(view: &View<'_>, received: &Received<'_>) -> bool {
    received.link_address.is_some_and(|&address| view.links().named(address.into()).is_empty())
}

/// Refuses to tell a part for the whole.
pub(crate) fn whole(content: Content<'_>) -> Content<'_> {
    match content {
        Content::Client(client, _) if client.is_unreadable() => Content::Refused(Refusal::Unreadable),
        Content::Client(client, _) | Content::Links(client) if client.is_incomplete() => instead_of(client),
        content => content,
    }
}

/// Why the bindings of a client cannot be told.
fn instead_of(client: Client<'_>) -> Content<'static> {
    Content::Refused(if client.is_in_doubt() { Refusal::InDoubt } else { Refusal::TooManyBindings })
}

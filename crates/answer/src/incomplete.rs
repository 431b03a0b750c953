//! Clients whose bindings cannot be told whole: those with more than one reply can hold, which the index keeps in parts,
//! and those that may hold a lease whose row in the lease file cannot be read.
//!
//! A query about such a client gets UnspecFail: neither a part of its bindings nor "no binding". By address, the binding
//! that covers the address is known, so all that does not concern the client's other bindings is judged as ever.

use lqd_index::{CLIENT_LEASES_MAX, Client, Found};
use lqd_wire::{DATAGRAM_LEN_MAX, Message};

use crate::receive::{Received, Refusal, Target};
use crate::resolve::Content;

/// Octets of OPTION_IAADDR (RFC 8415 §21.6); OPTION_IAPREFIX has one more (§21.22).
const IAADDR_LEN: usize = 4 + 24;
/// Octets of three DUID options at least, OPTION_CLIENT_DATA's header and OPTION_CLT_TIME.
const OTHERS_LEN: usize = 3 * (4 + 1) + 4 + 8;

const _: () =
    assert!(CLIENT_LEASES_MAX == (DATAGRAM_LEN_MAX - Message::HEADER_LEN - OTHERS_LEN) / IAADDR_LEN);

/// Instead of what was decided, for a client that cannot be told whole.
static TOO_MANY: Content<'static> = Content::Refused(Refusal::TooManyBindings);
static IN_DOUBT: Content<'static> = Content::Refused(Refusal::InDoubt);

/// What to say, given what was decided and what was found.
#[inline(always)]
pub(crate) fn replace<'c, 'p>(
    received: &Received<'_>,
    found: Option<&Found<'p>>,
    content: &'c Content<'p>,
) -> &'c Content<'p> {
    match content {
        Content::Client(client, _) | Content::Links(client) if client.is_incomplete() => instead_of(*client),
        Content::Client(..) | Content::Links(_) => content,
        Content::NoBinding | Content::Refused(_) => match found {
            Some(found) if found.client.is_incomplete() => replace_none(received, found.client, content),
            _ => content,
        },
    }
}

/// Why the bindings of a client cannot be told.
#[cold]
fn instead_of(client: Client<'_>) -> &'static Content<'static> {
    if client.is_in_doubt() { &IN_DOUBT } else { &TOO_MANY }
}

/// By DUID, what was found has no bindings to go by, or not all.
#[cold]
fn replace_none<'c, 'p>(
    received: &Received<'_>,
    client: Client<'_>,
    content: &'c Content<'p>,
) -> &'c Content<'p> {
    let is_by_client = matches!(received.target, Target::Client(_));
    match content {
        Content::NoBinding if is_by_client => instead_of(client),
        // A link that is not configured was named, or bindings are on no link that is: of these nothing is known.
        Content::Refused(Refusal::NotConfigured) if is_by_client && received.link_address.is_none() => {
            instead_of(client)
        }
        _ => content,
    }
}

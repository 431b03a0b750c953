//! Clients whose bindings cannot be told whole: those with more than one reply can hold, which the index keeps in parts,
//! and those that may hold a lease whose row in the lease file cannot be read.
//!
//! A query about such a client gets UnspecFail: neither a part of its bindings nor "no binding". By address, the binding
//! that covers the address is known, so all that does not concern the client's other bindings is judged as ever.
//!
//! What stands for the holder of a lease that cannot be read is no client of which anything is known: neither its holder
//! nor its subnet, so no link can be told from another.

use lqd_index::{CLIENT_LEASES_MAX, Found, Pinned};
use lqd_wire::{DATAGRAM_LEN_MAX, Message};

use super::Question;
use crate::refusal::Refusal;
use crate::select::{Content, View, instead_of, whole};

/// Octets of OPTION_IAADDR (RFC 8415 §21.6); OPTION_IAPREFIX has one more (§21.22).
const IAADDR_LEN: usize = 4 + 24;
/// Octets of three DUID options at least, OPTION_CLIENT_DATA's header and OPTION_CLT_TIME.
const OTHERS_LEN: usize = 3 * (4 + 1) + 4 + 8;

const _: () =
    assert!(CLIENT_LEASES_MAX == (DATAGRAM_LEN_MAX - Message::HEADER_LEN - OTHERS_LEN) / IAADDR_LEN);

impl Question<'_> {
    /// Decides, as [`Self::decide`], when such a client was found.
    #[cold]
    pub(crate) fn decide_partial<'p>(
        &self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p> {
        let Some(Found { client, .. }) = found else { return self.decide(leases, view, now, found) };
        if client.is_unreadable() && !self.names_nothing(view) {
            return Content::Refused(Refusal::Unreadable);
        }
        let content = self.decide(leases, view, now, found);
        let is_by_client = !self.target.finds_binding();
        match whole(content) {
            // What was found has no bindings to go by, or not all.
            Content::NoBinding if is_by_client => instead_of(client),
            // A link that is not configured was named, or bindings are on no link that is: of these nothing is known.
            Content::Refused(Refusal::NotConfigured) if is_by_client && self.link_address.is_none() => {
                instead_of(client)
            }
            content => content,
        }
    }

    /// Whether the query names a link that is not configured.
    fn names_nothing(&self, view: &View<'_>) -> bool {
        self.link_address.is_some_and(|&address| view.links().named(address.into()).is_empty())
    }
}

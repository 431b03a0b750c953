//! Clients whose bindings are not all known.
//!
//! The index keeps the leases of an oversized client in parts, and a client may hold a lease whose row in the
//! lease file is unreadable. A query about such a client gets UnspecFail: neither a part of its bindings nor
//! "no binding".
//!
//! The holder of an unreadable lease is a client without DUID and subnet, so its link is unknown, too.

use lqd_index::{CLIENT_LEASES_MAX, Found, Pinned};
use lqd_wire::{DATAGRAM_LEN_MAX, Message};

use super::ParsedQuery;
use crate::refusal::Refusal;
use crate::select::{Content, View, complete_or_refused, refused};

/// Length in octets of OPTION_IAADDR (RFC 8415 §21.6); OPTION_IAPREFIX has one more (§21.22).
const IAADDR_LEN: usize = 4 + 24;
/// Least length in octets of three DUID options, OPTION_CLIENT_DATA's header and OPTION_CLT_TIME.
const OTHERS_LEN: usize = 3 * (4 + 1) + 4 + 8;

const _: () =
    assert!(CLIENT_LEASES_MAX == (DATAGRAM_LEN_MAX - Message::HEADER_LEN - OTHERS_LEN) / IAADDR_LEN);

impl ParsedQuery<'_> {
    /// Decides the reply as [`Self::decide`], when such a client was found.
    #[cold]
    pub(crate) fn decide_partial<'p>(
        &self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p> {
        let Some(Found { client, .. }) = found else { return self.decide(leases, view, now, found) };
        if client.is_unreadable() && !self.names_unknown_link(view) {
            return Content::Refused(Refusal::Unreadable);
        }
        let content = self.decide(leases, view, now, found);
        // By address, the covering binding is known, whatever the client's other bindings.
        let is_by_client = !self.target.finds_binding();
        match complete_or_refused(content) {
            // The unknown bindings may be on the named links.
            Content::NoBinding if is_by_client => refused(client),
            // The known bindings are on no configured link; the unknown ones may be on one.
            Content::Refused(Refusal::NotConfigured) if is_by_client && self.link_address.is_none() => {
                refused(client)
            }
            content => content,
        }
    }

    /// Returns whether the query names a link that is not configured.
    fn names_unknown_link(&self, view: &View<'_>) -> bool {
        self.link_address.is_some_and(|&address| view.links().named(address.into()).is_empty())
    }
}

//! OPTION_LQ_QUERY (RFC 5007 §4.1.2.1): reading it, and the decision on it (§4.4.1).

use lqd_index::{Found, Pinned};
use lqd_wire::{OptionRequest, Query};

use super::Target;
use crate::QueryTypes;
use crate::refusal::Refusal;
use crate::select::{Content, View};

/// A query, in place in the datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// `None` if the query names no link (`::`).
    pub(crate) link_address: Option<&'a [u8; 16]>,
    /// Kind and subject.
    pub(crate) target: Target<'a>,
    /// The options asked for about a client.
    pub(crate) request: OptionRequest<'a>,
}

impl<'a> Question<'a> {
    /// No query.
    pub(crate) const EMPTY: Self =
        Self { link_address: None, target: Target::Nobody, request: OptionRequest::NONE };

    /// Reads the value of OPTION_LQ_QUERY, from a requestor that may ask these query-types.
    ///
    /// `bulk_offered`: whether the server offers bulk leasequery over TCP.
    #[inline]
    pub(crate) fn read(
        &mut self,
        value: &'a [u8],
        allowed: &QueryTypes,
        bulk_offered: bool,
    ) -> Result<(), Refusal> {
        let query = Query::parse(value)?;
        let link_address = query.link_address;
        if let Some(request) = self.target.read(query, allowed, bulk_offered)? {
            self.request = OptionRequest::parse(request)?;
        }
        self.link_address = Some(link_address).filter(|&address| *address != [0; 16]);
        Ok(())
    }

    /// Decides what to say to a requestor with this view, given what was found.
    #[inline(always)]
    pub(crate) fn decide<'p>(
        &self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p> {
        match self.link_address {
            None => self.target.on_any_link(leases, view, now, found),
            Some(&address) => match view.links().named(address.into()) {
                named if named.is_empty() => Content::Refused(Refusal::NotConfigured),
                named => self.target.on_named_links(leases, view, now, found, named),
            },
        }
    }
}

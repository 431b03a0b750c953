//! OPTION_LQ_QUERY (RFC 5007 §4.1.2.1), parsed, and the decision on its reply (§4.4.1).

use lqd_index::{Found, Pinned};
use lqd_wire::{OptionRequest, Query};

use super::Target;
use crate::QueryTypes;
use crate::refusal::Refusal;
use crate::select::{Content, View};

/// A parsed query, in place in the datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParsedQuery<'a> {
    /// `None` if the query names no link (`::`).
    pub(crate) link_address: Option<&'a [u8; 16]>,
    /// The kind and subject.
    pub(crate) target: Target<'a>,
    /// The requested options.
    pub(crate) request: OptionRequest<'a>,
}

impl<'a> ParsedQuery<'a> {
    /// No query.
    pub(crate) const EMPTY: Self =
        Self { link_address: None, target: Target::None, request: OptionRequest::NONE };

    /// Parses the value of OPTION_LQ_QUERY into `self`.
    ///
    /// `allowed`: the requestor's query-types; `bulk_offered`: whether TCP offers bulk leasequery.
    #[inline]
    pub(crate) fn parse(
        &mut self,
        value: &'a [u8],
        allowed: &QueryTypes,
        bulk_offered: bool,
    ) -> Result<(), Refusal> {
        let query = Query::parse(value)?;
        let link_address = query.link_address;
        if let Some(request) = self.target.parse(query, allowed, bulk_offered)? {
            self.request = OptionRequest::parse(request)?;
        }
        self.link_address = Some(link_address).filter(|&address| *address != [0; 16]);
        Ok(())
    }

    /// Decides the reply to a requestor with this view from the result of the lookup.
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
                // An unknown link is an error even if the client is known on others (§4.4.1).
                named if named.is_empty() => Content::Refused(Refusal::NotConfigured),
                named => self.target.on_named_links(leases, view, now, found, named),
            },
        }
    }
}

//! QUERY_BY_ADDRESS: the client whose lease, or delegated prefix, covers an address (RFC 5007 §4.1.2.1).

use lqd_index::{Client, Covering, Found, LinkSet, Lookups, Pinned};
use lqd_wire::{IaAddress, OptionCode};

use super::kind::{Kind, Subject};
use crate::refusal::Refusal;
use crate::select::{Content, OnLinks, View, complete_or_refused, nothing_on};

/// The queried address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByAddress<'a>(&'a [u8; 16]);

impl<'a> ByAddress<'a> {
    /// A query for the client of this address.
    pub(super) fn new(address: &'a [u8; 16]) -> Self {
        Self(address)
    }
}

impl<'a> Kind<'a> for ByAddress<'a> {
    const OPTION: OptionCode = OptionCode::IAADDR;
    const FINDS_BINDING: bool = true;

    #[inline(always)]
    fn parse(value: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self(IaAddress::parse_address(value)?))
    }

    fn subject(self) -> Subject<'a> {
        Subject::Address((*self.0).into())
    }

    #[inline(always)]
    fn begin<const N: usize>(self, lookups: &mut Lookups<'_, 'a, N>) {
        lookups.begin_covering(self.0);
    }

    #[inline(always)]
    fn on_any_link<'p>(
        self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p> {
        match found.and_then(covering) {
            Some((client, covering)) => match view.own_subnet_covering(covering) {
                Some(subnet) => covered(view, client, covering, OnLinks::OwnSubnet(subnet)),
                None => covered_outside(leases, view, now, self.0),
            },
            None => not_covered(view, self.0),
        }
    }

    #[inline(always)]
    fn on_named_links<'p>(
        self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
        named: LinkSet<'p>,
    ) -> Content<'p> {
        match found.and_then(covering) {
            Some((client, covering)) => match view.own_subnet_covering(covering) {
                // The common case: the lease's own subnet is on the only named link.
                Some(subnet) if named.is_only(subnet.link()) => {
                    covered_on(view, client, covering, &named, OnLinks::OwnSubnet(subnet))
                }
                _ if view.is_covering_on(&named, covering) => {
                    covered_on(view, client, covering, &named, OnLinks::Links(named))
                }
                _ => covered_on_by_shorter(leases, view, now, self.0, named),
            },
            None => nothing_on(view, &named),
        }
    }
}

/// Decides the reply when a lease on these links covers the address and no link is named.
#[inline(always)]
fn covered<'p>(
    view: &View<'p>,
    client: Client<'p>,
    covering: Covering<'_>,
    on_links: OnLinks<'p>,
) -> Content<'p> {
    if view.shows_covering(client, covering) {
        Content::Client(client, on_links)
    } else {
        Content::Refused(Refusal::Restricted)
    }
}

/// Decides the reply when a lease on the named links covers the address.
#[inline(always)]
fn covered_on<'p>(
    view: &View<'p>,
    client: Client<'p>,
    covering: Covering<'_>,
    named: &LinkSet<'p>,
    on_links: OnLinks<'p>,
) -> Content<'p> {
    if view.shows_covering(client, covering) {
        Content::Client(client, on_links)
    } else {
        nothing_on(view, named)
    }
}

/// Decides the reply when no link is named and the covering lease is outside its own subnet.
#[cold]
fn covered_outside<'p>(leases: &'p Pinned<'_>, view: &View<'p>, now: u32, address: &[u8; 16]) -> Content<'p> {
    let found = leases.covering_where((*address).into(), now, |_, _| true);
    match found.and_then(covering) {
        Some((client, covering)) => match view.locate_covering(covering).link() {
            Some(link) => complete_or_refused(covered(view, client, covering, OnLinks::of_link(view, link))),
            None => Content::Refused(Refusal::NotConfigured),
        },
        None => not_covered(view, address),
    }
}

/// Decides the reply when the longest covering lease is on no named link, but a shorter one may be.
#[cold]
fn covered_on_by_shorter<'p>(
    leases: &'p Pinned<'_>,
    view: &View<'p>,
    now: u32,
    address: &[u8; 16],
    named: LinkSet<'p>,
) -> Content<'p> {
    let found = leases.covering_where((*address).into(), now, |client, covering| {
        client.is_unreadable() || view.is_covering_on(&named, covering)
    });
    match found.and_then(covering) {
        // Neither its link nor its relay agents are known: "no binding" could be false to any requestor.
        Some((client, _)) if client.is_unreadable() => Content::Refused(Refusal::Unreadable),
        Some((client, covering)) => {
            complete_or_refused(covered_on(view, client, covering, &named, OnLinks::Links(named)))
        }
        None => nothing_on(view, &named),
    }
}

/// Decides the reply when no lease covers the address and no link is named.
fn not_covered<'p>(view: &View<'p>, address: &[u8; 16]) -> Content<'p> {
    match view.links().of_address((*address).into()) {
        // Only a configured address can be without binding; of others nothing is known.
        links if links.is_empty() => Content::Refused(Refusal::NotConfigured),
        links => nothing_on(view, &links),
    }
}

#[inline(always)]
fn covering(found: Found<'_>) -> Option<(Client<'_>, Covering<'_>)> {
    Some((found.client, found.covering()?))
}

//! From what the index found to what the reply says (RFC 5007 §4.4.1).

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, Found, LeaseKind, LinkId, LinkSet, OwnSubnet, Pinned};

use crate::receive::{Received, Refusal};
use crate::restricted::View;

/// What a reply says.
#[derive(Clone, Copy)]
pub(crate) enum Content<'p> {
    /// A status other than success.
    Refused(Refusal),
    /// Success, and no binding.
    NoBinding,
    /// The bindings of the client on the named links, or on its only one.
    Client(Client<'p>, OnLinks<'p>),
    /// The links on which the client is.
    Links(Client<'p>),
}

/// Decides what to say to a requestor with this view, given what was found.
#[inline(always)]
pub(crate) fn resolve<'p>(
    leases: &'p Pinned<'_>,
    view: &View<'p>,
    now: u32,
    received: &Received<'_>,
    found: Option<Found<'p>>,
) -> Content<'p> {
    if let Some(refusal) = received.refusal {
        return Content::Refused(refusal);
    }
    match received.link_address {
        None => received.target.on_any_link(leases, view, now, found),
        Some(&address) => match view.links().named(address.into()) {
            named if named.is_empty() => Content::Refused(Refusal::NotConfigured),
            named => received.target.on_named_links(leases, view, now, found, named),
        },
    }
}

/// Decides the reply when no binding on these links can be shown.
pub(crate) fn nothing_on<'p>(view: &View<'_>, links: &LinkSet<'_>) -> Content<'p> {
    if view.shows_links(links) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// Tells the bindings on some links that a requestor may see from others.
#[derive(Clone, Copy)]
pub(crate) enum OnLinks<'p> {
    /// All bindings of the client are there, and may be seen.
    Whole,
    /// The bindings on the link of this subnet; most of the client's are in the subnet itself.
    Of(OwnSubnet<'p>),
    /// Those on these links.
    Links(LinkSet<'p>),
}

impl<'p> OnLinks<'p> {
    pub(crate) fn of_link(view: &View<'p>, link: LinkId) -> Self {
        Self::Links(LinkSet::of_link(view.links(), link))
    }

    /// Whether the client's binding is on one of the links, ended or not, and may be seen.
    #[inline(always)]
    pub(crate) fn has(&self, view: &View<'_>, client: Client<'_>, binding: &Binding) -> bool {
        match self {
            Self::Whole => true,
            Self::Of(subnet) => is_on_link_of(*subnet, view, binding) && view.shows(client, binding),
            Self::Links(links) => view.is_on(links, binding) && view.shows(client, binding),
        }
    }
}

/// Whether a binding is on the link of this subnet.
#[inline(always)]
pub(crate) fn is_on_link_of(subnet: OwnSubnet<'_>, view: &View<'_>, binding: &Binding) -> bool {
    let (id, address, kind) = (binding.subnet_id, binding.address, binding.kind);
    subnet.is_of(id, address) || is_elsewhere_on(view, subnet.link(), id, address, kind)
}

/// Whether a binding of another subnet is on the link.
#[inline(never)]
fn is_elsewhere_on(
    view: &View<'_>,
    link: LinkId,
    subnet_id: u32,
    address: Ipv6Addr,
    kind: LeaseKind,
) -> bool {
    let links = view.links();
    links.is_on(&LinkSet::of_link(links, link), subnet_id, address, kind)
}

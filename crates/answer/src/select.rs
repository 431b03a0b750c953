//! The bindings of a reply: those on its links that the requestor may see (RFC 5007 §4.4.1, §5).

mod view;

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, LeaseKind, LinkId, LinkSet, OwnSubnet};

use crate::refusal::Refusal;
pub(crate) use view::View;

/// The content of a reply.
#[derive(Clone, Copy)]
pub(crate) enum Content<'p> {
    /// A status other than success.
    Refused(Refusal),
    /// Success, and no binding.
    NoBinding,
    /// The client's bindings on the named links, or on its only link.
    Client(Client<'p>, OnLinks<'p>),
    /// The client's links.
    Links(Client<'p>),
}

/// Decides the reply when no binding on these links can be shown.
pub(crate) fn nothing_on<'p>(view: &View<'_>, links: &LinkSet<'_>) -> Content<'p> {
    if view.shows_links(links) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// Replaces the data of a client whose bindings are not all known by a refusal.
pub(crate) fn complete_or_refused(content: Content<'_>) -> Content<'_> {
    match content {
        Content::Client(client, _) if client.is_unreadable() => Content::Refused(Refusal::Unreadable),
        Content::Client(client, _) | Content::Links(client) if client.has_unlisted_bindings() => {
            refused(client)
        }
        content => content,
    }
}

/// Refuses the bindings of a client that are not all known.
pub(crate) fn refused(client: Client<'_>) -> Content<'static> {
    Content::Refused(if client.is_in_doubt() { Refusal::InDoubt } else { Refusal::TooManyBindings })
}

/// A client's bindings on some links that a requestor may see.
#[derive(Clone, Copy)]
pub(crate) enum OnLinks<'p> {
    /// All bindings of the client.
    Whole,
    /// The bindings on the link of this subnet, most of which are in the subnet itself.
    OwnSubnet(OwnSubnet<'p>),
    /// The bindings on these links.
    Links(LinkSet<'p>),
    /// The bindings on no configured link.
    NoLink,
}

impl<'p> OnLinks<'p> {
    /// The client's visible bindings on one link.
    pub(crate) fn of_link(view: &View<'p>, link: LinkId) -> Self {
        Self::Links(LinkSet::of_link(view.links(), link))
    }

    /// Returns whether the client's binding, expired or not, is on one of the links and may be seen.
    #[inline(always)]
    pub(crate) fn has(&self, view: &View<'_>, client: Client<'_>, binding: &Binding) -> bool {
        match self {
            Self::Whole => true,
            Self::OwnSubnet(subnet) => is_on_link_of(*subnet, view, binding) && view.shows(client, binding),
            Self::Links(links) => view.is_on(links, binding) && view.shows(client, binding),
            Self::NoLink => view.locate(binding).link().is_none() && view.shows(client, binding),
        }
    }
}

/// Returns whether a binding is on the link of this subnet.
#[inline(always)]
pub(crate) fn is_on_link_of(subnet: OwnSubnet<'_>, view: &View<'_>, binding: &Binding) -> bool {
    let (id, address, kind) = (binding.subnet_id, binding.address, binding.kind);
    subnet.is_of(id, address) || is_elsewhere_on(view, subnet.link(), id, address, kind)
}

/// Returns whether a binding of another subnet is on the link; rare, so it stays out of line.
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

//! Which bindings a reply tells: those on its links that the requestor may see (RFC 5007 §4.4.1, §5).

mod view;

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, LeaseKind, LinkId, LinkSet, OwnSubnet};

use crate::refusal::Refusal;
pub(crate) use view::View;

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

/// Decides the reply when no binding on these links can be shown.
pub(crate) fn nothing_on<'p>(view: &View<'_>, links: &LinkSet<'_>) -> Content<'p> {
    if view.shows_links(links) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
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
pub(crate) fn instead_of(client: Client<'_>) -> Content<'static> {
    Content::Refused(if client.is_in_doubt() { Refusal::InDoubt } else { Refusal::TooManyBindings })
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

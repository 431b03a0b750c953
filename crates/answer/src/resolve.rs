//! From what the index found to what the reply says (RFC 5007 §4.4.1).

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, Covering, Found, LeaseKind, LinkId, LinkSet, Links, OwnSubnet, Pinned};

use crate::incomplete::whole;
use crate::receive::{Received, Refusal, Target};
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
        None => on_any_link(leases, view, now, received.target, found),
        Some(&address) => match view.links().named(address.into()) {
            named if named.is_empty() => Content::Refused(Refusal::NotConfigured),
            named => on_named_links(leases, view, now, received.target, found, named),
        },
    }
}

/// As [`resolve`], when no link is named.
#[inline(always)]
fn on_any_link<'p>(
    leases: &'p Pinned<'_>,
    view: &View<'p>,
    now: u32,
    target: Target<'_>,
    found: Option<Found<'p>>,
) -> Content<'p> {
    match target {
        Target::Nobody => Content::Refused(Refusal::MalformedQuery),
        Target::Address(address) => match found.and_then(covering) {
            Some((client, covering)) => match view.own_subnet_covering(covering) {
                Some(subnet) => covered(view, client, covering, OnLinks::Of(subnet)),
                None => covered_outside(leases, view, now, address),
            },
            None => not_covered(view, address),
        },
        Target::Client(_) => match found {
            Some(found) => anywhere(view, now, found.client),
            None => nothing_anywhere(view),
        },
    }
}

/// As [`resolve`], when these links are named.
#[inline(always)]
fn on_named_links<'p>(
    leases: &'p Pinned<'_>,
    view: &View<'p>,
    now: u32,
    target: Target<'_>,
    found: Option<Found<'p>>,
    named: LinkSet<'p>,
) -> Content<'p> {
    match target {
        Target::Nobody => Content::Refused(Refusal::MalformedQuery),
        Target::Address(address) => match found.and_then(covering) {
            Some((client, covering)) => match view.own_subnet_covering(covering) {
                Some(subnet) if named.is_only(subnet.link()) => {
                    covered_on(view, client, covering, &named, OnLinks::Of(subnet))
                }
                _ if view.is_covering_on(&named, covering) => {
                    covered_on(view, client, covering, &named, OnLinks::Links(named))
                }
                _ => covered_on_by_another(leases, view, now, address, named),
            },
            None => nothing_on(view, &named),
        },
        Target::Client(_) => match found.map(|found| found.client) {
            Some(client) if is_bound(view, now, client, named) => {
                Content::Client(client, OnLinks::Links(named))
            }
            _ => nothing_on(view, &named),
        },
    }
}

/// The data of the client whose lease, which is on these links, covers an address, when no link is named.
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

/// As [`covered`], when links are named.
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

/// As [`covered`], when the lease's own subnet does not contain it.
#[cold]
fn covered_outside<'p>(leases: &'p Pinned<'_>, view: &View<'p>, now: u32, address: &[u8; 16]) -> Content<'p> {
    let found = leases.covering_where((*address).into(), now, |_, _| true);
    match found.and_then(covering) {
        Some((client, covering)) => match view.locate_covering(covering).link() {
            Some(link) => whole(covered(view, client, covering, OnLinks::of_link(view, link))),
            None => Content::Refused(Refusal::NotConfigured),
        },
        None => not_covered(view, address),
    }
}

/// When the longest lease that covers the address is on a link that is not named: a shorter one may be on one that is.
#[cold]
fn covered_on_by_another<'p>(
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
        Some((client, covering)) => whole(covered_on(view, client, covering, &named, OnLinks::Links(named))),
        None => nothing_on(view, &named),
    }
}

/// What is said of an address that no lease covers, when no link is named.
fn not_covered<'p>(view: &View<'p>, address: &[u8; 16]) -> Content<'p> {
    match view.links().of_address((*address).into()) {
        links if links.is_empty() => Content::Refused(Refusal::NotConfigured),
        links => nothing_on(view, &links),
    }
}

/// What is said where nothing can be shown on these links.
fn nothing_on<'p>(view: &View<'_>, links: &LinkSet<'_>) -> Content<'p> {
    if view.shows_links(links) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// What is said where nothing can be shown on any link.
fn nothing_anywhere<'p>(view: &View<'_>) -> Content<'p> {
    if view.is_whole() { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// Tells the bindings on some links that a requestor may see from others.
#[derive(Clone, Copy)]
pub(crate) enum OnLinks<'p> {
    /// All bindings of the client are there, and may be seen.
    Whole,
    /// Those on the link of this subnet, of which most of the client's are.
    Of(OwnSubnet<'p>),
    /// Those on these links.
    Links(LinkSet<'p>),
}

impl<'p> OnLinks<'p> {
    fn of_link(view: &View<'p>, link: LinkId) -> Self {
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

fn is_bound(view: &View<'_>, now: u32, client: Client<'_>, links: LinkSet<'_>) -> bool {
    let on_links = OnLinks::Links(links);
    client.bindings().any(|binding| on_links.has(view, client, &binding) && binding.valid_left(now) > 0)
}

#[inline(always)]
fn covering(found: Found<'_>) -> Option<(Client<'_>, Covering<'_>)> {
    Some((found.client, found.covering()?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
fn anywhere<'p>(view: &View<'p>, now: u32, client: Client<'p>) -> Content<'p> {
    if view.is_whole() && is_bound_on_its_only_link(view.links(), now, client) {
        return Content::Client(client, OnLinks::Whole);
    }
    on_any_links(view, now, client)
}

/// Whether all bindings of the client are on one link, by their own subnets, and one has not ended: the common case.
#[inline(always)]
fn is_bound_on_its_only_link(links: &Links, now: u32, client: Client<'_>) -> bool {
    let (mut is_bound, mut only) = (false, None);
    for binding in client.bindings() {
        let Some(subnet) = links.own_subnet(binding.subnet_id, binding.address) else { return false };
        if *only.get_or_insert(subnet.link()) != subnet.link() {
            return false;
        }
        is_bound |= binding.valid_left(now) > 0;
    }
    is_bound
}

/// As [`anywhere`], whatever the bindings.
///
/// Bindings that are on no link that is configured are on none that a requestor could be told. A client that has
/// only such bindings is not without binding: its link is not configured.
fn on_any_links<'p>(view: &View<'p>, now: u32, client: Client<'p>) -> Content<'p> {
    let (mut is_bound, mut first) = (false, None);
    let active = |binding: &Binding| binding.valid_left(now) > 0 && view.shows(client, binding);
    for binding in client.bindings().filter(active) {
        let location = view.locate(&binding);
        is_bound = true;
        match (first, location.link()) {
            (None, Some(link)) => first = Some(LinkSet::of_link(view.links(), link)),
            (Some(first), Some(_)) if !location.is_in(&first) => return Content::Links(client),
            _ => {}
        }
    }
    match first {
        Some(first) => Content::Client(client, OnLinks::Links(first)),
        None if is_bound => Content::Refused(Refusal::NotConfigured),
        None => nothing_anywhere(view),
    }
}

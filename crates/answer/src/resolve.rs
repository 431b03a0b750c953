//! From what the index found to what the reply says (RFC 5007 §4.4.1).

use lqd_index::{Binding, Client, Covering, Found, LinkId};

use crate::receive::{Received, Refusal, Target};
use crate::restricted::View;

/// What a reply says.
#[derive(Clone, Copy)]
pub(crate) enum Content<'p> {
    /// A status other than success.
    Refused(Refusal),
    /// Success, and no binding.
    NoBinding,
    /// The bindings of the client on a link.
    Client(Client<'p>, OnLink),
    /// The links on which the client is.
    Links(Client<'p>),
}

/// Decides what to say to a requestor with this view, given what was found.
#[inline(always)]
pub(crate) fn resolve<'p>(
    view: &View<'_>,
    now: u32,
    received: &Received<'_>,
    found: Option<Found<'p>>,
) -> Content<'p> {
    if let Some(refusal) = received.refusal {
        return Content::Refused(refusal);
    }
    let links = view.links();
    let link = match received.link_address.map(|&address| links.containing(address.into())) {
        Some(None) => return Content::Refused(Refusal::NotConfigured),
        Some(link) => link,
        None => None,
    };
    if found.is_some_and(|found| found.client.is_unreadable()) {
        // Neither its holder nor its subnet is known: no link can be told from another.
        return Content::Refused(Refusal::Unreadable);
    }
    match (received.target, link) {
        (Target::Nobody, _) => Content::Refused(Refusal::MalformedQuery),
        (Target::Address(address), None) => match found.and_then(covering) {
            Some((client, covering)) => match links.of_subnet(covering.subnet_id()) {
                Some(link) if view.shows_covering(client, covering) => {
                    Content::Client(client, OnLink::of_subnet(link, covering.subnet_id()))
                }
                Some(_) => Content::Refused(Refusal::Restricted),
                None => Content::Refused(Refusal::NotConfigured),
            },
            None => match links.containing((*address).into()) {
                Some(link) => nothing_on(view, link),
                None => Content::Refused(Refusal::NotConfigured),
            },
        },
        (Target::Address(_), Some(link)) => match found.and_then(covering) {
            Some((client, covering))
                if links.of_subnet(covering.subnet_id()) == Some(link)
                    && view.shows_covering(client, covering) =>
            {
                Content::Client(client, OnLink::of_subnet(link, covering.subnet_id()))
            }
            _ => nothing_on(view, link),
        },
        (Target::Client(_), Some(link)) => match found.map(|found| found.client) {
            Some(client) if is_bound(view, now, client, link) => Content::Client(client, OnLink::new(link)),
            _ => nothing_on(view, link),
        },
        (Target::Client(_), None) => match found {
            Some(found) => anywhere(view, now, found.client),
            None => nothing_anywhere(view),
        },
    }
}

/// What is said where nothing can be shown on this link.
fn nothing_on<'p>(view: &View<'_>, link: LinkId) -> Content<'p> {
    if view.shows_link(link) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// What is said where nothing can be shown on any link.
fn nothing_anywhere<'p>(view: &View<'_>) -> Content<'p> {
    if view.is_whole() { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// Tells the bindings on a link that a requestor may see from others.
///
/// A client's bindings are mostly of one subnet, which is looked up once.
#[derive(Clone, Copy)]
pub(crate) struct OnLink {
    link: LinkId,
    last: Option<(u32, bool)>,
}

impl OnLink {
    pub(crate) fn new(link: LinkId) -> Self {
        Self { link, last: None }
    }

    /// When this subnet is known to be on the link.
    fn of_subnet(link: LinkId, subnet_id: u32) -> Self {
        Self { link, last: Some((subnet_id, true)) }
    }

    /// For the link of this binding, if its subnet is configured.
    fn of(view: &View<'_>, binding: &Binding) -> Option<Self> {
        let link = view.links().of_subnet(binding.subnet_id)?;
        Some(Self::of_subnet(link, binding.subnet_id))
    }

    /// Whether the client's binding is on the link, ended or not, and may be seen.
    #[inline]
    pub(crate) fn has(&mut self, view: &View<'_>, client: Client<'_>, binding: &Binding) -> bool {
        self.is_on(view, binding.subnet_id) && view.shows(client, binding)
    }

    #[inline]
    fn is_on(&mut self, view: &View<'_>, subnet_id: u32) -> bool {
        if let Some((last, is_on)) = self.last
            && last == subnet_id
        {
            return is_on;
        }
        let is_on = view.links().of_subnet(subnet_id) == Some(self.link);
        self.last = Some((subnet_id, is_on));
        is_on
    }
}

fn is_bound(view: &View<'_>, now: u32, client: Client<'_>, link: LinkId) -> bool {
    let mut on_link = OnLink::new(link);
    client.bindings().any(|binding| on_link.has(view, client, &binding) && binding.valid_left(now) > 0)
}

#[inline(always)]
fn covering(found: Found<'_>) -> Option<(Client<'_>, Covering<'_>)> {
    Some((found.client, found.covering()?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
///
/// Bindings in subnets that are not configured any more are on no link that a requestor could be told. A client that
/// has only such bindings is not without binding: its link is not configured.
fn anywhere<'p>(view: &View<'_>, now: u32, client: Client<'p>) -> Content<'p> {
    let (mut is_bound, mut first) = (false, None);
    let active = |binding: &Binding| binding.valid_left(now) > 0 && view.shows(client, binding);
    for binding in client.bindings().filter(active) {
        is_bound = true;
        match &mut first {
            None => first = OnLink::of(view, &binding),
            Some(first) => {
                if !first.is_on(view, binding.subnet_id)
                    && view.links().of_subnet(binding.subnet_id).is_some()
                {
                    return Content::Links(client);
                }
            }
        }
    }
    match first {
        Some(first) => Content::Client(client, first),
        None if is_bound => Content::Refused(Refusal::NotConfigured),
        None => nothing_anywhere(view),
    }
}

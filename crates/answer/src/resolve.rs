//! From what the index found to what the reply says (RFC 5007 §4.4.1).

use lqd_index::{Binding, Client, Found, LinkId, LookUp};

use crate::receive::{Ask, Refusal, Subject};
use crate::restricted::View;

/// What a reply says.
#[derive(Clone, Copy)]
pub(crate) enum Content<'p> {
    /// A status other than success.
    Refused(Refusal),
    /// Success, and no binding.
    NoBinding,
    /// The bindings of the client on this link.
    Client(Client<'p>, LinkId),
    /// The links on which the client is.
    Links(Client<'p>),
}

/// The look-up that a query needs.
pub(crate) fn look_up<'q>(ask: &Ask<'q>) -> LookUp<'q> {
    match ask.subject {
        Subject::Address(address) => LookUp::Covering(address),
        Subject::Client(duid) => LookUp::Duid(duid.octets()),
    }
}

/// Decides what to say to a requestor with this view, given what was found.
pub(crate) fn resolve<'p>(view: View<'_>, now: u32, ask: &Ask<'_>, found: Option<Found<'p>>) -> Content<'p> {
    let links = view.links();
    let link = match ask.link_address.map(|address| links.containing(address)) {
        Some(None) => return Content::Refused(Refusal::NotConfigured),
        Some(link) => link,
        None => None,
    };
    match (ask.subject, link) {
        (Subject::Address(address), None) => match found.and_then(covering) {
            Some((client, binding)) => match links.of_subnet(binding.subnet_id) {
                Some(link) if view.shows(client, &binding) => Content::Client(client, link),
                Some(_) => Content::Refused(Refusal::Restricted),
                None => Content::Refused(Refusal::NotConfigured),
            },
            None => match links.containing(address) {
                Some(link) => nothing_on(view, link),
                None => Content::Refused(Refusal::NotConfigured),
            },
        },
        (Subject::Address(_), Some(link)) => match found.and_then(covering) {
            Some((client, binding))
                if links.of_subnet(binding.subnet_id) == Some(link) && view.shows(client, &binding) =>
            {
                Content::Client(client, link)
            }
            _ => nothing_on(view, link),
        },
        (Subject::Client(_), Some(link)) => match found.map(|found| found.client) {
            Some(client) if is_bound(view, now, client, link) => Content::Client(client, link),
            _ => nothing_on(view, link),
        },
        (Subject::Client(_), None) => match found {
            Some(found) => anywhere(view, now, found.client),
            None => nothing_anywhere(view),
        },
    }
}

/// What is said where nothing can be shown on this link.
fn nothing_on<'p>(view: View<'_>, link: LinkId) -> Content<'p> {
    if view.shows_link(link) { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// What is said where nothing can be shown on any link.
fn nothing_anywhere<'p>(view: View<'_>) -> Content<'p> {
    if view.is_whole() { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

/// Tells the bindings on a link that a requestor may see from others.
///
/// A client's bindings are mostly of one subnet, which is looked up once: some 40 instructions less for each further
/// binding.
pub(crate) struct OnLink<'v> {
    view: View<'v>,
    link: LinkId,
    last: Option<(u32, bool)>,
}

impl<'v> OnLink<'v> {
    pub(crate) fn new(view: View<'v>, link: LinkId) -> Self {
        Self { view, link, last: None }
    }

    /// For the link of this binding, if its subnet is configured.
    fn of(view: View<'v>, binding: &Binding) -> Option<Self> {
        let link = view.links().of_subnet(binding.subnet_id)?;
        Some(Self { view, link, last: Some((binding.subnet_id, true)) })
    }

    /// Whether the client's binding is on the link, ended or not, and may be seen.
    #[inline]
    pub(crate) fn has(&mut self, client: Client<'_>, binding: &Binding) -> bool {
        self.is_on(binding) && self.view.shows(client, binding)
    }

    #[inline]
    fn is_on(&mut self, binding: &Binding) -> bool {
        if let Some((subnet_id, is_on)) = self.last
            && subnet_id == binding.subnet_id
        {
            return is_on;
        }
        let is_on = self.view.links().of_subnet(binding.subnet_id) == Some(self.link);
        self.last = Some((binding.subnet_id, is_on));
        is_on
    }
}

fn is_bound(view: View<'_>, now: u32, client: Client<'_>, link: LinkId) -> bool {
    let mut on_link = OnLink::new(view, link);
    client.bindings().any(|binding| on_link.has(client, &binding) && binding.valid_left(now) > 0)
}

fn covering(found: Found<'_>) -> Option<(Client<'_>, Binding)> {
    Some((found.client, found.covering?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
///
/// Bindings in subnets that are not configured any more are on no link that a requestor could be told. A client that
/// has only such bindings is not without binding: its link is not configured.
fn anywhere<'p>(view: View<'_>, now: u32, client: Client<'p>) -> Content<'p> {
    let (mut is_bound, mut first) = (false, None);
    let active = |binding: &Binding| binding.valid_left(now) > 0 && view.shows(client, binding);
    for binding in client.bindings().filter(active) {
        is_bound = true;
        match &mut first {
            None => first = OnLink::of(view, &binding),
            Some(first) => {
                if !first.is_on(&binding) && view.links().of_subnet(binding.subnet_id).is_some() {
                    return Content::Links(client);
                }
            }
        }
    }
    match first {
        Some(first) => Content::Client(client, first.link),
        None if is_bound => Content::Refused(Refusal::NotConfigured),
        None => nothing_anywhere(view),
    }
}

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
            Some(client) if view.on_link(client, link).any(|binding| binding.valid_left(now) > 0) => {
                Content::Client(client, link)
            }
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

fn covering(found: Found<'_>) -> Option<(Client<'_>, Binding)> {
    Some((found.client, found.covering?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
///
/// Bindings in subnets that are not configured any more are on no link that a requestor could be told. A client that
/// has only such bindings is not without binding: its link is not configured.
fn anywhere<'p>(view: View<'_>, now: u32, client: Client<'p>) -> Content<'p> {
    let mut active = view.bindings(client).filter(|binding| binding.valid_left(now) > 0).peekable();
    if active.peek().is_none() {
        return nothing_anywhere(view);
    }
    let mut found = active.filter_map(|binding| view.links().of_subnet(binding.subnet_id));
    match found.next() {
        None => Content::Refused(Refusal::NotConfigured),
        Some(first) if found.all(|other| other == first) => Content::Client(client, first),
        Some(_) => Content::Links(client),
    }
}

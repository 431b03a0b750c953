//! From what the index found to what the reply says (RFC 5007 §4.4.1).

use lqd_index::{Binding, Client, Found, LinkId, Links, LookUp};

use crate::receive::{Ask, Refusal, Subject};

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

/// Decides what to say, given what was found.
pub(crate) fn resolve<'p>(links: &Links, now: u32, ask: &Ask<'_>, found: Option<Found<'p>>) -> Content<'p> {
    let link = match ask.link_address.map(|address| links.containing(address)) {
        Some(None) => return Content::Refused(Refusal::NotConfigured),
        Some(link) => link,
        None => None,
    };
    match (ask.subject, link) {
        (Subject::Address(address), None) => match found.and_then(covering) {
            Some((client, binding)) => match links.of_subnet(binding.subnet_id) {
                Some(link) => Content::Client(client, link),
                None => Content::Refused(Refusal::NotConfigured),
            },
            None if links.containing(address).is_some() => Content::NoBinding,
            None => Content::Refused(Refusal::NotConfigured),
        },
        (Subject::Address(_), Some(link)) => match found.and_then(covering) {
            Some((client, binding)) if links.of_subnet(binding.subnet_id) == Some(link) => {
                Content::Client(client, link)
            }
            _ => Content::NoBinding,
        },
        (Subject::Client(_), Some(link)) => match found.map(|found| found.client) {
            Some(client) if on_link(links, client, link).any(|binding| binding.valid_left(now) > 0) => {
                Content::Client(client, link)
            }
            _ => Content::NoBinding,
        },
        (Subject::Client(_), None) => match found {
            Some(found) => anywhere(links, now, found.client),
            None => Content::NoBinding,
        },
    }
}

/// All of a client's bindings on a link, ended ones included.
pub(crate) fn on_link<'p>(links: &Links, client: Client<'p>, link: LinkId) -> impl Iterator<Item = Binding> {
    client.bindings().filter(move |binding| links.of_subnet(binding.subnet_id) == Some(link))
}

fn covering(found: Found<'_>) -> Option<(Client<'_>, Binding)> {
    Some((found.client, found.covering?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
///
/// Bindings in subnets that are not configured any more are on no link that a requestor could be told. A client that
/// has only such bindings is not without binding: its link is not configured.
fn anywhere<'p>(links: &Links, now: u32, client: Client<'p>) -> Content<'p> {
    let mut active = client.bindings().filter(|binding| binding.valid_left(now) > 0).peekable();
    if active.peek().is_none() {
        return Content::NoBinding;
    }
    let mut found = active.filter_map(|binding| links.of_subnet(binding.subnet_id));
    match found.next() {
        None => Content::Refused(Refusal::NotConfigured),
        Some(first) if found.all(|other| other == first) => Content::Client(client, first),
        Some(_) => Content::Links(client),
    }
}

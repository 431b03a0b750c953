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
            Some(client) if is_bound(links, now, client, link) => Content::Client(client, link),
            _ => Content::NoBinding,
        },
        (Subject::Client(_), None) => match found {
            Some(found) => anywhere(links, now, found.client),
            None => Content::NoBinding,
        },
    }
}

/// Tells the bindings on a link from others.
///
/// A client's bindings are mostly of one subnet, which is looked up once: some 40 instructions less for each further
/// binding.
pub(crate) struct OnLink<'l> {
    links: &'l Links,
    link: LinkId,
    last: Option<(u32, bool)>,
}

impl<'l> OnLink<'l> {
    pub(crate) fn new(links: &'l Links, link: LinkId) -> Self {
        Self { links, link, last: None }
    }

    /// For the link of this binding, if its subnet is configured.
    fn of(links: &'l Links, binding: &Binding) -> Option<Self> {
        let link = links.of_subnet(binding.subnet_id)?;
        Some(Self { links, link, last: Some((binding.subnet_id, true)) })
    }

    /// Whether the binding is on the link, ended or not.
    #[inline]
    pub(crate) fn has(&mut self, binding: &Binding) -> bool {
        if let Some((subnet_id, is_on)) = self.last
            && subnet_id == binding.subnet_id
        {
            return is_on;
        }
        let is_on = self.links.of_subnet(binding.subnet_id) == Some(self.link);
        self.last = Some((binding.subnet_id, is_on));
        is_on
    }
}

fn is_bound(links: &Links, now: u32, client: Client<'_>, link: LinkId) -> bool {
    let mut on_link = OnLink::new(links, link);
    client.bindings().any(|binding| on_link.has(&binding) && binding.valid_left(now) > 0)
}

fn covering(found: Found<'_>) -> Option<(Client<'_>, Binding)> {
    Some((found.client, found.covering?))
}

/// A client looked for on all links: its data if it is on one, the links if on more.
///
/// Bindings in subnets that are not configured any more are on no link that a requestor could be told. A client that
/// has only such bindings is not without binding: its link is not configured.
fn anywhere<'p>(links: &Links, now: u32, client: Client<'p>) -> Content<'p> {
    let (mut is_bound, mut first) = (false, None);
    for binding in client.bindings().filter(|binding| binding.valid_left(now) > 0) {
        is_bound = true;
        match &mut first {
            None => first = OnLink::of(links, &binding),
            Some(first) => {
                if !first.has(&binding) && links.of_subnet(binding.subnet_id).is_some() {
                    return Content::Links(client);
                }
            }
        }
    }
    match first {
        Some(first) => Content::Client(client, first.link),
        None if is_bound => Content::Refused(Refusal::NotConfigured),
        None => Content::NoBinding,
    }
}

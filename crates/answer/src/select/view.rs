//! What a requestor may see of the leases (RFC 5007 §5: "restrict the information returned for a client … even to a
//! trusted LEASEQUERY requestor").
//!
//! A restricted requestor gets a binding if it is a relay agent that the binding came through, or one of those that
//! the configuration names for the binding's link. It is a relay agent under the source address of its query, and
//! under the relay addresses that its access row gives to it. Addresses of a binding's relay agents are those that
//! the lease source has recorded with it: all link-addresses, and the peer-addresses of all levels but the
//! innermost, as that one is the client's own. Not what the query itself says: whoever asks can write any RELAY-FORW
//! around his query, so a relayed query, whose source is not its requestor, gets no binding at all. Nor a source
//! that merely lies in a subnet of the link: so do its subscribers.
//!
//! All else is refused with one and the same status, NotAllowed, whether there is a binding or not: who asks learns
//! nothing of others' clients, and is not told "no binding" of a client that has one. "No binding" is said only of
//! links whose relay agents the configuration names, to these.

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, Covering, LinkId, LinkSet, Links, Location, OwnSubnet, StoredOption};
use lqd_wire::{MessageType, OptionCode, RELAY_LEVELS_MAX, Relay};

use crate::Rights;

/// One requestor's view of the leases.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    links: &'a Links,
    /// `None`: it sees everything.
    requestor: Option<Requestor<'a>>,
}

/// A requestor that does not see everything.
#[derive(Clone, Copy)]
struct Requestor<'a> {
    /// `None` if the query was relayed: then nobody knows.
    source: Option<&'a Ipv6Addr>,
    rights: &'a Rights,
}

impl<'a> View<'a> {
    /// The view of the requestor at `source`; `None` if the query was relayed.
    #[inline]
    pub(crate) fn new(links: &'a Links, rights: &'a Rights, source: Option<&'a Ipv6Addr>) -> Self {
        Self { links, requestor: rights.restricted.then_some(Requestor { source, rights }) }
    }

    /// The links, of which there is nothing to hide.
    pub(crate) fn links(&self) -> &'a Links {
        self.links
    }

    /// Whether it may know of every client whether it is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.requestor.is_none()
    }

    /// Where a binding is.
    #[inline(always)]
    pub(crate) fn locate(&self, binding: &Binding) -> Location<'a> {
        self.links.locate(binding.subnet_id, binding.address, binding.kind)
    }

    /// Whether a binding is on one of these links.
    #[inline(always)]
    pub(crate) fn is_on(&self, links: &LinkSet<'_>, binding: &Binding) -> bool {
        self.links.is_on(links, binding.subnet_id, binding.address, binding.kind)
    }

    /// The subnet of the binding that covers an address, if it contains that: the common case of
    /// [`Self::locate_covering`].
    #[inline(always)]
    pub(crate) fn own_subnet_covering(&self, covering: Covering<'_>) -> Option<OwnSubnet<'a>> {
        self.links.own_subnet(covering.subnet_id(), covering.address())
    }

    /// As [`Self::is_on`], for the binding that covers an address.
    #[inline(always)]
    pub(crate) fn is_covering_on(&self, links: &LinkSet<'_>, covering: Covering<'_>) -> bool {
        self.links.is_on(links, covering.subnet_id(), covering.address(), covering.kind())
    }

    /// As [`Self::locate`], for the binding that covers an address.
    #[inline(always)]
    pub(crate) fn locate_covering(&self, covering: Covering<'_>) -> Location<'a> {
        self.links.locate(covering.subnet_id(), covering.address(), covering.kind())
    }

    /// Whether it may know of every client whether it is on these links.
    #[inline]
    pub(crate) fn shows_links(&self, links: &LinkSet<'_>) -> bool {
        self.requestor.is_none_or(|requestor| links.iter().all(|link| self.is_relay_on(requestor, link)))
    }

    fn is_relay_on(&self, requestor: Requestor<'_>, link: LinkId) -> bool {
        self.links.relay_addresses(link).any(|address| requestor.is_relay(address))
    }

    /// Whether it may see this binding of the client.
    #[inline]
    pub(crate) fn shows(&self, client: Client<'_>, binding: &Binding) -> bool {
        self.requestor.is_none_or(|requestor| self.shows_to(requestor, client, *binding))
    }

    /// As [`Self::shows`], for the binding that covers an address.
    #[inline]
    pub(crate) fn shows_covering(&self, client: Client<'_>, covering: Covering<'_>) -> bool {
        self.requestor.is_none_or(|requestor| self.shows_to(requestor, client, covering.binding()))
    }

    #[cold]
    fn shows_to(&self, requestor: Requestor<'_>, client: Client<'_>, binding: Binding) -> bool {
        let is_relay_on = |link| self.is_relay_on(requestor, link);
        let is_relay_there = match self.locate(&binding) {
            Location::Link(link) => is_relay_on(link),
            Location::Containing(links) => links.iter().any(is_relay_on),
            Location::NotConfigured => false,
        };
        if is_relay_there {
            return true;
        }
        let mut options = client.options(&binding).iter();
        let relay_data = options.find(|&(code, _)| OptionCode(code) == OptionCode::LQ_RELAY_DATA);
        relay_data.is_some_and(|(_, option)| came_through(option, |address| requestor.is_relay(address)))
    }

    /// All bindings of the client that it may see, ended ones included.
    pub(crate) fn bindings<'p>(self, client: Client<'p>) -> impl Iterator<Item = Binding> + use<'p, 'a> {
        client.bindings().filter(move |binding| self.shows(client, binding))
    }
}

impl Requestor<'_> {
    /// Whether it is the relay agent with this address, which may be any; not a link-local one, as each link has its own.
    fn is_relay(&self, address: Ipv6Addr) -> bool {
        let Some(source) = self.source else { return false };
        let is_global = !address.is_unspecified() && !address.is_unicast_link_local();
        is_global
            && (address == *source || self.rights.relay_addresses.iter().any(|net| net.contains(&address)))
    }
}

/// Whether an address in this OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4), other than the client's, is one of those.
fn came_through(option: StoredOption<'_>, is_one: impl Fn(Ipv6Addr) -> bool) -> bool {
    const OPTION_HEADER_LEN: usize = 4;
    let address = |at| option.octets::<16>(at).map(Ipv6Addr::from);
    let mut agent = address(OPTION_HEADER_LEN);
    let mut at = OPTION_HEADER_LEN + 16;
    for _ in 0..RELAY_LEVELS_MAX {
        let relay_forw = option.octets::<1>(at) == Some([MessageType::RELAY_FORW.0]);
        let (true, Some(link), Some(peer)) = (relay_forw, address(at + 2), address(at + 18)) else {
            return false;
        };
        // `agent` sent this RELAY-FORW, so it is no client.
        if agent.is_some_and(&is_one) || is_one(link) {
            return true;
        }
        agent = Some(peer);
        at += Relay::HEADER_LEN;
        loop {
            let Some([c0, c1, l0, l1]) = option.octets::<OPTION_HEADER_LEN>(at) else { return false };
            at += OPTION_HEADER_LEN;
            if OptionCode(u16::from_be_bytes([c0, c1])) == OptionCode::RELAY_MSG {
                break;
            }
            at += usize::from(u16::from_be_bytes([l0, l1]));
        }
    }
    false
}

#[cfg(test)]
mod tests;

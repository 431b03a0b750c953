//! The leases that a requestor may see (RFC 5007 §5: "restrict the information returned for a client … even
//! to a trusted LEASEQUERY requestor").
//!
//! A restricted requestor sees a binding if it relayed the client's message, or if the configuration names it
//! as relay agent of the binding's link. All else gets one and the same status, NotAllowed, whether there is
//! a binding or not. `crates/answer/DESIGN.md` gives the reasons.

use std::net::Ipv6Addr;

use lqd_index::{
    Binding, Client, Covering, FormerLease, LeaseKind, LinkId, LinkSet, Links, Location, OwnSubnet,
    StoredOption,
};
use lqd_wire::{MessageType, OptionCode, RELAY_HOPS_MAX, Relay};

use crate::Rights;

/// A requestor's view of the leases.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    links: &'a Links,
    /// `None` if the requestor sees everything.
    restricted: Option<RestrictedRequestor<'a>>,
}

/// A requestor that does not see everything.
#[derive(Clone, Copy)]
struct RestrictedRequestor<'a> {
    /// `None` if the query was relayed: the requestor is unknown.
    source: Option<&'a Ipv6Addr>,
    rights: &'a Rights,
}

impl<'a> View<'a> {
    /// The view of the requestor at `source`, which is `None` if the query was relayed.
    #[inline]
    pub(crate) fn new(links: &'a Links, rights: &'a Rights, source: Option<&'a Ipv6Addr>) -> Self {
        Self { links, restricted: rights.restricted.then_some(RestrictedRequestor { source, rights }) }
    }

    /// Returns all links, as every requestor may know them.
    pub(crate) fn links(&self) -> &'a Links {
        self.links
    }

    /// Returns whether the requestor sees everything.
    pub(crate) fn is_whole(&self) -> bool {
        self.restricted.is_none()
    }

    /// Returns the location of a binding.
    #[inline(always)]
    pub(crate) fn locate(&self, binding: &Binding) -> Location<'a> {
        self.links.locate(binding.subnet_id, binding.address, binding.kind)
    }

    /// Returns whether a binding is on one of these links.
    #[inline(always)]
    pub(crate) fn is_on(&self, links: &LinkSet<'_>, binding: &Binding) -> bool {
        self.links.is_on(links, binding.subnet_id, binding.address, binding.kind)
    }

    /// Returns the own subnet of the covering binding: the common case of [`Self::locate_covering`].
    #[inline(always)]
    pub(crate) fn own_subnet_covering(&self, covering: Covering<'_>) -> Option<OwnSubnet<'a>> {
        self.links.own_subnet(covering.subnet_id(), covering.address())
    }

    /// Returns whether the covering binding is on one of these links.
    #[inline(always)]
    pub(crate) fn is_covering_on(&self, links: &LinkSet<'_>, covering: Covering<'_>) -> bool {
        self.links.is_on(links, covering.subnet_id(), covering.address(), covering.kind())
    }

    /// Returns the location of the covering binding.
    #[inline(always)]
    pub(crate) fn locate_covering(&self, covering: Covering<'_>) -> Location<'a> {
        self.links.locate(covering.subnet_id(), covering.address(), covering.kind())
    }

    /// Returns whether the requestor may know of any client whether it is on these links.
    #[inline]
    pub(crate) fn shows_links(&self, links: &LinkSet<'_>) -> bool {
        self.restricted.is_none_or(|requestor| links.iter().all(|link| self.is_relay_on(requestor, link)))
    }

    fn is_relay_on(&self, requestor: RestrictedRequestor<'_>, link: LinkId) -> bool {
        self.links.relay_addresses(link).any(|address| requestor.is_relay(address))
    }

    /// Returns whether the requestor may see this binding of the client.
    #[inline]
    pub(crate) fn shows(&self, client: Client<'_>, binding: &Binding) -> bool {
        self.restricted.is_none_or(|requestor| self.shows_to(requestor, client, *binding))
    }

    /// Returns whether the requestor may see the covering binding of the client.
    #[inline]
    pub(crate) fn shows_covering(&self, client: Client<'_>, covering: Covering<'_>) -> bool {
        self.restricted.is_none_or(|requestor| self.shows_to(requestor, client, covering.binding()))
    }

    #[cold]
    fn shows_to(&self, requestor: RestrictedRequestor<'_>, client: Client<'_>, binding: Binding) -> bool {
        if self.is_relay_there(requestor, self.locate(&binding)) {
            return true;
        }
        let mut options = client.options(&binding).iter();
        let relay_data = options.find(|&(code, _)| OptionCode(code) == OptionCode::LQ_RELAY_DATA);
        relay_data.is_some_and(|(_, option)| is_relayed_by(&option, |address| requestor.is_relay(address)))
    }

    /// Returns whether the requestor could see a lease as it was before a change.
    pub(crate) fn shows_former(&self, address: Ipv6Addr, kind: LeaseKind, former: &FormerLease<'_>) -> bool {
        self.restricted.is_none_or(|requestor| {
            let location = self.links.locate(former.subnet_id, address, kind);
            self.is_relay_there(requestor, location)
                || is_relayed_by(&former.relay_data, |address| requestor.is_relay(address))
        })
    }

    fn is_relay_there(&self, requestor: RestrictedRequestor<'_>, location: Location<'_>) -> bool {
        let is_relay_on = |link| self.is_relay_on(requestor, link);
        match location {
            Location::Link(link) => is_relay_on(link),
            // The lease is on one of these links; which one is unknown.
            Location::Containing(links) => links.iter().any(is_relay_on),
            Location::NotConfigured => false,
        }
    }

    /// Returns the client's bindings that the requestor may see, expired ones included.
    pub(crate) fn bindings<'p>(self, client: Client<'p>) -> impl Iterator<Item = Binding> + use<'p, 'a> {
        client.bindings().filter(move |binding| self.shows(client, binding))
    }
}

impl RestrictedRequestor<'_> {
    /// Returns whether it is the relay agent with this address.
    fn is_relay(&self, address: Ipv6Addr) -> bool {
        let Some(source) = self.source else { return false };
        // A link-local address names another host on each link.
        let is_global = !address.is_unspecified() && !address.is_unicast_link_local();
        is_global
            && (address == *source || self.rights.relay_addresses.iter().any(|net| net.contains(&address)))
    }
}

/// Length in octets of an option's code and length fields.
const OPTION_HEADER_LEN: usize = 4;

/// The value of OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4).
trait RelayData {
    /// Returns the octets from this position on; `None` beyond the end.
    fn octets<const N: usize>(&self, at: usize) -> Option<[u8; N]>;
}

impl RelayData for StoredOption<'_> {
    fn octets<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        StoredOption::octets(self, OPTION_HEADER_LEN + at)
    }
}

impl RelayData for &[u8] {
    fn octets<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..)?.first_chunk().copied()
    }
}

/// Returns whether the requestor is a relay agent in this relay data.
fn is_relayed_by(option: &impl RelayData, is_requestor: impl Fn(Ipv6Addr) -> bool) -> bool {
    let address = |at| option.octets::<16>(at).map(Ipv6Addr::from);
    let mut agent = address(0);
    let mut at = 16;
    // Relay data is the lease source's: it may nest deeper than any message.
    for _ in 0..RELAY_HOPS_MAX {
        let relay_forw = option.octets::<1>(at) == Some([MessageType::RELAY_FORW.0]);
        let (true, Some(link), Some(peer)) = (relay_forw, address(at + 2), address(at + 18)) else {
            return false;
        };
        // `agent` sent this RELAY-FORW, so it is no client.
        if agent.is_some_and(&is_requestor) || is_requestor(link) {
            return true;
        }
        // The innermost peer is the client: it counts only if another RELAY-FORW follows.
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

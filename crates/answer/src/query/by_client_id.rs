//! QUERY_BY_CLIENTID: the bindings of one client, on one link or on all (RFC 5007 §4.1.2.1).

use lqd_index::{Binding, Client, Found, LinkSet, Links, Lookups, Pinned};
use lqd_wire::{Duid, OptionCode};

use super::kind::{Kind, Subject};
use crate::refusal::Refusal;
use crate::select::{Content, OnLinks, View, nothing_on};

/// The DUID of the queried client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByClientId<'a>(Duid<'a>);

impl<'a> ByClientId<'a> {
    /// A query for the bindings of this client.
    pub(super) fn new(duid: Duid<'a>) -> Self {
        Self(duid)
    }
}

impl<'a> Kind<'a> for ByClientId<'a> {
    const OPTION: OptionCode = OptionCode::CLIENTID;
    const FINDS_BINDING: bool = false;

    #[inline(always)]
    fn parse(value: &'a [u8]) -> Result<Self, Refusal> {
        Duid::new(value).map(Self).ok_or(Refusal::MalformedQuery)
    }

    fn subject(self) -> Subject<'a> {
        Subject::Duid(self.0)
    }

    #[inline(always)]
    fn begin<const N: usize>(self, lookups: &mut Lookups<'_, 'a, N>) {
        lookups.begin_duid(self.0.octets());
    }

    #[inline(always)]
    fn on_any_link<'p>(
        self,
        _leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p> {
        match found {
            Some(found) => anywhere(view, now, found.client),
            None => nothing_anywhere(view),
        }
    }

    #[inline(always)]
    fn on_named_links<'p>(
        self,
        _leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
        named: LinkSet<'p>,
    ) -> Content<'p> {
        match found.map(|found| found.client) {
            Some(client) if is_bound(view, now, client, named) => {
                Content::Client(client, OnLinks::Links(named))
            }
            _ => nothing_on(view, &named),
        }
    }
}

fn is_bound(view: &View<'_>, now: u32, client: Client<'_>, links: LinkSet<'_>) -> bool {
    let on_links = OnLinks::Links(links);
    client.bindings().any(|binding| on_links.has(view, client, &binding) && binding.valid_left(now) > 0)
}

/// Decides the reply when no link is named: the client's data if it is on one link, its links if on several.
fn anywhere<'p>(view: &View<'p>, now: u32, client: Client<'p>) -> Content<'p> {
    if view.is_whole() && is_bound_on_its_only_link(view.links(), now, client) {
        return Content::Client(client, OnLinks::Whole);
    }
    on_any_links(view, now, client)
}

/// Returns whether all bindings are in their own subnets on one link, one unexpired: the common case.
#[inline(always)]
fn is_bound_on_its_only_link(links: &Links, now: u32, client: Client<'_>) -> bool {
    let (mut is_bound, mut only) = (false, None);
    for binding in client.bindings() {
        // A binding outside its subnet needs the search of `on_any_links`.
        let Some(subnet) = links.own_subnet(binding.subnet_id, binding.address) else { return false };
        if *only.get_or_insert(subnet.link()) != subnet.link() {
            return false;
        }
        is_bound |= binding.valid_left(now) > 0;
    }
    is_bound
}

/// Decides the reply as [`anywhere`], for any bindings.
fn on_any_links<'p>(view: &View<'p>, now: u32, client: Client<'p>) -> Content<'p> {
    let (mut is_bound, mut first) = (false, None);
    let active = |binding: &Binding| binding.valid_left(now) > 0 && view.shows(client, binding);
    for binding in client.bindings().filter(active) {
        let location = view.locate(&binding);
        is_bound = true;
        match (first, location.link()) {
            (None, Some(link)) => first = Some(LinkSet::of_link(view.links(), link)),
            // A second link: the reply names the links instead (§4.1.2.5).
            (Some(first), Some(_)) if !location.is_in(&first) => return Content::Links(client),
            _ => {}
        }
    }
    match first {
        Some(first) => Content::Client(client, OnLinks::Links(first)),
        // A client with bindings on unconfigured links only is not without binding.
        None if is_bound => Content::Refused(Refusal::NotConfigured),
        None => nothing_anywhere(view),
    }
}

/// Decides the reply when no binding on any link can be shown.
fn nothing_anywhere<'p>(view: &View<'_>) -> Content<'p> {
    if view.is_whole() { Content::NoBinding } else { Content::Refused(Refusal::Restricted) }
}

//! The leases that an active query is about: those that its OPTION_LQ_QUERY selects before or after a change.

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, LinkSet, LoggedLease};
use lqd_wire::OptionCode;

use super::super::BulkSubject;
use super::super::query::Wanted;
use crate::select::View;
use crate::{QueryKind, Rights};

/// The subject of an active query.
#[derive(Debug)]
enum Subject {
    /// All leases, or those on the named links.
    Any,
    /// Leases that cover an address.
    Covering(Ipv6Addr),
    /// Leases of a client.
    Duid(Box<[u8]>),
    /// Leases that came through a relay agent with this option.
    Relay(OptionCode, Box<[u8]>),
}

/// A filter of leases.
#[derive(Debug)]
pub(super) struct Filter {
    subject: Subject,
    /// `None`: any link.
    link_address: Option<Ipv6Addr>,
    is_restricted: bool,
}

impl Filter {
    pub(super) fn of(wanted: &Wanted, rights: &Rights) -> Self {
        let subject = match (wanted.kind, &wanted.subject) {
            (Some(QueryKind::ByAddress), Some(BulkSubject::Address(address))) => Subject::Covering(*address),
            (Some(QueryKind::ByClientId), Some(BulkSubject::Duid(duid))) => Subject::Duid(duid.clone()),
            (_, Some(BulkSubject::Duid(id))) => Subject::Relay(OptionCode::RELAY_ID, id.clone()),
            (_, Some(BulkSubject::RemoteId(id))) => Subject::Relay(OptionCode::REMOTE_ID, id.clone()),
            _ => Subject::Any,
        };
        Self { subject, link_address: wanted.link_address, is_restricted: rights.restricted }
    }

    /// Returns whether it selects by links, so that new links select other leases.
    pub(super) fn depends_on_links(&self) -> bool {
        self.link_address.is_some() || self.is_restricted
    }

    pub(super) fn names_unknown_link(&self, view: &View<'_>) -> bool {
        self.named(view).is_some_and(|named| named.is_empty())
    }

    /// Returns the links that leases must be on.
    pub(super) fn named<'p>(&self, view: &View<'p>) -> Option<LinkSet<'p>> {
        self.link_address.map(|address| view.links().named(address))
    }

    /// Returns whether the change of a lease may concern the requestor, whatever its facts.
    pub(super) fn may_select(&self, lease: &LoggedLease<'_>) -> bool {
        match &self.subject {
            Subject::Duid(duid) => lease.duid == &**duid,
            Subject::Covering(address) => covers(lease.address, lease.prefix_len, *address),
            Subject::Any | Subject::Relay(..) => true,
        }
    }

    /// Returns whether it selected the lease before the change.
    pub(super) fn selected(
        &self,
        view: &View<'_>,
        named: Option<&LinkSet<'_>>,
        lease: &LoggedLease<'_>,
    ) -> bool {
        let Some(former) = &lease.former else { return false };
        let LoggedLease { address, kind, .. } = *lease;
        self.may_select(lease)
            && named.is_none_or(|named| view.links().is_on(named, former.subnet_id, address, kind))
            && view.shows_former(address, kind, former)
            && match &self.subject {
                Subject::Relay(code, id) => former.has_relay_option(*code, id),
                _ => true,
            }
    }

    /// Returns whether it selects this binding of the client now.
    pub(super) fn selects(
        &self,
        view: &View<'_>,
        named: Option<&LinkSet<'_>>,
        client: Client<'_>,
        binding: &Binding,
        scratch: &mut Vec<u8>,
    ) -> bool {
        named.is_none_or(|named| view.is_on(named, binding))
            && view.shows(client, binding)
            && match &self.subject {
                Subject::Any => true,
                Subject::Covering(address) => covers(binding.address, binding.prefix_len, *address),
                Subject::Duid(duid) => client.has_duid(duid),
                Subject::Relay(code, id) => client.has_relay_option(binding, *code, id, scratch),
            }
    }
}

fn covers(first: Ipv6Addr, prefix_len: u8, address: Ipv6Addr) -> bool {
    let differing = u128::from(first) ^ u128::from(address);
    u32::from(prefix_len) <= differing.leading_zeros()
}

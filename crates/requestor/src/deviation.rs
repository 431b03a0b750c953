//! Where an answer departs from the RFCs but can still be used: named, so that it can be shown and not stumbled over.

use lqd_wire::{OptionCode, ParseError};

use crate::{Binding, Content, Duid, Lease, Query, Reply, Target};

/// A CLT_TIME above this many seconds (31 years) is more likely a point in time than an age.
const CLT_TIME_PLAUSIBLE_MAX: u32 = 1_000_000_000;

/// One departure. The text says what departs and from where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deviation {
    /// OPTION_LQ_RELAY_DATA beside the client data (Kea); taken as the client's.
    #[error("relay data stands at message level, not in the client data")]
    RelayDataAtMessageLevel,
    /// OPTION_LQ_RELAY_DATA that was not asked for (Kea).
    #[error("relay data was sent unasked (RFC 5007 §4.1.2.4)")]
    RelayDataUnasked,
    /// OPTION_LQ_RELAY_DATA that does not parse to its end; what came before the fault is shown.
    #[error("relay data is broken: {0}")]
    RelayDataBroken(ParseError),
    /// The client's message was left inside the relay data.
    #[error("relay data still holds the client's message (RFC 5007 §4.1.2.4)")]
    RelayDataWithMessage,
    /// An answer to a relayed query without RELAY-REPL (Kea): no relay agent could pass it on.
    #[error("a relayed query was answered without RELAY-REPL (RFC 8415 §19.3)")]
    NotRelayed,
    /// An error status with data, which is not used.
    #[error("an error status came with data, which is ignored")]
    DataWithError,
    /// Client data and client links in one answer (RFC 5007 §4.4.1 forbids it); the data is used.
    #[error("client links came beside client data and are ignored (RFC 5007 §4.4.1)")]
    LinksWithData,
    /// Client links where the query was not by client-id or named a link; they are not followed.
    #[error("client links came unasked and are not followed (RFC 5007 §4.1.2.5)")]
    LinksUnasked,
    /// Client data without CLT_TIME, which RFC 5007 §4.3.3 has a requestor discard.
    #[error("client data without client-last-transaction-time was discarded (RFC 5007 §4.3.3)")]
    NoCltTime,
    /// Client data without the client's DUID.
    #[error("client data without the client's DUID was discarded (RFC 5007 §4.4.2)")]
    NoClientId,
    /// Client data without a lease.
    #[error("client data holds no lease (RFC 5007 §4.4.2)")]
    NoLease,
    /// By client-id, and the data is of another client.
    #[error("the data is of client {0}, which was not asked for")]
    OtherClient(Duid),
    /// By address, and none of the valid leases covers it.
    #[error("no valid lease in the data covers the address that was asked for")]
    AddressNotCovered,
    /// A lease that is over (RFC 5007 §4.1.2.2 asks for those with a valid lifetime).
    #[error("{0} has no valid lifetime left (RFC 5007 §4.1.2.2)")]
    NoValidLifetime(Binding),
    /// A preferred lifetime above the valid one (RFC 8415 §21.6).
    #[error("{0}: the preferred lifetime is above the valid one (RFC 8415 §21.6)")]
    PreferredAboveValid(Binding),
    /// A lifetime that was infinite before time was subtracted from it (Kea); RFC 8415 §7.7.
    #[error("{0}: an infinite lifetime was counted down (RFC 8415 §7.7)")]
    InfinityCountedDown(Binding),
    /// CLT_TIME that looks like a point in time (ISC DHCP).
    #[error("the last transaction is 31 years ago or more; is it a point in time? (RFC 5007 §4.1.2.3)")]
    CltTimeAbsolute,
    /// A known option whose value does not parse; kept as octets.
    #[error("option {0:?} does not parse and is shown as octets")]
    OptionBroken(OptionCode),
}

impl Deviation {
    /// A short name that stays the same, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RelayDataAtMessageLevel => "relay-data-at-message-level",
            Self::RelayDataUnasked => "relay-data-unasked",
            Self::RelayDataBroken(_) => "relay-data-broken",
            Self::RelayDataWithMessage => "relay-data-with-message",
            Self::NotRelayed => "not-relayed",
            Self::DataWithError => "data-with-error",
            Self::LinksWithData => "links-with-data",
            Self::LinksUnasked => "links-unasked",
            Self::NoCltTime => "no-clt-time",
            Self::NoClientId => "no-client-id",
            Self::NoLease => "no-lease",
            Self::OtherClient(_) => "other-client",
            Self::AddressNotCovered => "address-not-covered",
            Self::NoValidLifetime(_) => "no-valid-lifetime",
            Self::PreferredAboveValid(_) => "preferred-above-valid",
            Self::InfinityCountedDown(_) => "infinity-counted-down",
            Self::CltTimeAbsolute => "clt-time-absolute",
            Self::OptionBroken(_) => "option-broken",
        }
    }
}

/// Adds what only the query shows: options and links that were not asked for, data that does not fit the question.
///
/// Data of another client, for another address, or without a lease that is valid, is no answer and not used.
pub(crate) fn against_query(reply: &mut Reply, query: &Query) {
    let mut found = Vec::new();
    let mut is_answer = true;
    match &reply.content {
        Content::Data(data) => {
            if data.relay.is_some() && !query.requested.contains(&OptionCode::LQ_RELAY_DATA) {
                found.push(Deviation::RelayDataUnasked);
            }
            match &query.target {
                Target::Client(client) if *client != data.client => {
                    found.push(Deviation::OtherClient(data.client.clone()));
                    is_answer = false;
                }
                Target::Address(address)
                    if !data
                        .leases
                        .iter()
                        .any(|lease| lease.is_valid() && lease.binding.covers(*address)) =>
                {
                    found.push(Deviation::AddressNotCovered);
                    is_answer = false;
                }
                _ => {}
            }
            is_answer &= data.leases.iter().any(Lease::is_valid);
        }
        Content::Links(_) if !may_have_links(query) => found.push(Deviation::LinksUnasked),
        _ => {}
    }
    reply.deviations.extend(found);
    if !is_answer {
        reply.content = Content::Unusable;
    }
}

/// Links may answer a query by client-id without a link-address (RFC 5007 §4.1.2.5).
pub(crate) fn may_have_links(query: &Query) -> bool {
    matches!(query.target, Target::Client(_)) && query.link.is_none()
}

/// What is odd in client data by itself.
pub(crate) fn in_data(data: &crate::ClientData) -> Vec<Deviation> {
    let mut found = Vec::new();
    if data.leases.is_empty() {
        found.push(Deviation::NoLease);
    }
    if data.clt_time_s > CLT_TIME_PLAUSIBLE_MAX {
        found.push(Deviation::CltTimeAbsolute);
    }
    for lease in &data.leases {
        let counted_down =
            |lifetime: u32| lifetime != u32::MAX && lifetime.checked_add(data.clt_time_s) == Some(u32::MAX);
        if lease.valid_lifetime_s == 0 {
            found.push(Deviation::NoValidLifetime(lease.binding));
        } else if lease.preferred_lifetime_s > lease.valid_lifetime_s {
            found.push(Deviation::PreferredAboveValid(lease.binding));
        }
        if data.clt_time_s > 0 && counted_down(lease.valid_lifetime_s) {
            found.push(Deviation::InfinityCountedDown(lease.binding));
        }
    }
    found
}

//! Deviations from the RFCs in answers that can still be used. Each has a type, so that it can be shown and
//! tested.

use lqd_wire::{OptionCode, ParseError, StatusCode};

use crate::{AddressOrPrefix, Content, Duid, Lease, Query, Reply, Target};

/// Largest CLT_TIME, in seconds (31 years), that is taken for an age; a larger one is more likely a point in
/// time.
const CLT_TIME_PLAUSIBLE_MAX: u32 = 1_000_000_000;

/// A deviation of one answer; its text says what deviates and cites the RFC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deviation {
    /// OPTION_LQ_RELAY_DATA beside OPTION_CLIENT_DATA instead of inside it (Kea); used as if inside.
    #[error("relay data is at message level, not in the client data")]
    RelayDataAtMessageLevel,
    /// OPTION_LQ_RELAY_DATA that the query did not request (Kea).
    #[error("relay data was sent although not requested (RFC 5007 §4.1.2.4)")]
    RelayDataUnasked,
    /// OPTION_LQ_RELAY_DATA that does not parse to its end; the part before the fault is shown.
    #[error("relay data is malformed: {0}")]
    RelayDataBroken(ParseError),
    /// Relay data with the client's own message still inside.
    #[error("relay data still contains the client's message (RFC 5007 §4.1.2.4)")]
    RelayDataWithMessage,
    /// An answer to a relayed query without RELAY-REPL (Kea); a real relay agent could not forward it.
    #[error("a relayed query was answered without RELAY-REPL (RFC 8415 §19.3)")]
    NotRelayed,
    /// An error status with client data or links, which are not used.
    #[error("an error status came with data, which is ignored")]
    DataWithError,
    /// Client data and client links in one answer (RFC 5007 §4.4.1 forbids it); the data is used.
    #[error("client links came beside client data and are ignored (RFC 5007 §4.4.1)")]
    LinksWithData,
    /// Client links in answer to a query by address or on a given link; they are not followed.
    #[error("client links came although not requested and are not followed (RFC 5007 §4.1.2.5)")]
    LinksUnasked,
    /// Client data without CLT_TIME, which a requestor discards (RFC 5007 §4.3.3).
    #[error("client data without client-last-transaction-time was discarded (RFC 5007 §4.3.3)")]
    NoCltTime,
    /// Client data without the client's DUID.
    #[error("client data without the client's DUID was discarded (RFC 5007 §4.4.2)")]
    NoClientId,
    /// Client data without any lease.
    #[error("client data holds no lease (RFC 5007 §4.4.2)")]
    NoLease,
    /// Client data of another client than the one in the query by client-id.
    #[error("the data is of client {0}, not of the queried one")]
    OtherClient(Duid),
    /// Client data in answer to a query by address of which no valid lease covers the address.
    #[error("no valid lease in the data covers the queried address")]
    AddressNotCovered,
    /// A lease without remaining valid lifetime (RFC 5007 §4.1.2.2 wants leases with one).
    #[error("{0} has no valid lifetime left (RFC 5007 §4.1.2.2)")]
    NoValidLifetime(AddressOrPrefix),
    /// A preferred lifetime above the valid one (RFC 8415 §21.6).
    #[error("{0}: the preferred lifetime is above the valid one (RFC 8415 §21.6)")]
    PreferredAboveValid(AddressOrPrefix),
    /// An infinite lifetime from which time was subtracted (Kea); RFC 8415 §7.7.
    #[error("{0}: an infinite lifetime was counted down (RFC 8415 §7.7)")]
    InfinityCountedDown(AddressOrPrefix),
    /// A CLT_TIME that looks like a point in time instead of an age (ISC DHCP).
    #[error("the last transaction is 31 years ago or more; is it a point in time? (RFC 5007 §4.1.2.3)")]
    CltTimeAbsolute,
    /// A known option whose value does not parse; kept as octets.
    #[error("option {0:?} does not parse and is shown as octets")]
    OptionBroken(OptionCode),
    /// Client data that does not parse, in a bulk answer, which goes on with the next message.
    #[error("client data is malformed and was discarded: {0}")]
    ClientDataBroken(ParseError),
    /// A LEASEQUERY-DATA whose options do not parse.
    #[error("LEASEQUERY-DATA is malformed and was discarded: {0}")]
    DataBroken(ParseError),
    /// A LEASEQUERY-DATA without client data, which a requestor discards (RFC 5460 §6.3).
    #[error("LEASEQUERY-DATA without client data was discarded (RFC 5460 §6.3)")]
    DataWithoutClientData,
    /// An option of LEASEQUERY-REPLY in LEASEQUERY-DATA.
    #[error("option {0:?} is in LEASEQUERY-DATA and belongs in LEASEQUERY-REPLY only (RFC 5460 §5.2.1)")]
    ReplyOptionInData(OptionCode),
    /// An option other than a status and the base-time in LEASEQUERY-DONE; it is not used.
    #[error("option {0:?} is in LEASEQUERY-DONE and is ignored (RFC 5460 §5.2.2)")]
    OptionInDone(OptionCode),
    /// Client links in a bulk answer; they are not followed.
    #[error("client links came in a bulk answer and are not followed (RFC 5460 §6.3)")]
    LinksInBulk,
    /// A status Success in a bulk answer without bindings (Kea).
    #[error("status Success came without bindings (RFC 5460 §7.2 wants no status)")]
    SuccessWithoutBinding,
    /// Bindings of one client on one link in several short messages (Kea).
    #[error("bindings of one client on one link came in several messages (RFC 5460 §5.2.1)")]
    ClientRepeated,
    /// Client data with a DUID of zero octets only, which Kea gives to declined leases.
    #[error("the client's DUID is all zeros: a lease without client, such as Kea's declined ones")]
    ClientIdZero,
    /// Relay data without the queried relay-id or remote-id.
    #[error("no relay agent in the relay data has the queried id (RFC 5460 §7.2)")]
    OtherRelayAgent,
    /// A status in LEASEQUERY-DATA of an active query that does not belong there.
    #[error("status {0:?} came out of place in LEASEQUERY-DATA (RFC 7653 §8.4.1)")]
    StatusOutOfPlace(StatusCode),
    /// A reply without the base-time that the query requested (RFC 7653 §6.3.1).
    #[error("the requested base-time is missing (RFC 7653 §6.3.1)")]
    NoBaseTime,
}

impl Deviation {
    /// The short name for programs, which never changes.
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
            Self::ClientDataBroken(_) => "client-data-broken",
            Self::DataBroken(_) => "data-broken",
            Self::DataWithoutClientData => "data-without-client-data",
            Self::ReplyOptionInData(_) => "reply-option-in-data",
            Self::OptionInDone(_) => "option-in-done",
            Self::LinksInBulk => "links-in-bulk",
            Self::SuccessWithoutBinding => "success-without-binding",
            Self::ClientRepeated => "client-repeated",
            Self::ClientIdZero => "client-id-zero",
            Self::OtherRelayAgent => "other-relay-agent",
            Self::StatusOutOfPlace(_) => "status-out-of-place",
            Self::NoBaseTime => "no-base-time",
        }
    }
}

/// Appends the deviations that only show against the query, and marks answers to another question as
/// unusable.
///
/// Data of another client, for another address, or without a valid lease must not become a result.
pub(crate) fn against_query(reply: &mut Reply, query: &Query) {
    let mut found = Vec::new();
    let mut is_answer = true;
    match &reply.content {
        Content::Data(data) => {
            // A server may send what was not requested; it is shown, but named.
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
                        .any(|lease| lease.is_valid() && lease.resource.covers(*address)) =>
                {
                    found.push(Deviation::AddressNotCovered);
                    is_answer = false;
                }
                _ => {}
            }
            // Leases that all have expired must not become "found", nor "no binding": the server said
            // neither.
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

/// Whether client links may answer this query: by client-id, without link-address (RFC 5007 §4.1.2.5).
pub(crate) fn may_have_links(query: &Query) -> bool {
    matches!(query.target, Target::Client(_)) && query.link.is_none()
}

/// Returns the deviations inside client data, whatever the query was.
pub(crate) fn in_data(data: &crate::ClientData) -> Vec<Deviation> {
    let mut found = Vec::new();
    if data.leases.is_empty() {
        found.push(Deviation::NoLease);
    }
    if data.clt_time_s > CLT_TIME_PLAUSIBLE_MAX {
        found.push(Deviation::CltTimeAbsolute);
    }
    for lease in &data.leases {
        // A server that counts infinity down sends 0xffffffff - CLT_TIME.
        let counted_down =
            |lifetime: u32| lifetime != u32::MAX && lifetime.checked_add(data.clt_time_s) == Some(u32::MAX);
        if lease.valid_lifetime_s == 0 {
            found.push(Deviation::NoValidLifetime(lease.resource));
        } else if lease.preferred_lifetime_s > lease.valid_lifetime_s {
            found.push(Deviation::PreferredAboveValid(lease.resource));
        }
        if data.clt_time_s > 0 && counted_down(lease.valid_lifetime_s) {
            found.push(Deviation::InfinityCountedDown(lease.resource));
        }
    }
    found
}

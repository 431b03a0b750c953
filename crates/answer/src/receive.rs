//! From octets to a query: relay levels, message validation (RFC 5007 §4.2.1), OPTION_LQ_QUERY (§4.1.2.1).
//!
//! What must be discarded and what must be refused are different types: [`receive`] ends in an [`Outcome`] for the
//! first, in a [`Received`] with a [`Refusal`] inside for the second.

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::{
    Duid, IaAddress, Message, MessageType, OptionCode, OptionRequest, ParseError, Query, QueryType, Relay,
    SERVER_PORT, StatusCode, TransactionId,
};

use crate::{Datagram, Deny, Outcome, Policy, Relayed, Rights};

/// A LEASEQUERY that RFC 5007 §4.2.1 tells us to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// Where the reply goes.
    pub(crate) to: SocketAddrV6,
    /// What its source may do.
    pub(crate) rights: &'a Rights,
    /// The datagram, whose first `relay_levels` levels are relay messages.
    pub(crate) octets: &'a [u8],
    pub(crate) relay_levels: u8,
    pub(crate) transaction_id: TransactionId,
    /// The requestor's DUID; it drops replies that do not repeat it (§4.2.2).
    pub(crate) requestor: Duid<'a>,
    pub(crate) ask: Result<Ask<'a>, Refusal>,
}

impl Received<'_> {
    /// The requestor's address, unless relay agents stand between: what these say of it may be made up.
    pub(crate) fn source(&self) -> Option<Ipv6Addr> {
        (self.relay_levels == 0).then_some(*self.to.ip())
    }
}

/// What is asked, about whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// `None` if the query names no link (`::`).
    pub(crate) link_address: Option<Ipv6Addr>,
    pub(crate) subject: Subject<'a>,
    pub(crate) request: OptionRequest<'a>,
}

/// Query-types that are answered here; a new one starts with a variant.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// QUERY_BY_ADDRESS.
    Address(Ipv6Addr),
    /// QUERY_BY_CLIENTID.
    Client(Duid<'a>),
}

/// Why a query gets a status instead of data (§4.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotAllowed,
    QueryType,
    Restricted,
    UnknownQueryType,
    BulkOnly,
    MalformedQuery,
    NotConfigured,
    TooManyBindings,
    Stale,
}

impl Refusal {
    /// Status code, its text for people, and the outcome.
    pub(crate) fn status(self) -> (StatusCode, &'static str, Outcome) {
        match self {
            Self::NotAllowed => (StatusCode::NOT_ALLOWED, "this requestor may not ask", Outcome::NotAllowed),
            Self::QueryType => (
                StatusCode::NOT_ALLOWED,
                "this requestor may not ask by this query-type",
                Outcome::QueryTypeNotAllowed,
            ),
            Self::Restricted => (
                StatusCode::NOT_ALLOWED,
                "this requestor may ask only for bindings that came through it",
                Outcome::Restricted,
            ),
            Self::UnknownQueryType => {
                (StatusCode::UNKNOWN_QUERY_TYPE, "unknown query-type", Outcome::UnknownQueryType)
            }
            Self::BulkOnly => {
                (StatusCode::NOT_ALLOWED, "this query-type is for bulk leasequery (TCP)", Outcome::BulkOnly)
            }
            Self::MalformedQuery => {
                (StatusCode::MALFORMED_QUERY, "the query option is malformed", Outcome::MalformedQuery)
            }
            Self::NotConfigured => {
                (StatusCode::NOT_CONFIGURED, "no such address or link here", Outcome::NotConfigured)
            }
            Self::TooManyBindings => (
                StatusCode::UNSPEC_FAIL,
                "the bindings do not fit into one message",
                Outcome::TooManyBindings,
            ),
            Self::Stale => (
                StatusCode::UNSPEC_FAIL,
                "the server's leases are out of date; ask another server",
                Outcome::StaleRefused,
            ),
        }
    }

    /// The outcome if requestors are denied by silence, and this is a denial.
    pub(crate) fn silence(self, deny: Deny) -> Option<Outcome> {
        match (deny, self) {
            (Deny::Drop, Self::QueryType) => Some(Outcome::DropQueryType),
            (Deny::Drop, Self::Restricted) => Some(Outcome::DropRestricted),
            _ => None,
        }
    }
}

impl From<ParseError> for Refusal {
    fn from(_: ParseError) -> Self {
        Self::MalformedQuery
    }
}

/// Reads a datagram as far as it takes to know whether and to whom to reply.
///
/// `rights` are those of its source.
pub(crate) fn receive<'a>(
    policy: &Policy,
    rights: &'a Rights,
    datagram: &Datagram<'a>,
) -> Result<Received<'a>, Outcome> {
    let Unwrapped { message, relay_levels, to } = unwrap(policy, rights, datagram)?;
    let message = Message::parse(message).ok_or(Outcome::DropMalformed)?;
    match message.kind {
        MessageType::LEASEQUERY => {}
        MessageType::LEASEQUERY_REPLY => return Err(Outcome::DropReply),
        _ => return Err(Outcome::DropOtherMessage),
    }
    let (transaction_id, options) = (message.transaction_id, validate(policy, message)?);
    let ask = match options.query {
        _ if !rights.allow => Err(Refusal::NotAllowed),
        Some(query) => ask(rights, query),
        None => Err(Refusal::MalformedQuery),
    };
    Ok(Received {
        to,
        rights,
        octets: datagram.octets,
        relay_levels,
        transaction_id,
        requestor: options.requestor,
        ask,
    })
}

struct Unwrapped<'a> {
    message: &'a [u8],
    relay_levels: u8,
    to: SocketAddrV6,
}

/// Takes the relay levels off (RFC 8415 §19.3).
///
/// A direct query is answered at its source address and port (RFC 5007 §4.4.3); a relayed one at the relay agent's
/// port 547, or at its source port if it says so in option 135 (RFC 8357 §5.2).
fn unwrap<'a>(policy: &Policy, rights: &Rights, datagram: &Datagram<'a>) -> Result<Unwrapped<'a>, Outcome> {
    let mut at = Unwrapped { message: datagram.octets, relay_levels: 0, to: datagram.source };
    while at.message.first() == Some(&MessageType::RELAY_FORW.0) {
        if rights.relayed == Relayed::Drop {
            return Err(Outcome::DropRelayed);
        }
        if at.relay_levels == policy.relay_levels_max {
            return Err(Outcome::DropRelayChain);
        }
        let relay = Relay::parse(at.message).map_err(|_| Outcome::DropMalformed)?;
        if at.relay_levels == 0 && relay.source_port.is_none() {
            at.to.set_port(SERVER_PORT);
        }
        at.relay_levels += 1;
        at.message = relay.message;
    }
    Ok(at)
}

/// The options of a LEASEQUERY that matter.
struct Validated<'a> {
    requestor: Duid<'a>,
    /// Value of OPTION_LQ_QUERY; `None` if it is there twice, which is a malformed query.
    query: Option<&'a [u8]>,
}

/// Message validation (RFC 5007 §4.2.1). Unknown options are ignored (RFC 8415 §16).
fn validate<'a>(policy: &Policy, message: Message<'a>) -> Result<Validated<'a>, Outcome> {
    let (mut client_id, mut server_id, mut query, mut queries) = (None, None, None, 0);
    for option in message.options {
        let (code, value) = option.map_err(|_| Outcome::DropMalformed)?;
        match code {
            OptionCode::CLIENTID if client_id.is_none() => client_id = Some(value),
            OptionCode::SERVERID if server_id.is_none() => server_id = Some(value),
            OptionCode::CLIENTID | OptionCode::SERVERID => return Err(Outcome::DropMalformed),
            OptionCode::LQ_QUERY => {
                queries += 1;
                query = Some(value);
            }
            _ => {}
        }
    }
    let client_id = client_id.filter(|value| !value.is_empty()).ok_or(Outcome::DropNoClientId)?;
    let requestor = Duid::new(client_id).ok_or(Outcome::DropMalformed)?;
    if server_id.is_some_and(|value| value != policy.server_duid) {
        return Err(Outcome::DropOtherServer);
    }
    let query = query.ok_or(Outcome::DropNoQuery)?;
    Ok(Validated { requestor, query: (queries == 1).then_some(query) })
}

/// Reads OPTION_LQ_QUERY. Of several addresses or DUIDs in it the first counts; other options are ignored.
fn ask<'a>(rights: &Rights, query: &'a [u8]) -> Result<Ask<'a>, Refusal> {
    let query = Query::parse(query)?;
    match query.kind {
        QueryType::BY_ADDRESS | QueryType::BY_CLIENT_ID if rights.query_types.contain(query.kind) => {}
        QueryType::BY_ADDRESS | QueryType::BY_CLIENT_ID => return Err(Refusal::QueryType),
        QueryType::BY_RELAY_ID | QueryType::BY_LINK_ADDRESS | QueryType::BY_REMOTE_ID => {
            return Err(Refusal::BulkOnly);
        }
        _ => return Err(Refusal::UnknownQueryType),
    }
    let (mut address, mut client_id, mut request) = (None, None, None);
    for option in query.options {
        let (code, value) = option?;
        match code {
            OptionCode::IAADDR if address.is_none() => address = Some(value),
            OptionCode::CLIENTID if client_id.is_none() => client_id = Some(value),
            OptionCode::ORO if request.is_none() => request = Some(value),
            _ => {}
        }
    }
    let subject = if query.kind == QueryType::BY_ADDRESS {
        Subject::Address(IaAddress::parse(address.ok_or(Refusal::MalformedQuery)?)?.address)
    } else {
        Subject::Client(client_id.and_then(Duid::new).ok_or(Refusal::MalformedQuery)?)
    };
    let request = request.map_or(Ok(OptionRequest::default()), OptionRequest::parse)?;
    let link_address = Some(query.link_address).filter(|address| !address.is_unspecified());
    Ok(Ask { link_address, subject, request })
}

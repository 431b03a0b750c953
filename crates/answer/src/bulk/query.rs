//! Queries of a bulk leasequery connection, from message to answer.

use std::net::Ipv6Addr;

use lqd_wire::{Duid, IaAddress, LqTime, OptionCode, OptionRequest, Query, TransactionId};

use super::BulkOutcome;
use crate::{QueryClass, QueryKind, QueryTypes};

/// Least length in octets of the Remote-ID option's value: enterprise number and one octet (RFC 4649 §3).
const REMOTE_ID_LEN_MIN: usize = 5;

/// The subject of a bulk query, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkSubject {
    /// An address, or the link-address of a query by link.
    Address(Ipv6Addr),
    /// A DUID: of a client, or a Relay-ID.
    Duid(Box<[u8]>),
    /// A Remote-ID: enterprise number and identifier.
    RemoteId(Box<[u8]>),
}

/// A finished query, or a message that ended the connection, for counters and the query log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedQuery {
    /// The outcome.
    pub outcome: BulkOutcome,
    /// The class of the query.
    pub class: QueryClass,
    /// The transaction-id; `None` if no message header was received.
    pub transaction_id: Option<TransactionId>,
    /// The subject; `None` if it was not parsed.
    pub subject: Option<BulkSubject>,
    /// The link-address; `None` if it is `::` or was not parsed.
    pub link_address: Option<Ipv6Addr>,
    /// Bindings sent.
    pub bindings: u64,
    /// Messages sent, LEASEQUERY-DONE included.
    pub messages: u64,
}

impl FinishedQuery {
    /// A message that ends the connection.
    pub(super) fn close(outcome: BulkOutcome, transaction_id: Option<TransactionId>) -> Self {
        let (class, subject, link_address) = (QueryClass::Unparsed, None, None);
        Self { outcome, class, transaction_id, subject, link_address, bindings: 0, messages: 0 }
    }
}

/// The parsed OPTION_LQ_QUERY, and OPTION_LQ_START_TIME and OPTION_LQ_END_TIME of either level.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// `None` until the query-type was parsed.
    pub(super) kind: Option<QueryKind>,
    /// Whether the query-type is not a known one.
    pub(super) is_unknown: bool,
    pub(super) subject: Option<BulkSubject>,
    /// `None` for `::`.
    pub(super) link_address: Option<Ipv6Addr>,
    /// The value of OPTION_ORO.
    pub(super) request: Box<[u8]>,
    /// OPTION_LQ_START_TIME (RFC 7653 §6.3.2).
    pub(super) start: Option<LqTime>,
    /// OPTION_LQ_END_TIME (RFC 7653 §6.3.3).
    pub(super) end: Option<LqTime>,
}

impl Wanted {
    /// Parses the value of OPTION_LQ_QUERY.
    ///
    /// # Errors
    /// The outcome of a query that gets a status.
    pub(super) fn parse(&mut self, value: &[u8], allowed: &QueryTypes) -> Result<(), BulkOutcome> {
        let malformed = |_| BulkOutcome::MalformedQuery;
        let query = Query::parse(value).map_err(malformed)?;
        let options = || query.options.clone().map_while(Result::ok);
        // Read first: base-time counts in errors, too.
        if let Some((_, codes)) = options().find(|&(code, _)| code == OptionCode::ORO) {
            self.request = codes.into();
        }
        let known = QueryKind::ALL.iter().copied().find(|kind| kind.wire() == query.kind);
        self.is_unknown = known.is_none();
        let kind = known.ok_or(BulkOutcome::UnknownQueryType)?;
        // The query-type decides before the query-options are parsed (RFC 5007 §4.4.1).
        if !allowed.contains(query.kind) {
            return Err(BulkOutcome::QueryTypeNotAllowed);
        }
        self.kind = Some(kind);
        query.options.clone().validate().map_err(malformed)?;
        OptionRequest::parse(&self.request).map_err(malformed)?;
        let link_address = Ipv6Addr::from(*query.link_address);
        self.link_address = Some(link_address).filter(|address| !address.is_unspecified());
        for (code, value) in options() {
            self.add_time(code, value)?;
        }
        if self.start.zip(self.end).is_some_and(|(start, end)| start.is_after(end)) {
            return Err(BulkOutcome::MalformedQuery);
        }
        let first = |wanted| options().find(|&(code, _)| code == wanted).map(|(_, value)| value);
        self.subject = Some(subject(kind, link_address, first).ok_or(BulkOutcome::MalformedQuery)?);
        Ok(())
    }

    /// Takes OPTION_LQ_START_TIME or OPTION_LQ_END_TIME; other options are ignored.
    pub(super) fn add_time(&mut self, code: OptionCode, value: &[u8]) -> Result<(), BulkOutcome> {
        let time = match code {
            OptionCode::LQ_START_TIME => &mut self.start,
            OptionCode::LQ_END_TIME => &mut self.end,
            _ => return Ok(()),
        };
        let parsed = LqTime::parse(value).map_err(|_| BulkOutcome::MalformedQuery)?;
        // Twice, in the query or at both levels: which one counts is not known.
        if time.replace(parsed).is_some() { Err(BulkOutcome::MalformedQuery) } else { Ok(()) }
    }

    /// Returns the requested options.
    pub(super) fn request(&self) -> OptionRequest<'_> {
        OptionRequest::parse(&self.request).unwrap_or_default()
    }

    /// Returns whether each message tells the server's time (RFC 7653 §6.3.1).
    pub(super) fn has_base_time(&self) -> bool {
        self.request().contains(OptionCode::LQ_BASE_TIME)
    }

    /// Returns whether the time of a change is within start and end time, both in UNIX seconds.
    pub(super) fn takes_time(&self, cltt: u32) -> bool {
        let changed = LqTime::from_unix(cltt);
        !self.start.is_some_and(|start| start.is_after(changed))
            && !self.end.is_some_and(|end| changed.is_after(end))
    }

    pub(super) fn class(&self) -> QueryClass {
        match self.kind {
            Some(kind) => kind.class(),
            None if self.is_unknown => QueryClass::Unknown,
            None => QueryClass::Unparsed,
        }
    }

    /// Octets on the heap.
    pub(super) fn heap_len(&self) -> usize {
        let subject = match &self.subject {
            Some(BulkSubject::Duid(octets) | BulkSubject::RemoteId(octets)) => octets.len(),
            _ => 0,
        };
        self.request.len() + subject
    }
}

/// Parses the subject; `first` returns the first option with a code.
fn subject<'a>(
    kind: QueryKind,
    link_address: Ipv6Addr,
    first: impl Fn(OptionCode) -> Option<&'a [u8]>,
) -> Option<BulkSubject> {
    let duid = |code| Some(BulkSubject::Duid(Duid::new(first(code)?)?.octets().into()));
    match kind {
        QueryKind::ByAddress => {
            let address = IaAddress::parse_address(first(OptionCode::IAADDR)?).ok()?;
            Some(BulkSubject::Address((*address).into()))
        }
        QueryKind::ByClientId => duid(OptionCode::CLIENTID),
        QueryKind::ByRelayId => duid(OptionCode::RELAY_ID),
        QueryKind::ByLinkAddress => {
            (!link_address.is_unspecified()).then_some(BulkSubject::Address(link_address))
        }
        QueryKind::ByRemoteId => {
            let id = first(OptionCode::REMOTE_ID).filter(|id| id.len() >= REMOTE_ID_LEN_MIN)?;
            Some(BulkSubject::RemoteId(id.into()))
        }
    }
}

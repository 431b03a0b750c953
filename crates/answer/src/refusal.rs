//! Queries that get a status instead of data (RFC 5007 §4.1.3, §4.4.1).

use lqd_wire::{ParseError, StatusCode};

use crate::{Deny, Outcome};

/// Why a query gets a status instead of data (§4.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotAllowed,
    QueryType,
    Restricted,
    UnknownQueryType,
    BulkOnly,
    NoBulk,
    MalformedQuery,
    NotConfigured,
    TooManyBindings,
    Unreadable,
    InDoubt,
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
            Self::NoBulk => (
                StatusCode::UNKNOWN_QUERY_TYPE,
                "this server does not offer bulk leasequery",
                Outcome::UnknownQueryType,
            ),
            Self::MalformedQuery => {
                (StatusCode::MALFORMED_QUERY, "the query option is malformed", Outcome::MalformedQuery)
            }
            Self::NotConfigured => {
                (StatusCode::NOT_CONFIGURED, "no such address or link here", Outcome::NotConfigured)
            }
            Self::TooManyBindings => {
                (StatusCode::UNSPEC_FAIL, "the bindings are too many for one reply", Outcome::TooManyBindings)
            }
            Self::Unreadable => {
                (StatusCode::UNSPEC_FAIL, "the lease of this address cannot be read", Outcome::Unreadable)
            }
            Self::InDoubt => (
                StatusCode::UNSPEC_FAIL,
                "a lease that this client may hold cannot be read",
                Outcome::Unreadable,
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

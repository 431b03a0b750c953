//! Refusals: queries that get a status instead of data (RFC 5007 §4.1.3, §4.4.1).

use lqd_wire::{ParseError, StatusCode};

use crate::{Deny, Outcome};

/// The reason for a status other than success.
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
    /// Returns the status code, its text for people, and the outcome.
    pub(crate) fn status(self) -> (StatusCode, &'static str, Outcome) {
        match self {
            Self::NotAllowed => (StatusCode::NOT_ALLOWED, "requestor not authorized", Outcome::NotAllowed),
            Self::QueryType => (
                StatusCode::NOT_ALLOWED,
                "requestor not authorized for this query-type",
                Outcome::QueryTypeNotAllowed,
            ),
            Self::Restricted => (
                StatusCode::NOT_ALLOWED,
                "requestor authorized only for bindings that it relayed",
                Outcome::Restricted,
            ),
            Self::UnknownQueryType => {
                (StatusCode::UNKNOWN_QUERY_TYPE, "unknown query-type", Outcome::UnknownQueryType)
            }
            Self::BulkOnly => {
                (StatusCode::NOT_ALLOWED, "query-type is for bulk leasequery (TCP) only", Outcome::BulkOnly)
            }
            Self::NoBulk => (
                StatusCode::UNKNOWN_QUERY_TYPE,
                "bulk leasequery not offered by this server",
                Outcome::UnknownQueryType,
            ),
            Self::MalformedQuery => {
                (StatusCode::MALFORMED_QUERY, "malformed query option", Outcome::MalformedQuery)
            }
            Self::NotConfigured => (
                StatusCode::NOT_CONFIGURED,
                "address or link not configured on this server",
                Outcome::NotConfigured,
            ),
            Self::TooManyBindings => {
                (StatusCode::UNSPEC_FAIL, "too many bindings for one reply", Outcome::TooManyBindings)
            }
            Self::Unreadable => {
                (StatusCode::UNSPEC_FAIL, "lease of this address is unreadable", Outcome::Unreadable)
            }
            Self::InDoubt => (
                StatusCode::UNSPEC_FAIL,
                "a lease that this client may hold is unreadable",
                Outcome::Unreadable,
            ),
            Self::Stale => {
                (StatusCode::UNSPEC_FAIL, "lease data out of date; ask another server", Outcome::StaleRefused)
            }
        }
    }

    /// Returns the outcome if this is a denial, and denials get no reply.
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

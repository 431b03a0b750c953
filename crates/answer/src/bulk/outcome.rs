//! The table of outcomes: each bulk query, and each message that closes a connection, has exactly one.

use lqd_wire::StatusCode;

use crate::refusal::Refusal;

/// Declares [`BulkOutcome`] and its table: first the outcomes with an answer and its status, then the others.
macro_rules! bulk_outcomes {
    (
        answers { $($answer:ident => $name:literal, $status:ident, $text:literal, $doc:literal;)+ }
        closes { $($close:ident => $close_name:literal, $close_doc:literal;)+ }
    ) => {
        /// The outcome of one message on a bulk leasequery connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum BulkOutcome {
            $(#[doc = $doc] $answer,)+
            $(#[doc = $close_doc] $close,)+
        }

        impl BulkOutcome {
            /// All outcomes with name and description; the position is `outcome as usize`.
            pub const TABLE: &'static [(Self, &'static str, &'static str)] = &[
                $((Self::$answer, $name, $doc),)+
                $((Self::$close, $close_name, $close_doc),)+
            ];

            /// Returns the status of the answer, Success if it has no status option; `None` without one.
            pub fn status(self) -> Option<StatusCode> {
                match self {
                    $(Self::$answer => Some(StatusCode::$status),)+
                    $(Self::$close => None,)+
                }
            }

            /// Returns the text of the status option, for people.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $(Self::$answer => $text,)+
                    $(Self::$close => "",)+
                }
            }
        }
    };
}

bulk_outcomes! {
    answers {
        Complete => "complete", SUCCESS, "", "All bindings sent, then LEASEQUERY-DONE (RFC 5460 §5.2.2).";
        NoBinding => "no_binding", SUCCESS, "", "Reply without client data: no binding (RFC 5460 §7.2).";
        NotConfigured => "not_configured", NOT_CONFIGURED, "address or link not configured on this server", "Reply NotConfigured: the link or address is not in the configuration (RFC 5460 §7.2).";
        UnknownQueryType => "unknown_query_type", UNKNOWN_QUERY_TYPE, "unknown query-type", "Reply UnknownQueryType (RFC 5007 §4.4.1).";
        MalformedQuery => "malformed_query", MALFORMED_QUERY, "malformed query option", "Reply MalformedQuery: OPTION_LQ_QUERY does not parse or lacks an option (RFC 5007 §4.4.1).";
        NotAllowed => "not_allowed", NOT_ALLOWED, "requestor not authorized", "Reply NotAllowed: the source is not authorized any more (RFC 5007 §4.4.1).";
        QueryTypeNotAllowed => "query_type_not_allowed", NOT_ALLOWED, "requestor not authorized for this query-type", "Reply NotAllowed: the source is not authorized for this query-type (RFC 5007 §4.4.1).";
        Restricted => "restricted", NOT_ALLOWED, "requestor authorized only for bindings that it relayed", "Reply NotAllowed: the source may see only bindings that it relayed (RFC 5007 §5).";
        OverRate => "over_rate", QUERY_TERMINATED, "rate limit exceeded; try again later", "Reply QueryTerminated: the requestor, or its prefix, exceeds its rate limit (RFC 5007 §5).";
        Incomplete => "incomplete", QUERY_TERMINATED, "leases are incomplete; try again later or ask another server", "QueryTerminated: the leases are stale or incomplete.";
        Replaced => "replaced", QUERY_TERMINATED, "leases or links were replaced; query again", "QueryTerminated: leases or links were replaced as a whole during the query.";
        Resized => "resized", QUERY_TERMINATED, "a client became or ceased to be oversized; query again", "QueryTerminated: a client became or ceased to be oversized during the query.";
        Shutdown => "shutdown", QUERY_TERMINATED, "server is shutting down; ask another server", "QueryTerminated: the server shut down during the query.";
        Revoked => "revoked", QUERY_TERMINATED, "requestor no longer authorized", "QueryTerminated: an applied configuration no longer names the requestor's certificate.";
        Unreadable => "unreadable", UNSPEC_FAIL, "a lease that may belong to the answer is unreadable", "UnspecFail: the last lease-file row of an address cannot be parsed; all other bindings are sent.";
        TooLong => "too_long", UNSPEC_FAIL, "a binding with its options exceeds one message", "UnspecFail: a binding with the requested options exceeds one message; all other bindings are sent.";
        ActiveNotSupported => "active_not_supported", NOT_SUPPORTED, "active leasequery not offered by this server", "Reply NotSupported to an ACTIVELEASEQUERY, then close (RFC 7653 §9.2).";
        ActiveNotAllowed => "active_not_allowed", NOT_ALLOWED, "requestor not authorized for active leasequery", "Reply NotAllowed to an ACTIVELEASEQUERY: the access rule of the source forbids active queries.";
        ActiveNotAlone => "active_not_alone", NOT_ALLOWED, "an active query must be alone on its connection", "Reply NotAllowed: an active query beside another query on one connection (RFC 7653 §9.4).";
        ActiveInterrupted => "active_interrupted", QUERY_TERMINATED, "another message came on the connection of an active query", "QueryTerminated: another message came on the connection of an active query (RFC 7653 §9.4).";
        AccessChanged => "access_changed", QUERY_TERMINATED, "access rules changed; query again", "QueryTerminated: a reload changed the rights of the source during an active query.";
        Overrun => "overrun", QUERY_TERMINATED, "requestor too slow, changes left the history; query again", "QueryTerminated: the requestor was too slow, and changes left the history unsent.";
        ChangesLost => "changes_lost", QUERY_TERMINATED, "some changes are not known; query again", "QueryTerminated: some changes are not known to the server.";
        ActiveEnded => "active_ended", SUCCESS, "", "The requestor ended its active query: it closed the connection.";
        TlsStarted => "tls_started", SUCCESS, "", "Reply without status to a STARTTLS: the TLS handshake follows (RFC 7653 §9.1).";
        TlsRefused => "tls_refused", TLS_CONNECTION_REFUSED, "TLS not offered by this server", "Reply TLSConnectionRefused to a STARTTLS (RFC 7653 §9.1).";
    }
    closes {
        Abandoned => "abandoned", "Connection lost before the answer was complete: reset by the requestor, or closed for want of progress.";
        CloseFrame => "close_frame", "Closed: a frame shorter than a DHCPv6 message (RFC 5460 §5.1).";
        CloseMalformed => "close_malformed", "Closed: an option of the message does not parse.";
        CloseDuplicateId => "close_duplicate_id", "Closed: OPTION_CLIENTID or OPTION_SERVERID twice in the message (RFC 8415 §24).";
        CloseOtherMessage => "close_other_message", "Closed: a message that is not a query, for instance a relayed one.";
        CloseNoClientId => "close_no_client_id", "Closed: no OPTION_CLIENTID (RFC 5007 §4.2.1).";
        CloseOtherServer => "close_other_server", "Closed: OPTION_SERVERID names another server (RFC 5007 §4.2.1).";
        CloseNoQuery => "close_no_query", "Closed: no OPTION_LQ_QUERY (RFC 5007 §4.2.1).";
        CloseDuplicateTransaction => "close_duplicate_transaction", "Closed: a query with the transaction-id of one that is not complete (RFC 5460 §6.5).";
        CloseEarlyOctets => "close_early_octets", "Closed: octets behind a STARTTLS and before the TLS handshake, which anyone may have inserted.";
        CloseLateTls => "close_late_tls", "Closed: a STARTTLS that is not the first message (RFC 7653 §8.2).";
        CloseWithoutTls => "close_without_tls", "Closed: a message without TLS where TLS is required (RFC 7653 §9.1).";
        CloseActiveWithoutTls => "close_active_without_tls", "Closed: an ACTIVELEASEQUERY without TLS where TLS is required for it (RFC 7653 §9.1).";
    }
}

impl BulkOutcome {
    /// Returns the name in metrics and logs.
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }
}

impl From<Refusal> for BulkOutcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAllowed => Self::NotAllowed,
            Refusal::QueryType => Self::QueryTypeNotAllowed,
            Refusal::Restricted => Self::Restricted,
            Refusal::UnknownQueryType | Refusal::BulkOnly | Refusal::NoBulk => Self::UnknownQueryType,
            Refusal::MalformedQuery => Self::MalformedQuery,
            Refusal::NotConfigured => Self::NotConfigured,
            Refusal::TooManyBindings => Self::TooLong,
            Refusal::Unreadable | Refusal::InDoubt => Self::Unreadable,
            Refusal::Stale => Self::Incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_are_distinct() {
        for (position, (outcome, name, _)) in BulkOutcome::TABLE.iter().enumerate() {
            assert_eq!(*outcome as usize, position);
            assert_eq!(outcome.name(), *name);
            assert!(BulkOutcome::TABLE[..position].iter().all(|(_, other, _)| other != name));
            let is_failure = outcome.status().is_some_and(|status| status != StatusCode::SUCCESS);
            assert_eq!(outcome.text().is_empty(), !is_failure, "{name}: a text for each failure");
        }
    }
}

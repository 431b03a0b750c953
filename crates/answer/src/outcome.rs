//! The table of outcomes: each datagram has exactly one, whose name appears in metrics and logs.

use lqd_wire::StatusCode;

/// Declares [`Outcome`] and its table: first the outcomes with a reply and its status, then the others.
macro_rules! outcomes {
    (
        replies { $($reply:ident => $reply_name:literal, $status:ident, $reply_doc:literal;)+ }
        drops { $($drop:ident => $drop_name:literal, $drop_doc:literal;)+ }
    ) => {
        /// The outcome of one datagram.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Outcome {
            $(#[doc = $reply_doc] $reply,)+
            $(#[doc = $drop_doc] $drop,)+
        }

        impl Outcome {
            /// All outcomes with name and description; the position is `outcome as usize`.
            pub const TABLE: &'static [(Self, &'static str, &'static str)] = &[
                $((Self::$reply, $reply_name, $reply_doc),)+
                $((Self::$drop, $drop_name, $drop_doc),)+
            ];

            /// Returns the status of the reply, Success if it has no status option; `None` without a reply.
            pub fn status(self) -> Option<StatusCode> {
                match self {
                    $(Self::$reply => Some(StatusCode::$status),)+
                    $(Self::$drop => None,)+
                }
            }
        }
    };
}

outcomes! {
    replies {
        Answered => "answered", SUCCESS, "Reply with the client's bindings (OPTION_CLIENT_DATA).";
        AnsweredLinks => "answered_links", SUCCESS, "Reply with the links of a client that is on several (OPTION_LQ_CLIENT_LINK).";
        NoBinding => "no_binding", SUCCESS, "Reply without client data: no binding (RFC 5007 §4.3.3, variant 3).";
        NotConfigured => "not_configured", NOT_CONFIGURED, "Reply NotConfigured: the link or address is not in the configuration (§4.4.1).";
        UnknownQueryType => "unknown_query_type", UNKNOWN_QUERY_TYPE, "Reply UnknownQueryType (§4.4.1); also for query-types of bulk leasequery, where that is not offered over TCP.";
        MalformedQuery => "malformed_query", MALFORMED_QUERY, "Reply MalformedQuery: OPTION_LQ_QUERY does not parse or lacks an option (§4.4.1).";
        BulkOnly => "bulk_only", NOT_ALLOWED, "Reply NotAllowed: a query-type for TCP only, where bulk leasequery is offered (RFC 5460 §4).";
        NotAllowed => "not_allowed", NOT_ALLOWED, "Reply NotAllowed: the source is not authorized (§4.4.1).";
        QueryTypeNotAllowed => "query_type_not_allowed", NOT_ALLOWED, "Reply NotAllowed: the source is not authorized for this query-type (§4.4.1).";
        Restricted => "restricted", NOT_ALLOWED, "Reply NotAllowed: the source may see only bindings that it relayed (§5).";
        TooManyBindings => "too_many_bindings", UNSPEC_FAIL, "Reply UnspecFail: the answer exceeds one datagram, or the requestor's limit (--max-reply).";
        Unreadable => "unreadable", UNSPEC_FAIL, "Reply UnspecFail: the last lease-file row of the address, or of one that the client may hold, cannot be parsed, so the holder is unknown.";
        StaleRefused => "stale_refused", UNSPEC_FAIL, "Reply UnspecFail: no matching lease, but the leases are stale or incomplete, so there may be one (--when-stale refuse).";
    }
    drops {
        DropStale => "drop_stale", "Discarded: no matching lease, but the leases are stale or incomplete, so there may be one (--when-stale silent).";
        DropNotAllowed => "drop_not_allowed", "Discarded: the source is not authorized (§4.4.1).";
        DropQueryType => "drop_query_type", "Discarded: the source is not authorized for this query-type (§4.4.1).";
        DropRestricted => "drop_restricted", "Discarded: the source may see only bindings that it relayed (§5).";
        DropRequestorRate => "drop_requestor_rate", "Discarded: the requestor exceeds its rate limit (§5).";
        DropPrefixRate => "drop_prefix_rate", "Discarded: the requestors of the prefix together exceed its rate limit (§5).";
        DropRelayed => "drop_relayed", "Discarded: relayed queries are not accepted from this source (§5).";
        DropRelayChain => "drop_relay_chain", "Discarded: more relay hops than accepted (--max-relay-hops, §5).";
        DropMalformed => "drop_malformed", "Discarded: not a DHCPv6 message, or an option of the message does not parse.";
        DropDuplicateId => "drop_duplicate_id", "Discarded: OPTION_CLIENTID or OPTION_SERVERID twice in the message (RFC 8415 §24).";
        DropReply => "drop_reply", "Discarded: a LEASEQUERY-REPLY, which servers must not receive (§4.2.2).";
        DropOtherMessage => "drop_other_message", "Discarded: a message that is not a LEASEQUERY (RFC 8415 §16).";
        DropNoClientId => "drop_no_client_id", "Discarded: no OPTION_CLIENTID (§4.2.1).";
        DropOtherServer => "drop_other_server", "Discarded: OPTION_SERVERID names another server (§4.2.1).";
        DropNoQuery => "drop_no_query", "Discarded: no OPTION_LQ_QUERY (§4.2.1).";
        DropReplyTooLong => "drop_reply_too_long", "Discarded: not even an error reply fits into one datagram.";
    }
}

impl Outcome {
    /// Returns the name in metrics and logs.
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_are_distinct() {
        for (position, (outcome, name, _)) in Outcome::TABLE.iter().enumerate() {
            assert_eq!(*outcome as usize, position);
            assert_eq!(outcome.name(), *name);
            assert!(Outcome::TABLE[..position].iter().all(|(_, other, _)| other != name));
        }
    }
}

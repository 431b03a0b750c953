//! Code points of DHCPv6 and leasequery, one row each; unknown values are kept as numbers.

/// Declares an open set of code points: a newtype, with a constant and a name for each known value.
macro_rules! iana_codes {
    ($(#[$doc:meta])* $set:ident($int:ty) { $($(#[$row_doc:meta])* $name:ident = $value:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $set(pub $int);

        impl $set {
            $($(#[$row_doc])* pub const $name: Self = Self($value);)+

            /// Every known value.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),+];

            /// Returns the registered name of a known value.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $set {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name}({})", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

iana_codes! {
    /// DHCPv6 message type (RFC 8415 §7.3, RFC 5007 §4.1.1, RFC 5460 §5.2, RFC 7653 §6.2).
    MessageType(u8) {
        /// Server to client (RFC 8415 §7.3); answers a STARTTLS (RFC 7653 §8.2).
        REPLY = 7, "REPLY";
        /// Relay agent to server (RFC 8415 §9.1).
        RELAY_FORW = 12, "RELAY-FORW";
        /// Server to relay agent (RFC 8415 §9.2).
        RELAY_REPL = 13, "RELAY-REPL";
        /// Requestor to server (RFC 5007 §4.1.1).
        LEASEQUERY = 14, "LEASEQUERY";
        /// Server to requestor (RFC 5007 §4.1.1).
        LEASEQUERY_REPLY = 15, "LEASEQUERY-REPLY";
        /// End of a bulk reply, server to requestor (RFC 5460 §5.2.2).
        LEASEQUERY_DONE = 16, "LEASEQUERY-DONE";
        /// One more client of a bulk reply, server to requestor (RFC 5460 §5.2.1).
        LEASEQUERY_DATA = 17, "LEASEQUERY-DATA";
        /// Asks for all changes from now on, requestor to server (RFC 7653 §6.2.1).
        ACTIVELEASEQUERY = 22, "ACTIVELEASEQUERY";
        /// Asks for TLS on the connection, requestor to server (RFC 7653 §6.2.2).
        STARTTLS = 23, "STARTTLS";
    }
}

iana_codes! {
    /// DHCPv6 option code (RFC 8415 §21 and the RFC named at each row).
    OptionCode(u16) {
        /// The DUID of the sender or, inside leasequery options, of the client (RFC 8415 §21.2).
        CLIENTID = 1, "client-id";
        /// The server's DUID (RFC 8415 §21.3).
        SERVERID = 2, "server-id";
        /// An address with its lifetimes (RFC 8415 §21.6).
        IAADDR = 5, "ia-addr";
        /// Codes of the requested options (RFC 8415 §21.7).
        ORO = 6, "oro";
        /// The message inside a relay message (RFC 8415 §21.10).
        RELAY_MSG = 9, "relay-msg";
        /// Status code and text (RFC 8415 §21.13).
        STATUS_CODE = 13, "status-code";
        /// The relay's name for the interface of the client (RFC 8415 §21.18).
        INTERFACE_ID = 18, "interface-id";
        /// A delegated prefix with its lifetimes (RFC 8415 §21.22).
        IAPREFIX = 26, "ia-prefix";
        /// The relay's name for the remote end of the circuit (RFC 4649 §3).
        REMOTE_ID = 37, "remote-id";
        /// The client's domain name (RFC 4704 §4).
        CLIENT_FQDN = 39, "client-fqdn";
        /// The query (RFC 5007 §4.1.2.1).
        LQ_QUERY = 44, "lq-query";
        /// The bindings of one client on one link (RFC 5007 §4.1.2.2).
        CLIENT_DATA = 45, "client-data";
        /// Seconds since the server last communicated with the client (RFC 5007 §4.1.2.3).
        CLT_TIME = 46, "clt-time";
        /// The relay chain of the client's last message (RFC 5007 §4.1.2.4).
        LQ_RELAY_DATA = 47, "relay-data";
        /// The links on which the client has bindings (RFC 5007 §4.1.2.5).
        LQ_CLIENT_LINK = 48, "client-link";
        /// The DUID of a relay agent (RFC 5460 §5.4.1).
        RELAY_ID = 53, "relay-id";
        /// The link-layer address of the client (RFC 6939 §4).
        CLIENT_LINKLAYER_ADDR = 79, "client-linklayer-addr";
        /// The server's time when the message was made (RFC 7653 §6.3.1).
        LQ_BASE_TIME = 100, "lq-base-time";
        /// Only bindings that changed at this time or later (RFC 7653 §6.3.2).
        LQ_START_TIME = 101, "lq-start-time";
        /// Only bindings that changed at this time or earlier (RFC 7653 §6.3.3).
        LQ_END_TIME = 102, "lq-end-time";
        /// The UDP port from which a relay agent sends (RFC 8357 §4).
        RELAY_SOURCE_PORT = 135, "relay-source-port";
    }
}

iana_codes! {
    /// Status code (RFC 8415 §21.13, RFC 5007 §4.1.3, RFC 5460 §5.5, RFC 7653 §11).
    StatusCode(u16) {
        /// Success.
        SUCCESS = 0, "Success";
        /// Failure for a reason that no other code names.
        UNSPEC_FAIL = 1, "UnspecFail";
        /// The query-type is unknown to or not supported by the server.
        UNKNOWN_QUERY_TYPE = 7, "UnknownQueryType";
        /// The query is not valid.
        MALFORMED_QUERY = 8, "MalformedQuery";
        /// The server does not have the target address or link in its configuration.
        NOT_CONFIGURED = 9, "NotConfigured";
        /// The server does not allow the requestor to issue this query.
        NOT_ALLOWED = 10, "NotAllowed";
        /// The server ended the query early, or cannot perform it now (RFC 5460 §5.5).
        QUERY_TERMINATED = 11, "QueryTerminated";
        /// The server does not know all changes since the start time (RFC 7653 §8.4.1).
        DATA_MISSING = 12, "DataMissing";
        /// All changes since the start time are sent; from now on changes are live (RFC 7653 §8.4.1).
        CATCH_UP_COMPLETE = 13, "CatchUpComplete";
        /// The server does not offer active leasequery (RFC 7653 §9.2).
        NOT_SUPPORTED = 14, "NotSupported";
        /// The server does not start TLS on this connection (RFC 7653 §8.2).
        TLS_CONNECTION_REFUSED = 15, "TLSConnectionRefused";
    }
}

iana_codes! {
    /// Leasequery query-type (RFC 5007 §4.1.2.1, RFC 5460 §5.3).
    QueryType(u8) {
        /// The lease, or the delegated prefix, that covers one address.
        BY_ADDRESS = 1, "by-address";
        /// All bindings of one DUID, on one link or on all.
        BY_CLIENT_ID = 2, "by-client-id";
        /// Bulk only: all bindings that came through one relay agent.
        BY_RELAY_ID = 3, "by-relay-id";
        /// Bulk only: all bindings on one link.
        BY_LINK_ADDRESS = 4, "by-link-address";
        /// Bulk only: all bindings of one remote-id.
        BY_REMOTE_ID = 5, "by-remote-id";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn known_codes_have_names_and_unknown_ones_survive() {
        assert_eq!(format!("{:?}", OptionCode::LQ_QUERY), "lq-query(44)");
        assert_eq!(format!("{:?}", OptionCode(4711)), "4711");
        assert_eq!(QueryType(77).name(), None);
        assert!(StatusCode::KNOWN.iter().all(|code| code.name().is_some()));
    }
}

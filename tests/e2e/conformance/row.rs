//! Format of a row of the conformance table.

/// One query with the required reply.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Description, unique in the table.
    pub name: &'static str,
    /// Section of the RFC that demands it.
    pub rfc: &'static str,
    /// Rules of [`super::coverage`] that the row tests.
    pub ids: &'static [&'static str],
    /// Configuration of the server.
    pub setup: Setup,
    /// Seconds between writing of the sample leases and the query. Rows with a value other than 0 need a
    /// settable clock, so they run against the engine alone.
    pub at: u32,
    /// Datagram, in the notation of [`crate::support::octets`].
    pub query: &'static str,
    /// Required reply.
    pub want: Want,
}

/// Default values, for `..ROW`.
pub const ROW: Row =
    Row { name: "", rfc: "", ids: &[], setup: Setup::Default, at: 0, query: "", want: Want::Silence };

/// Required reply; the patterns are those of [`crate::support::octets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// This reply, to the query's source address and port.
    Reply(&'static str),
    /// This reply, to the server port (547) of the query's source address.
    ToRelay(&'static str),
    /// No reply.
    Silence,
}

/// Destination port of a reply; the address is the query's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The query's source port.
    SourcePort,
    /// Port 547.
    ServerPort,
}

impl Want {
    /// Returns destination port and pattern; `None` for silence.
    pub fn reply(self) -> Option<(Reach, &'static str)> {
        match self {
            Self::Reply(pattern) => Some((Reach::SourcePort, pattern)),
            Self::ToRelay(pattern) => Some((Reach::ServerPort, pattern)),
            Self::Silence => None,
        }
    }
}

/// Configuration of the server; the sample network and leases are the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Defaults: only loopback is allowed, relayed queries are answered, at most 9 relays.
    Default,
    /// Requestors in 2001:db8:ffff::/48 are allowed, the tests' own address (::1) is not.
    Denied,
    /// As `Denied`, with silence for refused queries.
    DeniedSilently,
    /// Relayed queries are dropped.
    RelayedDropped,
    /// At most 1 relay.
    OneRelay,
    /// At most 33 relays (HOP_COUNT_LIMIT of RFC 3315 is 32, and hop-count begins at 0).
    ManyRelays,
    /// Options 23 (DNS servers), 39 (client FQDN) and 47 (relay data) are sensitive.
    Sensitive,
    /// Options 37 (remote-id) and 79 (client link-layer address) are sensitive.
    SensitiveInRelayData,
    /// Replies with bindings have at most 512 octets.
    ShortReplies,
}

impl Setup {
    /// All variants.
    pub const ALL: [Self; 9] = [
        Self::Default,
        Self::Denied,
        Self::DeniedSilently,
        Self::RelayedDropped,
        Self::OneRelay,
        Self::ManyRelays,
        Self::Sensitive,
        Self::SensitiveInRelayData,
        Self::ShortReplies,
    ];

    /// Returns the flags of `lqd serve`.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::Denied => &["--allow", "2001:db8:ffff::/48"],
            Self::DeniedSilently => &["--allow", "2001:db8:ffff::/48", "--deny", "drop"],
            Self::RelayedDropped => &["--relayed", "drop"],
            Self::OneRelay => &["--max-relay-hops", "1"],
            Self::ManyRelays => &["--max-relay-hops", "33"],
            Self::Sensitive => {
                &["--sensitive-option", "23", "--sensitive-option", "39", "--sensitive-option", "47"]
            }
            Self::SensitiveInRelayData => &["--sensitive-option", "37", "--sensitive-option", "79"],
            Self::ShortReplies => &["--max-reply", "512"],
        }
    }
}

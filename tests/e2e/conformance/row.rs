//! What a row of the table says.

/// One query and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the row shows, unique in the table.
    pub name: &'static str,
    /// Where that is demanded.
    pub rfc: &'static str,
    /// Rules of [`super::coverage`] that the row is about.
    pub ids: &'static [&'static str],
    /// How the server is set up.
    pub setup: Setup,
    /// Seconds between the writing of the sample leases and the query. Rows with another value than 0 need a clock
    /// that can be set, so they run against the engine alone.
    pub at: u32,
    /// The datagram, see [`crate::support::octets`].
    pub query: &'static str,
    /// What must come of it.
    pub want: Want,
}

/// The usual values, to be used as `..ROW`.
pub const ROW: Row =
    Row { name: "", rfc: "", ids: &[], setup: Setup::Default, at: 0, query: "", want: Want::Silence };

/// What must come of a query. Replies are patterns as in [`crate::support::octets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// This reply, at the address and port that the query came from.
    Reply(&'static str),
    /// This reply, at the server port (547) of the address that the query came from.
    ToRelay(&'static str),
    /// No reply.
    Silence,
}

/// Where a reply goes: the port at the address that the query came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The query's source port.
    SourcePort,
    /// 547.
    ServerPort,
}

impl Want {
    /// Where the reply goes and its pattern; `None` for silence.
    pub fn reply(self) -> Option<(Reach, &'static str)> {
        match self {
            Self::Reply(pattern) => Some((Reach::SourcePort, pattern)),
            Self::ToRelay(pattern) => Some((Reach::ServerPort, pattern)),
            Self::Silence => None,
        }
    }
}

/// How the server is set up; the sample network and leases are the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// As it comes: loopback alone is allowed, relayed queries are answered, at most 9 relays.
    Default,
    /// Requestors in 2001:db8:ffff::/48 are allowed, and those of the tests (::1) are not.
    Denied,
    /// As `Denied`, and the others get no reply.
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
    /// Replies with bindings have 512 octets at most.
    ShortReplies,
}

impl Setup {
    /// All of them.
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

    /// The flags of `lqd serve`.
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

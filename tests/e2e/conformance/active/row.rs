//! Format of a row of the table of active leasequery.

/// Actions of a requestor and of the DHCPv6 server, with the required messages.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Description, unique among all tables.
    pub name: &'static str,
    /// Section of the RFC that demands it.
    pub rfc: &'static str,
    /// Rules of `tests/CONFORMANCE.md` that the row tests.
    pub ids: &'static [&'static str],
    /// Configuration of the server.
    pub setup: Setup,
    /// One after the other.
    pub steps: &'static [Step],
    /// Required state of the connection afterwards.
    pub end: End,
}

/// Default values, for `..ROW`.
pub const ROW: Row = Row { name: "", rfc: "", ids: &[], setup: Setup::Default, steps: &[], end: End::Active };

/// A step of a row.
///
/// Octets are those of [`crate::support::octets`]. `@0` are four octets: the second of the last
/// [`Step::Tick`], or the one before the row began, in seconds since 2000; `@-N` and `@N` are so many seconds
/// from there. `@now` in a message is any second from there to its arrival.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Octets of the requestor.
    Send(&'static str),
    /// Rows that Kea appends to its lease file, in the notation of [`crate::support::Fixture::rows`]; `now`
    /// is the time of the last [`Step::Tick`].
    Change(&'static str),
    /// The next message. Its options, and those within OPTION_CLIENT_DATA, may be in any order.
    ///
    /// An unwanted message before it fails the row: so a change that must not be told is followed by one that
    /// must be.
    Want(&'static str),
    /// The next messages, in any order.
    WantAll(&'static [&'static str]),
    /// Waits until the clock shows the next second.
    Tick,
    /// Waits until lqd answers over UDP as given, to one whole message.
    Await {
        /// A LEASEQUERY.
        query: &'static str,
        /// The reply.
        reply: &'static str,
    },
}

/// State of the connection after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The active query is open, and nothing else came.
    Active,
    /// Not looked at.
    Unchecked,
    /// The connection serves queries of bulk leasequery.
    Open,
    /// The server has closed it.
    Closed,
}

/// Configuration of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Defaults with `--active insecure`: only loopback is allowed.
    Default,
    /// Bulk leasequery alone.
    Off,
    /// The history of changes is off.
    NoHistory,
    /// The shortest idle timeout.
    Idle,
    /// An access rule forbids active queries.
    Forbidden,
    /// Query-types 1 and 3 are allowed.
    SomeQueryTypes,
    /// The requestor is the relay agent 2001:db8:1::1, and sees its own clients alone.
    Restricted,
    /// Options 37 (remote-id) and 39 (client FQDN) are sensitive.
    Sensitive,
}

impl Setup {
    /// All variants.
    pub const ALL: [Self; 8] = [
        Self::Default,
        Self::Off,
        Self::NoHistory,
        Self::Idle,
        Self::Forbidden,
        Self::SomeQueryTypes,
        Self::Restricted,
        Self::Sensitive,
    ];

    /// Returns the text of `lqd.toml`.
    pub fn toml(self) -> &'static str {
        match self {
            Self::Off => "",
            Self::Default => "active = 'insecure'",
            Self::NoHistory => "active = 'insecure'\nactive-history = 0",
            Self::Idle => "active = 'insecure'\nactive-idle-timeout = 5",
            Self::Forbidden => {
                "active = 'insecure'\nallow = ['::1']\n[[access]]\nprefix = '::1'\nactive = false"
            }
            Self::SomeQueryTypes => {
                "active = 'insecure'\nallow = ['::1']\n[[access]]\nprefix = '::1'\n\
                 query-types = ['address', 'relay-id']"
            }
            Self::Restricted => {
                "active = 'insecure'\nallow = ['::1']\n[[access]]\nprefix = '::1'\n\
                 restricted-requestor = true\nrelay-addresses = ['2001:db8:1::1']"
            }
            Self::Sensitive => "active = 'insecure'\nsensitive-option = [37, 39]",
        }
    }
}

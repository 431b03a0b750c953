//! Format of a row of the bulk conformance table.

/// Octets to send over one connection, with the required answers.
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
    /// Octets with their answers, one after the other.
    pub steps: &'static [Step],
    /// Required state of the connection afterwards.
    pub end: End,
    /// Whether the row means the same if the octets come one by one.
    pub divisible: bool,
}

/// Default values, for `..ROW`.
pub const ROW: Row =
    Row { name: "", rfc: "", ids: &[], setup: Setup::Default, steps: &[], end: End::Open, divisible: true };

/// Octets to send, and all that the server must send before the next step, in any interleaving of
/// transaction-ids.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Octets as in [`crate::support::octets`]; `{ … }` makes a frame, or an option's length.
    ///
    /// `@N` and `@-N` are four octets: the time of the writing of the leases and so many seconds, in seconds
    /// since 2000.
    pub send: &'static str,
    /// Answers, each with a transaction-id of its own.
    pub wants: &'static [Want],
}

/// Answer to one query; the patterns are those of [`crate::support::octets`], and `@now` is the time of the
/// answer in seconds since 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// One message.
    One(&'static str),
    /// LEASEQUERY-REPLY and LEASEQUERY-DATA with one OPTION_CLIENT_DATA each, in any order, LEASEQUERY-DONE.
    Bindings {
        /// Transaction-id.
        xid: &'static str,
        /// Options of each message beside the demanded ones, as OPTION_LQ_BASE_TIME.
        beside: &'static str,
        /// Contents of each OPTION_CLIENT_DATA.
        data: &'static [&'static str],
        /// Options of LEASEQUERY-DONE before those beside.
        done: &'static str,
    },
}

/// State of the connection after the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It takes more queries.
    Open,
    /// The server has closed it.
    Closed,
}

/// Configuration of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Defaults: only loopback is allowed.
    Default,
    /// Query-types 1 and 3 are allowed.
    SomeQueryTypes,
    /// The requestor is the relay agent 2001:db8:1::1, and sees its own clients alone.
    Restricted,
    /// Options 37 (remote-id) and 39 (client FQDN) are sensitive.
    Sensitive,
    /// One query in a connection at a time.
    OneQuery,
    /// The lease file has an unreadable row of an address on link 1.
    Unreadable,
}

impl Setup {
    /// All variants.
    pub const ALL: [Self; 6] = [
        Self::Default,
        Self::SomeQueryTypes,
        Self::Restricted,
        Self::Sensitive,
        Self::OneQuery,
        Self::Unreadable,
    ];

    /// Returns the text of `lqd.toml`.
    pub fn toml(self) -> &'static str {
        match self {
            Self::Default | Self::Unreadable => "",
            Self::SomeQueryTypes => {
                "allow = ['::1']\n[[access]]\nprefix = '::1'\nquery-types = ['address', 'relay-id']"
            }
            Self::Restricted => {
                "allow = ['::1']\n[[access]]\nprefix = '::1'\nrestricted-requestor = true\n\
                 relay-addresses = ['2001:db8:1::1']"
            }
            Self::Sensitive => "sensitive-option = [37, 39]",
            Self::OneQuery => "bulk-queries = 1",
        }
    }

    /// Returns rows of the lease file beside the sample's.
    pub fn leases(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "2001:db8:1::bad,00:03:00:01:02:00:00:00:00:bd,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,seven,,1,0,0\n"
            }
            _ => "",
        }
    }
}

/// One exchange on a connection that stays open, for `steps`.
pub const fn step(send: &'static str, wants: &'static [Want]) -> Step {
    Step { send, wants }
}

/// All bindings of a query, one message for each element.
pub const fn bindings(xid: &'static str, data: &'static [&'static str]) -> Want {
    Want::Bindings { xid, beside: "", data, done: "" }
}

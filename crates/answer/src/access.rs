//! Who may ask, what, and how often (RFC 5007 §4.4.1, §4.4.2, §5).
//!
//! Each source address belongs to exactly one row: that of the longest prefix that contains it, or the row of all
//! others. That row decides alone; nothing is taken from shorter prefixes around it, so that a row can be read
//! without the rest of the table.

mod gate;
mod limit;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use lqd_index::{Prefix, Prefixes};
use lqd_wire::{DATAGRAM_LEN_MAX, OptionCode, QueryType};

use crate::Outcome;
pub(crate) use gate::Gate;
pub use limit::{Limits, RATE_MAX, Rate};

/// Most rows of a table, that of all others included.
pub const ROWS_MAX: usize = 65_536;

/// What the requestors of one row may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// Whether they may ask at all (RFC 5007 §4.4.1).
    pub allow: bool,
    /// What they get for what they may not.
    pub deny: Deny,
    /// What they may ask (RFC 5007 §4.4.1).
    pub query_types: QueryTypes,
    /// What becomes of queries that they relay (RFC 5007 §5).
    pub relayed: Relayed,
    /// Options that they never get, even if they ask for them (RFC 5007 §4.4.2, "sensitive options").
    pub sensitive: Vec<OptionCode>,
    /// Longest reply with bindings or links, octets: what is longer becomes UnspecFail. At most [`DATAGRAM_LEN_MAX`]
    /// counts.
    pub reply_len_max: usize,
    /// How often one address may ask; all addresses together, if the row's requestors may not ask at all.
    pub rate: Option<Rate>,
    /// How often all addresses of the row together may ask.
    pub prefix_rate: Option<Rate>,
    /// Whether they get only bindings that came through them (RFC 5007 §5).
    pub restricted: bool,
    /// Under which addresses, beside the one that they ask from, they are relay agents; for `restricted`.
    pub relay_addresses: Vec<Ipv6Net>,
}

impl Rights {
    /// May not ask, and is told so; otherwise without limits.
    pub const NONE: Self = Self {
        allow: false,
        deny: Deny::NotAllowed,
        query_types: QueryTypes::ALL,
        relayed: Relayed::Answer,
        sensitive: Vec::new(),
        reply_len_max: DATAGRAM_LEN_MAX,
        rate: None,
        prefix_rate: None,
        restricted: false,
        relay_addresses: Vec::new(),
    };
}

impl Default for Rights {
    /// [`Self::NONE`].
    fn default() -> Self {
        Self::NONE
    }
}

/// What a requestor gets for what it may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deny {
    /// The status NotAllowed.
    NotAllowed,
    /// Nothing.
    Drop,
}

/// What becomes of relayed queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relayed {
    /// They are answered in a RELAY-REPL.
    Answer,
    /// They are discarded.
    Drop,
}

/// A set of query-types (RFC 5007 §4.1.2.1), of all that the wire can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueryTypes([u64; 4]);

impl QueryTypes {
    /// All of them.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Whether this one is in the set.
    #[inline]
    pub fn contains(&self, query_type: QueryType) -> bool {
        let QueryType(number) = query_type;
        self.0[usize::from(number / 64)] & 1 << (number % 64) != 0
    }
}

impl FromIterator<QueryType> for QueryTypes {
    fn from_iter<I: IntoIterator<Item = QueryType>>(query_types: I) -> Self {
        let mut set = Self::default();
        for QueryType(number) in query_types {
            set.0[usize::from(number / 64)] |= 1 << (number % 64);
        }
        set
    }
}

/// A row of the table; the number means nothing in another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowId(u32);

impl RowId {
    const OTHERS: Self = Self(0);

    /// Its position, below [`ROWS_MAX`].
    pub(crate) fn position(self) -> usize {
        self.0 as usize
    }
}

/// All rows, ready for look-up.
#[derive(Clone, Debug)]
pub struct Access {
    /// First the row of all others, as `::/0`.
    rows: Box<[(Ipv6Net, Rights)]>,
    table: Prefixes<RowId>,
    limited: bool,
    fingerprint: u64,
}

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessFault {
    /// Two rows have this prefix.
    Twice(Ipv6Net),
    /// A prefix has bits set beyond its length.
    HostBits(Ipv6Net),
    /// A rate of the row is not in `1..=RATE_MAX`, or its burst not in `1..=RATE_MAX`.
    Rate(Ipv6Net),
    /// More than [`ROWS_MAX`] rows.
    TooMany(usize),
}

impl fmt::Display for AccessFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(prefix) => write!(f, "two access rows have the prefix {prefix}; leave one out"),
            Self::HostBits(prefix) => {
                write!(f, "{prefix} has bits set beyond its length; write {}", prefix.trunc())
            }
            Self::Rate(prefix) => {
                write!(f, "the access row {prefix} has a rate or burst that is not in 1..={RATE_MAX}")
            }
            Self::TooMany(rows) => write!(f, "{rows} access rows; at most {ROWS_MAX} can be used"),
        }
    }
}

impl std::error::Error for AccessFault {}

impl Access {
    /// Builds the table of `rows` and of what all `others` may do.
    pub fn new(others: Rights, rows: Vec<(Ipv6Net, Rights)>) -> Result<Self, AccessFault> {
        if rows.len() >= ROWS_MAX {
            return Err(AccessFault::TooMany(rows.len() + 1));
        }
        let rows: Box<[_]> = std::iter::once((Ipv6Net::default(), others)).chain(rows).collect();
        let mut prefixes = HashMap::with_capacity(rows.len());
        for (position, (prefix, rights)) in rows.iter().enumerate() {
            if *prefix != prefix.trunc() {
                return Err(AccessFault::HostBits(*prefix));
            }
            if [rights.rate, rights.prefix_rate].iter().flatten().any(|rate| !rate.is_usable()) {
                return Err(AccessFault::Rate(*prefix));
            }
            let key = Prefix { address: prefix.addr(), len: prefix.prefix_len() };
            if position > 0 && prefixes.insert(key, RowId(position as u32)).is_some() {
                return Err(AccessFault::Twice(*prefix));
            }
        }
        let limited = rows.iter().any(|(_, rights)| rights.rate.is_some() || rights.prefix_rate.is_some());
        let fingerprint = BuildHasherDefault::<DefaultHasher>::default().hash_one(&rows);
        Ok(Self { rows, table: Prefixes::new(prefixes), limited, fingerprint })
    }

    /// A table in which these networks may ask for everything, and others for nothing.
    pub fn of(networks: impl IntoIterator<Item = Ipv6Net>) -> Result<Self, AccessFault> {
        let allowed = |network| (network, Rights { allow: true, ..Rights::default() });
        Self::new(Rights::default(), networks.into_iter().map(allowed).collect())
    }

    /// The rows as given, that of all others first.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (Ipv6Net, &Rights)> {
        self.rows.iter().map(|(prefix, rights)| (*prefix, rights))
    }

    /// Whether any row has a rate.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }

    /// Equal for equal tables.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn row_of(&self, source: Ipv6Addr) -> RowId {
        self.table.containing(source).unwrap_or(RowId::OTHERS)
    }

    /// Prefix and rights of a row of this table.
    pub(crate) fn row(&self, row: RowId) -> (Ipv6Net, &Rights) {
        let (prefix, rights) = &self.rows[row.position()];
        (*prefix, rights)
    }
}

impl Rights {
    pub(crate) fn is_sensitive(&self, code: OptionCode) -> bool {
        self.sensitive.contains(&code)
    }

    /// The outcome of a query from a source that may not ask, if that is silence.
    pub(crate) fn silence(&self) -> Option<Outcome> {
        (!self.allow && self.deny == Deny::Drop).then_some(Outcome::DropNotAllowed)
    }
}

#[cfg(test)]
mod tests;

//! Access rules: the rights and rate limits of requestors (RFC 5007 §4.4.1, §4.4.2, §5).
//!
//! Each source address has exactly one rule: that of the longest prefix that contains it, or the rule of all
//! others. Nothing is inherited from shorter prefixes, so a rule can be read without the rest of the table.

mod admission;
mod limit;

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use lqd_index::{Prefix, Prefixes};
use lqd_wire::{DATAGRAM_LEN_MAX, OptionCode, QueryType};

use crate::Outcome;
pub(crate) use admission::Admission;
pub use limit::{Limits, RATE_MAX, Rate};

/// Most rules of a table, that of all others included.
pub const RULES_MAX: usize = 65_536;

/// The rights of the requestors under one rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// Whether they may query at all (RFC 5007 §4.4.1).
    pub allow: bool,
    /// The reply to a query that they are not allowed.
    pub deny: Deny,
    /// The query-types that they may use (RFC 5007 §4.4.1).
    pub query_types: QueryTypes,
    /// The treatment of queries that they relay (RFC 5007 §5).
    pub relayed: Relayed,
    /// Options that are withheld even if requested (RFC 5007 §4.4.2, "sensitive options").
    pub sensitive: Vec<OptionCode>,
    /// Longest reply with bindings or links, in octets; longer ones become UnspecFail. Values above
    /// [`DATAGRAM_LEN_MAX`] have no effect.
    pub reply_len_max: usize,
    /// The rate limit of one address; of all addresses together, if `allow` is false.
    pub rate: Option<Rate>,
    /// The rate limit of all addresses under the rule together.
    pub prefix_rate: Option<Rate>,
    /// Whether they see only bindings that they relayed (RFC 5007 §5).
    pub restricted: bool,
    /// Whether they may query actively (RFC 7653), where that is offered.
    pub active: bool,
    /// Their addresses as relay agents, beside the source of the query; for `restricted`.
    pub relay_addresses: Vec<Ipv6Net>,
    /// Names of the certificates that they may use over TLS, as `dns:NAME` or `sha256:HEX`; others are
    /// refused.
    pub certificates: Vec<String>,
}

impl Rights {
    /// Not allowed, and told so; no other restriction.
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
        active: true,
        relay_addresses: Vec::new(),
        certificates: Vec::new(),
    };
}

impl Default for Rights {
    /// [`Self::NONE`].
    fn default() -> Self {
        Self::NONE
    }
}

/// The reply to a query that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deny {
    /// The status NotAllowed.
    NotAllowed,
    /// No reply.
    Drop,
}

/// The treatment of relayed queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relayed {
    /// They are answered in a RELAY-REPL.
    Answer,
    /// They are discarded.
    Drop,
}

/// A set of query-types, known and unknown (RFC 5007 §4.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueryTypes([u64; 4]);

impl QueryTypes {
    /// All query-types.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Returns whether the query-type is in the set.
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

/// The number of a rule, valid in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleId(u32);

impl RuleId {
    const OTHERS: Self = Self(0);

    /// Returns the position in the table, below [`RULES_MAX`].
    pub(crate) fn position(self) -> usize {
        self.0 as usize
    }
}

/// The table of access rules, indexed for lookup.
#[derive(Clone, Debug)]
pub struct Access {
    /// First the rule of all others, as `::/0`.
    rules: Box<[(Ipv6Net, Rights)]>,
    table: Prefixes<RuleId>,
    limited: bool,
    fingerprint: u64,
}

/// An unusable table of access rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Two rules have this prefix.
    #[error("two access rules have the prefix {0}; remove one")]
    Duplicate(Ipv6Net),
    /// A prefix has bits set beyond its length.
    #[error("{0} has bits set beyond its length; write {net}", net = .0.trunc())]
    HostBits(Ipv6Net),
    /// A rate or burst of the rule is not in `1..=RATE_MAX`.
    #[error("the access rule {0} has a rate or burst that is not in 1..={RATE_MAX}")]
    Rate(Ipv6Net),
    /// More than [`RULES_MAX`] rules.
    #[error("{0} access rules; at most {RULES_MAX} can be used")]
    TooMany(usize),
}

impl Access {
    /// Builds the table from `rules` and the rights of all `others`.
    pub fn new(others: Rights, rules: Vec<(Ipv6Net, Rights)>) -> Result<Self, AccessError> {
        // The rule of all others comes on top.
        if rules.len() >= RULES_MAX {
            return Err(AccessError::TooMany(rules.len() + 1));
        }
        let rules: Box<[_]> = std::iter::once((Ipv6Net::default(), others)).chain(rules).collect();
        let mut prefixes = HashMap::with_capacity(rules.len());
        for (position, (prefix, rights)) in rules.iter().enumerate() {
            if *prefix != prefix.trunc() {
                return Err(AccessError::HostBits(*prefix));
            }
            if [rights.rate, rights.prefix_rate].iter().flatten().any(|rate| !rate.is_usable()) {
                return Err(AccessError::Rate(*prefix));
            }
            let key = Prefix { address: prefix.addr(), len: prefix.prefix_len() };
            // The rule of all others stays out of the map, so that an explicit ::/0 may override it.
            if position > 0 && prefixes.insert(key, RuleId(position as u32)).is_some() {
                return Err(AccessError::Duplicate(*prefix));
            }
        }
        let limited = rules.iter().any(|(_, rights)| rights.rate.is_some() || rights.prefix_rate.is_some());
        // Unseeded: a reload compares the table with that of before.
        let fingerprint = BuildHasherDefault::<DefaultHasher>::default().hash_one(&rules);
        Ok(Self { rules, table: Prefixes::new(prefixes), limited, fingerprint })
    }

    /// Builds a table that allows these networks everything, and others nothing.
    pub fn of(networks: impl IntoIterator<Item = Ipv6Net>) -> Result<Self, AccessError> {
        let allowed = |network| (network, Rights { allow: true, ..Rights::default() });
        Self::new(Rights::default(), networks.into_iter().map(allowed).collect())
    }

    /// Returns the rules in the given order, that of all others first.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (Ipv6Net, &Rights)> {
        self.rules.iter().map(|(prefix, rights)| (*prefix, rights))
    }

    /// Returns whether any rule has a rate.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }

    /// Returns a hash that is equal for equal tables.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn rule_of(&self, source: Ipv6Addr) -> RuleId {
        self.table.containing(source).unwrap_or(RuleId::OTHERS)
    }

    /// Returns prefix and rights of a rule of this table.
    pub(crate) fn rule(&self, rule: RuleId) -> (Ipv6Net, &Rights) {
        let (prefix, rights) = &self.rules[rule.position()];
        (*prefix, rights)
    }
}

impl Rights {
    pub(crate) fn is_sensitive(&self, code: OptionCode) -> bool {
        self.sensitive.contains(&code)
    }

    /// Returns the outcome of any query from the source, if it is not allowed and gets no reply.
    pub(crate) fn silence(&self) -> Option<Outcome> {
        (!self.allow && self.deny == Deny::Drop).then_some(Outcome::DropNotAllowed)
    }
}

#[cfg(test)]
mod tests;

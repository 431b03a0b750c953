//! The table of the file that says what requestors of one prefix may do: `[[access]]`.
//!
//! A row says what differs from the flags: each key that it does not give is that of the flag of the same name. How
//! rows and flags come together is in `crate::access`; here they are read, and held against each other.

use std::collections::HashSet;
use std::ops::Range;
use std::str::FromStr;

use ipnet::Ipv6Net;
use lqd_answer::{QueryKind, QueryTypes};
use serde::Deserialize;

use super::choice::{Deny, Relayed};
use super::network::Network;
use super::number::Within;
use super::sensitive::{SensitiveOption, ascending};
use super::spelled::{Literal, Placed, Spelled, choice, list, one, placed};

/// Queries a second, or a number of them.
pub(super) type Queries<const MIN: u32> = Within<u32, MIN, 1_000_000>;

/// Octets of a reply; 512 have room for the longest DUIDs of client, server and requestor, and a lease.
pub(super) type ReplyLen = Within<usize, 512, 65_527>;

/// One `[[access]]` of the file, as typed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TypedRow {
    #[serde(deserialize_with = "placed")]
    prefix: Placed<Network>,
    #[serde(default)]
    allow: Option<bool>,
    #[serde(default, deserialize_with = "choice")]
    deny: Option<Deny>,
    #[serde(default, deserialize_with = "list")]
    query_types: Option<Vec<QueryType>>,
    #[serde(default, deserialize_with = "choice")]
    relayed: Option<Relayed>,
    #[serde(default, deserialize_with = "list")]
    sensitive_options: Option<Vec<SensitiveOption>>,
    #[serde(default, deserialize_with = "one")]
    max_reply: Option<ReplyLen>,
    #[serde(default, deserialize_with = "one")]
    rate: Option<Queries<0>>,
    #[serde(default, deserialize_with = "one")]
    burst: Option<Queries<1>>,
    #[serde(default, deserialize_with = "one")]
    prefix_rate: Option<Queries<0>>,
    #[serde(default, deserialize_with = "one")]
    prefix_burst: Option<Queries<1>>,
    #[serde(default)]
    restricted_requestor: Option<bool>,
    #[serde(default, deserialize_with = "list")]
    relay_addresses: Option<Vec<Network>>,
}

/// What requestors of one prefix may do: what the row gives, over what the flags give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessRow {
    /// Whose row it is.
    pub(crate) prefix: Ipv6Net,
    /// Whether they may ask; `None`: as `--allow` has it.
    pub(crate) allow: Option<bool>,
    /// Their rights, if they may.
    pub(crate) rights: Rights,
    /// How often all of them together may ask; `None`: any number of times.
    pub(crate) prefix_rate: Option<Rate>,
    /// Under which addresses they are relay agents, beside that which they ask from.
    pub(crate) relay_addresses: Vec<Ipv6Net>,
}

/// What flags and rows have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// What requestors get for what they may not ask.
    pub(crate) deny: Deny,
    /// Query-types that are allowed, one at least.
    pub(crate) query_types: QueryTypes,
    /// What queries inside RELAY-FORW get.
    pub(crate) relayed: Relayed,
    /// Codes of options that are never returned, ascending, each once.
    pub(crate) sensitive_options: Vec<u16>,
    /// Longest reply with bindings, 512..=65,527 octets.
    pub(crate) max_reply: usize,
    /// How often one address may ask; `None`: any number of times.
    pub(crate) rate: Option<Rate>,
    /// Whether only bindings are returned that came through the requestor.
    pub(crate) restricted_requestor: bool,
}

/// Queries a second, and so many at once after a pause; each 1..=1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Queries a second.
    pub(crate) per_second: u32,
    /// Queries at once.
    pub(crate) burst: u32,
}

impl Rate {
    /// The two keys together; a burst that is not given is one second of the rate, and a rate of 0 is none.
    pub(super) fn of(rate: Option<Queries<0>>, burst: Option<Queries<1>>) -> Option<Self> {
        let per_second = rate.map(|rate| rate.0).filter(|&rate| rate > 0)?;
        Some(Self { per_second, burst: burst.map_or(per_second, |burst| burst.0) })
    }
}

/// A query-type by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct QueryType(QueryKind);

impl FromStr for QueryType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = QueryKind::ALL.iter().find(|kind| kind.setting() == text);
        kind.map(|&kind| Self(kind)).ok_or_else(|| format!("must be {}", Self::form()))
    }
}

impl Spelled for QueryType {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        let names: Vec<_> = QueryKind::ALL.iter().map(|kind| format!("\"{}\"", kind.setting())).collect();
        names.join(" or ")
    }
}

impl TypedRow {
    /// The row over the rights that the flags give.
    pub(super) fn over(self, flags: &Rights) -> AccessRow {
        let networks = |networks: Vec<Network>| networks.into_iter().map(|network| network.0).collect();
        AccessRow {
            prefix: self.prefix.value.0,
            allow: self.allow,
            rights: Rights {
                deny: self.deny.unwrap_or(flags.deny),
                query_types: match self.query_types {
                    Some(types) => types.into_iter().map(|QueryType(kind)| kind.wire()).collect(),
                    None => flags.query_types,
                },
                relayed: self.relayed.unwrap_or(flags.relayed),
                sensitive_options: match self.sensitive_options {
                    Some(codes) => ascending(codes),
                    None => flags.sensitive_options.clone(),
                },
                max_reply: self.max_reply.map_or(flags.max_reply, |octets| octets.0),
                rate: if self.rate.is_some() { Rate::of(self.rate, self.burst) } else { flags.rate },
                restricted_requestor: self.restricted_requestor.unwrap_or(flags.restricted_requestor),
            },
            prefix_rate: Rate::of(self.prefix_rate, self.prefix_burst),
            relay_addresses: self.relay_addresses.map(networks).unwrap_or_default(),
        }
    }

    /// What makes the row useless by itself: what to mend.
    fn fault(&self) -> Option<&'static str> {
        match self {
            Self { query_types: Some(types), .. } if types.is_empty() => Some(
                "query-types: the list is empty; give it an entry, or write allow = false to let nobody ask",
            ),
            Self { rate: None, burst: Some(_), .. } => {
                Some("burst: goes with a rate; give the row a rate too, or leave burst out")
            }
            Self { prefix_rate: None, prefix_burst: Some(_), .. } => Some(
                "prefix-burst: goes with a prefix-rate; give the row a prefix-rate too, or leave prefix-burst out",
            ),
            _ => None,
        }
    }
}

/// Holds the rows against each other; where in the file the first fault is, and what to mend.
pub(super) fn check(rows: &[TypedRow]) -> Result<(), (Range<usize>, String)> {
    let mut seen = HashSet::new();
    for row in rows {
        let (prefix, at) = (row.prefix.value.0, row.prefix.at.clone());
        if let Some(fault) = row.fault() {
            return Err((at, format!("access: {prefix}: {fault}")));
        }
        if !seen.insert(prefix) {
            let fault = format!("access: prefix: {prefix} has a row already; put the two together");
            return Err((at, fault));
        }
    }
    Ok(())
}

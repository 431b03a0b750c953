//! Access rules: the rights of requestors of one prefix, `[[access]]` of the file.
//!
//! A rule says how rights differ from the flags: a key that it omits has the value of the flag of the same
//! name. `site/access.rs` makes one table of rules and flags; here they are parsed and checked against each
//! other.

use std::collections::HashSet;
use std::ops::Range;
use std::str::FromStr;

use ipnet::Ipv6Net;
use lqd_answer::{QueryKind, QueryTypes};
use lqd_wire::DATAGRAM_LEN_MAX;
use serde::Deserialize;

use super::certificate::CertificateName;
use super::choice::{Deny, Relayed};
use super::network::Network;
use super::number::Within;
use super::sensitive::{SensitiveOption, ascending};
use super::spelled::{Literal, Placed, Spelled, choice, list, one, placed};
use super::{Flags, SettingsError};

/// Queries per second, or a number of queries.
pub(super) type Queries<const MIN: u32> = Within<u32, MIN, 1_000_000>;

/// Length of a reply in octets; 512 hold the longest DUIDs of client, server and requestor, and a lease.
pub(super) type ReplyLen = Within<usize, 512, 65_527>;

/// One `[[access]]` of the file, as typed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TypedRule {
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
    #[serde(default, deserialize_with = "list")]
    certificates: Option<Vec<CertificateName>>,
    #[serde(default)]
    active: Option<bool>,
}

/// Rights of the requestors of one prefix, with the flags filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessRule {
    /// Prefix of the requestors.
    pub(crate) prefix: Ipv6Net,
    /// Whether queries are allowed; `None`: as by `--allow`.
    pub(crate) allow: Option<bool>,
    /// Rights of each requestor.
    pub(crate) rights: Rights,
    /// Rate of all of them together; `None`: no limit.
    pub(crate) prefix_rate: Option<Rate>,
    /// Addresses of them as relay agents, besides the source address.
    pub(crate) relay_addresses: Vec<Ipv6Net>,
    /// Names of the certificates that they may use over TLS.
    pub(crate) certificates: Vec<String>,
    /// Whether active queries are allowed, where they are offered.
    pub(crate) active: bool,
}

/// Rights that flags and access rules have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Answer to queries that are not allowed.
    pub(crate) deny: Deny,
    /// Allowed query-types, at least one.
    pub(crate) query_types: QueryTypes,
    /// Answer to relayed queries.
    pub(crate) relayed: Relayed,
    /// Codes of options that are never returned, ascending, each once.
    pub(crate) sensitive_options: Vec<u16>,
    /// Longest reply with bindings, 512..=65,527 octets.
    pub(crate) max_reply: usize,
    /// Rate of one address; `None`: no limit.
    pub(crate) rate: Option<Rate>,
    /// Whether to return only bindings relayed by the requestor.
    pub(crate) restricted_requestor: bool,
}

/// Rate limit; each number is 1..=1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Queries per second.
    pub(crate) per_second: u32,
    /// Queries at once after a pause.
    pub(crate) burst: u32,
}

impl Rate {
    /// Combines the two keys: the default burst is one second of the rate, and a rate of 0 is no limit.
    pub(super) fn of(rate: Option<Queries<0>>, burst: Option<Queries<1>>) -> Option<Self> {
        let per_second = rate.map(|rate| rate.0).filter(|&rate| rate > 0)?;
        Some(Self { per_second, burst: burst.map_or(per_second, |burst| burst.0) })
    }
}

/// A query-type, by name.
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

/// Resolves the rights of requestors without an access rule.
pub(super) fn rights(typed: &Flags) -> Result<Rights, SettingsError> {
    if let (None, Some(burst)) = (typed.rate, typed.burst) {
        return Err(SettingsError::Value {
            setting: "burst",
            value: burst.0.to_string(),
            fault: "needs a rate; give --rate too, or leave --burst out".to_owned(),
        });
    }
    Ok(Rights {
        deny: typed.deny.unwrap_or(Deny::NotAllowed),
        query_types: QueryTypes::ALL,
        relayed: typed.relayed.unwrap_or(Relayed::Answer),
        sensitive_options: ascending(typed.sensitive_option.clone().unwrap_or_default()),
        max_reply: typed.max_reply.map_or(DATAGRAM_LEN_MAX, |octets| octets.0),
        rate: Rate::of(typed.rate, typed.burst),
        restricted_requestor: typed.restricted_requestor,
    })
}

/// Resolves the access rules of the file.
pub(super) fn rules(typed: &Flags) -> Result<Vec<AccessRule>, SettingsError> {
    let rights = rights(typed)?;
    Ok(typed.access.iter().flatten().map(|rule| rule.clone().over(&rights)).collect())
}

impl TypedRule {
    /// Fills in the rights that the flags give.
    pub(super) fn over(self, flags: &Rights) -> AccessRule {
        let networks = |networks: Vec<Network>| networks.into_iter().map(|network| network.0).collect();
        AccessRule {
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
            certificates: self.certificates.into_iter().flatten().map(|name| name.0).collect(),
            active: self.active.unwrap_or(true),
        }
    }

    /// Returns what makes the rule invalid, with the fix.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self { query_types: Some(types), .. } if types.is_empty() => Some(
                "query-types: the list is empty; give it an entry, or write allow = false to allow no query",
            ),
            Self { rate: None, burst: Some(_), .. } => {
                Some("burst: needs a rate; give the rule a rate too, or leave burst out")
            }
            Self { prefix_rate: None, prefix_burst: Some(_), .. } => Some(
                "prefix-burst: needs a prefix-rate; give the rule a prefix-rate too, or leave prefix-burst out",
            ),
            _ => None,
        }
    }
}

/// Checks rules against each other; the error has its place in the file and the fix.
pub(super) fn check(rules: &[TypedRule]) -> Result<(), (Range<usize>, String)> {
    let mut seen = HashSet::new();
    for rule in rules {
        let (prefix, at) = (rule.prefix.value.0, rule.prefix.at.clone());
        if let Some(error) = rule.error() {
            return Err((at, format!("access: {prefix}: {error}")));
        }
        if !seen.insert(prefix) {
            return Err((at, format!("access: prefix: {prefix} has a rule already; merge the two")));
        }
    }
    Ok(())
}

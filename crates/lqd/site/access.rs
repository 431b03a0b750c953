//! Access table: one rule for each `[[access]]` of the file and each network of `--allow`.
//!
//! Only the rule of the longest prefix applies to a requestor:
//! - of each `[[access]]`: its own keys, otherwise the flags; without `allow` it allows its requestors if one
//!   network of `--allow` contains the whole prefix
//! - of each network of `--allow` (or of Kea's `requesters`) without an `[[access]]`: allowed, with the flags
//! - all others: not allowed, with the flags

use std::collections::HashSet;
use std::fmt::Write;

use ipnet::Ipv6Net;
use lqd_answer::{Access, AccessError, Deny, QueryKind, Rate, Relayed, Rights};
use lqd_feed::kea_config::ExtendedInfo;
use lqd_wire::{DATAGRAM_LEN_MAX, OptionCode};

use crate::settings::{self, AccessRule, Settings};

/// Makes the table; `allow` has the networks allowed by flag or by Kea.
pub(crate) fn table(settings: &Settings, allow: &[Ipv6Net]) -> Result<Access, AccessError> {
    let mut named: HashSet<Ipv6Net> = settings.access.iter().map(|rule| rule.prefix).collect();
    let flags = rights(&settings.rights);
    let mut rules: Vec<_> = settings.access.iter().map(|rule| (rule.prefix, of_rule(rule, allow))).collect();
    // Kea or the flags may name a network twice; it is one rule.
    let by_flag = allow.iter().filter(|network| named.insert(network.trunc()));
    rules.extend(by_flag.map(|network| (network.trunc(), Rights { allow: true, ..flags.clone() })));
    Access::new(flags, rules)
}

/// Returns whether the file has a rule for this prefix.
pub(crate) fn has_rule(settings: &Settings, prefix: Ipv6Net) -> bool {
    settings.access.iter().any(|rule| rule.prefix == prefix)
}

/// Returns warnings about access rules.
pub(crate) fn warnings(settings: &Settings, allow: &[Ipv6Net], kept: &ExtendedInfo) -> Vec<String> {
    let unsaid = settings.access.iter().filter(|rule| rule.allow.is_none() && !covered(rule.prefix, allow));
    let mut warnings: Vec<_> = unsaid
        .map(|rule| {
            format!(
                "access rule {} allows no requestor, as no network of --allow contains all of it; write allow = true \
                 into the rule, or allow = false if that is intended",
                rule.prefix
            )
        })
        .collect();
    let restricted = settings.rights.restricted_requestor
        || settings.access.iter().any(|rule| rule.rights.restricted_requestor);
    if restricted && *kept != ExtendedInfo::All {
        warnings.push(
            "restricted requestors get only bindings whose relays are known, and Kea does not keep relay data \
             for all: set \"store-extended-info\": true in Kea, or name the relays in relay.ip-addresses of \
             their subnets"
                .to_owned(),
        );
    }
    warnings
}

/// Describes a rule in words.
pub(crate) fn describe(rights: &Rights) -> String {
    let mut text = if rights.allow { "allowed" } else { "not allowed" }.to_owned();
    let mut say = |what: std::fmt::Arguments<'_>| {
        let _ = write!(text, ", {what}"); // a String takes anything
    };
    let (may, may_not): (Vec<QueryKind>, Vec<QueryKind>) =
        QueryKind::ALL.iter().copied().partition(|kind| rights.query_types.contains(kind.wire()));
    if !may_not.is_empty() {
        let names: Vec<_> = may.into_iter().map(QueryKind::setting).collect();
        say(format_args!("by {} only", names.join(" and ")));
    }
    let limits = [("for each address", rights.rate), ("for the prefix", rights.prefix_rate)];
    for (whom, Rate { per_second, burst }) in
        limits.into_iter().filter_map(|(whom, rate)| Some((whom, rate?)))
    {
        say(format_args!("{per_second} a second {whom} (burst {burst})"));
    }
    if rights.reply_len_max < DATAGRAM_LEN_MAX {
        say(format_args!("replies of {} octets at most", rights.reply_len_max));
    }
    if rights.relayed == Relayed::Drop {
        say(format_args!("relayed queries dropped"));
    }
    if !rights.active {
        say(format_args!("no active queries"));
    }
    if rights.deny == Deny::Drop {
        say(format_args!("denied by silence"));
    }
    if rights.restricted {
        say(format_args!("own bindings only"));
    }
    if !rights.certificates.is_empty() {
        say(format_args!("over TLS with {}", rights.certificates.join(" or ")));
    }
    if !rights.sensitive.is_empty() {
        let codes: Vec<_> = rights.sensitive.iter().map(|code| code.0.to_string()).collect();
        say(format_args!("never options {}", codes.join(" ")));
    }
    text
}

fn of_rule(rule: &AccessRule, allow: &[Ipv6Net]) -> Rights {
    Rights {
        allow: rule.allow.unwrap_or_else(|| covered(rule.prefix, allow)),
        prefix_rate: rule.prefix_rate.map(rate),
        relay_addresses: rule.relay_addresses.clone(),
        certificates: rule.certificates.clone(),
        active: rule.active,
        ..rights(&rule.rights)
    }
}

fn covered(prefix: Ipv6Net, allow: &[Ipv6Net]) -> bool {
    allow.iter().any(|network| network.contains(&prefix))
}

/// Converts rights; requestors are not allowed unless a rule says so.
fn rights(typed: &settings::Rights) -> Rights {
    Rights {
        allow: false,
        deny: match typed.deny {
            settings::Deny::NotAllowed => Deny::NotAllowed,
            settings::Deny::Drop => Deny::Drop,
        },
        query_types: typed.query_types,
        relayed: match typed.relayed {
            settings::Relayed::Answer => Relayed::Answer,
            settings::Relayed::Drop => Relayed::Drop,
        },
        sensitive: typed.sensitive_options.iter().copied().map(OptionCode).collect(),
        reply_len_max: typed.max_reply,
        rate: typed.rate.map(rate),
        prefix_rate: None,
        active: true,
        restricted: typed.restricted_requestor,
        relay_addresses: Vec::new(),
        certificates: Vec::new(),
    }
}

fn rate(rate: settings::Rate) -> Rate {
    Rate { per_second: rate.per_second, burst: rate.burst }
}

#[cfg(test)]
mod tests;

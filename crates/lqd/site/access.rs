//! Who may ask what: the networks of `--allow` and the `[[access]]` rows of the file come to one table.
//!
//! Three kinds of rows, and one rule: the longest prefix decides alone.
//! - each `[[access]]`: what it gives, and else what the flags give; whether it lets in follows from `--allow` where
//!   it does not say so: the whole prefix must be in one of those networks
//! - each network of `--allow` (or of Kea's `requesters`) that has no `[[access]]`: let in, with what the flags give
//! - all others: not let in, with what the flags give

use std::collections::HashSet;
use std::fmt::Write;

use ipnet::Ipv6Net;
use lqd_answer::{Access, AccessError, Deny, QueryKind, Rate, Relayed, Rights};
use lqd_feed::kea_config::ExtendedInfo;
use lqd_wire::{DATAGRAM_LEN_MAX, OptionCode};

use crate::settings::{self, AccessRow, Settings};

/// The table; `allow` are the networks that are let in by flag, or by Kea.
pub(crate) fn table(settings: &Settings, allow: &[Ipv6Net]) -> Result<Access, AccessError> {
    let mut named: HashSet<Ipv6Net> = settings.access.iter().map(|row| row.prefix).collect();
    let flags = rights(&settings.rights);
    let mut rows: Vec<_> = settings.access.iter().map(|row| (row.prefix, of_row(row, allow))).collect();
    // The same network may be given twice by Kea, or by flags; it is one row.
    let by_flag = allow.iter().filter(|network| named.insert(network.trunc()));
    rows.extend(by_flag.map(|network| (network.trunc(), Rights { allow: true, ..flags.clone() })));
    Access::new(flags, rows)
}

/// Whether the file has a row of its own for this prefix.
pub(crate) fn has_row(settings: &Settings, prefix: Ipv6Net) -> bool {
    settings.access.iter().any(|row| row.prefix == prefix)
}

/// What an operator should know about his rows.
pub(crate) fn warnings(settings: &Settings, allow: &[Ipv6Net], kept: &ExtendedInfo) -> Vec<String> {
    let unsaid = settings.access.iter().filter(|row| row.allow.is_none() && !covered(row.prefix, allow));
    let mut warnings: Vec<_> = unsaid
        .map(|row| {
            format!(
                "the access row {} lets nobody in, as no network of --allow holds all of it; write allow = true \
                 into the row, or allow = false if that is meant",
                row.prefix
            )
        })
        .collect();
    let restricted = settings.rights.restricted_requestor
        || settings.access.iter().any(|row| row.rights.restricted_requestor);
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

/// A row in words.
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
    if rights.deny == Deny::Drop {
        say(format_args!("denied by silence"));
    }
    if rights.restricted {
        say(format_args!("own bindings only"));
    }
    if !rights.sensitive.is_empty() {
        let codes: Vec<_> = rights.sensitive.iter().map(|code| code.0.to_string()).collect();
        say(format_args!("never options {}", codes.join(" ")));
    }
    text
}

fn of_row(row: &AccessRow, allow: &[Ipv6Net]) -> Rights {
    Rights {
        allow: row.allow.unwrap_or_else(|| covered(row.prefix, allow)),
        prefix_rate: row.prefix_rate.map(rate),
        relay_addresses: row.relay_addresses.clone(),
        ..rights(&row.rights)
    }
}

fn covered(prefix: Ipv6Net, allow: &[Ipv6Net]) -> bool {
    allow.iter().any(|network| network.contains(&prefix))
}

/// Rights of those who are not let in, with all that is said of them.
fn rights(said: &settings::Rights) -> Rights {
    Rights {
        allow: false,
        deny: match said.deny {
            settings::Deny::NotAllowed => Deny::NotAllowed,
            settings::Deny::Drop => Deny::Drop,
        },
        query_types: said.query_types,
        relayed: match said.relayed {
            settings::Relayed::Answer => Relayed::Answer,
            settings::Relayed::Drop => Relayed::Drop,
        },
        sensitive: said.sensitive_options.iter().copied().map(OptionCode).collect(),
        reply_len_max: said.max_reply,
        rate: said.rate.map(rate),
        prefix_rate: None,
        restricted: said.restricted_requestor,
        relay_addresses: Vec::new(),
    }
}

fn rate(said: settings::Rate) -> Rate {
    Rate { per_second: said.per_second, burst: said.burst }
}

#[cfg(test)]
mod tests;

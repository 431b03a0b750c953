//! Every rule has a row, or a reason.
//!
//! S1–S48 are what RFC 5007 and the RFCs it stands on demand of a server; A1–A27 are the questions that they leave
//! open, as this project answers them. What each is about is said by the rows that name it.

use std::collections::BTreeSet;

use libtest_mimic::{Failed, Trial};

use super::rows;

const SERVER_RULES: u32 = 48;
const OPEN_QUESTIONS: u32 = 27;

/// Rules that a query and its reply over loopback cannot show, or not in one row, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "S39",
        "which addresses are listened at: `conformance::udp::…::wildcard` and the tests of lqd-net (multicast)",
    ),
    ("S42", "IPsec is the host's; DHCPv6 authentication is obsolete (RFC 8415 §25)"),
    ("S43", "rate limits: `access::rates`"),
    ("S47", "the DHCPv6 server records the relay chain, not its reader; what it recorded is S26"),
];

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("conformance::coverage", every_rule_has_a_row_or_a_reason)]
}

fn every_rule_has_a_row_or_a_reason() -> Result<(), Failed> {
    let rules = |letter, last| (1..=last).map(move |number| format!("{letter}{number}"));
    let all: BTreeSet<String> = rules('S', SERVER_RULES).chain(rules('A', OPEN_QUESTIONS)).collect();
    let in_rows: BTreeSet<String> = rows().flat_map(|row| row.ids).map(|&id| id.to_owned()).collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|&(id, _)| id.to_owned()).collect();
    let named: BTreeSet<String> = &in_rows | &elsewhere;
    let lacking: Vec<_> = all.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&all).collect();
    let both: Vec<_> = in_rows.intersection(&elsewhere).collect();
    assert!(lacking.is_empty(), "without a row or a reason: {lacking:?}");
    assert!(unknown.is_empty(), "named, but no rule: {unknown:?}");
    assert!(both.is_empty(), "with a row and a reason why there is none: {both:?}");
    Ok(())
}

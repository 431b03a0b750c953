//! Every rule has a row, or a reason, and an entry in `tests/CONFORMANCE.md`.
//!
//! S1–S48 are the demands of RFC 5007, and of the RFCs that it stands on, on a server; A1–A27 are the questions that
//! they leave open, as this project answers them.

use std::collections::{BTreeMap, BTreeSet};

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
    vec![
        Trial::test("conformance::coverage", every_rule_has_a_row_or_a_reason),
        Trial::test("conformance::coverage::document", the_document_defines_every_rule),
    ]
}

/// The document's entries: number of the rule, names of the rows that it cites.
fn entries() -> BTreeMap<&'static str, Vec<&'static str>> {
    let document = include_str!("../../CONFORMANCE.md");
    let is_rule = |cell: &str| {
        cell.strip_prefix(['S', 'A']).is_some_and(|number| number.bytes().all(|octet| octet.is_ascii_digit()))
    };
    let mut entries = BTreeMap::new();
    for line in document.lines() {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let Some(number) = cells.next().filter(|cell| is_rule(cell)) else { continue };
        let tests = cells.last().unwrap_or_default();
        let names = tests.split('“').skip(1).filter_map(|rest| rest.split('”').next()).collect();
        assert!(entries.insert(number, names).is_none(), "{number} is defined twice in tests/CONFORMANCE.md");
    }
    entries
}

fn the_document_defines_every_rule() -> Result<(), Failed> {
    let entries = entries();
    let defined: BTreeSet<String> = entries.keys().map(|&number| number.to_owned()).collect();
    assert_eq!(defined, all_rules(), "numbers in tests/CONFORMANCE.md, and numbers of rules");
    for (number, names) in &entries {
        let is_elsewhere = ELSEWHERE.iter().any(|(id, _)| id == number);
        assert!(is_elsewhere || !names.is_empty(), "tests/CONFORMANCE.md names no row for {number}");
        for name in names {
            let Some(row) = rows().find(|row| row.name == *name) else {
                panic!("tests/CONFORMANCE.md names a row for {number} that does not exist: {name}");
            };
            assert!(row.ids.contains(number), "row “{name}” is not about {number}; see tests/CONFORMANCE.md");
        }
    }
    Ok(())
}

fn all_rules() -> BTreeSet<String> {
    let rules = |letter, last| (1..=last).map(move |number| format!("{letter}{number}"));
    rules('S', SERVER_RULES).chain(rules('A', OPEN_QUESTIONS)).collect()
}

fn every_rule_has_a_row_or_a_reason() -> Result<(), Failed> {
    let all = all_rules();
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

//! Coverage: every rule has a row, a test or a reason, and an entry in `tests/CONFORMANCE.md`.
//!
//! S1–S48 are the demands of RFC 5007, and of the RFCs it builds on, on servers, and R1–R22 those on
//! requestors; A1–A27 are questions that they leave open, with this project's answers. B1–B60 are demands of
//! bulk leasequery on servers (RFC 5460, and RFC 7653 where it counts there) and this project's answers to
//! open questions, BR1–BR15 its demands on requestors. AL1–AL62 are those of active leasequery (RFC 7653) on
//! servers, AR1–AR16 those on requestors. T1–T13 are those of TLS on servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use super::{active, bulk, rows};

const SERVER_RULES: u32 = 48;
const REQUESTOR_RULES: u32 = 22;
const OPEN_QUESTIONS: u32 = 27;
const BULK_RULES: u32 = 60;
const BULK_REQUESTOR_RULES: u32 = 15;
const ACTIVE_RULES: u32 = 62;
const ACTIVE_REQUESTOR_RULES: u32 = 16;
const TLS_RULES: u32 = 13;

/// Rules that a query and its reply over loopback cannot show, or not in one row, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "S39",
        "which addresses are listened at: `conformance::udp::…::wildcard` and the tests of lqd-net (multicast)",
    ),
    ("S42", "IPsec is the host's; DHCPv6 authentication is obsolete (RFC 8415 §25)"),
    ("S43", "rate limits: `access::rates`"),
    ("S47", "the DHCPv6 server records the relay chain; lqd only returns it (S26)"),
    ("R22", "relay agents at the perimeter, not requestors"),
    ("BR1", "the default port of `-s`, which UDP and TCP share"),
    ("BR3", "no server can be made to stop reading before a whole query lies in socket buffers"),
    ("AR16", "advice to those who keep what `lq follow` prints"),
    ("B19", "termination: `conformance::bulk::interruptions`"),
    ("B20", "the address of the listener: `conformance::bulk::connections`"),
    ("B21", "number of connections: `conformance::bulk::connections`"),
    ("B22", "connections of others: `conformance::bulk::connections`"),
    ("B24", "reads that stop: `conformance::bulk::connections`"),
    ("B25", "writes that stop: `conformance::bulk::interruptions`"),
    ("B26", "warnings: `conformance::bulk::connections`"),
    ("B30", "connections that break: `conformance::bulk::interruptions`"),
    ("B31", "termination: `conformance::bulk::interruptions`"),
    ("B32", "every row runs with a half-close too; `conformance::bulk::interruptions`"),
    ("B34", "over UDP: `conformance::bulk::connections`"),
    ("B35", "limits: `conformance::bulk::connections`"),
    ("B41", "large clients: `conformance::bulk::large`"),
    ("B43", "memory: `conformance::bulk::interruptions`"),
    ("B44", "changes meanwhile: `conformance::bulk::interruptions`, `conformance::bulk::union`"),
    ("B52", "incomplete leases: `conformance::bulk::leases`"),
    ("B55", "rates: `conformance::bulk::connections`"),
    ("AL3", "settings: `conformance::active::connections`"),
    ("AL5", "TLS: tests of lqd-answer"),
    ("AL6", "TLS: tests of lqd-answer and lqd-stream"),
    ("AL7", "TLS: tests of lqd-stream"),
    ("AL8", "TLS: tests of lqd-stream"),
    ("AL25", "histories that overflow: `conformance::active::slow`"),
    ("AL28", "warnings: `conformance::active::connections`"),
    ("AL29", "writes that stop: `conformance::active::slow`"),
    ("AL33", "Kea's reservations are no leases"),
    ("AL37", "termination: `conformance::active::connections`"),
    ("AL39", "limits: `conformance::bulk::connections`"),
    ("AL40", "connections that break: `conformance::active::connections`"),
    ("AL42", "the requestor's end: `conformance::active::connections`"),
    ("AL43", "idle connections: `conformance::active::connections`"),
    ("AL45", "TLS: tests of lqd-stream"),
    ("AL46", "TLS: tests of lqd-stream"),
    ("AL52", "incomplete leases: `conformance::active::connections`"),
    ("AL54", "reloads: `conformance::active::connections`"),
    ("AL55", "slow readers: `conformance::active::slow`"),
    ("AL59", "large clients: `conformance::active::slow`"),
    ("AL62", "requestors that resume: `conformance::active::differential`"),
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("conformance::coverage", every_rule_has_a_row_or_a_reason),
        Trial::test("conformance::coverage::document", the_document_defines_every_rule),
        Trial::test("conformance::coverage::requestor", every_requestor_rule_has_a_test),
    ]
}

/// Returns the document's entries with these letters: number of the rule, names of its tests.
fn entries(letters: &[&str]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let document = include_str!("../../CONFORMANCE.md");
    let is_rule = |cell: &str| letters.iter().any(|letters| is_number(letters, cell));
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
    let entries = entries(&["S", "A", "B", "AL"]);
    let defined: BTreeSet<String> = entries.keys().map(|&number| number.to_owned()).collect();
    assert_eq!(defined, all_rules(), "numbers in tests/CONFORMANCE.md, and numbers of rules");
    let rows: BTreeMap<&str, &[&str]> = all_rows().collect();
    for (number, names) in &entries {
        let is_elsewhere = ELSEWHERE.iter().any(|(id, _)| id == number);
        assert!(is_elsewhere || !names.is_empty(), "tests/CONFORMANCE.md names no row for {number}");
        for name in names {
            let Some(ids) = rows.get(name) else {
                panic!("tests/CONFORMANCE.md names a row for {number} that does not exist: {name}");
            };
            assert!(ids.contains(number), "row “{name}” is not about {number}; see tests/CONFORMANCE.md");
        }
    }
    Ok(())
}

/// Returns name and rules of every row of all tables.
fn all_rows() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let over_tcp =
        bulk::rows().map(|row| (row.name, row.ids)).chain(active::rows().map(|row| (row.name, row.ids)));
    rows().map(|row| (row.name, row.ids)).chain(over_tcp)
}

fn all_rules() -> BTreeSet<String> {
    let rules = [("S", SERVER_RULES), ("A", OPEN_QUESTIONS), ("B", BULK_RULES), ("AL", ACTIVE_RULES)];
    rules.into_iter().flat_map(|(letters, last)| numbers(letters, last)).collect()
}

fn numbers(letters: &str, last: u32) -> impl Iterator<Item = String> {
    (1..=last).map(move |number| format!("{letters}{number}"))
}

/// Returns whether a word is a rule's number with these letters.
fn is_number(letters: &str, word: &str) -> bool {
    word.strip_prefix(letters)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit()))
}

fn every_rule_has_a_row_or_a_reason() -> Result<(), Failed> {
    let all = all_rules();
    let in_rows: BTreeSet<String> = all_rows().flat_map(|(_, ids)| ids).map(|&id| id.to_owned()).collect();
    let elsewhere: BTreeSet<String> =
        ELSEWHERE.iter().filter(|(id, _)| !has_no_rows(id)).map(|&(id, _)| id.to_owned()).collect();
    let named: BTreeSet<String> = &in_rows | &elsewhere;
    let lacking: Vec<_> = all.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&all).collect();
    let both: Vec<_> = in_rows.intersection(&elsewhere).collect();
    assert!(lacking.is_empty(), "without a row or a reason: {lacking:?}");
    assert!(unknown.is_empty(), "named, but no rule: {unknown:?}");
    assert!(both.is_empty(), "with a row and a reason why there is none: {both:?}");
    Ok(())
}

/// Rules of requestors and of TLS have no rows: each names test functions, which cite it in their doc
/// comment.
fn every_requestor_rule_has_a_test() -> Result<(), Failed> {
    let entries = entries(&["R", "BR", "AR", "T"]);
    let defined: BTreeSet<String> = entries.keys().map(|&number| number.to_owned()).collect();
    assert_eq!(
        defined,
        numbers("R", REQUESTOR_RULES)
            .chain(numbers("BR", BULK_REQUESTOR_RULES))
            .chain(numbers("AR", ACTIVE_REQUESTOR_RULES))
            .chain(numbers("T", TLS_RULES))
            .collect(),
        "numbers in tests/CONFORMANCE.md, and of rules"
    );
    let tests = cited_rules();
    for (number, names) in &entries {
        let is_elsewhere = ELSEWHERE.iter().any(|(id, _)| id == number);
        assert_eq!(
            names.is_empty(),
            is_elsewhere,
            "tests/CONFORMANCE.md names a test for {number}, or a reason"
        );
        for name in names {
            let cited = tests.get(*name).unwrap_or_else(|| panic!("no function `{name}` cites {number}"));
            assert!(cited.contains(*number), "`{name}` does not cite {number}; it cites {cited:?}");
        }
    }
    Ok(())
}

/// Returns the rules cited in the doc comment of each function of the tests of the requestor and of TLS.
fn cited_rules() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders =
        vec![root.join("crates/requestor/src"), root.join("tests/e2e/lq"), root.join("tests/e2e/tls")];
    let mut tests = BTreeMap::<String, BTreeSet<String>>::new();
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).expect("a folder of the sources").flatten().map(|entry| entry.path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                read_citations(&fs::read_to_string(&entry).expect("a source file"), &mut tests);
            }
        }
    }
    tests
}

fn read_citations(source: &str, tests: &mut BTreeMap<String, BTreeSet<String>>) {
    let mut cited = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            let words = comment.split(|letter: char| !letter.is_alphanumeric());
            cited.extend(words.filter(|word| has_no_rows(word)).map(str::to_owned));
        } else if !line.starts_with("#[") {
            let name =
                line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split_once('('));
            if let Some((name, _)) = name {
                tests.entry(name.to_owned()).or_default().append(&mut cited);
            }
            cited.clear();
        }
    }
}

fn has_no_rows(word: &str) -> bool {
    ["R", "BR", "AR", "T"].iter().any(|letters| is_number(letters, word))
}

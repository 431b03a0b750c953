//! Checks of the bulk table itself: slips in hand-written octets must not look like bugs of the server.

use std::collections::HashSet;

use libtest_mimic::{Failed, Trial};

use super::row::{Setup, Want};
use super::{rows, second_decoder};
use crate::support::all_passed;
use crate::support::octets::Pattern;

/// Time for which the patterns are checked: 2026.
const WRITTEN: u32 = 1_790_000_000;

pub fn trials() -> Vec<Trial> {
    tests! {
        names_are_unique,
        setups_are_used,
        wanted_answers_decode,
        sent_octets_are_octets,
    }
}

fn names_are_unique() -> Result<(), Failed> {
    let mut names: HashSet<&str> = crate::conformance::rows().map(|row| row.name).collect();
    for row in rows() {
        assert!(names.insert(row.name), "two rows are named \"{}\"", row.name);
        assert!(!row.rfc.is_empty() && !row.ids.is_empty(), "row \"{}\" lacks its source or ids", row.name);
    }
    Ok(())
}

fn setups_are_used() -> Result<(), Failed> {
    for setup in Setup::ALL {
        assert!(rows().any(|row| row.setup == setup), "no row for {setup:?}");
    }
    Ok(())
}

/// A requestor must accept every wanted answer.
fn wanted_answers_decode() -> Result<(), Failed> {
    let mut failures = Vec::new();
    for row in rows() {
        for want in row.steps.iter().flat_map(|step| step.wants) {
            let answer = want.patterns(WRITTEN).examples();
            if let Err(failure) = second_decoder::accepts(&answer) {
                failures.push(format!("row \"{}\": {failure}", row.name));
            }
            let is_whole = !matches!(want, Want::Bindings { data, .. } if data.is_empty());
            assert!(is_whole, "row \"{}\" wants bindings, and names none", row.name);
        }
    }
    all_passed(&failures)
}

fn sent_octets_are_octets() -> Result<(), Failed> {
    for row in rows() {
        assert!(!row.steps.is_empty(), "row \"{}\" sends nothing", row.name);
        for step in row.steps {
            let words = ["text", "age:", "left:", "@now"];
            assert!(
                !words.iter().any(|word| step.send.contains(word)),
                "row \"{}\" sends a pattern",
                row.name
            );
            Pattern::parse(&super::run::with_times(step.send, WRITTEN)).example();
        }
    }
    Ok(())
}

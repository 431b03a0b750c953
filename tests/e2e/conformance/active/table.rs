//! Checks of the table itself: slips in hand-written octets must not look like bugs of the server.

use std::collections::HashSet;

use libtest_mimic::{Failed, Trial};

use super::options::MessagePattern;
use super::row::{Setup, Step};
use super::{rows, second_decoder};
use crate::conformance::bulk;
use crate::conformance::bulk::run::with_times;
use crate::support::all_passed;
use crate::support::octets::Pattern;

/// Time for which the patterns are checked: 2026.
const WRITTEN: u32 = 1_790_000_000;

pub fn trials() -> Vec<Trial> {
    tests! {
        names_are_unique,
        setups_are_used,
        wanted_messages_decode,
        sent_octets_are_octets,
    }
}

fn names_are_unique() -> Result<(), Failed> {
    let others = crate::conformance::rows().map(|row| row.name).chain(bulk::rows().map(|row| row.name));
    let mut names: HashSet<&str> = others.collect();
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

/// A requestor must accept every wanted message.
fn wanted_messages_decode() -> Result<(), Failed> {
    let mut failures = Vec::new();
    for row in rows() {
        let wanted = row.steps.iter().flat_map(|step| match step {
            Step::Want(text) => std::slice::from_ref(text),
            Step::WantAll(texts) => texts,
            _ => &[],
        });
        for text in wanted {
            let pattern = MessagePattern::parse(&with_times(text, WRITTEN));
            let message = pattern.example();
            let accepted = second_decoder::accept(&message);
            failures.extend(accepted.err().map(|failure| format!("row \"{}\": {failure}", row.name)));
            assert!(pattern.matches(&message, &(0..=0)), "row \"{}\" does not match itself", row.name);
        }
    }
    all_passed(&failures)
}

fn sent_octets_are_octets() -> Result<(), Failed> {
    for row in rows() {
        let sent = row.steps.iter().filter_map(|step| match step {
            Step::Send(text) => Some(*text),
            _ => None,
        });
        assert!(
            sent.clone().next().is_some_and(|text| text.trim_start().starts_with('{')),
            "row \"{}\" does not begin with a frame",
            row.name
        );
        let is_pattern =
            |text: &str| ["text", "age:", "left:", "@now"].iter().any(|word| text.contains(word));
        assert!(!sent.clone().any(is_pattern), "row \"{}\" sends a pattern", row.name);
        sent.for_each(|text| drop(Pattern::parse(&with_times(text, WRITTEN)).example()));
    }
    Ok(())
}

//! Checks of the table itself: slips in hand-written octets must not look like bugs of the server, and
//! patterns must be able to fail.

use std::collections::HashSet;

use libtest_mimic::{Failed, Trial};

use super::{Setup, rows, second_decoder};
use crate::support::all_passed;
use crate::support::octets::{Pattern, octets};

pub fn trials() -> Vec<Trial> {
    tests! {
        notation,
        names_are_unique,
        setups_are_used,
        wanted_replies_decode,
    }
}

fn notation() -> Result<(), Failed> {
    assert_eq!(octets("0e0A 0b # comment\n 61*3"), [0x0e, 0x0a, 0x0b, 0x61, 0x61, 0x61]);
    assert_eq!(octets("::1"), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(octets("$c2a"), [0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 0x2a]);
    let pattern = Pattern::parse("01 { 0009 text } left:100 age:5");
    assert_eq!(pattern.example(), [1, 0, 3, 0, 9, b'?', 0, 0, 0, 100, 0, 0, 0, 5]);
    let rows: &[(bool, &str)] = &[
        (true, "01 0004 0009 6162 00000064 00000005"),
        (true, "01 0003 0009 61 00000062 00000007"), // two seconds later
        (false, "01 0003 0009 61 00000061 00000008"),
        (false, "01 0003 0009 61 00000065 00000005"),
        (false, "01 0002 0009 00000064 00000005"),
        (false, "01 0003 0009 ff 00000064 00000005"),
        (false, "01 0003 0008 61 00000064 00000005"),
        (false, "01 0004 0009 61 00000064 00000005"),
        (false, "01 0003 0009 61 00000064 00000005 00"),
        (false, "01 0003 0009 61 00000064 000000"),
    ];
    for (matches, reply) in rows {
        assert_eq!(pattern.matches(&octets(reply), &(0..=2)), *matches, "{reply}");
    }
    Ok(())
}

fn names_are_unique() -> Result<(), Failed> {
    let mut names = HashSet::new();
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

/// Hand-written lengths add up, and a requestor must accept every wanted reply.
fn wanted_replies_decode() -> Result<(), Failed> {
    let mut failures = Vec::new();
    for row in rows() {
        let query = octets(row.query);
        let Some((_, pattern)) = row.want.reply() else { continue };
        if let Err(failure) = second_decoder::agrees(&query, &Pattern::parse(pattern).example()) {
            failures.push(format!("row \"{}\": {failure}", row.name));
        }
    }
    all_passed(&failures)
}

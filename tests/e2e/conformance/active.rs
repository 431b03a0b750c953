//! Conformance of active leasequery (RFC 7653): octets sent to the binary over TCP, rows appended to Kea's
//! lease file, and the octets that must come, both written by hand.
//!
//! Each row of the table runs twice: the requestor's octets at once, and octet by octet. What no row can show
//! has tests of its own; `differential` compares many readers with a model of the lease file.

mod connections;
mod differential;
mod dissection;
mod options;
mod reader;
mod row;
mod rows;
mod run;
mod second_decoder;
mod server;
mod slow;
mod table;

use libtest_mimic::{Failed, Trial};

pub use rows::rows;

use crate::support::all_passed;
use row::Setup;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for setup in Setup::ALL {
        for (manner, singly) in [("whole", false), ("singly", true)] {
            trials.push(Trial::test(format!("conformance::active::rows::{setup:?}::{manner}"), move || {
                check(setup, singly)
            }));
        }
    }
    trials.extend(
        [table::trials, connections::trials, slow::trials, differential::trials, dissection::trials]
            .into_iter()
            .flat_map(|trials| trials()),
    );
    trials
}

/// Runs all rows of a setup against one server.
fn check(setup: Setup, singly: bool) -> Result<(), Failed> {
    let server = server::start(setup)?;
    let mut failures = Vec::new();
    for row in rows().filter(|row| row.setup == setup) {
        if let Err(failure) = run::run(&server, row, singly) {
            failures.push(format!("row \"{}\" (RFC {}): {failure}", row.name, row.rfc));
        }
    }
    if !failures.is_empty() {
        failures.push(format!("{} failures; the server wrote:\n{}", failures.len(), server.lqd.log()));
    }
    all_passed(&failures)
}

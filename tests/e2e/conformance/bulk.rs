//! Conformance of bulk leasequery (RFC 5460, and RFC 7653 where it counts in bulk): octets sent to the binary
//! over TCP, and the octets that must come back, both written by hand.
//!
//! Each row of the table runs three times: its octets at once, octet by octet, and with a half-close behind
//! them. What no row can show (connections, signals, large answers) has tests of its own.

mod connections;
pub mod dissection;
mod interruptions;
mod large;
mod leases;
mod row;
mod rows;
pub mod run;
mod second_decoder;
pub mod server;
mod session;
mod table;
mod union;

use libtest_mimic::{Failed, Trial};

pub use rows::rows;

use crate::support::{Connection, all_passed};
use row::{End, Row, Setup};
use run::Manner;
use server::Bulk;

pub fn trials() -> Vec<Trial> {
    let of_setup = |setup| Trial::test(format!("conformance::bulk::rows::{setup:?}"), move || check(setup));
    let mut trials: Vec<_> = Setup::ALL.into_iter().map(of_setup).collect();
    for more in [
        table::trials,
        connections::trials,
        interruptions::trials,
        leases::trials,
        large::trials,
        union::trials,
        session::trials,
        dissection::trials,
    ] {
        trials.extend(more());
    }
    trials
}

/// Runs all rows of a setup against one server.
fn check(setup: Setup) -> Result<(), Failed> {
    let server = Bulk::start(setup)?;
    let mut failures = Vec::new();
    for row in rows().filter(|row| row.setup == setup) {
        for manner in manners(row) {
            let mut connection = Connection::new(server.address);
            if let Err(failure) = run::run(&mut connection, row, manner, server.written) {
                failures.push(format!("row \"{}\" (RFC {}), {manner:?}: {failure}", row.name, row.rfc));
            }
        }
    }
    let count = rows().filter(|row| row.setup == setup).count();
    if !failures.is_empty() {
        failures.push(format!(
            "{} failures in {count} rows; the server wrote:\n{}",
            failures.len(),
            server.lqd.log()
        ));
    }
    all_passed(&failures)
}

fn manners(row: &Row) -> impl Iterator<Item = Manner> {
    let singly = row.divisible.then_some(Manner::Singly);
    let half_closed = (row.end == End::Open).then_some(Manner::HalfClosed);
    [Some(Manner::Whole), singly, half_closed].into_iter().flatten()
}

//! The conformance table: packets with the replies demanded by RFC 5007 and the project's decisions, run
//! against the engine and against the binary over UDP on both back ends.
//!
//! A row is a query with its whole reply, both written by hand from the RFC texts. Its ids are those of
//! [`coverage`], whose tests check that every rule has a row or a reason why not.

mod active;
pub mod bulk;
mod coverage;
pub mod engine;
mod large;
mod row;
mod rows;
mod run;
mod second_decoder;
mod table;
pub mod udp;

use libtest_mimic::Trial;

pub use row::{Reach, Row, Setup};
pub use rows::{probe_query, rows};
pub use run::{Server, check_rows};

use crate::support::Fixture;

/// The sample network and leases of all rows.
pub fn fixture() -> Fixture {
    Fixture::new(
        include_str!("../data/conformance/kea-dhcp6.conf"),
        include_str!("../data/conformance/leases.csv"),
    )
}

pub fn trials() -> Vec<Trial> {
    [
        table::trials,
        coverage::trials,
        engine::trials,
        udp::trials,
        large::trials,
        bulk::trials,
        active::trials,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}

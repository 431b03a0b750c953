//! The table of what RFC 5007 and the project's own decisions demand of each packet, run against the answering
//! engine and against the binary over UDP on both back ends.
//!
//! A row is a query and the whole reply, both written by hand from the RFC texts. The ids in a row are those of
//! [`coverage`], where a test sees to it that no rule is left without a row or a reason.

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

/// The network and the leases that all rows speak of.
pub fn fixture() -> Fixture {
    Fixture::new(
        include_str!("../data/conformance/kea-dhcp6.conf"),
        include_str!("../data/conformance/leases.csv"),
    )
}

pub fn trials() -> Vec<Trial> {
    [table::trials, coverage::trials, engine::trials, udp::trials, large::trials]
        .into_iter()
        .flat_map(|trials| trials())
        .collect()
}

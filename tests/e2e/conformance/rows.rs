//! The rows of the table, by subject. Their sample leases are in `tests/data/conformance/leases.csv`.

mod bindings;
mod lifetimes;
mod links;
mod networks;
mod options;
mod queries;
mod refusals;
mod relay_chain;
mod relayed;
mod silence;

use super::Row;
use crate::support::octets::octets;

/// The whole table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [
        silence::ROWS,
        refusals::ROWS,
        queries::ROWS,
        links::ROWS,
        networks::ROWS,
        bindings::ROWS,
        lifetimes::ROWS,
        options::ROWS,
        relayed::ROWS,
        relay_chain::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Returns a query that every server answers alike, allowed or not: an unknown query-type.
pub fn probe_query() -> Vec<u8> {
    octets("0e 505050  $me  002c 0011 ff ::")
}

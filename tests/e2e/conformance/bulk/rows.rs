//! The rows of the bulk table, by subject. Their sample leases are in `tests/data/conformance/bulk`.

mod access;
mod closing;
mod messages;
mod options;
mod refusals;
mod scopes;
mod single;
mod streams;
mod times;

use super::row::Row;

/// The whole table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [
        scopes::ROWS,
        single::ROWS,
        messages::ROWS,
        options::ROWS,
        times::ROWS,
        refusals::ROWS,
        closing::ROWS,
        streams::ROWS,
        access::ROWS,
    ]
    .into_iter()
    .flatten()
}

//! What is taken aside for who looks for a fault: the query log, and the discarded datagrams.

mod discards;
mod query_log;

use libtest_mimic::Trial;

/// Trials of both.
pub fn trials() -> Vec<Trial> {
    [query_log::trials, discards::trials].into_iter().flat_map(|trials| trials()).collect()
}

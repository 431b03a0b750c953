//! Diagnosis of single datagrams: query log and captured discards.

mod discards;
mod query_log;

use libtest_mimic::Trial;

/// Trials of both.
pub fn trials() -> Vec<Trial> {
    [query_log::trials, discards::trials].into_iter().flat_map(|trials| trials()).collect()
}

//! Bulk leasequery (RFC 5460) of the built binary, over TCP.

mod faults;
pub mod server;
mod smoke;

use libtest_mimic::Trial;

/// Trials of all parts.
pub fn trials() -> Vec<Trial> {
    [smoke::trials, faults::trials].into_iter().flat_map(|trials| trials()).collect()
}

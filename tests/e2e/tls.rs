//! TLS of bulk leasequery (RFC 7653 §8.2, §9.1), with Python's ssl and lq as the other side.

mod certificates;
mod handshakes;
mod peer;
mod renewal;
mod requestor;
mod server;

use libtest_mimic::Trial;

/// Trials of all parts.
pub fn trials() -> Vec<Trial> {
    [handshakes::trials, renewal::trials, requestor::trials].into_iter().flat_map(|trials| trials()).collect()
}

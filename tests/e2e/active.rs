//! Active leasequery (RFC 7653) of the built binary, over TCP.

mod faults;
pub mod reader;
mod resume;
mod smoke;

use libtest_mimic::Trial;

/// Trials of all parts.
pub fn trials() -> Vec<Trial> {
    [smoke::trials, resume::trials, faults::trials].into_iter().flat_map(|trials| trials()).collect()
}

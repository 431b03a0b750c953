//! Fault injection: for each fault of a host, the operator's message, and answers for known leases.
//!
//! Faults are injected from outside, so that the product needs no switches for them: by the file system, the
//! user, the clock (libfaketime), and for failing workers by strace, which alters results of system calls.

mod clock;
mod confined;
mod files;
mod hanging;
mod links;
mod logging;
mod rewrite;
mod start;
mod worker;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [
        files::trials,
        links::trials,
        rewrite::trials,
        start::trials,
        clock::trials,
        confined::trials,
        hanging::trials,
        logging::trials,
        worker::trials,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}

//! What goes wrong on a real host: each with what the operator reads, and leases that are known go on being answered.
//!
//! Faults come from outside, so that the product holds no switches for them: the file system, the user, the clock
//! (libfaketime), and for a worker that fails, strace, which changes what a system call returns.

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

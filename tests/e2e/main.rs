//! End-to-end tests: the real `lqd` binary, asked over real sockets.
//!
//! The harness is libtest-mimic, because what a test needs (root, namespaces, Kea, tshark, io_uring) is known only
//! at run time: such a test then counts as ignored and says why, or fails where `LQD_TESTS_MUST_RUN=1` is set.

#![expect(unreachable_pub, reason = "in one binary, `pub` says what a module offers to the others")]

mod access;
mod admin;
mod cli;
mod conformance;
mod faults;
mod kea_config;
mod lease_rows;
mod live_kea;
mod lq;
mod mutation;
mod support;
mod taps;
mod tshark;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let modules = [
        conformance::trials,
        access::trials,
        cli::trials,
        faults::trials,
        mutation::trials,
        kea_config::trials,
        lease_rows::trials,
        live_kea::trials,
        lq::trials,
        tshark::trials,
        admin::trials,
        taps::trials,
    ];
    let trials = modules.into_iter().flat_map(|trials| trials()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

//! End-to-end tests: the built `lqd` binary, queried over real sockets.
//!
//! The harness is libtest-mimic, because the needs of a test (root, namespaces, Kea, tshark, io_uring) are
//! known only at run time: a test whose needs are not met is ignored and names what is missing; with
//! `LQD_TESTS_MUST_RUN=1` it fails.

#![expect(unreachable_pub, reason = "in one binary, `pub` marks the interface between modules")]

#[macro_use]
mod support;

mod access;
mod active;
mod admin;
mod bulk;
mod cli;
mod conformance;
mod faults;
mod kea_config;
mod lease_rows;
mod live_kea;
mod lq;
mod mutation;
mod sources;
mod taps;
mod tls;
mod tshark;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let modules = [
        conformance::trials,
        access::trials,
        active::trials,
        cli::trials,
        faults::trials,
        mutation::trials,
        sources::trials,
        kea_config::trials,
        lease_rows::trials,
        live_kea::trials,
        lq::trials,
        tshark::trials,
        admin::trials,
        bulk::trials,
        taps::trials,
        tls::trials,
    ];
    let trials = modules.into_iter().flat_map(|trials| trials()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

//! The binary with active leasequery, on a port of its own.

use std::fs;

use libtest_mimic::Failed;

use super::row::Setup;
use crate::conformance::bulk::server::{Bulk, fixture};

/// Leases of the bulk table: the network is the same, and every client starts with known bindings.
pub const LEASES: &str = include_str!("../../../data/conformance/bulk/leases.csv");

/// Starts a server for rows of this setup.
///
/// # Errors
/// Its settings cannot be written.
pub fn start(setup: Setup) -> Result<Bulk, Failed> {
    start_with(setup.toml(), LEASES)
}

/// Starts a server with these settings and leases.
///
/// # Errors
/// The settings cannot be written.
pub fn start_with(toml: &str, leases: &str) -> Result<Bulk, Failed> {
    let fixture = fixture(leases);
    let file = fixture.directory().join("lqd.toml");
    fs::write(&file, toml)?;
    Ok(Bulk::with(fixture, &["--config", file.to_str().ok_or("the path is UTF-8")?]))
}

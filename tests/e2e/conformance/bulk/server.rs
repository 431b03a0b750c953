//! The binary with bulk leasequery, on a port of its own.

use std::fs;
use std::net::SocketAddrV6;

use libtest_mimic::Failed;

use super::row::Setup;
use crate::support::{Fixture, Lqd};

/// A server that listens for bulk leasequery.
pub struct Bulk {
    /// The process.
    pub lqd: Lqd,
    /// TCP address.
    pub address: SocketAddrV6,
    /// Files that it reads.
    pub fixture: Fixture,
    /// Time at which the leases were written, in seconds since 1970.
    pub written: u32,
}

impl Bulk {
    /// Starts a server for rows of this setup.
    ///
    /// # Errors
    /// Its settings cannot be written.
    pub fn start(setup: Setup) -> Result<Self, Failed> {
        let leases = include_str!("../../../data/conformance/bulk/leases.csv");
        let fixture = fixture(&format!("{leases}{}", setup.leases()));
        let file = fixture.directory().join("lqd.toml");
        fs::write(&file, setup.toml())?;
        Ok(Self::with(fixture, &["--config", file.to_str().ok_or("the path is UTF-8")?]))
    }

    /// Starts a server with these files and flags.
    pub fn with(fixture: Fixture, flags: &[&str]) -> Self {
        let mut all = fixture.flags();
        all.extend(["--bulk", "[::1]:0"].map(str::to_owned));
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let lqd = Lqd::start(&all);
        let address = bulk_address(&lqd);
        Self { written: fixture.now, fixture, lqd, address }
    }
}

/// Returns the network of the bulk table with these leases.
pub fn fixture(leases: &str) -> Fixture {
    Fixture::new(include_str!("../../../data/conformance/bulk/kea-dhcp6.conf"), leases)
}

/// Returns the TCP address that the server has logged.
///
/// # Panics
/// If it has logged none.
pub fn bulk_address(lqd: &Lqd) -> SocketAddrV6 {
    let line = lqd.await_line(0, |line| line.contains("bulk leasequery listens"));
    let (_, rest) = line.split_once("listen=").unwrap_or_else(|| panic!("no address in `{line}`"));
    let address = rest.split_whitespace().next().unwrap_or_default().trim_matches('"');
    address.parse().unwrap_or_else(|_| panic!("not an address: `{address}` in `{line}`"))
}

//! The admin port of a running server: content, access, and its view of lost leases.

mod exposition;
mod metrics;
mod names;
mod page;
mod port;
mod stale;

use std::net::SocketAddr;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::http::get;
use crate::support::{Fixture, Lqd, Until};
use exposition::Scrape;

/// One subnet, 2001:db8:1::/64.
const KEA_CONFIG: &str = include_str!("../data/cli/kea-dhcp6.conf");

/// Leases of clients 01 and 02, in the notation of [`Fixture::rows`]; client 02 also holds a delegated prefix
/// and an expired lease.
const LEASES: &str = "\
2001:db8:1::1,00:03:00:01:02:00:00:00:00:01,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0
2001:db8:1::2,00:03:00:01:02:00:00:00:00:02,4294967295,4102444800,1,4294967295,0,1,128,0,0,,,0,,1,0,0
2001:db8:1:8000::,00:03:00:01:02:00:00:00:00:02,4294967295,4102444800,1,4294967295,2,1,56,0,0,,,0,,1,0,0
2001:db8:1::3,00:03:00:01:02:00:00:00:00:02,10,now-100,1,10,0,1,128,0,0,,,0,,1,0,0
";

pub fn trials() -> Vec<Trial> {
    [exposition::trials, metrics::trials, names::trials, page::trials, port::trials, stale::trials]
        .into_iter()
        .flat_map(|trials| trials())
        .collect()
}

fn fixture() -> Fixture {
    Fixture::new(KEA_CONFIG, LEASES)
}

/// A server with an admin port on `[::1]`.
struct Monitored {
    lqd: Lqd,
    admin: SocketAddr,
}

impl Monitored {
    fn start(fixture: &Fixture, flags: &[&str]) -> Self {
        let mut all = fixture.flags();
        all.extend(["--admin", "0"].iter().chain(flags).map(ToString::to_string));
        let lqd = Lqd::start(&all);
        // The port is the kernel's choice, so the log is asked.
        let admin = admin_address(&lqd);
        Self { lqd, admin }
    }

    fn metrics(&self) -> Scrape {
        let response = get(self.admin, "/metrics");
        assert_eq!(response.status, 200);
        Scrape::parse(&response.body).expect("Prometheus text")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&get(self.admin, "/status").body).expect("JSON")
    }

    /// Scrapes until `wanted` returns true.
    ///
    /// # Panics
    /// With the last scrape, if that does not happen in time.
    fn await_metrics(&self, what: &str, mut wanted: impl FnMut(&Scrape) -> bool) -> Scrape {
        let until = Until::patience();
        loop {
            let scrape = self.metrics();
            // Metrics follow the queries with a delay.
            if wanted(&scrape) {
                return scrape;
            }
            assert!(until.pending(), "waiting for {what}; the scrape was\n{scrape:#?}");
        }
    }
}

/// Finds the address of the TCP admin port in the log.
fn admin_address(lqd: &Lqd) -> SocketAddr {
    let line = lqd.await_line(0, |line| line.contains("admin port") && line.contains("address=["));
    let address = line.split_once("address=").expect("an address").1;
    address.trim().parse().unwrap_or_else(|error| panic!("{address}: {error}"))
}

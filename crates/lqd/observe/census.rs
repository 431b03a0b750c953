//! Census of leases by link and type: a slow scan of all clients, repeated.
//!
//! It counts the leases that a query would find at that moment, in slices of some hundred microseconds, and
//! takes at most a twentieth of one CPU. crates/lqd/DESIGN.md says why the index's writer does not keep these
//! counts.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lqd_index::{Client, Cursor, LeaseKind, LinkId, Links, Reader, ReplacedError, Scanned};
use tokio::time;

use super::unix_time;

/// Clients in a slice.
const SLICE: u32 = 1024;

/// Rest after each slice, in multiples of its duration.
const REST: u32 = 19;

/// Shortest rest between two scans.
const REST_BETWEEN: Duration = Duration::from_secs(30);

/// Result of the latest scan.
#[derive(Debug)]
pub(super) struct Census {
    /// End of the scan.
    pub(super) at: SystemTime,
    /// Leases with valid lifetime left, by link, in the order of the configuration.
    pub(super) links: Vec<(Ipv6Addr, Tally)>,
    /// Leases whose subnet is not configured.
    pub(super) on_no_link: Tally,
    /// Leases held whose valid lifetime is over.
    pub(super) expired: u64,
    /// Memory of all clients' records, in bytes.
    pub(super) record_bytes: u64,
}

/// Leases by type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) addresses: u64,
    pub(super) prefixes: u64,
}

/// Counts again and again, and publishes each result.
pub(super) async fn repeat(mut reader: Reader, publish: impl Fn(Census)) {
    loop {
        publish(scan(&mut reader).await);
        time::sleep(REST_BETWEEN).await;
    }
}

/// Scans all clients, from the beginning again whenever leases or links are replaced.
async fn scan(reader: &mut Reader) -> Census {
    let (mut cursor, mut census) = (Cursor::all(), None);
    loop {
        let started = Instant::now();
        let now = u32::try_from(unix_time(SystemTime::now()).as_secs()).unwrap_or(u32::MAX);
        let leases = reader.pin();
        let links = leases.links();
        match cursor.advance(&leases, SLICE) {
            Ok(slice) => {
                let census = census.get_or_insert_with(|| Census::new(links.len()));
                for Scanned::Client(client) | Scanned::Segment(client) in slice {
                    census.count(links, client, now);
                }
            }
            // Counts so far belong to the replaced leases.
            Err(ReplacedError) => census = None,
        }
        if let Some(mut census) = census.take_if(|_| cursor.is_done()) {
            let address = |number: usize| links.address(links.nth(number));
            census.links.iter_mut().enumerate().for_each(|(number, link)| link.0 = address(number));
            census.at = SystemTime::now();
            return census;
        }
        drop(leases);
        time::sleep(started.elapsed() * REST).await;
    }
}

impl Census {
    fn new(links: usize) -> Self {
        Self {
            at: UNIX_EPOCH,
            links: vec![(Ipv6Addr::UNSPECIFIED, Tally::default()); links],
            on_no_link: Tally::default(),
            expired: 0,
            record_bytes: 0,
        }
    }

    fn count(&mut self, links: &Links, client: Client<'_>, now: u32) {
        self.record_bytes += client.record_bytes() as u64;
        if client.is_unreadable() {
            return; // its bindings have no known client or subnet
        }
        for binding in client.bindings() {
            if binding.valid_left(now) == 0 {
                self.expired += 1;
                continue;
            }
            let location = links.locate(binding.subnet_id, binding.address, binding.kind);
            let link = location.link().map(LinkId::number);
            let tally = match link.and_then(|number| self.links.get_mut(number)) {
                Some((_, tally)) => tally,
                None => &mut self.on_no_link,
            };
            match binding.kind {
                LeaseKind::Address => tally.addresses += 1,
                LeaseKind::Prefix => tally.prefixes += 1,
            }
        }
    }
}

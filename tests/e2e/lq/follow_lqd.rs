//! `lq follow` with lqd: its table is that of the lease file, whatever happens to lqd.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddrV6};

use libtest_mimic::{Failed, Trial};

use super::follow::Follower;
use crate::active::reader::{address, append, fixture, row};
use crate::bulk::server::bulk_flag;
use crate::support::{Fixture, Lqd};

/// Link-address of the clients' link.
const LINK: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        live_changes_are_followed,
        a_killed_lqd_is_followed_again,
    }
}

fn serve(fixture: &Fixture, bulk: &[String]) -> Lqd {
    Lqd::start(&[&fixture.flags()[..], bulk, &["--active=insecure".to_owned()]].concat())
}

fn addresses(clients: impl IntoIterator<Item = u8>) -> BTreeSet<String> {
    clients.into_iter().map(|client| address(client).to_string()).collect()
}

/// A follower, and the addresses that its lines make.
struct Table {
    follower: Follower,
    held: BTreeSet<String>,
}

impl Table {
    fn start(server: SocketAddrV6, interval: &str) -> Result<Self, Failed> {
        Ok(Self { follower: Follower::start(&server.to_string(), LINK, interval)?, held: BTreeSet::new() })
    }

    /// Reads lines until the table has these addresses.
    fn becomes(&mut self, wanted: &BTreeSet<String>) {
        while self.held != *wanted {
            self.take();
        }
    }

    /// Reads lines until this state; its count must be that of the lines.
    fn is(&mut self, state: &str) {
        loop {
            let line = self.take();
            if line["event"] == "state" && line["state"] == state {
                assert_eq!(line["bindings"], self.held.len(), "{line}");
                return;
            }
        }
    }

    fn take(&mut self) -> serde_json::Value {
        let line = self.follower.line();
        match line["event"].as_str() {
            Some("put") => {
                let leases = line["leases"].as_array().expect("leases");
                self.held.extend(leases.iter().map(|lease| text(&lease["value"])));
            }
            Some("remove") => assert!(self.held.remove(&text(&line["value"])), "{line}"),
            _ => {}
        }
        line
    }
}

fn text(value: &serde_json::Value) -> String {
    let address: Ipv6Addr = value.as_str().expect("text").parse().expect("an address");
    address.to_string()
}

fn live_changes_are_followed() -> Result<(), Failed> {
    let fixture = fixture(&[row(1, 5000, "now", 0), row(2, 5000, "now", 0)].concat());
    let (server, bulk) = bulk_flag();
    let lqd = serve(&fixture, &bulk);
    // The interval is not for the first bulk query.
    let mut table = Table::start(server, "1h")?;
    table.is("live");
    assert_eq!(table.held, addresses([1, 2]));
    append(&fixture, 3, 4000, "now", 0);
    append(&fixture, 1, 5000, "now", 3);
    table.becomes(&addresses([2, 3]));
    // It expires without a further row.
    append(&fixture, 4, 2, "now", 0);
    table.becomes(&addresses([2, 3, 4]));
    table.becomes(&addresses([2, 3]));
    assert_eq!(lqd.stop(), 0);
    table.is("lost");
    Ok(())
}

fn a_killed_lqd_is_followed_again() -> Result<(), Failed> {
    let fixture = fixture(&[row(1, 5000, "now", 0), row(2, 5000, "now", 0)].concat());
    let (server, bulk) = bulk_flag();
    let lqd = serve(&fixture, &bulk);
    let mut table = Table::start(server, "100ms")?;
    table.is("live");
    lqd.signal("KILL");
    drop(lqd);
    table.is("lost");
    // Changes that no server tells.
    append(&fixture, 1, 5000, "now", 3);
    append(&fixture, 5, 5000, "now", 0);
    let lqd = serve(&fixture, &bulk);
    // The history of the new one does not reach back: all bindings are asked for, and others are removed.
    table.becomes(&addresses([2, 5]));
    table.is("live");
    append(&fixture, 6, 5000, "now", 0);
    table.becomes(&addresses([2, 5, 6]));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

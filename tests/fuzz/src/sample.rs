//! The network and the leases of the conformance tables, in the index and as plain lists.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use lqd_feed::kea_config::{self, KeaConfig};
use lqd_feed::kea_memfile::{Columns, RowParser};
use lqd_index::{Batch, Change, Link, Links, Prefix, Store, Writer};

use crate::OwnedLease;
use crate::lease::within;

/// When all queries are asked, seconds since 1970: in 2027, between the past and the future times of the
/// sample.
pub const NOW: u32 = 1_800_000_000;

const KEA_CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/conformance/kea-dhcp6.conf");
const LEASES: &str = include_str!("../../data/conformance/leases.csv");

/// Header of Kea's lease file, schema 5.0.
const HEADER: &[u8] =
    b"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
    fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";

/// The sample, twice: what is asked, and what the answers are held against.
pub struct Sample {
    /// What the engine reads.
    pub store: Arc<Store>,
    /// The server's DUID.
    pub server_duid: Vec<u8>,
    links: Vec<Link>,
    leases: Vec<OwnedLease>,
}

impl Sample {
    /// Reads the files of the conformance tables.
    ///
    /// # Panics
    /// If they cannot be read: they are part of the tests.
    pub fn read() -> Self {
        let document = kea_config::read(KEA_CONFIG).expect("the sample's configuration");
        let kea = KeaConfig::from_document(&document, None).expect("the sample's configuration");
        let batch = leases();
        let mut leases = BTreeMap::new();
        for change in batch.changes() {
            match change {
                Change::Put(lease) => leases.insert(lease.address, OwnedLease::from(lease)),
                Change::Remove(address) | Change::Unreadable { address, .. } => leases.remove(&address),
            };
        }
        let (mut writer, store) = Writer::new();
        writer.set_links(Links::new(kea.links.clone()).expect("the sample's links"));
        writer.replace(&[batch], None);
        let server_duid = kea.server_duid.resolve().expect("the sample names the server's DUID");
        Self { store, server_duid, links: kea.links, leases: leases.into_values().collect() }
    }

    /// The live lease with the longest prefix around `address`.
    pub fn covering(&self, address: Ipv6Addr) -> Option<&OwnedLease> {
        let live = self.leases.iter().filter(|lease| lease.is_live(NOW) && lease.covers(address));
        live.max_by_key(|lease| lease.prefix_len)
    }

    /// All leases of a client, ended ones included.
    pub fn of_client<'a>(&'a self, duid: &[u8]) -> impl Iterator<Item = &'a OwnedLease> {
        self.leases.iter().filter(move |lease| lease.duid == duid)
    }

    /// The link of a lease.
    pub fn link_of(&self, lease: &OwnedLease) -> Option<usize> {
        let has = |link: &Link| link.subnets.iter().any(|subnet| subnet.id == lease.subnet_id);
        self.links.iter().position(has)
    }

    /// The link of the longest subnet, pd-pool or relay address around `address`.
    pub fn containing(&self, address: Ipv6Addr) -> Option<usize> {
        let all = self.links.iter().enumerate().flat_map(|(number, link)| {
            let relays = link.relay_addresses.iter().map(|&address| Prefix { address, len: 128 });
            let subnets =
                link.subnets.iter().flat_map(|subnet| subnet.pd_pools.iter().copied().chain([subnet.prefix]));
            relays.chain(subnets).map(move |prefix| (prefix, number))
        });
        let around = all.filter(|(prefix, _)| within(address, prefix.address, prefix.len));
        around.max_by_key(|(prefix, _)| prefix.len).map(|(_, number)| number)
    }

    /// The address by which a link is known.
    pub fn address(&self, link: usize) -> Ipv6Addr {
        let link = &self.links[link];
        link.address.unwrap_or(link.subnets[0].prefix.address)
    }

    /// Options that the configuration gives to clients on a link.
    pub fn configured_options(&self, link: usize) -> impl Iterator<Item = &[u8]> {
        self.links[link].subnets.iter().map(|subnet| &*subnet.options)
    }
}

fn leases() -> Batch {
    let columns = Columns::from_header(HEADER).expect("the header of Kea");
    let (mut parser, mut batch) = (RowParser::new(), Batch::new());
    for row in LEASES.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        parser
            .parse(columns, with_expire(row).as_bytes(), &mut batch)
            .unwrap_or_else(|fault| panic!("sample lease {row}: {fault}"));
    }
    batch
}

/// The sample has the last transaction (`cltt`) where Kea has the end of the lease.
fn with_expire(row: &str) -> String {
    let mut columns: Vec<String> = row.split(',').map(str::to_owned).collect();
    let valid: i64 = columns[2].parse().expect("valid lifetime");
    let cltt: i64 = match columns[3].strip_prefix("now") {
        Some("") => NOW.into(),
        Some(offset) => i64::from(NOW) + offset.parse::<i64>().expect("seconds after `now`"),
        None => columns[3].parse().expect("seconds since 1970"),
    };
    columns[3] = (cltt + valid).to_string();
    columns.join(",")
}

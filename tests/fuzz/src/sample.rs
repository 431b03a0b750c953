//! The network and the leases of the conformance tables, in the index and as plain lists.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use lqd_feed::kea_config::{self, KeaConfig};
use lqd_feed::kea_memfile::{Columns, RowParser};
use lqd_index::{Batch, Change, Link, Links, Prefix, Removal, Store, Subnet, Writer};

use crate::OwnedLease;
use crate::lease::within;

/// Time of all queries, seconds since 1970: in 2027, between the past and the future times of the sample.
pub const NOW: u32 = 1_800_000_000;

const KEA_CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/conformance/kea-dhcp6.conf");
const LEASES: &str = include_str!("../../data/conformance/leases.csv");

/// Header of Kea's lease file, schema 5.0.
const HEADER: &[u8] =
    b"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
    fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";

/// The sample, twice: as the engine reads it, and as the model that answers are checked against.
pub struct Sample {
    /// Index of the engine.
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
    /// The files cannot be read; they are part of the tests.
    pub fn read() -> Self {
        let document = kea_config::read(KEA_CONFIG).expect("the sample's configuration");
        let kea = KeaConfig::from_document(&document, None).expect("the sample's configuration");
        let batch = leases();
        // By address, as the last change of an address counts.
        let mut leases = BTreeMap::new();
        for change in batch.changes() {
            match change {
                Change::Put(lease) => leases.insert(lease.address, OwnedLease::from(lease)),
                Change::Remove(Removal { address, .. }) | Change::Unreadable { address, .. } => {
                    leases.remove(&address)
                }
            };
        }
        let (mut writer, store) = Writer::new();
        writer.set_links(Links::new(kea.links.clone()).expect("the sample's links"));
        // Loaded as a snapshot, as a server does at its start.
        writer.replace(&[batch], None);
        let server_duid = kea.server_duid.resolve().expect("the sample names the server's DUID");
        Self { store, server_duid, links: kea.links, leases: leases.into_values().collect() }
    }

    /// The live lease with the longest prefix around `address`.
    pub fn covering(&self, address: Ipv6Addr) -> Option<&OwnedLease> {
        // The longest prefix decides, as in routing.
        self.all_covering(address).max_by_key(|lease| lease.prefix_len)
    }

    /// Live leases that cover `address`.
    pub fn all_covering(&self, address: Ipv6Addr) -> impl Iterator<Item = &OwnedLease> {
        self.leases.iter().filter(move |lease| lease.is_live(NOW) && lease.covers(address))
    }

    /// Leases of a client, including expired ones.
    pub fn of_client<'a>(&'a self, duid: &[u8]) -> impl Iterator<Item = &'a OwnedLease> {
        self.leases.iter().filter(move |lease| lease.duid == duid)
    }

    /// The links of a lease, each by the first of those that share relay addresses with it.
    pub fn links_of(&self, lease: &OwnedLease) -> BTreeSet<usize> {
        // The id counts only with an address inside its subnet.
        let home = self.links.iter().position(|link| {
            link.subnets.iter().any(|subnet| {
                let mut around = subnet.pd_pools.iter().chain([&subnet.prefix]);
                subnet.id == lease.subnet_id
                    && around.any(|prefix| within(lease.address, prefix.address, prefix.len))
            })
        });
        match home {
            Some(link) => [self.joined(link)].into(),
            None => self.of_address(lease.address),
        }
    }

    /// The link reported for a lease.
    pub fn link_of(&self, lease: &OwnedLease) -> Option<usize> {
        self.links_of(lease).first().copied()
    }

    /// The links that a link-address names.
    pub fn named(&self, address: Ipv6Addr) -> BTreeSet<usize> {
        let has = |link: &Link| link.relay_addresses.contains(&address);
        let relays = (0..self.links.len()).filter(|&link| has(&self.links[link]));
        // Such an address can only be a relay agent's.
        if address.is_multicast() || address.is_unicast_link_local() {
            return relays.map(|link| self.joined(link)).collect();
        }
        relays.map(|link| self.joined(link)).chain(self.of_address(address)).collect()
    }

    /// The links of the longest subnet prefix, and of the pd-pools, around `address`.
    pub fn of_address(&self, address: Ipv6Addr) -> BTreeSet<usize> {
        let around = |prefix: &Prefix| within(address, prefix.address, prefix.len);
        let subnets = || {
            let numbered = self.links.iter().enumerate();
            numbered.flat_map(|(number, link)| link.subnets.iter().map(move |subnet| (number, subnet)))
        };
        let lengths = subnets().map(|(_, subnet)| subnet.prefix).filter(around).map(|prefix| prefix.len);
        let longest = lengths.max();
        let is_one = |subnet: &Subnet| {
            // Subnets by the longest prefix, pools at every level.
            subnet.pd_pools.iter().any(around) || around(&subnet.prefix) && Some(subnet.prefix.len) == longest
        };
        subnets().filter(|(_, subnet)| is_one(subnet)).map(|(link, _)| self.joined(link)).collect()
    }

    /// The first link that shares a relay address with this one; the sample has no chains of them.
    fn joined(&self, link: usize) -> usize {
        let relays = &self.links[link].relay_addresses;
        let shares = |other: &Link| other.relay_addresses.iter().any(|address| relays.contains(address));
        self.links.iter().position(shares).unwrap_or(link)
    }

    /// Options that the configuration gives to clients on a link.
    pub fn configured_options(&self, link: usize) -> impl Iterator<Item = &[u8]> {
        let joined = (0..self.links.len()).filter(move |&other| self.joined(other) == link);
        joined.flat_map(|link| &self.links[link].subnets).map(|subnet| &*subnet.options.given)
    }
}

fn leases() -> Batch {
    let columns = Columns::from_header(HEADER).expect("the header of Kea");
    let (mut parser, mut batch) = (RowParser::new(), Batch::new());
    for row in LEASES.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        parser
            .parse(columns, with_expire(row).as_bytes(), &mut batch)
            // A row that cannot be read would test nothing.
            .unwrap_or_else(|fault| panic!("sample lease {row}: {fault}"));
    }
    batch
}

/// The sample has the last transaction (`cltt`) in the column of the expiry time of Kea.
fn with_expire(row: &str) -> String {
    let mut columns: Vec<String> = row.split(',').map(str::to_owned).collect();
    let valid: i64 = columns[2].parse().expect("valid lifetime");
    let cltt: i64 = match columns[3].strip_prefix("now") {
        Some("") => NOW.into(),
        Some(offset) => i64::from(NOW) + offset.parse::<i64>().expect("seconds after `now`"),
        None => columns[3].parse().expect("seconds since 1970"),
    };
    // Kea writes the expiry, and computes the rest from it.
    columns[3] = (cltt + valid).to_string();
    columns.join(",")
}

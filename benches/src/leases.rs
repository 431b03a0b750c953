//! Clients in the form of the index.

use std::sync::Arc;

use lqd_index::{Batch, Lease, LeaseKind, Link, Links, Prefix, Store, Subnet, SubnetOptions, Writer};

use crate::NOW;
use crate::network::{self, Client, DELEGATED_LEN, LINKS, PD_POOL_LEN};

/// Valid lifetime of all leases, seconds.
pub const VALID_LIFETIME: u32 = 172_800;
/// Preferred lifetime of all leases, seconds.
pub const PREFERRED_LIFETIME: u32 = 86_400;
/// Last transaction of the clients: an hour before [`NOW`].
pub const CLTT: u32 = NOW - 3600;

/// Makes a store with the two leases of each of the first `clients` clients, and its writer, which keeps it
/// alive.
///
/// # Panics
/// The index refuses the leases, which would be an error of this generator.
pub fn store(clients: u32) -> (Writer, Arc<Store>) {
    let (mut writer, store) = Writer::new();
    writer.set_links(links());
    let applied = writer.replace(&[batch(clients)], None);
    assert_eq!(applied.put, 2 * clients as usize);
    (writer, store)
}

/// Leases of the first `clients` clients, with their relay data.
///
/// # Panics
/// If the index refuses one.
pub fn batch(clients: u32) -> Batch {
    let mut batch = Batch::new();
    for client in Client::first(clients) {
        let options = options(&client);
        let address = Lease {
            address: client.address,
            prefix_len: 128,
            kind: LeaseKind::Address,
            duid: &client.duid,
            valid_lifetime: VALID_LIFETIME,
            preferred_lifetime: PREFERRED_LIFETIME,
            cltt: CLTT,
            subnet_id: client.subnet_id,
            options: &options,
        };
        let prefix =
            Lease { address: client.prefix, prefix_len: DELEGATED_LEN, kind: LeaseKind::Prefix, ..address };
        for lease in [address, prefix] {
            batch.put(&lease).expect("a lease of the generator is a valid one");
        }
    }
    batch
}

/// OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4) of every eighth client: one relay agent, with an Interface-Id.
fn options(client: &Client) -> Vec<u8> {
    if !client.duid[13].is_multiple_of(8) {
        return Vec::new();
    }
    let mut relay_forw = vec![12, 0]; // RELAY-FORW, hop count
    relay_forw.extend(network::subnet(client.subnet_id).octets());
    relay_forw.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
    relay_forw.extend(&client.duid[6..]);
    relay_forw.extend([0, 18, 0, 8]);
    relay_forw.extend(b"olt-1/22");
    let mut option = vec![0, 47, 0, 16 + relay_forw.len() as u8]; // 16 + 46
    option.extend(network::subnet(client.subnet_id).octets());
    option.extend(relay_forw);
    option
}

/// Links of [`network`].
///
/// # Panics
/// If the index refuses them.
pub fn links() -> Links {
    Links::new(configured_links()).expect("the links of the generator are disjoint")
}

/// The same links in the configuration of a source.
pub fn configured_links() -> Vec<Link> {
    let link = |id| {
        let prefix = Prefix { address: network::subnet(id), len: 64 };
        let pd_pools = vec![Prefix { address: network::pd_pool(id), len: PD_POOL_LEN }];
        let subnets = vec![Subnet { id, prefix, pd_pools, options: SubnetOptions::default() }];
        Link { address: None, subnets, relay_addresses: Vec::new() }
    };
    (1..=LINKS).map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::look_up;
    use lqd_index::Lookup;

    #[test]
    fn every_lease_is_found_by_every_kind_of_lookup() {
        let (_writer, store) = store(1000);
        assert_eq!((store.summary().leases, store.summary().clients), (2000, 1000));
        let mut reader = store.reader().unwrap();
        let leases = reader.pin();
        for client in Client::first(1000) {
            let lookups = [
                Lookup::Covering(client.address),
                Lookup::Covering(client.address_in_prefix()),
                Lookup::Duid(&client.duid),
                Lookup::Covering(client.free_address()),
            ];
            let mut found = [None; 4];
            look_up(&leases, NOW, &lookups, &mut found);
            let [by_address, by_prefix, by_duid, free] = found;
            for found in [by_address, by_prefix, by_duid] {
                assert!(found.unwrap().client.has_duid(&client.duid));
            }
            assert!(free.is_none());
        }
    }
}

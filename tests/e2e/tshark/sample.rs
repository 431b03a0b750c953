//! Sample leases of the replies.

use std::net::Ipv6Addr;

use crate::support::Fixture;
use crate::support::hex::{colon_hex, grouped_hex};
use crate::support::message::{Relay, code, option};

/// Client with two addresses, two prefixes, a name.
pub(super) const RICH: u8 = 1;
/// Client with one address on each of two links.
pub(super) const SPREAD: u8 = 2;
/// Client with an address whose preferred lifetime has passed.
pub(super) const DEPRECATED: u8 = 3;
/// Client behind N relays: this number plus N.
pub(super) const RELAYED: u8 = 0x10;
/// Client with as many addresses as one reply can hold: 65,527 octets of payload less header, identifiers and
/// time (58 octets in all), 28 octets for each address.
pub(super) const FULL: (u8, u16) = (0x20, 2338);
/// Client with one address more.
pub(super) const OVERFULL: (u8, u16) = (0x21, 2339);

const KEA_CONFIG: &str = r#"{ "Dhcp6": {
    "server-id": { "type": "EN", "enterprise-id": 2495, "identifier": "A1B2C3D4", "persist": false },
    "lease-database": { "type": "memfile", "persist": true, "name": "@LEASES@" },
    "subnet6": [{
        "id": 1, "subnet": "2001:db8:1::/48", "pools": [{ "pool": "2001:db8:1::/64" }],
        "pd-pools": [{ "prefix": "2001:db8:1:8000::", "prefix-len": 49, "delegated-len": 56 }],
        "option-data": [
            { "name": "dns-servers", "data": "2001:db8::53, 2001:db8::54" },
            { "name": "domain-search", "data": "example.org, example.net" }
        ]
    }, {
        "id": 2, "subnet": "2001:db8:2::/48", "pools": [{ "pool": "2001:db8:2::/48" }]
    }]
}}"#;

/// Returns Kea's files with the leases of all clients.
pub(super) fn fixture() -> Fixture {
    let many_leases = [FULL, OVERFULL].into_iter().flat_map(|(client, count)| {
        let addresses = (1..=count).map(move |host| numbered_address(client, host));
        addresses.map(move |address| SampleLease { subnet_id: 2, ..SampleLease::new(address, client) })
    });
    let rows = rich_rows().into_iter().chain(other_rows()).chain((1..=5).map(relayed_row)).chain(many_leases);
    Fixture::new(KEA_CONFIG, &rows.map(|row| row.text()).collect::<String>())
}

/// Columns that vary among the rows of the lease file.
struct SampleLease {
    address: Ipv6Addr,
    client: u8,
    subnet_id: u8,
    valid_s: u32,
    preferred_s: u32,
    cltt: &'static str,
    /// Length of a prefix.
    prefix_len: Option<u8>,
    hostname: &'static str,
    link_layer: String,
    user_context: String,
}

impl SampleLease {
    /// Returns an infinite lease in subnet 1; its client's last transaction is in the future, so that all
    /// times in a reply are fixed.
    fn new(address: Ipv6Addr, client: u8) -> Self {
        Self {
            address,
            client,
            subnet_id: 1,
            valid_s: u32::MAX,
            preferred_s: u32::MAX,
            cltt: "now+100000",
            prefix_len: None,
            hostname: "",
            link_layer: String::new(),
            user_context: String::new(),
        }
    }

    /// Formats the row in the order of Kea's columns.
    fn text(&self) -> String {
        let Self {
            address, subnet_id, valid_s, preferred_s, cltt, hostname, link_layer, user_context, ..
        } = self;
        let duid = colon_hex(&duid(self.client));
        let (lease_type, prefix_len) = self.prefix_len.map_or((0, 128), |len| (2, len));
        let forward = u8::from(!hostname.is_empty());
        let lease = format!(
            "{address},{duid},{valid_s},{cltt},{subnet_id},{preferred_s},{lease_type},1,{prefix_len}"
        );
        format!("{lease},{forward},0,{hostname},{link_layer},0,{user_context},1,8,0\n")
    }
}

fn rich_rows() -> [SampleLease; 4] {
    let leases = [("1::1", None), ("1::2", None), ("1:8000::", Some(56)), ("1:8100::", Some(60))];
    leases.map(|(address, prefix_len)| SampleLease {
        prefix_len,
        hostname: "host.example.org.",
        link_layer: colon_hex(&[2, 0, 0, 0, 0, RICH]),
        ..SampleLease::new(sample_address(address), RICH)
    })
}

fn other_rows() -> [SampleLease; 3] {
    let deprecated = SampleLease::new(sample_address("1::4"), DEPRECATED);
    [
        SampleLease::new(sample_address("1::3"), SPREAD),
        SampleLease { subnet_id: 2, ..SampleLease::new(sample_address("2::3"), SPREAD) },
        SampleLease { valid_s: 90_000, preferred_s: 50, cltt: "now-100", ..deprecated },
    ]
}

fn relayed_row(depth: u8) -> SampleLease {
    let relays: Vec<String> = (0..depth).rev().map(relay_info).collect(); // Kea begins with the outermost
    let context = format!(r#"{{ "ISC": {{ "relay-info": [ {} ] }} }}"#, relays.join(", "));
    SampleLease {
        user_context: context.replace(',', "&#x2c"),
        ..SampleLease::new(relayed_address(depth), RELAYED + depth)
    }
}

fn sample_address(end: &str) -> Ipv6Addr {
    format!("2001:db8:{end}").parse().expect("an IPv6 address")
}

/// Returns an address of a client with many.
pub(super) fn numbered_address(client: u8, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 2, u16::from(client), 0, 0, 0, host)
}

/// Returns the DUID-LL of a client.
pub(super) fn duid(client: u8) -> [u8; 10] {
    [0, 3, 0, 1, 2, 0, 0, 0, 0, client]
}

/// Returns the address of a client behind `depth` relays.
pub(super) fn relayed_address(depth: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, u16::from(RELAYED + depth))
}

/// Returns the relay with this hop-count, with only its Interface-Id.
pub(super) fn relay(hop: u8) -> Relay {
    let host = u16::from(hop) + 1;
    Relay {
        link: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0xeeee, host),
        peer: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host),
        options: vec![(code::INTERFACE_ID, interface_id(hop).to_vec())],
    }
}

/// Returns the Interface-Id of the relay with this hop-count.
pub(super) fn interface_id(hop: u8) -> [u8; 5] {
    [b'p', b'o', b'r', b't', hop]
}

fn relay_info(hop: u8) -> String {
    let Relay { link, peer, .. } = relay(hop);
    let remote_id = [&4491_u32.to_be_bytes()[..], b"modem"].concat();
    let options =
        [option(code::INTERFACE_ID, &interface_id(hop)), option(code::REMOTE_ID, &remote_id)].concat();
    let options = grouped_hex(&options, usize::MAX, "").to_uppercase();
    format!(r#"{{ "hop": {hop}, "link": "{link}", "peer": "{peer}", "options": "0x{options}" }}"#)
}

//! Rows of Kea's lease file (`csv_lease_file6.cc`, schema 5.0, Kea 2.4 and newer).
//!
//! Written out by hand into one buffer: a million rows a second leave a microsecond for each.

use std::io::Write;
use std::net::Ipv6Addr;

use super::plan::{Client, DELEGATED_LEN, LOCAL_ADDRESS, Lifetimes};
use crate::random::Random;

pub(super) const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                                 prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                                 hwaddr_source,pool_id\n";

/// How Kea writes a comma inside a value.
const COMMA: &str = "&#x2c";
/// Where Kea had the link-layer address from: the DUID (`HWAddr::HWADDR_SOURCE_DUID`).
const HWADDR_SOURCE_DUID: u32 = 2;
/// Enterprise number for documentation (RFC 5612), that of the remote-ids.
const ENTERPRISE: u32 = 32_473;
/// Of so many relayed clients one is behind two relay agents.
const TWO_RELAYS_ONE_IN: u64 = 8;

/// Lease types of the file.
#[derive(Clone, Copy)]
enum LeaseType {
    Address = 0,
    Prefix = 2,
}

/// Writes the rows of one client after the other.
pub(super) struct RowWriter {
    relay_share: f64,
    hwaddr_share: f64,
    lifetimes: Lifetimes,
    rows: Vec<u8>,
    /// What the rows of one client have in common: from hwaddr on.
    tail: Vec<u8>,
}

/// What differs between the rows of one client.
struct Row<'a> {
    client: &'a Client,
    lease_type: LeaseType,
    address: Ipv6Addr,
    prefix_len: u8,
    cltt: u32,
    iaid: u32,
}

impl RowWriter {
    pub(super) fn new(relay_share: f64, hwaddr_share: f64, lifetimes: Lifetimes) -> Self {
        Self { relay_share, hwaddr_share, lifetimes, rows: Vec::new(), tail: Vec::new() }
    }

    /// The rows of this client.
    pub(super) fn client(&mut self, client: &Client) -> &[u8] {
        let mut random = Random::new(client.seed);
        let cltt = self.lifetimes.cltt(&mut random);
        let iaid = random.next() as u32;
        self.write_tail(client, &mut random);
        self.rows.clear();
        self.row(&Row {
            client,
            lease_type: LeaseType::Address,
            address: client.address,
            prefix_len: 128,
            cltt,
            iaid,
        });
        self.row(&Row {
            client,
            lease_type: LeaseType::Prefix,
            address: client.prefix,
            prefix_len: DELEGATED_LEN,
            cltt,
            iaid,
        });
        &self.rows
    }

    fn row(&mut self, row: &Row<'_>) {
        let valid_lifetime = self.lifetimes.valid();
        let out = &mut self.rows;
        // In decimal; an infinite lifetime is added like any other, as Kea does.
        let expire = u64::from(row.cltt) + u64::from(valid_lifetime);
        put_address(out, row.address);
        out.push(b',');
        put_hex(out, &row.client.duid, Some(b':'));
        for number in [
            u64::from(valid_lifetime),
            expire,
            u64::from(row.client.subnet.id),
            u64::from(self.lifetimes.preferred()),
            row.lease_type as u64,
            u64::from(row.iaid),
            u64::from(row.prefix_len),
        ] {
            out.push(b',');
            put_decimal(out, number);
        }
        out.extend_from_slice(b",0,0,,");
        out.extend_from_slice(&self.tail);
    }

    /// hwaddr, state, user_context, hwtype, hwaddr_source, pool_id; without hwaddr Kea leaves its companions
    /// empty.
    fn write_tail(&mut self, client: &Client, random: &mut Random) {
        let hwaddr = random.happens(self.hwaddr_share);
        let relayed = random.happens(self.relay_share);
        let out = &mut self.tail;
        out.clear();
        if hwaddr {
            put_hex(out, &client.link_layer_address, Some(b':'));
        }
        out.extend_from_slice(b",0,");
        if relayed {
            put_user_context(out, client, random);
        }
        if hwaddr {
            out.extend_from_slice(b",1,");
            put_decimal(out, u64::from(HWADDR_SOURCE_DUID));
        } else {
            out.extend_from_slice(b",,");
        }
        out.extend_from_slice(b",0\n");
    }
}

/// What one relay agent said of a client.
struct Relay<'a> {
    hop_count: u8,
    link_address: Ipv6Addr,
    /// Interface-Id and Remote-ID with their option headers, empty if it said nothing.
    options: &'a [u8],
    peer_address: Ipv6Addr,
    /// Value of its Remote-ID, empty if it has none.
    remote_id: &'a [u8],
}

/// `user_context` as Kea writes it with `store-extended-info`: the relay closest to the server comes first.
fn put_user_context(out: &mut Vec<u8>, client: &Client, random: &mut Random) {
    let circuit = format!("olt-{}/{}/{}", client.subnet.id, random.below(16), random.below(4096));
    let remote_id = [&ENTERPRISE.to_be_bytes()[..], &client.link_layer_address].concat();
    let options = [
        &[0, 18, 0, circuit.len() as u8][..], // Interface-Id (RFC 8415 §21.18); both are far under 256 octets
        circuit.as_bytes(),
        &[0, 37, 0, remote_id.len() as u8], // Remote-ID (RFC 4649 §3)
        &remote_id,
    ]
    .concat();
    let relay_address = Ipv6Addr::from_bits(client.subnet.address.to_bits() | 1);
    let peer_address = link_local(client.link_layer_address);
    let access = Relay {
        hop_count: 0,
        link_address: relay_address,
        options: &options,
        peer_address,
        remote_id: &remote_id,
    };
    out.extend_from_slice(b"{ \"ISC\": { \"relay-info\": [ ");
    if random.below(TWO_RELAYS_ONE_IN) == 0 {
        let access_node = link_local([LOCAL_ADDRESS, 0, 0, 0, 0, 1]);
        put_relay(
            out,
            &Relay {
                hop_count: 1,
                link_address: relay_address,
                options: &[],
                peer_address: access_node,
                remote_id: &[],
            },
        );
        out.extend_from_slice(COMMA.as_bytes());
        out.push(b' ');
        // A lightweight relay agent leaves the link-address to the next (RFC 6221 §5.1).
        put_relay(out, &Relay { link_address: Ipv6Addr::UNSPECIFIED, ..access });
    } else {
        put_relay(out, &access);
    }
    out.extend_from_slice(b" ] } }");
}

/// One element of `relay-info`, its keys in the order of the alphabet.
fn put_relay(out: &mut Vec<u8>, relay: &Relay<'_>) {
    out.extend_from_slice(b"{ \"hop\": ");
    put_decimal(out, u64::from(relay.hop_count));
    put_key(out, "link");
    put_quoted_address(out, relay.link_address);
    if !relay.options.is_empty() {
        put_key(out, "options");
        put_hex_string(out, relay.options);
    }
    put_key(out, "peer");
    put_quoted_address(out, relay.peer_address);
    if !relay.remote_id.is_empty() {
        put_key(out, "remote-id");
        put_hex_string(out, relay.remote_id);
    }
    out.extend_from_slice(b" }");
}

fn put_key(out: &mut Vec<u8>, key: &str) {
    for part in [COMMA, " \"", key, "\": "] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn put_quoted_address(out: &mut Vec<u8>, address: Ipv6Addr) {
    out.push(b'"');
    put_address(out, address);
    out.push(b'"');
}

fn put_hex_string(out: &mut Vec<u8>, octets: &[u8]) {
    out.extend_from_slice(b"\"0x");
    let start = out.len();
    put_hex(out, octets, None);
    out[start..].make_ascii_uppercase(); // as Kea does here, and in DUIDs not
    out.push(b'"');
}

/// Link-local address of a link-layer address (RFC 4291, appendix A).
fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

fn put_address(out: &mut Vec<u8>, address: Ipv6Addr) {
    // Writing to a Vec does not fail.
    let _ = write!(out, "{address}");
}

fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn put_hex(out: &mut Vec<u8>, octets: &[u8], separator: Option<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (position, octet) in octets.iter().enumerate() {
        if position > 0 {
            out.extend(separator);
        }
        out.extend_from_slice(&[DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
    }
}

//! Rows of Kea's lease file (`csv_lease_file6.cc`, schema 5.0, Kea 2.4 and newer).
//!
//! Rows are formatted by hand into one buffer: at a million rows a second each has a microsecond.

use std::io::Write;
use std::net::Ipv6Addr;

use lqd_wire::hex;

use super::plan::{DELEGATED_LEN, LOCAL_ADDRESS, Lifetimes, PlannedClient};
use crate::random::Random;

pub(crate) const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                                 prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                                 hwaddr_source,pool_id\n";

/// Kea's escape of a comma inside a value.
const COMMA: &str = "&#x2c";
/// Kea's source of the link-layer address: the DUID (`HWAddr::HWADDR_SOURCE_DUID`).
const HWADDR_SOURCE_DUID: u32 = 2;
/// Enterprise number for documentation (RFC 5612), used in remote-ids.
const ENTERPRISE: u32 = 32_473;
/// One relayed client in so many is behind two relay agents.
const TWO_RELAYS_ONE_IN: u64 = 8;

/// Lease types of the file.
#[derive(Clone, Copy)]
enum LeaseType {
    Address = 0,
    Prefix = 2,
}

/// Writer of rows, one client after the other.
pub(super) struct RowWriter {
    relay_share: f64,
    hwaddr_share: f64,
    lifetimes: Lifetimes,
    rows: Vec<u8>,
    /// Columns from hwaddr on, which the rows of one client share.
    tail: Vec<u8>,
}

/// Columns that differ between the rows of one client.
struct CsvRow<'a> {
    client: &'a PlannedClient,
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

    /// Returns the rows of this client.
    pub(super) fn client(&mut self, client: &PlannedClient) -> &[u8] {
        // The client's own generator, so that each client's rows depend on its number only.
        let mut random = Random::new(client.seed);
        let cltt = self.lifetimes.cltt(&mut random);
        let iaid = random.next() as u32;
        // The tail is shared by both rows, as Kea writes it.
        self.write_tail(client, &mut random);
        self.rows.clear();
        self.row(&CsvRow {
            client,
            lease_type: LeaseType::Address,
            address: client.address,
            prefix_len: 128,
            cltt,
            iaid,
        });
        self.row(&CsvRow {
            client,
            lease_type: LeaseType::Prefix,
            address: client.prefix,
            prefix_len: DELEGATED_LEN,
            cltt,
            iaid,
        });
        &self.rows
    }

    fn row(&mut self, row: &CsvRow<'_>) {
        let valid_lifetime = self.lifetimes.valid();
        let out = &mut self.rows;
        // Kea adds an infinite lifetime like any other.
        let expire = u64::from(row.cltt) + u64::from(valid_lifetime);
        put_address(out, row.address);
        out.push(b',');
        put_hex(out, &row.client.duid, Some(b':'));
        for number in [
            u64::from(valid_lifetime),
            expire,
            u64::from(row.client.subnet.id),
            // No FQDN: these columns are 0, and the name is empty.
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

    /// Writes hwaddr, state, user_context, hwtype, hwaddr_source, pool_id; without hwaddr Kea leaves the
    /// columns about it empty.
    fn write_tail(&mut self, client: &PlannedClient, random: &mut Random) {
        // Drawn before anything is written, so that both shares are independent.
        let hwaddr = random.happens(self.hwaddr_share);
        let relayed = random.happens(self.relay_share);
        let out = &mut self.tail;
        out.clear();
        if hwaddr {
            put_hex(out, &client.link_layer_address, Some(b':'));
        }
        out.extend_from_slice(b",0,");
        // Kea stores relay data only for clients that were relayed.
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

/// Kea's record of one relay agent.
struct StoredRelay<'a> {
    hop_count: u8,
    link_address: Ipv6Addr,
    /// Interface-Id and Remote-ID with their option headers; empty if there are none.
    options: &'a [u8],
    peer_address: Ipv6Addr,
    /// Value of the Remote-ID; empty if there is none.
    remote_id: &'a [u8],
}

/// Writes `user_context` as Kea does with `store-extended-info`: the relay closest to the server first.
fn put_user_context(out: &mut Vec<u8>, client: &PlannedClient, random: &mut Random) {
    let circuit = format!("olt-{}/{}/{}", client.subnet.id, random.below(16), random.below(4096));
    let remote_id = [&ENTERPRISE.to_be_bytes()[..], &client.link_layer_address].concat();
    let options = [
        &[0, 18, 0, circuit.len() as u8][..], // Interface-Id (RFC 8415 §21.18); both fit one length octet
        circuit.as_bytes(),
        &[0, 37, 0, remote_id.len() as u8], // Remote-ID (RFC 4649 §3)
        &remote_id,
    ]
    // Relay agents put both options into the innermost message.
    .concat();
    let relay_address = Ipv6Addr::from_bits(client.subnet.address.to_bits() | 1);
    let peer_address = link_local(client.link_layer_address);
    let access = StoredRelay {
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
            &StoredRelay {
                hop_count: 1,
                link_address: relay_address,
                options: &[],
                peer_address: access_node,
                remote_id: &[],
            },
        );
        out.extend_from_slice(COMMA.as_bytes());
        out.push(b' ');
        // RFC 6221 §5.1: a lightweight relay agent leaves the link-address to the next one.
        put_relay(out, &StoredRelay { link_address: Ipv6Addr::UNSPECIFIED, ..access });
    } else {
        put_relay(out, &access);
    }
    out.extend_from_slice(b" ] } }");
}

/// Writes one element of `relay-info`, with its keys in alphabetical order.
fn put_relay(out: &mut Vec<u8>, relay: &StoredRelay<'_>) {
    out.extend_from_slice(b"{ \"hop\": ");
    put_decimal(out, u64::from(relay.hop_count));
    put_key(out, "link");
    put_quoted_address(out, relay.link_address);
    // Kea leaves out keys without value.
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
    out[start..].make_ascii_uppercase(); // Kea uses upper case here, but not in DUIDs
    out.push(b'"');
}

/// Derives the link-local address from a link-layer address (RFC 4291, appendix A).
fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

pub(crate) fn put_address(out: &mut Vec<u8>, address: Ipv6Addr) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{address}");
}

pub(crate) fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    // Twenty digits hold any 64-bit number.
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

pub(crate) fn put_hex(out: &mut Vec<u8>, octets: &[u8], separator: Option<u8>) {
    for (position, &octet) in octets.iter().enumerate() {
        if position > 0 {
            out.extend(separator);
        }
        out.extend_from_slice(&hex::digits(octet));
    }
}

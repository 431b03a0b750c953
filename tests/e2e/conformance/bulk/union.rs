//! A lease file of 50,000 rows, queried by every relay-id, link-address and remote-id: the union of the
//! answers is what an independent reading of the file says, each binding once, each client once for a link.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::second_decoder::{self, Bindings};
use super::server::Bulk;
use crate::support::octets::octets;
use crate::support::random::Random;
use crate::support::{Connection, Fixture, Received};

const ROWS: usize = 50_000;
const CLIENTS: usize = 30_000;
/// Subnets 1 to this; the last two are one link.
const SUBNETS: u16 = 12;
const RELAY_IDS: usize = 24;
const REMOTE_IDS: usize = 40;
const SEED: u64 = 5460;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("conformance::bulk::union", every_binding_once)]
}

/// A lease of the test's own model.
#[derive(Clone, Debug)]
struct Lease {
    client: usize,
    subnet: u16,
    prefix_len: u8,
    relay_ids: BTreeSet<usize>,
    remote_ids: BTreeSet<usize>,
    is_live: bool,
}

/// The last row of each address decides, as in Kea.
type Model = BTreeMap<Ipv6Addr, Lease>;

fn every_binding_once() -> Result<(), Failed> {
    let (rows, model) = sample();
    let server = Bulk::with(Fixture::new(&kea_config(), &rows), &[]);
    let mut connection = Connection::new(server.address);
    let mut seen = 0;
    for relay in 0..RELAY_IDS {
        let id = relay_id(relay);
        for link in [None, Some(1), Some(SUBNETS)] {
            let query = format!("03 {}  0035 {:04x} {}", link_address(link), id.len() / 2, id);
            let is_meant = |lease: &Lease| lease.relay_ids.contains(&relay) && is_on(lease, link);
            seen += compare(&mut connection, &query, &model, is_meant)?;
        }
    }
    for remote in 0..REMOTE_IDS {
        let id = remote_id(remote);
        for link in [None, Some(2)] {
            let query = format!("05 {}  0025 {:04x} {}", link_address(link), id.len() / 2, id);
            let is_meant = |lease: &Lease| lease.remote_ids.contains(&remote) && is_on(lease, link);
            seen += compare(&mut connection, &query, &model, is_meant)?;
        }
    }
    for subnet in 1..=SUBNETS {
        let is_meant = |lease: &Lease| is_on(lease, Some(subnet));
        for link in [link_address(Some(subnet)), format!("2001:db8:a{subnet:x}7f:{subnet:x}::")] {
            seen += compare(&mut connection, &format!("04 {link}"), &model, is_meant)?;
        }
    }
    for client in (0..CLIENTS).step_by(997) {
        let query = format!("02 ::  0001 000a {}", duid(client).replace(':', ""));
        seen += compare(&mut connection, &query, &model, |lease| lease.client == client)?;
    }
    for (address, lease) in model.iter().filter(|(_, lease)| lease.is_live).step_by(1009) {
        let query = format!("01 ::  0005 0018 {address} $zero");
        let is_meant =
            |other: &Lease| other.client == lease.client && link_of(other.subnet) == link_of(lease.subnet);
        seen += compare(&mut connection, &query, &model, is_meant)?;
    }
    assert!(seen > 2 * ROWS, "the queries met {seen} bindings");
    Ok(())
}

/// Sends one query, and compares its answer with the model; returns the number of bindings.
fn compare(
    connection: &mut Connection,
    query: &str,
    model: &Model,
    is_meant: impl Fn(&Lease) -> bool,
) -> Result<usize, Failed> {
    let query = octets(query);
    let message =
        [octets("0e b0b0b0 $me 002c"), u16::try_from(query.len())?.to_be_bytes().into(), query].concat();
    connection.send(&[&u16::try_from(message.len())?.to_be_bytes()[..], &message].concat());
    let answer = answer(connection)?;
    let mut groups = BTreeSet::new();
    let mut got = Vec::new();
    for Bindings { duid, leases } in answer {
        let links: BTreeSet<u16> = leases
            .iter()
            .filter_map(|(address, _)| model.get(address))
            .map(|lease| link_of(lease.subnet))
            .collect();
        let is_new = groups.insert((duid.clone(), links.clone()));
        if links.len() != 1 || !is_new {
            return Err(format!("{duid:02x?} on links {links:?} in one message, new: {is_new}").into());
        }
        got.extend(leases.into_iter().map(|(address, length)| (address, length, duid.clone())));
    }
    got.sort();
    let wanted: Vec<(Ipv6Addr, u8, Vec<u8>)> = model
        .iter()
        .filter(|(_, lease)| lease.is_live && is_meant(lease))
        .map(|(address, lease)| (*address, lease.prefix_len, octets(&duid(lease.client).replace(':', ""))))
        .collect();
    if got == wanted {
        return Ok(got.len());
    }
    let differs =
        (0..got.len().max(wanted.len())).find(|&at| got.get(at) != wanted.get(at)).unwrap_or_default();
    Err(format!(
        "query {message:02x?}: {} bindings, wanted {}; the first difference is {:02x?}, wanted {:02x?}",
        got.len(),
        wanted.len(),
        got.get(differs),
        wanted.get(differs)
    )
    .into())
}

/// Receives the whole answer to the only query.
fn answer(connection: &mut Connection) -> Result<Vec<Bindings>, Failed> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    loop {
        match connection.receive() {
            Received::Message(message) => {
                let is_done = message.first() == Some(&16);
                let is_empty = messages.is_empty() && !message.windows(2).any(|code| code == [0, 45]);
                messages.push(message);
                if is_done || is_empty {
                    return Ok(second_decoder::accepts(&messages)?);
                }
            }
            other => return Err(format!("{other:?} after {} messages", messages.len()).into()),
        }
    }
}

fn link_of(subnet: u16) -> u16 {
    subnet.min(SUBNETS - 1)
}

fn is_on(lease: &Lease, link: Option<u16>) -> bool {
    link.is_none_or(|subnet| link_of(lease.subnet) == link_of(subnet))
}

fn link_address(subnet: Option<u16>) -> String {
    subnet.map_or("::".to_owned(), |subnet| format!("2001:db8:{subnet:x}::99"))
}

fn duid(client: usize) -> String {
    let [.., c2, c1, c0] = client.to_be_bytes();
    format!("00:03:00:01:02:00:00:{c2:02x}:{c1:02x}:{c0:02x}")
}

/// Some relay-ids begin as others do.
fn relay_id(number: usize) -> String {
    format!("00030001020000{:06x}{}", number / 2, "77".repeat(number % 2))
}

/// Half of the identifiers belong to two enterprises.
fn remote_id(number: usize) -> String {
    format!("{:08x}{:04x}", 9 + number % 2, number / 2)
}

/// Makes the lease file and its model.
fn sample() -> (String, Model) {
    let mut random = Random(SEED);
    let (mut rows, mut model) = (String::new(), Model::new());
    let mut addresses: Vec<(Ipv6Addr, u16, u8)> = Vec::new();
    for number in 0..ROWS {
        let (address, subnet, prefix_len) = if number > 100 && random.below(8) == 0 {
            *random.one_of(&addresses)
        } else {
            new_address(&mut random, number)
        };
        addresses.push((address, subnet, prefix_len));
        let lease = Lease {
            client: random.below(CLIENTS),
            subnet,
            prefix_len,
            relay_ids: BTreeSet::new(),
            remote_ids: BTreeSet::new(),
            is_live: true,
        };
        let (row, lease) = with_relays(&mut random, address, lease);
        rows.push_str(&row);
        model.insert(address, lease);
    }
    (rows, model)
}

/// A new address or prefix in a random subnet.
fn new_address(random: &mut Random, number: usize) -> (Ipv6Addr, u16, u8) {
    let subnet = 1 + u16::try_from(random.below(SUBNETS.into())).expect("a small number");
    let low = u16::try_from(number % 0x1_0000).expect("16 bits");
    if random.below(3) == 0 {
        let [high, low] = low.to_be_bytes();
        let third = 0xa000 + (subnet << 8) + u16::from(high);
        (Ipv6Addr::new(0x2001, 0xdb8, third, u16::from(low) << 8, 0, 0, 0, 0), subnet, 56)
    } else {
        (Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 7, low), subnet, 128)
    }
}

/// Adds zero to three relay agents and the state to a lease; returns its row, too.
fn with_relays(random: &mut Random, address: Ipv6Addr, mut lease: Lease) -> (String, Lease) {
    let mut relays = Vec::new();
    for hop in (0..random.below(4)).rev() {
        let mut options = String::new();
        if random.below(4) > 0 {
            let number = random.below(RELAY_IDS);
            lease.relay_ids.insert(number);
            let id = relay_id(number);
            let _ = write!(options, "0035{:04x}{id}", id.len() / 2);
        }
        if random.below(2) == 0 {
            let number = random.below(REMOTE_IDS);
            lease.remote_ids.insert(number);
            let id = remote_id(number);
            let _ = write!(options, "0025{:04x}{id}", id.len() / 2);
        }
        let options = if options.is_empty() {
            options
        } else {
            format!(r#"&#x2c "options": "0x{}""#, options.to_uppercase())
        };
        relays.push(format!(
            r#"{{ "hop": {hop}&#x2c "link": "2001:db8:{:x}::1"{options}&#x2c "peer": "fe80::{hop}" }}"#,
            lease.subnet
        ));
    }
    let context = if relays.is_empty() {
        String::new()
    } else {
        format!(r#"{{ "ISC": {{ "relay-info": [ {} ] }} }}"#, relays.join("&#x2c "))
    };
    let (valid, cltt, state) = match random.below(16) {
        0 => ("600", "now-7200", 0),          // expired
        1 => ("4294967295", "4102444800", 2), // reclaimed
        2 => ("4294967295", "4102444800", 3), // released
        3 => ("0", "4102444800", 0),          // removed
        4..8 => ("864000", "now-300", 0),
        _ => ("4294967295", "4102444800", 0),
    };
    lease.is_live = state == 0 && !matches!(valid, "600" | "0");
    let kind = if lease.prefix_len == 128 { 0 } else { 2 };
    let row = format!(
        "{address},{},{valid},{cltt},{},{valid},{kind},1,{},0,0,,,{state},{context},1,0,0\n",
        duid(lease.client),
        lease.subnet,
        lease.prefix_len
    );
    (row, lease)
}

fn kea_config() -> String {
    let subnet = |id: u16| {
        format!(
            r#"{{ "id": {id}, "subnet": "2001:db8:{id:x}::/64", "pd-pools": [ {{ "prefix": "2001:db8:a{id:x}00::", "prefix-len": 40, "delegated-len": 56 }} ] }}"#
        )
    };
    let subnets: Vec<_> = (1..SUBNETS - 1).map(subnet).collect();
    format!(
        r#"{{ "Dhcp6": {{
            "server-id": {{ "type": "LL", "htype": 1, "identifier": "02005E005301", "persist": false }},
            "lease-database": {{ "type": "memfile", "name": "@LEASES@", "lfc-interval": 0 }},
            "subnet6": [ {} ],
            "shared-networks": [ {{ "name": "shared", "subnet6": [ {}, {} ] }} ]
        }} }}"#,
        subnets.join(", "),
        subnet(SUBNETS - 1),
        subnet(SUBNETS)
    )
}

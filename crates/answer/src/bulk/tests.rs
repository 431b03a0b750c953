//! Sessions octet by octet; expected octets are written by hand.

use ipnet::Ipv6Net;
use lqd_index::{
    Batch, Lease, LeaseKind, Link, Links, Prefix, Reader, SecondaryIndexes, Subnet, Writer as IndexWriter,
};

use super::*;
use crate::{Access, Policy};

mod active;
mod model;
mod oversized;
mod rows;
mod tls;

/// UNIX seconds of every test: 2026-11-27 00:00:00 UTC, which is 849,052,800 since 2000.
const NOW: u32 = 1_795_737_600;
const SERVER: &[u8] = &[0, 3, 0x5e];
const REQUESTOR: &[u8] = &[0, 2, 0x7e];
/// Enterprise number 9 and identifier.
const REMOTE_ID: &[u8] = &[0, 0, 0, 9, 0x61];
const RELAY_ID: &[u8] = &[0, 3, 0, 1, 0x77];

fn octets(text: &str) -> [u8; 16] {
    text.parse::<Ipv6Addr>().unwrap().octets()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

/// A message with its length.
fn framed(kind: u8, xid: u8, options: &[Vec<u8>]) -> Vec<u8> {
    let message = [&[kind, 0, 0, xid][..], &options.concat()].concat();
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
}

fn query(xid: u8, query_type: u8, link: &str, options: &[Vec<u8>]) -> Vec<u8> {
    let value = [&[query_type], &octets(link)[..], &options.concat()].concat();
    framed(14, xid, &[option(1, REQUESTOR), option(44, &value)])
}

fn by_relay_id(xid: u8) -> Vec<u8> {
    query(xid, 3, "::", &[option(53, RELAY_ID)])
}

/// OPTION_IAADDR with what is left of 1,000 and 2,000 seconds after 100.
fn iaaddr(address: &str) -> Vec<u8> {
    option(5, &[&octets(address)[..], &900_u32.to_be_bytes(), &1900_u32.to_be_bytes()].concat())
}

fn iaprefix(address: &str, len: u8) -> Vec<u8> {
    option(26, &[&900_u32.to_be_bytes()[..], &1900_u32.to_be_bytes(), &[len], &octets(address)].concat())
}

/// OPTION_CLIENT_DATA of a client that was heard 100 seconds ago.
fn client_data(duid: &[u8], bindings: &[Vec<u8>]) -> Vec<u8> {
    option(45, &[option(1, duid), bindings.concat(), option(46, &[0, 0, 0, 100])].concat())
}

fn ids() -> Vec<u8> {
    [option(1, REQUESTOR), option(2, SERVER)].concat()
}

/// LQ_RELAY_DATA of one relay agent with a Relay-ID and Remote-IDs.
fn relay_data(relay_id: &[u8], remote_id: &[u8]) -> Vec<u8> {
    let relay = [
        &[12, 0],
        &octets("2001:db8:1::1")[..],
        &octets("fe80::9"),
        &option(53, relay_id),
        &option(37, remote_id),
    ];
    option(47, &[&octets("::")[..], &relay.concat()].concat())
}

/// A lease for the index.
#[derive(Clone, Debug)]
struct Row {
    duid: Vec<u8>,
    address: Ipv6Addr,
    prefix_len: u8,
    subnet_id: u32,
    cltt: u32,
    options: Vec<u8>,
}

fn row(duid: u8, address: &str, prefix_len: u8, subnet_id: u32) -> Row {
    let options = relay_data(RELAY_ID, REMOTE_ID);
    Row {
        duid: vec![0, 1, duid],
        address: address.parse().unwrap(),
        prefix_len,
        subnet_id,
        cltt: NOW - 100,
        options,
    }
}

fn batch(rows: &[Row]) -> Batch {
    let mut batch = Batch::new();
    for row in rows {
        let kind = if row.prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix };
        let lease = Lease {
            address: row.address,
            prefix_len: row.prefix_len,
            kind,
            duid: &row.duid,
            valid_lifetime: 2000,
            preferred_lifetime: 1000,
            cltt: row.cltt,
            subnet_id: row.subnet_id,
            options: &row.options,
        };
        batch.put(&lease).unwrap();
    }
    batch
}

/// Three links of one subnet each, with pd-pools.
fn links() -> Links {
    let prefix = |text: &str, len| Prefix { address: text.parse().unwrap(), len };
    let link = |id: u32| Link {
        address: None,
        subnets: vec![Subnet {
            id,
            prefix: prefix(&format!("2001:db8:{id}::"), 64),
            pd_pools: vec![prefix(&format!("2001:db8:{id}00::"), 40)],
            options: lqd_index::SubnetOptions::default(),
        }],
        relay_addresses: vec![format!("2001:db8:{id}::1").parse().unwrap()],
    };
    Links::new((1..=3).map(link).collect()).unwrap()
}

/// A server with these leases.
struct Rig {
    writer: IndexWriter,
    reader: Reader,
    engine: Engine,
    limits: Limits,
}

impl Rig {
    fn new(rows: &[Row]) -> Self {
        Self::with(rows, true, "::1/128")
    }

    fn with(rows: &[Row], has_indexes: bool, allowed: &str) -> Self {
        let (mut writer, store) = IndexWriter::new();
        if has_indexes {
            writer.set_secondary_indexes(SecondaryIndexes { relay_id: true, remote_id: true, link: true });
        }
        writer.set_links(links());
        // One by one, so that scans come to clients in this order.
        rows.chunks(1).for_each(|row| {
            writer.apply(&batch(row));
        });
        let access = Access::of([allowed.parse::<Ipv6Net>().unwrap()]).unwrap();
        let policy = Policy { server_duid: SERVER.to_vec(), access, relay_hops_max: 9 };
        let (reader, engine) = (store.reader().unwrap(), Engine::new(policy).unwrap());
        Self { writer, reader, engine, limits: Limits::new(1) }
    }

    /// Gives the requestor other rights.
    fn allow(&mut self, change: impl FnOnce(&mut Rights)) {
        let mut rights = Rights { allow: true, ..Rights::default() };
        change(&mut rights);
        let access = Access::new(rights, vec![]).unwrap();
        let policy = Policy { server_duid: SERVER.to_vec(), access, relay_hops_max: 9 };
        self.engine = Engine::new(policy).unwrap();
    }

    /// Shows the requestor only what it relayed as the agent with this address.
    fn restrict(&mut self, relay_address: &str) {
        let relay_addresses = vec![relay_address.parse::<Ipv6Addr>().unwrap().into()];
        self.allow(|rights| (rights.restricted, rights.relay_addresses) = (true, relay_addresses));
    }

    fn session() -> BulkSession {
        BulkSession::new("::1".parse().unwrap(), BulkLimits { queries: 8 })
    }

    fn now() -> Now {
        Now { unix_seconds: NOW, monotonic_ns: 0 }
    }

    fn receive(&mut self, session: &mut BulkSession, octets: &[u8]) {
        session.receive(&self.engine, &mut self.limits, Self::now(), octets);
    }

    fn send(&mut self, session: &mut BulkSession, out: &mut Vec<u8>) -> Progress {
        let mut buffer = vec![0xee; BULK_BUFFER_LEN];
        let progress = session.send(&self.engine, &self.reader.pin(), Self::now(), &mut buffer);
        if let Progress::Octets(len) = progress {
            out.extend(&buffer[..len]);
        }
        progress
    }

    /// Sends until nothing is left; returns all octets, and whether the connection is to be closed.
    fn drain(&mut self, session: &mut BulkSession) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        for _ in 0..1_000_000 {
            match self.send(session, &mut out) {
                Progress::Octets(_) | Progress::Busy => {}
                Progress::Idle => return (out, false),
                Progress::Close => return (out, true),
                Progress::StartTls => panic!("TLS is begun"),
            }
        }
        panic!("the session does not come to rest");
    }

    /// Answers these octets in a session of their own.
    fn answer(&mut self, octets: &[u8]) -> (Vec<u8>, bool) {
        let mut session = Self::session();
        self.receive(&mut session, octets);
        self.drain(&mut session)
    }
}

//! Delegated prefixes with host bits, whose key in Kea is the address as written: rows of few addresses,
//! prefixes and clients, so that leases share addresses or prefixes, contain each other, change length and
//! expire.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use libtest_mimic::Failed;
use lqd_feed::kea_memfile::{Columns, RowParser};
use lqd_index::{Batch, Covering, Lookup, Writer};

use super::odd::HEADER;
use super::{KeaRow, Lqd, NOW, kea};
use crate::support::random::Random;

const ROUNDS: usize = 60;
const ROWS: usize = 40;

const ADDRESSES: &[&str] = &[
    "2001:db8:f000::",
    "2001:db8:f000:0:80::",
    "2001:db8:f000:0:80::1",
    "2001:db8:f000:80::",
    "2001:db8:f000:1::",
    "2001:db8:f000:1:80::",
    "2001:db8:f000:100::",
    "2001:db8:f000:180::7",
];
const LENGTHS: &[u8] = &[48, 55, 56, 64, 65, 128];
const CLIENTS: u8 = 4;

fn duid(client: u8) -> Vec<u8> {
    vec![0, 4, client]
}

fn row(random: &mut Random) -> String {
    let address = random.one_of(ADDRESSES);
    let client = random.below(usize::from(CLIENTS));
    let (lease_type, len) = match random.below(8) {
        0 => (0, 128),
        _ => (2, *random.one_of(LENGTHS)),
    };
    let state = if random.below(6) == 0 { 2 } else { 0 };
    let valid_lifetime = if random.below(8) == 0 { 0 } else { 4000 };
    let expire = 1_700_000_000 + random.below(5);
    format!(
        "{address},00:04:0{client},{valid_lifetime},{expire},1,3000,{lease_type},1,{len},0,0,,,{state},,1,0,0"
    )
}

/// Random rows, loaded at once or followed row by row: both give kea-lfc's leases.
pub(super) fn collide() -> Result<(), Failed> {
    let mut random = Random(12);
    for _ in 0..ROUNDS {
        let rows: Vec<String> = (0..ROWS).map(|_| row(&mut random)).collect();
        let text = format!("{HEADER}\n{}\n", rows.join("\n"));
        let kea = kea(text.as_bytes()).ok_or("Kea refuses the file")?;
        let kea: Vec<_> = kea.into_iter().filter(|row| row.state == 0).collect();
        let loaded = Lqd::read(text.as_bytes())?;
        for (how, mut reader) in [("loaded", loaded.reader), ("followed", follow(&rows, &mut random)?)] {
            let failure = check_addresses(&kea, &mut reader).or_else(|| check_clients(&kea, &mut reader));
            if let Some(failure) = failure {
                return Err(format!("{how}: {failure}\n{text}").into());
            }
        }
    }
    Ok(())
}

/// Applies the rows in batches of random sizes, the first of them as a load.
fn follow(rows: &[String], random: &mut Random) -> Result<lqd_index::Reader, Failed> {
    let columns = Columns::from_header(HEADER.as_bytes())?;
    let (mut parser, (mut writer, store)) = (RowParser::new(), Writer::new());
    let mut batch = Batch::new();
    for (number, row) in rows.iter().enumerate() {
        parser.parse(columns, row.as_bytes(), &mut batch)?;
        if number == 0 {
            writer.replace(std::slice::from_ref(&batch), None);
            batch.clear();
        } else if random.below(3) == 0 || number + 1 == rows.len() {
            writer.apply(&batch);
            batch.clear();
        }
    }
    store.reader().ok_or_else(|| "no place for a reader".into())
}

fn mask(len: u8) -> u128 {
    u128::MAX << (128 - u32::from(len))
}

/// Checks that each address belongs to the client with the longest prefix around it, the newest of equal
/// ones.
fn check_addresses(kea: &[KeaRow], reader: &mut lqd_index::Reader) -> Option<String> {
    let bases = ADDRESSES.iter().filter_map(|text| text.parse::<Ipv6Addr>().ok()).map(u128::from);
    for address in bases.flat_map(|base| [base, base | 1, base | 2 << 64, base ^ 1 << 79]) {
        let covers = |row: &&KeaRow| {
            let differs = row.address.map(u128::from).unwrap_or_default() ^ address;
            differs & mask(row.lease.prefix_len) == 0 && row.lease.valid_lifetime > 0
        };
        let rank = |row: &KeaRow| (row.lease.prefix_len, row.lease.cltt);
        let best = kea.iter().filter(covers).map(rank).max();
        let holders: Vec<&[u8]> = kea
            .iter()
            .filter(covers)
            .filter(|row| Some(rank(row)) == best)
            .map(|row| &row.lease.duid[..])
            .collect();
        let pinned = reader.pin();
        let found = pinned.find(Lookup::Covering(address.into()), NOW);
        let found = found.map(|found| {
            let mut duid = vec![0; found.client.duid_len()];
            found.client.copy_duid(&mut duid);
            let binding = found.covering().map(Covering::binding);
            (duid, binding.map(|binding| (binding.prefix_len, binding.cltt)))
        });
        let agree = match &found {
            None => holders.is_empty(),
            Some((duid, rank)) => holders.contains(&&duid[..]) && *rank == best,
        };
        if !agree {
            return Some(format!("{}: {holders:?} {best:?}, lqd has {found:?}", Ipv6Addr::from(address)));
        }
    }
    None
}

/// Checks that each client has Kea's prefixes.
fn check_clients(kea: &[KeaRow], reader: &mut lqd_index::Reader) -> Option<String> {
    for client in 0..CLIENTS {
        let duid = duid(client);
        let of_client = |row: &&KeaRow| row.lease.duid == duid && row.lease.valid_lifetime > 0;
        let prefix = |row: &KeaRow| {
            let first = u128::from(row.address?) & mask(row.lease.prefix_len);
            Some((Ipv6Addr::from(first), row.lease.prefix_len, row.lease.cltt))
        };
        let leases = kea.iter().filter(of_client);
        let expected: Vec<_> = leases.filter_map(prefix).collect();
        let pinned = reader.pin();
        let found = pinned.find(Lookup::Duid(&duid), NOW);
        let bindings = found.into_iter().flat_map(|found| found.client.bindings());
        let returned: Vec<_> =
            bindings.map(|binding| (binding.address, binding.prefix_len, binding.cltt)).collect();
        let set = |leases: &[_]| leases.iter().copied().collect::<BTreeSet<_>>();
        if returned.len() != expected.len() || set(&returned) != set(&expected) {
            return Some(format!("client {client}: {expected:?}, lqd has {returned:?}"));
        }
    }
    None
}

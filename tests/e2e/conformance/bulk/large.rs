//! Clients with more bindings than a message holds (65,535 octets, RFC 5460 §5.1): they come in several
//! messages, and whole.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::second_decoder;
use super::server::{Bulk, fixture};
use crate::support::octets::Pattern;
use crate::support::{Connection, Received};

/// Leases of client 03 on link 1; a message holds at most 2,339.
const ON_FIRST_LINK: u16 = 5_000;
/// Leases of client 03 on link 2.
const ON_SECOND_LINK: u16 = 2_500;

pub fn trials() -> Vec<Trial> {
    tests! { oversized_clients_come_whole, longest_single_message }
}

/// B41: by every query-type.
fn oversized_clients_come_whole() -> Result<(), Failed> {
    let rows = leases(3, 1, ON_FIRST_LINK) + &leases(3, 2, ON_SECOND_LINK) + &leases(4, 1, 1);
    let server = Bulk::with(fixture(&rows), &[]);
    let (first, second, small) =
        (addresses(3, 1, ON_FIRST_LINK), addresses(3, 2, ON_SECOND_LINK), addresses(4, 1, 1));
    let union = |sets: &[&BTreeSet<Ipv6Addr>]| sets.iter().flat_map(|set| set.iter().copied()).collect();
    let cases: [(&str, BTreeSet<Ipv6Addr>); 10] = [
        ("03 ::  $relay-a", union(&[&first, &second, &small])),
        ("03 2001:db8:1::  $relay-a", union(&[&first, &small])),
        ("04 2001:db8:1::", union(&[&first, &small])),
        ("04 2001:db8:2::", second.clone()),
        ("05 ::  0025 { 00000009 07 }", union(&[&first, &second, &small])),
        ("02 ::  $c03", union(&[&first, &second])),
        ("02 2001:db8:2::  $c03", second.clone()),
        ("01 ::  0005 { 2001:db8:1::3:1387 00000000 00000000 }", first.clone()),
        ("01 ::  0005 { 2001:db8:2::3:0 00000000 00000000 }", second.clone()),
        ("01 2001:db8:1::  0005 { 2001:db8:1::3:0 00000000 00000000 }", first.clone()),
    ];
    let mut connection = Connection::new(server.address);
    for (query, wanted) in cases {
        let messages = ask(&mut connection, query)?;
        let answer = second_decoder::accepts(&messages)?;
        let mut got = BTreeSet::new();
        for bindings in &answer {
            let links: BTreeSet<u16> =
                bindings.leases.iter().map(|(address, _)| address.segments()[2]).collect();
            assert_eq!(links.len(), 1, "{query}: one link a message");
            for (address, _) in &bindings.leases {
                assert!(got.insert(*address), "{query}: {address} comes twice");
            }
        }
        assert!(got == wanted, "{query}: {} bindings, wanted {}", got.len(), wanted.len());
    }
    Ok(())
}

/// A client whose leases fill one message is not split; with one lease more it is.
fn longest_single_message() -> Result<(), Failed> {
    // LEASEQUERY-REPLY: 65,535 octets less 32 before and 26 in OPTION_CLIENT_DATA; 28 a lease.
    const FITTING: u16 = (65_535 - 32 - 26) / 28;
    let rows = leases(3, 1, FITTING) + &leases(4, 2, FITTING + 1);
    let server = Bulk::with(fixture(&rows), &[]);
    let mut connection = Connection::new(server.address);
    for (query, count, messages) in [("02 ::  $c03", FITTING, 2), ("02 ::  $c04", FITTING + 1, 3)] {
        let got = ask(&mut connection, query)?;
        let answer = second_decoder::accepts(&got)?;
        let bindings: usize = answer.iter().map(|bindings| bindings.leases.len()).sum();
        assert_eq!((bindings, got.len()), (usize::from(count), messages), "{query}");
    }
    Ok(())
}

/// Sends one query, and receives all messages up to LEASEQUERY-DONE.
fn ask(connection: &mut Connection, query: &str) -> Result<Vec<Vec<u8>>, Failed> {
    let query = format!("{{ 0e c00001  $me  002c {{ {query} }} }}");
    connection.send(&Pattern::parse(&query).example());
    let mut messages: Vec<Vec<u8>> = Vec::new();
    while messages.last().is_none_or(|message| message.first() != Some(&16)) {
        match connection.receive() {
            Received::Message(message) => messages.push(message),
            other => return Err(format!("{query}: {other:?} after {} messages", messages.len()).into()),
        }
    }
    Ok(messages)
}

fn address(client: u8, subnet: u16, number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, client.into(), number)
}

fn addresses(client: u8, subnet: u16, count: u16) -> BTreeSet<Ipv6Addr> {
    (0..count).map(|number| address(client, subnet, number)).collect()
}

fn leases(client: u8, subnet: u16, count: u16) -> String {
    let mut rows = String::new();
    for number in 0..count {
        let address = address(client, subnet, number);
        let _ = writeln!(
            rows,
            "{address},00:03:00:01:02:00:00:00:00:{client:02x},4294967295,4102444800,{subnet},4294967295,0,{number},128,0,0,,,0,\
             {{ \"ISC\": {{ \"relay-info\": [ {{ \"hop\": 0&#x2c \"link\": \"2001:db8:{subnet}::1\"&#x2c \
             \"options\": \"0x0035000A00030001020000000A01002500050000000907\"&#x2c \"peer\": \"fe80::1\" }} ] }} }},1,0,0"
        );
    }
    rows
}

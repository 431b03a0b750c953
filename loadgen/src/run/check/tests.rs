//! Answers are written octet by octet here.

use std::net::Ipv6Addr;

use super::*;
use crate::leases;

const NOW: u32 = 1000;
const REQUESTOR: &[u8] = &[0, 2, 9];
const SERVER: &[u8] = &[0, 3, 7];

/// Client 0: an address and a /56 on subnet 1, an address on subnet 2. Client 1: an infinite address.
fn clients() -> Clients {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases");
    let text = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                fqdn_fwd,fqdn_rev,hostname,hwaddr,state\n\
                2001:db8::1,00:01,600,1100,1,590,0,1,128,0,0,,,0\n\
                2001:db8:a00::,00:01,600,1100,1,590,2,1,56,0,0,,,0\n\
                2001:db8:2::1,00:01,550,1100,2,300,0,1,128,0,0,,,0\n\
                2001:db8::2,00:02,4294967295,4294968292,1,10,0,1,128,0,0,,,0\n";
    std::fs::write(&path, text).unwrap();
    let (clients, _) = leases::read(&[path], NOW).unwrap();
    // Records: those with addresses only come first.
    assert_eq!((clients.get(0).duid, clients.get(1).duid), (&[0, 2][..], &[0, 1][..]));
    clients
}

const INFINITE: Query = Query { subject: Subject::Address, relayed: false, lease: 0, client: 0, salt: 0 };
/// The first lease of the client with two subnets: 2001:db8::1.
const ADDRESS: Query = Query { client: 1, ..INFINITE };
const MISS: Query = Query { subject: Subject::Miss, ..ADDRESS };
const CLIENT_ID: Query = Query { subject: Subject::ClientId, ..ADDRESS };

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn address(address: &str, preferred: u32, valid: u32) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().unwrap();
    option(5, &[&address.octets()[..], &preferred.to_be_bytes(), &valid.to_be_bytes()].concat())
}

fn prefix(address: &str, len: u8) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().unwrap();
    let lifetimes = [90_u32.to_be_bytes(), 100_u32.to_be_bytes()].concat();
    option(26, &[&lifetimes[..], &[len], &address.octets()].concat())
}

/// So many seconds since the last transaction.
fn clt_time(age: u32) -> Vec<u8> {
    option(46, &age.to_be_bytes())
}

/// What is right for client 1 on subnet 1, option by option.
fn right_data() -> Vec<Vec<u8>> {
    vec![option(1, &[0, 1]), address("2001:db8::1", 90, 100), prefix("2001:db8:a00::", 56), clt_time(500)]
}

fn answer(options: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = vec![15, 1, 2, 3];
    octets.extend(option(1, REQUESTOR));
    octets.extend(option(2, SERVER));
    options.iter().for_each(|option| octets.extend(option));
    octets
}

fn judged(octets: &[u8], query: Query, verify: bool) -> Result<Said, Wrong> {
    let clients = clients();
    let (_, reply) = Reply::parse(octets).ok_or(Wrong::Malformed)?;
    Checker::new(&clients, REQUESTOR, Some(SERVER), verify).check(&reply.ok_or(Wrong::Malformed)?, query, NOW)
}

fn judged_data(data: &[Vec<u8>], query: Query) -> Result<Said, Wrong> {
    judged(&answer(&[option(45, &data.concat())]), query, true)
}

#[test]
fn right_answers() {
    assert_eq!(judged_data(&right_data(), ADDRESS), Ok(Said::Bindings));
    let mut with_other_subnet = right_data();
    with_other_subnet.push(address("2001:db8:2::1", 0, 105));
    assert_eq!(judged_data(&with_other_subnet, CLIENT_ID), Ok(Said::Bindings), "subnets may be one link");
    with_other_subnet[3] = clt_time(450);
    assert_eq!(judged_data(&with_other_subnet, CLIENT_ID), Ok(Said::Bindings), "its transaction is newer");
    with_other_subnet[3] = clt_time(475);
    assert_eq!(judged_data(&with_other_subnet, CLIENT_ID), Err(Wrong::CltTime), "of neither");
    let infinite = [option(1, &[0, 2]), address("2001:db8::2", 7, u32::MAX), clt_time(3)];
    assert_eq!(judged_data(&infinite, INFINITE), Ok(Said::Bindings));
    assert_eq!(judged(&answer(&[option(48, &[0; 32])]), CLIENT_ID, true), Ok(Said::Links));
    assert_eq!(judged(&answer(&[]), MISS, true), Ok(Said::Nothing));
    assert_eq!(judged(&answer(&[option(13, &[0, 9])]), MISS, true), Ok(Said::Nothing), "not configured");
    assert_eq!(judged(&answer(&[option(13, &[0, 0, b'o', b'k'])]), MISS, true), Ok(Said::Nothing));
}

#[test]
fn wrong_client_data() {
    let without = |place| {
        let mut data = right_data();
        data.remove(place);
        data
    };
    let with = |place: usize, option: Vec<u8>| {
        let mut data = right_data();
        data[place] = option;
        data
    };
    let and = |option: Vec<u8>| [right_data(), vec![option]].concat();
    for (what, data, wrong) in [
        ("no DUID", without(0), Wrong::Client),
        ("another DUID", with(0, option(1, &[0, 2])), Wrong::Client),
        ("no address", without(1), Wrong::Incomplete),
        ("no prefix", without(2), Wrong::Incomplete),
        ("no CLT_TIME", without(3), Wrong::Incomplete),
        ("another client's address", and(address("2001:db8::2", 90, 100)), Wrong::Foreign),
        ("the address twice", and(address("2001:db8::1", 90, 100)), Wrong::Foreign),
        ("another prefix length", with(2, prefix("2001:db8:a00::", 57)), Wrong::Foreign),
        ("prefix as address", with(2, address("2001:db8:a00::", 90, 100)), Wrong::Foreign),
        ("valid for too long", with(1, address("2001:db8::1", 90, 106)), Wrong::Lifetime),
        ("valid too short", with(1, address("2001:db8::1", 90, 94)), Wrong::Lifetime),
        ("preferred beyond valid", with(1, address("2001:db8::1", 101, 100)), Wrong::Preferred),
        ("preferred for too long", with(1, address("2001:db8::1", 96, 100)), Wrong::Preferred),
        ("preferred too short", with(1, address("2001:db8::1", 84, 100)), Wrong::Preferred),
        ("not preferred at all", with(1, address("2001:db8::1", 0, 100)), Wrong::Preferred),
        ("CLT_TIME of a second ago", with(3, clt_time(1)), Wrong::CltTime),
        ("CLT_TIME too old", with(3, clt_time(506)), Wrong::CltTime),
        ("CLT_TIME too new", with(3, clt_time(494)), Wrong::CltTime),
        ("CLT_TIME of three octets", with(3, option(46, &[0, 1, 244])), Wrong::Incomplete),
        ("broken address", with(1, option(5, &[0; 23])), Wrong::Malformed),
        ("broken prefix", with(2, option(26, &[0; 24])), Wrong::Malformed),
        ("broken list", and(vec![0, 5, 0]), Wrong::Malformed),
    ] {
        assert_eq!(judged_data(&data, ADDRESS), Err(wrong), "{what}");
    }
    let finite = [option(1, &[0, 2]), address("2001:db8::2", 7, u32::MAX - 1000), clt_time(3)];
    assert_eq!(judged_data(&finite, INFINITE), Err(Wrong::Lifetime), "infinity has been counted down");
    assert_eq!(judged_data(&right_data(), MISS), Err(Wrong::Unleased));
}

#[test]
fn an_older_transaction_than_that_of_the_asked_lease_is_wrong() {
    let in_subnet_2 = Query { lease: 1, ..ADDRESS };
    let data = |age| vec![option(1, &[0, 1]), address("2001:db8:2::1", 0, 100), clt_time(age)];
    let clients = clients();
    let second = clients.get(1).leases().nth(1).unwrap();
    assert_eq!(second.address, "2001:db8:2::1".parse::<Ipv6Addr>().unwrap());
    assert_eq!(judged_data(&data(450), in_subnet_2), Ok(Said::Bindings));
    assert_eq!(judged_data(&data(500), in_subnet_2), Err(Wrong::CltTime));
}

#[test]
fn wrong_messages() {
    let data = option(45, &right_data().concat());
    let octets = answer(std::slice::from_ref(&data));
    for (what, from, to, wrong) in [
        ("a LEASEQUERY", 15, 14, Wrong::Malformed),
        ("another requestor", 9, 8, Wrong::Requestor),
        ("another server", 7, 6, Wrong::ServerId),
    ] {
        let mut other = octets.clone();
        *other.iter_mut().find(|octet| **octet == from).unwrap() = to;
        assert_eq!(judged(&other, ADDRESS, false), Err(wrong), "{what}");
    }
    assert_eq!(judged(&[15, 1, 2, 3], ADDRESS, false), Err(Wrong::Requestor));
    let no_server = [&[15, 1, 2, 3][..], &option(1, REQUESTOR)].concat();
    assert_eq!(judged(&no_server, ADDRESS, false), Err(Wrong::ServerId));
    for (what, options, query, wrong) in [
        ("not allowed", vec![option(13, &[0, 10])], ADDRESS, Wrong::Status),
        ("not allowed", vec![option(13, &[0, 10])], MISS, Wrong::Status),
        ("a lease is not configured", vec![option(13, &[0, 9])], ADDRESS, Wrong::Status),
        ("half a status", vec![option(13, &[0])], ADDRESS, Wrong::Malformed),
        ("data twice", vec![data.clone(), data.clone()], ADDRESS, Wrong::Malformed),
        ("data and links", vec![data, option(48, &[0; 32])], CLIENT_ID, Wrong::Malformed),
        ("no data", vec![], ADDRESS, Wrong::Missing),
        ("links for an address", vec![option(48, &[0; 32])], ADDRESS, Wrong::Missing),
        (
            "links of one link",
            vec![option(48, &[0; 16])],
            Query { subject: Subject::ClientId, ..INFINITE },
            Wrong::Missing,
        ),
        ("links for a free address", vec![option(48, &[0; 16])], MISS, Wrong::Unleased),
    ] {
        assert_eq!(judged(&answer(&options), query, true), Err(wrong), "{what}");
    }
}

#[test]
fn without_verify_the_client_is_not_looked_at() {
    assert_eq!(judged(&answer(&[]), ADDRESS, false), Ok(Said::Nothing));
    assert_eq!(judged(&answer(&[option(45, &[0, 1, 0])]), ADDRESS, false), Ok(Said::Bindings));
}

#[test]
fn a_lease_about_to_end_may_be_gone() {
    let clients = clients();
    let octets = answer(&[]);
    let (_, reply) = Reply::parse(&octets).unwrap();
    let mut checker = Checker::new(&clients, REQUESTOR, None, true);
    assert_eq!(checker.check(&reply.unwrap(), ADDRESS, 1094), Err(Wrong::Missing));
    assert_eq!(checker.check(&reply.unwrap(), ADDRESS, 1095), Ok(Said::Nothing));
}

#[test]
fn an_unknown_link_is_not_configured() {
    let unknown = Query { subject: Subject::UnknownLink, ..ADDRESS };
    assert_eq!(judged(&answer(&[option(13, &[0, 9])]), unknown, true), Ok(Said::Nothing));
    assert_eq!(judged(&answer(&[]), unknown, true), Err(Wrong::Status));
}

/// RELAY-REPL around an answer, with these link-address and interface-id.
fn relayed(link: &str, interface_id: &[u8], answer: &[u8]) -> Vec<u8> {
    let [link, peer]: [Ipv6Addr; 2] = [link, "fe80::1717"].map(|address| address.parse().unwrap());
    let header = [&[13, 0][..], &link.octets(), &peer.octets()].concat();
    [header, option(18, interface_id), option(135, &[0, 0]), option(9, answer)].concat()
}

#[test]
fn relayed_answers_bring_the_relay_agents_fields_back() {
    let right = answer(&[option(45, &right_data().concat())]);
    let query = Query { relayed: true, ..ADDRESS };
    let by_relay = relayed("3fff:0:0:1::1", b"lqload", &right);
    assert_eq!(judged(&by_relay, query, true), Ok(Said::Bindings));
    assert_eq!(judged(&by_relay, ADDRESS, true), Err(Wrong::Relay), "nobody asked for it");
    assert_eq!(judged(&right, query, true), Err(Wrong::Relay));
    assert_eq!(judged(&relayed("3fff:0:0:2::1", b"lqload", &right), query, true), Err(Wrong::Relay));
    assert_eq!(judged(&relayed("3fff:0:0:1::1", b"other", &right), query, true), Err(Wrong::Relay));
}

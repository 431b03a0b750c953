//! Answers written octet by octet.

use std::net::Ipv6Addr;

use super::*;
use crate::leases;

const NOW: u32 = 1000;
const REQUESTOR: &[u8] = &[0, 2, 9];
const SERVER: &[u8] = &[0, 3, 7];

/// Client 0 has an address and a /56 on subnet 1 and an address on subnet 2, client 1 an infinite address.
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
    // Records of clients with addresses only come first.
    assert_eq!((clients.get(0).duid, clients.get(1).duid), (&[0, 2][..], &[0, 1][..]));
    clients
}

const INFINITE: Query = Query { subject: Subject::Address, relayed: false, lease: 0, client: 0, salt: 0 };
/// A query for the first lease of the client with two subnets: 2001:db8::1.
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

/// CLT_TIME: seconds since the last transaction.
fn clt_time(age: u32) -> Vec<u8> {
    option(46, &age.to_be_bytes())
}

/// Correct client data of client 1 on subnet 1, one element per option.
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

fn judged(octets: &[u8], query: Query, verify: bool) -> Result<AnswerContent, Defect> {
    let clients = clients();
    let (_, reply) = Reply::parse(octets).ok_or(Defect::Malformed)?;
    Checker::new(&clients, REQUESTOR, Some(SERVER), verify).check(
        &reply.ok_or(Defect::Malformed)?,
        query,
        NOW,
    )
}

fn judged_data(data: &[Vec<u8>], query: Query) -> Result<AnswerContent, Defect> {
    judged(&answer(&[option(45, &data.concat())]), query, true)
}

#[test]
fn right_answers_pass() {
    assert_eq!(judged_data(&right_data(), ADDRESS), Ok(AnswerContent::Bindings));
    let mut with_other_subnet = right_data();
    with_other_subnet.push(address("2001:db8:2::1", 0, 105));
    assert_eq!(
        judged_data(&with_other_subnet, CLIENT_ID),
        Ok(AnswerContent::Bindings),
        "subnets may be one link"
    );
    with_other_subnet[3] = clt_time(450);
    assert_eq!(
        judged_data(&with_other_subnet, CLIENT_ID),
        Ok(AnswerContent::Bindings),
        "its transaction is newer"
    );
    with_other_subnet[3] = clt_time(475);
    assert_eq!(judged_data(&with_other_subnet, CLIENT_ID), Err(Defect::CltTime), "of neither");
    let infinite = [option(1, &[0, 2]), address("2001:db8::2", 7, u32::MAX), clt_time(3)];
    assert_eq!(judged_data(&infinite, INFINITE), Ok(AnswerContent::Bindings));
    assert_eq!(judged(&answer(&[option(48, &[0; 32])]), CLIENT_ID, true), Ok(AnswerContent::Links));
    assert_eq!(judged(&answer(&[]), MISS, true), Ok(AnswerContent::NoBinding));
    assert_eq!(
        judged(&answer(&[option(13, &[0, 9])]), MISS, true),
        Ok(AnswerContent::NoBinding),
        "not configured"
    );
    assert_eq!(judged(&answer(&[option(13, &[0, 0, b'o', b'k'])]), MISS, true), Ok(AnswerContent::NoBinding));
}

#[test]
fn each_defect_of_client_data_is_found() {
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
        ("no DUID", without(0), Defect::Client),
        ("another DUID", with(0, option(1, &[0, 2])), Defect::Client),
        ("no address", without(1), Defect::Incomplete),
        ("no prefix", without(2), Defect::Incomplete),
        ("no CLT_TIME", without(3), Defect::Incomplete),
        ("another client's address", and(address("2001:db8::2", 90, 100)), Defect::Foreign),
        ("the address twice", and(address("2001:db8::1", 90, 100)), Defect::Foreign),
        ("another prefix length", with(2, prefix("2001:db8:a00::", 57)), Defect::Foreign),
        ("prefix as address", with(2, address("2001:db8:a00::", 90, 100)), Defect::Foreign),
        ("valid for too long", with(1, address("2001:db8::1", 90, 106)), Defect::Lifetime),
        ("valid too short", with(1, address("2001:db8::1", 90, 94)), Defect::Lifetime),
        ("preferred beyond valid", with(1, address("2001:db8::1", 101, 100)), Defect::Preferred),
        ("preferred for too long", with(1, address("2001:db8::1", 96, 100)), Defect::Preferred),
        ("preferred too short", with(1, address("2001:db8::1", 84, 100)), Defect::Preferred),
        ("not preferred at all", with(1, address("2001:db8::1", 0, 100)), Defect::Preferred),
        ("CLT_TIME of a second ago", with(3, clt_time(1)), Defect::CltTime),
        ("CLT_TIME too old", with(3, clt_time(506)), Defect::CltTime),
        ("CLT_TIME too new", with(3, clt_time(494)), Defect::CltTime),
        ("CLT_TIME of three octets", with(3, option(46, &[0, 1, 244])), Defect::Incomplete),
        ("broken address", with(1, option(5, &[0; 23])), Defect::Malformed),
        ("broken prefix", with(2, option(26, &[0; 24])), Defect::Malformed),
        ("broken list", and(vec![0, 5, 0]), Defect::Malformed),
    ] {
        assert_eq!(judged_data(&data, ADDRESS), Err(wrong), "{what}");
    }
    // Infinity minus the 1,000 seconds that have passed.
    let finite = [option(1, &[0, 2]), address("2001:db8::2", 7, u32::MAX - 1000), clt_time(3)];
    assert_eq!(judged_data(&finite, INFINITE), Err(Defect::Lifetime), "infinity has been counted down");
    assert_eq!(judged_data(&right_data(), MISS), Err(Defect::Unleased));
}

#[test]
fn an_older_transaction_than_the_queried_lease_has_is_a_defect() {
    let in_subnet_2 = Query { lease: 1, ..ADDRESS };
    let data = |age| vec![option(1, &[0, 1]), address("2001:db8:2::1", 0, 100), clt_time(age)];
    let clients = clients();
    let second = clients.get(1).leases().nth(1).unwrap();
    assert_eq!(second.address, "2001:db8:2::1".parse::<Ipv6Addr>().unwrap());
    assert_eq!(judged_data(&data(450), in_subnet_2), Ok(AnswerContent::Bindings));
    assert_eq!(judged_data(&data(500), in_subnet_2), Err(Defect::CltTime));
}

#[test]
fn each_defect_of_a_message_is_found() {
    let data = option(45, &right_data().concat());
    let octets = answer(std::slice::from_ref(&data));
    for (what, from, to, wrong) in [
        ("a LEASEQUERY", 15, 14, Defect::Malformed),
        ("another requestor", 9, 8, Defect::Requestor),
        ("another server", 7, 6, Defect::ServerId),
    ] {
        let mut other = octets.clone();
        *other.iter_mut().find(|octet| **octet == from).unwrap() = to;
        assert_eq!(judged(&other, ADDRESS, false), Err(wrong), "{what}");
    }
    assert_eq!(judged(&[15, 1, 2, 3], ADDRESS, false), Err(Defect::Requestor));
    let no_server = [&[15, 1, 2, 3][..], &option(1, REQUESTOR)].concat();
    assert_eq!(judged(&no_server, ADDRESS, false), Err(Defect::ServerId));
    for (what, options, query, wrong) in [
        ("not allowed", vec![option(13, &[0, 10])], ADDRESS, Defect::Status),
        ("not allowed", vec![option(13, &[0, 10])], MISS, Defect::Status),
        ("a lease is not configured", vec![option(13, &[0, 9])], ADDRESS, Defect::Status),
        ("half a status", vec![option(13, &[0])], ADDRESS, Defect::Malformed),
        ("data twice", vec![data.clone(), data.clone()], ADDRESS, Defect::Malformed),
        ("data and links", vec![data, option(48, &[0; 32])], CLIENT_ID, Defect::Malformed),
        ("no data", vec![], ADDRESS, Defect::Missing),
        ("links for an address", vec![option(48, &[0; 32])], ADDRESS, Defect::Missing),
        (
            "links of one link",
            vec![option(48, &[0; 16])],
            Query { subject: Subject::ClientId, ..INFINITE },
            Defect::Missing,
        ),
        ("links for a free address", vec![option(48, &[0; 16])], MISS, Defect::Unleased),
    ] {
        assert_eq!(judged(&answer(&options), query, true), Err(wrong), "{what}");
    }
}

#[test]
fn without_verify_client_data_is_not_checked() {
    assert_eq!(judged(&answer(&[]), ADDRESS, false), Ok(AnswerContent::NoBinding));
    assert_eq!(judged(&answer(&[option(45, &[0, 1, 0])]), ADDRESS, false), Ok(AnswerContent::Bindings));
}

#[test]
fn a_lease_about_to_expire_may_be_missing() {
    let clients = clients();
    let octets = answer(&[]);
    let (_, reply) = Reply::parse(&octets).unwrap();
    let mut checker = Checker::new(&clients, REQUESTOR, None, true);
    assert_eq!(checker.check(&reply.unwrap(), ADDRESS, 1094), Err(Defect::Missing));
    assert_eq!(checker.check(&reply.unwrap(), ADDRESS, 1095), Ok(AnswerContent::NoBinding));
}

#[test]
fn an_unknown_link_must_be_refused_as_not_configured() {
    let unknown = Query { subject: Subject::UnknownLink, ..ADDRESS };
    assert_eq!(judged(&answer(&[option(13, &[0, 9])]), unknown, true), Ok(AnswerContent::NoBinding));
    assert_eq!(judged(&answer(&[]), unknown, true), Err(Defect::Status));
}

/// A RELAY-REPL around an answer, with this link-address and interface-id.
fn relayed(link: &str, interface_id: &[u8], answer: &[u8]) -> Vec<u8> {
    let [link, peer]: [Ipv6Addr; 2] = [link, "fe80::1717"].map(|address| address.parse().unwrap());
    let header = [&[13, 0][..], &link.octets(), &peer.octets()].concat();
    [header, option(18, interface_id), option(135, &[0, 0]), option(9, answer)].concat()
}

#[test]
fn relayed_answers_must_return_the_relay_agents_fields() {
    let right = answer(&[option(45, &right_data().concat())]);
    let query = Query { relayed: true, ..ADDRESS };
    let by_relay = relayed("3fff:0:0:1::1", b"lqload", &right);
    assert_eq!(judged(&by_relay, query, true), Ok(AnswerContent::Bindings));
    assert_eq!(judged(&by_relay, ADDRESS, true), Err(Defect::Relay), "the query was not relayed");
    assert_eq!(judged(&right, query, true), Err(Defect::Relay));
    assert_eq!(judged(&relayed("3fff:0:0:2::1", b"lqload", &right), query, true), Err(Defect::Relay));
    assert_eq!(judged(&relayed("3fff:0:0:1::1", b"other", &right), query, true), Err(Defect::Relay));
}

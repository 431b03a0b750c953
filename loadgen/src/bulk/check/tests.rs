//! Replies written octet by octet, right ones and wrong ones.

use std::net::Ipv6Addr;

use super::*;
use crate::bulk::Options;
use crate::leases::{self, Clients};

const REQUESTOR: &[u8] = &[0, 2, 9];

/// Client 00:01 has an address and a prefix on subnet 1, client 00:02 an address on subnet 1; none expires.
fn clients() -> Clients {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases");
    let text = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                fqdn_fwd,fqdn_rev,hostname,hwaddr,state\n\
                2001:db8::1,00:01,4294967295,5294967295,1,4294967295,0,1,128,0,0,,,0\n\
                2001:db8:a00::,00:01,4294967295,5294967295,1,4294967295,2,1,56,0,0,,,0\n\
                2001:db8::2,00:02,4294967295,5294967295,1,4294967295,0,1,128,0,0,,,0\n";
    std::fs::write(&path, text).unwrap();
    leases::read(&[path], 1000).unwrap().0
}

fn plan(clients: &Clients) -> Plan<'_> {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }
    let line = ["lqload", "--target", "[::1]:547", "--leases", "unused"];
    Plan::new(clients, &<Arguments as clap::Parser>::parse_from(line).options).unwrap()
}

fn option(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0, code][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn address(text: &str) -> Vec<u8> {
    option(5, &[&text.parse::<Ipv6Addr>().unwrap().octets()[..], &[0xff; 8]].concat())
}

fn prefix(text: &str) -> Vec<u8> {
    option(26, &[&[0xff; 8][..], &[56], &text.parse::<Ipv6Addr>().unwrap().octets()].concat())
}

/// OPTION_CLIENT_DATA with these bindings; the leases' cltt is 1,000,000,000.
fn data(duid: u8, bindings: &[Vec<u8>]) -> Vec<u8> {
    let clt_time = (unix_seconds() - 1_000_000_000).to_be_bytes();
    option(45, &[option(1, &[0, duid]), bindings.concat(), option(46, &clt_time)].concat())
}

fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 0, 0, 1][..], &options.concat()].concat()
}

fn ids() -> Vec<u8> {
    [option(1, REQUESTOR), option(2, &[0, 7])].concat()
}

fn first() -> Vec<u8> {
    message(15, &[ids(), data(1, &[address("2001:db8::1"), prefix("2001:db8:a00::")])])
}

fn second() -> Vec<u8> {
    message(17, &[data(2, &[address("2001:db8::2")])])
}

fn done() -> Vec<u8> {
    message(16, &[])
}

/// Checks one reply; returns whether it was complete with its last message, and the defects by name.
fn check(messages: &[Vec<u8>]) -> (bool, Vec<(&'static str, u64)>) {
    let clients = clients();
    let plan = plan(&clients);
    let mut checker = BulkChecker::new(&plan, REQUESTOR);
    assert_eq!(checker.begin(), TransactionId([0, 0, 1]));
    let mut is_complete = false;
    for (number, message) in messages.iter().enumerate() {
        assert!(!is_complete, "complete before message {number}");
        is_complete = checker.message(message);
    }
    checker.end(&plan.queries()[0]);
    (is_complete, checker.wrong.iter().map(|(defect, count)| (defect.name(), count)).collect())
}

#[test]
fn a_whole_reply_is_right() {
    assert_eq!(check(&[first(), second(), done()]), (true, vec![]));
}

#[test]
fn a_client_may_come_in_parts() {
    let part = message(15, &[ids(), data(1, &[prefix("2001:db8:a00::")])]);
    let rest = message(17, &[data(1, &[address("2001:db8::1")])]);
    assert_eq!(check(&[part, second(), rest, done()]), (true, vec![]));
}

#[test]
fn missing_leases_are_counted() {
    assert_eq!(check(&[first(), done()]), (true, vec![("no_binding", 1)]));
    assert_eq!(check(&[message(15, &[ids()])]), (true, vec![("no_binding", 3)]), "no binding at all");
}

#[test]
fn each_defect_is_found() {
    let rows: [(&str, Vec<Vec<u8>>, bool, &str); 12] = [
        ("twice", vec![first(), second(), second(), done()], true, "foreign"),
        (
            "of another client",
            vec![first(), message(17, &[data(2, &[address("2001:db8::1")])]), second(), done()],
            true,
            "foreign",
        ),
        ("unknown client", vec![first(), message(17, &[data(3, &[])]), second(), done()], true, "client"),
        ("DATA first", vec![second()], true, "order"),
        ("REPLY twice", vec![first(), first()], true, "order"),
        ("DONE without bindings", vec![done()], true, "order"),
        ("LQ_CLIENT_LINK", vec![message(15, &[ids(), option(48, &[0; 16])])], true, "order"),
        ("other transaction-id", vec![[&[15, 0, 0, 2][..], &ids()].concat()], true, "transaction_id"),
        ("error status", vec![message(15, &[ids(), option(13, &[0, 10])])], true, "status"),
        ("error at the end", vec![first(), second(), message(16, &[option(13, &[0, 11])])], true, "status"),
        ("other requestor", vec![message(15, &[option(1, &[0, 2]), option(2, &[0, 7])])], false, "requestor"),
        ("cut option", vec![message(15, &[vec![0, 1, 0, 9]])], false, "malformed"),
    ];
    for (name, messages, ends, defect) in rows {
        let (is_complete, wrong) = check(&messages);
        assert_eq!(is_complete, ends, "{name}");
        assert!(wrong.iter().any(|&(found, _)| found == defect), "{name}: {wrong:?}");
    }
}

#[test]
fn lifetimes_and_transaction_times_are_checked() {
    let finite = option(
        5,
        &[&"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets()[..], &[0, 0, 0, 9, 0, 0, 0, 9]].concat(),
    );
    let (_, wrong) = check(&[first(), message(17, &[data(2, &[finite])]), done()]);
    assert_eq!(wrong, [("lifetime", 1)]);
    let late = option(45, &[option(1, &[0, 2]), address("2001:db8::2"), option(46, &[0, 0, 0, 1])].concat());
    assert_eq!(check(&[first(), message(17, &[late]), done()]).1, [("clt_time", 1)]);
}

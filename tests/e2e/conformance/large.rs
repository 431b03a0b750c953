//! Replies at the limits: the longest that fits a datagram, one that does not fit, the deepest relay chains.
//! Too long for rows, they are repetitions of hand-written octets.

use std::fmt::Write;

use libtest_mimic::{Failed, Trial};

use super::fixture;
use crate::support::display::{hex, side_by_side};
use crate::support::octets::{Pattern, octets};
use crate::support::requestor::Probe;
use crate::support::{BACK_ENDS, Fixture, Lqd, Requestor, Until, trial};

/// Longest UDP payload over IPv6: 65,535 less the UDP header.
const REPLY_LEN_MAX: usize = 65_527;
/// LEASEQUERY-REPLY header, CLIENTID and SERVERID of 10 octets each.
const BEFORE_DATA: usize = 4 + 14 + 14;
/// OPTION_CLIENT_DATA header, CLIENTID of 10 octets, CLT_TIME.
const DATA_WITHOUT_LEASES: usize = 4 + 14 + 8;
const IAADDR: usize = 28;
/// Number of leases that fit: 2,338, in a reply of 65,522 octets.
const FITTING: usize = (REPLY_LEN_MAX - BEFORE_DATA - DATA_WITHOUT_LEASES) / IAADDR;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (back_end, needs) in BACK_ENDS {
        trials.push(trial(format!("conformance::large::{back_end}::reply"), needs, move || large(back_end)));
        trials.push(trial(format!("conformance::large::{back_end}::relays"), needs, move || {
            deep_relays(back_end)
        }));
        let name = format!("conformance::large::{back_end}::stored_relays");
        trials.push(trial(name, needs, move || deep_relay_data(back_end)));
    }
    trials.push(trial("conformance::large::oversized", &[], oversized));
    trials
}

/// A20: a client with more leases than any reply holds gets UnspecFail, by each address and by DUID, never
/// "no binding"; a lease that passes to another client is that one's, and after losing most leases the client
/// is answered again.
fn oversized() -> Result<(), Failed> {
    const ALL: usize = 5_000;
    const LEFT: usize = 1_169;
    let kea_config = include_str!("../../data/conformance/kea-dhcp6.conf");
    let fixture = Fixture::new(kea_config, &(leases(3, ALL) + &leases(4, 1)));
    let lqd = Lqd::start(&fixture.flags());
    lqd.await_line(0, |line| line.contains("more leases than one reply can carry"));
    lqd.await_line(0, |line| line.contains("00:03:00:01:02:00:00:00:00:03"));
    let requestor = Requestor::new(lqd.address);
    let by_address = |link: &str, client: u8, number: usize| {
        octets(&format!(
            "0e 9000{client:02x}  $me  002c 002d 01 {link}  0005 0018 2001:db8:1::{client:x}:{number:x} $zero"
        ))
    };
    let refusal = Pattern::parse("0f 900003  $me $server  000d { 0001 text }");
    let mut queries = vec![query(3), octets("0e 900003  $me  002c 001f 02 2001:db8:1::  $c03")];
    queries.extend([0, 1, 2_339, ALL - 1].map(|number| by_address("::", 3, number)));
    queries.push(by_address("2001:db8:1::", 3, ALL / 2));
    for query in queries {
        let (reply, _) = requestor.ask(&query).ok_or("no reply")?;
        assert!(refusal.matches(&reply, &(0..=0)), "{}", hex(&reply));
    }
    let (reply, _) = requestor.ask(&query(4)).ok_or("no reply about a neighbour")?;
    assert_eq!(reply, whole_reply(4, 1));
    // One lease passes to another client, the others expire.
    let row = |number: usize, client: u8, valid: u32| {
        format!(
            "2001:db8:1::3:{number:x},00:03:00:01:02:00:00:00:00:{client:02x},{valid},4102444800,1,{valid},0,{number},128,0,0,,,0,,1,0,0\n"
        )
    };
    let infinite = u32::MAX;
    let rows: String = (LEFT + 1..ALL).map(|number| row(number, 3, 0)).collect();
    fixture.append_leases(&fixture.rows(&(row(LEFT, 5, infinite) + &rows)));
    let until = Until::patience();
    let whole = whole_reply(3, LEFT);
    while requestor.ask(&query(3)).is_none_or(|(reply, _)| reply != whole) {
        assert!(until.pending(), "the remaining leases are not returned");
    }
    let (reply, _) =
        requestor.ask(&by_address("::", 3, LEFT)).ok_or("no reply about the lease that passed")?;
    let passed =
        format!("0f 900003  $me $server  002d 0032  $c05  0005 0018 2001:db8:1::3:{LEFT:x} $inf  $clt0");
    assert_eq!(reply, octets(&passed), "{}", hex(&reply));
    Ok(())
}

/// A20: a reply has all bindings, or UnspecFail and none, never a part of them.
fn large(back_end: &str) -> Result<(), Failed> {
    let kea_config = include_str!("../../data/conformance/kea-dhcp6.conf");
    let fixture = Fixture::new(kea_config, &(leases(1, FITTING) + &leases(2, FITTING + 1)));
    let mut flags = fixture.flags();
    flags.extend(["--io".to_owned(), back_end.to_owned()]);
    let lqd = Lqd::start(&flags);
    let requestor = Requestor::new(lqd.address);
    for _ in 0..2 {
        let (reply, _) = requestor.ask(&query(1)).ok_or("no reply with all leases that fit")?;
        assert!(
            reply == whole_reply(1, FITTING),
            "the longest reply is wrong; it has {} octets",
            reply.len()
        );
        let (reply, _) = requestor.ask(&query(2)).ok_or("no reply where one lease too many is known")?;
        let refusal = Pattern::parse("0f 900002  $me $server  000d { 0001 text }");
        assert!(refusal.matches(&reply, &(0..=0)), "one lease too many: got {} octets", reply.len());
    }
    Ok(())
}

/// S48: relay chains as deep as RFC 3315 permits (hop-count 32) are answered, deeper ones are not.
fn deep_relays(back_end: &str) -> Result<(), Failed> {
    let fixture = fixture();
    let mut flags = fixture.flags();
    flags.extend(["--io", back_end, "--max-relay-hops", "33"].map(str::to_owned));
    let lqd = Lqd::start(&flags);
    let requestor = Requestor::new(lqd.address);
    let query = |levels| relayed(0x0c, levels, "0e 900003  $me  002c 001f 02 ::  $c01");
    let wanted =
        relayed(0x0d, 33, "0f 900003  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0");
    let (reply, _) = requestor.ask(&query(33)).ok_or("no reply through 33 relays")?;
    assert_eq!(reply, wanted, "{}", side_by_side(&wanted, &reply));
    let answer = requestor.answer_before_probe(&query(34), &Probe { query: query(33), reply });
    assert_eq!(answer, None, "34 relays are answered");
    Ok(())
}

/// S26, S48: relay data of as many relays as RFC 3315 permits is returned, of one relay more (which no client
/// has) not.
fn deep_relay_data(back_end: &str) -> Result<(), Failed> {
    let kea_config = include_str!("../../data/conformance/kea-dhcp6.conf");
    let fixture = Fixture::new(kea_config, &(relayed_lease(1, 33) + &relayed_lease(2, 34)));
    let mut flags = fixture.flags();
    flags.extend(["--io".to_owned(), back_end.to_owned()]);
    let lqd = Lqd::start(&flags);
    let requestor = Requestor::new(lqd.address);
    let query =
        |client| octets(&format!("0e 90000{client}  $me  002c 0025 02 ::  $c0{client}  0006 0002 002f"));
    let (reply, _) = requestor.ask(&query(1)).ok_or("no reply with 33 levels")?;
    // Each hop: 34 octets and an Interface-Id of one octet; all but the innermost one 4 more.
    let relay_data_len = 16 + 33 * (34 + 5) + 32 * 4;
    let mut text = format!(
        "0f 900001  $me $server  002d {:04x}  $c01  0005 0018 2001:db8:1::101 $inf $clt0
         002f {relay_data_len:04x} 2001:db8:1::20",
        14 + 28 + 8 + 4 + relay_data_len
    );
    for hop in (0..33).rev() {
        let _ = write!(text, " 0c {hop:02x} 2001:db8:1::{hop:x} fe80::{hop:x} 0012 0001 {hop:02x}");
        if hop > 0 {
            let _ = write!(text, " 0009 {:04x}", hop * (34 + 5) + (hop - 1) * 4);
        }
    }
    let wanted = octets(&text);
    assert_eq!(reply, wanted, "{}", side_by_side(&wanted, &reply));
    let (reply, _) = requestor.ask(&query(2)).ok_or("no reply about the lease with 34 levels")?;
    let bare = octets("0f 900002  $me $server  002d 0032  $c02  0005 0018 2001:db8:1::201 $inf  $clt0");
    assert_eq!(reply, bare, "{}", side_by_side(&bare, &reply));
    Ok(())
}

/// Returns the lease of a client behind so many relays, each with an Interface-Id, as Kea writes it.
fn relayed_lease(client: u8, levels: u8) -> String {
    let relay = |hop: u8| {
        format!(
            r#"{{ "hop": {hop}&#x2c "link": "2001:db8:1::{hop:x}"&#x2c "options": "0x00120001{hop:02X}"&#x2c "peer": "fe80::{hop:x}" }}"#
        )
    };
    let relays: Vec<_> = (0..levels).rev().map(relay).collect();
    format!(
        "2001:db8:1::{client:x}01,00:03:00:01:02:00:00:00:00:{client:02x},4294967295,4102444800,1,4294967295,0,1,128,\
         0,0,,,0,{{ \"ISC\": {{ \"relay-info\": [ {} ] }} }},1,0,0\n",
        relays.join("&#x2c ")
    )
}

/// Wraps a message in so many relay hops, the outermost with Relay Source Port, so that the reply finds our
/// port.
fn relayed(relay_message: u8, levels: u8, message: &str) -> Vec<u8> {
    let mut message = octets(message);
    for hop in 0..levels {
        let length = message.len();
        let port = if hop + 1 == levels { "0087 0002 0000" } else { "" };
        let level =
            format!("{relay_message:02x} {hop:02x} 2001:db8:1::1 fe80::{hop:x}  {port}  0009 {length:04x}");
        message = [octets(&level), message].concat();
    }
    message
}

fn query(client: u8) -> Vec<u8> {
    octets(&format!("0e 9000{client:02x}  $me  002c 001f 02 ::  $c{client:02x}"))
}

fn leases(client: u8, count: usize) -> String {
    let mut rows = String::new();
    for number in 0..count {
        let _ = writeln!(
            rows,
            "2001:db8:1::{client:x}:{number:x},00:03:00:01:02:00:00:00:00:{client:02x},4294967295,4102444800,1,\
             4294967295,0,{number},128,0,0,,,0,,1,0,0"
        );
    }
    rows
}

fn whole_reply(client: u8, count: usize) -> Vec<u8> {
    let data_len = DATA_WITHOUT_LEASES - 4 + count * IAADDR;
    let mut text = format!("0f 9000{client:02x}  $me $server  002d {data_len:04x}  $c{client:02x}");
    for number in 0..count {
        let _ = write!(text, " 0005 0018 2001:db8:1::{client:x}:{number:x} $inf");
    }
    octets(&(text + " $clt0"))
}

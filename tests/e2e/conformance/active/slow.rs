//! Readers that are slower than the changes, and clients with more bindings than a message holds
//! (RFC 7653 §7, §8.4.1, §9.3).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::reader::{CATCH_UP_COMPLETE, DATA, DATA_MISSING, DONE, QUERY_TERMINATED, Reader, tells};
use super::run::next_second;
use super::second_decoder::Update;
use super::server::start_with;
use crate::conformance::bulk::run::SECONDS_1970_TO_2000;
use crate::conformance::bulk::server::Bulk;
use crate::support::fixture::rows_at;
use crate::support::octets::octets;
use crate::support::{Requestor, Until};

/// Leases, one a client, each told with relay data: some 13 MB in all, more than sockets hold.
const LEASES: u32 = 60_000;

/// Requests relay data, so that messages are long.
const RELAY_DATA: &str = "0006 { 002f }";

pub fn trials() -> Vec<Trial> {
    tests! {
        a_slow_reader_gets_only_the_current_state,
        an_overrun_reader_is_terminated,
        an_overrun_catch_up_goes_on_live,
        a_reader_that_does_not_read_is_closed,
        a_client_of_many_bindings_is_told,
    }
}

fn address(number: u32) -> Ipv6Addr {
    let [a, b, c, d] = number.to_be_bytes();
    Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 9, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// Rows of these leases, with the given valid lifetime and relay data of a good 100 octets.
fn rows(numbers: std::ops::Range<u32>, valid: u32) -> String {
    let options = format!("0035000A00030001020000000A0100120050{}", "31".repeat(0x50));
    let mut text = String::new();
    for number in numbers {
        let [a, b, c, d] = number.to_be_bytes();
        let _ = writeln!(
            text,
            "{},00:03:00:01:02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x},{valid},4102444800,1,{valid},0,1,128,0,0,,,0,\
             {{ \"ISC\": {{ \"relay-info\": [ {{ \"hop\": 0&#x2c \"link\": \"2001:db8:1::1\"&#x2c \"options\": \
             \"0x{options}\"&#x2c \"peer\": \"fe80::1\" }} ] }} }},1,0,0",
            address(number)
        );
    }
    rows_at(&text, 0)
}

/// Waits until lqd answers for this lease with this valid lifetime.
fn await_lease(server: &Bulk, number: u32, valid: u32) {
    let requestor = Requestor::new(server.lqd.address);
    let query = octets(&format!("0e ac0002  $me  002c 002d 01 ::  0005 0018 {} $zero", address(number)));
    let wanted = [&address(number).octets()[..], &valid.to_be_bytes(), &valid.to_be_bytes()].concat();
    let until = Until::patience();
    let is_known = |reply: &[u8]| reply.windows(wanted.len()).any(|window| window == wanted);
    while !requestor.ask(&query).is_some_and(|(reply, _)| is_known(&reply)) {
        assert!(until.pending(), "the changes are not applied");
    }
}

fn facts(update: &Update) -> (u8, Option<u16>, bool) {
    (update.kind, update.status, update.base_time.is_some())
}

/// AL34: while the connection is blocked, a lease changes often; the reader gets its last state, and few
/// others.
fn a_slow_reader_gets_only_the_current_state() -> Result<(), Failed> {
    const TIMES: u32 = 40;
    let server = start_with("active = 'insecure'", "")?;
    let mut reader = Reader::slow(server.address, RELAY_DATA)?;
    server.fixture.append_leases(&rows(0..LEASES, u32::MAX));
    await_lease(&server, LEASES - 1, u32::MAX);
    // One more lease, renewed again and again; lqd applies each renewal before the next.
    for time in 1..=TIMES {
        server.fixture.append_leases(&rows(LEASES..LEASES + 1, 100_000 * time));
        await_lease(&server, LEASES, 100_000 * time);
    }
    let mut seen = BTreeSet::new();
    let mut lifetimes = Vec::new();
    while lifetimes.last() != Some(&(100_000 * TIMES)) || seen.len() <= LEASES as usize {
        let update = reader.next()?;
        for (address, _, _, valid) in update.data.into_iter().flat_map(|data| data.leases) {
            seen.insert(address);
            if address == self::address(LEASES) {
                lifetimes.push(valid);
            }
        }
    }
    assert!(lifetimes.len() < TIMES as usize / 2, "not conflated: {lifetimes:?}");
    assert!(lifetimes.is_sorted(), "an older state behind a newer one: {lifetimes:?}");
    Ok(())
}

/// AL55, AL18, AL41: the log has gone on without the reader.
fn an_overrun_reader_is_terminated() -> Result<(), Failed> {
    let server = start_with("active = 'insecure'\nactive-history-size = 1", "")?;
    let mut reader = Reader::slow(server.address, "0006 { 002f 0064 }")?;
    server.fixture.append_leases(&rows(0..2 * LEASES, u32::MAX));
    await_lease(&server, 2 * LEASES - 1, u32::MAX);
    let messages = reader.read_to_end()?;
    let (done, data) = messages.split_last().ok_or("no message")?;
    assert_eq!(facts(done), (DONE, Some(QUERY_TERMINATED), true));
    assert!(data.iter().all(|update| facts(update) == (DATA, None, true)));
    assert!(data.len() < 2 * LEASES as usize, "nothing was left to terminate");
    Ok(())
}

/// AL25: DataMissing ends the catch-up, and the query goes on.
fn an_overrun_catch_up_goes_on_live() -> Result<(), Failed> {
    let server = start_with("active = 'insecure'\nactive-history-size = 4", "")?;
    let start = next_second() - SECONDS_1970_TO_2000;
    server.fixture.append_leases(&rows(0..LEASES, u32::MAX));
    await_lease(&server, LEASES - 1, u32::MAX);
    let mut reader = Reader::slow(server.address, &format!("{RELAY_DATA}  0065 {{ {start:08x} }}"))?;
    reader.next()?;
    // More than the history holds, while the reader does not read.
    for valid in 1..=4 {
        server.fixture.append_leases(&rows(0..LEASES, 1_000_000 * valid));
        await_lease(&server, LEASES - 1, 1_000_000 * valid);
    }
    let missing = reader.until(|update| update.status.is_some())?;
    assert_eq!(facts(&missing), (DATA, Some(DATA_MISSING), true));
    assert_eq!(missing.data, None);
    server.fixture.append_leases(&rows(LEASES..LEASES + 1, u32::MAX));
    let update = reader.until(|update| update.status.is_some() || tells(update, address(LEASES)))?;
    assert_eq!(update.status, None, "after DataMissing, no {CATCH_UP_COMPLETE} and no end");
    Ok(())
}

/// AL29: the time is the shortest there is.
fn a_reader_that_does_not_read_is_closed() -> Result<(), Failed> {
    let toml = "active = 'insecure'\nactive-send-timeout = 5\nbulk-connections = 1";
    let server = start_with(toml, "")?;
    let mut stalled = Reader::slow(server.address, RELAY_DATA)?;
    server.fixture.append_leases(&rows(0..LEASES, u32::MAX));
    await_lease(&server, LEASES - 1, u32::MAX);
    let until = Until::patience();
    while Reader::open(server.address, "").is_err() {
        assert!(until.pending(), "the stalled reader keeps the only connection");
    }
    let (messages, end) = stalled.connection.receive_to_end();
    assert!(messages.len() < LEASES as usize, "{end:?} after all messages");
    Ok(())
}

/// AL59: of a client whose bindings exceed a message, at least the changes are told, each as it is now.
fn a_client_of_many_bindings_is_told() -> Result<(), Failed> {
    const BINDINGS: u32 = 3_000;
    const RENEWED: u32 = 1_000_000;
    let of_one_client = |numbers: std::ops::Range<u32>, valid: u32| {
        numbers.fold(String::new(), |mut text, number| {
            let _ = writeln!(
                text,
                "{},00:03:00:01:02:00:00:00:00:cc,{valid},4102444800,1,{valid},0,{number},128,0,0,,,0,,1,0,0",
                address(number)
            );
            text
        })
    };
    let server = start_with("active = 'insecure'", &of_one_client(0..BINDINGS, u32::MAX))?;
    let mut reader = Reader::open(server.address, "002c { 02 ::  $ccc }")?;
    let rows = of_one_client(0..10, 0) + &of_one_client(10..20, RENEWED);
    server.fixture.append_leases(&rows_at(&rows, 0));
    let state = |number: u32| match number {
        0..10 => 0,
        10..20 => RENEWED,
        _ => u32::MAX,
    };
    let mut left: BTreeSet<_> = (0..20).map(address).collect();
    while !left.is_empty() {
        let update = reader.next()?;
        for (address, _, _, valid) in update.data.ok_or("a message without data")?.leases {
            let number = u32::try_from(u128::from(address) & 0xffff_ffff)?;
            assert_eq!(valid, state(number), "{address}");
            left.remove(&address);
        }
    }
    Ok(())
}

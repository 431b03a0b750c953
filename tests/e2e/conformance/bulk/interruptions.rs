//! Answers that are interrupted: by readers that do not read, by SIGTERM, by changes of leases, by a reload
//! (RFC 5460 §5.2.2, §5.5, §7.4).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::second_decoder::{self, Bindings};
use super::server::{Bulk, fixture};
use crate::bulk::server::await_bulk;
use crate::support::display::decoded;
use crate::support::octets::{Pattern, octets};
use crate::support::{Connection, Fixture, Received, Requestor, Until};

/// Leases, one a client, each answer with relay data: some 13 MB in all, more than sockets hold.
const LEASES: u32 = 60_000;

/// Receive buffer of slow readers, in bytes.
const SMALL: usize = 65_536;

pub fn trials() -> Vec<Trial> {
    tests! {
        sigterm_terminates_open_queries,
        reload_terminates_open_queries,
        leases_incomplete_in_the_midst,
        changes_in_the_midst,
        stalled_readers_cost_nothing,
        half_close_in_the_midst,
        aborted_connections_leave_the_server_alone,
        queries_of_aborted_connections_are_counted,
        stalled_readers_are_closed,
    }
}

fn start(flags: &[&str]) -> Bulk {
    Bulk::with(many_leases(), flags)
}

fn many_leases() -> Fixture {
    fixture(&(0..LEASES).map(|number| row(number, number, "4294967295")).collect::<String>())
}

fn address(number: u32) -> Ipv6Addr {
    let [a, b, c, d] = number.to_be_bytes();
    let pair = |high, low| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 9, pair(a, b), pair(c, d))
}

fn duid(client: u32) -> Vec<u8> {
    [octets("0003 0001 0200"), client.to_be_bytes().into()].concat()
}

/// Returns a row of the lease file, in the notation of [`crate::support::Fixture::rows`].
fn row(number: u32, client: u32, valid: &str) -> String {
    let mut text = format!("{},", address(number));
    let duid: Vec<String> = duid(client).iter().map(|octet| format!("{octet:02x}")).collect();
    let options = format!("0035000A00030001020000000A0100120030{}", "31".repeat(0x30));
    let _ = writeln!(
        text,
        "{},{valid},4102444800,1,{valid},0,1,128,0,0,,,0,{{ \"ISC\": {{ \"relay-info\": [ {{ \"hop\": 0&#x2c \
         \"link\": \"2001:db8:1::1\"&#x2c \"options\": \"0x{options}\"&#x2c \"peer\": \"fe80::1\" }} ] }} }},1,0,0",
        duid.join(":")
    );
    text
}

/// Requests all leases with their relay data.
fn request(server: &Bulk, xid: &str) -> Connection {
    let mut connection = Connection::bound(Ipv6Addr::LOCALHOST, server.address, Some(SMALL));
    connection.send(&query(xid));
    connection
}

fn query(xid: &str) -> Vec<u8> {
    Pattern::parse(&format!("{{ 0e {xid}  $me  002c {{ 03 ::  $relay-a  0006 {{ 002f }} }} }}")).example()
}

/// Receives the first message.
fn first(connection: &mut Connection) -> Result<Vec<u8>, Failed> {
    match connection.receive() {
        Received::Message(message) if message.first() == Some(&15) => Ok(message),
        other => Err(format!("{other:?}").into()),
    }
}

/// Checks that the messages are an answer that ends with this status; returns the bindings.
fn check_terminated(messages: &[Vec<u8>], xid: &str, status: &str) -> Result<Vec<Bindings>, Failed> {
    let last = messages.last().ok_or("no message")?;
    let wanted = Pattern::parse(&format!("10 {xid}  000d {{ {status} text }}"));
    if !wanted.matches(last, &(0..=0)) {
        return Err(format!("{} messages; the last one is\n{}", messages.len(), decoded(last)).into());
    }
    Ok(second_decoder::accepts(messages)?)
}

/// Returns how often each address comes.
fn counts(answer: &[Bindings]) -> BTreeMap<Ipv6Addr, usize> {
    let mut counts = BTreeMap::new();
    for (address, _) in answer.iter().flat_map(|bindings| &bindings.leases) {
        *counts.entry(*address).or_default() += 1;
    }
    counts
}

/// B19, B31: SIGTERM ends a query with DONE, and the connection behind it; the server exits with 0.
fn sigterm_terminates_open_queries() -> Result<(), Failed> {
    let server = start(&[]);
    let mut connection = request(&server, "d00001");
    let mut idle = Connection::new(server.address);
    let mut messages = vec![first(&mut connection)?];
    server.lqd.signal("TERM");
    let (rest, end) = connection.receive_to_end();
    messages.extend(rest);
    assert_eq!(end, Received::Closed);
    let answer = check_terminated(&messages, "d00001", "000b")?;
    assert!(answer.len() < LEASES as usize, "nothing was left to terminate");
    assert!(counts(&answer).values().all(|count| *count == 1));
    assert_eq!(idle.receive(), Received::Closed);
    assert_eq!(server.lqd.exit_code(), 0);
    Ok(())
}

/// B52: leases that become incomplete while a query is answered end it with QueryTerminated, never cleanly.
fn leases_incomplete_in_the_midst() -> Result<(), Failed> {
    let server = start(&["--when-stale", "refuse"]);
    let mut connection = request(&server, "d00008");
    let mut messages = vec![first(&mut connection)?];
    let before = server.lqd.line_count();
    // Rewritten in place, and not to the end: what follows is unknown.
    let text = server.fixture.lease_file(&row(0, 0, "4294967295"));
    fs::write(server.fixture.leases(), &text[..text.len() - 100])?;
    server.lqd.await_line(before, |line| line.contains("being rewritten"));
    let (rest, end) = connection.receive_to_end();
    messages.extend(rest);
    assert_eq!(end, Received::Closed);
    let answer = check_terminated(&messages, "d00008", "000b")?;
    assert!(counts(&answer).values().all(|count| *count == 1));
    Ok(())
}

/// B44: a new generation of leases ends a query; the next one is answered from the new leases.
fn reload_terminates_open_queries() -> Result<(), Failed> {
    let server = start(&[]);
    let mut connection = request(&server, "d00002");
    let mut messages = vec![first(&mut connection)?];
    // A new file in place of the old one, as lease file cleanup and operators write it.
    let text = server
        .fixture
        .lease_file(&(0..100).map(|number| row(number, number, "4294967295")).collect::<String>());
    let new = server.fixture.directory().join("new.csv");
    fs::write(&new, text)?;
    fs::rename(&new, server.fixture.leases())?;
    let requestor = Requestor::new(server.lqd.address);
    let gone = octets(&format!("0e d00003  $me  002c 002d 01 ::  0005 0018 {} $zero", address(LEASES - 1)));
    let until = Until::patience();
    while requestor.ask(&gone).is_none_or(|(reply, _)| reply != octets("0f d00003  $me $server")) {
        assert!(until.pending(), "the new lease file is not loaded");
    }
    let (rest, end) = connection.receive_to_end();
    messages.extend(rest);
    assert_eq!(end, Received::Closed);
    let answer = check_terminated(&messages, "d00002", "000b")?;
    assert!(counts(&answer).values().all(|count| *count == 1));
    let mut connection = request(&server, "d00004");
    connection.finish();
    let (messages, _) = connection.receive_to_end();
    assert_eq!(second_decoder::accepts(&messages)?.len(), 100);
    Ok(())
}

/// B44: bindings that are there all the time come exactly once, others at most once.
fn changes_in_the_midst() -> Result<(), Failed> {
    const NEW: u32 = 500;
    let server = start(&[]);
    let mut connection = request(&server, "d00005");
    let mut messages = vec![first(&mut connection)?];
    let mut changes = String::new();
    // Of each ten leases the first is renewed, the second removed, the third passes to another client.
    for number in (0..LEASES).step_by(10) {
        changes += &row(number, number, "4294967295");
        changes += &row(number + 1, number + 1, "0");
        changes += &row(number + 2, LEASES + number, "4294967295");
    }
    for number in LEASES..LEASES + NEW {
        changes += &row(number, number, "4294967295");
    }
    server.fixture.append_leases(&server.fixture.rows(&changes));
    let requestor = Requestor::new(server.lqd.address);
    let last =
        octets(&format!("0e d00006  $me  002c 002d 01 ::  0005 0018 {} $zero", address(LEASES + NEW - 1)));
    let until = Until::patience();
    while requestor.ask(&last).is_none_or(|(reply, _)| reply.len() < 50) {
        assert!(until.pending(), "the changes are not applied");
    }
    connection.finish();
    let (rest, end) = connection.receive_to_end();
    messages.extend(rest);
    assert_eq!(end, Received::Closed);
    let answer = second_decoder::accepts(&messages)?;
    assert_eq!(messages.last(), Some(&octets("10 d00005")), "a clean DONE");
    let mut pairs = BTreeSet::new();
    for Bindings { duid, leases } in &answer {
        for (address, _) in leases {
            assert!(pairs.insert((*address, duid.clone())), "{address} of {duid:02x?} comes twice");
        }
    }
    let known = |number: u32, client: u32| pairs.contains(&(address(number), duid(client)));
    for number in 0..LEASES {
        match number % 10 {
            1 => {}
            2 => {}
            _ => assert!(
                known(number, number),
                "{} is missing, though it was there all the time",
                address(number)
            ),
        }
    }
    let may_come =
        pairs.iter().filter(|(address, _)| u128::from(*address) & 0xffff_ffff < u128::from(LEASES + NEW));
    assert_eq!(may_come.count(), pairs.len(), "bindings that never were");
    Ok(())
}

/// B43: connections that do not read take hardly any memory.
fn stalled_readers_cost_nothing() -> Result<(), Failed> {
    const QUERIES: usize = 8;
    const READERS: usize = 9;
    let server = start(&["--bulk-connections", "20"]);
    // One answer, read to its end, so that memory that is needed once is there.
    let mut connection = request(&server, "d00007");
    connection.finish();
    connection.receive_to_end();
    let before = resident_kib(server.lqd.pid())?;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = Connection::bound(Ipv6Addr::LOCALHOST, server.address, Some(SMALL));
        for number in 0..QUERIES {
            reader.send(&query(&format!("d001{number:02x}")));
        }
        first(&mut reader)?;
        readers.push(reader);
    }
    // Another answer to its end shows that the server had time for the stalled ones, and still answers.
    let mut connection = request(&server, "d00008");
    connection.finish();
    let (messages, _) = connection.receive_to_end();
    assert_eq!(second_decoder::accepts(&messages)?.len(), LEASES as usize);
    let grown = resident_kib(server.lqd.pid())?.saturating_sub(before);
    // 256 KiB a connection, and as much again for the allocator.
    assert!(grown < 2 * 256 * (READERS as u64 + 1), "{grown} KiB more for {READERS} stalled readers");
    Ok(())
}

/// Returns resident memory of a process, in KiB.
fn resident_kib(pid: u32) -> Result<u64, Failed> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// B32: the queries before a half-close are answered whole.
fn half_close_in_the_midst() -> Result<(), Failed> {
    let server = start(&[]);
    let mut connection = request(&server, "d00009");
    connection.send(&Pattern::parse("{ 0e d0000a  $me  002c { 02 ::  0001 { ffff } } }  0035 0e").example());
    connection.finish();
    let (messages, end) = connection.receive_to_end();
    assert_eq!(end, Received::Closed);
    let of = |xid: &[u8]| {
        messages.iter().filter(|message| message.get(1..4) == Some(xid)).cloned().collect::<Vec<_>>()
    };
    let answer = second_decoder::accepts(&of(&[0xd0, 0, 9]))?;
    assert_eq!(counts(&answer).len(), LEASES as usize);
    assert_eq!(of(&[0xd0, 0, 10]), [octets("0f d0000a  $me $server")]);
    Ok(())
}

/// B30: the place of a requestor that vanished is free again.
fn aborted_connections_leave_the_server_alone() -> Result<(), Failed> {
    let server = start(&["--bulk-connections", "2"]);
    for number in 0..20 {
        let until = Until::patience();
        loop {
            let mut connection = request(&server, &format!("d002{number:02x}"));
            // Octets that are not read make the kernel reset the connection when it is dropped.
            if first(&mut connection).is_ok() {
                break;
            }
            assert!(until.pending(), "connection {number} is not served");
        }
    }
    Ok(())
}

/// Each query that a reset cuts off has an outcome, as one that is answered has.
fn queries_of_aborted_connections_are_counted() -> Result<(), Failed> {
    let fixture = many_leases();
    let admin = fixture.admin_flag();
    let server = Bulk::with(fixture, &[&admin]);
    for number in 0..3_u8 {
        let mut connection = request(&server, &format!("d003{number:02x}"));
        connection.send(&query(&format!("d004{number:02x}")));
        // Both are under way once a message of the second one has come.
        loop {
            match connection.receive() {
                Received::Message(message) if message.get(1..4) == Some(&[0xd0, 4, number]) => break,
                Received::Message(_) => {}
                other => return Err(format!("{other:?}").into()),
            }
        }
    }
    let counted = await_bulk(&server.fixture, |bulk| bulk["outcomes"]["abandoned"] == 6)?;
    assert_eq!((&counted["connections"]["open"], &counted["outcomes"]["complete"]), (&0.into(), &0.into()));
    Ok(())
}

/// B25: a requestor that reads nothing loses its connection; the time is the shortest there is.
fn stalled_readers_are_closed() -> Result<(), Failed> {
    let server = start(&["--bulk-connections", "1", "--bulk-timeout", "10"]);
    let mut stalled = request(&server, "d00010");
    first(&mut stalled)?;
    let until = Until::patience();
    loop {
        let mut connection = Connection::new(server.address);
        connection.send(&Pattern::parse("{ 0e d00011  $me  002c { 02 ::  $cff } }").example());
        if matches!(connection.receive(), Received::Message(_)) {
            break;
        }
        assert!(until.pending(), "the stalled reader keeps the only connection");
    }
    let (messages, end) = stalled.receive_to_end();
    assert!(messages.len() < LEASES as usize, "{end:?} after all messages");
    Ok(())
}

//! Connections: who may connect, how many, and for how long (RFC 5460 §7.1, §7.4).

use std::fs;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::row::Setup;
use super::run::is_open;
use super::server::{Bulk, fixture};
use crate::support::lqd::PROGRAM;
use crate::support::namespace::add_address;
use crate::support::octets::{Pattern, octets};
use crate::support::{Connection, Lqd, Received, Requestor, Until};

const ONE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
const TWO: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2);

pub fn trials() -> Vec<Trial> {
    tests! {
        others_are_closed_at_once,
        idle_connections_and_half_frames_are_closed,
        short_timeouts_are_warned_of,
        limits_out_of_range_are_rejected,
        bulk_is_off_by_default,
        udp_refuses_the_query_types_of_bulk,
        excess_queries_are_terminated;
        in namespace: the_last_connection_is_kept_for_another_requestor, ten_connections_by_default,
            connections_of_one_requestor_are_limited, reload_of_access_rules,
    }
}

/// B22: closed before anything is read, whatever `deny` says.
fn others_are_closed_at_once() -> Result<(), Failed> {
    for deny in ["not-allowed", "drop"] {
        let server = Bulk::with(fixture(""), &["--allow", "2001:db8:ffff::/48", "--deny", deny]);
        let mut connection = Connection::new(server.address);
        assert_eq!(connection.receive(), Received::Closed, "--deny {deny}");
        // Nor is a query answered that comes in the same moment.
        let mut connection = Connection::new(server.address);
        connection.send(&Pattern::parse("{ 0e c00001  $me  002c { 02 ::  $c01 } }").example());
        let end = connection.receive();
        assert!(matches!(end, Received::Closed | Received::Reset), "--deny {deny}: {end:?}");
    }
    Ok(())
}

/// B24, B29: a connection ends that brings no whole frame in time; the time is the shortest there is.
fn idle_connections_and_half_frames_are_closed() -> Result<(), Failed> {
    let server = Bulk::with(fixture(""), &["--bulk-timeout", "10"]);
    let mut idle = Connection::new(server.address);
    let mut half = Connection::new(server.address);
    half.send(&octets("0035 0e c00002"));
    let mut served = Connection::new(server.address);
    is_open(&mut served)?;
    for (name, connection) in
        [("idle", &mut idle), ("half a frame", &mut half), ("served, then idle", &mut served)]
    {
        let end = connection.receive();
        assert!(matches!(end, Received::Closed | Received::Reset), "{name}: {end:?}");
    }
    Ok(())
}

/// B26: RFC 5460 §5.6 recommends none below 300 s.
fn short_timeouts_are_warned_of() -> Result<(), Failed> {
    for (seconds, warns) in [("299", true), ("300", false)] {
        let server = Bulk::with(fixture(""), &["--bulk-timeout", seconds]);
        let warning =
            server.lqd.log().lines().any(|line| line.contains("WARN") && line.contains("bulk-timeout"));
        assert_eq!(warning, warns, "{seconds} s: {}", server.lqd.log());
    }
    Ok(())
}

fn limits_out_of_range_are_rejected() -> Result<(), Failed> {
    let fixture = fixture("");
    for (flag, value) in [
        ("--bulk-timeout", "9"),
        ("--bulk-timeout", "86401"),
        ("--bulk-queries", "0"),
        ("--bulk-queries", "65"),
        ("--bulk-connections", "0"),
        ("--bulk-connections", "10001"),
    ] {
        let mut arguments = vec!["check".to_owned()];
        arguments.extend(fixture.flags());
        arguments.extend(["--bulk", "[::1]:0", flag, value].map(str::to_owned));
        let ended = Lqd::run(&arguments);
        assert_eq!(ended.code, Some(2), "{flag} {value}: {}{}", ended.stdout, ended.stderr);
    }
    Ok(())
}

/// B20: without `--bulk` there is no TCP listener, and types 3 to 5 over UDP are unknown (S46).
fn bulk_is_off_by_default() -> Result<(), Failed> {
    let fixture = fixture("");
    let lqd = Lqd::start(&fixture.flags());
    assert_eq!(lqd.line_with("bulk leasequery listens"), None);
    let (reply, _) = Requestor::new(lqd.address)
        .ask(&octets("0e c00003  $me  002c 0011 04 2001:db8:1::"))
        .ok_or("no reply")?;
    assert!(Pattern::parse("0f c00003  $me $server  000d { 0007 text }").matches(&reply, &(0..=0)));
    Ok(())
}

/// B34: RFC 5460 §4 sends such queries to TCP.
fn udp_refuses_the_query_types_of_bulk() -> Result<(), Failed> {
    let server = Bulk::start(Setup::Default)?;
    let requestor = Requestor::new(server.lqd.address);
    for query in ["03 ::  $relay-a", "04 2001:db8:1::", "05 ::  0025 { 00000009 aabb }", "04 ::"] {
        let query = Pattern::parse(&format!("0e c00004  $me  002c {{ {query} }}")).example();
        let (reply, _) = requestor.ask(&query).ok_or("no reply")?;
        let wanted = Pattern::parse("0f c00004  $me $server  000d { 000a text }");
        assert!(wanted.matches(&reply, &(0..=0)), "{reply:02x?}");
    }
    Ok(())
}

/// B55: the connection stays.
fn excess_queries_are_terminated() -> Result<(), Failed> {
    const QUERIES: usize = 20;
    let leases = include_str!("../../../data/conformance/bulk/leases.csv");
    let server = Bulk::with(fixture(leases), &["--rate", "1", "--burst", "3"]);
    let mut connection = Connection::new(server.address);
    let query = Pattern::parse("{ 0e c00005  $me  002c { 02 ::  $cff } }").example();
    let (answered, terminated) = (
        Pattern::parse("0f c00005  $me $server"),
        Pattern::parse("0f c00005  $me $server  000d { 000b text }"),
    );
    let mut counts = [0, 0];
    for _ in 0..QUERIES {
        connection.send(&query);
        let Received::Message(message) = connection.receive() else {
            return Err("no answer to a query over the rate".into());
        };
        let kind =
            [&answered, &terminated].into_iter().position(|pattern| pattern.matches(&message, &(0..=0)));
        counts[kind.ok_or_else(|| format!("neither an answer nor QueryTerminated: {message:02x?}"))?] += 1;
    }
    assert!(counts[0] >= 3 && counts[1] > 0, "answered and terminated: {counts:?}");
    // Once tokens have returned, the same connection is answered.
    let until = Until::patience();
    loop {
        connection.send(&query);
        match connection.receive() {
            Received::Message(message) if answered.matches(&message, &(0..=0)) => return Ok(()),
            Received::Message(_) => {}
            other => return Err(format!("{other:?}").into()),
        }
        assert!(until.pending(), "no query is answered any more");
    }
}

/// Starts a server that lets both requestors connect, in the trial's own namespace.
fn start(flags: &[&str]) -> Result<Bulk, Failed> {
    for address in [ONE, TWO] {
        add_address(&format!("{address}/128"), "lo")?;
    }
    Ok(Bulk::with(fixture(""), &[&["--allow", "2001:db8:ffff::/48", "--allow", "::1"], flags].concat()))
}

fn connect(server: &Bulk, source: Ipv6Addr) -> Connection {
    Connection::bound(source, server.address, None)
}

/// Returns whether the server takes a query on this connection; false if it has closed it.
fn is_served(mut connection: Connection) -> (bool, Connection) {
    connection.send(&Pattern::parse("{ 0e 505050  $me  002c { ff :: } }").example());
    let is_served = matches!(connection.receive(), Received::Message(_));
    (is_served, connection)
}

/// B21: one requestor cannot use up the connections.
fn the_last_connection_is_kept_for_another_requestor() -> Result<(), Failed> {
    let server = start(&["--bulk-connections", "3"])?;
    let (served, first) = is_served(connect(&server, ONE));
    assert!(served, "the first connection");
    let (served, _second) = is_served(connect(&server, ONE));
    assert!(served, "the second connection");
    assert!(!is_served(connect(&server, ONE)).0, "the last one is for another requestor");
    let (served, _other) = is_served(connect(&server, TWO));
    assert!(served, "another requestor");
    assert!(!is_served(connect(&server, TWO)).0, "all three are in use");
    drop(first);
    let until = Until::patience();
    // The last one again, so neither of the two gets it.
    while !is_served(connect(&server, Ipv6Addr::LOCALHOST)).0 {
        assert!(until.pending(), "the place of a closed connection is not given again");
    }
    Ok(())
}

/// B21: BULK_LQ_MAX_CONNS is 10 by default.
fn ten_connections_by_default() -> Result<(), Failed> {
    let server = start(&[])?;
    let mut held = Vec::new();
    for number in 1..=10 {
        let source = if number == 10 { TWO } else { ONE };
        let (served, connection) = is_served(connect(&server, source));
        assert!(served, "connection {number}");
        held.push(connection);
    }
    assert!(!is_served(connect(&server, TWO)).0, "an eleventh connection");
    assert!(!is_served(connect(&server, Ipv6Addr::LOCALHOST)).0, "an eleventh connection from elsewhere");
    Ok(())
}

/// B28.
fn connections_of_one_requestor_are_limited() -> Result<(), Failed> {
    let server = start(&["--bulk-connections-per-requestor", "2"])?;
    let held: Vec<_> = (0..2).map(|_| is_served(connect(&server, ONE))).collect();
    assert!(held.iter().all(|(served, _)| *served));
    assert!(!is_served(connect(&server, ONE)).0, "a third connection");
    assert!(is_served(connect(&server, TWO)).0, "another requestor");
    Ok(())
}

/// B22, B23: a reload that takes a right away counts for the next query, and for the next connection.
fn reload_of_access_rules() -> Result<(), Failed> {
    add_address(&format!("{ONE}/128"), "lo")?;
    let fixture = fixture(include_str!("../../../data/conformance/bulk/leases.csv"));
    let file = fixture.directory().join("lqd.toml");
    let rule = |text: &str| format!("allow = ['{ONE}']\n[[access]]\nprefix = '{ONE}'\n{text}\n");
    fs::write(&file, rule(""))?;
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(fixture.flags()).arg("--config").arg(&file);
    command.args(["--listen", "[::1]:547", "--bulk", "[::]:547"]);
    let lqd = Lqd::start_command(command, SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0));
    let server = SocketAddrV6::new(ONE, 547, 0, 0);
    let mut connection = Connection::bound(ONE, server, None);
    let query = Pattern::parse("{ 0e c00006  $me  002c { 04 2001:db8:5:: } }").example();
    let ask = |connection: &mut Connection, wanted: &str| {
        connection.send(&query);
        let answer = connection.receive();
        matches!(answer, Received::Message(message) if Pattern::parse(wanted).matches(&message, &(0..=0)))
    };
    assert!(ask(&mut connection, "0f c00006  $me $server"));
    let before = lqd.line_count();
    fs::write(&file, rule("query-types = ['relay-id']"))?;
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    let until = Until::patience();
    while !ask(&mut connection, "0f c00006  $me $server  000d { 000a text }") {
        assert!(until.pending(), "the query-type is allowed still");
    }
    fs::write(&file, rule("allow = false"))?;
    lqd.signal("HUP");
    let until = Until::patience();
    loop {
        match Connection::bound(ONE, server, None).receive_within(std::time::Duration::from_secs(1)) {
            Received::Closed | Received::Reset => return Ok(()),
            _ => assert!(until.pending(), "the requestor may connect still"),
        }
    }
}

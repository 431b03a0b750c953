//! Connections of active queries: settings, timers, reloads, and their end (RFC 7653 §6.4, §8.4, §9).

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::reader::{DATA, DONE, NOT_ALLOWED, QUERY_TERMINATED, REPLY, Reader, query, tells};
use super::row::Setup;
use super::run::await_reply;
use super::server::{LEASES, start, start_with};
use crate::conformance::bulk::run::is_open;
use crate::conformance::bulk::server::{Bulk, fixture};
use crate::support::fixture::{LEASES_HEADER, rows_at};
use crate::support::octets::Pattern;
use crate::support::{Connection, Lqd, Received, Requestor, Until};

/// A lease that no row of the lease file at the start has.
const NEW: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0xaa);
const NEW_ROW: &str =
    "2001:db8:5::aa,00:03:00:01:02:00:00:00:00:aa,4294967295,4102444800,5,4294967295,0,1,128,0,0,,,0,,1,0,0";

/// ORO with OPTION_LQ_BASE_TIME.
const BASE_TIME: &str = "0006 { 0064 }";

pub fn trials() -> Vec<Trial> {
    tests! {
        active_needs_its_own_switches,
        values_out_of_range_are_rejected,
        short_timeouts_are_warned_of,
        sigterm_terminates_active_queries,
        half_close_ends_the_active_query,
        an_active_connection_is_not_idle,
        a_reload_without_effect_leaves_the_query_open,
        a_reload_that_takes_access_away_ends_the_query,
        replaced_links_end_queries_by_link,
        incomplete_leases_refuse_new_queries,
        active_beside_bulk_on_another_connection,
        active_behind_an_open_bulk_query,
        data_is_encoded_as_in_bulk,
    }
}

fn change(server: &Bulk) {
    server.fixture.append_leases(&rows_at(NEW_ROW, 0));
}

/// AL2, AL3: neither `--bulk` nor `--active` alone is enough, and insecure mode has a word of its own.
fn active_needs_its_own_switches() -> Result<(), Failed> {
    let fixture = fixture("");
    for (flags, code) in [
        (&["--bulk", "[::1]:0", "--active", "insecure"][..], 0),
        (&["--active", "insecure"], 2),
        (&["--bulk", "[::1]:0", "--active", "on"], 2),
        (&["--bulk", "[::1]:0", "--active"], 2),
        // No certificate is configured.
        (&["--bulk", "[::1]:0", "--active", "tls"], 2),
    ] {
        let mut arguments = vec!["check".to_owned()];
        arguments.extend(fixture.flags());
        arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
        let ended = Lqd::run(&arguments);
        assert_eq!(ended.code, Some(code), "{flags:?}: {}{}", ended.stdout, ended.stderr);
    }
    Ok(())
}

fn values_out_of_range_are_rejected() -> Result<(), Failed> {
    let fixture = fixture("");
    for (flag, value) in [
        ("--active-history", "86401"),
        ("--active-history-size", "0"),
        ("--active-idle-timeout", "4"),
        ("--active-send-timeout", "4"),
    ] {
        let mut arguments = vec!["check".to_owned()];
        arguments.extend(fixture.flags());
        arguments.extend(["--bulk", "[::1]:0", "--active", "insecure", flag, value].map(str::to_owned));
        let ended = Lqd::run(&arguments);
        assert_eq!(ended.code, Some(2), "{flag} {value}: {}{}", ended.stdout, ended.stderr);
    }
    Ok(())
}

/// AL28: RFC 7653 §6.4 advises against timers below its defaults.
fn short_timeouts_are_warned_of() -> Result<(), Failed> {
    for (setting, seconds, warns) in [
        ("active-idle-timeout", 59, true),
        ("active-idle-timeout", 60, false),
        ("active-send-timeout", 119, true),
        ("active-send-timeout", 120, false),
    ] {
        let server = start_with(&format!("active = 'insecure'\n{setting} = {seconds}"), "")?;
        let warning = server.lqd.log().lines().any(|line| line.contains("WARN") && line.contains(setting));
        assert_eq!(warning, warns, "{setting} {seconds}: {}", server.lqd.log());
    }
    Ok(())
}

/// AL18, AL37, AL41: DONE with QueryTerminated and base-time, as the last message; the server exits with 0.
fn sigterm_terminates_active_queries() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut readers = Vec::new();
    for options in ["", BASE_TIME, "002c { 04 2001:db8:1:: }"] {
        readers.push(Reader::open(server.address, options)?);
    }
    server.lqd.signal("TERM");
    for reader in &mut readers {
        match reader.read_to_end()?.as_slice() {
            [done] => {
                let facts = (done.kind, done.status, done.base_time.is_some());
                assert_eq!(facts, (DONE, Some(QUERY_TERMINATED), true));
            }
            more => return Err(format!("{more:?}").into()),
        }
    }
    assert_eq!(server.lqd.exit_code(), 0);
    Ok(())
}

/// AL42: the server closes its side when the requestor has closed its own, and the place is free again.
fn half_close_ends_the_active_query() -> Result<(), Failed> {
    let server = start_with("active = 'insecure'\nbulk-connections = 2", LEASES)?;
    for _ in 0..5 {
        let mut reader = Reader::open(server.address, "")?;
        reader.connection.finish();
        let messages = reader.read_to_end()?;
        assert!(messages.iter().all(|message| message.kind == DONE), "{messages:?}");
    }
    // The requestor is gone without a word.
    for number in 0..5 {
        let until = Until::patience();
        while Reader::open(server.address, "").is_err() {
            assert!(until.pending(), "connection {number} is not served");
        }
    }
    Ok(())
}

/// AL43, AL27: `--bulk-timeout` is for connections that bring no query.
fn an_active_connection_is_not_idle() -> Result<(), Failed> {
    let server = start_with("active = 'insecure'\nactive-idle-timeout = 5\nbulk-timeout = 10", LEASES)?;
    let mut reader = Reader::open(server.address, "")?;
    let mut idle = Connection::new(server.address);
    for _ in 0..4 {
        let message = reader.next()?;
        assert_eq!((message.kind, message.status, &message.data), (DATA, None, &None));
    }
    assert!(matches!(idle.receive(), Received::Closed | Received::Reset), "a connection without a query");
    change(&server);
    reader.until(|update| tells(update, NEW))?;
    Ok(())
}

fn reload(server: &Bulk, toml: &str) -> Result<(), Failed> {
    let before = server.lqd.line_count();
    fs::write(server.fixture.directory().join("lqd.toml"), toml)?;
    server.lqd.signal("HUP");
    server.lqd.await_line(before, |line| line.contains("configuration applied"));
    Ok(())
}

/// AL54.
fn a_reload_without_effect_leaves_the_query_open() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut readers = [
        Reader::open(server.address, BASE_TIME)?,
        Reader::open(server.address, "002c { 04 2001:db8:5:: }")?,
        Reader::open(server.address, "002c { 02 ::  $caa }")?,
    ];
    reload(&server, Setup::Default.toml())?;
    change(&server);
    for reader in &mut readers {
        let update = reader.next()?;
        assert!(tells(&update, NEW), "{update:?}");
    }
    Ok(())
}

/// AL54: whether the requestor is not allowed any more, or its rights are others.
fn a_reload_that_takes_access_away_ends_the_query() -> Result<(), Failed> {
    for rule in ["allow = false", "active = false", "query-types = ['address']"] {
        let server = start_with("active = 'insecure'\nallow = ['::1']", LEASES)?;
        let mut reader = Reader::open(server.address, "002c { 02 ::  $caa }")?;
        reload(
            &server,
            &format!("active = 'insecure'\nallow = ['::1']\n[[access]]\nprefix = '::1'\n{rule}"),
        )?;
        change(&server);
        let messages = reader.read_to_end().map_err(|error| format!("{rule}: {error}"))?;
        let done = messages.last().ok_or_else(|| format!("{rule}: no DONE"))?;
        assert_eq!(done.kind, DONE, "{rule}: {done:?}");
        assert!(matches!(done.status, Some(QUERY_TERMINATED | NOT_ALLOWED)), "{rule}: {done:?}");
        assert!(!messages.iter().any(|update| tells(update, NEW)), "{rule}: told after the reload");
    }
    Ok(())
}

/// AL54: a link-address may name other links now; queries that name no link go on.
fn replaced_links_end_queries_by_link() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut by_link = Reader::open(server.address, &format!("{BASE_TIME}  002c {{ 04 2001:db8:5:: }}"))?;
    let mut of_client = Reader::open(server.address, "002c { 02 ::  $caa }")?;
    let config = fs::read_to_string(server.fixture.kea_config())?;
    let new = r#""subnet6": [ { "id": 77, "subnet": "2001:db8:77::/64" },"#;
    let (first, last) = config.rsplit_once(r#""subnet6": ["#).ok_or("no subnets")?;
    fs::write(server.fixture.kea_config(), format!("{first}{new}{last}"))?;
    reload(&server, Setup::Default.toml())?;
    let messages = by_link.read_to_end()?;
    let done = messages.last().ok_or("no DONE")?;
    let facts = (done.kind, done.status, done.base_time.is_some());
    assert_eq!(facts, (DONE, Some(QUERY_TERMINATED), true));
    change(&server);
    of_client.until(|update| tells(update, NEW))?;
    Reader::open(server.address, "002c { 04 2001:db8:77:: }")?;
    Ok(())
}

/// AL52: while the lease file is rewritten, new queries are refused; open ones go on, without removals.
fn incomplete_leases_refuse_new_queries() -> Result<(), Failed> {
    let server = start_with("active = 'insecure'\nwhen-stale = 'refuse'", LEASES)?;
    let mut before = Reader::open(server.address, "")?;
    let count = server.lqd.line_count();
    let mut file = File::create(server.fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    let rows = rows_at(&format!("{LEASES}{NEW_ROW}"), server.written);
    let (half, rest) = rows.split_at(60);
    file.write_all(half.as_bytes())?;
    server.lqd.await_line(count, |line| line.contains("kea-leases6.csv") && line.contains("being rewritten"));
    let until = Until::patience();
    loop {
        let mut connection = Connection::new(server.address);
        connection.send(&query(""));
        let (messages, _) = connection.receive_to_end();
        let reply = Reader::accept(messages.first().ok_or("no reply")?)?;
        if (reply.kind, reply.status) == (REPLY, Some(QUERY_TERMINATED)) {
            assert_eq!(messages.len(), 1);
            break;
        }
        assert!(until.pending(), "new queries are not refused: {reply:?}");
    }
    file.write_all(rest.as_bytes())?;
    drop(file);
    let update = before.until(|update| update.data.is_some())?;
    assert!(tells(&update, NEW), "the only change of the new file: {update:?}");
    Ok(())
}

/// AL38: RFC 7653 §9.4 calls both in parallel reasonable, on different connections.
fn active_beside_bulk_on_another_connection() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut reader = Reader::open(server.address, "")?;
    let mut other = Reader::open(server.address, "002c { 02 ::  $cab }")?;
    let mut bulk = Connection::new(server.address);
    is_open(&mut bulk)?;
    change(&server);
    let update = reader.next()?;
    assert!(tells(&update, NEW), "{update:?}");
    is_open(&mut bulk)?;
    other.connection.finish();
    assert!(other.read_to_end()?.iter().all(|message| message.data.is_none()));
    Ok(())
}

/// AL38: "no other request active at the time the request is made".
fn active_behind_an_open_bulk_query() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut connection = Connection::new(server.address);
    let bulk = Pattern::parse("{ 0e ab0001  $me  002c { 04 2001:db8:1:: } }").example();
    connection.send(&[bulk, query(BASE_TIME)].concat());
    let (messages, end) = connection.receive_to_end();
    assert_eq!(end, Received::Closed);
    let (active, bulk): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.get(1..4) == Some(&[0xac, 0, 1]));
    let [reply] = active.as_slice() else { return Err(format!("{active:02x?}").into()) };
    let reply = Reader::accept(reply)?;
    let facts = (reply.kind, reply.status, reply.base_time.is_some());
    assert_eq!(facts, (REPLY, Some(NOT_ALLOWED), true));
    // The bulk query is answered or terminated, not left without its end.
    let last = bulk.last().ok_or("no answer to the bulk query")?;
    let is_done = last.first() == Some(&DONE);
    let is_refused = Pattern::parse("0f ab0001  $me $server  000d { 000b text }").matches(last, &(0..=0));
    assert!(is_done || is_refused, "{last:02x?}");
    Ok(())
}

/// AL31: RFC 7653 §3 wants the data encoded as in bulk leasequery.
fn data_is_encoded_as_in_bulk() -> Result<(), Failed> {
    let server = start(Setup::Default)?;
    let mut active = Connection::new(server.address);
    active.send(&query("002c { 02 ::  $c02  0006 { 002f 0017 } }"));
    assert!(matches!(active.receive(), Received::Message(_)));
    // One more address of a client that has an address and a prefix.
    let row = "2001:db8:2::2aa,00:03:00:01:02:00:00:00:00:02,4294967295,4102444800,2,4294967295,0,7,128,0,0,,,0,,1,0,0";
    server.fixture.append_leases(&rows_at(row, 0));
    let Received::Message(update) = active.receive() else { return Err("no update".into()) };
    let mut bulk = Connection::new(server.address);
    bulk.send(&Pattern::parse("{ 0e ac0001  $me  002c { 02 ::  $c02  0006 { 002f 0017 } } }").example());
    let Received::Message(reply) = bulk.receive() else { return Err("no reply".into()) };
    let data = |message: &[u8]| {
        let options = crate::support::message::options(&message[4..])?;
        let data = crate::support::message::single(&options, 45)?;
        data.map(<[u8]>::to_vec).ok_or_else(|| "no CLIENT_DATA".to_owned())
    };
    assert_eq!(data(&update)?, data(&reply)?);
    await_reply(
        &Requestor::new(server.lqd.address),
        "0e ac0001  $me  002c { 01 ::  0005 { 2001:db8:2::2aa $zero } }",
        "0f ac0001  $me $server
         002d { $c02  0005 { 2001:db8:2::202 $inf }  0005 { 2001:db8:2::2aa $inf }
                001a { $inf 38 2001:db8:a002:200:: }  $clt0 }",
    )?;
    Ok(())
}

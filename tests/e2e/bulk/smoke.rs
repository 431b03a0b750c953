//! Bulk leasequery as a whole: queries, counters, query log, limits, reload and end.

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::server::{await_bulk, bulk_flag, frame, start, with_admin};
use crate::conformance::fixture;
use crate::support::http::get_unix;
use crate::support::octets::{Pattern, octets};
use crate::support::stream::Connection;
use crate::support::{Lqd, Requestor};

/// A query of a query-type that does not exist: answered without leases.
const QUERY: &str = "0e b00001  $me  002c 0011 63 ::";
/// The answer: UnknownQueryType, and no message after it.
const ANSWER: &str = "0f b00001  $me $server  000d { 0007 text }";
/// A query about all clients of a link.
const BY_LINK: &str = "0e b00002  $me  002c 0011 04 2001:db8:3::";

pub fn trials() -> Vec<Trial> {
    tests! {
        queries_are_answered_and_counted,
        the_query_log_has_finished_queries,
        a_requestor_that_is_not_allowed_is_closed_at_once,
        connections_are_limited,
        a_reload_applies_to_open_connections,
        the_end_closes_connections,
        a_new_server_takes_the_port_over,
        check_says_what_is_offered,
    }
}

/// Sends the query, and compares the answer.
fn ask(connection: &mut Connection) {
    connection.send(&frame(&octets(QUERY)));
    let reply = connection.message().expect("an answer");
    assert!(Pattern::parse(ANSWER).matches(&reply, &(0..=0)), "{reply:02x?}");
}

fn queries_are_answered_and_counted() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, bulk) = start(&with_admin(&fixture, &[]));
    let ready = lqd.line_with("lqd ready").ok_or("it was seen at the start")?;
    assert!(ready.contains(&bulk.to_string()), "{ready}");
    lqd.await_line(0, |line| line.contains("bulk leasequery listens") && line.contains(&bulk.to_string()));
    let mut connection = Connection::new(bulk);
    ask(&mut connection);
    // Octet by octet, and behind it the end.
    frame(&octets(QUERY)).iter().for_each(|octet| connection.send(&[*octet]));
    connection.finish();
    let rest = connection.receive_to_end().0;
    assert_eq!(rest.len(), 1, "an error has no DONE");
    assert!(Pattern::parse(ANSWER).matches(&rest[0], &(0..=0)), "{rest:02x?}");

    // Over UDP, the query-types of bulk leasequery are not allowed (RFC 5460 §4).
    let (reply, _) = Requestor::new(lqd.address).ask(&octets(BY_LINK)).ok_or("it is answered")?;
    let not_allowed = Pattern::parse("0f b00002  $me $server  000d { 000a text }");
    assert!(not_allowed.matches(&reply, &(0..=0)), "{reply:02x?}");

    let bulk = await_bulk(&fixture, |bulk| bulk["connections"]["closed"]["by_peer"] == 1)?;
    let connections = &bulk["connections"];
    assert_eq!(
        (&connections["open"], &connections["accepted"]),
        (&Value::from(0), &Value::from(1)),
        "{bulk}"
    );
    assert_eq!((&bulk["messages"], &bulk["bindings"]), (&Value::from(2), &Value::from(0)), "{bulk}");
    let metrics = get_unix(&fixture.admin_socket(), "/metrics").body;
    for line in [
        "lqd_bulk_connections 0",
        "lqd_bulk_connections_total 1",
        "lqd_bulk_closed_connections_total{reason=\"by_peer\"} 1",
        "lqd_bulk_outcomes_total{outcome=\"unknown_query_type\"} 2",
        "lqd_bulk_queries_total{query_type=\"unknown\"} 2",
        "lqd_bulk_queries_total{query_type=\"by_remote_id\"} 0",
        "lqd_bulk_received_octets_total 82",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn the_query_log_has_finished_queries() -> Result<(), Failed> {
    let fixture = fixture();
    let log = fixture.directory().join("queries.log");
    let log_flag = format!("--query-log={}", log.display());
    let (lqd, bulk) = start(&with_admin(&fixture, &[&log_flag]));
    ask(&mut Connection::new(bulk));
    assert_eq!(lqd.stop(), 0);
    let text = fs::read_to_string(&log)?;
    let line: Value = serde_json::from_str(text.trim_end())?;
    for (field, value) in [
        ("transport", "tcp"),
        ("transaction", "b00001"),
        ("query", "unknown"),
        ("outcome", "unknown_query_type"),
        ("status", "UnknownQueryType"),
        ("requestor", "::1"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!((&line["bindings"], &line["messages"]), (&Value::from(0), &Value::from(1)), "{line}");
    Ok(())
}

fn a_requestor_that_is_not_allowed_is_closed_at_once() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, bulk) = start(&with_admin(&fixture, &["--allow=2001:db8::/32"]));
    assert_eq!(Connection::new(bulk).message(), None);
    await_bulk(&fixture, |bulk| bulk["connections"]["refused"]["not_allowed"] == 1)?;
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn connections_are_limited() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, bulk) = start(&with_admin(&fixture, &["--bulk-connections=2"]));
    let mut first = Connection::new(bulk);
    ask(&mut first);
    assert_eq!(Connection::new(bulk).message(), None, "the last one is kept for another address");
    await_bulk(&fixture, |bulk| bulk["connections"]["refused"]["last_slot"] == 1)?;
    lqd.await_line(0, |line| line.contains("bulk connections refused"));
    ask(&mut first);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn a_reload_applies_to_open_connections() -> Result<(), Failed> {
    let fixture = fixture();
    let config = fixture.directory().join("lqd.toml");
    fs::write(&config, "allow = ['::1']\n")?;
    let (lqd, bulk) = start(&with_admin(&fixture, &["--config", &config.display().to_string()]));
    let mut connection = Connection::new(bulk);
    ask(&mut connection);
    fs::write(&config, "allow = ['::1']\n[[access]]\nprefix = '::1'\nallow = false\n")?;
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    connection.send(&frame(&octets(QUERY)));
    let reply = connection.message().ok_or("a reply")?;
    let not_allowed = Pattern::parse("0f b00001  $me $server  000d { 000a text }");
    assert!(not_allowed.matches(&reply, &(0..=0)), "{reply:02x?}");
    assert_eq!(Connection::new(bulk).message(), None);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn the_end_closes_connections() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, bulk) = start(&with_admin(&fixture, &[]));
    let mut connection = Connection::new(bulk);
    ask(&mut connection);
    lqd.signal("TERM");
    assert_eq!(connection.message(), None);
    assert_eq!(lqd.exit_code(), 0);
    Ok(())
}

fn a_new_server_takes_the_port_over() -> Result<(), Failed> {
    let fixture = fixture();
    let (_, flag) = bulk_flag();
    let flags = [fixture.flags(), flag.clone()].concat();
    let old = Lqd::start(&flags);
    let new = Lqd::start(&flags);
    assert_eq!(old.stop(), 0);
    ask(&mut Connection::new(flag[1].parse()?));
    assert_eq!(new.stop(), 0);
    Ok(())
}

fn check_says_what_is_offered() -> Result<(), Failed> {
    let fixture = fixture();
    let check = |more: &[&str]| {
        let more = more.iter().map(ToString::to_string).collect();
        Lqd::run(&[vec!["check".to_owned()], fixture.flags(), more].concat())
    };
    let offered = check(&["--bulk=[::1]:1547", "--bulk-timeout=60"]);
    assert_eq!(offered.code, Some(0), "{offered:?}");
    let has = |part: &str| offered.stdout.lines().any(|line| line.contains(part));
    assert!(has("[::1]:1547: 10 connections, 8 queries on each"), "{offered:?}");
    assert!(has("--bulk-timeout 60 is below 300 seconds"), "{offered:?}");
    assert!(check(&[]).stdout.contains("bulk           off"));
    Ok(())
}

//! Bulk leasequery with many connections at once.

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::server::{await_bulk, frame, start, with_admin};
use crate::conformance::fixture;
use crate::support::octets::{Pattern, octets};
use crate::support::stream::{Connection, Received};

/// A query of a query-type that does not exist: answered without leases.
const QUERY: &str = "0e b00011  $me  002c 0011 63 ::";
/// The answer: UnknownQueryType.
const ANSWER: &str = "0f b00011  $me $server  000d { 0007 text }";

/// Connections that are open at a time, within the usual limit of open files.
const AT_A_TIME: usize = 200;
/// Times that so many connect: 10,000 connections in all.
const WAVES: usize = 50;

pub fn trials() -> Vec<Trial> {
    tests! {
        ten_thousand_connections_leave_the_server_alone,
        each_thread_serves_connections,
    }
}

fn is_answered(connection: &mut Connection) -> bool {
    connection.send(&frame(&octets(QUERY)));
    match connection.receive() {
        Received::Message(reply) => Pattern::parse(ANSWER).matches(&reply, &(0..=0)),
        _ => false,
    }
}

/// Most are refused, as too many are open; of the others, half end within a frame. Then all are free again.
fn ten_thousand_connections_leave_the_server_alone() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, bulk) = start(&with_admin(&fixture, &["--bulk-connections=100"]));
    for wave in 0..WAVES {
        let mut open: Vec<_> = (0..AT_A_TIME).map(|_| Connection::new(bulk)).collect();
        let half = frame(&octets(QUERY));
        open.iter_mut().step_by(2).for_each(|connection| connection.send(&half[..half.len() / 2]));
        drop(open);
        let seen = ((wave + 1) * AT_A_TIME) as u64;
        await_bulk(&fixture, |bulk| {
            let connections = &bulk["connections"];
            let refused = connections["refused"].as_object().into_iter().flat_map(|counts| counts.values());
            let refused: u64 = refused.filter_map(Value::as_u64).sum();
            connections["open"] == 0 && connections["accepted"].as_u64().unwrap_or(0) + refused >= seen
        })?;
    }
    let mut all: Vec<_> = (0..99).map(|_| Connection::new(bulk)).collect();
    assert!(all.iter_mut().all(is_answered), "a connection is lost");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn each_thread_serves_connections() -> Result<(), Failed> {
    let fixture = fixture();
    let flags = ["--bulk-threads=3", "--bulk-connections=100"];
    let (lqd, bulk) = start(&with_admin(&fixture, &flags));
    let tasks = fs::read_dir(format!("/proc/{}/task", lqd.pid()))?;
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    assert_eq!(names.filter(|name| name.starts_with("lqd-stream")).count(), 3);
    let mut open: Vec<_> = (0..60).map(|_| Connection::new(bulk)).collect();
    for _ in 0..3 {
        assert!(open.iter_mut().all(is_answered), "a connection is not served");
    }
    let counted = await_bulk(&fixture, |bulk| bulk["messages"] == 180)?;
    assert_eq!(counted["connections"]["open"], 60);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

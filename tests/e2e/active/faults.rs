//! Active queries that end early, and readers that do not read.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv6Addr;

use libtest_mimic::{Failed, Trial};

use super::reader::{NOT_ALLOWED, QUERY_TERMINATED, Reader, address, append, fixture, row, serve};
use crate::bulk::server::{await_bulk, frame};
use crate::support::octets::octets;
use crate::support::stream::Connection;

/// Receive buffer of readers that stall, in bytes.
const SMALL: usize = 4096;

pub fn trials() -> Vec<Trial> {
    tests! {
        the_end_of_the_server_ends_queries,
        a_reload_that_forbids_active_queries_ends_them,
        a_reset_is_counted,
        a_stalled_reader_holds_up_no_other,
        a_reader_that_the_history_overruns_is_disconnected,
    }
}

fn the_end_of_the_server_ends_queries() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let mut reader = Reader::all(server);
    lqd.signal("TERM");
    let done = reader.told();
    assert_eq!((done.kind, done.status), (16, Some(QUERY_TERMINATED)));
    reader.assert_closed();
    assert_eq!(lqd.exit_code(), 0);
    Ok(())
}

fn a_reload_that_forbids_active_queries_ends_them() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let config = fixture.directory().join("lqd.toml");
    fs::write(&config, "allow = ['::1']\n")?;
    let (lqd, server) = serve(&fixture, &["--config", &config.display().to_string()]);
    let mut reader = Reader::all(server);
    fs::write(&config, "allow = ['::1']\n[[access]]\nprefix = '::1'\nactive = false\n")?;
    lqd.signal("HUP");
    let done = reader.told();
    assert_eq!(done.kind, 16, "{done:?}");
    reader.assert_closed();
    let mut reader = Reader::ask(server, "16 a00001  $me");
    let reply = reader.told();
    assert_eq!((reply.kind, reply.status), (15, Some(NOT_ALLOWED)));
    reader.assert_closed();
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn a_reset_is_counted() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let reader = Reader::all(server);
    append(&fixture, 2, 4000, "now", 0);
    // An octet that is never read makes the kernel reset the connection when it is dropped.
    await_bulk(&fixture, |bulk| {
        bulk["active"]["behind_entries"] == 0 && bulk["active"]["log"]["entries"] == 1
    })?;
    drop(reader);
    let counted = await_bulk(&fixture, |bulk| bulk["active"]["sessions"] == 0)?;
    assert_eq!(counted["outcomes"]["abandoned"], 1, "{counted}");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Rows of a client each, more than sockets hold as messages.
fn many(round: u32) -> String {
    const CLIENTS: u32 = 40_000;
    (0..CLIENTS).fold(String::new(), |mut rows, client| {
        let [.., a, b, c] = client.to_be_bytes();
        let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 1, a.into(), u16::from_be_bytes([b, c]));
        let duid = format!("00:03:00:01:02:00:09:{a:02x}:{b:02x}:{c:02x}");
        let valid = 5000 + round;
        let _ = writeln!(rows, "{address},{duid},{valid},now,1,{valid},0,1,128,0,0,,,0,,1,0,0");
        rows
    })
}

fn stalled(server: std::net::SocketAddrV6) -> Connection {
    let mut connection = Connection::bound(Ipv6Addr::LOCALHOST, server, Some(SMALL));
    connection.send(&frame(&octets("16 a00001  $me")));
    assert!(connection.message().is_some(), "a reply");
    connection
}

fn a_stalled_reader_holds_up_no_other() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &["--bulk-connections=10"]);
    let _stalled = stalled(server);
    let mut readers: Vec<_> = (0..4).map(|_| Reader::all(server)).collect();
    fixture.append_leases(&fixture.rows(&many(0)));
    append(&fixture, 2, 4000, "now", 0);
    for reader in &mut readers {
        assert!(reader.about(2).bindings[&address(2)].1 > 0);
    }
    let behind = await_bulk(&fixture, |bulk| bulk["active"]["log"]["appended"]["put"] == 40_001)?;
    assert_eq!(behind["active"]["sessions"], 5, "{behind}");
    assert_ne!(behind["active"]["behind_entries"], 0, "one lags");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn a_reader_that_the_history_overruns_is_disconnected() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &["--active-history-size=1"]);
    let mut reader = stalled(server);
    for round in 0..4 {
        fixture.append_leases(&fixture.rows(&many(round)));
    }
    await_bulk(&fixture, |bulk| bulk["active"]["log"]["appended"]["put"] == 160_000)?;
    let (messages, _) = reader.receive_to_end();
    let done = messages.last().ok_or("a message")?;
    assert_eq!((done[0], &done[4..6], &done[8..10]), (16, &[0, 13][..], &[0, 11][..]), "{done:02x?}");
    await_bulk(&fixture, |bulk| bulk["outcomes"]["overrun"] == 1)?;
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

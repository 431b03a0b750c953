//! Leases that are incomplete or stale: never a clean end, never "no binding" (RFC 5460 §5.5, §7.2).

use std::fs::File;
use std::io::Write as _;

use libtest_mimic::{Failed, Trial};

use super::run::is_open;
use super::server::{Bulk, fixture};
use crate::support::fixture::LEASES_HEADER;
use crate::support::octets::Pattern;
use crate::support::{Connection, Received, Until};

pub fn trials() -> Vec<Trial> {
    tests! { incomplete_leases }
}

/// B52: while the lease file is rewritten, queries are refused; afterwards the same connection is answered.
fn incomplete_leases() -> Result<(), Failed> {
    let leases = include_str!("../../../data/conformance/bulk/leases.csv");
    let server = Bulk::with(fixture(leases), &["--when-stale", "refuse"]);
    let mut connection = Connection::new(server.address);
    let before = server.lqd.line_count();
    let mut file = File::create(server.fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    let row = "2001:db8:5::5,00:03:00:01:02:00:00:00:00:55,4294967295,4102444800,5,4294967295,0,1,128,0,0,,,0,,1,0,0";
    let row = server.fixture.rows(row);
    let (half, rest) = row.split_at(60);
    file.write_all(half.as_bytes())?;
    server
        .lqd
        .await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("being rewritten"));
    for query in
        ["02 ::  $c01", "02 ::  $cff", "03 ::  $relay-a", "04 2001:db8:1::", "05 ::  0025 { 00000009 aabb }"]
    {
        await_answer(&mut connection, query, "0f e00001  $me $server  000d { 000b text }")?;
    }
    // What is wrong with the query itself, or with the requestor, is told as ever.
    await_answer(&mut connection, "04 ::", "0f e00001  $me $server  000d { 0008 text }")?;
    is_open(&mut connection)?;
    file.write_all(rest.as_bytes())?;
    drop(file);
    await_answer(&mut connection, "04 2001:db8:1::", "0f e00001  $me $server")?;
    Ok(())
}

/// Asks until the answer is one message of this pattern.
fn await_answer(connection: &mut Connection, query: &str, wanted: &str) -> Result<(), Failed> {
    let octets = Pattern::parse(&format!("{{ 0e e00001  $me  002c {{ {query} }} }}")).example();
    let (pattern, until) = (Pattern::parse(wanted), Until::patience());
    loop {
        connection.send(&octets);
        loop {
            match connection.receive() {
                Received::Message(message) if pattern.matches(&message, &(0..=0)) => return Ok(()),
                // Messages of an answer before its end.
                Received::Message(message)
                    if message[0] != 16 && message.windows(2).any(|code| code == [0, 45]) => {}
                Received::Message(_) => break,
                other => return Err(format!("{query}: {other:?}").into()),
            }
        }
        assert!(until.pending(), "{query}: the awaited answer did not come");
    }
}

//! Changes since a time: catch-up, history that is missing, and what a restart leaves.

use libtest_mimic::{Failed, Trial};

use super::reader::{
    CATCH_UP_COMPLETE, DATA_MISSING, QUERY_TERMINATED, Reader, address, append, fixture, row, serve,
};
use crate::bulk::server::bulk_flag;
use crate::support::fixture::seconds_since_1970;
use crate::support::lqd::Lqd;

pub fn trials() -> Vec<Trial> {
    tests! {
        missed_changes_are_told_then_live_ones,
        changes_from_before_the_start_are_missing,
        a_successor_has_no_history,
    }
}

fn missed_changes_are_told_then_live_ones() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let mut live = Reader::all(server);
    append(&fixture, 2, 4000, "now", 0);
    live.about(2);
    // The second in which the log began is not in it as a whole.
    let start = loop {
        let now = seconds_since_1970();
        if Reader::since(server, now).told().status.is_none() {
            break now;
        }
    };
    append(&fixture, 3, 4000, "now", 0);
    append(&fixture, 1, 5000, "now", 3);
    live.about(1);
    drop(live);
    let mut reader = Reader::since(server, start);
    let reply = reader.told();
    assert_eq!((reply.kind, reply.status), (15, None), "{reply:?}");
    let mut told = Vec::new();
    let complete = loop {
        let message = reader.told();
        if message.client.is_none() {
            break message;
        }
        told.extend(message.bindings);
    };
    assert_eq!((complete.kind, complete.status), (17, Some(CATCH_UP_COMPLETE)));
    let last = |wanted| told.iter().rev().find(|(address, _)| *address == wanted).map(|(_, left)| left.1);
    assert_eq!((last(address(1)), last(address(3)).is_some_and(|valid| valid > 0)), (Some(0), true));
    append(&fixture, 4, 4000, "now", 0);
    assert!(reader.about(4).bindings[&address(4)].1 > 0);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn changes_from_before_the_start_are_missing() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (lqd, server) = serve(&fixture, &[]);
    let mut reader = Reader::since(server, fixture.now - 100);
    let reply = reader.told();
    assert_eq!((reply.kind, reply.status), (15, Some(DATA_MISSING)));
    assert!(reply.base_time.is_some(), "the requestor goes on from there");
    append(&fixture, 2, 4000, "now", 0);
    assert!(reader.told().bindings[&address(2)].1 > 0, "changes follow");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn a_successor_has_no_history() -> Result<(), Failed> {
    let fixture = fixture(&row(1, 5000, "now", 0));
    let (server, bulk) = bulk_flag();
    let flags = [fixture.flags(), bulk, vec!["--active=insecure".to_owned()]].concat();
    let old = Lqd::start(&flags);
    let mut reader = Reader::all(server);
    append(&fixture, 2, 4000, "now", 0);
    reader.about(2);
    let new = Lqd::start(&flags);
    assert_eq!(old.stop(), 0);
    let done = reader.told();
    assert_eq!((done.kind, done.status), (16, Some(QUERY_TERMINATED)));
    let mut reader = Reader::since(server, fixture.now);
    assert_eq!(reader.told().status, Some(DATA_MISSING));
    append(&fixture, 3, 4000, "now", 0);
    assert!(reader.about(3).bindings[&address(3)].1 > 0);
    assert_eq!(new.stop(), 0);
    Ok(())
}

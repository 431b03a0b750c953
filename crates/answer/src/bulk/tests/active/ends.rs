//! Ends of active queries, and queries that are refused.

use super::*;

/// A live query with transaction-id 7.
fn begun(rows: &[Row]) -> Live {
    let mut live = Live::new(rows);
    // The rule by which access rules are replaced below.
    live.rig.allow(|_| {});
    live.ask(&active(7, &[]));
    live
}

#[test]
fn the_requestors_end_is_the_end_of_the_query() {
    let mut live = begun(&[]);
    live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
    live.session.receive_end();
    assert_eq!(live.drain(), (vec![], true));
    assert_eq!(live.outcomes(), [BulkOutcome::ActiveEnded]);
    let mut live = begun(&[]);
    live.session.abandon();
    assert_eq!((live.drain(), live.outcomes()), ((vec![], true), vec![BulkOutcome::Abandoned]));
}

#[test]
fn a_further_query_is_refused_and_ends_the_active_one() {
    let interrupted = done(7, 11, "another message came on the connection of an active query");
    let not_alone = status(10, "an active query must be alone on its connection");
    for second in [by_relay_id(8), active(8, &[])] {
        let mut live = begun(&[]);
        let refused = framed(15, 8, &[ids(), not_alone.clone()]);
        assert_eq!(live.ask(&second), ([refused, interrupted.clone()].concat(), true));
        assert_eq!(live.outcomes(), [BulkOutcome::ActiveNotAlone, BulkOutcome::ActiveInterrupted]);
    }
    // A message that is no query, and the same transaction-id again.
    for second in [framed(1, 8, &[option(1, REQUESTOR)]), active(7, &[])] {
        let mut live = begun(&[]);
        assert_eq!(live.ask(&second), (interrupted.clone(), true));
    }
}

#[test]
fn an_active_query_beside_a_bulk_query_is_refused() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    let owed = live.rig.answer(&by_relay_id(5)).0;
    let not_alone = status(10, "an active query must be alone on its connection");
    let (sent, is_closed) = live.ask(&[by_relay_id(5), active(8, &[])].concat());
    assert!(is_closed);
    let refused = framed(15, 8, &[ids(), not_alone]);
    // The queries take turns.
    assert_eq!(sent.len(), owed.len() + refused.len());
    assert!(sent.windows(refused.len()).any(|octets| octets == refused));
}

#[test]
fn broken_queries_get_a_status_and_are_closed() {
    let malformed = status(8, "malformed query option");
    let cases = [
        vec![time_option(102, NOW)],
        vec![option(101, &[0; 3])],
        vec![time_option(101, NOW), time_option(101, NOW)],
        vec![option(6, &[0])],
        vec![option(44, &[0; 16])],
        vec![option(44, &[&[3][..], &[0; 16]].concat())],
        vec![option(44, &[&[4][..], &octets("2001:db8:1::1")].concat()); 2],
    ];
    for options in cases {
        let mut live = Live::new(&[]);
        assert_eq!(live.ask(&active(7, &options)), (framed(15, 7, &[ids(), malformed.clone()]), true));
        assert_eq!(live.outcomes(), [BulkOutcome::MalformedQuery]);
    }
    let mut live = Live::new(&[]);
    let unknown = option(44, &[&[4][..], &octets("2001:db8:9::1")].concat());
    let told = status(9, "address or link not configured on this server");
    let told = framed(15, 7, &[ids(), told, time_option(100, NOW)]);
    assert_eq!(live.ask(&active(7, &[base_time_requested(), unknown])), (told, true));
}

#[test]
fn incomplete_leases_are_no_beginning() {
    let mut live = Live::new(&[]);
    live.rig.writer.set_incomplete(true);
    let text = "leases are incomplete; try again later or ask another server";
    assert_eq!(live.ask(&active(7, &[])), (framed(15, 7, &[ids(), status(11, text)]), true));
}

#[test]
fn a_rule_may_forbid_active_queries() {
    let text = "requestor not authorized for active leasequery";
    let mut live = Live::new(&[]);
    live.rig.allow(|rights| rights.active = false);
    assert_eq!(live.ask(&active(7, &[])), (framed(15, 7, &[ids(), status(10, text)]), true));
    let mut live = begun(&[]);
    live.rig.allow(|rights| rights.active = false);
    assert_eq!(live.drain(), (done(7, 10, text), true));
    let mut live = begun(&[]);
    live.rig.allow(|rights| rights.allow = false);
    assert_eq!(live.drain(), (done(7, 10, "requestor not authorized"), true));
    let mut live = begun(&[]);
    live.rig.allow(|rights| rights.sensitive = vec![lqd_wire::OptionCode(79)]);
    assert_eq!(live.drain(), (done(7, 11, "access rules changed; query again"), true));
    assert_eq!(live.outcomes(), [BulkOutcome::AccessChanged]);
}

#[test]
fn new_links_end_a_query_by_link_only() {
    let by_link = option(44, &[&[4][..], &octets("2001:db8:1::1")].concat());
    for (options, ends) in [(vec![by_link], true), (vec![], false)] {
        let mut live = Live::new(&[]);
        live.ask(&active(7, &options));
        live.rig.writer.set_links(Links::default());
        let end = done(7, 11, "leases or links were replaced; query again");
        assert_eq!(live.drain(), if ends { (end, true) } else { (vec![], false) });
    }
}

/// Changes that overrun a history of a few chunks.
fn overrun(live: &mut Live) {
    for number in 0..20_000_u32 {
        let address = format!("2001:db8:1::{:x}:{:x}", 1 + number / 1000, number % 1000);
        live.put(&[row(1, &address, 128, 1)]);
        live.remove(&address);
    }
}

#[test]
fn a_live_query_ends_when_its_changes_left_the_history() {
    let mut live = Live::with_history(&[], ChangeLogLimits { seconds: 600, bytes: 1 << 16 });
    live.ask(&active(7, &[base_time_requested()]));
    live.clock.store(NOW + 9, Ordering::Relaxed);
    overrun(&mut live);
    let text = "requestor too slow, changes left the history; query again";
    // Nothing was sent since the first second.
    let end = framed(16, 7, &[status(11, text), time_option(100, NOW)]);
    assert_eq!(live.drain(), (end, true));
    assert_eq!(live.outcomes(), [BulkOutcome::Overrun]);
}

#[test]
fn a_catch_up_that_is_overrun_goes_on_live() {
    let mut live = Live::with_history(&[], ChangeLogLimits { seconds: 600, bytes: 1 << 16 });
    // More than one call sends.
    let rows: Vec<_> = (0..1500_u32)
        .map(|client| {
            let mut row = row(0, &format!("2001:db8:1::{client:x}"), 128, 1);
            row.duid = [&[0, 1][..], &client.to_be_bytes()].concat();
            row
        })
        .collect();
    live.put(&rows[..1000]);
    live.put(&rows[1000..]);
    live.receive(&active(7, &[time_option(101, NOW)]));
    let mut out = Vec::new();
    assert!(matches!(live.send(&mut out), Progress::Octets(_)));
    assert!(!live.session.active().unwrap().is_live);
    overrun(&mut live);
    let (rest, is_closed) = live.drain();
    let text = "some changes since the start time are not in the history any more";
    let missing = framed(17, 7, &[status(12, text), time_option(100, NOW)]);
    assert!(!is_closed && rest.windows(missing.len()).any(|octets| octets == missing));
    assert!(live.session.active().unwrap().is_live);
    live.put(&[row(2, "2001:db8:2::1", 128, 2)]);
    assert_eq!(live.drain(), (data(7, &[0, 1, 2], &[iaaddr("2001:db8:2::1")]), false));
}

#[test]
fn lost_changes_end_the_query() {
    let mut live = begun(&[row(1, "2001:db8:1::1", 128, 1)]);
    // More unreadable leases than the log remembers.
    let rows: Vec<_> = (0..5000_u32).map(|host| row(1, &format!("2001:db8:2::{host:x}"), 128, 2)).collect();
    live.put(&rows);
    live.drain();
    let mut batch = Batch::new();
    for row in &rows {
        batch.unreadable(row.address, 128, &row.duid).unwrap();
    }
    live.rig.writer.apply(&batch);
    let (sent, is_closed) = live.drain();
    assert!(is_closed && sent.ends_with(&done(7, 11, "some changes are not known; query again")));
    assert_eq!(live.outcomes(), [BulkOutcome::ChangesLost]);
}

#[test]
fn a_stopping_server_tells_the_time_asked_for_or_not() {
    let mut live = begun(&[]);
    live.clock.store(NOW + 3, Ordering::Relaxed);
    live.session.terminate();
    let text = "server is shutting down; ask another server";
    assert_eq!(live.drain(), (framed(16, 7, &[status(11, text), time_option(100, NOW + 3)]), true));
}

//! Filters: a change is told if the lease matched before or matches after it.

use super::*;

const FIRST: [u8; 3] = [0, 1, 1];

/// OPTION_LQ_QUERY of this type.
fn filter(query_type: u8, link: &str, options: &[Vec<u8>]) -> Vec<u8> {
    option(44, &[&[query_type], &octets(link)[..], &options.concat()].concat())
}

/// Another lease than those asked for: other DUID, link, relay agent and address.
fn other() -> Row {
    Row { options: relay_data(&[0, 3, 0, 1, 0x78], &[0, 0, 0, 9, 0x62]), ..row(9, "2001:db8:2::9", 128, 2) }
}

#[test]
fn each_type_selects_its_leases_before_or_after_a_change() {
    let cases = [
        filter(1, "::", &[iaaddr("2001:db8:1::1")]),
        filter(2, "::", &[option(1, &FIRST)]),
        filter(3, "::", &[option(53, RELAY_ID)]),
        filter(4, "2001:db8:1::1", &[]),
        filter(5, "::", &[option(37, REMOTE_ID)]),
    ];
    for asked in cases {
        let mut live = Live::new(&[]);
        assert_eq!(live.ask(&active(7, std::slice::from_ref(&asked))), (reply(7), false));
        live.put(&[row(1, "2001:db8:1::1", 128, 1), other()]);
        assert_eq!(live.drain().0, data(7, &FIRST, &[iaaddr("2001:db8:1::1")]), "{asked:?}");
        live.remove("2001:db8:2::9");
        live.remove("2001:db8:1::1");
        assert_eq!(live.drain().0, data(7, &FIRST, &[ended("2001:db8:1::1")]), "{asked:?}");
    }
}

#[test]
fn a_lease_that_leaves_the_filter_is_told_as_ended() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1), row(1, "2001:db8:1::2", 128, 1)]);
    live.ask(&active(7, &[filter(3, "::", &[option(53, RELAY_ID)])]));
    let moved = Row { options: other().options, ..row(1, "2001:db8:1::1", 128, 1) };
    live.put(std::slice::from_ref(&moved));
    assert_eq!(live.drain().0, data(7, &FIRST, &[ended("2001:db8:1::1"), iaaddr("2001:db8:1::2")]));
    // Renewals outside the filter are none of the requestor's changes.
    live.put(&[moved]);
    assert_eq!(live.drain().0, []);
    // It comes back.
    live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
    assert_eq!(live.drain().0, data(7, &FIRST, &[iaaddr("2001:db8:1::1"), iaaddr("2001:db8:1::2")]));
}

#[test]
fn a_restricted_requestor_is_told_of_leases_that_it_relayed() {
    let mut live = Live::new(&[]);
    live.rig.restrict("2001:db8:1::1");
    live.ask(&active(7, &[]));
    // Of another relay agent, on another link.
    let hidden = Row { options: Vec::new(), ..other() };
    live.put(&[hidden, row(1, "2001:db8:1::1", 128, 1)]);
    assert_eq!(live.drain().0, data(7, &FIRST, &[iaaddr("2001:db8:1::1")]));
    live.remove("2001:db8:2::9");
    live.remove("2001:db8:1::1");
    assert_eq!(live.drain().0, data(7, &FIRST, &[ended("2001:db8:1::1")]));
}

#[test]
fn requested_options_come_with_each_change() {
    let mut live = Live::new(&[]);
    live.ask(&active(7, &[option(6, &[0, 47])]));
    live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
    let parts = [
        option(1, &FIRST),
        iaaddr("2001:db8:1::1"),
        option(46, &[0, 0, 0, 100]),
        relay_data(RELAY_ID, REMOTE_ID),
    ];
    assert_eq!(live.drain().0, framed(17, 7, &[option(45, &parts.concat())]));
}

#[test]
fn a_missing_lease_is_not_told_as_ended_while_leases_are_incomplete() {
    let mut lease = row(1, "2001:db8:1::1", 128, 1);
    let mut live = Live::new(&[lease.clone(), row(2, "2001:db8:1::2", 128, 1)]);
    live.ask(&active(7, &[]));
    live.rig.writer.set_next_incomplete(true);
    let links = links();
    live.rig.writer.replace(&[batch(&[row(2, "2001:db8:1::2", 128, 1)])], Some(links));
    assert_eq!(live.drain().0, []);
    // Another change of these seconds is told.
    live.put(&[row(3, "2001:db8:1::3", 128, 1)]);
    assert_eq!(live.drain().0, data(7, &[0, 1, 3], &[iaaddr("2001:db8:1::3")]));
    live.rig.writer.set_incomplete(false);
    live.monotonic_ns = live.session.wake_at().unwrap();
    assert_eq!(live.monotonic_ns, SECOND);
    assert_eq!(live.drain().0, data(7, &FIRST, &[ended("2001:db8:1::1")]));
    lease.cltt = NOW;
    live.put(&[lease]);
    assert!(!live.drain().0.is_empty());
}

#[test]
fn a_client_of_any_size_is_told_whole_in_several_messages() {
    // 4,000 leases are too many for one record; 2,339 with relay data are for one message, and are told each
    // time that 1,024 changed.
    for (count, messages) in [(4000_u32, 4000), (2339, 6)] {
        let rows: Vec<_> = (0..count).map(|host| row(1, &format!("2001:db8:1::{host:x}"), 128, 1)).collect();
        let mut live = Live::new(&[]);
        live.ask(&active(7, &[option(6, &[0, 47])]));
        rows.chunks(500).for_each(|rows| live.put(rows));
        let (mut told, mut table) = (live.drain().0, follower::Table::new());
        assert_eq!(follower::take(&mut table, &told), messages);
        assert_eq!(table.len(), count as usize);
        live.remove("2001:db8:1::7");
        told = live.drain().0;
        follower::take(&mut table, &told);
        assert_eq!(table.len(), count as usize - 1);
    }
}

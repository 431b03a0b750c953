//! Exchanges with their octets.

use super::model::read;
use super::*;
use crate::NoBindingPolicy;

/// Client 1 on link 1 with an address and a prefix, client 2 on links 1 and 2.
fn rows() -> Vec<Row> {
    vec![
        row(1, "2001:db8:1::1", 128, 1),
        row(1, "2001:db8:100:100::", 56, 1),
        row(2, "2001:db8:1::2", 128, 1),
        row(2, "2001:db8:2::2", 128, 2),
    ]
}

/// The data of [`rows`] by client and link.
fn data() -> [Vec<u8>; 3] {
    [
        client_data(&[0, 1, 1], &[iaaddr("2001:db8:1::1"), iaprefix("2001:db8:100:100::", 56)]),
        client_data(&[0, 1, 2], &[iaaddr("2001:db8:1::2")]),
        client_data(&[0, 1, 2], &[iaaddr("2001:db8:2::2")]),
    ]
}

#[test]
fn a_message_for_each_client_and_link_then_done() {
    let [first, second, third] = data();
    let whole = |xid| {
        [
            framed(15, xid, &[ids(), first.clone()]),
            framed(17, xid, std::slice::from_ref(&second)),
            framed(17, xid, std::slice::from_ref(&third)),
            framed(16, xid, &[]),
        ]
        .concat()
    };
    for has_indexes in [true, false] {
        let mut rig = Rig::with(&rows(), has_indexes, "::1/128");
        assert_eq!(rig.answer(&by_relay_id(7)), (whole(7), false));
        assert_eq!(rig.answer(&query(8, 5, "::", &[option(37, REMOTE_ID)])), (whole(8), false));
        let on_link_2 = [framed(15, 9, &[ids(), third.clone()]), framed(16, 9, &[])].concat();
        assert_eq!(rig.answer(&query(9, 4, "2001:db8:2::1", &[])), (on_link_2.clone(), false));
        assert_eq!(rig.answer(&query(9, 3, "2001:db8:2::1", &[option(53, RELAY_ID)])), (on_link_2, false));
    }
}

#[test]
fn queries_about_one_client() {
    let mut rig = Rig::new(&rows());
    let [first, second, third] = data();
    let by_address = query(1, 1, "::", &[iaaddr("2001:db8:1::2")]);
    let one = [framed(15, 1, &[ids(), second.clone()]), framed(16, 1, &[])].concat();
    assert_eq!(rig.answer(&by_address), (one, false));
    let in_prefix = query(1, 1, "::", &[iaaddr("2001:db8:100:177::1")]);
    assert_eq!(rig.answer(&in_prefix).0, [framed(15, 1, &[ids(), first]), framed(16, 1, &[])].concat());
    // Both links, and no LQ_CLIENT_LINK.
    let by_duid = query(2, 2, "::", &[option(1, &[0, 1, 2])]);
    let both = [framed(15, 2, &[ids(), second]), framed(17, 2, &[third]), framed(16, 2, &[])].concat();
    assert_eq!(rig.answer(&by_duid), (both, false));
}

#[test]
fn no_binding_is_one_reply_without_done() {
    let mut rig = Rig::new(&rows());
    let expected = framed(15, 3, &[ids()]);
    for options in [option(53, &[0, 3, 0, 1, 0x78]), option(53, &[RELAY_ID, &[0]].concat())] {
        assert_eq!(rig.answer(&query(3, 3, "::", &[options])), (expected.clone(), false));
    }
    assert_eq!(rig.answer(&query(3, 4, "2001:db8:3::1", &[])), (expected.clone(), false));
    // The same identifier of another enterprise.
    let other = option(37, &[0, 0, 0, 8, 0x61]);
    assert_eq!(rig.answer(&query(3, 5, "::", &[other])), (expected, false));
}

#[test]
fn errors_of_a_query_leave_the_connection_open() {
    let mut rig = Rig::new(&rows());
    let cases: [(&str, Vec<u8>, u8, &str); 8] = [
        ("no Relay-ID", query(4, 3, "::", &[]), 8, "malformed query option"),
        ("empty Relay-ID", query(4, 3, "::", &[option(53, &[])]), 8, "malformed query option"),
        (
            "Remote-ID without identifier",
            query(4, 5, "::", &[option(37, &[0, 0, 0, 9])]),
            8,
            "malformed query option",
        ),
        ("by link-address ::", query(4, 4, "::", &[]), 8, "malformed query option"),
        (
            "ORO of one octet",
            query(4, 3, "::", &[option(53, RELAY_ID), option(6, &[0])]),
            8,
            "malformed query option",
        ),
        (
            "unknown link",
            query(4, 3, "2001:db8:9::1", &[option(53, RELAY_ID)]),
            9,
            "address or link not configured on this server",
        ),
        ("unknown query-type", query(4, 6, "::", &[]), 7, "unknown query-type"),
        (
            "start after end",
            query(
                4,
                3,
                "::",
                &[option(53, RELAY_ID), option(101, &[0, 0, 0, 2]), option(102, &[0, 0, 0, 1])],
            ),
            8,
            "malformed query option",
        ),
    ];
    for (name, asked, status, text) in cases {
        let status = option(13, &[&[0, status], text.as_bytes()].concat());
        assert_eq!(rig.answer(&asked), (framed(15, 4, &[ids(), status]), false), "{name}");
    }
}

#[test]
fn messages_that_are_no_queries_close_after_the_answers_owed() {
    let good = by_relay_id(1);
    let mut rig = Rig::new(&rows());
    let owed = rig.answer(&good).0;
    let cases: [(&str, Vec<u8>, BulkOutcome); 10] = [
        ("SOLICIT", framed(1, 9, &[option(1, REQUESTOR)]), BulkOutcome::CloseOtherMessage),
        ("RELAY-FORW", framed(12, 9, &[]), BulkOutcome::CloseOtherMessage),
        ("LEASEQUERY-REPLY", framed(15, 9, &[option(1, REQUESTOR)]), BulkOutcome::CloseOtherMessage),
        ("no CLIENTID", framed(14, 9, &[option(44, &[0; 17])]), BulkOutcome::CloseNoClientId),
        (
            "two CLIENTIDs",
            framed(14, 9, &[option(1, REQUESTOR), option(1, REQUESTOR)]),
            BulkOutcome::CloseDuplicateId,
        ),
        (
            "other server",
            framed(14, 9, &[option(1, REQUESTOR), option(2, &[0, 9])]),
            BulkOutcome::CloseOtherServer,
        ),
        ("no LQ_QUERY", framed(14, 9, &[option(1, REQUESTOR)]), BulkOutcome::CloseNoQuery),
        ("cut option", framed(14, 9, &[vec![0, 1, 0, 9, 1]]), BulkOutcome::CloseMalformed),
        ("short frame", vec![0, 3, 14, 0, 0], BulkOutcome::CloseFrame),
        ("open transaction-id", good.clone(), BulkOutcome::CloseDuplicateTransaction),
    ];
    for (name, bad, outcome) in cases {
        let mut session = Rig::session();
        rig.receive(&mut session, &[&good[..], &bad, &by_relay_id(5)].concat());
        assert_eq!(rig.drain(&mut session), (owed.clone(), true), "{name}");
        let finished: Vec<_> = std::iter::from_fn(|| session.finished()).map(|query| query.outcome).collect();
        assert_eq!(finished, [outcome, BulkOutcome::Complete], "{name}");
        assert!(!session.wants_octets());
    }
}

#[test]
fn active_leasequery_and_tls_are_refused() {
    let mut rig = Rig::new(&rows());
    let text = "TLS not offered by this server";
    let refused = framed(7, 2, &[option(13, &[&[0, 15], text.as_bytes()].concat())]);
    assert_eq!(rig.answer(&framed(23, 2, &[])), (refused, false));
    let text = "active leasequery not offered by this server";
    let refused = framed(15, 2, &[ids(), option(13, &[&[0, 14], text.as_bytes()].concat())]);
    assert_eq!(rig.answer(&framed(22, 2, &[option(1, REQUESTOR)])), (refused, true));
}

#[test]
fn base_time_is_in_every_message_if_requested() {
    let mut rig = Rig::new(&rows());
    let oro = option(6, &[0, 100]);
    // 849,052,800 = 0x329b8480.
    let base_time = option(100, &[0x32, 0x9b, 0x84, 0x80]);
    assert_eq!(849_052_800_u32.to_be_bytes(), base_time[4..]);
    let [_, _, third] = data();
    let asked = query(3, 4, "2001:db8:2::1", std::slice::from_ref(&oro));
    let expected =
        [framed(15, 3, &[ids(), base_time.clone(), third]), framed(16, 3, std::slice::from_ref(&base_time))]
            .concat();
    assert_eq!(rig.answer(&asked).0, expected);
    let unknown = query(3, 4, "2001:db8:9::1", &[oro]);
    let status = option(13, &[&[0, 9], &b"address or link not configured on this server"[..]].concat());
    assert_eq!(rig.answer(&unknown).0, framed(15, 3, &[ids(), status, base_time]));
}

#[test]
fn times_select_bindings_by_their_last_change() {
    let mut late = row(3, "2001:db8:2::3", 128, 2);
    late.cltt = NOW - 50;
    let mut rig = Rig::new(&[rows(), vec![late]].concat());
    let at = |code, age: u32| option(code, &(849_052_800 - age).to_be_bytes());
    let messages = |rig: &mut Rig, times: &[Vec<u8>]| {
        let reply = rig.answer(&query(1, 4, "2001:db8:2::1", times)).0;
        (0..)
            .map_while({
                let mut rest = &reply[..];
                move |_: u32| {
                    let Frame { message, rest: after } = Frame::split(rest).unwrap()?;
                    rest = after;
                    Some(message[0])
                }
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(messages(&mut rig, &[]), [15, 17, 16]);
    assert_eq!(messages(&mut rig, &[at(101, 100)]), [15, 17, 16], "inclusive");
    assert_eq!(messages(&mut rig, &[at(101, 99)]), [15, 16]);
    assert_eq!(messages(&mut rig, &[at(101, 49)]), [15]);
    assert_eq!(messages(&mut rig, &[at(101, 100), at(102, 100)]), [15, 16]);
}

#[test]
fn a_half_closed_connection_gets_its_answers_and_is_closed() {
    let mut rig = Rig::new(&rows());
    let owed = rig.answer(&by_relay_id(1)).0;
    let mut session = Rig::session();
    for octet in by_relay_id(1) {
        assert!(session.wants_octets());
        rig.receive(&mut session, &[octet]);
    }
    session.receive_end();
    assert_eq!((rig.drain(&mut session), session.frames()), ((owed, true), 1));
}

#[test]
fn no_more_queries_are_read_than_may_run() {
    let mut rig = Rig::new(&rows());
    let mut session = BulkSession::new("::1".parse().unwrap(), BulkLimits { queries: 1 });
    rig.receive(&mut session, &[by_relay_id(1), by_relay_id(2), by_relay_id(1)].concat());
    assert!(!session.wants_octets());
    let (first, second) = (rig.answer(&by_relay_id(1)).0, rig.answer(&by_relay_id(2)).0);
    // A transaction-id may be used again once its query is complete.
    assert_eq!(rig.drain(&mut session), ([first.clone(), second, first].concat(), false));
    assert!(session.wants_octets());
}

#[test]
fn a_stopping_server_terminates_open_queries() {
    let mut rig = Rig::new(&rows());
    let mut session = Rig::session();
    rig.receive(&mut session, &by_relay_id(1));
    session.terminate();
    let status = option(13, &[&[0, 11], &b"server is shutting down; ask another server"[..]].concat());
    assert_eq!(rig.drain(&mut session), (framed(15, 1, &[ids(), status]), true));
}

#[test]
fn queries_of_a_lost_connection_are_finished_with_what_was_sent() {
    let mut rig = Rig::new(&rows());
    let mut session = Rig::session();
    session.abandon();
    assert_eq!(session.finished(), None, "nothing was asked");
    let mut session = Rig::session();
    rig.receive(&mut session, &[by_relay_id(1), by_relay_id(2)].concat());
    session.abandon();
    let finished: Vec<_> = std::iter::from_fn(|| session.finished()).collect();
    let of = |query: &FinishedQuery| (query.outcome.name(), query.transaction_id.map(|id| id.0[2]));
    let expected = [("abandoned", Some(1)), ("abandoned", Some(2))];
    assert_eq!(finished.iter().map(of).collect::<Vec<_>>(), expected);
    assert!(finished[0].subject.is_some());
    assert_eq!(rig.drain(&mut session), (Vec::new(), true));
}

#[test]
fn incomplete_leases_are_no_answer() {
    let mut rig = Rig::new(&rows());
    rig.writer.set_incomplete(true);
    let status = option(
        13,
        &[&[0, 11], &b"leases are incomplete; try again later or ask another server"[..]].concat(),
    );
    assert_eq!(rig.answer(&by_relay_id(1)), (framed(15, 1, &[ids(), status]), false));
}

/// Leases that are incomplete or stale after the first message, for good or for a while: the rest may lack
/// one, so the answer must not end as a complete one does.
#[test]
fn leases_that_are_incomplete_or_stale_for_a_while_end_a_query() {
    let many: Vec<Row> =
        (0..9_000_u16).map(|n| row_of(&n.to_be_bytes(), &format!("2001:db8:1::{n:x}"))).collect();
    let by_link = query(1, 4, "2001:db8:1::", &[]);
    let text = &b"leases are incomplete; try again later or ask another server"[..];
    let done = framed(16, 1, &[option(13, &[&[0, 11], text].concat())]);
    for (is_stale, is_for_good) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut rig = Rig::new(&[]);
        rig.writer.apply(&batch(&many));
        let (mut session, mut answer) = (Rig::session(), Vec::new());
        let set = |rig: &mut Rig, is_bad: bool| {
            if is_stale {
                let policy = if is_bad { NoBindingPolicy::Refuse } else { NoBindingPolicy::Answer };
                let engine = Engine::new(rig.engine.policy().clone()).unwrap();
                rig.engine = engine.with_no_binding(policy);
            } else {
                rig.writer.set_incomplete(is_bad);
            }
        };
        rig.receive(&mut session, &by_link);
        rig.send(&mut session, &mut answer);
        set(&mut rig, true);
        rig.send(&mut session, &mut answer);
        set(&mut rig, is_for_good);
        let (rest, is_closed) = rig.drain(&mut session);
        answer.extend(rest);
        assert!(answer.ends_with(&done) && is_closed, "stale: {is_stale}, for good: {is_for_good}");
        let (kinds, messages) = read(&answer);
        assert_eq!((kinds[0], messages.len()), (15, many.len()), "known bindings are sent");
    }
}

fn row_of(duid: &[u8], address: &str) -> Row {
    Row { duid: duid.to_vec(), ..row(0, address, 128, 1) }
}

#[test]
fn a_requestor_that_is_not_allowed_any_more_is_told_so() {
    let mut rig = Rig::with(&rows(), true, "2001:db8::/64");
    let status = option(13, &[&[0, 10], &b"requestor not authorized"[..]].concat());
    assert_eq!(rig.answer(&by_relay_id(1)), (framed(15, 1, &[ids(), status]), false));
}

#[test]
fn a_restricted_requestor_learns_of_free_addresses_on_its_own_links_only() {
    let mut rig = Rig::new(&rows());
    rig.restrict("2001:db8:1::1");
    let asked = |address: &str| query(1, 1, "::", &[iaaddr(address)]);
    assert_eq!(rig.answer(&asked("2001:db8:1::99")), (framed(15, 1, &[ids()]), false));
    let text = &b"requestor authorized only for bindings that it relayed"[..];
    let refused = framed(15, 1, &[ids(), option(13, &[&[0, 10], text].concat())]);
    assert_eq!(rig.answer(&asked("2001:db8:2::99")), (refused, false));
}

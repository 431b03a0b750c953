//! Answers by hand, and every cut of them.

use lqd_wire::{LqTime, MESSAGE_LEN_MAX, MessageType, OptionCode, TransactionId};
use proptest::prelude::*;

use super::*;
use crate::bulk::{Outcome, Target};
use crate::tests::octets;
use crate::{Deviation, Status};

const ID: TransactionId = TransactionId([1, 2, 3]);
const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
/// CLIENTID of the requestor and SERVERID.
const IDS: &str = "0001 0004 0004aabb 0002 0003 0004ee";
/// OPTION_CLIENT_DATA of client 0004cc with 2001:db8::1, 100 s preferred and 200 s valid.
const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
                    0005 0018 20010db8000000000000000000000001 00000064 000000c8";

/// Puts a message of this type, transaction 010203 and options in its frame.
fn frame(kind: u8, options: &str) -> Vec<u8> {
    let message = [&[kind, 1, 2, 3][..], &octets(options)].concat();
    let len = u16::try_from(message.len()).expect("a short message");
    [&len.to_be_bytes()[..], &message].concat()
}

fn session(target: Target) -> Session {
    let mut session = Session::new(Duid::new(OWN).expect("a DUID"));
    session.ask(&Query::new(target), ID).expect("a short query");
    session
}

/// Everything that a session makes of octets that come in these parts.
fn receive(session: &mut Session, parts: &[&[u8]]) -> Vec<Result<Received, ProtocolError>> {
    let mut all = Vec::new();
    for mut part in parts.iter().copied() {
        while let Some(received) = session.receive(&mut part) {
            all.push(received);
        }
        assert!(part.is_empty(), "all octets are taken");
        assert!(session.partial.len() < Frame::LEN_MAX);
    }
    all
}

fn messages(target: Target, stream: &[u8]) -> Vec<Message> {
    let received = receive(&mut session(target), &[stream]);
    let message = |one: Result<Received, ProtocolError>| match one {
        Ok(Received::Message(message)) => *message,
        other => panic!("{other:?}"),
    };
    received.into_iter().map(message).collect()
}

fn link() -> Target {
    Target::Link("2001:db8::".parse().expect("an address"))
}

/// BR7, BR10: RFC 5460 §6.3, §6.3.1.
#[test]
fn an_answer_is_a_reply_data_and_done() {
    let mut stream = [frame(15, &format!("{IDS} {DATA}")), frame(17, DATA), frame(17, "")].concat();
    stream.extend(frame(16, ""));
    let all = messages(link(), &stream);
    assert_eq!(all.iter().map(|one| one.kind.0).collect::<Vec<_>>(), [15, 17, 17, 16]);
    assert_eq!(all[0].server, Duid::new([0, 4, 0xee]).ok());
    let data = all[0].data.as_ref().expect("client data");
    assert_eq!((data.client.octets(), data.clt_time_s, data.leases.len()), (&[0, 4, 0xcc][..], 9, 1));
    assert_eq!((&all[1].data, &all[1].server), (&all[0].data, &None));
    // RFC 5460 §6.3: discarded, and the answer goes on.
    assert_eq!((&all[2].data, &all[2].deviations[..]), (&None, &[Deviation::DataWithoutClientData][..]));
    assert!(all[..3].iter().all(|one| one.completion.is_none()));
    let completion = all[3].completion.expect("complete");
    assert!(completion.is_whole());
    assert_eq!(
        (completion.outcome, completion.tally.clients, completion.tally.bindings),
        (Outcome::Done, 2, 2)
    );
}

/// BR5, BR6, BR10, BR11.
#[test]
fn an_answer_of_one_message_is_complete_at_once() {
    let status = "000d 0004 000a 6e6f"; // NotAllowed "no"
    let rows = [
        ("", Outcome::NoBinding, vec![]),
        ("000d 0002 0000", Outcome::NoBinding, vec![Deviation::SuccessWithoutBinding]),
        (status, Outcome::Refused, vec![]),
        (&*format!("{status} {DATA}"), Outcome::Refused, vec![Deviation::DataWithError]),
        ("0030 0010 20010db8000000000000000000000001", Outcome::Unusable, vec![Deviation::LinksInBulk]),
    ];
    for (options, outcome, deviations) in rows {
        let all = messages(link(), &frame(15, &format!("{IDS} {options}")));
        assert_eq!((all.len(), all[0].completion.map(|one| one.outcome)), (1, Some(outcome)), "{options}");
        assert_eq!((&all[0].deviations, &all[0].data), (&deviations, &None), "{options}");
    }
}

/// BR14: RFC 5460 §5.2.2: an error after the first reply.
#[test]
fn a_done_with_an_error_is_not_whole() {
    let stream = [frame(15, &format!("{IDS} {DATA}")), frame(16, "000d 0006 000b 73746f70")].concat();
    let all = messages(link(), &stream);
    let completion = all[1].completion.expect("complete");
    assert_eq!((completion.outcome, completion.is_whole()), (Outcome::Terminated, false));
    let text = "stop".to_owned();
    assert_eq!(all[1].status, Some(Status { code: lqd_wire::StatusCode::QUERY_TERMINATED, text }));
}

#[test]
fn discarded_client_data_leaves_an_answer_incomplete() {
    let rows = [
        ("no CLT_TIME", "002d 0007 0001 0003 0004cc", "no-clt-time"),
        ("broken client data", "002d 0003 0001 00", "client-data-broken"),
        ("broken message", "002d 00ff 00", "data-broken"),
    ];
    for (name, options, code) in rows {
        let stream = [frame(15, &format!("{IDS} {DATA}")), frame(17, options), frame(16, "")].concat();
        let all = messages(link(), &stream);
        assert_eq!(all[1].deviations.iter().map(Deviation::code).collect::<Vec<_>>(), [code], "{name}");
        let completion = all[2].completion.expect("complete");
        assert_eq!((completion.outcome, completion.tally.lost), (Outcome::Done, 1), "{name}");
        assert!(!completion.is_whole(), "{name}");
    }
}

#[test]
fn data_of_another_client_or_address_is_no_result() {
    let stream = [frame(15, &format!("{IDS} {DATA}")), frame(16, "")].concat();
    let client = |octets: [u8; 3]| Target::Client(Duid::new(octets).expect("a DUID"));
    let address = |text: &str| Target::Address(text.parse().expect("an address"));
    let rows = [
        (client([0, 4, 0xcc]), Outcome::Done, 0),
        (client([0, 4, 0xcd]), Outcome::Done, 1),
        (address("2001:db8::1"), Outcome::Done, 0),
        (address("2001:db8::2"), Outcome::Unusable, 0),
    ];
    for (target, outcome, lost) in rows {
        let all = messages(target.clone(), &stream);
        let completion = all[1].completion.expect("complete");
        assert_eq!((completion.outcome, completion.tally.lost), (outcome, lost), "{target:?}");
        assert_eq!(all[0].data.is_some(), lost == 0, "{target:?}");
    }
}

#[test]
fn options_in_the_wrong_message_are_deviations() {
    let stream = [
        frame(15, &format!("{IDS} {DATA}")),
        frame(17, &format!("{IDS} {DATA} 000d 0002 0000")),
        frame(16, &format!("0002 0003 0004ee {DATA}")),
    ];
    let all = messages(link(), &stream.concat());
    let of = |codes: &[OptionCode], make: fn(OptionCode) -> Deviation| {
        codes.iter().copied().map(make).collect::<Vec<_>>()
    };
    let in_data = [OptionCode::CLIENTID, OptionCode::SERVERID, OptionCode::STATUS_CODE];
    assert_eq!(all[1].deviations, of(&in_data, Deviation::ReplyOptionInData));
    assert!(all[1].data.is_some());
    let in_done = [OptionCode::SERVERID, OptionCode::CLIENT_DATA];
    assert_eq!(all[2].deviations, of(&in_done, Deviation::OptionInDone));
    assert!(
        !all[2].completion.expect("complete").is_whole(),
        "client data was in a place where it is not read"
    );
}

/// RFC 7653 §6.3.1.
#[test]
fn the_base_time_is_read_where_it_was_requested() {
    let query = Query::new(link()).requesting([OptionCode::LQ_BASE_TIME]);
    let mut session = Session::new(Duid::new(OWN).expect("a DUID"));
    session.ask(&query, ID).expect("a short query");
    let time = "0064 0004 00000007";
    let stream = [
        frame(15, &format!("{IDS} {time} {DATA}")),
        frame(17, &format!("0064 0003 000000 {DATA}")),
        frame(16, time),
    ];
    let all = receive(&mut session, &[&stream.concat()]);
    let times: Vec<_> = all
        .iter()
        .map(|one| match one {
            Ok(Received::Message(one)) => (one.base_time, one.deviations.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    // The second one is broken, and hence missing.
    assert_eq!(times, [(Some(LqTime(7)), 0), (None, 2), (Some(LqTime(7)), 0)]);
}

/// BR5, BR9: RFC 5007 §4.2.2, RFC 5460 §6.3: after these the connection must be closed.
#[test]
fn invalid_messages_end_the_connection() {
    let reply = frame(15, &format!("{IDS} {DATA}"));
    let after_reply = |frame: Vec<u8>| [reply.clone(), frame].concat();
    let other = |kind: u8| [0, 4, kind, 9, 9, 9];
    let invalid = |why| ProtocolError::Invalid(MessageType::LEASEQUERY_REPLY, why);
    let rows = [
        ("short frame", vec![0, 3], ProtocolError::Frame(FrameError(3))),
        ("a query", frame(14, ""), ProtocolError::UnexpectedType(MessageType::LEASEQUERY)),
        ("a relayed reply", frame(13, ""), ProtocolError::UnexpectedType(MessageType::RELAY_REPL)),
        ("no server-id", frame(15, "0001 0004 0004aabb"), invalid(IgnoreReason::NoServerId)),
        ("no client-id", frame(15, "0002 0003 0004ee"), invalid(IgnoreReason::NoClientId)),
        (
            "another requestor's",
            frame(15, "0001 0004 0004aabc 0002 0003 0004ee"),
            invalid(IgnoreReason::OtherClientId),
        ),
        ("done of no query", other(16).to_vec(), ProtocolError::UnknownDone(TransactionId([9; 3]))),
        ("done first", frame(16, ""), ProtocolError::BeforeReply(MessageType::LEASEQUERY_DONE)),
        ("data first", frame(17, DATA), ProtocolError::BeforeReply(MessageType::LEASEQUERY_DATA)),
        ("second reply", after_reply(reply.clone()), ProtocolError::SecondReply(ID)),
        // RFC 5460 §6.3: no done after a reply without bindings.
        ("done after no binding", [frame(15, IDS), frame(16, "")].concat(), ProtocolError::UnknownDone(ID)),
    ];
    for (name, stream, error) in rows {
        let mut session = session(link());
        let all = receive(&mut session, &[&stream]);
        assert_eq!(all.last(), Some(&Err(error)), "{name}");
        assert_eq!(receive(&mut session, &[&reply]), [], "{name}: octets after it are dropped");
    }
    let broken = receive(&mut session(link()), &[&frame(15, "0001 00")]);
    assert!(matches!(broken[..], [Err(ProtocolError::Invalid(_, IgnoreReason::Malformed(_)))]));
}

#[test]
fn messages_of_other_transactions_are_ignored() {
    for kind in [15, 17] {
        let all = receive(&mut session(link()), &[&[0, 4, kind, 9, 9, 9]]);
        let id = TransactionId([9; 3]);
        let octets = vec![kind, 9, 9, 9];
        assert_eq!(all, [Ok(Received::Ignored { reason: IgnoreReason::OtherTransaction(id), octets })]);
    }
}

/// BR10.
#[test]
fn the_end_of_the_connection_completes_nothing() {
    let reply = frame(15, &format!("{IDS} {DATA}"));
    let done = frame(16, "");
    let rows = [
        (vec![], Err(ProtocolError::Closed)),
        (reply.clone(), Err(ProtocolError::Closed)),
        ([&reply[..], &done[..3]].concat(), Err(ProtocolError::Cut(3))),
        ([reply, done].concat(), Ok(())),
    ];
    for (stream, want) in rows {
        let mut session = session(link());
        receive(&mut session, &[&stream]);
        assert_eq!(session.receive_end(), want);
    }
}

/// BR13: RFC 5460 §6.5.
#[test]
fn interleaved_answers_are_told_apart() {
    let mut session = session(link());
    session.ask(&Query::new(link()), TransactionId([9; 3])).expect("a short query");
    let with_id = |mut frame: Vec<u8>| {
        frame[3..6].fill(9);
        frame
    };
    let reply = frame(15, &format!("{IDS} {DATA}"));
    let stream = [
        reply.clone(),
        with_id(reply),
        frame(17, DATA),
        frame(16, ""),
        with_id(frame(17, DATA)),
        with_id(frame(16, "")),
    ];
    let all = receive(&mut session, &[&stream.concat()]);
    let ends = all.iter().filter_map(|one| match one {
        Ok(Received::Message(one)) => one.completion.map(|end| (one.transaction_id, end.tally.clients)),
        other => panic!("{other:?}"),
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(ID, 2), (TransactionId([9; 3]), 2)]);
    assert_eq!(session.open(), 0);
}

/// Kea's way: each lease of a client in a message of its own.
#[test]
fn a_repeated_client_on_one_link_is_a_deviation() {
    let on_link = |client: &str, link: &str| {
        let relay = format!("002f 0032 {z}{z} 0c00 {link}{z} {z}{z}", z = "0000000000000000");
        frame(
            17,
            &format!(
                "002d 0061 0001 0003 {client} 002e 0004 00000009
                 0005 0018 20010db8000000000000000000000001 00000064 000000c8 {relay}"
            ),
        )
    };
    let (one, other) = ("20010db800000001", "20010db800000002");
    let mut stream = frame(15, &format!("{IDS} {DATA}"));
    for (client, link) in [("0004cc", one), ("0004cc", other), ("0004cd", one), ("0004cc", one)] {
        stream.extend(on_link(client, link));
    }
    let all = messages(link(), &stream);
    let repeated = |one: &Message| one.deviations.contains(&Deviation::ClientRepeated);
    assert_eq!(all.iter().map(repeated).collect::<Vec<_>>(), [false, false, false, false, true]);
}

/// BR8: However long the answer, the session keeps a part of one frame and a bounded list of clients.
#[test]
fn a_long_answer_is_not_collected() {
    let mut session = session(link());
    receive(&mut session, &[&frame(15, &format!("{IDS} {DATA}"))]);
    let data = frame(17, DATA).repeat(1000);
    for _ in 0..100 {
        // Cut inside a frame each time.
        let (head, tail) = data.split_at(data.len() - 7);
        assert_eq!(receive(&mut session, &[head, tail]).len(), 1000);
    }
    let longest = [&[0xff, 0xff, 17, 1, 2, 3][..], &vec![0xff; MESSAGE_LEN_MAX - 4]].concat();
    receive(&mut session, &[&longest[..60_000], &longest[60_000..]]);
    assert!(session.partial.capacity() <= 2 * Frame::LEN_MAX, "{}", session.partial.capacity());
    let done = receive(&mut session, &[&frame(16, "")]);
    let Some(Ok(Received::Message(done))) = done.first() else { panic!("{done:?}") };
    assert_eq!(done.tally.bindings, 100_001);
}

/// Streams with sound and unsound frames, in orders that servers should and should not send.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(frame(15, &format!("{IDS} {DATA}"))),
        6 => Just(frame(17, DATA)),
        1 => Just(frame(17, "")),
        1 => Just(frame(17, "002d 00ff 00")),
        1 => Just(frame(16, "")),
        1 => Just(frame(16, "000d 0002 000b")),
        1 => Just(frame(15, IDS)),
        1 => Just(vec![0, 4, 17, 9, 9, 9]),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let first = Just(frame(15, &format!("{IDS} {DATA}")));
    (any::<bool>(), first, prop::collection::vec(piece, 0..8)).prop_map(|(is_sound, first, pieces)| {
        [if is_sound { first } else { Vec::new() }, pieces.concat()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_cut_of_the_octets_gives_the_same_messages(
        stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut whole = session(link());
        let want = receive(&mut whole, &[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        let mut cut = session(link());
        prop_assert_eq!(&receive(&mut cut, &parts), &want);
        prop_assert_eq!(cut.receive_end(), whole.receive_end());
        let mut single = session(link());
        let octets: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(receive(&mut single, &octets), want);
    }
}

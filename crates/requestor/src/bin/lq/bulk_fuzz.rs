//! Generated bulk answers: none of them makes `lq bulk` panic, and each client renders as a page and as a
//! line of JSON.

use std::time::{Duration, SystemTime};

use lqd_requestor::bulk::{Error, Message, ProtocolError, Query, Received, Session, Target};
use lqd_requestor::{Duid, OptionCode, RemoteId, TransactionId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bulk::{Answer, Arrival, block, client, exit};
use crate::exit::Exit;
use crate::human::Page;
use crate::json;
use crate::reply_fuzz::{ADDRESS, CLIENT, OWN, SERVER, clock, message_option, option};

/// A frame with a message of this type, of which a few octets may be changed.
fn frame(kind: impl Strategy<Value = u8>, identifiers: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changes = prop_oneof![4 => Just(Vec::new()), 1 => vec(change, 1..3)];
    (kind, vec(message_option(), 0..3), changes).prop_map(move |(kind, options, changes)| {
        let message = [&[kind, 1, 2, 3][..], &identifiers, &options.concat()].concat();
        let len = u16::try_from(message.len()).expect("a short message");
        let mut frame = [&len.to_be_bytes()[..], &message].concat();
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        frame
    })
}

/// A reply, data, and perhaps its end.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let identifiers = [option(1, &OWN), option(2, &[0, 4, 0xee])].concat();
    let data = prop_oneof![8 => Just(17_u8), 1 => Just(16), 1 => Just(15), 1 => any::<u8>()];
    let done = prop_oneof![3 => Just(vec![0, 4, 16, 1, 2, 3]), 1 => Just(Vec::new())];
    (frame(Just(15), identifiers), vec(frame(data, Vec::new()), 0..6), done)
        .prop_map(|(reply, data, done)| [reply, data.concat(), done].concat())
}

fn query() -> impl Strategy<Value = Query> {
    let client = Duid::new(CLIENT).expect("a DUID");
    let remote = RemoteId { enterprise: 9, identifier: vec![1] };
    let target = prop_oneof![
        2 => Just(Target::Link(ADDRESS)),
        1 => Just(Target::Address(ADDRESS)),
        1 => Just(Target::RelayId(client.clone())),
        1 => Just(Target::Client(client)),
        1 => Just(Target::RemoteId(remote)),
    ];
    (target, any::<bool>()).prop_map(|(target, asks)| {
        let query = Query::new(target);
        if asks { query.requesting([47, 100].map(OptionCode)) } else { query }
    })
}

/// The messages of this stream, and its end.
fn received(query: &Query, stream: &[u8]) -> (Vec<Message>, Result<(), ProtocolError>) {
    let mut session = Session::new(Duid::new(OWN).expect("a DUID"));
    session.ask(query, TransactionId([1, 2, 3])).expect("a short query");
    let (mut rest, mut messages) = (stream, Vec::new());
    while let Some(received) = session.receive(&mut rest) {
        match received {
            Ok(Received::Message(message)) => messages.push(*message),
            Ok(Received::Ignored { .. }) => {}
            Err(error) => return (messages, Err(error)),
        }
    }
    (messages, session.receive_end())
}

fn answer(messages: &[Message], end: Result<(), ProtocolError>, at: SystemTime) -> Answer {
    let mut answer = Answer::new(SERVER);
    for message in messages {
        answer.take(Arrival::Message { from: SERVER, message: Box::new(message.clone()), received: at });
    }
    if let Err(error) = end {
        answer.take(Arrival::End { from: SERVER, error: Error::Protocol { server: SERVER, error } });
    }
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bulk_answer_makes_lq_panic(
        query in query(), stream in stream(), at in clock(), color: bool, hex: bool,
    ) {
        let (messages, end) = received(&query, &stream);
        for message in &messages {
            let Some(client) = client(SERVER, message, at) else { continue };
            let page = block(Page { color, hex }, message, &client, true);
            prop_assert!(!page.is_empty());
            let line = json::bulk::line(SERVER, message, &client, at, hex);
            let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(document["leases"].as_array().expect("leases").len(), client.leases.len());
        }
        let is_broken = end.is_err();
        let answer = answer(&messages, end, at);
        prop_assert_eq!(answer.summary(Duration::ZERO).lines().next().map(|line| line.starts_with("lq: ")), Some(true));
        // RFC 5460 §6.3.1: a broken connection never proves anything.
        prop_assert!(!is_broken || answer.is_conclusive() || !matches!(exit(&[answer]), Exit::Found | Exit::NoBinding));
    }
}

/// The generated answers are not all broken: otherwise the property above would hold trivially.
#[test]
fn many_generated_answers_are_found_or_incomplete() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut ends = [0; 6];
    for _ in 0..1000 {
        let (query, stream) = (query(), stream()).new_tree(&mut runner).expect("a case").current();
        let (messages, end) = received(&query, &stream);
        ends[exit(&[answer(&messages, end, SystemTime::UNIX_EPOCH)]) as usize] += 1;
    }
    assert!(ends[Exit::Found as usize] > 10 && ends[Exit::Incomplete as usize] > 50, "{ends:?}");
}

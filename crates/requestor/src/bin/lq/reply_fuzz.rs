//! Generated replies: none of them makes `lq` panic, and each renders as a page and as a line of JSON.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant, SystemTime};

use lqd_requestor::{
    Duid, Error, Expected, Lookup, OptionCode, Plan, Query, RelayPath, Step, Timers, Transaction,
    TransactionId,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::exit::Exit;
use crate::human::Page;
use crate::json;

pub(crate) const SERVER: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0);
pub(crate) const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
/// The client and the address of the queries.
pub(crate) const CLIENT: [u8; 4] = [0, 4, 0xcc, 0xdd];
pub(crate) const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

pub(crate) fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("bodies are short here");
    [&code.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// Numbers, with emphasis on the ends of their range.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(i32::MAX as u32), Just(u32::MAX - 1), Just(u32::MAX), any::<u32>()]
}

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), 0_u8..4], 0..max)
}

/// An OPTION_IAADDR or OPTION_IAPREFIX of the queried address or of another one.
fn lease() -> impl Strategy<Value = Vec<u8>> {
    // Random addresses alone would never match the query.
    let address = prop_oneof![Just(ADDRESS), any::<u128>().prop_map(Ipv6Addr::from)];
    let prefix_len =
        prop_oneof![3 => Just(None), 2 => (0_u8..=128).prop_map(Some), 1 => any::<u8>().prop_map(Some)];
    let rest = prop_oneof![4 => Just(Vec::new()), 1 => octets(9)];
    (address, prefix_len, number(), number(), rest).prop_map(
        |(address, prefix_len, preferred, valid, rest)| {
            let (preferred, valid) = (preferred.to_be_bytes(), valid.to_be_bytes());
            match prefix_len {
                None => option(5, &[&address.octets()[..], &preferred, &valid, &rest].concat()),
                Some(len) => option(26, &[&preferred[..], &valid, &[len], &address.octets(), &rest].concat()),
            }
        },
    )
}

/// An option inside OPTION_CLIENT_DATA, expected there or not.
fn client_option() -> impl Strategy<Value = Vec<u8>> {
    let client = prop_oneof![3 => Just(CLIENT.to_vec()), 1 => octets(140)];
    prop_oneof![
        client.prop_map(|client| option(1, &client)),
        number().prop_map(|age| option(46, &age.to_be_bytes())),
        lease(),
        octets(60).prop_map(|body| option(39, &body)),
        octets(60).prop_map(|body| option(79, &body)),
        octets(120).prop_map(|path| option(47, &[&[0; 16][..], &[12, 0], &[0; 32], &path].concat())),
        (any::<u16>(), octets(20)).prop_map(|(code, body)| option(code, &body)),
    ]
}

/// An option at message level.
pub(crate) fn message_option() -> impl Strategy<Value = Vec<u8>> {
    let data = vec(client_option(), 0..8).prop_map(|options| option(45, &options.concat()));
    // The minimum of a valid answer, so that the code behind the checks of it runs.
    let sound = (number(), lease(), vec(client_option(), 0..2)).prop_map(|(age, lease, others)| {
        let whole = [option(1, &CLIENT), option(46, &age.to_be_bytes()), lease, others.concat()].concat();
        option(45, &whole)
    });
    prop_oneof![
        3 => sound,
        1 => data,
        1 => octets(64).prop_map(|links| option(48, &links)),
        1 => (any::<u16>(), octets(40)).prop_map(|(code, text)| option(13, &[&code.to_be_bytes()[..], &text].concat())),
        1 => (any::<u16>(), octets(20)).prop_map(|(code, body)| option(code, &body)),
    ]
}

/// A reply with valid identifiers, of which a few octets may be changed.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changes = prop_oneof![2 => Just(Vec::new()), 1 => vec(change, 1..3)];
    (vec(message_option(), 1..3), changes).prop_map(|(options, changes)| {
        let mut reply =
            [&[15, 1, 2, 3][..], &option(1, &OWN), &option(2, &[0, 4, 0xee]), &options.concat()].concat();
        for (at, octet) in changes {
            let at = at.index(reply.len());
            reply[at] = octet;
        }
        reply
    })
}

fn query() -> impl Strategy<Value = Query> {
    let client = Duid::new(CLIENT).expect("a DUID");
    let target = prop_oneof![Just(Query::by_address(ADDRESS)), Just(Query::by_client_id(client))];
    (target, any::<bool>()).prop_map(|(query, asks)| {
        let codes = [39, 47, 79].map(OptionCode);
        if asks { query.requesting(codes) } else { query }
    })
}

/// The lookup that these replies of one server, received at that time, lead to.
fn lookup(query: &Query, replies: &[Vec<u8>], received: SystemTime) -> Lookup {
    let expected = Expected {
        transaction_id: TransactionId([1, 2, 3]),
        own: Duid::new(OWN).expect("a DUID"),
        relays: RelayPath::default(),
        any_source: true,
    };
    let plan = Plan::server(SERVER);
    let mut transaction = Transaction::new(query.clone(), expected, plan, Timers::default());
    let now = Instant::now();
    assert!(matches!(transaction.poll(now, || 0.0), Step::Send { .. }));
    // Another port for each, or the second would be a duplicate.
    for (port, reply) in (547..).zip(replies) {
        let from = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
        let _ = transaction.receive(from, reply, now, received);
    }
    Lookup::conclude(query.clone(), vec![transaction.finish(Vec::new())])
}

/// Clocks: correct, unset, and wrong.
pub(crate) fn clock() -> impl Strategy<Value = SystemTime> {
    let seconds = prop_oneof![Just(0), Just(1_795_000_000), Just(253_402_300_799), 0_u64..1 << 40];
    seconds.prop_map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_reply_makes_lq_panic(
        query in query(), replies in vec(reply(), 1..4), received in clock(), color: bool, hex: bool,
    ) {
        let lookup = lookup(&query, &replies, received);
        let page = Page { color, hex }.lookup(&lookup);
        prop_assert!(!page.is_empty());
        let lookup: Result<Lookup, Error> = Ok(lookup);
        let line = json::line(&query, &lookup, hex, None);
        let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        prop_assert_eq!(&document["exit_status"], &serde_json::Value::from(Exit::of(&lookup) as u8));
    }
}

/// The generated replies are not all refused: otherwise the property above would hold trivially.
#[test]
fn many_generated_replies_are_found_or_refused() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut draw = || {
        let (query, reply) = (query(), reply()).new_tree(&mut runner).expect("a case").current();
        Exit::of(&Ok(lookup(&query, &[reply], SystemTime::UNIX_EPOCH))) as usize
    };
    let mut ends = [0; 6];
    (0..1000).for_each(|_| ends[draw()] += 1);
    assert!(ends[Exit::Found as usize] > 50 && ends[Exit::Refused as usize] > 50, "{ends:?}");
}

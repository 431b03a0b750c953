use super::*;
use crate::tests::octets;
use crate::{Target, Timers};

const IDS: &str = "0001 0003 0004aa";
const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
    0005 0018 20010db8000000000000000000000001 00000064 000000c8";

fn address(text: &str) -> SocketAddrV6 {
    text.parse().expect("an address and a port")
}

fn one() -> SocketAddrV6 {
    address("[2001:db8::53]:547")
}

fn two() -> SocketAddrV6 {
    address("[2001:db8::54]:547")
}

fn group() -> SocketAddrV6 {
    address("[ff05::1:3]:547")
}

/// A reply of the server whose DUID ends with this octet.
fn reply(server: u8, options: &str) -> Vec<u8> {
    octets(&format!("0f a1b2c3 {IDS} 0002 0003 0004{server:02x} {options}"))
}

/// A transaction in virtual time.
struct Harness {
    transaction: Transaction,
    start: Instant,
    now: Instant,
    rand: f64,
}

impl Harness {
    fn new(plan: Plan) -> Self {
        let query = Query::by_address("2001:db8::1".parse().expect("an address"));
        Self::of(query, plan)
    }

    fn of(query: Query, plan: Plan) -> Self {
        let expected = Expected {
            transaction_id: TransactionId([0xa1, 0xb2, 0xc3]),
            own: Duid::new([0, 4, 0xaa]).expect("a DUID"),
            relays: RelayPath::default(),
            any_source: false,
        };
        let start = Instant::now();
        Self {
            transaction: Transaction::new(query, expected, plan, Timers::default()),
            start,
            now: start,
            rand: 0.0,
        }
    }

    /// Sends until a wait or the end: (milliseconds since the start, destination, transmission), and that
    /// last step.
    fn sends(&mut self) -> (Vec<(u128, SocketAddrV6, u32)>, Step) {
        let mut sends = Vec::new();
        loop {
            let rand = self.rand;
            match self.transaction.poll(self.now, || rand) {
                Step::Send { to, transmission } => {
                    sends.push(((self.now - self.start).as_millis(), to, transmission));
                }
                step => return (sends, step),
            }
        }
    }

    /// Sends until the end, advancing time through every wait.
    fn run(&mut self) -> Vec<(u128, SocketAddrV6, u32)> {
        let mut all = Vec::new();
        loop {
            let (sends, step) = self.sends();
            all.extend(sends);
            match step {
                Step::Wait(until) => self.now = until,
                _ => return all,
            }
        }
    }

    fn receive(&mut self, from: SocketAddrV6, octets: &[u8]) -> Result<(), IgnoreReason> {
        self.transaction.receive(from, octets, self.now, SystemTime::UNIX_EPOCH).map(|_| ())
    }

    fn pause(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }
}

/// R14.
#[test]
fn a_silent_server_is_queried_at_the_times_of_rfc_8415_15() {
    let mut harness = Harness::new(Plan::server(one()));
    let times: Vec<_> = harness.run().into_iter().map(|(at, _, transmission)| (at, transmission)).collect();
    assert_eq!(times, [(0, 1), (1000, 2), (3000, 3), (7000, 4), (15_000, 5)]);
    assert_eq!((harness.now - harness.start).as_millis(), 25_000, "the fifth transmission waits MRT");
    let exchange = harness.transaction.finish(Vec::new());
    assert_eq!((exchange.silent[0].server, exchange.silent[0].transmissions), (one(), 5));

    let mut harness = Harness::new(Plan::server(one()));
    harness.rand = 0.1; // 1.1, 2.31, 4.851; 10.1871 is above MRT, so 11; and 11
    let times: Vec<_> = harness.run().into_iter().map(|(at, ..)| at).collect();
    assert_eq!(times, [0, 1100, 3410, 8261, 19_261]);
    assert_eq!((harness.now - harness.start).as_millis(), 30_261);
}

#[test]
fn an_answer_ends_the_exchange() {
    let mut harness = Harness::new(Plan::server(one()));
    assert_eq!(harness.sends().0.len(), 1);
    harness.pause(400);
    assert_eq!(harness.receive(one(), &reply(0xbb, "")), Ok(()));
    assert_eq!(harness.sends(), (vec![], Step::Done));
    let exchange = harness.transaction.finish(vec![7]);
    assert_eq!((exchange.silent, exchange.octets), (vec![], vec![7]));
    assert_eq!(exchange.answers[0].after, Duration::from_millis(400));
}

/// R1, R4.
#[test]
fn ignored_datagrams_leave_the_exchange_unchanged() {
    let mut harness = Harness::new(Plan::together([one(), two()]));
    harness.sends();
    let mut foreign = reply(0xbb, "");
    foreign[3] ^= 1;
    let rows: [(SocketAddrV6, Vec<u8>, IgnoreReason); 5] = [
        (one(), foreign, IgnoreReason::OtherTransaction(TransactionId([0xa1, 0xb2, 0xc2]))),
        (
            one(),
            reply(0xbb, "000d"),
            IgnoreReason::Malformed(lqd_wire::ParseError {
                at: 18,
                kind: lqd_wire::ParseErrorKind::Truncated,
            }),
        ),
        (one(), octets("0e a1b2c3"), IgnoreReason::Leasequery),
        (one(), octets("0d 000000"), IgnoreReason::OtherMessage(lqd_wire::MessageType::RELAY_REPL)),
        (
            address("[2001:db8::55]:547"),
            reply(0xbb, ""),
            IgnoreReason::OtherSource(address("[2001:db8::55]:547")),
        ),
    ];
    for (from, octets, want) in &rows {
        assert_eq!(harness.receive(*from, octets).as_ref(), Err(want));
    }
    assert_eq!(
        harness.receive(address("[2001:db8::53]:4711"), &reply(0xbb, "")),
        Ok(()),
        "any port of the server"
    );
    assert_eq!(
        harness.receive(address("[2001:db8::53]:4711"), &reply(0xbb, DATA)),
        Err(IgnoreReason::Duplicate)
    );
    let sends: Vec<_> = harness.run().into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(sends, [two(); 4], "only the silent server is queried again");
    let exchange = harness.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.ignored.len()), (1, rows.len() + 1));
    assert_eq!(exchange.silent.len(), 1);
}

/// R19.
#[test]
fn the_next_stage_follows_as_in_rfc_5007_4_3_3() {
    let status = |code: u16| format!("000d 0002 {code:04x}");
    let rows: [(&str, String, bool); 7] = [
        ("no binding", String::new(), false),
        ("bindings", DATA.to_owned(), false),
        ("MalformedQuery", status(8), false),
        ("UnknownQueryType", status(7), true),
        ("NotConfigured", status(9), true),
        ("NotAllowed", status(10), true),
        ("data without CLT_TIME", "002d 0007 0001 0003 0004cc".into(), true),
    ];
    for (name, options, leads_to_next_stage) in rows {
        let mut harness = Harness::new(Plan::in_turn([one(), two()]));
        harness.sends();
        assert_eq!(harness.receive(one(), &reply(0xbb, &options)), Ok(()), "{name}");
        harness.pause(1000); // for other servers, where there are bindings
        let (sends, step) = harness.sends();
        assert_eq!(sends, if leads_to_next_stage { vec![(1000, two(), 1)] } else { vec![] }, "{name}");
        assert_eq!(step == Step::Done, !leads_to_next_stage, "{name}");
    }
}

/// R12, R15.
#[test]
fn a_silent_stage_leads_to_the_next_and_may_still_answer() {
    let mut harness = Harness::new(Plan::in_turn([one(), two()]).or_else(Plan::server(group())));
    let sends = harness.run();
    let stages: Vec<_> = sends.chunks(5).map(|stage| (stage.len(), stage[0].0, stage[0].1)).collect();
    assert_eq!(stages, [(5, 0, one()), (5, 25_000, two()), (5, 50_000, group())]);

    let mut harness = Harness::new(Plan::in_turn([one(), two()]));
    while harness.sends().0.iter().all(|(_, to, _)| *to != two()) {
        harness.pause(1000);
    }
    assert_eq!(
        harness.receive(one(), &reply(0xbb, DATA)),
        Ok(()),
        "the first server is late but was queried"
    );
    harness.pause(1000);
    assert_eq!(harness.sends(), (vec![], Step::Done));
    let exchange = harness.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.silent[0].server), (1, two()));
}

/// R13.
#[test]
fn after_bindings_other_servers_have_a_while_to_answer() {
    let mut harness = Harness::new(Plan::together([one(), two()]));
    harness.sends();
    harness.pause(300);
    assert_eq!(harness.receive(one(), &reply(0xbb, DATA)), Ok(()));
    assert_eq!(harness.sends(), (vec![], Step::Wait(harness.start + Duration::from_millis(1000))));
    harness.pause(700);
    assert_eq!(
        harness.sends(),
        (vec![(1000, two(), 2)], Step::Wait(harness.start + Duration::from_millis(1300)))
    );
    harness.pause(300);
    assert_eq!(harness.sends().1, Step::Done);
}

#[test]
fn a_group_is_open_until_the_window_closes() {
    let mut harness = Harness::new(Plan::server(group()));
    harness.sends();
    harness.pause(10);
    assert_eq!(harness.receive(one(), &reply(0xbb, "")), Ok(()));
    harness.pause(500);
    assert_eq!(harness.receive(two(), &reply(0xbc, DATA)), Ok(()));
    assert_eq!(harness.receive(two(), &reply(0xbc, DATA)), Err(IgnoreReason::Duplicate));
    assert!(matches!(harness.sends().1, Step::Wait(_)));
    harness.pause(500);
    assert_eq!(harness.sends().1, Step::Done);
    let exchange = harness.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.silent.len()), (2, 0));
}

#[test]
fn a_destination_that_cannot_be_sent_to_is_given_up() {
    let mut harness = Harness::new(Plan::in_turn([one(), two()]));
    assert!(matches!(harness.transaction.poll(harness.now, || 0.0), Step::Send { .. }));
    harness.transaction.send_failed(one(), "no route");
    assert_eq!(harness.sends().0, [(0, two(), 1)]);
    harness.transaction.send_failed(two(), "no route");
    assert_eq!(harness.sends(), (vec![], Step::Done));
    let exchange = harness.transaction.finish(Vec::new());
    assert_eq!(exchange.silent[0].send_error.as_deref(), Some("no route"));
}

/// R11.
#[test]
fn answers_of_other_servers_than_the_named_one_are_ignored() {
    let mut query = Query::by_address("2001:db8::1".parse().expect("an address"));
    query = query.to_server(Duid::new([0, 4, 0xbb]).expect("a DUID"));
    assert!(matches!(query.target, Target::Address(_)));
    let mut harness = Harness::of(query, Plan::server(group()));
    harness.sends();
    let other = Duid::new([0, 4, 0xbc]).expect("a DUID");
    assert_eq!(harness.receive(two(), &reply(0xbc, DATA)), Err(IgnoreReason::OtherServer(other)));
    assert_eq!(harness.receive(one(), &reply(0xbb, DATA)), Ok(()));
}

#[test]
fn the_list_of_ignored_datagrams_is_bounded() {
    let mut harness = Harness::new(Plan::server(one()));
    harness.sends();
    for _ in 0..1000 {
        assert!(harness.receive(one(), &[]).is_err());
    }
    assert_eq!(harness.transaction.finish(Vec::new()).ignored.len(), IGNORED_MAX);
}

/// Two servers at one address: an answer belongs to the server at its source port.
#[test]
fn servers_at_one_address_are_told_apart_by_port() {
    let other = address("[2001:db8::53]:1547");
    let asked_again = |plan: Plan, answering: SocketAddrV6| {
        let mut harness = Harness::new(plan);
        harness.sends();
        assert_eq!(harness.receive(answering, &reply(0xbb, "")), Ok(()));
        harness.pause(1000);
        harness.sends().0.into_iter().map(|(_, to, _)| to).collect::<Vec<_>>()
    };
    let together = || Plan::together([one(), other]);
    assert_eq!(asked_again(together(), one()), [other]);
    assert_eq!(asked_again(together(), other), [one()]);
    assert_eq!(
        asked_again(together(), address("[2001:db8::53]:9")),
        [one(), other],
        "it may belong to either, so neither is done"
    );

    // In turn: a late answer of the first server is not the second one's.
    let mut harness = Harness::new(Plan::in_turn([one(), other]));
    while harness.sends().0.iter().all(|(_, to, _)| *to != other) {
        harness.pause(1000);
    }
    assert_eq!(harness.receive(one(), &reply(0xbb, "000d 0002 000a")), Ok(()));
    assert!(matches!(harness.sends().1, Step::Wait(_)), "the second may still answer");
    assert_eq!(harness.receive(other, &reply(0xbc, DATA)), Ok(()));
    harness.pause(1000);
    assert_eq!(harness.sends(), (vec![], Step::Done));
    assert_eq!(harness.transaction.finish(Vec::new()).silent, []);

    // A group at the end: a server queried alone before is one of its members now.
    for member in [one(), two()] {
        let mut harness = Harness::new(Plan::server(one()).or_else(Plan::server(group())));
        while harness.sends().0.iter().all(|(_, to, _)| *to != group()) {
            harness.pause(1000);
        }
        assert_eq!(harness.receive(member, &reply(0xbc, "")), Ok(()));
        harness.pause(1000);
        assert_eq!(harness.sends(), (vec![], Step::Done), "{member}: the group has answered");
        assert_eq!(harness.transaction.finish(Vec::new()).silent, []);
    }
}

/// A second transmission would make all its servers answer again.
#[test]
fn a_group_that_answered_is_not_queried_again() {
    let mut harness = Harness::new(Plan::server(group()));
    harness.transaction.timers.gather = Duration::from_secs(5);
    harness.sends();
    assert_eq!(harness.receive(one(), &reply(0xbb, "")), Ok(()));
    assert_eq!(harness.run(), [], "though others may answer for five seconds");
    assert_eq!(harness.now - harness.start, Duration::from_secs(5));
    let mut silent = Harness::new(Plan::server(group()));
    assert_eq!(silent.run().len(), 5);
}

/// Such an answer is neither "found" nor "no binding": the server said neither.
#[test]
fn data_that_is_no_answer_to_the_question_is_unusable() {
    let lease = |host: u8, valid: u8| {
        format!("0005 0018 20010db80000000000000000000000{host:02x} 00000000 000000{valid:02x}")
    };
    let data = |client: &str, leases: &str, count: usize| {
        format!("002d {:04x} 0001 0003 0004{client} 002e 0004 00000009 {leases}", 15 + 28 * count)
    };
    let by_address = Query::by_address("2001:db8::1".parse().expect("an address"));
    let by_client = Query::by_client_id(Duid::new([0, 4, 0xcc]).expect("a DUID"));
    let rows = [
        ("the address", &by_address, data("cc", &lease(1, 9), 1), true),
        ("another address", &by_address, data("cc", &lease(2, 9), 1), false),
        (
            "the address, which is over, and another",
            &by_address,
            data("cc", &(lease(1, 0) + &lease(2, 9)), 2),
            false,
        ),
        ("no lease", &by_address, data("cc", "", 0), false),
        ("the client", &by_client, data("cc", &(lease(1, 0) + &lease(2, 9)), 2), true),
        ("another client", &by_client, data("dd", &lease(1, 9), 1), false),
        ("no valid lease", &by_client, data("cc", &(lease(1, 0) + &lease(2, 0)), 2), false),
        ("no lease", &by_client, data("cc", "", 0), false),
    ];
    for (name, query, options, usable) in rows {
        let mut harness = Harness::of(query.clone(), Plan::server(one()));
        harness.sends();
        assert_eq!(harness.receive(one(), &reply(0xbb, &options)), Ok(()), "{name}");
        harness.run();
        let lookup = crate::Lookup::conclude(query.clone(), vec![harness.transaction.finish(Vec::new())]);
        match &lookup.outcome {
            Ok(clients) => assert!(usable && clients.len() == 1, "{name}: {lookup:?}"),
            Err(failure) => {
                assert!(!usable, "{name}: {failure}");
                let why = failure.to_string();
                let why = why.strip_prefix("the answer of [2001:db8::53]:547 is unusable: ");
                assert!(why.is_some_and(|why| !why.is_empty()), "{name}: {failure}");
            }
        }
    }
}

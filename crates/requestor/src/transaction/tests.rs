use super::*;
use crate::tests::octets;
use crate::{Target, Timers};

const IDS: &str = "0001 0003 00 04 aa";
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
    octets(&format!("0f a1b2c3 {IDS} 0002 0003 00 04 {server:02x} {options}"))
}

/// A transaction at virtual time.
struct Rig {
    transaction: Transaction,
    start: Instant,
    now: Instant,
    rand: f64,
}

impl Rig {
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

    /// All sends until something has to be waited for or it is done: (milliseconds since the start, to, transmission).
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

    /// All sends until it is done, whatever it takes.
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

    fn receive(&mut self, from: SocketAddrV6, octets: &[u8]) -> Result<(), Ignored> {
        self.transaction.receive(from, octets, self.now, SystemTime::UNIX_EPOCH).map(|_| ())
    }

    fn pause(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }
}

/// R14.
#[test]
fn a_silent_server_is_asked_at_the_times_of_rfc_8415_15() {
    let mut rig = Rig::new(Plan::server(one()));
    let times: Vec<_> = rig.run().into_iter().map(|(at, _, transmission)| (at, transmission)).collect();
    assert_eq!(times, [(0, 1), (1000, 2), (3000, 3), (7000, 4), (15_000, 5)]);
    assert_eq!((rig.now - rig.start).as_millis(), 25_000, "the fifth transmission waits MRT");
    let exchange = rig.transaction.finish(Vec::new());
    assert_eq!((exchange.silent[0].server, exchange.silent[0].transmissions), (one(), 5));

    let mut rig = Rig::new(Plan::server(one()));
    rig.rand = 0.1; // 1.1, 2.31, 4.851; 10.1871 is above MRT, so 11; and 11
    let times: Vec<_> = rig.run().into_iter().map(|(at, ..)| at).collect();
    assert_eq!(times, [0, 1100, 3410, 8261, 19_261]);
    assert_eq!((rig.now - rig.start).as_millis(), 30_261);
}

#[test]
fn an_answer_ends_it() {
    let mut rig = Rig::new(Plan::server(one()));
    assert_eq!(rig.sends().0.len(), 1);
    rig.pause(400);
    assert_eq!(rig.receive(one(), &reply(0xbb, "")), Ok(()));
    assert_eq!(rig.sends(), (vec![], Step::Done));
    let exchange = rig.transaction.finish(vec![7]);
    assert_eq!((exchange.silent, exchange.octets), (vec![], vec![7]));
    assert_eq!(exchange.answers[0].after, Duration::from_millis(400));
}

/// R1, R4.
#[test]
fn what_is_ignored_leaves_the_exchange_as_it_was() {
    let mut rig = Rig::new(Plan::together([one(), two()]));
    rig.sends();
    let mut foreign = reply(0xbb, "");
    foreign[3] ^= 1;
    let rows: [(SocketAddrV6, Vec<u8>, Ignored); 5] = [
        (one(), foreign, Ignored::OtherTransaction(TransactionId([0xa1, 0xb2, 0xc2]))),
        (
            one(),
            reply(0xbb, "000d"),
            Ignored::Malformed(lqd_wire::ParseError { at: 18, fault: lqd_wire::ParseFault::Truncated }),
        ),
        (one(), octets("0e a1b2c3"), Ignored::Leasequery),
        (one(), octets("0d 000000"), Ignored::OtherMessage(lqd_wire::MessageType::RELAY_REPL)),
        (address("[2001:db8::55]:547"), reply(0xbb, ""), Ignored::OtherSource(address("[2001:db8::55]:547"))),
    ];
    for (from, octets, want) in &rows {
        assert_eq!(rig.receive(*from, octets).as_ref(), Err(want));
    }
    assert_eq!(
        rig.receive(address("[2001:db8::53]:4711"), &reply(0xbb, "")),
        Ok(()),
        "any port of the server"
    );
    assert_eq!(rig.receive(address("[2001:db8::53]:4711"), &reply(0xbb, DATA)), Err(Ignored::Duplicate));
    let sends: Vec<_> = rig.run().into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(sends, [two(); 4], "only the silent one is asked again");
    let exchange = rig.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.ignored.len()), (1, rows.len() + 1));
    assert_eq!(exchange.silent.len(), 1);
}

/// R19.
#[test]
fn the_next_stage_is_asked_where_rfc_5007_4_3_3_sees_sense_in_it() {
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
    for (name, options, leads_on) in rows {
        let mut rig = Rig::new(Plan::in_turn([one(), two()]));
        rig.sends();
        assert_eq!(rig.receive(one(), &reply(0xbb, &options)), Ok(()), "{name}");
        rig.pause(1000); // for other servers, where there are bindings
        let (sends, step) = rig.sends();
        assert_eq!(sends, if leads_on { vec![(1000, two(), 1)] } else { vec![] }, "{name}");
        assert_eq!(step == Step::Done, !leads_on, "{name}");
    }
}

/// R12, R15.
#[test]
fn a_silent_stage_leads_on_and_may_still_answer() {
    let mut rig = Rig::new(Plan::in_turn([one(), two()]).or_else(Plan::server(group())));
    let sends = rig.run();
    let stages: Vec<_> = sends.chunks(5).map(|stage| (stage.len(), stage[0].0, stage[0].1)).collect();
    assert_eq!(stages, [(5, 0, one()), (5, 25_000, two()), (5, 50_000, group())]);

    let mut rig = Rig::new(Plan::in_turn([one(), two()]));
    while rig.sends().0.iter().all(|(_, to, _)| *to != two()) {
        rig.pause(1000);
    }
    assert_eq!(rig.receive(one(), &reply(0xbb, DATA)), Ok(()), "the first server is late but was asked");
    rig.pause(1000);
    assert_eq!(rig.sends(), (vec![], Step::Done));
    let exchange = rig.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.silent[0].server), (1, two()));
}

/// R13.
#[test]
fn bindings_give_the_others_a_while_longer() {
    let mut rig = Rig::new(Plan::together([one(), two()]));
    rig.sends();
    rig.pause(300);
    assert_eq!(rig.receive(one(), &reply(0xbb, DATA)), Ok(()));
    assert_eq!(rig.sends(), (vec![], Step::Wait(rig.start + Duration::from_millis(1000))));
    rig.pause(700);
    assert_eq!(rig.sends(), (vec![(1000, two(), 2)], Step::Wait(rig.start + Duration::from_millis(1300))));
    rig.pause(300);
    assert_eq!(rig.sends().1, Step::Done);
}

#[test]
fn a_group_is_open_until_the_window_closes() {
    let mut rig = Rig::new(Plan::server(group()));
    rig.sends();
    rig.pause(10);
    assert_eq!(rig.receive(one(), &reply(0xbb, "")), Ok(()));
    rig.pause(500);
    assert_eq!(rig.receive(two(), &reply(0xbc, DATA)), Ok(()));
    assert_eq!(rig.receive(two(), &reply(0xbc, DATA)), Err(Ignored::Duplicate));
    assert!(matches!(rig.sends().1, Step::Wait(_)));
    rig.pause(500);
    assert_eq!(rig.sends().1, Step::Done);
    let exchange = rig.transaction.finish(Vec::new());
    assert_eq!((exchange.answers.len(), exchange.silent.len()), (2, 0));
}

#[test]
fn a_destination_that_cannot_be_sent_to_is_given_up() {
    let mut rig = Rig::new(Plan::in_turn([one(), two()]));
    assert!(matches!(rig.transaction.poll(rig.now, || 0.0), Step::Send { .. }));
    rig.transaction.send_failed(one(), "no route");
    assert_eq!(rig.sends().0, [(0, two(), 1)]);
    rig.transaction.send_failed(two(), "no route");
    assert_eq!(rig.sends(), (vec![], Step::Done));
    let exchange = rig.transaction.finish(Vec::new());
    assert_eq!(exchange.silent[0].send_error.as_deref(), Some("no route"));
}

/// R11.
#[test]
fn a_server_that_was_not_named_is_ignored() {
    let mut query = Query::by_address("2001:db8::1".parse().expect("an address"));
    query = query.to_server(Duid::new([0, 4, 0xbb]).expect("a DUID"));
    assert!(matches!(query.target, Target::Address(_)));
    let mut rig = Rig::of(query, Plan::server(group()));
    rig.sends();
    let other = Duid::new([0, 4, 0xbc]).expect("a DUID");
    assert_eq!(rig.receive(two(), &reply(0xbc, DATA)), Err(Ignored::OtherServer(other)));
    assert_eq!(rig.receive(one(), &reply(0xbb, DATA)), Ok(()));
}

#[test]
fn no_more_ignored_datagrams_are_kept_than_are_of_use() {
    let mut rig = Rig::new(Plan::server(one()));
    rig.sends();
    for _ in 0..1000 {
        assert!(rig.receive(one(), &[]).is_err());
    }
    assert_eq!(rig.transaction.finish(Vec::new()).ignored.len(), IGNORED_MAX);
}

/// Two servers behind one address, by port: an answer is of the server at the port that it comes from.
#[test]
fn servers_at_one_address_are_told_apart_by_port() {
    let other = address("[2001:db8::53]:1547");
    let asked_again = |plan: Plan, answering: SocketAddrV6| {
        let mut rig = Rig::new(plan);
        rig.sends();
        assert_eq!(rig.receive(answering, &reply(0xbb, "")), Ok(()));
        rig.pause(1000);
        rig.sends().0.into_iter().map(|(_, to, _)| to).collect::<Vec<_>>()
    };
    let together = || Plan::together([one(), other]);
    assert_eq!(asked_again(together(), one()), [other]);
    assert_eq!(asked_again(together(), other), [one()]);
    assert_eq!(
        asked_again(together(), address("[2001:db8::53]:9")),
        [one(), other],
        "it may be either's: none is done"
    );

    // In turn: what the first one says late is not the second one's word.
    let mut rig = Rig::new(Plan::in_turn([one(), other]));
    while rig.sends().0.iter().all(|(_, to, _)| *to != other) {
        rig.pause(1000);
    }
    assert_eq!(rig.receive(one(), &reply(0xbb, "000d 0002 000a")), Ok(()));
    assert!(matches!(rig.sends().1, Step::Wait(_)), "the second may still answer");
    assert_eq!(rig.receive(other, &reply(0xbc, DATA)), Ok(()));
    rig.pause(1000);
    assert_eq!(rig.sends(), (vec![], Step::Done));
    assert_eq!(rig.transaction.finish(Vec::new()).silent, []);

    // A group in the end: a server that was asked alone before is one of its members now.
    for member in [one(), two()] {
        let mut rig = Rig::new(Plan::server(one()).or_else(Plan::server(group())));
        while rig.sends().0.iter().all(|(_, to, _)| *to != group()) {
            rig.pause(1000);
        }
        assert_eq!(rig.receive(member, &reply(0xbc, "")), Ok(()));
        rig.pause(1000);
        assert_eq!(rig.sends(), (vec![], Step::Done), "{member}: the group has answered");
        assert_eq!(rig.transaction.finish(Vec::new()).silent, []);
    }
}

/// A second transmission would have all its servers answer again.
#[test]
fn a_group_that_answered_is_not_asked_again() {
    let mut rig = Rig::new(Plan::server(group()));
    rig.transaction.timers.gather = Duration::from_secs(5);
    rig.sends();
    assert_eq!(rig.receive(one(), &reply(0xbb, "")), Ok(()));
    assert_eq!(rig.run(), [], "though others may answer for five seconds");
    assert_eq!(rig.now - rig.start, Duration::from_secs(5));
    let mut silent = Rig::new(Plan::server(group()));
    assert_eq!(silent.run().len(), 5);
}

/// Not found, and said so: neither "found" nor "no binding" is what the server said.
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
        let mut rig = Rig::of(query.clone(), Plan::server(one()));
        rig.sends();
        assert_eq!(rig.receive(one(), &reply(0xbb, &options)), Ok(()), "{name}");
        rig.run();
        let lookup = crate::Lookup::conclude(query.clone(), vec![rig.transaction.finish(Vec::new())]);
        match &lookup.outcome {
            Ok(clients) => assert!(usable && clients.len() == 1, "{name}: {lookup:?}"),
            Err(failure) => {
                assert!(!usable, "{name}: {failure}");
                let why = failure.to_string();
                let why = why.strip_prefix("the answer of [2001:db8::53]:547 cannot be used: ");
                assert!(why.is_some_and(|why| !why.is_empty()), "{name}: {failure}");
            }
        }
    }
}

//! Real sockets on the loopback, virtual time, and servers of a few lines each.

use super::*;
use crate::tests::octets;
use crate::{AddressOrPrefix, Content};

/// The observed events, one line each.
type Lines = Arc<Mutex<Vec<String>>>;

const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
    0005 0018 20010db8000000000000000000000001 00000064 000000c8";

/// OPTION_CLIENTID of the requestor.
const OWN: [u8; 3] = [0, 4, 0xaa];

fn own() -> Duid {
    Duid::new(OWN).expect("a DUID")
}

fn observed(settings: Settings) -> (Settings, Lines) {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let observer: Observer = Arc::new(move |event| {
        let line = match event {
            Event::Sent { transmission, .. } => format!("sent {transmission}"),
            Event::Ignored { reason, .. } => format!("ignored: {reason}"),
            Event::Accepted { .. } => "accepted".into(),
            other => format!("{other:?}"),
        };
        sink.lock().expect("no panic while held").push(line);
    });
    (Settings { observer: Some(observer), ..settings }, lines)
}

fn loopback() -> Settings {
    Settings { local: Some(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)), ..Settings::default() }
}

async fn server() -> (UdpSocket, SocketAddrV6) {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.expect("a port of the loopback");
    let SocketAddr::V6(address) = socket.local_addr().expect("it is bound") else { unreachable!() };
    (socket, address)
}

async fn query_of(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 1024];
    let (len, from) = socket.recv_from(&mut buffer).await.expect("a query");
    (buffer[..len].to_vec(), from)
}

/// A reply with these options to a query that was not relayed.
fn reply(query: &[u8], options: &str) -> Vec<u8> {
    [&[15], &query[1..4], &octets("0001 0003 0004aa 0002 0003 0004bb"), &octets(options)].concat()
}

fn by_address() -> Query {
    Query::by_address("2001:db8::1".parse().expect("an address"))
}

/// R14.
#[tokio::test(start_paused = true)]
async fn lost_queries_are_retransmitted_as_in_rfc_8415_15() {
    let (socket, address) = server().await;
    let lossy = tokio::spawn(async move {
        let mut times = Vec::new();
        loop {
            let (query, from) = query_of(&socket).await;
            times.push((Instant::now(), query.clone()));
            if times.len() == 5 {
                socket.send_to(&reply(&query, ""), from).await.expect("sent");
                return times;
            }
        }
    });
    let requestor = Requestor::bind(own(), loopback()).expect("bound");
    let lookup = requestor.ask(&by_address(), &Plan::server(address)).await.expect("asked");
    assert!(lookup.is_no_binding(), "{lookup:?}");
    let sends = lossy.await.expect("no panic");
    assert!(sends.iter().all(|(_, query)| *query == sends[0].1), "the same octets each time");
    let gaps: Vec<f64> = sends.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect();
    const GRAIN: f64 = 0.002; // tokio's timer counts milliseconds
    assert!((0.9 - GRAIN..=1.1 + GRAIN).contains(&gaps[0]), "{gaps:?}");
    for pair in gaps.windows(2) {
        assert!((1.9 * pair[0] - GRAIN * 3.0..=2.1 * pair[0] + GRAIN * 3.0).contains(&pair[1]), "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn datagrams_that_are_no_answer_are_traced_and_ignored() {
    let (socket, address) = server().await;
    let (settings, lines) = observed(loopback());
    let requestor = Requestor::bind(own(), settings).expect("bound");
    let server = tokio::spawn(async move {
        let (query, from) = query_of(&socket).await;
        let good = reply(&query, DATA);
        // Each differs from the good answer in one thing.
        let mut forged = good.clone();
        forged[2] ^= 0x55;
        let mut other_client = good.clone();
        other_client[10] ^= 1;
        let cut = good[..good.len() - 1].to_vec();
        for datagram in [&forged, &other_client, &cut, &query, &Vec::new(), &good, &good] {
            socket.send_to(datagram, from).await.expect("sent");
        }
        let (_, from) = query_of(&socket).await; // the next question
        socket.send_to(&good, from).await.expect("sent");
        socket
    });
    let plan = Plan::server(address);
    let lookup = requestor.ask(&by_address(), &plan).await.expect("asked");
    assert_eq!(lookup.outcome.expect("found").len(), 1);
    assert!(requestor.ask(&by_address(), &plan).await.expect("asked").outcome.is_err());
    drop(server.await.expect("no panic"));
    let told = lines.lock().expect("no panic while held").join("\n");
    let wanted = [
        "belongs to no query of ours",
        "the client-id is another requestor's",
        "malformed: the octets end inside an option or header (octet 18)",
        "a LEASEQUERY, which only servers accept",
        "too short",
        "accepted",
        "duplicate",
        "late: the exchange",
    ];
    for part in wanted {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
}

#[tokio::test]
async fn many_queries_share_one_socket() {
    const COUNT: u16 = 1000;
    let (socket, address) = server().await;
    let server = tokio::spawn(async move {
        let mut held = Vec::new(); // answered in the opposite order, in bunches
        let mut ids = std::collections::HashSet::new();
        for n in 1..=COUNT {
            let (query, from) = query_of(&socket).await;
            assert!(ids.insert(query[1..4].to_vec()), "a transaction-id twice");
            held.push((query, from));
            if n % 50 == 0 {
                for (query, from) in held.drain(..).rev() {
                    let asked: String = query[query.len() - 24..query.len() - 8]
                        .iter()
                        .map(|octet| format!("{octet:02x}"))
                        .collect();
                    let data = format!(
                        "002d 002b 0001 0003 0004cc 002e 0004 00000009 0005 0018 {asked} 00000064 000000c8"
                    );
                    socket.send_to(&reply(&query, &data), from).await.expect("sent");
                }
            }
        }
    });
    let timers = Timers {
        initial: Duration::from_secs(60),
        max: Duration::from_secs(60),
        gather: Duration::ZERO,
        ..Timers::default()
    };
    let requestor = Requestor::bind(own(), Settings { timers, ..loopback() }).expect("bound");
    let mut asked = JoinSet::new();
    for host in 0..COUNT {
        let requestor = requestor.clone();
        asked.spawn(async move {
            let own = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, host);
            let lookup = requestor.ask(&Query::by_address(own), &Plan::server(address)).await.expect("asked");
            let clients = lookup.outcome.expect("found");
            assert_eq!(clients[0].leases[0].lease.resource, AddressOrPrefix::Address(own));
        });
        if host % 50 == 49 {
            while asked.join_next().await.transpose().expect("no panic").is_some() {}
        }
    }
    server.await.expect("no panic");
}

/// R17.
#[tokio::test(start_paused = true)]
async fn each_link_is_queried() {
    let (socket, address) = server().await;
    tokio::spawn(async move {
        for _ in 0..3 {
            let (query, from) = query_of(&socket).await;
            let link = &query[16..32]; // header 4, own client-id 7, LQ_QUERY header 4, query-type 1
            let options = match link {
                [0x20, 0x01, 0x0d, 0xb8, 0, 1, ..] => DATA.to_owned(),
                [0x20, 0x01, 0x0d, 0xb8, 0, 2, ..] => String::new(),
                _ => "0030 0020 20010db8000100000000000000000000 20010db8000200000000000000000000".into(),
            };
            socket.send_to(&reply(&query, &options), from).await.expect("sent");
        }
    });
    let requestor = Requestor::bind(own(), loopback()).expect("bound");
    let query = Query::by_client_id(Duid::new([0, 4, 0xcc]).expect("a DUID"));
    let lookup = requestor.ask(&query, &Plan::server(address)).await.expect("asked");
    assert_eq!(lookup.exchanges.len(), 3);
    let content: Vec<_> =
        lookup.answers().map(|answer| matches!(answer.reply.content, Content::Data(_))).collect();
    assert_eq!(content, [false, true, false], "in the order of the links");
    let clients = lookup.outcome.expect("found");
    assert_eq!(clients[0].link, Some("2001:db8:1::".parse().expect("an address")));
}

/// R21.
#[tokio::test(start_paused = true)]
async fn no_binding_is_cached() {
    let (socket, address) = server().await;
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (query, from) = query_of(&socket).await;
            socket.send_to(&reply(&query, ""), from).await.expect("sent");
        }
    });
    let settings = Settings { negative_cache: Some((Duration::from_secs(30), 10)), ..loopback() };
    let requestor = Requestor::bind(own(), settings).expect("bound");
    let plan = Plan::server(address);
    let mut cached = Vec::new();
    for pause in [0, 29, 1] {
        tokio::time::advance(Duration::from_secs(pause)).await;
        let lookup = requestor.ask(&by_address(), &plan).await.expect("asked");
        assert!(lookup.is_no_binding());
        cached.push(lookup.cached);
    }
    assert_eq!(cached, [false, true, false]);
    server.await.expect("no panic");
}

/// R21.
#[tokio::test(start_paused = true)]
async fn refusals_are_cached_for_their_time() {
    for (options, lasts_s) in [("000d 0002 0009", 30), ("000d 0002 000a", 3)] {
        let (socket, address) = server().await;
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (query, from) = query_of(&socket).await;
                socket.send_to(&reply(&query, options), from).await.expect("sent");
            }
        });
        let settings = Settings { negative_cache: Some((Duration::from_secs(30), 10)), ..loopback() };
        let requestor = Requestor::bind(own(), settings).expect("bound");
        let plan = Plan::server(address);
        let mut cached = Vec::new();
        for pause_s in [0, lasts_s - 1, 1] {
            tokio::time::advance(Duration::from_secs(pause_s)).await;
            let lookup = requestor.ask(&by_address(), &plan).await.expect("asked");
            assert!(
                matches!(lookup.outcome, Err(LookupError::Refused { .. })),
                "the cached outcome is the refusal"
            );
            cached.push(lookup.cached);
        }
        assert_eq!(cached, [false, true, false], "{options}");
        server.await.expect("no panic");
    }
}

/// R21. RFC 5007 §5: a flood of packets to one address is one query.
#[tokio::test(start_paused = true)]
async fn equal_pending_queries_are_sent_once() {
    const CALLERS: usize = 50;
    let (socket, address) = server().await;
    let server = tokio::spawn(async move {
        let mut queries = 0;
        while let Ok((query, from)) = tokio::time::timeout(Duration::from_secs(60), query_of(&socket)).await {
            queries += 1;
            socket.send_to(&reply(&query, DATA), from).await.expect("sent");
        }
        queries
    });
    let requestor = Requestor::bind(own(), loopback()).expect("bound");
    let ask = |query: Query| {
        let requestor = requestor.clone();
        async move { requestor.ask(&query, &Plan::server(address)).await.expect("asked").outcome.expect("found") }
    };
    let mut tasks = JoinSet::new();
    for _ in 0..CALLERS {
        tasks.spawn(ask(by_address()));
    }
    tasks.spawn(ask(by_address().on_link("2001:db8::".parse().expect("an address"))));
    let mut stopped = JoinSet::new(); // a caller that goes away takes nothing from the others
    stopped.spawn(ask(by_address()));
    tokio::task::yield_now().await;
    // Aborted after it has joined the pending query.
    stopped.abort_all();
    assert_eq!(tasks.join_all().await.iter().map(Vec::len).sum::<usize>(), CALLERS + 1);
    assert!(lock(&requestor.0.lookups).is_empty(), "no result is kept");
    ask(by_address()).await; // an ended query is sent again
    assert_eq!(server.await.expect("no panic"), 3);
}

/// R17. Another server may name its links differently, or have other clients on them.
#[tokio::test(start_paused = true)]
async fn links_are_queried_at_the_server_that_named_them() {
    let (naming, plain) = (server().await, server().await);
    let links = "0030 0010 20010db8000100000000000000000000";
    let answering = |socket: UdpSocket, first: &'static str| {
        tokio::spawn(async move {
            let mut links = Vec::new();
            while let Ok((query, from)) =
                tokio::time::timeout(Duration::from_secs(60), query_of(&socket)).await
            {
                let link = query[16..32].iter().any(|&octet| octet != 0);
                links.push(link);
                socket.send_to(&reply(&query, if link { DATA } else { first }), from).await.expect("sent");
            }
            links
        })
    };
    let tasks = (answering(naming.0, links), answering(plain.0, ""));
    let requestor = Requestor::bind(own(), loopback()).expect("bound");
    let query = Query::by_client_id(Duid::new([0, 4, 0xcc]).expect("a DUID"));
    let plan = Plan::together([naming.1, plain.1]);
    let lookup = requestor.ask(&query, &plan).await.expect("asked");
    assert_eq!(lookup.outcome.expect("found").len(), 1);
    assert_eq!(
        (tasks.0.await.expect("no panic"), tasks.1.await.expect("no panic")),
        (vec![false, true], vec![false])
    );
}

/// R5, R21.
#[tokio::test]
async fn unusable_queries_fail_before_anything_is_sent() {
    let networks = vec!["2001:db8:1::/48".parse().expect("a network")];
    let (settings, lines) = observed(Settings { access_networks: networks, ..loopback() });
    let requestor = Requestor::bind(own(), settings).expect("bound");
    let no_server = Plan::in_turn([]);
    let outside = requestor.ask(&by_address(), &no_server).await;
    assert!(matches!(outside, Err(Error::OutsideAccessNetworks(_))), "{outside:?}");
    let inside = Query::by_address("2001:db8:1::1".parse().expect("an address"));
    assert!(matches!(requestor.ask(&inside, &no_server).await, Err(Error::NoServer)));
    let plan = Plan::server("[::1]:9".parse().expect("an address"));
    let greedy = inside.requesting((0..=u16::MAX).map(lqd_wire::OptionCode));
    assert!(matches!(requestor.ask(&greedy, &plan).await, Err(Error::TooLong)));
    let server_port =
        Settings { local: Some("[::1]:547".parse().expect("an address")), ..Settings::default() };
    assert!(matches!(Requestor::bind(own(), server_port), Err(Error::ServerPort)));
    assert!(matches!(crate::interface_index("no-such-interface"), Err(Error::Interface { .. })));
    assert_eq!(crate::interface_index("lo").ok(), Some(1));
    assert!(lines.lock().expect("no panic while held").is_empty());
}

#[tokio::test]
async fn the_receiving_task_ends_with_the_last_clone() {
    let requestor = Requestor::bind(own(), loopback()).expect("bound");
    let shared = Arc::downgrade(&requestor.0.shared);
    // A clone that goes must not close the socket.
    drop(requestor.clone());
    assert!(shared.upgrade().is_some());
    drop(requestor);
    for _ in 0..1000 {
        if shared.upgrade().is_none() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the socket is still open");
}

proptest::proptest! {
    #[test]
    fn no_octets_make_the_dispatch_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200), kind in 12_u8..16) {
        let _ = transaction_id(&[&[kind][..], &octets].concat());
        let _ = transaction_id(&octets);
    }
}

#[test]
fn the_transaction_id_is_found_through_relay_hops() {
    let header = |kind: u8| [&[kind, 0][..], &[0; 32]].concat();
    let wrap =
        |kind: u8, message: &[u8]| [&header(kind)[..], &[0, 9, 0, message.len() as u8], message].concat();
    let reply = [15, 1, 2, 3];
    let id = Ok(TransactionId([1, 2, 3]));
    assert_eq!(transaction_id(&reply), id);
    assert_eq!(transaction_id(&wrap(13, &wrap(13, &reply))), id);
    assert_eq!(transaction_id(&wrap(12, &reply)), Err(IgnoreReason::OtherMessage(MessageType::RELAY_FORW)));
    assert_eq!(transaction_id(&header(13)), Err(IgnoreReason::OtherMessage(MessageType::RELAY_REPL)));
    assert_eq!(transaction_id(&wrap(13, &[14, 1, 2, 3])), Err(IgnoreReason::Leasequery));
    assert!(matches!(transaction_id(&wrap(13, &reply)[..40]), Err(IgnoreReason::Malformed(_))));
}

#[test]
fn the_transaction_id_is_found_through_33_relay_hops_and_no_more() {
    let wrap = |message: Vec<u8>, _| {
        let len = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[13, 0][..], &[0; 32], &[0, 9], &len, &message].concat()
    };
    let levels = |count| (0..count).fold(vec![15, 1, 2, 3], wrap);
    assert_eq!(transaction_id(&levels(33)), Ok(TransactionId([1, 2, 3])));
    assert_eq!(transaction_id(&levels(34)), Err(IgnoreReason::OtherRelay));
}

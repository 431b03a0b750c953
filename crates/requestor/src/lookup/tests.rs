use std::net::SocketAddrV6;
use std::time::{Duration, SystemTime};

use super::*;
use crate::tests::octets;
use crate::{Duid, SilentServer};

const IDS: &str = "0001 0003 0004aa  0002 0003 0004bb";

const DATA: &str = "002d 002b 0001 0003 0004cc 002e 0004 00000009
    0005 0018 20010db8000000000000000000000001 00000064 000000c8";

const NO_BINDING: &str = "";

/// An answer with these options from the server at this port.
fn answer(port: u16, options: &str) -> Answer {
    let octets = octets(&format!("0f a1b2c3 {IDS} {options}"));
    Answer {
        from: server(port),
        reply: Reply::parse(&octets, &Duid::new([0, 4, 0xaa]).expect("a DUID")).expect("a valid reply"),
        received: SystemTime::UNIX_EPOCH,
        after: Duration::ZERO,
        transmissions: 1,
        octets,
    }
}

fn server(port: u16) -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0)
}

fn status(code: u16) -> String {
    format!("000d 0002 {code:04x}")
}

fn query() -> Query {
    Query::by_client_id(Duid::new([0, 4, 0xcc]).expect("a DUID"))
}

fn exchange(answers: Vec<Answer>, silent: &[u16]) -> Exchange {
    let silent =
        silent.iter().map(|&port| SilentServer { server: server(port), transmissions: 5, send_error: None });
    Exchange {
        query: query(),
        octets: Vec::new(),
        answers,
        first_of_last_stage: 0,
        silent: silent.collect(),
        ignored: Vec::new(),
    }
}

/// Returns "found", "none", or the error's text.
fn verdict(exchanges: Vec<Exchange>) -> String {
    match Lookup::conclude(query(), exchanges).outcome {
        Ok(clients) if clients.is_empty() => "none".into(),
        Ok(_) => "found".into(),
        Err(failure) => failure.to_string(),
    }
}

/// R18.
#[test]
fn silence_never_becomes_no_binding() {
    let one = |options: &[&str], silent: &[u16]| {
        let answers = options.iter().zip(1..).map(|(options, port)| answer(port, options)).collect();
        verdict(vec![exchange(answers, silent)])
    };
    let elsewhere = status(9);
    let not_allowed = status(10);
    let rows: [(&str, String, &str); 11] = [
        ("one says so", one(&[NO_BINDING], &[]), "none"),
        ("both say so", one(&[NO_BINDING, NO_BINDING], &[]), "none"),
        ("the other is not responsible", one(&[&elsewhere, NO_BINDING], &[]), "none"),
        (
            "the other is silent",
            one(&[NO_BINDING], &[2]),
            "no reply from [::1]:2 to 5 transmissions; [::1]:1 has no binding",
        ),
        ("the other refuses", one(&[NO_BINDING, &not_allowed], &[]), "[::1]:2 answered NotAllowed(10)"),
        ("no server is responsible", one(&[&elsewhere], &[]), "[::1]:1 answered NotConfigured(9)"),
        (
            "unusable data",
            one(&["002d 0007 0001 0003 0004cc"], &[]),
            "the answer of [::1]:1 is unusable: client data without client-last-transaction-time",
        ),
        (
            "no server answers",
            one(&[], &[1, 2]),
            "no reply from [::1]:1 to 5 transmissions; no reply from [::1]:2",
        ),
        ("data and silence", one(&[DATA], &[2]), "found"),
        ("data and a refusal", one(&[&not_allowed, DATA], &[]), "found"),
        ("a refusal and silence", one(&[&elsewhere], &[2]), "[::1]:1 answered NotConfigured(9)"),
    ];
    for (name, got, want) in rows {
        assert!(got.starts_with(want), "{name}: {got}");
    }
}

#[test]
fn the_answers_of_the_last_stage_decide() {
    let mut gone_on = exchange(vec![answer(1, &status(10)), answer(2, NO_BINDING)], &[]);
    gone_on.first_of_last_stage = 1;
    assert_eq!(verdict(vec![gone_on]), "none");
    let mut then_silent = exchange(vec![answer(1, &status(10))], &[2]);
    then_silent.first_of_last_stage = 1;
    assert!(verdict(vec![then_silent]).starts_with("[::1]:1 answered NotAllowed(10)"));
}

#[test]
fn a_group_that_answered_is_not_silent() {
    let group = SilentServer {
        server: "[ff05::1:3]:547".parse().expect("an address"),
        transmissions: 1,
        send_error: None,
    };
    let mut to_group = exchange(vec![answer(1, NO_BINDING)], &[]);
    to_group.silent.push(group.clone());
    assert_eq!(verdict(vec![to_group]), "none");
    let mut silent = exchange(vec![], &[]);
    silent.silent.push(group);
    assert!(verdict(vec![silent]).starts_with("no reply from [ff05::1:3]:547"));
}

/// R17.
#[test]
fn links_are_followed_once_each_and_only_where_allowed() {
    let links = format!("0030 0020 20010db8000100000000000000000000 {}", "00".repeat(16));
    let one_of_them = "0030 0010 20010db8000100000000000000000000";
    let mut several = exchange(vec![answer(1, &links), answer(2, &links), answer(3, one_of_them)], &[]);
    let want = [("2001:db8:1::", vec![server(1), server(2), server(3)]), ("::", vec![server(1), server(2)])];
    let want = want.map(|(link, servers)| (link.parse().expect("an address"), servers));
    assert_eq!(links_to_follow(&several), want, "each with the servers that named it");
    several.query.link = Some(Ipv6Addr::LOCALHOST);
    assert!(links_to_follow(&several).is_empty());
    let many = "00112233445566778899aabbccddee".to_owned();
    // More links than the limit, with repetitions among them.
    let many: String = (0..=u8::MAX).chain(0..2).map(|n| format!("{many}{n:02x}")).collect();
    let other: String = (0..=u8::MAX).map(|n| format!("{n:02x}112233445566778899aabbccddeeff")).collect();
    let flood = exchange(vec![answer(1, &format!("0030 2020 {many} {other}"))], &[]);
    assert_eq!(links_to_follow(&flood).len(), LINKS_MAX);
}

#[test]
fn a_link_without_answer_is_reported_beside_the_bindings_found() {
    let links = exchange(vec![answer(1, "0030 0010 20010db8000100000000000000000000")], &[]);
    let on_link = |answers, silent: &[u16]| {
        let mut exchange = exchange(answers, silent);
        exchange.query.link = Some("2001:db8:1::".parse().expect("an address"));
        exchange
    };
    let found = Lookup::conclude(query(), vec![links.clone(), on_link(vec![answer(1, DATA)], &[2])]);
    assert_eq!((found.outcome.expect("found").len(), found.incomplete.len()), (1, 0));
    let twice = vec![links.clone(), exchange(vec![answer(1, DATA)], &[]), on_link(vec![], &[1])];
    let part = Lookup::conclude(query(), twice);
    assert_eq!((part.outcome.expect("found").len(), part.incomplete.len()), (1, 1));
    assert!(verdict(vec![links.clone(), on_link(vec![], &[1])]).starts_with("no reply"));
    assert!(verdict(vec![links]).starts_with("the client is on links that were not queried: 2001:db8:1::"));
}

/// R18. RFC 5007 §4.3.3 has links in an answer only where the client has bindings on them.
#[test]
fn links_without_bindings_are_no_proof_that_there_are_none() {
    let links = exchange(vec![answer(1, "0030 0010 20010db8000100000000000000000000")], &[]);
    let mut on_link = exchange(vec![answer(1, NO_BINDING)], &[]);
    on_link.query.link = Some("2001:db8:1::".parse().expect("an address"));
    let nothing = "a server placed the client on the link of 2001:db8:1::, but no binding was found there";
    assert_eq!(verdict(vec![links, on_link]), nothing);
    let empty = exchange(vec![answer(1, "0030 0000")], &[]);
    let unnamed = "a server placed the client on links that are not named, but no binding was found there";
    assert_eq!(verdict(vec![empty.clone()]), unnamed);
    let beside = exchange(vec![answer(1, "0030 0000"), answer(2, NO_BINDING)], &[]);
    assert_eq!(verdict(vec![beside]), unnamed, "whatever another server says");
    let data = exchange(vec![answer(1, "0030 0000"), answer(2, DATA)], &[]);
    assert_eq!(verdict(vec![data]), "found");
}

/// R18.
#[test]
fn a_link_without_bindings_makes_the_others_incomplete() {
    let named = "0030 0020 20010db8000100000000000000000000 20010db8000200000000000000000000";
    let on_link = |link: &str, options: &str| {
        let mut exchange = exchange(vec![answer(1, options)], &[]);
        exchange.query.link = Some(link.parse().expect("an address"));
        exchange
    };
    for (second, complete) in [(DATA, true), (NO_BINDING, false)] {
        let exchanges = vec![
            exchange(vec![answer(1, named)], &[]),
            on_link("2001:db8:1::", DATA),
            on_link("2001:db8:2::", second),
        ];
        let lookup = Lookup::conclude(query(), exchanges);
        assert!(lookup.outcome.is_ok_and(|clients| !clients.is_empty()));
        let missing: Vec<String> = lookup.incomplete.iter().map(ToString::to_string).collect();
        let nothing =
            "a server placed the client on the link of 2001:db8:2::, but no binding was found there";
        assert_eq!(missing, if complete { vec![] } else { vec![nothing.to_owned()] });
    }
}

/// Client data for 2001:db8::1 of client `client`, heard `age_s` seconds ago.
fn data_of(client: &str, age_s: u32) -> String {
    let lease = "0005 0018 20010db8000000000000000000000001 00000064 000000c8";
    format!("002d 002b 0001 0003 0004{client} 002e 0004 {age_s:08x} {lease}")
}

/// R20. RFC 5007 §4.3.4: of two clients for one address, the one heard last is right.
#[test]
fn the_client_heard_last_wins_the_address() {
    let address = Query::by_address("2001:db8::1".parse().expect("an address"));
    for (first, second) in [(("cc", 900), ("dd", 5)), (("dd", 5), ("cc", 900))] {
        let mut heard = exchange(
            vec![answer(1, &data_of(first.0, first.1)), answer(2, &data_of(second.0, second.1))],
            &[],
        );
        heard.query = address.clone();
        for one in &mut heard.answers {
            one.received = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        }
        let lookup = Lookup::conclude(address.clone(), vec![heard]);
        let names =
            |clients: &[ClientOnLink]| clients.iter().map(|one| one.client.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&lookup.outcome.expect("found")), ["00:04:dd"]);
        assert_eq!(names(&lookup.superseded), ["00:04:cc"]);
    }
}

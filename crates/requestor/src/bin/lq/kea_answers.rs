//! Real answers of Kea 3.3, decoded and shown: foreign octets in, pages and JSON out, each looked over by a person.
//!
//! A changed page fails here; look at it, and if it is right take it over with `INSTA_UPDATE=always cargo test -p
//! lqd-requestor kea_answers`.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use lqd_requestor::{
    Duid, Error, Expected, Lookup, MessageType, OptionCode, Plan, Query, QueryType, RelayLevel, RelayPath,
    Step, Timers, Transaction, TransactionId,
};
use lqd_wire::{IaAddress, Message, Options, Relay, RelayHeader};

use crate::exit::Exit;
use crate::human::Page;
use crate::json;

/// Where Kea answered from.
const KEA: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1), 547, 0, 0);

/// One file of the data.
struct Recorded {
    name: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

/// All files with an answer, by name.
fn recorded() -> Vec<Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/kea-3.3-answers");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("the data is there").flatten().map(|file| file.path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        let line = |start: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(start))?
                .split_whitespace()
                .next()
                .map(str::to_owned)
        };
        let (request, reply) = (line("request ")?, line("reply ")?);
        let name = path.file_stem()?.to_str()?.to_owned();
        (reply != "-").then(|| Recorded { name, request: octets(&request), reply: octets(&reply) })
    };
    files.iter().filter_map(read).collect()
}

fn octets(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// What `lq` would have asked to send this, as far as it can ask so.
fn asked(request: &[u8]) -> (Query, Expected) {
    let mut levels = Vec::new();
    let mut message = request;
    while message.first() == Some(&MessageType::RELAY_FORW.0) {
        let (header, _) = RelayHeader::parse(message).expect("a relay header");
        let relay = Relay::parse(message).expect("a relay message");
        let interface_id = relay.interface_id.map(<[u8]>::to_vec);
        levels.insert(
            0,
            RelayLevel { link_address: header.link_address, peer_address: header.peer_address, interface_id },
        );
        message = relay.message;
    }
    let message = Message::parse(message).expect("a header");
    let find = |options: Options<'_>, code| {
        options.flatten().find_map(|(one, value)| (one == code).then(|| value.to_vec()))
    };
    let own = find(message.options.clone(), OptionCode::CLIENTID).expect("a client-id");
    let value = find(message.options.clone(), OptionCode::LQ_QUERY).expect("a query");
    let body = lqd_wire::Query::parse(&value).expect("a query");
    let address =
        find(body.options.clone(), OptionCode::IAADDR).and_then(|value| IaAddress::parse(&value).ok());
    let client = find(body.options.clone(), OptionCode::CLIENTID).and_then(|octets| Duid::new(octets).ok());
    let query = match (body.kind, client) {
        (QueryType::BY_CLIENT_ID, Some(client)) => Query::by_client_id(client),
        _ => Query::by_address(address.map_or(Ipv6Addr::UNSPECIFIED, |one| one.address)),
    };
    let link = Some(Ipv6Addr::from(*body.link_address)).filter(|link| !link.is_unspecified());
    let expected = Expected {
        transaction_id: TransactionId(message.transaction_id.0),
        own: Duid::new(own).expect("a DUID"),
        relays: RelayPath(levels),
        any_source: false,
    };
    (Query { link, ..query }, expected)
}

/// The lookup that this answer alone makes, received at 2026-01-01 00:00:00 UTC.
fn lookup(recorded: &Recorded) -> Lookup {
    let (query, expected) = asked(&recorded.request);
    let mut transaction = Transaction::new(query.clone(), expected, Plan::server(KEA), Timers::default());
    let now = Instant::now();
    assert!(matches!(transaction.poll(now, || 0.0), Step::Send { .. }));
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let answered = transaction.receive(KEA, &recorded.reply, now, received).map(|_| ());
    assert_eq!(answered, Ok(()), "{}", recorded.name);
    Lookup::conclude(query, vec![transaction.finish(recorded.request.clone())])
}

#[test]
fn every_answer_is_shown_sensibly() {
    let all = recorded();
    assert!(all.len() >= 48, "{} answers", all.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/shown");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for recorded in &all {
            let lookup = lookup(recorded);
            let page = Page { color: false, hex: false }.lookup(&lookup);
            let lookup: Result<Lookup, Error> = Ok(lookup);
            let exit = Exit::of(&lookup) as u8;
            let line = json::line(&asked(&recorded.request).0, &lookup, false, None);
            let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            let pretty = serde_json::to_string_pretty(&document).expect("JSON");
            insta::assert_snapshot!(
                recorded.name.as_str(),
                format!("{page}\nexit status {exit}\n\n{pretty}")
            );
        }
    });
}

/// dhcproto reads the same leases out of every answer: one decoder that is not ours.
#[test]
fn a_second_decoder_reads_the_same_leases() {
    use dhcproto::v6::{DhcpOption, Message};
    use dhcproto::{Decodable, Decoder};
    let mut leases = 0;
    for recorded in recorded() {
        let message = Message::decode(&mut Decoder::new(&recorded.reply)).expect("dhcproto reads it");
        let data: Vec<u8> = message
            .opts()
            .iter()
            .find_map(|option| match option {
                DhcpOption::Unknown(unknown) if unknown.code() == 45.into() => Some(unknown.data().to_vec()),
                _ => None,
            })
            .unwrap_or_default();
        let mut theirs: Vec<String> = dhcproto::v6::DhcpOptions::decode(&mut Decoder::new(&data))
            .expect("dhcproto reads the client data")
            .iter()
            .filter_map(|option| match option {
                DhcpOption::IAAddr(one) => {
                    Some(format!("{} {} {}", one.addr, one.preferred_life, one.valid_life))
                }
                DhcpOption::IAPrefix(one) => Some(format!(
                    "{}/{} {} {}",
                    one.prefix_ip, one.prefix_len, one.preferred_lifetime, one.valid_lifetime
                )),
                _ => None,
            })
            .collect();
        let lookup = lookup(&recorded);
        let mut ours: Vec<String> = lookup
            .outcome
            .iter()
            .flatten()
            .flat_map(|client| &client.leases)
            .map(|one| {
                format!(
                    "{} {} {}",
                    one.lease.binding, one.lease.preferred_lifetime_s, one.lease.valid_lifetime_s
                )
            })
            .collect();
        theirs.sort();
        ours.sort();
        assert_eq!(theirs, ours, "{}", recorded.name);
        leases += ours.len();
    }
    assert!(leases > 60, "{leases} leases in all");
}

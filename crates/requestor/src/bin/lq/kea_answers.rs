//! Recorded answers of Kea 3.3, decoded and rendered: octets of a foreign server in, pages and JSON out.
//!
//! One snapshot has a line for each answer; a page and its JSON are kept in full for each deviation and each
//! form of result. After a change, look at the difference and accept it with `INSTA_UPDATE=always cargo test
//! -p lqd-requestor kea_answers`.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use lqd_requestor::{
    Content, Deviation, Duid, Error, Expected, Lookup, MessageType, OptionCode, Plan, Query, QueryType,
    RelayHop, RelayPath, Step, Timers, Transaction, TransactionId,
};
use lqd_wire::{IaAddress, Message, Options, Relay, RelayHeader};

use crate::exit::Exit;
use crate::human::Page;
use crate::json;

/// Address that Kea answered from.
const KEA: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1), 547, 0, 0);

/// One recorded query with its answer.
struct Recorded {
    name: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

/// Returns every recorded query with an answer, sorted by name.
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
    let mut octets = Vec::new();
    lqd_wire::hex::parse_undivided(digits.as_bytes(), &mut octets).expect("hexadecimal digits");
    octets
}

/// Returns the query of `lq` that is closest to this request.
fn asked(request: &[u8]) -> (Query, Expected) {
    let mut levels = Vec::new();
    let mut message = request;
    while message.first() == Some(&MessageType::RELAY_FORW.0) {
        let (header, _) = RelayHeader::parse(message).expect("a relay header");
        let relay = Relay::parse(message).expect("a relay message");
        let interface_id = relay.interface_id.map(<[u8]>::to_vec);
        levels.insert(
            0,
            RelayHop { link_address: header.link_address, peer_address: header.peer_address, interface_id },
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

/// The lookup that this answer alone leads to, received at 2026-01-01 00:00:00 UTC.
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

/// The answers that are kept in full: one for each deviation and each form of result.
const IN_FULL: &[&str] = &[
    "addr-free-in-pool",
    "addr-late-preferred-ran-out",
    "addr-not-configured",
    "bad-unknown-type",
    "clientid-relayinfo",
    "clientid-wrong-link",
    "odd-client-on-two-links",
    "odd-infinite",
    "odd-pd-56-over-57",
    "odd-relays-4",
    "relayforw-addr",
];

/// Exit status, status, client, lease count, relay hops and deviations on one line.
fn summary(name: &str, lookup: &Lookup, exit: Exit) -> String {
    let mut parts = vec![format!("{name}: {} ({})", exit.word(), exit as u8)];
    let answer = lookup.answers().next().expect("one answer");
    parts.extend(answer.reply.status.as_ref().map(|one| format!("status {} {:?}", one.code.0, one.text)));
    for client in lookup.outcome.iter().flatten() {
        parts.push(format!("client {}", client.client));
        parts.extend(client.link.map(|link| format!("on {link}")));
        let age = answer.received.duration_since(client.last_transaction).expect("an age");
        parts.push(format!("heard {} s ago", age.as_secs()));
        let first = client.leases.first().expect("a lease").lease;
        let (preferred, valid) = (first.preferred_lifetime_s, first.valid_lifetime_s);
        parts.push(format!("{} leases, {} {preferred}/{valid} s", client.leases.len(), first.resource));
        parts.extend(client.fqdn.as_ref().map(|fqdn| format!("name {}", fqdn.name)));
        let hops = client.relay.iter().flat_map(|chain| &chain.relays);
        parts.extend(hops.map(|hop| format!("hop {} from {}", hop.link_address, hop.peer_address)));
        parts.extend(client.other.iter().map(|option| format!("option {}", option.code.0)));
    }
    if let Content::Links(links) = &answer.reply.content {
        parts.push(format!("links {links:?}"));
    }
    parts.extend(answer.reply.deviations.iter().map(|one| one.code().to_owned()));
    parts.join("; ")
}

/// The deviations of all these answers.
fn deviations<'a>(lookups: impl Iterator<Item = &'a Lookup>) -> BTreeSet<&'static str> {
    lookups.flat_map(Lookup::answers).flat_map(|one| &one.reply.deviations).map(Deviation::code).collect()
}

#[test]
fn every_answer_is_decoded_and_rendered() {
    let recorded = recorded();
    assert!(recorded.len() >= 48, "{} answers", recorded.len());
    let lookups: Vec<Lookup> = recorded.iter().map(lookup).collect();
    let is_full = |name: &str| IN_FULL.contains(&name);
    let full =
        || recorded.iter().zip(&lookups).filter(|(one, _)| is_full(&one.name)).map(|(_, lookup)| lookup);
    assert_eq!(full().count(), IN_FULL.len(), "each of IN_FULL is recorded");
    assert_eq!(deviations(full()), deviations(lookups.iter()), "each deviation is shown in full");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/shown");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let mut lines = Vec::new();
        for (recorded, lookup) in recorded.iter().zip(lookups) {
            let (name, page) = (recorded.name.as_str(), Page { color: false, hex: false }.lookup(&lookup));
            let result: Result<Lookup, Error> = Ok(lookup.clone());
            let exit = Exit::of(&result);
            let line = json::line(&asked(&recorded.request).0, &result, false, None);
            let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(document["exit_status"], exit as u8, "{name}");
            lines.push(summary(name, &lookup, exit));
            if is_full(name) {
                let pretty = serde_json::to_string_pretty(&document).expect("JSON");
                insta::assert_snapshot!(name, format!("{page}\nexit status {}\n\n{pretty}", exit as u8));
            }
        }
        insta::assert_snapshot!("every-answer", lines.join("\n"));
    });
}

/// A foreign decoder, dhcproto, reads the same leases out of every answer.
#[test]
fn dhcproto_reads_the_same_leases() {
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
                    one.lease.resource, one.lease.preferred_lifetime_s, one.lease.valid_lifetime_s
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

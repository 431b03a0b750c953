//! Recorded bulk answers of Kea 3.3, replayed through a session: compared with another program's decoding of
//! the same octets, and rendered as `lq bulk` does.
//!
//! After a change, look at the difference and accept it with `INSTA_UPDATE=always cargo test -p
//! lqd-requestor kea_bulk_answers`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::Path;
use std::time::{Duration, SystemTime};

use lqd_requestor::bulk::{Message, ProtocolError, Query, Received, Session, Target};
use lqd_requestor::{AddressOrPrefix, ClientData, Duid, OptionCode, QueryType, RelayAgent, RemoteId};
use lqd_wire::hex::Hex;
use lqd_wire::{Frame, IaAddress, Options};

use crate::bulk::{Answer, Arrival, block, client, exit};
use crate::human::Page;
use crate::json;

const KEA: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0);

/// One recorded connection.
struct Recorded {
    name: String,
    /// Octets by direction, in order; `true` is to the server.
    octets: Vec<(bool, Vec<u8>)>,
    /// The server's messages as the other program decoded them.
    decoded: Vec<Vec<String>>,
}

/// A connection as a session saw it.
struct Replayed {
    messages: Vec<Message>,
    /// The error that ended it, or its end.
    end: Result<(), ProtocolError>,
}

/// Returns every recorded connection, sorted by name.
fn recorded() -> Vec<Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/kea-3.3-bulk-answers");
    let entries = std::fs::read_dir(directory).expect("the data is there").flatten();
    let mut files: Vec<_> = entries.map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Recorded {
    let text = std::fs::read_to_string(path).expect("a text");
    let (wire, decoded) = text.split_once("# -- decoded\n").expect("both parts");
    let line = |line: &str| {
        let (direction, digits) = line.split_once(' ')?;
        let is_sent = match direction {
            "sent" => true,
            "got" => false,
            _ => return None,
        };
        let mut octets = Vec::new();
        lqd_wire::hex::parse_undivided(digits.trim().as_bytes(), &mut octets).expect("hexadecimal digits");
        Some((is_sent, octets))
    };
    let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
    Recorded { name, octets: wire.lines().filter_map(line).collect(), decoded: messages(decoded) }
}

/// Returns the lines of each message of the server that a session shows.
fn messages(decoded: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut is_received = false;
    for line in decoded.lines() {
        if line.starts_with("got") || line.starts_with("sent") {
            is_received = line.starts_with("got");
        } else if is_received && line.starts_with("  L") {
            all.push(vec![line.trim().to_owned()]);
        } else if is_received && is_shown(line) {
            all.last_mut().expect("a message before its options").push(line.trim().to_owned());
        }
    }
    all
}

/// Whether a session shows what this line has: it checks the requestor's own DUID, and structure is implied.
fn is_shown(line: &str) -> bool {
    !line.starts_with("    CLIENTID") && !line.contains("RELAY_MSG") && !line.contains("TRUNCATED")
}

/// The query of `lq bulk` that is closest to this request.
fn query(octets: &[u8]) -> (Query, Vec<u8>, lqd_wire::TransactionId) {
    let message = lqd_wire::Message::parse(octets).expect("a header");
    let find = |options: Options<'_>, code| {
        options.flatten().find_map(|(one, value)| (one == code).then(|| value.to_vec()))
    };
    let own = find(message.options.clone(), OptionCode::CLIENTID).unwrap_or_default();
    let value = find(message.options.clone(), OptionCode::LQ_QUERY).unwrap_or_default();
    let Ok(body) = lqd_wire::Query::parse(&value) else {
        return (Query::new(Target::Link(Ipv6Addr::UNSPECIFIED)), own, message.transaction_id);
    };
    let find = |code| find(body.options.clone(), code).unwrap_or_default();
    let duid = |code| Duid::new(find(code)).ok();
    let link = Ipv6Addr::from(*body.link_address);
    let target = match body.kind {
        QueryType::BY_ADDRESS => {
            IaAddress::parse(&find(OptionCode::IAADDR)).ok().map(|one| Target::Address(one.address))
        }
        QueryType::BY_CLIENT_ID => duid(OptionCode::CLIENTID).map(Target::Client),
        QueryType::BY_RELAY_ID => duid(OptionCode::RELAY_ID).map(Target::RelayId),
        QueryType::BY_REMOTE_ID => {
            let text = Hex::undivided(&find(OptionCode::REMOTE_ID)).to_string();
            text.parse::<RemoteId>().ok().map(Target::RemoteId)
        }
        _ => None,
    };
    (Query::new(target.unwrap_or(Target::Link(link))), own, message.transaction_id)
}

fn replay(recorded: &Recorded) -> Replayed {
    let own = Duid::new([0, 3, 0, 1, 2, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0]).expect("a DUID");
    let mut session = Session::new(own.clone());
    let mut messages = Vec::new();
    let mut sent = Vec::new();
    for (is_sent, octets) in &recorded.octets {
        if *is_sent {
            sent.extend_from_slice(octets);
            while let Ok(Some(frame)) = Frame::split(&sent) {
                let (query, id_of, id) = query(frame.message);
                assert_eq!(id_of, own.octets(), "{}", recorded.name);
                // One recording uses a transaction-id twice.
                if !session.has(id) {
                    session.ask(&query, id).expect("a short query");
                }
                sent = frame.rest.to_vec();
            }
            continue;
        }
        let mut rest = &octets[..];
        while let Some(received) = session.receive(&mut rest) {
            match received {
                Ok(Received::Message(message)) => messages.push(*message),
                Ok(Received::Ignored { .. }) => {}
                Err(error) => return Replayed { messages, end: Err(error) },
            }
        }
    }
    Replayed { messages, end: session.receive_end() }
}

/// Renders a message in the words of the other program.
fn shown(message: &Message) -> Vec<String> {
    let [a, b, c] = message.transaction_id.0;
    let kind = message.kind.name().expect("a known type");
    let mut lines = vec![format!("{kind} xid {a:02x}{b:02x}{c:02x}")];
    lines.extend(message.server.iter().map(|duid| format!("SERVERID {}", Hex::undivided(duid.octets()))));
    lines.extend(message.status.iter().map(|status| {
        let name = status.code.name().expect("a known status");
        format!("STATUS {} {name} '{}'", status.code.0, status.text)
    }));
    lines.extend(message.data.iter().flat_map(shown_client));
    lines
}

fn shown_client(data: &ClientData) -> Vec<String> {
    let client = format!("CLIENTID {}", Hex::undivided(data.client.octets()));
    let mut lines = vec!["CLIENT_DATA".to_owned(), client];
    lines.extend(data.leases.iter().map(|lease| {
        let (preferred, valid) = (lease.preferred_lifetime_s, lease.valid_lifetime_s);
        match lease.resource {
            AddressOrPrefix::Address(address) => format!("IAADDR {address} pref {preferred} valid {valid}"),
            AddressOrPrefix::Prefix(prefix) => format!("IAPREFIX {prefix} pref {preferred} valid {valid}"),
        }
    }));
    lines.push(format!("CLT_TIME {}", data.clt_time_s));
    if let Some(chain) = &data.relay {
        lines.push(format!("LQ_RELAY_DATA peer {}", chain.peer_address));
        lines.extend(chain.relays.iter().flat_map(shown_relay));
    }
    lines
}

fn shown_relay(relay: &RelayAgent) -> Vec<String> {
    let (hop, link, peer) = (relay.hop_count, relay.link_address, relay.peer_address);
    let mut lines = vec![format!("RELAY-FORW hop {hop} link {link} peer {peer}")];
    lines.extend(relay.interface_id.iter().map(|id| format!("INTERFACE_ID {}", Hex::undivided(id))));
    lines.extend(relay.remote_id.iter().map(|id| {
        let enterprise = id.enterprise.to_be_bytes();
        format!("REMOTE_ID {}{}", Hex::undivided(&enterprise), Hex::undivided(&id.identifier))
    }));
    lines.extend(relay.other.iter().map(|option| {
        assert_eq!(option.code, OptionCode::RELAY_ID);
        format!("RELAY_ID {}", Hex::undivided(&option.value))
    }));
    lines
}

/// A foreign judge: the other program's decoding of every message.
#[test]
fn every_message_is_decoded_as_by_another_program() {
    let (mut count, mut leases) = (0, 0);
    for recorded in recorded() {
        let replayed = replay(&recorded);
        let ours: Vec<_> = replayed.messages.iter().map(shown).collect();
        // After an error the rest of a connection is not read.
        let theirs = match replayed.end {
            Ok(()) | Err(ProtocolError::Closed) => &recorded.decoded[..],
            Err(_) => &recorded.decoded[..ours.len()],
        };
        assert_eq!(ours, theirs, "{}", recorded.name);
        count += ours.len();
        leases +=
            replayed.messages.iter().flat_map(|one| &one.data).map(|one| one.leases.len()).sum::<usize>();
    }
    assert!(count > 250 && leases > 150, "{count} messages, {leases} leases");
}

/// The answers that are kept in full: each deviation of a client, and each way to end.
const IN_FULL: &[&str] = &[
    "bulk-clientid-four-relays",
    "bulk-clientid-infinite",
    "bulk-clientid-two-links",
    "bulk-half-closed",
    "bulk-relay-id",
    "bulk-relay-id-unknown",
    "bulk-unknown-type",
];

/// Renders an answer as `lq bulk` prints it: pages, summary, exit status, lines of JSON.
fn printed(replayed: &Replayed) -> String {
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let mut answer = Answer::new(KEA);
    let (mut page, mut lines) = (String::new(), String::new());
    for message in &replayed.messages {
        if let Some(client) = client(KEA, message, received) {
            let _ = writeln!(page, "{}", block(Page { color: false, hex: false }, message, &client, false));
            let _ = writeln!(lines, "{}", json::bulk::line(KEA, message, &client, received, false));
        }
        answer.take(Arrival::Message { from: KEA, message: Box::new(message.clone()), received });
    }
    if let Err(error) = replayed.end.clone() {
        let error = lqd_requestor::bulk::Error::Protocol { server: KEA, error };
        answer.take(Arrival::End { from: KEA, error });
    }
    let summary = answer.summary(Duration::from_millis(100));
    format!("{page}{summary}\nexit status {}\n\n{lines}", exit(&[answer]) as u8)
}

#[test]
fn answers_are_rendered() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/shown");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let (mut all, mut full) = (String::new(), 0);
        for recorded in recorded() {
            let replayed = replay(&recorded);
            let messages = &replayed.messages;
            let mut ends: Vec<_> = messages
                .iter()
                .filter_map(|one| one.completion)
                .map(|end| {
                    format!(
                        "{:?}, {} clients, {} bindings",
                        end.outcome, end.tally.clients, end.tally.bindings
                    )
                })
                .collect();
            ends.dedup();
            let odd: BTreeSet<_> =
                messages.iter().flat_map(|one| &one.deviations).map(lqd_requestor::Deviation::code).collect();
            let end = replayed.end.as_ref().err().map(|error| format!("; {error}")).unwrap_or_default();
            let odd: Vec<_> = odd.into_iter().collect();
            let _ = writeln!(all, "{}: {}{end}; {}", recorded.name, ends.join("; "), odd.join(", "));
            let name = format!("bulk-{}", recorded.name);
            if IN_FULL.contains(&name.as_str()) {
                full += 1;
                insta::assert_snapshot!(name, printed(&replayed));
            }
        }
        assert_eq!(full, IN_FULL.len(), "each of IN_FULL is recorded");
        insta::assert_snapshot!("every-bulk-answer", all);
    });
}

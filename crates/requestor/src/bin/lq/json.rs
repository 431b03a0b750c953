//! A lookup as one line of JSON, with a stable schema.
//!
//! The structs below document it: `schema` is raised when a field changes its meaning or is removed; fields
//! may be added at any time. Everything but printable ASCII is escaped, so that the line is safe on a
//! terminal whatever a server sent.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_requestor::{
    AddressOrPrefix, Answer, ClientOnLink, Content, Deviation, Duid, DuidKind, Error, Lookup, MergedLease,
    Query, RawOption, RelayAgent, RelayChain, Target, option_text,
};
use lqd_wire::hex::Hex;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::exit::Exit;
use crate::format::{as_text, rfc_3339};
use crate::request;

pub(crate) mod bulk;
pub(crate) mod follow;

/// Raised when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// A query's line in a file.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct InputLine<'a> {
    /// Line number, from 1.
    line: usize,
    /// The text of the line.
    input: &'a str,
}

impl<'a> InputLine<'a> {
    /// A line of the file, from 1.
    pub(crate) fn new(line: usize, input: &'a str) -> Self {
        Self { line, input }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    #[serde(flatten)]
    input_line: Option<InputLine<'a>>,
    query: Option<QueryJson>,
    /// `found`, `incomplete`, `no-binding`, `refused`, `no-reply` or `not-asked`.
    result: &'static str,
    /// Exit status that this query alone would end the program with.
    exit_status: u8,
    /// The reason for the absence of a result.
    error: Option<String>,
    /// Errors that leave a result incomplete.
    incomplete: Vec<String>,
    clients: Vec<ClientJson>,
    /// Clients that other servers named less recently for the address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    superseded: Vec<ClientJson>,
    answers: Vec<AnswerJson>,
    /// Servers that did not answer.
    silent: Vec<SilentJson>,
    /// The first few ignored datagrams.
    ignored: Vec<IgnoredJson>,
}

#[derive(Serialize)]
struct QueryJson {
    /// `address` or `client-id`.
    by: &'static str,
    target: String,
    link: Option<Ipv6Addr>,
    requested: Vec<u16>,
}

#[derive(Serialize)]
struct ClientJson {
    client: DuidJson,
    link: Option<Ipv6Addr>,
    last_transaction: String,
    leases: Vec<LeaseJson>,
    /// Leases that other servers reported less recently, with other lifetimes.
    superseded: Vec<LeaseJson>,
    fqdn: Option<String>,
    link_layer_address: Option<LinkLayerJson>,
    relay: Option<RelayJson>,
    options: Vec<OptionJson>,
}

#[derive(Serialize)]
struct DuidJson {
    duid: String,
    /// `llt`, `en`, `ll`, `uuid` or `other`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_layer_address: Option<LinkLayerJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enterprise: Option<u32>,
}

#[derive(Serialize)]
struct LinkLayerJson {
    hardware_type: u16,
    address: String,
}

#[derive(Serialize)]
struct LeaseJson {
    /// `address` or `prefix`.
    kind: &'static str,
    /// `2001:db8::1` or `2001:db8::/56`.
    value: String,
    /// Seconds at the arrival of the answer; null is infinite.
    preferred_lifetime_s: Option<u32>,
    valid_lifetime_s: Option<u32>,
    /// Absent if it never ends.
    preferred_until: Option<String>,
    valid_until: Option<String>,
    /// The server that reported it.
    from: SocketAddrV6,
}

#[derive(Serialize)]
struct RelayJson {
    /// The relay agent that sent the message to the server.
    peer_address: Ipv6Addr,
    /// Relay agents in order from the client to the server.
    path: Vec<RelayAgentJson>,
    /// The first fault of the relay data.
    fault: Option<String>,
}

#[derive(Serialize)]
struct RelayAgentJson {
    hop_count: u8,
    link_address: Ipv6Addr,
    peer_address: Ipv6Addr,
    interface_id: Option<OctetsJson>,
    remote_id: Option<RemoteIdJson>,
    options: Vec<OptionJson>,
}

#[derive(Serialize)]
struct RemoteIdJson {
    enterprise: u32,
    #[serde(flatten)]
    identifier: OctetsJson,
}

#[derive(Serialize)]
struct OctetsJson {
    hex: String,
    /// The octets as text, if they are printable ASCII.
    text: Option<String>,
}

#[derive(Serialize)]
struct OptionJson {
    code: u16,
    name: Option<&'static str>,
    hex: String,
    text: Option<String>,
}

#[derive(Serialize)]
struct AnswerJson {
    from: SocketAddrV6,
    server: String,
    link: Option<Ipv6Addr>,
    received: String,
    after_ms: f64,
    transmissions: u32,
    status: Option<StatusJson>,
    /// `data`, `links`, `no-binding`, `refused` or `unusable`.
    content: &'static str,
    links: Vec<Ipv6Addr>,
    deviations: Vec<DeviationJson>,
    options: Vec<OptionJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_hex: Option<String>,
}

#[derive(Serialize)]
struct StatusJson {
    code: u16,
    name: Option<&'static str>,
    text: String,
}

#[derive(Serialize)]
struct DeviationJson {
    code: &'static str,
    text: String,
}

#[derive(Serialize)]
struct SilentJson {
    server: SocketAddrV6,
    transmissions: u32,
    send_error: Option<String>,
}

#[derive(Serialize)]
struct IgnoredJson {
    from: SocketAddrV6,
    reason: String,
}

/// Returns the line of a lookup, without line feed.
pub(crate) fn line(
    query: &Query,
    lookup: &Result<Lookup, Error>,
    with_hex: bool,
    input_line: Option<InputLine<'_>>,
) -> String {
    let mut document = Document::empty(Exit::of(lookup), input_line);
    document.query = Some(QueryJson::of(query));
    match lookup {
        Err(error) => document.error = Some(error.to_string()),
        Ok(lookup) => document.fill(lookup, with_hex),
    }
    document.to_line()
}

/// Returns the line of an invalid query.
pub(crate) fn invalid(input_line: InputLine<'_>, error: &str) -> String {
    without_answer(Exit::Usage, input_line, error)
}

/// Returns the line of a query whose answer is unusable.
pub(crate) fn unusable(input_line: InputLine<'_>, error: &str) -> String {
    without_answer(Exit::Refused, input_line, error)
}

fn without_answer(exit: Exit, input_line: InputLine<'_>, error: &str) -> String {
    let mut document = Document::empty(exit, Some(input_line));
    document.error = Some(error.to_owned());
    document.to_line()
}

impl<'a> Document<'a> {
    fn empty(exit: Exit, input_line: Option<InputLine<'a>>) -> Self {
        Self {
            schema: SCHEMA,
            input_line,
            query: None,
            result: exit.word(),
            exit_status: exit as u8,
            error: None,
            incomplete: Vec::new(),
            clients: Vec::new(),
            superseded: Vec::new(),
            answers: Vec::new(),
            silent: Vec::new(),
            ignored: Vec::new(),
        }
    }

    fn fill(&mut self, lookup: &Lookup, with_hex: bool) {
        self.error = lookup.outcome.as_ref().err().map(ToString::to_string);
        self.incomplete = lookup.incomplete.iter().map(ToString::to_string).collect();
        self.clients = lookup.outcome.iter().flatten().map(ClientJson::of).collect();
        self.superseded = lookup.superseded.iter().map(ClientJson::of).collect();
        for exchange in &lookup.exchanges {
            let query_hex = with_hex.then(|| Hex::undivided(&exchange.octets).to_string());
            let link = exchange.query.link;
            self.answers.extend(
                exchange.answers.iter().map(|answer| AnswerJson::of(answer, link, query_hex.clone())),
            );
            self.silent.extend(exchange.silent.iter().map(|one| SilentJson {
                server: one.server,
                transmissions: one.transmissions,
                send_error: one.send_error.clone(),
            }));
            let ignored = exchange.ignored.iter();
            self.ignored.extend(
                ignored.map(|(from, reason)| IgnoredJson { from: *from, reason: reason.to_string() }),
            );
        }
    }

    fn to_line(&self) -> String {
        to_line(self)
    }
}

/// Renders a document as a line, without line feed.
fn to_line(document: &impl Serialize) -> String {
    let mut line = Vec::new();
    let written = document.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Ascii));
    // Serializing strings, numbers and lists to memory cannot fail, and the formatter writes ASCII only.
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8_lossy(&line).into_owned()
}

fn kind(resource: AddressOrPrefix) -> &'static str {
    match resource {
        AddressOrPrefix::Address(_) => "address",
        AddressOrPrefix::Prefix(_) => "prefix",
    }
}

impl QueryJson {
    fn of(query: &Query) -> Self {
        let (by, target) = match &query.target {
            Target::Address(address) => ("address", address.to_string()),
            Target::Client(duid) => ("client-id", duid.to_string()),
        };
        Self { by, target, link: query.link, requested: query.requested.iter().map(|code| code.0).collect() }
    }
}

impl ClientJson {
    fn of(client: &ClientOnLink) -> Self {
        Self {
            client: DuidJson::of(&client.client),
            link: client.link,
            last_transaction: rfc_3339(client.last_transaction),
            leases: client.leases.iter().map(LeaseJson::of).collect(),
            superseded: client.superseded.iter().map(LeaseJson::of).collect(),
            fqdn: client.fqdn.as_ref().map(|fqdn| fqdn.name.clone()),
            link_layer_address: client
                .link_layer
                .as_ref()
                .map(|one| LinkLayerJson::of(one.hardware, &one.address)),
            relay: client.relay.as_ref().map(RelayJson::of),
            options: client.other.iter().map(OptionJson::of).collect(),
        }
    }
}

impl DuidJson {
    fn of(duid: &Duid) -> Self {
        let mut shape = Self {
            duid: duid.to_string(),
            kind: "other",
            link_layer_address: None,
            made: None,
            enterprise: None,
        };
        match duid.kind() {
            DuidKind::LinkLayerTime { hardware, made, address } => {
                shape.kind = "llt";
                shape.link_layer_address = Some(LinkLayerJson::of(hardware, address));
                shape.made = Some(rfc_3339(made));
            }
            DuidKind::Enterprise { number, .. } => {
                (shape.kind, shape.enterprise) = ("en", Some(number));
            }
            DuidKind::LinkLayer { hardware, address } => {
                shape.kind = "ll";
                shape.link_layer_address = Some(LinkLayerJson::of(hardware, address));
            }
            DuidKind::Uuid(_) => shape.kind = "uuid",
            DuidKind::Other => {}
        }
        shape
    }
}

impl LinkLayerJson {
    fn of(hardware_type: u16, address: &[u8]) -> Self {
        Self { hardware_type, address: Hex::divided(address, ':').to_string() }
    }
}

impl LeaseJson {
    fn of(lease: &MergedLease) -> Self {
        // RFC 8415 §7.7: 0xffffffff is infinity, null here, since programs would take it for seconds.
        let finite = |lifetime: u32| (lifetime != u32::MAX).then_some(lifetime);
        Self {
            kind: kind(lease.lease.resource),
            value: lease.lease.resource.to_string(),
            preferred_lifetime_s: finite(lease.lease.preferred_lifetime_s),
            valid_lifetime_s: finite(lease.lease.valid_lifetime_s),
            preferred_until: lease.preferred_until().map(rfc_3339),
            valid_until: lease.valid_until().map(rfc_3339),
            from: lease.from,
        }
    }
}

impl RelayJson {
    fn of(chain: &RelayChain) -> Self {
        Self {
            peer_address: chain.peer_address,
            // The wire has the outermost relay agent first.
            path: chain.relays.iter().rev().map(RelayAgentJson::of).collect(),
            fault: chain.fault.map(|fault| fault.to_string()),
        }
    }
}

impl RelayAgentJson {
    fn of(relay: &RelayAgent) -> Self {
        Self {
            hop_count: relay.hop_count,
            link_address: relay.link_address,
            peer_address: relay.peer_address,
            interface_id: relay.interface_id.as_deref().map(OctetsJson::of),
            remote_id: relay.remote_id.as_ref().map(|one| RemoteIdJson {
                enterprise: one.enterprise,
                identifier: OctetsJson::of(&one.identifier),
            }),
            options: relay.other.iter().map(OptionJson::of).collect(),
        }
    }
}

impl OctetsJson {
    fn of(octets: &[u8]) -> Self {
        Self { hex: Hex::undivided(octets).to_string(), text: as_text(octets).map(str::to_owned) }
    }
}

impl OptionJson {
    fn of(option: &RawOption) -> Self {
        Self {
            code: option.code.0,
            name: request::name(option.code),
            hex: Hex::undivided(&option.value).to_string(),
            text: option_text(option).or_else(|| as_text(&option.value).map(str::to_owned)),
        }
    }
}

impl DeviationJson {
    fn of(deviation: &Deviation) -> Self {
        Self { code: deviation.code(), text: deviation.to_string() }
    }
}

impl AnswerJson {
    fn of(answer: &Answer, link: Option<Ipv6Addr>, query_hex: Option<String>) -> Self {
        let reply = &answer.reply;
        let (content, links) = match &reply.content {
            Content::Data(_) => ("data", Vec::new()),
            Content::Links(links) => ("links", links.clone()),
            Content::NoBinding => ("no-binding", Vec::new()),
            Content::Refused => ("refused", Vec::new()),
            Content::Unusable => ("unusable", Vec::new()),
        };
        Self {
            from: answer.from,
            server: reply.server.to_string(),
            link,
            received: rfc_3339(answer.received),
            after_ms: answer.after.as_micros() as f64 / 1000.0,
            transmissions: answer.transmissions,
            status: reply.status.as_ref().map(|status| StatusJson {
                code: status.code.0,
                name: status.code.name(),
                text: status.text.clone(),
            }),
            content,
            links,
            deviations: reply.deviations.iter().map(DeviationJson::of).collect(),
            options: reply.other.iter().map(OptionJson::of).collect(),
            answer_hex: query_hex.is_some().then(|| Hex::undivided(&answer.octets).to_string()),
            query_hex,
        }
    }
}

/// JSON restricted to ASCII (RFC 8259 §7).
#[derive(Clone, Copy)]
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            // DEL and C1 controls are valid JSON, but act upon a terminal.
            if matches!(c, ' '..='~') {
                writer.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        CompactFormatter.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ascii_and_keeps_hostile_text() {
        let hostile = "\u{1b}[2J \u{9b}\u{7f}\"\\é\u{1f600}\n";
        let line = invalid(InputLine::new(7, hostile), "no");
        assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            (&read["input"], &read["line"], &read["exit_status"]),
            (&hostile.into(), &7.into(), &2.into())
        );
    }
}

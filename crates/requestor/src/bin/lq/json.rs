//! A lookup as one line of JSON. The shape is documented by the structs below and kept: `schema` grows when a field
//! changes its meaning or goes; fields may be added at any time.
//!
//! Everything but ASCII is escaped, and so is DEL: the line may be printed on a terminal whatever a server sent.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_requestor::{
    Answer, Binding, ClientOnLink, Content, Duid, DuidKind, Error, Lookup, MergedLease, Query, RawOption,
    RelayAgent, RelayChain, Target, option_text,
};
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::exit::Exit;
use crate::request;
use crate::shown::{as_text, hex, plain_hex, rfc_3339};

/// Grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Where a question of a file stands.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Place<'a> {
    /// Line number, from 1.
    line: usize,
    /// The line.
    input: &'a str,
}

impl<'a> Place<'a> {
    /// A line of the file, from 1.
    pub(crate) fn new(line: usize, input: &'a str) -> Self {
        Self { line, input }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    #[serde(flatten)]
    place: Option<Place<'a>>,
    query: Option<QueryShape>,
    /// `found`, `no-binding`, `refused`, `no-reply`, `not-asked`.
    result: &'static str,
    /// What this question alone would end the program with.
    exit_status: u8,
    /// Why there is no result.
    error: Option<String>,
    /// What is missing from a result.
    incomplete: Vec<String>,
    clients: Vec<ClientShape>,
    /// Named by servers whose word for the address is older.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    superseded: Vec<ClientShape>,
    answers: Vec<AnswerShape>,
    /// Servers that were asked in vain.
    silent: Vec<SilentShape>,
    /// Datagrams that were no answer, the first few.
    ignored: Vec<IgnoredShape>,
}

#[derive(Serialize)]
struct QueryShape {
    /// `address` or `client-id`.
    by: &'static str,
    target: String,
    link: Option<Ipv6Addr>,
    requested: Vec<u16>,
}

#[derive(Serialize)]
struct ClientShape {
    client: DuidShape,
    link: Option<Ipv6Addr>,
    last_transaction: String,
    leases: Vec<LeaseShape>,
    /// What other servers said earlier and differently.
    superseded: Vec<LeaseShape>,
    fqdn: Option<String>,
    link_layer_address: Option<LinkLayerShape>,
    relay: Option<RelayShape>,
    options: Vec<OptionShape>,
}

#[derive(Serialize)]
struct DuidShape {
    duid: String,
    /// `llt`, `en`, `ll`, `uuid` or `other`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_layer_address: Option<LinkLayerShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enterprise: Option<u32>,
}

#[derive(Serialize)]
struct LinkLayerShape {
    hardware_type: u16,
    address: String,
}

#[derive(Serialize)]
struct LeaseShape {
    /// `address` or `prefix`.
    kind: &'static str,
    /// `2001:db8::1` or `2001:db8::/56`.
    value: String,
    /// Seconds when the answer came; null is for ever.
    preferred_lifetime_s: Option<u32>,
    valid_lifetime_s: Option<u32>,
    /// null is never.
    preferred_until: Option<String>,
    valid_until: Option<String>,
    /// Whose word this is.
    from: SocketAddrV6,
}

#[derive(Serialize)]
struct RelayShape {
    /// The relay agent from which the server had the message.
    peer_address: Ipv6Addr,
    /// From the client's side to the server's.
    path: Vec<RelayAgentShape>,
    /// Where the chain is broken.
    fault: Option<String>,
}

#[derive(Serialize)]
struct RelayAgentShape {
    hop_count: u8,
    link_address: Ipv6Addr,
    peer_address: Ipv6Addr,
    interface_id: Option<OctetsShape>,
    remote_id: Option<RemoteIdShape>,
    options: Vec<OptionShape>,
}

#[derive(Serialize)]
struct RemoteIdShape {
    enterprise: u32,
    #[serde(flatten)]
    identifier: OctetsShape,
}

#[derive(Serialize)]
struct OctetsShape {
    hex: String,
    /// If it is printable ASCII.
    text: Option<String>,
}

#[derive(Serialize)]
struct OptionShape {
    code: u16,
    name: Option<&'static str>,
    hex: String,
    text: Option<String>,
}

#[derive(Serialize)]
struct AnswerShape {
    from: SocketAddrV6,
    server: String,
    link: Option<Ipv6Addr>,
    received: String,
    after_ms: f64,
    transmissions: u32,
    status: Option<StatusShape>,
    /// `data`, `links`, `no-binding`, `refused` or `unusable`.
    content: &'static str,
    links: Vec<Ipv6Addr>,
    deviations: Vec<DeviationShape>,
    options: Vec<OptionShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_hex: Option<String>,
}

#[derive(Serialize)]
struct StatusShape {
    code: u16,
    name: Option<&'static str>,
    text: String,
}

#[derive(Serialize)]
struct DeviationShape {
    code: &'static str,
    text: String,
}

#[derive(Serialize)]
struct SilentShape {
    server: SocketAddrV6,
    transmissions: u32,
    send_error: Option<String>,
}

#[derive(Serialize)]
struct IgnoredShape {
    from: SocketAddrV6,
    reason: String,
}

/// The line of a lookup, without its end.
pub(crate) fn line(
    query: &Query,
    lookup: &Result<Lookup, Error>,
    with_hex: bool,
    place: Option<Place<'_>>,
) -> String {
    let mut document = Document::empty(Exit::of(lookup), place);
    document.query = Some(QueryShape::of(query));
    match lookup {
        Err(error) => document.error = Some(error.to_string()),
        Ok(lookup) => document.fill(lookup, with_hex),
    }
    document.to_line()
}

/// The line of a question that cannot be read.
pub(crate) fn unreadable(place: Place<'_>, error: &str) -> String {
    without_answer(Exit::Usage, place, error)
}

/// The line of a question whose answer cannot be used.
pub(crate) fn unusable(place: Place<'_>, error: &str) -> String {
    without_answer(Exit::Refused, place, error)
}

fn without_answer(exit: Exit, place: Place<'_>, error: &str) -> String {
    let mut document = Document::empty(exit, Some(place));
    document.error = Some(error.to_owned());
    document.to_line()
}

impl<'a> Document<'a> {
    fn empty(exit: Exit, place: Option<Place<'a>>) -> Self {
        Self {
            schema: SCHEMA,
            place,
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
        self.clients = lookup.outcome.iter().flatten().map(ClientShape::of).collect();
        self.superseded = lookup.superseded.iter().map(ClientShape::of).collect();
        for exchange in &lookup.exchanges {
            let query_hex = with_hex.then(|| plain_hex(&exchange.octets));
            let link = exchange.query.link;
            self.answers.extend(
                exchange.answers.iter().map(|answer| AnswerShape::of(answer, link, query_hex.clone())),
            );
            self.silent.extend(exchange.silent.iter().map(|one| SilentShape {
                server: one.server,
                transmissions: one.transmissions,
                send_error: one.send_error.clone(),
            }));
            let ignored = exchange.ignored.iter();
            self.ignored.extend(
                ignored.map(|(from, reason)| IgnoredShape { from: *from, reason: reason.to_string() }),
            );
        }
    }

    fn to_line(&self) -> String {
        let mut line = Vec::new();
        let written = self.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Ascii));
        // Strings, numbers and lists into memory: nothing here can fail, and what is written is ASCII.
        debug_assert!(written.is_ok(), "{written:?}");
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl QueryShape {
    fn of(query: &Query) -> Self {
        let (by, target) = match &query.target {
            Target::Address(address) => ("address", address.to_string()),
            Target::Client(duid) => ("client-id", duid.to_string()),
        };
        Self { by, target, link: query.link, requested: query.requested.iter().map(|code| code.0).collect() }
    }
}

impl ClientShape {
    fn of(client: &ClientOnLink) -> Self {
        Self {
            client: DuidShape::of(&client.client),
            link: client.link,
            last_transaction: rfc_3339(client.last_transaction),
            leases: client.leases.iter().map(LeaseShape::of).collect(),
            superseded: client.superseded.iter().map(LeaseShape::of).collect(),
            fqdn: client.fqdn.as_ref().map(|fqdn| fqdn.name.clone()),
            link_layer_address: client
                .link_layer
                .as_ref()
                .map(|one| LinkLayerShape::of(one.hardware, &one.address)),
            relay: client.relay.as_ref().map(RelayShape::of),
            options: client.other.iter().map(OptionShape::of).collect(),
        }
    }
}

impl DuidShape {
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
                shape.link_layer_address = Some(LinkLayerShape::of(hardware, address));
                shape.made = Some(rfc_3339(made));
            }
            DuidKind::Enterprise { number, .. } => {
                (shape.kind, shape.enterprise) = ("en", Some(number));
            }
            DuidKind::LinkLayer { hardware, address } => {
                shape.kind = "ll";
                shape.link_layer_address = Some(LinkLayerShape::of(hardware, address));
            }
            DuidKind::Uuid(_) => shape.kind = "uuid",
            DuidKind::Other => {}
        }
        shape
    }
}

impl LinkLayerShape {
    fn of(hardware_type: u16, address: &[u8]) -> Self {
        Self { hardware_type, address: hex(address) }
    }
}

impl LeaseShape {
    fn of(lease: &MergedLease) -> Self {
        let finite = |lifetime: u32| (lifetime != u32::MAX).then_some(lifetime);
        Self {
            kind: match lease.lease.binding {
                Binding::Address(_) => "address",
                Binding::Prefix(_) => "prefix",
            },
            value: lease.lease.binding.to_string(),
            preferred_lifetime_s: finite(lease.lease.preferred_lifetime_s),
            valid_lifetime_s: finite(lease.lease.valid_lifetime_s),
            preferred_until: lease.preferred_until().map(rfc_3339),
            valid_until: lease.valid_until().map(rfc_3339),
            from: lease.from,
        }
    }
}

impl RelayShape {
    fn of(chain: &RelayChain) -> Self {
        Self {
            peer_address: chain.peer_address,
            path: chain.relays.iter().rev().map(RelayAgentShape::of).collect(),
            fault: chain.fault.map(|fault| fault.to_string()),
        }
    }
}

impl RelayAgentShape {
    fn of(relay: &RelayAgent) -> Self {
        Self {
            hop_count: relay.hop_count,
            link_address: relay.link_address,
            peer_address: relay.peer_address,
            interface_id: relay.interface_id.as_deref().map(OctetsShape::of),
            remote_id: relay.remote_id.as_ref().map(|one| RemoteIdShape {
                enterprise: one.enterprise,
                identifier: OctetsShape::of(&one.identifier),
            }),
            options: relay.other.iter().map(OptionShape::of).collect(),
        }
    }
}

impl OctetsShape {
    fn of(octets: &[u8]) -> Self {
        Self { hex: plain_hex(octets), text: as_text(octets).map(str::to_owned) }
    }
}

impl OptionShape {
    fn of(option: &RawOption) -> Self {
        Self {
            code: option.code.0,
            name: request::name(option.code),
            hex: plain_hex(&option.value),
            text: option_text(option).or_else(|| as_text(&option.value).map(str::to_owned)),
        }
    }
}

impl AnswerShape {
    fn of(answer: &Answer, link: Option<Ipv6Addr>, query_hex: Option<String>) -> Self {
        let reply = &answer.reply;
        let (content, links) = match &reply.content {
            Content::Data(_) => ("data", Vec::new()),
            Content::Links(links) => ("links", links.clone()),
            Content::NoBinding => ("no-binding", Vec::new()),
            Content::Refused => ("refused", Vec::new()),
            Content::Unusable => ("unusable", Vec::new()),
        };
        let deviation =
            |one: &lqd_requestor::Deviation| DeviationShape { code: one.code(), text: one.to_string() };
        Self {
            from: answer.from,
            server: reply.server.to_string(),
            link,
            received: rfc_3339(answer.received),
            after_ms: answer.after.as_micros() as f64 / 1000.0,
            transmissions: answer.transmissions,
            status: reply.status.as_ref().map(|status| StatusShape {
                code: status.code.0,
                name: status.code.name(),
                text: status.text.clone(),
            }),
            content,
            links,
            deviations: reply.deviations.iter().map(deviation).collect(),
            options: reply.other.iter().map(OptionShape::of).collect(),
            answer_hex: query_hex.is_some().then(|| plain_hex(&answer.octets)),
            query_hex,
        }
    }
}

/// JSON in ASCII alone (RFC 8259 §7).
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
    fn a_line_is_ascii_and_says_the_same() {
        let hostile = "\u{1b}[2J \u{9b}\u{7f}\"\\é\u{1f600}\n";
        let line = unreadable(Place::new(7, hostile), "no");
        assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            (&read["input"], &read["line"], &read["exit_status"]),
            (&hostile.into(), &7.into(), &2.into())
        );
    }
}

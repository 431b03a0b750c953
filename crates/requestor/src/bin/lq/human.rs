//! A lookup as a page for people: the verdict first, then clients and leases, then the servers.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::time::SystemTime;

use lqd_requestor::{
    AddressOrPrefix, Answer, ClientOnLink, Content, Exchange, IgnoreReason, Lookup, LookupError, MergedLease,
    RelayAgent, RelayChain, Target,
};

use crate::format;

/// Width of the label column.
const LABEL_LEN: usize = 14;

/// The format of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Whether to use colors.
    pub(crate) color: bool,
    /// Whether to dump the octets of queries and answers.
    pub(crate) hex: bool,
}

/// Colors (ECMA-48 SGR).
#[derive(Clone, Copy)]
enum Paint {
    Good,
    Odd,
    Bad,
    Label,
    Strong,
}

impl Page {
    /// Renders the whole page.
    pub(crate) fn lookup(self, lookup: &Lookup) -> String {
        let mut page = self.headline(lookup);
        for client in lookup.outcome.iter().flatten() {
            page.push('\n');
            let data = lookup.answers().filter(|answer| matches!(answer.reply.content, Content::Data(_)));
            // With one source, naming it at each lease would only be noise.
            self.client(&mut page, client, Some(&lookup.query.target), data.count() > 1);
        }
        for old in &lookup.superseded {
            let text = format!(
                "{} according to another server, which heard from that client earlier, {}",
                old.client,
                format::time(old.last_transaction)
            );
            self.row(&mut page, "superseded", &self.paint(Paint::Odd, &text));
        }
        let mut sources = String::new();
        for exchange in &lookup.exchanges {
            self.exchange(&mut sources, exchange);
        }
        for error in &lookup.incomplete {
            self.row(&mut sources, "incomplete", &self.paint(Paint::Bad, &error.to_string()));
        }
        if !sources.is_empty() {
            page.push('\n');
            page.push_str(&sources);
        }
        // Last, since dumps push everything else off the screen.
        if self.hex {
            self.octets(&mut page, lookup);
        }
        page
    }

    fn headline(self, lookup: &Lookup) -> String {
        let target = match &lookup.query.target {
            Target::Address(address) => address.to_string(),
            Target::Client(duid) => duid.to_string(),
        };
        let by_address = matches!(lookup.query.target, Target::Address(_));
        let (paint, verdict, text) = match &lookup.outcome {
            Ok(clients) if clients.is_empty() => {
                let on = lookup.query.link.map(|link| format!(" on the link of {link}")).unwrap_or_default();
                let text = if by_address {
                    format!("no client holds {target}{on}")
                } else {
                    format!("client {target} has no lease{on}")
                };
                (Paint::Odd, "no binding", text)
            }
            Ok(clients) => {
                let leases: usize = clients.iter().map(|client| client.leases.len()).sum();
                let what = if leases == 1 { "1 lease".to_owned() } else { format!("{leases} leases") };
                let text = if by_address {
                    format!("{target} is held by a client with {what}")
                } else {
                    format!("{target} has {what}")
                };
                // Only clients of followed links have a link-address.
                let links = clients.iter().filter(|client| client.link.is_some()).count();
                (Paint::Good, "found", if links > 1 { format!("{text} on {links} links") } else { text })
            }
            Err(error) => {
                let verdict = match error {
                    LookupError::NoReply { .. } => "unanswered",
                    LookupError::Unusable { .. } | LookupError::NothingOnLinks { .. } => "unusable",
                    _ => "refused",
                };
                (Paint::Bad, verdict, error.to_string())
            }
        };
        format!("{}  {text}\n", self.paint(paint, verdict))
    }

    /// Appends a client with its leases.
    pub(crate) fn client(
        self,
        page: &mut String,
        client: &ClientOnLink,
        target: Option<&Target>,
        several_sources: bool,
    ) {
        self.row(page, "client", &self.paint(Paint::Strong, &client.client.to_string()));
        self.row(page, "", &format::duid_kind(&client.client));
        if let Some(link) = client.link {
            self.row(page, "link", &link.to_string());
        }
        // Ages count from the newest answer, as its lifetimes do.
        let received =
            client.leases.iter().map(|lease| lease.received).max().unwrap_or(client.last_transaction);
        let age = received.duration_since(client.last_transaction).unwrap_or_default().as_secs();
        self.row(
            page,
            "last contact",
            &format!("{} ago, {}", format::seconds(age), format::time(client.last_transaction)),
        );
        for lease in &client.leases {
            self.lease(page, lease, target, several_sources);
        }
        if let Some(fqdn) = &client.fqdn {
            self.row(page, "name", if fqdn.name.is_empty() { "(empty)" } else { &fqdn.name });
        }
        if let Some(address) = &client.link_layer {
            self.row(page, "link-layer", &format::link_layer(address.hardware, &address.address));
        }
        if let Some(relay) = &client.relay {
            self.relay_path(page, relay);
        }
        for option in &client.other {
            self.row(page, "option", &format::option(option));
        }
        for old in &client.superseded {
            let text = format!(
                "{} reports {} with other lifetimes ({}), but heard from the client earlier",
                old.from,
                old.lease.resource,
                lifetimes(old)
            );
            self.row(page, "note", &self.paint(Paint::Odd, &text));
        }
    }

    fn lease(self, page: &mut String, lease: &MergedLease, target: Option<&Target>, several_sources: bool) {
        let label = match lease.lease.resource {
            AddressOrPrefix::Address(_) => "address",
            AddressOrPrefix::Prefix(_) => "prefix",
        };
        // The queried address may lie inside a delegated prefix.
        let asked = match target {
            Some(Target::Address(address)) if lease.lease.resource.covers(*address) => "  <- asked",
            _ => "",
        };
        let binding = self.paint(Paint::Strong, &lease.lease.resource.to_string());
        self.row(page, label, &format!("{binding}{asked}"));
        self.row(page, "", &lifetimes(lease));
        if several_sources {
            self.row(page, "", &format!("reported by {}", lease.from));
        }
    }

    /// Renders the path from the client through the relay agents to the server.
    fn relay_path(self, page: &mut String, chain: &RelayChain) {
        let client = chain.relays.last().map(|relay| relay.peer_address);
        let client = match client {
            // A malformed chain ends before the client.
            Some(client) if chain.fault.is_none() => format!("client {client}"),
            _ => "client (the path to it is broken)".to_owned(),
        };
        self.row(page, "relay path", &client);
        for (depth, relay) in chain.relays.iter().rev().enumerate() {
            let indent = "   ".repeat(depth);
            self.row(page, "", &format!("{indent}└─ relay agent{}", on_link(relay)));
            for line in identifiers(relay) {
                self.row(page, "", &format!("{indent}   {line}"));
            }
        }
        // An unspecified peer-address says nothing.
        let peer = if chain.peer_address.is_unspecified() {
            String::new()
        } else {
            format!(", received from {}", chain.peer_address)
        };
        self.row(page, "", &format!("{}└─ server{peer}", "   ".repeat(chain.relays.len())));
    }

    fn exchange(self, page: &mut String, exchange: &Exchange) {
        for answer in &exchange.answers {
            self.answer(page, answer, exchange.query.link);
        }
        for silent in &exchange.silent {
            // The headline is about silence if there is no answer, and a group whose members answered is not
            // silent.
            let answered = !exchange.answers.is_empty() && !silent.server.ip().is_multicast();
            if answered {
                self.row(
                    page,
                    "silent",
                    &self.paint(Paint::Odd, &format!("{} did not answer", silent.server)),
                );
            }
        }
        // A second answer is normal after a retransmission; --trace shows it.
        let odd = exchange.ignored.iter().filter(|(_, reason)| *reason != IgnoreReason::Duplicate);
        for (from, reason) in odd {
            self.row(page, "ignored", &self.paint(Paint::Odd, &format!("a datagram from {from}: {reason}")));
        }
    }

    fn answer(self, page: &mut String, answer: &Answer, link: Option<Ipv6Addr>) {
        let tries = if answer.transmissions > 1 {
            format!(", sent {} times", answer.transmissions)
        } else {
            String::new()
        };
        let about = link.map(|link| format!(", for link {link}")).unwrap_or_default();
        self.row(
            page,
            "server",
            &format!("{} in {}{tries}{about}", answer.from, format::milliseconds(answer.after)),
        );
        self.row(page, "", &answer.reply.server.to_string());
        if let Some(status) = &answer.reply.status {
            let name = status.code.name().unwrap_or("status");
            let text = if status.text.is_empty() {
                String::new()
            } else {
                format!(", {}", format::quoted(&status.text))
            };
            self.row(page, "", &format!("{name}({}){text}", status.code.0));
        }
        if let Content::Links(links) = &answer.reply.content {
            let links: Vec<String> = links.iter().map(ToString::to_string).collect();
            self.row(page, "", &format!("the client is on {} links: {}", links.len(), links.join(", ")));
        }
        for option in &answer.reply.other {
            self.row(page, "", &format!("option {}", format::option(option)));
        }
        for deviation in &answer.reply.deviations {
            self.note(page, &deviation.to_string());
        }
    }

    fn octets(self, page: &mut String, lookup: &Lookup) {
        for exchange in &lookup.exchanges {
            let _ = write!(
                page,
                "\nquery, {} octets\n{}",
                exchange.octets.len(),
                format::hexdump(&exchange.octets, "  ")
            );
            for answer in &exchange.answers {
                let (from, len) = (answer.from, answer.octets.len());
                let _ = write!(
                    page,
                    "\nanswer of {from}, {len} octets\n{}",
                    format::hexdump(&answer.octets, "  ")
                );
            }
        }
    }

    /// Appends a row about a deviation.
    pub(crate) fn note(self, page: &mut String, text: &str) {
        self.row(page, "note", &self.paint(Paint::Odd, text));
    }

    /// Appends a row.
    pub(crate) fn row(self, page: &mut String, label: &str, text: &str) {
        let label = self.paint(Paint::Label, &format!("{label:<LABEL_LEN$}"));
        let _ = writeln!(page, "{label}{text}");
    }

    fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "1;32",
            Paint::Odd => "33",
            Paint::Bad => "1;31",
            Paint::Label => "2",
            Paint::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn on_link(relay: &RelayAgent) -> String {
    if relay.link_address.is_unspecified() {
        String::new()
    } else {
        format!(" on link {}", relay.link_address)
    }
}

/// Returns the relay agent's identifiers of the client's circuit, and its other options.
fn identifiers(relay: &RelayAgent) -> Vec<String> {
    let interface_id = relay.interface_id.iter().map(|id| format!("interface {}", format::identifier(id)));
    let remote_id = relay.remote_id.iter().map(|id| format!("remote-id {}", format::remote_id(id)));
    interface_id.chain(remote_id).chain(relay.other.iter().map(format::option)).collect()
}

/// Renders the remaining lifetimes and their ends.
fn lifetimes(lease: &MergedLease) -> String {
    let remaining = |lifetime: u32, until: Option<SystemTime>| match until {
        None => "forever".to_owned(),
        Some(until) => format!("for {}, until {}", format::seconds(lifetime.into()), format::time(until)),
    };
    let valid = match lease.lease.valid_lifetime_s {
        0 => "no longer valid".to_owned(),
        lifetime => format!("valid {}", remaining(lifetime, lease.valid_until())),
    };
    let preferred = match lease.lease.preferred_lifetime_s {
        0 => "no longer preferred".to_owned(),
        u32::MAX => "preferred forever".to_owned(),
        lifetime => format!("preferred for {}", format::seconds(lifetime.into())),
    };
    format!("{valid}; {preferred}")
}

//! Judge: checks that the outcome of a query is right, and that a reply contains only data of the leases.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use lqd_answer::{Outcome, Policy};
use lqd_index::LeaseKind;
use lqd_wire::{IaAddress, IaPrefix, MessageType, OptionCode, Options, SERVER_PORT};

use crate::question::{Ask, Question, Subject, address};
use crate::relay::{check_relay_data, levels, relay_data_without};
use crate::{Answer, NOW, OwnedLease, SOURCE, Sample};

/// Longest query that leaves room for all sample data of a client.
const ROOM_FOR_ALL: usize = 50_000;

/// Judges the outcome of a query of [`SOURCE`].
///
/// # Panics
/// The outcome is wrong.
pub fn judge(sample: &Sample, policy: &Policy, query: &[u8], answer: &Answer) {
    let (to, reply, outcome) = match answer {
        Answer::Silence(outcome) => {
            assert!(outcome.name().starts_with("drop_"), "{outcome:?} without a reply");
            return;
        }
        Answer::Reply { to, octets, outcome } => (to, octets, *outcome),
    };
    // Both are read by the judge's own parser, not by the engine's.
    let (asked_through, question) = levels(query, MessageType::RELAY_FORW);
    let (answered_through, message) = levels(reply, MessageType::RELAY_REPL);
    assert_eq!(asked_through, answered_through, "the reply goes back the way the query came");
    assert!(asked_through.len() <= usize::from(policy.relay_hops_max));
    let mut expected = SOURCE;
    // RFC 8357 §5.2: without the option, the reply goes to the server port.
    if asked_through.first().is_some_and(|level| level.source_port.is_none()) {
        expected.set_port(SERVER_PORT);
    }
    assert_eq!(*to, expected, "where the reply goes");

    let question = Question::read(question);
    let (header, options) = message.split_at_checked(4).expect("a whole header");
    // Only one type of message may come back.
    assert_eq!(header[0], MessageType::LEASEQUERY_REPLY.0);
    assert_eq!(&header[1..], question.transaction_id);
    let options: Vec<_> = Options::new(options).map(|option| option.expect("a reply that parses")).collect();
    // RFC 5007 §4.1.2 wants both, and the order is fixed here.
    let [(OptionCode::CLIENTID, requestor), (OptionCode::SERVERID, server), content @ ..] = &*options else {
        panic!("a reply begins with client-id and server-id: {options:?}");
    };
    assert_eq!(*requestor, question.requestor);
    assert_eq!(*server, policy.server_duid);
    match *content {
        [] => judge_no_binding(sample, &question.ask(), outcome),
        [(OptionCode::STATUS_CODE, value)] => {
            let status = judge_status(value, outcome);
            match status {
                // UnspecFail is right only where the bindings do not fit.
                1 => assert!(query.len() > ROOM_FOR_ALL, "there was room for all bindings"),
                9 => judge_not_configured(sample, &question.ask()),
                _ => {}
            }
        }
        [(OptionCode::CLIENT_DATA, value)] => {
            judge_client_data(sample, policy, &question.ask(), outcome, value);
        }
        [(OptionCode::LQ_CLIENT_LINK, value)] => judge_links(sample, &question.ask(), outcome, value),
        _ => panic!("status, client data or links, and once: {options:?}"),
    }
}

/// Checks that status and outcome agree; returns the status code.
fn judge_status(value: &[u8], outcome: Outcome) -> u16 {
    let (code, text) = value.split_first_chunk::<2>().expect("a status code");
    // The text must be readable, as operators see it.
    assert!(!text.is_empty() && str::from_utf8(text).is_ok(), "{text:?} as a text for people");
    let code = u16::from_be_bytes(*code);
    let expected = match outcome {
        Outcome::TooManyBindings | Outcome::Unreadable => 1,
        Outcome::UnknownQueryType => 7,
        Outcome::MalformedQuery => 8,
        Outcome::NotConfigured => 9,
        Outcome::BulkOnly => 10,
        other => panic!("{other:?} has no status here"),
    };
    assert_eq!(code, expected, "the status of {outcome:?}");
    code
}

/// Checks that the link is unknown, or the queried address or client is on none.
fn judge_not_configured(sample: &Sample, ask: &Ask<'_>) {
    if let Some(address) = ask.link_address {
        // A link-address that is given decides alone.
        assert_eq!(sample.named(address), [].into(), "the links of {address}");
        return;
    }
    match ask.subject {
        Subject::Address(address) => {
            let lease = sample.covering(address);
            let links = lease.map_or_else(|| sample.of_address(address), |lease| sample.links_of(lease));
            assert_eq!(links, [].into(), "the links of {address}");
        }
        Subject::Client(duid) => {
            let mut live = sample.of_client(duid).filter(|lease| lease.is_live(NOW)).peekable();
            // A client without lease gets "no binding".
            assert!(live.peek().is_some(), "a client without lease is on no link");
            assert_eq!(live.find_map(|lease| sample.link_of(lease)), None, "the link of the client");
        }
    }
}

/// A "no binding" for an existing lease cuts a subscriber off.
fn judge_no_binding(sample: &Sample, ask: &Ask<'_>, outcome: Outcome) {
    assert_eq!(outcome, Outcome::NoBinding);
    let named = ask.link_address.map(|address| sample.named(address));
    assert_ne!(named, Some([].into()), "an unknown link");
    let on_link =
        // A lease may be on several links, of which one is enough.
        |lease: &OwnedLease| named.as_ref().is_none_or(|named| !named.is_disjoint(&sample.links_of(lease)));
    match ask.subject {
        Subject::Address(address) => {
            let is_configured = named.is_some() || !sample.of_address(address).is_empty();
            assert!(is_configured, "{address} is not configured");
            assert!(!sample.all_covering(address).any(on_link), "{address} is leased");
        }
        Subject::Client(duid) => {
            let mut live = sample.of_client(duid).filter(|lease| lease.is_live(NOW) && on_link(lease));
            assert_eq!(live.next(), None, "the client has a lease");
        }
    }
}

fn judge_links(sample: &Sample, ask: &Ask<'_>, outcome: Outcome, value: &[u8]) {
    assert_eq!((outcome, ask.link_address), (Outcome::AnsweredLinks, None));
    let Subject::Client(duid) = ask.subject else { panic!("links for an address") };
    let told: Vec<Ipv6Addr> = value.chunks(16).map(address).collect();
    let live = sample.of_client(duid).filter(|lease| lease.is_live(NOW));
    // Each link counts once, whatever its leases.
    let links: BTreeSet<_> = live.filter_map(|lease| sample.link_of(lease)).collect();
    assert!(told.len() > 1, "one link gets client data");
    assert_eq!(told.len(), links.len(), "each link once");
    // Addresses told must lead back to the links, or a second query fails.
    let followed: BTreeSet<_> = told.iter().flat_map(|&address| sample.named(address)).collect();
    assert!(links.is_subset(&followed), "{told:?} do not lead to all links");
}

/// Leases of a reply: kind, address, prefix length, remaining preferred and valid lifetime.
type Told = (bool, Ipv6Addr, u8, u32, u32);

fn judge_client_data(sample: &Sample, policy: &Policy, ask: &Ask<'_>, outcome: Outcome, value: &[u8]) {
    assert_eq!(outcome, Outcome::Answered);
    let mut options = Options::new(value).map(|option| option.expect("client data that parses")).peekable();
    let Some((OptionCode::CLIENTID, duid)) = options.next() else { panic!("whose data is it?") };
    let mut told: Vec<Told> = Vec::new();
    // Leases come first, before all other options.
    while let Some((code, value)) =
        options.next_if(|(code, _)| matches!(*code, OptionCode::IAADDR | OptionCode::IAPREFIX))
    {
        told.push(told_lease(code, value));
    }
    let links = judge_subject(sample, ask, duid, &told);
    let all: Vec<_> =
        sample.of_client(duid).filter(|lease| !sample.links_of(lease).is_disjoint(&links)).collect();
    let mut live: Vec<_> = all.iter().filter(|lease| lease.is_live(NOW)).collect();
    // The order is part of the reply's form.
    live.sort_by_key(|lease| lease.order());
    let expected: Vec<Told> = live
        .iter()
        .map(|lease| {
            let (preferred, valid) = lease.left(NOW);
            (lease.kind == LeaseKind::Prefix, lease.address, lease.prefix_len, preferred, valid)
        })
        .collect();
    assert_eq!(told, expected, "the live leases of the client on the link");

    let newest = all.iter().map(|lease| lease.cltt).max().expect("a client with leases");
    // Age, not time: OPTION_CLT_TIME counts seconds (RFC 5007 §4.1.2.3).
    let age = NOW.saturating_sub(newest).to_be_bytes();
    assert_eq!(options.next(), Some((OptionCode::CLT_TIME, &age[..])));
    for (code, value) in options {
        // Options that were not requested must not be there.
        assert!(ask.requests(code), "{code:?} was not asked for");
        let hides = |code: OptionCode| {
            let mut rights = policy.access.rules().map(|(_, rights)| rights);
            rights.any(|rights| rights.allow && rights.sensitive.contains(&code))
        };
        assert!(!hides(code), "{code:?} is sensitive");
        let configured = links.iter().flat_map(|&link| sample.configured_options(link));
        let stored = all.iter().map(|lease| &*lease.options).chain(configured);
        // Options behind damaged ones are not known to the model either.
        let mut stored = stored.flat_map(|options| Options::new(options).map_while(Result::ok));
        let returned = |stored: &[u8]| match code {
            OptionCode::LQ_RELAY_DATA => relay_data_without(stored, hides) == value,
            _ => stored == value,
        };
        let known = stored.any(|(stored, stored_value)| stored == code && returned(stored_value));
        assert!(known, "{code:?} comes from nowhere");
        // Relay data is nested, so it is checked level by level.
        if code == OptionCode::LQ_RELAY_DATA {
            check_relay_data(value);
        }
    }
}

/// Checks that client and links are the queried ones; returns the links.
fn judge_subject(sample: &Sample, ask: &Ask<'_>, duid: &[u8], told: &[Told]) -> BTreeSet<usize> {
    let named = ask.link_address.map(|address| sample.named(address));
    let link = match ask.subject {
        Subject::Address(address) => {
            let is_named = |lease: &&OwnedLease| {
                named.as_ref().is_none_or(|named| !named.is_disjoint(&sample.links_of(lease)))
            };
            let on_link = sample.all_covering(address).filter(is_named);
            // The longest prefix holds the address, as in routing.
            let lease = on_link.max_by_key(|lease| lease.prefix_len).expect("no client has this address");
            assert_eq!(lease.duid, duid, "the client of {address}");
            sample.link_of(lease)
        }
        Subject::Client(asked) => {
            assert_eq!(asked, duid);
            let first =
                sample.of_client(duid).find(|lease| told.first().is_some_and(|t| t.1 == lease.address));
            let links = || sample.of_client(duid).filter(|lease| lease.is_live(NOW));
            let links: BTreeSet<_> = links().filter_map(|lease| sample.link_of(lease)).collect();
            // A client on several links gets links, not data.
            assert!(ask.link_address.is_some() || links.len() == 1, "a client on several links gets these");
            sample.link_of(first.expect("a lease of this client"))
        }
    };
    let link = link.expect("a lease on a link");
    named.unwrap_or([link].into())
}

fn told_lease(code: OptionCode, value: &[u8]) -> Told {
    if code == OptionCode::IAADDR {
        assert_eq!(value.len(), 24);
        let told = IaAddress::parse(value).expect("an OPTION_IAADDR");
        (false, told.address, 128, told.preferred_lifetime, told.valid_lifetime)
    } else {
        assert_eq!(value.len(), 25);
        let told = IaPrefix::parse(value).expect("an OPTION_IAPREFIX");
        (true, told.address, told.prefix_len, told.preferred_lifetime, told.valid_lifetime)
    }
}

//! One query for each kind of reply, and what tshark must read in the reply.

use std::net::Ipv6Addr;

use super::sample::{
    self, CROWDED, DEPRECATED, OVERCROWDED, RELAYED, RICH, SERVER_DUID, SPREAD, colon_hex, duid,
    interface_id, relay,
};
use crate::live_kea::octets::{code, msg, option};

const QUERY_BY_ADDRESS: u8 = 1;
const QUERY_BY_CLIENTID: u8 = 2;
const QUERY_BY_LINK_ADDRESS: u8 = 4;
const UNKNOWN_QUERY: u8 = 77;

const REQUESTOR_DUID: [u8; 10] = [0, 3, 0, 1, 2, 0, 0x5e, 0, 0x53, 0xaa];
const NO_LINK: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
/// `OPTION_RELAY_SOURCE_PORT` (RFC 8357 §5): the reply then comes to our port instead of 547.
const RELAY_SOURCE_PORT: u16 = 135;

/// A field of tshark and all its values in a packet.
pub(super) type Field = (String, Vec<String>);

/// A query, and what its reply has to look like in tshark.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) query: Vec<u8>,
    /// Whether the server that is asked allows this requestor.
    pub(super) allowed: bool,
    pub(super) fields: Vec<Field>,
    /// Fields of each part that `lift` takes out of the reply.
    pub(super) lifted: Vec<Vec<Field>>,
}

impl Case {
    fn new(name: impl Into<String>, query: Vec<u8>, fields: Vec<Field>) -> Self {
        Self { name: name.into(), query, allowed: true, fields, lifted: Vec::new() }
    }

    fn lifting(mut self, fields: Vec<Field>) -> Self {
        self.lifted.push(fields);
        self
    }
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = statuses();
    cases.extend(data());
    cases.extend((1..=5).map(relay_data));
    cases.extend((1..=8).map(relayed_reply));
    cases
}

/// Every status code that a reply can have (RFC 5007 §4.1.3), and success without data.
fn statuses() -> Vec<Case> {
    let address = iaaddr("2001:db8:1::1");
    let status = |name: &str, code: u16, query: Vec<u8>| {
        Case::new(
            format!("status {code}, {name}"),
            query,
            [header(15), vec![field("status_code", [code])]].concat(),
        )
    };
    let no_binding = leasequery(QUERY_BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:1::ffff"), &[]);
    let too_many = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(OVERCROWDED.0), &[]);
    let mut denied = status("NotAllowed", 10, leasequery(QUERY_BY_ADDRESS, NO_LINK, &address, &[]));
    denied.allowed = false;
    vec![
        Case::new("no binding", no_binding, [header(15), vec![field("status_code", [0; 0])]].concat()),
        status("UnspecFail", 1, too_many),
        status("UnknownQueryType", 7, leasequery(UNKNOWN_QUERY, NO_LINK, &address, &[])),
        status("MalformedQuery", 8, leasequery(QUERY_BY_ADDRESS, NO_LINK, &[], &[])),
        status("NotConfigured", 9, leasequery(QUERY_BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:9::1"), &[])),
        status("UnknownQueryType for a bulk query", 7, leasequery(QUERY_BY_LINK_ADDRESS, NO_LINK, &[], &[])),
        denied,
    ]
}

fn data() -> Vec<Case> {
    let asked = [code::CLIENT_FQDN, code::CLIENT_LINKLAYER_ADDR, 23, 24];
    let rich = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(RICH), &asked);
    let by_prefix = leasequery(QUERY_BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:1:810f:ffff::1"), &[]);
    let spread = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(SPREAD), &[]);
    let deprecated = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(DEPRECATED), &[]);
    let crowded = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(CROWDED.0), &[]);
    let crowd = (1..=CROWDED.1).map(|host| sample::crowd_address(CROWDED.0, host));
    let types = field("option.type", [1, 2, 45, 1, 5, 5, 26, 26, 46]);
    let types_asked = field("option.type", [1, 2, 45, 1, 5, 5, 26, 26, 46, 39, 79, 23, 24]);
    vec![
        Case::new("addresses, prefixes and asked options", rich, [rich_fields(), vec![types_asked]].concat())
            .lifting(vec![field("client_domain", ["host.example.org."])]),
        Case::new("the same by an address in a prefix", by_prefix, [rich_leases(), vec![types]].concat()),
        Case::new("client links", spread, vec![field("lq_client_link", ["2001:db8:1::", "2001:db8:2::"])]),
        Case::new("preferred no longer", deprecated, vec![field("iaaddr.pref_lifetime", [0])]),
        Case::new(
            "nearly 64 KiB",
            crowded,
            vec![field("iaaddr.ip", crowd), ("udp.length".into(), vec!["65530".into()])],
        ),
    ]
}

fn rich_leases() -> Vec<Field> {
    let endless = [u32::MAX; 2];
    let mut fields = header(15);
    fields.extend([
        field("duid.bytes", [colon_hex(&REQUESTOR_DUID), colon_hex(&SERVER_DUID), colon_hex(&duid(RICH))]),
        field("iaaddr.ip", ["2001:db8:1::1", "2001:db8:1::2"]),
        field("iaaddr.pref_lifetime", endless),
        field("iaaddr.valid_lifetime", endless),
        field("iaprefix.pref_addr", ["2001:db8:1:8000::", "2001:db8:1:8100::"]),
        field("iaprefix.pref_len", [56, 60]),
        field("iaprefix.pref_lifetime", endless),
        field("iaprefix.valid_lifetime", endless),
        field("clt_time", [0]),
    ]);
    fields
}

fn rich_fields() -> Vec<Field> {
    let mut fields = rich_leases();
    fields.extend([
        field("dns_server", ["2001:db8::53", "2001:db8::54"]),
        field("search_list_entry", ["example.org.", "example.net."]),
    ]);
    fields
}

/// `LQ_RELAY_DATA` with this many relays: its message is lifted out, and then is a RELAY-FORW without a
/// message at its core.
fn relay_data(depth: u8) -> Case {
    let target = iaaddr(&sample::relayed_address(depth).to_string());
    let query = leasequery(QUERY_BY_ADDRESS, NO_LINK, &target, &[code::LQ_RELAY_DATA]);
    let outermost = relay(depth - 1).0;
    let fields = vec![
        field("lq_relay_data_peer_addr", [outermost]),
        field(
            "duid.bytes",
            [REQUESTOR_DUID, SERVER_DUID, duid(RELAYED + depth)].map(|duid| colon_hex(&duid)),
        ),
    ];
    let hops = || (0..depth).rev();
    Case::new(format!("relay data of {depth} relays"), query, fields).lifting(vec![
        field("msgtype", hops().map(|_| msg::RELAY_FORW)),
        field("hopcount", hops()),
        field("linkaddr", hops().map(|hop| relay(hop).0)),
        field("peeraddr", hops().map(|hop| relay(hop).1)),
        field("interface_id", hops().map(|hop| colon_hex(&interface_id(hop)))),
        field("remoteid.enterprise", hops().map(|_| 4491)),
        field("remoteid_enterprise_id", hops().map(|_| colon_hex(b"modem"))),
        field("xid", [""; 0]),
    ])
}

/// A query that came through this many relays, the outermost with a port of its own.
fn relayed_reply(depth: u8) -> Case {
    let mut query = leasequery(QUERY_BY_CLIENTID, NO_LINK, &client_id(RICH), &[]);
    for hop in 0..depth {
        let (link, peer) = relay(hop);
        let mut forward = vec![msg::RELAY_FORW, hop];
        forward.extend([link.octets(), peer.octets()].concat());
        forward.extend(option(code::INTERFACE_ID, &interface_id(hop)));
        if hop + 1 == depth {
            forward.extend(option(RELAY_SOURCE_PORT, &[0, 0]));
        }
        forward.extend(option(code::RELAY_MSG, &query));
        query = forward;
    }
    let hops = || (0..depth).rev();
    let mut fields = rich_leases();
    fields.retain(|(name, _)| *name != "dhcpv6.msgtype");
    fields.extend([
        field("msgtype", hops().map(|_| msg::RELAY_REPL).chain([msg::LEASEQUERY_REPLY])),
        field("hopcount", hops()),
        field("linkaddr", hops().map(|hop| relay(hop).0)),
        field("peeraddr", hops().map(|hop| relay(hop).1)),
        field("interface_id", hops().map(|hop| colon_hex(&interface_id(hop)))),
        field("relay_port", [0]),
    ]);
    Case::new(format!("reply through {depth} relays"), query, fields)
}

/// Transaction id of all queries.
const TRANSACTION: [u8; 3] = [0xa1, 0xb2, 0xc3];

fn header(message_type: u8) -> Vec<Field> {
    vec![field("msgtype", [message_type]), field("xid", ["0xa1b2c3"])]
}

/// A LEASEQUERY with one query and these options in its ORO.
fn leasequery(query_type: u8, link: Ipv6Addr, target: &[u8], asked: &[u16]) -> Vec<u8> {
    let mut query = [&[query_type][..], &link.octets(), target].concat();
    if !asked.is_empty() {
        let codes: Vec<u8> = asked.iter().flat_map(|code| code.to_be_bytes()).collect();
        query.extend(option(code::ORO, &codes));
    }
    let mut message = [&[msg::LEASEQUERY][..], &TRANSACTION].concat();
    message.extend(option(code::CLIENTID, &REQUESTOR_DUID));
    message.extend(option(code::LQ_QUERY, &query));
    message
}

fn iaaddr(address: &str) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().expect("an IPv6 address");
    option(code::IAADDR, &[&address.octets()[..], &[0; 8]].concat())
}

fn client_id(client: u8) -> Vec<u8> {
    option(code::CLIENTID, &duid(client))
}

/// `field("clt_time", [0])`: the values that `dhcpv6.clt_time` must have.
fn field(name: &str, values: impl IntoIterator<Item: ToString>) -> Field {
    (format!("dhcpv6.{name}"), values.into_iter().map(|value| value.to_string()).collect())
}

//! One query for each kind of reply, with the reply's expected fields.

use std::net::Ipv6Addr;

use super::sample::{self, DEPRECATED, FULL, OVERFULL, RELAYED, RICH, SPREAD, duid, interface_id, relay};
use crate::support::hex::colon_hex;
use crate::support::message::{self, REQUESTOR_DUID, SERVER_DUID, code, msg, option, query, relay_forward};

const UNKNOWN_QUERY: u8 = 77;

const NO_LINK: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

/// A tshark field with all its values in a packet.
pub(super) type Field = (String, Vec<String>);

/// A query, and the expected fields of its reply.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) query: Vec<u8>,
    /// Whether the server allows this requestor.
    pub(super) allowed: bool,
    pub(super) fields: Vec<Field>,
    /// Fields of each part that `lift` extracts from the reply.
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

/// Every status code of a reply (RFC 5007 §4.1.3), and success without data.
fn statuses() -> Vec<Case> {
    let address = iaaddr("2001:db8:1::1");
    let status = |name: &str, code: u16, query: Vec<u8>| {
        Case::new(
            format!("status {code}, {name}"),
            query,
            [header(15), vec![field("status_code", [code])]].concat(),
        )
    };
    let no_binding = leasequery(query::BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:1::ffff"), &[]);
    let too_many = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(OVERFULL.0), &[]);
    let mut denied = status("NotAllowed", 10, leasequery(query::BY_ADDRESS, NO_LINK, &address, &[]));
    denied.allowed = false;
    vec![
        Case::new("no binding", no_binding, [header(15), vec![field("status_code", [0; 0])]].concat()),
        status("UnspecFail", 1, too_many),
        status("UnknownQueryType", 7, leasequery(UNKNOWN_QUERY, NO_LINK, &address, &[])),
        status("MalformedQuery", 8, leasequery(query::BY_ADDRESS, NO_LINK, &[], &[])),
        status("NotConfigured", 9, leasequery(query::BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:9::1"), &[])),
        status("UnknownQueryType for a bulk query", 7, leasequery(query::BY_LINK_ADDRESS, NO_LINK, &[], &[])),
        denied,
    ]
}

fn data() -> Vec<Case> {
    let requested = [code::CLIENT_FQDN, code::CLIENT_LINKLAYER_ADDR, 23, 24];
    let rich = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(RICH), &requested);
    let by_prefix = leasequery(query::BY_ADDRESS, NO_LINK, &iaaddr("2001:db8:1:810f:ffff::1"), &[]);
    let spread = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(SPREAD), &[]);
    let deprecated = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(DEPRECATED), &[]);
    let full = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(FULL.0), &[]);
    let addresses = (1..=FULL.1).map(|host| sample::numbered_address(FULL.0, host));
    let types = field("option.type", [1, 2, 45, 1, 5, 5, 26, 26, 46]);
    let types_requested = field("option.type", [1, 2, 45, 1, 5, 5, 26, 26, 46, 39, 79, 23, 24]);
    vec![
        Case::new(
            "addresses, prefixes and requested options",
            rich,
            [rich_fields(), vec![types_requested]].concat(),
        )
        .lifting(vec![field("client_domain", ["host.example.org."])]),
        Case::new("the same, by an address in a prefix", by_prefix, [rich_leases(), vec![types]].concat()),
        Case::new("client links", spread, vec![field("lq_client_link", ["2001:db8:1::", "2001:db8:2::"])]),
        Case::new("preferred lifetime passed", deprecated, vec![field("iaaddr.pref_lifetime", [0])]),
        Case::new(
            "nearly 64 KiB",
            full,
            vec![field("iaaddr.ip", addresses), ("udp.length".into(), vec!["65530".into()])],
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

/// `LQ_RELAY_DATA` of this many relays: its message is lifted out, and is a RELAY-FORW without a message at
/// its core.
fn relay_data(depth: u8) -> Case {
    let target = iaaddr(&sample::relayed_address(depth).to_string());
    let query = leasequery(query::BY_ADDRESS, NO_LINK, &target, &[code::LQ_RELAY_DATA]);
    let outermost = relay(depth - 1).link;
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
        field("linkaddr", hops().map(|hop| relay(hop).link)),
        field("peeraddr", hops().map(|hop| relay(hop).peer)),
        field("interface_id", hops().map(|hop| colon_hex(&interface_id(hop)))),
        field("remoteid.enterprise", hops().map(|_| 4491)),
        field("remoteid_enterprise_id", hops().map(|_| colon_hex(b"modem"))),
        field("xid", [""; 0]),
    ])
}

/// A query through this many relays, the outermost with a port of its own.
fn relayed_reply(depth: u8) -> Case {
    let mut relays: Vec<_> = (0..depth).map(relay).collect();
    // RFC 8357 §5: the reply then comes to our port instead of 547.
    relays.last_mut().expect("a relay").options.push((code::RELAY_SOURCE_PORT, vec![0, 0]));
    let query = leasequery(query::BY_CLIENTID, NO_LINK, &client_id(RICH), &[]);
    let query = relay_forward(&relays, Some(query));
    let hops = || (0..depth).rev();
    let mut fields = rich_leases();
    fields.retain(|(name, _)| *name != "dhcpv6.msgtype");
    fields.extend([
        field("msgtype", hops().map(|_| msg::RELAY_REPL).chain([msg::LEASEQUERY_REPLY])),
        field("hopcount", hops()),
        field("linkaddr", hops().map(|hop| relay(hop).link)),
        field("peeraddr", hops().map(|hop| relay(hop).peer)),
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

fn leasequery(query_type: u8, link: Ipv6Addr, target: &[u8], requested: &[u16]) -> Vec<u8> {
    message::leasequery(TRANSACTION, query_type, link, target, requested)
}

fn iaaddr(address: &str) -> Vec<u8> {
    message::iaaddr(address.parse().expect("an IPv6 address"))
}

fn client_id(client: u8) -> Vec<u8> {
    option(code::CLIENTID, &duid(client))
}

/// Returns the required values of a field: `field("clt_time", [0])` is `dhcpv6.clt_time`.
fn field(name: &str, values: impl IntoIterator<Item: ToString>) -> Field {
    (format!("dhcpv6.{name}"), values.into_iter().map(|value| value.to_string()).collect())
}

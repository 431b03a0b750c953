//! The access table. Its leases are in `tests/data/conformance/leases.csv`: client 01 has no relay data, 07
//! came through relays fe80::b (no link-address) and 2001:db8:1::1, 22 through one without link-address, 23
//! through 2001:db8:ffff::23. The configuration names relays 2001:db8:ffff::2 for link 2 and 2001:db8:ffff::3
//! for the shared network of links 3 and 4.

use super::AccessCase;
use super::Setup::{Restricted, RestrictedSilently, Rows};

const ADDRESS_101: &str = "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero";
const CLIENT_01: &str = "0e a00001  $me  002c 001f 02 ::  $c01";
const IS_101: &str = "0f a00001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0";
const NOT_ALLOWED: &str = "0f a00001  $me $server  000d { 000a text }";
const NO_BINDING: &str = "0f a00001  $me $server";
const RELAYED_101: &str = "0c 00 2001:db8:1::1 fe80::1
                             0087 0002 0000
                             0009 0043  0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero";

const ADDRESS_2301: &str = "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2301 $zero";
const IS_2301: &str = "0f a00001  $me $server  002d 0032  $c23  0005 0018 2001:db8:1::2301 $inf  $clt0";
const ADDRESS_701: &str = "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::701 $zero";
const IS_701: &str = "0f a00001  $me $server  002d 0032  $c07  0005 0018 2001:db8:1::701 $inf  $clt0";

const CLIENT_2E: &str = "0e a00001  $me  002c 001f 02 ::  $c2e";
const CLIENT_2F: &str = "0e a00001  $me  002c 001f 02 ::  $c2f";
const TOO_MANY: &str = "0f a00001  $me $server  000d { 0001 text }";

const OPEN: &str = "2001:db8:ffff::1";
const BY_ADDRESS_ONLY: &str = "2001:db8:ffff:1::5";
const BY_CLIENT_ID_ONLY: &str = "2001:db8:ffff:1::1";
const RELAY_23: &str = "2001:db8:ffff::23";
const RELAY_OF_LINK_2: &str = "2001:db8:ffff::2";
const STRANGER: &str = "2001:db8:ffff::77";

const fn row(
    name: &'static str,
    rfc: &'static str,
    setup: super::Setup,
    source: &'static str,
    query: &'static str,
    want: Option<&'static str>,
    outcome: &'static str,
) -> AccessCase {
    AccessCase { name, rfc, setup, source, query, want, outcome }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[AccessCase] = &[
    row("in a network of --allow", "5007 §4.4.1", Rows, OPEN, ADDRESS_101, Some(IS_101), "answered"),
    row("in no prefix of a rule or of --allow", "5007 §4.4.1", Rows, "2001:db8:fffd::1", ADDRESS_101, Some(NOT_ALLOWED), "not_allowed"),
    row("in a rule that allows, outside --allow", "5007 §4.4.1", Rows,
        "2001:db8:fffe::1", ADDRESS_101, Some(IS_101), "answered"),
    row("in a rule that denies, within --allow", "5007 §4.4.1", Rows,
        "2001:db8:ffff:2::3", ADDRESS_101, Some(NOT_ALLOWED), "not_allowed"),
    row("a longer prefix denies by silence", "5007 §4.4.1", Rows,
        "2001:db8:ffff:2::1", ADDRESS_101, None, "drop_not_allowed"),
    row("omitted keys of a longer prefix come from the global keys, not from the enclosing rule", "5007 §4.4.1", Rows,
        "2001:db8:ffff:2::2", ADDRESS_101, Some(IS_101), "answered"),
    row("as many bindings as the rule's max-reply holds", "5007 §4.1.2.2", Rows, "2001:db8:ffff:5::1", CLIENT_2E,
        Some("0f a00001  $me $server  002d 01d6  $c2e
           0005 0018 2001:db8:1::2e01 $inf  0005 0018 2001:db8:1::2e02 $inf  0005 0018 2001:db8:1::2e03 $inf
           0005 0018 2001:db8:1::2e04 $inf  0005 0018 2001:db8:1::2e05 $inf  0005 0018 2001:db8:1::2e06 $inf
           0005 0018 2001:db8:1::2e07 $inf  0005 0018 2001:db8:1::2e08 $inf  0005 0018 2001:db8:1::2e09 $inf
           0005 0018 2001:db8:1::2e0a $inf  0005 0018 2001:db8:1::2e0b $inf  0005 0018 2001:db8:1::2e0c $inf
           0005 0018 2001:db8:1::2e0d $inf  0005 0018 2001:db8:1::2e0e $inf  0005 0018 2001:db8:1::2e0f $inf
           0005 0018 2001:db8:1::2e10 $inf $clt0"), "answered"),
    row("one binding more than the rule's max-reply holds", "5007 §4.1.2.2", Rows, "2001:db8:ffff:5::1", CLIENT_2F,
        Some(TOO_MANY), "too_many_bindings"),
    row("the same number for a requestor without max-reply", "5007 §4.1.2.2", Rows, OPEN, CLIENT_2F,
        Some("0f a00001  $me $server  002d 01f2  $c2f
           0005 0018 2001:db8:1::2f01 $inf  0005 0018 2001:db8:1::2f02 $inf  0005 0018 2001:db8:1::2f03 $inf
           0005 0018 2001:db8:1::2f04 $inf  0005 0018 2001:db8:1::2f05 $inf  0005 0018 2001:db8:1::2f06 $inf
           0005 0018 2001:db8:1::2f07 $inf  0005 0018 2001:db8:1::2f08 $inf  0005 0018 2001:db8:1::2f09 $inf
           0005 0018 2001:db8:1::2f0a $inf  0005 0018 2001:db8:1::2f0b $inf  0005 0018 2001:db8:1::2f0c $inf
           0005 0018 2001:db8:1::2f0d $inf  0005 0018 2001:db8:1::2f0e $inf  0005 0018 2001:db8:1::2f0f $inf
           0005 0018 2001:db8:1::2f10 $inf  0005 0018 2001:db8:1::2f11 $inf $clt0"), "answered"),
    row("by address where that is allowed", "5007 §4.4.1", Rows, BY_ADDRESS_ONLY, ADDRESS_101, Some(IS_101),
        "answered"),
    row("by client-id where only by address is allowed", "5007 §4.4.1", Rows, BY_ADDRESS_ONLY, CLIENT_01,
        Some(NOT_ALLOWED), "query_type_not_allowed"),
    row("the query-type decides before the query-options", "5007 §4.4.1", Rows, BY_ADDRESS_ONLY,
        "0e a00001  $me  002c 0011 02 ::", Some(NOT_ALLOWED), "query_type_not_allowed"),
    row("an unknown query-type is unknown, not denied", "5007 §4.4.1", Rows, BY_ADDRESS_ONLY,
        "0e a00001  $me  002c 0011 63 ::", Some("0f a00001  $me $server  000d { 0007 text }"),
        "unknown_query_type"),
    row("a bulk query-type is unknown, not denied, where TCP does not offer it", "5007 §4.4.1", Rows,
        BY_ADDRESS_ONLY, "0e a00001  $me  002c 0011 04 2001:db8:1::",
        Some("0f a00001  $me $server  000d { 0007 text }"), "unknown_query_type"),
    row("two CLIENTIDs are counted apart from malformed messages", "8415 §24", Rows, OPEN,
        "0e a00001  $me $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero", None, "drop_duplicate_id"),
    row("two SERVERIDs, both ours, are counted apart too", "8415 §24", Rows, OPEN,
        "0e a00001  $me $server $server  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero", None, "drop_duplicate_id"),
    row("two CLIENTIDs inside a relayed message are counted apart too", "8415 §24", Rows, OPEN,
        "0c 00 2001:db8:1::1 fe80::1  0009 0051
           0e a00001  $me $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero", None, "drop_duplicate_id"),
    row("an option cut short is malformed", "8415 §21.1", Rows, OPEN,
        "0e a00001  $me  0001 00ff 00", None, "drop_malformed"),
    row("by client-id where that is allowed", "5007 §4.4.1", Rows, BY_CLIENT_ID_ONLY, CLIENT_01, Some(IS_101),
        "answered"),
    row("by address where only by client-id is allowed, with deny = drop", "5007 §4.4.1", Rows,
        BY_CLIENT_ID_ONLY, ADDRESS_101, None, "drop_query_type"),
    row("no LQ_QUERY, where only some query-types are allowed", "5007 §4.2.1", Rows, BY_CLIENT_ID_ONLY,
        "0e a00001  $me", None, "drop_no_query"),
    row("relayed, where relayed queries are answered", "5007 §5", Rows, OPEN, RELAYED_101,
        Some("0d 00 2001:db8:1::1 fe80::1  0087 0002 0000
              0009 0056  0f a00001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        "answered"),
    row("relayed, where relayed queries are dropped", "5007 §5", Rows, "2001:db8:ffff:3::1", RELAYED_101, None, "drop_relayed"),
    row("direct, where relayed queries are dropped", "5007 §5", Rows, "2001:db8:ffff:3::1", ADDRESS_101, Some(IS_101),
        "answered"),
    row("an option that is sensitive by this rule", "5007 §4.4.2, §5", Rows, "2001:db8:ffff:4::1",
        "0e a00001  $me  002c 0033 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0002 0017", Some(IS_101), "answered"),
    row("the same option by another rule", "5007 §4.4.2", Rows, OPEN,
        "0e a00001  $me  002c 0033 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0002 0017",
        Some("0f a00001  $me $server  002d 0046  $c01  0005 0018 2001:db8:1::101 $inf  $clt0
                0017 0010 2001:db8:1::53"), "answered"),

    row("the relay whose link-address is recorded", "5007 §5", Restricted, RELAY_23, ADDRESS_2301, Some(IS_2301),
        "answered"),
    row("the same, by client-id", "5007 §5", Restricted, RELAY_23, "0e a00001  $me  002c 001f 02 ::  $c23",
        Some(IS_2301), "answered"),
    row("the same, by client-id on the link", "5007 §5", Restricted, RELAY_23,
        "0e a00001  $me  002c 001f 02 2001:db8:1::  $c23", Some(IS_2301), "answered"),
    row("the inner relay of two", "5007 §5", Restricted, "2001:db8:1::1", ADDRESS_701, Some(IS_701), "answered"),
    row("the relay under another address of its rule", "5007 §5", Restricted, "2001:db8:ffff::a", ADDRESS_2301,
        Some(IS_2301), "answered"),
    row("link-local and missing addresses in relay data match no rule", "5007 §5", Restricted, "2001:db8:ffff::a",
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2201 $zero", Some(NOT_ALLOWED), "restricted"),
    row("the client's own address, a peer-address too, matches no rule", "5007 §5", Restricted, "2001:db8:ffff::a",
        ADDRESS_701, Some(NOT_ALLOWED), "restricted"),
    row("another requestor", "5007 §5", Restricted, STRANGER, ADDRESS_2301, Some(NOT_ALLOWED), "restricted"),
    row("a requestor in the subnet of the binding", "5007 §5", Restricted, "2001:db8:1::2", ADDRESS_2301,
        Some(NOT_ALLOWED), "restricted"),
    row("a binding without relay data", "5007 §5", Restricted, RELAY_23, ADDRESS_101, Some(NOT_ALLOWED),
        "restricted"),
    row("no binding: refused alike", "5007 §5", Restricted, RELAY_23,
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::9999 $zero", Some(NOT_ALLOWED), "restricted"),
    row("an expired binding: refused alike", "5007 §5", Restricted, RELAY_23,
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::801 $zero", Some(NOT_ALLOWED), "restricted"),
    row("no such client: refused alike", "5007 §5", Restricted, RELAY_23, "0e a00001  $me  002c 001f 02 ::  $cee",
        Some(NOT_ALLOWED), "restricted"),
    row("another relay's client: refused alike", "5007 §5", Restricted, RELAY_23, CLIENT_01, Some(NOT_ALLOWED),
        "restricted"),
    row("another relay's client on the link: refused alike", "5007 §5", Restricted, RELAY_23,
        "0e a00001  $me  002c 001f 02 2001:db8:1::  $c01", Some(NOT_ALLOWED), "restricted"),
    row("an unknown link gets NotConfigured", "5007 §4.4.1", Restricted, RELAY_23,
        "0e a00001  $me  002c 001f 02 2001:db8:77::  $c01", Some("0f a00001  $me $server  000d { 0009 text }"),
        "not_configured"),
    row("relayed: addresses in the relay chain are forgeable and do not count", "5007 §5", Restricted, RELAY_23,
        "0c 00 2001:db8:ffff::23 2001:db8:ffff::23  0087 0002 0000
         0009 0043  0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2301 $zero",
        Some("0d 00 2001:db8:ffff::23 2001:db8:ffff::23  0087 0002 0000
              0009 { 0f a00001  $me $server  000d { 000a text } }"), "restricted"),
    row("a relay that the configuration names for the link", "5007 §5", Restricted, RELAY_OF_LINK_2,
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:a006:600::1 $zero",
        Some("0f a00001  $me $server  002d 0033  $c06  001a 0019 $inf 38 2001:db8:a006:600::  $clt0"), "answered"),
    row("a configured relay gets no binding on its link", "5007 §4.3.3", Restricted, RELAY_OF_LINK_2,
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:2::9999 $zero", Some(NO_BINDING), "no_binding"),
    row("a configured relay learns that a client is not on its link", "5007 §4.3.3", Restricted, RELAY_OF_LINK_2,
        "0e a00001  $me  002c 001f 02 2001:db8:2::  $c01", Some(NO_BINDING), "no_binding"),
    row("a configured relay learns nothing of other links", "5007 §5", Restricted, RELAY_OF_LINK_2, ADDRESS_101, Some(NOT_ALLOWED),
        "restricted"),
    row("a configured relay gets its link alone of a client on two", "5007 §5", Restricted, RELAY_OF_LINK_2,
        "0e a00001  $me  002c 001f 02 ::  $c04",
        Some("0f a00001  $me $server
              002d 004f  $c04  0005 0018 2001:db8:2::401 $inf  001a 0019 $inf 38 2001:db8:a004:400::  $clt0"),
        "answered"),
    row("a relay of the shared network gets both its subnets", "5007 §5", Restricted, "2001:db8:ffff::3",
        "0e a00001  $me  002c 001f 02 ::  $c03",
        Some("0f a00001  $me $server
              002d 004e  $c03  0005 0018 2001:db8:3::301 $inf  0005 0018 2001:db8:4::301 $inf  $clt0"), "answered"),
    row("a configured relay under another address of its rule", "5007 §5", Restricted, "2001:db8:ffff::b",
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:2::9999 $zero", Some(NO_BINDING), "no_binding"),
    row("a rule that is not restricted", "5007 §5", Restricted, super::PROBER, ADDRESS_2301, Some(IS_2301),
        "answered"),
    row("a source that is not allowed", "5007 §4.4.1", Restricted, "fd00::1", ADDRESS_2301, Some(NOT_ALLOWED),
        "not_allowed"),

    row("the relay, where others get silence", "5007 §5", RestrictedSilently, RELAY_23, ADDRESS_2301, Some(IS_2301),
        "answered"),
    row("another requestor gets silence", "5007 §5", RestrictedSilently, STRANGER, ADDRESS_2301, None,
        "drop_restricted"),
    row("another requestor gets silence where there is no binding, too", "5007 §5", RestrictedSilently, STRANGER,
        "0e a00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::9999 $zero", None, "drop_restricted"),
];

use super::*;
use crate::tests::octets;
use crate::{AddressOrPrefix, Lease};
use proptest::prelude::*;

/// OPTION_CLIENTID of the requestor and OPTION_SERVERID.
const IDS: &str = "0001 0003 0004aa  0002 0003 0004bb";

/// OPTION_CLIENTID of a client and OPTION_CLT_TIME of 9 seconds.
const CLIENT: &str = "0001 0003 0004cc  002e 0004 00000009";

const ADDRESS: &str = "0005 0018 20010db8000000000000000000000001 00000064 000000c8";

const PREFIX: &str = "001a 0019 00000064 000000c8 38 20010db8010000000000000000000000";

fn own() -> Duid {
    Duid::new([0, 4, 0xaa]).expect("a DUID")
}

fn parse(options: &str) -> Result<Reply, IgnoreReason> {
    Reply::parse(&octets(&format!("0f a1b2c3 {options}")), &own())
}

fn client_data(options: &str) -> String {
    format!("002d {:04x} {options}", octets(options).len())
}

/// R1, R2, R3.
#[test]
fn replies_that_rfc_5007_4_2_2_has_discarded_are_ignored() {
    use ParseErrorKind::{Length, Repeated, Truncated};
    let malformed = |at, kind| IgnoreReason::Malformed(ParseError { at, kind });
    let data = |options: &str| format!("0f a1b2c3 {IDS} {}", client_data(options));
    let rows: [(&str, String, IgnoreReason); 15] = [
        ("an empty datagram", String::new(), IgnoreReason::Empty),
        ("half a header", "0f a1b2".into(), IgnoreReason::Empty),
        ("LEASEQUERY (§4.2.1)", format!("0e a1b2c3 {IDS}"), IgnoreReason::Leasequery),
        ("REPLY", format!("07 a1b2c3 {IDS}"), IgnoreReason::OtherMessage(MessageType(7))),
        ("no OPTION_SERVERID", "0f a1b2c3 0001 0003 0004aa".into(), IgnoreReason::NoServerId),
        ("empty OPTION_SERVERID", "0f a1b2c3 0001 0003 0004aa 0002 0000".into(), IgnoreReason::NoServerId),
        ("no OPTION_CLIENTID", "0f a1b2c3 0002 0003 0004bb".into(), IgnoreReason::NoClientId),
        (
            "OPTION_CLIENTID of another",
            "0f a1b2c3 0001 0003 0004ab 0002 0003 0004bb".into(),
            IgnoreReason::OtherClientId,
        ),
        (
            "a longer OPTION_CLIENTID",
            "0f a1b2c3 0001 0004 0004aa00 0002 0003 0004bb".into(),
            IgnoreReason::OtherClientId,
        ),
        ("an option cut off", format!("0f a1b2c3 {IDS} 002d 0009 00"), malformed(18, Truncated)),
        ("two OPTION_CLIENTID", format!("0f a1b2c3 {IDS} 0001 0003 0004aa"), malformed(18, Repeated)),
        ("a status of one octet", format!("0f a1b2c3 {IDS} 000d 0001 00"), malformed(1, Length)),
        (
            "an address of 23 octets",
            data("0005 0017 20010db8000000000000000000000001 00000064 000000"),
            malformed(49, Length),
        ),
        ("CLT_TIME of 3 octets", data("002e 0003 000009"), malformed(22, Length)),
        (
            "links of 17 octets",
            format!("0f a1b2c3 {IDS} 0030 0011 {}", "00".repeat(17)),
            malformed(17, Length),
        ),
    ];
    for (name, text, want) in rows {
        assert_eq!(Reply::parse(&octets(&text), &own()), Err(want), "{name}");
    }
}

#[test]
fn each_content_of_a_valid_reply_is_read() {
    let none = parse(IDS).expect("valid");
    assert_eq!(
        (none.content, none.status, none.server),
        (Content::NoBinding, None, Duid::new([0, 4, 0xbb]).expect("a DUID"))
    );
    assert_eq!(none.transaction_id, TransactionId([0xa1, 0xb2, 0xc3]));
    let told = parse(&format!("{IDS} 000d 0004 0000 6f6b")).expect("valid");
    assert_eq!(told.status, Some(Status { code: StatusCode::SUCCESS, text: "ok".into() }));
    assert_eq!(told.content, Content::NoBinding);
    let refused = parse(&format!("{IDS} 000d 0004 0009 ff6f")).expect("valid");
    assert_eq!(refused.status, Some(Status { code: StatusCode::NOT_CONFIGURED, text: "\u{fffd}o".into() }));
    assert_eq!(refused.content, Content::Refused);
    // Repeated below, to be listed once.
    let link = "20010db8000100000000000000000000";
    let links = parse(&format!("{IDS} 0030 0030 {link} {} {link}", "00".repeat(16))).expect("valid");
    let want = ["2001:db8:1::", "::"].map(|text| text.parse().expect("an address"));
    assert_eq!(links.content, Content::Links(want.to_vec()));
    let data =
        parse(&format!("{IDS} {}", client_data(&format!("{CLIENT} {ADDRESS} {PREFIX}")))).expect("valid");
    let Content::Data(data) = data.content else { panic!("{data:?}") };
    let lease = |resource| Lease { resource, preferred_lifetime_s: 100, valid_lifetime_s: 200 };
    let want = [
        lease(AddressOrPrefix::Address("2001:db8::1".parse().expect("an address"))),
        lease(AddressOrPrefix::Prefix("2001:db8:100::/56".parse().expect("a prefix"))),
    ];
    assert_eq!((&data.leases[..], data.clt_time_s), (&want[..], 9));
    assert_eq!(data.client.octets(), [0, 4, 0xcc]);
}

#[test]
fn requested_options_are_decoded() {
    let fqdn = "0027 000e 01 04 686f7374 07 6578616d706c65"; // host.example, a part of a name
    let link_layer = "004f 0008 0001 02005e100001";
    let unknown = "1234 0002 beef";
    let data = client_data(&format!("{CLIENT} {ADDRESS} {fqdn} {link_layer} {unknown}"));
    let reply = parse(&format!("{IDS} {data} 4321 0001 07")).expect("valid");
    assert_eq!(reply.other, [RawOption { code: OptionCode(0x4321), value: vec![7] }]);
    let Content::Data(data) = reply.content else { panic!("no data") };
    assert_eq!(data.fqdn.map(|fqdn| fqdn.name).as_deref(), Some("host.example"));
    assert_eq!(
        data.link_layer.map(|one| (one.hardware, one.address)),
        Some((1, vec![2, 0, 0x5e, 0x10, 0, 1]))
    );
    assert_eq!(data.other, [RawOption { code: OptionCode(0x1234), value: vec![0xbe, 0xef] }]);
}

/// R16.
#[test]
fn deviations_are_named_and_unusable_data_is_not_used() {
    let relay_data = "002f 0010 fe800000000000000000000000000001";
    let whole = format!("{CLIENT} {ADDRESS}");
    let rows: [(&str, String, &str, bool); 9] = [
        ("no CLT_TIME (R16)", client_data(&format!("0001 0003 0004cc {ADDRESS}")), "no-clt-time", false),
        ("no client-id", client_data(&format!("002e 0004 00000009 {ADDRESS}")), "no-client-id", false),
        ("no lease", client_data(CLIENT), "no-lease", true),
        ("data with an error", format!("{} 000d 0002 000a", client_data(&whole)), "data-with-error", false),
        (
            "data and links",
            format!("{} 0030 0010 {}", client_data(&whole), "00".repeat(16)),
            "links-with-data",
            true,
        ),
        (
            "relay data at message level",
            format!("{} {relay_data}", client_data(&whole)),
            "relay-data-at-message-level",
            true,
        ),
        (
            "relay data without a message",
            client_data(&format!("{whole} {relay_data}")),
            "relay-data-broken",
            true,
        ),
        ("a malformed name", client_data(&format!("{whole} 0027 0002 00ff")), "option-broken", true),
        (
            "an age of 50 years",
            client_data(&format!("{ADDRESS} 0001 0003 0004cc 002e 0004 5fffffff")),
            "clt-time-absolute",
            true,
        ),
    ];
    for (name, options, deviation, used) in rows {
        let reply = parse(&format!("{IDS} {options}")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let codes: Vec<_> = reply.deviations.iter().map(Deviation::code).collect();
        assert!(codes.contains(&deviation), "{name}: {codes:?}");
        assert_eq!(matches!(reply.content, Content::Data(_)), used, "{name}");
        assert_ne!(reply.content, Content::NoBinding, "{name}: the server did not say so");
    }
}

#[test]
fn deviating_lifetimes_are_named() {
    let lease = |preferred: &str, valid: &str| {
        format!("0005 0018 20010db8000000000000000000000001 {preferred} {valid}")
    };
    let rows = [
        (lease("00000000", "00000000"), vec!["no-valid-lifetime"]),
        (lease("00000002", "00000001"), vec!["preferred-above-valid"]),
        (lease("fffffff6", "fffffff6"), vec!["infinity-counted-down"]), // and CLT_TIME is 9
        (lease("ffffffff", "ffffffff"), vec![]),
        (lease("00000001", "00000001"), vec![]),
    ];
    for (lease, want) in rows {
        let reply = parse(&format!("{IDS} {}", client_data(&format!("{CLIENT} {lease}")))).expect("valid");
        let codes: Vec<_> = reply.deviations.iter().map(Deviation::code).collect();
        assert_eq!(codes, want, "{lease}");
    }
}

proptest! {
    #[test]
    fn no_octets_make_the_parser_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reply::parse(&octets, &own());
    }

    /// Octets that pass the checks of the identifiers, so that the code behind them runs.
    #[test]
    fn no_options_behind_valid_identifiers_make_the_parser_panic(
        code in prop::sample::select(vec![13_u8, 45, 47, 48]),
        body in prop::collection::vec(prop_oneof![Just(0_u8), 1_u8..50, any::<u8>()], 0..120),
    ) {
        let mut message = octets(&format!("0f a1b2c3 {IDS}"));
        message.extend([0, code, 0, body.len() as u8]);
        message.extend(&body);
        let _ = Reply::parse(&message, &own());
    }

    /// Every truncation and every changed octet of a rich reply is parsed or refused.
    #[test]
    fn no_mutated_reply_makes_the_parser_panic(at in 0_usize..200, octet in any::<u8>(), end in 0_usize..200) {
        let relay = "002f 003e fe800000000000000000000000000001
            0c 00 20010db8000000000000000000000001 fe800000000000000000000000000002 0012 0008 6574683065746830";
        let data = client_data(&format!("{CLIENT} {ADDRESS} {PREFIX} {relay}"));
        let mut message = octets(&format!("0f a1b2c3 {IDS} {data}"));
        let length = message.len();
        message[at % length] = octet;
        let _ = Reply::parse(&message, &own());
        let _ = Reply::parse(&message[..end % length], &own());
    }
}

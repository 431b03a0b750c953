//! `OPTION_LQ_RELAY_DATA` compared with the relays' messages.

use std::net::Ipv6Addr;

use super::Stage;
use super::answer::{Answer, ClientData, RelayData, relay_levels};
use super::client::{Client, Wants};
use super::kea::Lease;
use super::perfdhcp::Perfdhcp;
use super::{lab, plan};
use crate::support::Until;
use crate::support::message::{Relay, code, relay_forward};

/// Chains of one to five relays with Interface-Ids, remote-ids, link-layer address, name and a requested
/// prefix; then a client that moves behind another relay, perfdhcp's plain relay, and a direct client.
pub(super) fn relay_data(stage: &mut Stage) {
    let mut clients: Vec<Client> = (1..=5).map(|depth| Client::new(0x6a, depth, chain(depth))).collect();
    clients[1].name = Some(b"\x04host\x07example\x03org\x00".to_vec());
    clients[2].hint = Some(("2001:db8:b501::".parse().expect("an address"), 48));
    for client in &mut clients {
        client.solicit(&stage.lab, Wants::Both);
    }
    assert_eq!(clients[2].prefix, clients[2].hint, "Kea gives the requested prefix");
    stage.agree();
    for client in &clients {
        assert_eq!(relay_data_of(stage, client), Some(sent(client)), "{client:02x?}");
    }
    for client in &clients {
        let link_layer = data_of(stage, client).link_layer;
        assert_eq!(link_layer, link_layer_option(client), "{client:02x?}");
    }
    let fqdn = data_of(stage, &clients[1]).fqdn.expect("Kea keeps the name");
    assert_eq!(fqdn.get(1..), clients[1].name.as_deref(), "the name after the flags (RFC 4704 §4)");

    clients[0].relays = chain(2);
    clients[0].renew(&stage.lab);
    stage.agree();
    assert_eq!(relay_data_of(stage, &clients[0]), Some(sent(&clients[0])), "relay data is the newest");

    let mut direct = Client::new(0x6b, 1, Vec::new());
    direct.solicit(&stage.lab, Wants::Address);
    let until = Until::patience();
    let relayed = loop {
        Perfdhcp::start(&stage.lab, "-A 1 -L 547 -R 10 -r 50 -n 10").wait();
        stage.kea.pause_service();
        stage.agree();
        let relayed = |lease: &Lease| lease.subnet_id == plan::subnet::RELAYED;
        let relayed: Vec<Lease> = stage.kea.leases().into_iter().filter(relayed).collect();
        if !relayed.is_empty() {
            break relayed;
        }
        stage.kea.resume_service();
        assert!(until.pending(), "no client of perfdhcp has a lease");
    };
    assert_eq!(data_of(stage, &direct).link_layer, None, "its DUID-LL alone names an address (RFC 6939 §1)");
    assert_eq!(relay_data_of(stage, &direct), None, "no relay, no relay data (RFC 5007 §4.1.2.4)");
    for lease in relayed {
        let Ok(Answer::Bindings(data)) = stage.requestor.by_address(lease.address) else {
            panic!("{lease:?} is denied")
        };
        let relay = data.relay_data.expect("perfdhcp's client came through a relay");
        assert_eq!((relay.peer, relay.levels.len(), relay.levels[0].link), (lab::PERFDHCP, 1, lab::PERFDHCP));
    }
}

/// Returns relays from the client outwards: the innermost names the client's link, the others have an
/// interface or an address of their own; every second one has no link-address, like a layer-2 relay (RFC
/// 6221).
fn chain(depth: u8) -> Vec<Relay> {
    (0..depth)
        .map(|hop| Relay { link: link(hop), peer: peer(hop), options: relay_options(hop, depth) })
        .collect()
}

fn link(hop: u8) -> Ipv6Addr {
    match hop {
        0 => plan::DEEP_LINK,
        odd if odd % 2 == 1 => Ipv6Addr::UNSPECIFIED,
        even => Ipv6Addr::new(0x2001, 0xdb8, 0xeeee, 0, 0, 0, 0, u16::from(even)),
    }
}

fn peer(hop: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x6a, u16::from(hop) + 1)
}

/// Returns the Interface-Id (RFC 8415 §21.18) with octets that need escapes in CSV and JSON; for the relay
/// nearest to the client also a remote-id (RFC 4649) of enterprise 4491 and an Ethernet address (RFC 6939)
/// other than the DUID's.
fn relay_options(hop: u8, depth: u8) -> Vec<(u16, Vec<u8>)> {
    let interface = (code::INTERFACE_ID, [b"ge-0/0,\"&\x00\xff", &[hop, depth][..]].concat());
    let remote = (code::REMOTE_ID, [&4491_u32.to_be_bytes()[..], b"cm-", &[hop]].concat());
    let link_layer = (code::CLIENT_LINKLAYER_ADDR, vec![0, 1, 2, 0, 0, 0, 0x79, depth]);
    if hop == 0 { vec![remote, link_layer, interface] } else { vec![interface] }
}

/// Returns the `LQ_RELAY_DATA` required for this client. Kea does not keep the outer relay's address, so
/// peer-address is the outermost relay's link-address, `::` or not.
fn sent(client: &Client) -> RelayData {
    let levels = relay_levels(&relay_forward(&client.relays, None)).expect("we wrote it");
    let peer = levels.first().expect("the client came through relays").link;
    RelayData { peer, levels }
}

/// Returns the client's link-layer address as its nearest relay sent it.
fn link_layer_option(client: &Client) -> Option<Vec<u8>> {
    let link_layer = client.relays[0].options.iter().find(|(code, _)| *code == code::CLIENT_LINKLAYER_ADDR);
    link_layer.map(|(_, body)| body.clone())
}

fn relay_data_of(stage: &Stage, client: &Client) -> Option<RelayData> {
    data_of(stage, client).relay_data
}

fn data_of(stage: &Stage, client: &Client) -> ClientData {
    let answer = stage.requestor.by_client_id(&client.duid, Ipv6Addr::UNSPECIFIED);
    let Ok(Answer::Bindings(data)) = answer else { panic!("{client:02x?}: {answer:02x?}") };
    data
}

//! A DHCPv6 client with relay agents, for messages that perfdhcp cannot send: several relays, their options,
//! names, hints, declines.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::lab::{self, Lab};
use crate::support::Until;
use crate::support::message::{
    CLIENT_HEADER_LEN, RELAY_HEADER_LEN, Relay, SERVER_DUID, address_at, code, iaaddr, msg, option,
    option_request, options, relay_forward, single,
};

/// Port of clients, and of servers and relays (RFC 8415 §7.2).
const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
/// Time before a client retransmits (RFC 8415 §15).
const RETRANSMIT: Duration = Duration::from_secs(4);

/// A client with its leases.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) duid: Vec<u8>,
    /// Relays to the server, the nearest first; none: attached to the server's link.
    pub(super) relays: Vec<Relay>,
    /// Requested name (RFC 4704), as labels on the wire.
    pub(super) name: Option<Vec<u8>>,
    /// Requested prefix.
    pub(super) hint: Option<(Ipv6Addr, u8)>,
    pub(super) address: Option<Ipv6Addr>,
    pub(super) prefix: Option<(Ipv6Addr, u8)>,
}

impl Client {
    /// Returns a client with the DUID-LL (RFC 8415 §11.4) of the Ethernet address `02:00:00:00:kind:number`.
    pub(super) fn new(kind: u8, number: u8, relays: Vec<Relay>) -> Self {
        let duid = vec![0, 3, 0, 1, 2, 0, 0, 0, kind, number];
        Self { duid, relays, name: None, hint: None, address: None, prefix: None }
    }

    /// Requests leases by SOLICIT with Rapid Commit (RFC 8415 §18.2.1).
    pub(super) fn solicit(&mut self, lab: &Lab, wants: Wants) {
        self.solicit_asking(lab, wants, &[]);
    }

    /// As [`Self::solicit`], with these codes in an ORO; returns the options of the reply.
    pub(super) fn solicit_asking(&mut self, lab: &Lab, wants: Wants, codes: &[u16]) -> Vec<(u16, Vec<u8>)> {
        let hint = self.hint.map(|(prefix, len)| iaprefix(prefix, len)).unwrap_or_default();
        let mut body = option(code::RAPID_COMMIT, &[]);
        if !codes.is_empty() {
            body.extend(option_request(codes));
        }
        if wants != Wants::Prefix {
            body.extend(identity_association(code::IA_NA, &[]));
        }
        if wants != Wants::Address {
            body.extend(identity_association(code::IA_PD, &hint));
        }
        let reply = self.exchange(lab, msg::SOLICIT, &body);
        self.remember(&reply);
        let (got_address, got_prefix) = (self.address.is_some(), self.prefix.is_some());
        assert!(got_address || wants == Wants::Prefix, "Kea gave no address: {reply:02x?}");
        assert!(got_prefix || wants == Wants::Address, "Kea gave no prefix: {reply:02x?}");
        options(&reply[CLIENT_HEADER_LEN..]).expect("Kea's options are sound")
    }

    /// Renews all leases.
    pub(super) fn renew(&mut self, lab: &Lab) {
        let reply = self.exchange(lab, msg::RENEW, &self.holdings());
        self.remember(&reply);
    }

    /// Renews the prefix alone.
    pub(super) fn renew_prefix(&self, lab: &Lab) {
        let prefix_only = Self { address: None, ..self.clone() };
        prefix_only.exchange(lab, msg::RENEW, &prefix_only.holdings());
    }

    /// Releases all leases.
    pub(super) fn release(&mut self, lab: &Lab) {
        self.exchange(lab, msg::RELEASE, &self.holdings());
        (self.address, self.prefix) = (None, None);
    }

    /// Declines the address; a prefix cannot be declined (RFC 8415 §18.2.8).
    pub(super) fn decline(&mut self, lab: &Lab) {
        let address = self.address.take().expect("there is an address to decline");
        self.exchange(lab, msg::DECLINE, &identity_association(code::IA_NA, &iaaddr(address)));
    }

    fn holdings(&self) -> Vec<u8> {
        let address = self.address.map(|address| identity_association(code::IA_NA, &iaaddr(address)));
        let prefix =
            self.prefix.map(|(prefix, len)| identity_association(code::IA_PD, &iaprefix(prefix, len)));
        [address, prefix].into_iter().flatten().flatten().collect()
    }

    fn remember(&mut self, reply: &[u8]) {
        let reply = options(&reply[CLIENT_HEADER_LEN..]).expect("Kea's options are sound");
        let inside = |outer: u16, inner: u16| {
            let association = single(&reply, outer).expect("one association of a kind")?;
            let inside = options(&association[12..]).expect("Kea's options are sound");
            single(&inside, inner).expect("one lease in it").map(<[u8]>::to_vec)
        };
        self.address = inside(code::IA_NA, code::IAADDR)
            .map(|body| address_at(&body, 0).expect("an IAADDR is 24 octets"));
        self.prefix = inside(code::IA_PD, code::IAPREFIX)
            .map(|body| (address_at(&body, 9).expect("an IAPREFIX is 25 octets"), body[8]));
    }

    /// Sends a message of this type, and returns Kea's REPLY, unwrapped from its relay messages.
    fn exchange(&self, lab: &Lab, kind: u8, body: &[u8]) -> Vec<u8> {
        // A new transaction-id each time, so that late answers to earlier messages are ignored.
        static EXCHANGES: AtomicU16 = AtomicU16::new(0);
        let [high, low] = EXCHANGES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let transaction = [kind, high, low];
        let mut message = [&[kind], &transaction[..]].concat();
        message.extend(option(code::CLIENTID, &self.duid));
        if kind != msg::SOLICIT {
            message.extend(option(code::SERVERID, &SERVER_DUID));
        }
        message.extend(option(code::ELAPSED_TIME, &[0, 0]));
        message
            .extend(self.name.iter().flat_map(|name| option(code::CLIENT_FQDN, &[&[0], &name[..]].concat())));
        message.extend_from_slice(body);
        let reply = self.transfer(lab, message, &transaction);
        assert_eq!(reply.first(), Some(&msg::REPLY), "Kea's answer to message {kind}: {reply:02x?}");
        reply
    }

    /// Returns Kea's answer with this transaction-id, unwrapped from its relay messages.
    fn transfer(&self, lab: &Lab, message: Vec<u8>, transaction: &[u8]) -> Vec<u8> {
        let answer = |datagram: Vec<u8>| {
            let answer = self.relays.iter().fold(datagram, |datagram, _| unwrap_relay(&datagram));
            (answer.get(1..4) == Some(transaction)).then_some(answer)
        };
        if self.relays.is_empty() {
            let group = SocketAddrV6::new(lab::ALL_RELAYS_AND_SERVERS, SERVER_PORT, 0, lab.client_index);
            return round_trip((lab::CLIENT, CLIENT_PORT), group, &message, answer);
        }
        let forward = relay_forward(&self.relays, Some(message));
        let server = SocketAddrV6::new(lab::SERVER, SERVER_PORT, 0, 0);
        round_trip((lab::RELAY, SERVER_PORT), server, &forward, answer)
    }
}

/// Returns the message in a RELAY-REPL.
fn unwrap_relay(datagram: &[u8]) -> Vec<u8> {
    assert_eq!(datagram.first(), Some(&msg::RELAY_REPL), "a level of Kea's answer: {datagram:02x?}");
    let inside = options(&datagram[RELAY_HEADER_LEN..]).expect("Kea's options are sound");
    single(&inside, code::RELAY_MSG).expect("one message").expect("a message inside").to_vec()
}

/// Leases that a client requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Address,
    Prefix,
    Both,
}

/// Sends the message, and retransmits it until `answer` accepts a datagram.
fn round_trip(
    local: (Ipv6Addr, u16),
    server: SocketAddrV6,
    message: &[u8],
    answer: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let socket = UdpSocket::bind(local).unwrap_or_else(|e| panic!("{local:?} is free: {e}"));
    socket.set_read_timeout(Some(RETRANSMIT)).expect("a time-out other than zero");
    let mut buffer = vec![0; 65_535];
    let until = Until::patience();
    loop {
        let sent = socket.send_to(message, server);
        while sent.is_ok()
            && let Ok((len, _)) = socket.recv_from(&mut buffer)
        {
            if let Some(answer) = answer(buffer[..len].to_vec()) {
                return answer;
            }
        }
        assert!(until.pending(), "Kea does not answer {message:02x?}; the last send: {sent:?}");
    }
}

/// Writes `IA_NA` or `IA_PD` (RFC 8415 §21.4, §21.21) with identifier 1; the server chooses T1 and T2.
fn identity_association(code: u16, inside: &[u8]) -> Vec<u8> {
    option(code, &[&[0, 0, 0, 1][..], &[0; 8], inside].concat())
}

fn iaprefix(prefix: Ipv6Addr, len: u8) -> Vec<u8> {
    option(code::IAPREFIX, &[&[0; 8], &[len][..], &prefix.octets()].concat())
}

//! Random batches: the outcome of a datagram does not depend on the rest of its batch.
#![no_main]
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::net::{Ipv6Addr, SocketAddrV6};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lqd_answer::{BATCH_MAX, Datagram};
use lqd_fuzz::{Rig, SOURCE};

/// A datagram that is a valid query more often than random octets are.
#[derive(Arbitrary, Debug)]
struct Sent {
    what: What,
    relays: u8,
    /// Whether the requestor is authorized.
    allowed: bool,
    /// Octets cut from its end.
    cut: u8,
}

#[derive(Arbitrary, Debug)]
enum What {
    Octets(Vec<u8>),
    ByAddress(Place, Place, Vec<u8>),
    ByClient(Place, u8, Vec<u8>),
}

/// An address in or near the sample network.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Place {
    Unspecified,
    /// Host of subnet: client NN has 2001:db8:1::NN01 and so on.
    Host {
        subnet: u8,
        client: u8,
        number: u8,
    },
    /// Host in a delegated prefix.
    Delegated {
        client: u8,
        number: u8,
    },
}

impl Place {
    fn octets(self) -> [u8; 16] {
        let segments = match self {
            Self::Unspecified => [0; 8],
            Self::Host { subnet, client, number } => {
                // Few values, so that leases are hit often.
                [0x2001, 0xdb8, (subnet % 8).into(), 0, 0, 0, 0, u16::from_be_bytes([client % 0x30, number])]
            }
            Self::Delegated { client, number } => {
                let client = u16::from(client % 0x30);
                [0x2001, 0xdb8, 0xa000 + client, u16::from(number) << 7, 0, 0, 0, 1]
            }
        };
        Ipv6Addr::from(segments).octets()
    }
}

impl Sent {
    fn octets(&self, number: u8) -> Vec<u8> {
        let mut message = match &self.what {
            What::Octets(octets) => octets.clone(),
            What::ByAddress(link, address, request) => {
                let asked = option(5, &[&address.octets(), &[0; 8][..]].concat());
                query(number, 1, *link, &asked, request)
            }
            What::ByClient(link, client, request) => {
                let asked = option(1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, client % 0x30]);
                query(number, 2, *link, &asked, request)
            }
        };
        // More hops than a policy allows must be possible.
        for hop in 0..self.relays % 11 {
            let header = [&[12, hop], &[0; 32][..]].concat();
            message = [header, option(18, &[hop, number]), option(9, &message)].concat();
        }
        // Most datagrams stay whole, as cut ones end early.
        message.truncate(message.len().saturating_sub(self.cut.saturating_sub(200).into()));
        message
    }

    fn source(&self, number: u16) -> SocketAddrV6 {
        // An address that no rule allows.
        let stranger = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        let address = if self.allowed { *SOURCE.ip() } else { stranger };
        SocketAddrV6::new(address, 10_000 + number, 0, 0)
    }
}

fn query(number: u8, kind: u8, link: Place, asked: &[u8], request: &[u8]) -> Vec<u8> {
    // Codes below 256 are enough, and few fit the query.
    let request: Vec<u8> = request.iter().take(8).flat_map(|&code| [0, code]).collect();
    let value = [&[kind], &link.octets()[..], asked, &option(6, &request)].concat();
    [vec![14, 0, 0, number], option(1, &[0, 3, 0, 1, number]), option(44, &value)].concat()
}

/// `value` is always short enough here.
fn option(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0, code], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

thread_local! {
    static RIG: RefCell<Rig> = RefCell::default();
}

fuzz_target!(|sent: Vec<Sent>| {
    let octets: Vec<_> = (0..).zip(sent.iter().take(BATCH_MAX)).map(|(n, sent)| sent.octets(n)).collect();
    let sources = (0..).zip(&sent).map(|(number, sent)| sent.source(number));
    let datagrams: Vec<_> =
        octets.iter().zip(sources).map(|(octets, source)| Datagram { octets, source }).collect();
    RIG.with_borrow_mut(|rig| {
        for policy in 0..rig.policies().count() {
            let together = rig.answers(policy, &datagrams, 0xee);
            for (datagram, together) in datagrams.iter().zip(together) {
                // Alone, the result must be the same: a batch shares nothing between its datagrams.
                let alone = rig.answers(policy, std::slice::from_ref(datagram), 0x11);
                assert_eq!(alone, [together], "{datagram:?} in a batch of {}", datagrams.len());
            }
        }
    });
});

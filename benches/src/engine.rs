//! The work of `lqd-answer` in one batch, as a worker asks for it.
//!
//! Shared by the criterion bench and the instruction counts, so that both speak of the same work.

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_answer::{Datagram, Deny, Engine, Policy, Relayed, Verdict};
use lqd_index::Pinned;

use crate::NOW;
use crate::codec::SERVER_DUID;

/// An engine that answers a requestor on this host.
///
/// # Panics
/// If its policy is not a valid one.
pub fn engine() -> Engine {
    let policy = Policy {
        server_duid: SERVER_DUID.to_vec(),
        allow: vec![Ipv6Addr::LOCALHOST.into()],
        deny: Deny::NotAllowed,
        relayed: Relayed::Answer,
        relay_levels_max: 8,
        sensitive: Vec::new(),
    };
    Engine::new(policy).expect("the policy is a valid one")
}

/// These octets as datagrams from a requestor on this host.
pub fn datagrams(queries: &[Vec<u8>]) -> Vec<Datagram<'_>> {
    let source = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0);
    queries.iter().map(|octets| Datagram { octets, source }).collect()
}

/// Answers a batch, each reply into the same slot; octets of all replies.
pub fn answer(engine: &Engine, leases: &Pinned<'_>, batch: &[Datagram<'_>], slot: &mut [u8]) -> usize {
    let mut octets = 0;
    engine.answer(leases, NOW, batch, |_, verdict| {
        if let Verdict::Reply(reply) = verdict {
            octets += reply.write(slot).0;
        }
    });
    octets
}

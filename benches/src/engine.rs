//! Work of `lqd-answer` for a batch, as a worker uses it.
//!
//! Shared by the criterion bench and the instruction counts, so that both measure the same work.

use std::net::{Ipv6Addr, SocketAddrV6};

use ipnet::Ipv6Net;
use lqd_answer::{Access, Datagram, Engine, Limits, Now, Policy, Rate, Rights, Verdict};
use lqd_index::Pinned;

use crate::NOW;
use crate::codec::SERVER_DUID;

/// Makes an engine that answers a requestor on this host.
///
/// # Panics
/// If its policy is not a valid one.
pub fn engine() -> Engine {
    with(Access::of([Ipv6Addr::LOCALHOST.into()]).expect("one rule"))
}

/// Makes an engine with a thousand access rules, and rates that are never reached.
///
/// # Panics
/// If its policy is not a valid one.
pub fn limited_engine() -> Engine {
    let rate = Some(Rate { per_second: 1_000_000, burst: 1_000_000 });
    let rights = Rights { allow: true, rate, prefix_rate: rate, ..Rights::default() };
    let prefix = |number: u16| Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 0), 48);
    let rows = (0..1000)
        .filter_map(|number| prefix(number).ok())
        .chain(Ipv6Net::new(Ipv6Addr::UNSPECIFIED, 64).ok());
    let rows = rows.map(|prefix| (prefix, rights.clone())).collect();
    with(Access::new(Rights::default(), rows).expect("each prefix once"))
}

fn with(access: Access) -> Engine {
    let policy = Policy { server_duid: SERVER_DUID.to_vec(), access, relay_hops_max: 9 };
    Engine::new(policy).expect("the policy is a valid one")
}

/// Datagrams with these payloads from a requestor on this host.
pub fn datagrams(queries: &[Vec<u8>]) -> Vec<Datagram<'_>> {
    let source = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0);
    queries.iter().map(|octets| Datagram { octets, source }).collect()
}

/// Answers a batch, each reply into the same slot; returns the octets of all replies.
pub fn answer(
    engine: &Engine,
    limits: &mut Limits,
    leases: &Pinned<'_>,
    batch: &[Datagram<'_>],
    slot: &mut [u8],
) -> usize {
    let mut octets = 0;
    let now = Now { unix_seconds: NOW, monotonic_ns: 0 };
    engine.answer(limits, leases, now, batch, |_, verdict| {
        if let Verdict::Reply(reply) = verdict {
            octets += reply.write(slot).0;
        }
    });
    octets
}

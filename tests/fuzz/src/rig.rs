//! The engine with the sample.

use std::net::{Ipv6Addr, SocketAddrV6};

use ipnet::Ipv6Net;
use lqd_answer::{Access, Datagram, Engine, Limits, Now, Outcome, Policy, Rights, Verdict};
use lqd_index::Reader;
use lqd_wire::{DATAGRAM_LEN_MAX, OptionCode};

use crate::{NOW, Sample};

/// An authorized requestor.
pub const SOURCE: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 40_000, 0, 0);

/// Longer than any valid reply, so that a longer one is noticed.
const SLOT_LEN: usize = DATAGRAM_LEN_MAX + 4096;

/// Outcome of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Discarded without a reply.
    Silence(Outcome),
    /// A reply.
    Reply {
        /// Destination.
        to: SocketAddrV6,
        /// Octets.
        octets: Vec<u8>,
        /// Name of the outcome.
        outcome: Outcome,
    },
}

/// The sample, an engine for each policy, and a slot for replies.
pub struct Rig {
    /// The sample.
    pub sample: Sample,
    reader: Reader,
    engines: Vec<(Policy, Engine)>,
    limits: Limits,
    slot: Vec<u8>,
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

impl Rig {
    /// Reads the sample.
    ///
    /// # Panics
    /// The sample cannot be read; it is part of the tests.
    pub fn new() -> Self {
        let sample = Sample::read();
        let reader = sample.store.reader().expect("the store has no reader yet");
        let engine =
            |policy: Policy| (policy.clone(), Engine::new(policy).expect("a policy that can be used"));
        let engines = policies(&sample.server_duid).map(engine).into();
        Self { sample, reader, engines, limits: Limits::new(0), slot: vec![0; SLOT_LEN] }
    }

    /// The policies, by number.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.engines.iter().map(|(policy, _)| policy)
    }

    /// Outcome of a datagram of [`SOURCE`] under the policy with this number; `before` is the previous
    /// content of the slot.
    pub fn answer(&mut self, policy: usize, octets: &[u8], before: u8) -> Answer {
        // One datagram is a batch of one.
        self.answers(policy, &[Datagram { octets, source: SOURCE }], before).remove(0)
    }

    /// Outcomes of a batch.
    ///
    /// # Panics
    /// The engine does not return one verdict per datagram, in order, or writes beyond the end of a reply's
    /// slot.
    pub fn answers(&mut self, policy: usize, datagrams: &[Datagram<'_>], before: u8) -> Vec<Answer> {
        let slot = &mut self.slot;
        let mut answers = Vec::with_capacity(datagrams.len());
        let now = Now { unix_seconds: NOW, monotonic_ns: 0 };
        self.engines[policy].1.answer(
            &mut self.limits,
            &self.reader.pin(),
            now,
            datagrams,
            |position, verdict| {
                // A verdict out of order would answer another requestor.
                assert_eq!(position, answers.len(), "verdicts come in order, one each");
                answers.push(match verdict {
                    Verdict::Silence(outcome) => Answer::Silence(outcome),
                    Verdict::Reply(reply) => {
                        // Filled, so that octets not written show.
                        slot.fill(before);
                        let (len, outcome) = reply.write(slot);
                        // The slot is longer, so a reply beyond the limit would be seen.
                        assert!(len <= DATAGRAM_LEN_MAX, "a reply of {len} octets");
                        let octets = falsified(slot[..len].to_vec());
                        refuses_short_slots(&reply, len, slot);
                        match len {
                            0 => Answer::Silence(outcome),
                            _ => Answer::Reply { to: reply.to(), octets, outcome },
                        }
                    }
                });
            },
        );
        assert_eq!(answers.len(), datagrams.len(), "one verdict each");
        answers
    }
}

/// A slot one octet too short gets an error or nothing, never a part of the reply.
fn refuses_short_slots(reply: &lqd_answer::Reply<'_>, len: usize, slot: &mut [u8]) {
    let Some(short) = len.checked_sub(1) else { return };
    let (len, outcome) = reply.write(&mut slot[..short]);
    assert!(len <= short);
    // With bindings it gets a status; without room for that, nothing.
    let expected = if len == 0 { Outcome::DropReplyTooLong } else { Outcome::TooManyBindings };
    assert_eq!(outcome, expected, "{short} octets of room");
}

/// The default policy, and one that accepts the longest relay chains and returns less.
fn policies(server_duid: &[u8]) -> [Policy; 2] {
    let of = |relay_hops_max, sensitive| {
        let rights = Rights { allow: true, sensitive, ..Rights::default() };
        let rows = vec![(Ipv6Net::from(Ipv6Addr::LOCALHOST), rights)];
        let access = Access::new(Rights::default(), rows).expect("one row");
        Policy { server_duid: server_duid.to_vec(), access, relay_hops_max }
    };
    [of(9, Vec::new()), of(33, vec![OptionCode::CLIENT_FQDN, OptionCode::INTERFACE_ID])]
}

#[cfg(not(feature = "canary"))]
fn falsified(reply: Vec<u8>) -> Vec<u8> {
    reply
}

/// The canary makes the last octet of every reply wrong.
#[cfg(feature = "canary")]
fn falsified(mut reply: Vec<u8>) -> Vec<u8> {
    if let Some(last) = reply.last_mut() {
        *last ^= 1;
    }
    reply
}

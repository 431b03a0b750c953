//! The bulk table against the session alone: no socket, and the clock stands still, so that times are exact.

use std::net::Ipv6Addr;
use std::num::NonZeroUsize;

use ipnet::Ipv6Net;
use libtest_mimic::{Failed, Trial};
use lqd_answer::bulk::{BULK_BUFFER_LEN, BulkLimits, BulkSession, Progress};
use lqd_answer::{Access, Engine, Limits, Now, Policy, Rights};
use lqd_feed::kea_config::{self, KeaConfig};
use lqd_feed::kea_memfile::KeaMemfile;
use lqd_feed::{LeaseSource, LoadRequest};
use lqd_index::{Links, Reader, SecondaryIndexes, Writer};
use lqd_wire::OptionCode;

use super::row::Setup;
use super::run::{Peer, run};
use super::{manners, rows, server};
use crate::support::{Received, all_passed};

/// Calls of `send` without an octet after which a session makes no progress.
const CALLS_MAX: usize = 100_000;

pub fn trials() -> Vec<Trial> {
    [Setup::Default, Setup::Sensitive, Setup::OneQuery, Setup::Unreadable]
        .into_iter()
        .map(|setup| Trial::test(format!("conformance::bulk::session::{setup:?}"), move || check(setup)))
        .collect()
}

fn check(setup: Setup) -> Result<(), Failed> {
    let leases = include_str!("../../../data/conformance/bulk/leases.csv");
    let fixture = server::fixture(&format!("{leases}{}", setup.leases()));
    let document = kea_config::read(fixture.kea_config())?;
    let kea = KeaConfig::from_document(&document, None)?;
    let links = Links::default();
    let (mut writer, store) = Writer::new();
    writer.set_secondary_indexes(SecondaryIndexes { relay_id: true, remote_id: true, link: true });
    let loaded =
        KeaMemfile::new(fixture.leases()).load(&LoadRequest::new(&links, NonZeroUsize::MIN, true))?;
    writer.replace_by(loaded.rows.into_loader(), Some(Links::new(kea.links)?));
    let mut rights = Rights::default();
    if setup == Setup::Sensitive {
        rights.sensitive = [37, 39].map(OptionCode).to_vec();
    }
    let rule = (Ipv6Net::from(Ipv6Addr::LOCALHOST), Rights { allow: true, ..rights.clone() });
    let access = Access::new(rights, vec![rule])?;
    let policy = Policy { server_duid: kea.server_duid.resolve()?, access, relay_hops_max: 9 };
    let engine = Engine::new(policy)?.with_bulk_offered();
    let mut failures = Vec::new();
    for row in rows().filter(|row| row.setup == setup) {
        for manner in manners(row) {
            let queries = if setup == Setup::OneQuery { 1 } else { 8 };
            let mut session = Session {
                session: BulkSession::new(Ipv6Addr::LOCALHOST, BulkLimits { queries }),
                engine: &engine,
                leases: store.reader().ok_or("no place for a reader")?,
                limits: Limits::new(0),
                now: fixture.now,
                unread: Vec::new(),
                is_finished: false,
                octets: Vec::new(),
            };
            if let Err(failure) = run(&mut session, row, manner, fixture.now) {
                failures.push(format!("row \"{}\" (RFC {}), {manner:?}: {failure}", row.name, row.rfc));
            }
        }
    }
    all_passed(&failures)
}

/// A session, with what lies on both sides of it.
struct Session<'a> {
    session: BulkSession,
    engine: &'a Engine,
    leases: Reader,
    limits: Limits,
    now: u32,
    /// Segments that the session does not want yet.
    unread: Vec<Vec<u8>>,
    is_finished: bool,
    /// Octets that it sent.
    octets: Vec<u8>,
}

impl Session<'_> {
    fn clock(&self) -> Now {
        Now { unix_seconds: self.now, monotonic_ns: 0 }
    }

    /// Hands over what was sent, as far as the session wants it.
    fn feed(&mut self) {
        let now = self.clock();
        while !self.unread.is_empty() && self.session.wants_octets() {
            let segment = self.unread.remove(0);
            self.session.receive(self.engine, &mut self.limits, now, &segment);
        }
        if self.unread.is_empty() && std::mem::take(&mut self.is_finished) {
            self.session.receive_end();
        }
    }

    fn take_message(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.octets.split_first_chunk()?;
        let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?.to_vec();
        self.octets.drain(..2 + message.len());
        Some(message)
    }
}

impl Peer for Session<'_> {
    fn send(&mut self, octets: &[u8], singly: bool) {
        let length = if singly { 1 } else { octets.len().max(1) };
        self.unread.extend(octets.chunks(length).map(<[u8]>::to_vec));
    }

    fn finish(&mut self) {
        self.is_finished = true;
    }

    fn receive(&mut self) -> Received {
        let mut buffer = vec![0; BULK_BUFFER_LEN];
        for _ in 0..CALLS_MAX {
            if let Some(message) = self.take_message() {
                return Received::Message(message);
            }
            self.feed();
            let now = self.clock();
            match self.session.send(self.engine, &self.leases.pin(), now, &mut buffer) {
                Progress::Octets(length) => self.octets.extend_from_slice(&buffer[..length]),
                Progress::Busy => {}
                Progress::Idle if !self.unread.is_empty() && self.session.wants_octets() => {}
                Progress::Idle => return Received::Nothing(self.octets.clone()),
                Progress::StartTls => panic!("this server offers no TLS"),
                Progress::Close if self.octets.is_empty() => return Received::Closed,
                Progress::Close => return Received::Cut(self.octets.clone()),
            }
        }
        Received::Nothing(self.octets.clone())
    }

    fn now(&self) -> u32 {
        self.now
    }
}

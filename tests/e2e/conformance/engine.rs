//! The conformance table against the engine alone; the row sets the clock, so lifetimes are exact.

use std::cell::RefCell;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroUsize;

use ipnet::Ipv6Net;
use libtest_mimic::{Failed, Trial};
use lqd_answer::{
    Access, BATCH_MAX, Datagram, Deny, Limits, NoBindingPolicy, Now, Policy, Relayed, Rights, Verdict,
};
use lqd_feed::kea_config::{self, KeaConfig};
use lqd_feed::kea_memfile::KeaMemfile;
use lqd_feed::{LeaseSource, LoadRequest};
use lqd_index::{Links, Reader, Writer};
use lqd_wire::OptionCode;

use super::row::Want;
use super::run::Answer;
use super::{Row, Server, Setup, check_rows, fixture, rows};
use crate::support::octets::octets;

/// Longest UDP payload over IPv6.
const REPLY_LEN_MAX: usize = 65_527;

const SOURCE: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 40_000, 0, 0);

/// Reply and its destination; `None` for silence.
type Outcome = Option<(SocketAddrV6, Vec<u8>)>;

pub fn trials() -> Vec<Trial> {
    let of_setup = |setup| {
        Trial::test(format!("conformance::engine::{setup:?}"), move || {
            check_rows(&Engine::new(setup)?, rows().filter(|row| row.setup == setup))
        })
    };
    let mut trials: Vec<_> = Setup::ALL.into_iter().map(of_setup).collect();
    for (name, with) in [
        ("stale", Engine::with_no_binding as fn(Engine, NoBindingPolicy) -> Engine),
        ("incomplete", Engine::with_no_binding_as_incomplete),
    ] {
        let name = |policy| format!("conformance::engine::{name}_{policy}");
        trials.push(Trial::test(name("silent"), move || misses_and_silence(with)));
        trials.push(Trial::test(name("refuse"), move || misses_and_refusal(with)));
    }
    trials.push(Trial::test("conformance::engine::bulk_offered", bulk_query_types_once_tcp_has_them));
    trials.push(Trial::test("conformance::engine::batches", batches_answer_as_lone_queries));
    trials.push(Trial::test("conformance::engine::allocations", nothing_is_allocated));
    trials
}

/// Returns whether the row's reply is "no binding": it ends after CLIENTID and SERVERID.
fn says_no_binding(row: &Row) -> bool {
    row.want.reply().is_some_and(|(_, pattern)| pattern.trim_end().ends_with("$me $server"))
}

/// With stale or incomplete leases and silence for misses, misses get silence, and every other row is
/// answered as before.
fn misses_and_silence(with: fn(Engine, NoBindingPolicy) -> Engine) -> Result<(), Failed> {
    let engine = with(Engine::new(Setup::Default)?, NoBindingPolicy::Silent);
    let rows: Vec<Row> = rows()
        .filter(|row| row.setup == Setup::Default)
        .map(|row| if says_no_binding(row) { Row { want: Want::Silence, ..*row } } else { *row })
        .collect();
    check_rows(&engine, rows.iter())
}

/// The same, with UnspecFail for misses.
fn misses_and_refusal(with: fn(Engine, NoBindingPolicy) -> Engine) -> Result<(), Failed> {
    let engine = with(Engine::new(Setup::Default)?, NoBindingPolicy::Refuse);
    let mut refused = 0;
    let mut rows: Vec<Row> = rows().filter(|row| row.setup == Setup::Default).copied().collect();
    // Skip RELAY-REPL: the lengths around the status would change as well.
    rows.retain(|row| !(says_no_binding(row) && row.query.trim_start().starts_with("0c")));
    for row in rows.iter_mut().filter(|row| says_no_binding(row)) {
        if let Want::Reply(pattern) = row.want {
            row.want = Want::Reply(format!("{pattern}  000d {{ 0001 text }}").leak());
            refused += 1;
        }
    }
    assert!(refused > 20, "{refused} rows");
    check_rows(&engine, rows.iter())
}

/// S46: where TCP offers bulk leasequery, its query-types over UDP get NotAllowed, not UnknownQueryType (RFC
/// 5460 §4).
fn bulk_query_types_once_tcp_has_them() -> Result<(), Failed> {
    let engine = Engine::new(Setup::Default)?;
    let engine = Engine { engine: engine.engine.with_bulk_offered(), ..engine };
    let mut rows: Vec<Row> = rows().filter(|row| row.setup == Setup::Default).copied().collect();
    let mut changed = 0;
    for row in rows.iter_mut().filter(|row| row.ids.contains(&"S46")) {
        let Want::Reply(pattern) = row.want else { continue };
        row.want = Want::Reply(pattern.replace("{ 0007 text }", "{ 000a text }").leak());
        changed += 1;
    }
    assert_eq!(changed, 4);
    check_rows(&engine, rows.iter())
}

/// Answers to a batch are those to its queries alone.
fn batches_answer_as_lone_queries() -> Result<(), Failed> {
    let engine = Engine::new(Setup::Default)?;
    let rows: Vec<&Row> = rows().filter(|row| row.setup == Setup::Default && row.at == 0).collect();
    let queries: Vec<Vec<u8>> = rows.iter().map(|row| octets(row.query)).collect();
    let alone: Vec<Outcome> =
        queries.iter().flat_map(|query| engine.answer(std::slice::from_ref(query), 0)).collect();
    for size in [2, 5, 8, 9, BATCH_MAX] {
        let together = queries.chunks(size).flat_map(|batch| engine.answer(batch, 0));
        for ((row, alone), together) in rows.iter().zip(&alone).zip(together) {
            assert_eq!(*alone, together, "row \"{}\" in batches of {size}", row.name);
        }
    }
    Ok(())
}

/// Answering allocates nothing, whatever the query.
fn nothing_is_allocated() -> Result<(), Failed> {
    let engine = Engine::new(Setup::Default)?;
    let queries: Vec<(&Row, Vec<u8>)> = rows().map(|row| (row, octets(row.query))).collect();
    let (mut leases, mut limits) = (engine.leases.borrow_mut(), engine.limits.borrow_mut());
    let now = Now { unix_seconds: engine.now, monotonic_ns: 0 };
    let mut slot = vec![0; REPLY_LEN_MAX];
    for (row, query) in &queries {
        for copies in [1, 8, BATCH_MAX] {
            let datagrams = vec![Datagram { octets: query, source: SOURCE }; copies];
            let mut ask = || {
                engine.engine.answer(&mut limits, &leases.pin(), now, &datagrams, |_, verdict| {
                    if let Verdict::Reply(reply) = verdict {
                        reply.write(&mut slot);
                    }
                });
            };
            ask(); // a thread's first pin may allocate its own bookkeeping
            let allocations = allocation_counter::measure(ask);
            assert_eq!(allocations.count_total, 0, "row \"{}\", {copies} at once", row.name);
        }
    }
    let counted = allocation_counter::measure(|| drop(vec![0_u8; 100]));
    assert_eq!(counted.count_total, 1, "allocations are counted at all");
    Ok(())
}

/// The answering engine with the sample leases.
pub struct Engine {
    /// The engine.
    pub engine: lqd_answer::Engine,
    /// The leases.
    pub leases: RefCell<Reader>,
    writer: Writer,
    limits: RefCell<Limits>,
    /// Time at which the leases were written, in seconds since 1970.
    pub now: u32,
}

impl Engine {
    fn new(setup: Setup) -> Result<Self, Failed> {
        Self::with(|server_duid| policy(setup, server_duid))
    }

    /// Returns an engine with this access table.
    ///
    /// # Errors
    /// The sample leases cannot be read.
    pub fn with_access(access: Access) -> Result<Self, Failed> {
        Self::with(|server_duid| Policy { server_duid, access, relay_hops_max: 9 })
    }

    fn with(policy: impl FnOnce(Vec<u8>) -> Policy) -> Result<Self, Failed> {
        let fixture = fixture();
        let document = kea_config::read(fixture.kea_config())?;
        let kea = KeaConfig::from_document(&document, None)?;
        let links = Links::default();
        let request = LoadRequest::new(&links, NonZeroUsize::MIN, true);
        let loaded = KeaMemfile::new(fixture.leases()).load(&request)?;
        let (mut writer, store) = Writer::new();
        writer.replace_by(loaded.rows.into_loader(), Some(Links::new(kea.links)?));
        let reader = store.reader().ok_or("no place for a reader")?;
        let engine = lqd_answer::Engine::new(policy(kea.server_duid.resolve()?))?;
        let limits = RefCell::new(Limits::new(0));
        Ok(Self { engine, leases: RefCell::new(reader), writer, limits, now: fixture.now })
    }

    /// Returns the same engine, with incomplete leases.
    fn with_no_binding_as_incomplete(mut self, no_binding: NoBindingPolicy) -> Self {
        self.writer.set_incomplete(true);
        Self { engine: self.engine.with_no_binding_if_incomplete(no_binding), ..self }
    }

    fn with_no_binding(self, no_binding: NoBindingPolicy) -> Self {
        Self { engine: self.engine.with_no_binding(no_binding), ..self }
    }

    /// Answers a batch, so many seconds after the sample leases were written.
    fn answer(&self, queries: &[Vec<u8>], at: u32) -> Vec<Outcome> {
        let datagrams: Vec<_> = queries.iter().map(|octets| Datagram { octets, source: SOURCE }).collect();
        let mut outcomes = Vec::new();
        self.judge(&datagrams, at, 0, |outcome, _| outcomes.push(outcome));
        outcomes
    }

    /// Returns the reply (empty: none) and the outcome's name of each datagram of a batch.
    pub fn outcomes(
        &self,
        datagrams: &[Datagram<'_>],
        at: u32,
        monotonic_ns: u64,
    ) -> Vec<(Vec<u8>, &'static str)> {
        let mut outcomes = Vec::new();
        self.judge(datagrams, at, monotonic_ns, |outcome, name| {
            outcomes.push((outcome.map(|(_, reply)| reply).unwrap_or_default(), name));
        });
        outcomes
    }

    fn judge(
        &self,
        datagrams: &[Datagram<'_>],
        at: u32,
        monotonic_ns: u64,
        mut deliver: impl FnMut(Outcome, &'static str),
    ) {
        let (mut leases, mut limits) = (self.leases.borrow_mut(), self.limits.borrow_mut());
        let now = Now { unix_seconds: self.now + at, monotonic_ns };
        let mut judged = 0;
        self.engine.answer(&mut limits, &leases.pin(), now, datagrams, |position, verdict| {
            assert_eq!(position, judged, "verdicts come in order");
            judged += 1;
            match verdict {
                Verdict::Silence(outcome) => deliver(None, outcome.name()),
                Verdict::Reply(reply) => {
                    let mut slot = vec![0; REPLY_LEN_MAX];
                    let (length, outcome) = reply.write(&mut slot);
                    slot.truncate(length);
                    deliver((length > 0).then(|| (reply.to(), slot)), outcome.name());
                }
            }
        });
        assert_eq!(judged, datagrams.len(), "one verdict each");
    }
}

impl Server for Engine {
    fn source(&self) -> SocketAddrV6 {
        SOURCE
    }

    fn ask(&self, query: &[u8], at: u32, _answered: bool) -> Result<Option<Answer>, String> {
        let outcome = self.answer(&[query.to_vec()], at).pop().flatten();
        Ok(outcome.map(|(to, reply)| Answer { to, reply, elapsed: 0..=0 }))
    }
}

/// Converts [`Setup::flags`] to the engine's policy.
fn policy(setup: Setup, server_duid: Vec<u8>) -> Policy {
    let elsewhere = Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0), 48);
    let (mut network, mut rights) = (Ipv6Net::from(Ipv6Addr::LOCALHOST), Rights::default());
    let mut relay_hops_max = 9;
    match setup {
        Setup::Default => {}
        Setup::Denied => network = elsewhere.expect("48 bits"),
        Setup::DeniedSilently => {
            network = elsewhere.expect("48 bits");
            rights.deny = Deny::Drop;
        }
        Setup::RelayedDropped => rights.relayed = Relayed::Drop,
        Setup::OneRelay => relay_hops_max = 1,
        Setup::ManyRelays => relay_hops_max = 33,
        Setup::Sensitive => rights.sensitive = [23, 39, 47].map(OptionCode).to_vec(),
        Setup::SensitiveInRelayData => rights.sensitive = [37, 79].map(OptionCode).to_vec(),
        Setup::ShortReplies => rights.reply_len_max = 512,
    }
    let rows = vec![(network, Rights { allow: true, ..rights.clone() })];
    Policy { server_duid, access: Access::new(rights, rows).expect("one row"), relay_hops_max }
}

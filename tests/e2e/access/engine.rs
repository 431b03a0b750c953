//! The access table against the engine alone; access control allocates nothing.

use std::net::SocketAddrV6;

use libtest_mimic::{Failed, Trial};
use lqd_answer::{Access, BATCH_MAX, Datagram, Limits, Now, Rate, Rights, Verdict};

use super::rows::ROWS;
use super::{AccessCase, Setup};
use crate::conformance::engine::Engine;
use crate::support::all_passed;
use crate::support::display::side_by_side;
use crate::support::octets::{Pattern, octets};

pub(crate) fn trials() -> Vec<Trial> {
    let of_setup = |setup| Trial::test(format!("access::engine::{setup:?}"), move || check(setup));
    let mut trials: Vec<_> = Setup::ALL.into_iter().map(of_setup).collect();
    trials.push(Trial::test("access::engine::allocations", nothing_is_allocated));
    trials.push(Trial::test("access::engine::one_batch_of_many_sources", one_batch_of_many_sources));
    trials
}

fn source(row: &AccessCase) -> SocketAddrV6 {
    SocketAddrV6::new(row.source.parse().expect("an address"), 40_000, 0, 0)
}

fn check(setup: Setup) -> Result<(), Failed> {
    let engine = Engine::with_access(setup.access())?;
    let mut failures = Vec::new();
    for row in ROWS.iter().filter(|row| row.setup == setup) {
        let query = octets(row.query);
        // The engine alone, so that a failure is not one of sockets.
        let got = engine.outcomes(&[Datagram { octets: &query, source: source(row) }], 0, 0).remove(0);
        failures.extend(
            mismatch(row, &got.0, got.1)
                .map(|failure| format!("row \"{}\" (RFC {}): {failure}", row.name, row.rfc)),
        );
    }
    all_passed(&failures)
}

/// Describes what is wrong with this reply (empty: none) or outcome.
fn mismatch(row: &AccessCase, reply: &[u8], outcome: &str) -> Option<String> {
    if outcome != row.outcome {
        return Some(format!("ends as {outcome}, wanted {}", row.outcome));
    }
    // Silence has an outcome too, which is compared above.
    let Some(pattern) = row.want.map(Pattern::parse) else {
        return (!reply.is_empty()).then(|| format!("wanted silence, got {reply:02x?}"));
    };
    (!pattern.matches(reply, &(0..=0)))
        .then(|| format!("wrong reply\n{}", side_by_side(&pattern.example(), reply)))
}

/// Answers to a batch are those to its datagrams alone, whatever their sources.
fn one_batch_of_many_sources() -> Result<(), Failed> {
    let engine = Engine::with_access(Setup::Rows.access())?;
    let rows: Vec<&AccessCase> = ROWS.iter().filter(|row| row.setup == Setup::Rows).collect();
    let queries: Vec<Vec<u8>> = rows.iter().map(|row| octets(row.query)).collect();
    let datagrams = rows.iter().zip(&queries);
    // One batch with all sources: rights must not leak from one datagram to the next.
    let datagrams: Vec<_> = datagrams.map(|(row, octets)| Datagram { octets, source: source(row) }).collect();
    for (row, (reply, outcome)) in rows.iter().zip(engine.outcomes(&datagrams, 0, 0)) {
        if let Some(failure) = mismatch(row, &reply, outcome) {
            return Err(format!("row \"{}\" (RFC {}): {failure}", row.name, row.rfc).into());
        }
    }
    Ok(())
}

/// Neither access, rate limits nor restriction allocate, not even at the first query.
fn nothing_is_allocated() -> Result<(), Failed> {
    // A rate as low as possible, so that buckets are filled and emptied.
    let rate = Some(Rate { per_second: 1, burst: 1 });
    for setup in Setup::ALL {
        let rows = setup.access();
        let limited = |rights: &Rights| Rights { rate, prefix_rate: rate, ..rights.clone() };
        let mut rows = rows.rules().map(|(prefix, rights)| (prefix, limited(rights)));
        let others = rows.next().ok_or("the row of all others")?.1;
        let limited = Access::new(others, rows.collect())?;
        for access in [setup.access(), limited] {
            let engine = Engine::with_access(access)?;
            let (mut leases, mut slot) = (engine.leases.borrow_mut(), vec![0; 65_527]);
            drop(leases.pin()); // a thread's first pin may allocate its own bookkeeping
            for row in ROWS {
                let query = octets(row.query);
                // The same datagram many times, so that limits and answers both occur.
                let datagrams = [Datagram { octets: &query, source: source(row) }; BATCH_MAX];
                let now = Now { unix_seconds: engine.now, monotonic_ns: 0 };
                let mut limits = Limits::new(0);
                let counted = allocation_counter::measure(|| {
                    engine.engine.answer(&mut limits, &leases.pin(), now, &datagrams, |_, verdict| {
                        if let Verdict::Reply(reply) = verdict {
                            reply.write(&mut slot);
                        }
                    });
                });
                assert_eq!(counted.count_total, 0, "row \"{}\" set up as {setup:?}", row.name);
            }
        }
    }
    Ok(())
}

//! Rate limits of the binary: excess queries are dropped and counted, and other requestors are not affected.
//!
//! The rate is the lowest possible, so that even a slow machine admits few queries beyond the burst; the
//! measured time bounds how many, and is not asserted itself.

use std::fs;
use std::time::Instant;

use libtest_mimic::{Failed, Trial};

use super::udp::{add_addresses, outcomes, requestor};
use crate::conformance::{fixture, probe_query};
use crate::support::lqd::PATIENCE;
use crate::support::{Lqd, Requestor};

/// Access rules: requestors with a rule of their own, with a rate each, with a prefix rate.
const TABLE: &str = r#"
    allow = ["2001:db8:ffff::/48"]
    workers = 1
    [[access]]
    prefix = "2001:db8:ffff:1::/64"
    rate = 1
    burst = 5
    [[access]]
    prefix = "2001:db8:ffff:2::/64"
    prefix-rate = 1
    prefix-burst = 7
    [[access]]
    prefix = "2001:db8:ffff:2::1/128"
    rate = 1
    burst = 3
"#;

/// Source, its burst, and the outcome of excess queries; the order matters, because some share a bucket.
const ROWS: &[(&str, &str, usize, &str)] = &[
    ("without a rate", "2001:db8:ffff::1", 40, ""),
    ("a rate for each", "2001:db8:ffff:1::1", 5, "drop_requestor_rate"),
    ("another has its own", "2001:db8:ffff:1::2", 5, "drop_requestor_rate"),
    ("a row of its own", "2001:db8:ffff:2::1", 3, "drop_requestor_rate"),
    ("all of a prefix", "2001:db8:ffff:2::2", 7, "drop_prefix_rate"),
    ("nothing is left of it", "2001:db8:ffff:2::3", 0, "drop_prefix_rate"),
];

const QUERIES: usize = 40;

pub(crate) fn trials() -> Vec<Trial> {
    tests! {
        flags;
        in namespace: table,
    }
}

/// Sends all queries, then counts the answers until the probe, sent after them from elsewhere, is answered.
fn answered(requestor: &Requestor, prober: &Requestor) -> usize {
    // All are sent before the probe, so that its answer comes last.
    (0..QUERIES).for_each(|_| requestor.send(&probe_query()));
    prober.ask(&probe_query()).expect("a requestor without rate is answered");
    let mut answered = 0;
    // A short wait, as the probe's answer has shown that all are through.
    while requestor.receive(std::time::Duration::from_millis(1)).is_some() {
        answered += 1;
    }
    answered
}

fn table() -> Result<(), Failed> {
    const PROBER: &str = "2001:db8:ffff::f";
    add_addresses(&ROWS.iter().map(|&(_, source, ..)| source).chain([PROBER]).collect())?;
    let fixture = fixture();
    let file = fixture.directory().join("lqd.toml");
    fs::write(&file, TABLE)?;
    let began = Instant::now();
    let config = ["--config".to_owned(), file.display().to_string()];
    let lqd = Lqd::start(&[&fixture.flags()[..], &config].concat());
    let prober = requestor(PROBER, &lqd);
    let mut total = ROWS.len();
    for (name, source, burst, _) in ROWS {
        let answered = answered(&requestor(source, &lqd), &prober);
        // Buckets refill while the test runs, so the bound moves with the clock.
        let seconds = began.elapsed().as_secs() as usize + 1;
        let most = (burst + seconds).min(QUERIES);
        assert!(
            (*burst..=most).contains(&answered),
            "{name}: {answered} answered, burst {burst}, {seconds} s"
        );
        total += answered;
    }
    lqd.signal("TERM");
    let counts = outcomes(&lqd.log_at_end());
    let dropped = |name: &str| counts.get(name).copied().unwrap_or_default();
    // Every datagram has one outcome.
    assert_eq!(counts.values().sum::<usize>(), ROWS.len() * (QUERIES + 1), "{counts:?}");
    assert_eq!(counts["unknown_query_type"], total, "{counts:?}");
    assert!(
        dropped("drop_requestor_rate") >= 2 * QUERIES && dropped("drop_prefix_rate") >= QUERIES,
        "{counts:?}"
    );
    Ok(())
}

/// The rate flags apply to requestors without a rule; refused ones share one bucket.
fn flags() -> Result<(), Failed> {
    let fixture = fixture();
    for (allow, outcome) in [("::1", "unknown_query_type"), ("2001:db8:ffff::/48", "not_allowed")] {
        let began = Instant::now();
        // One worker, as each has buckets of its own.
        let flags = ["--rate=1", "--burst=6", "--workers=1", "--allow", allow].map(str::to_owned);
        let lqd = Lqd::start(&[&fixture.flags()[..], &flags].concat());
        let requestor = Requestor::new(lqd.address);
        (0..QUERIES).for_each(|_| requestor.send(&probe_query()));
        for _ in 0..6 {
            requestor.receive(PATIENCE).ok_or("the burst is answered")?;
        }
        lqd.signal("TERM");
        let counts = outcomes(&lqd.log_at_end());
        // Counted after the end, as the run may last long on a busy machine.
        let most = 6 + began.elapsed().as_secs() as usize + 1;
        assert!((6..=most).contains(&counts[outcome]), "{counts:?}");
        assert_eq!(counts[outcome] + counts["drop_requestor_rate"], QUERIES, "{counts:?}");
    }
    Ok(())
}

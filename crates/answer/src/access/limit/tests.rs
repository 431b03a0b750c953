use std::collections::HashMap;

use ipnet::Ipv6Net;
use proptest::prelude::*;

use super::*;
use crate::Rights;

const MS: u64 = 1_000_000;

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second, burst })
}

fn table(rules: &[(&str, Rights)]) -> Access {
    let rules = rules.iter().map(|(prefix, rights)| (prefix.parse::<Ipv6Net>().unwrap(), rights.clone()));
    Access::new(Rights { rate: rate(1000, 2), ..Rights::default() }, rules.collect()).unwrap()
}

fn allowed() -> Rights {
    Rights { allow: true, ..Rights::default() }
}

/// A worker that receives queries from addresses.
struct Worker {
    access: Access,
    limits: Limits,
}

impl Worker {
    fn new(access: Access) -> Self {
        let mut limits = Limits::new(7);
        limits.prepare(&access);
        Self { access, limits }
    }

    fn query(&mut self, source: Ipv6Addr, now_ns: u64) -> Result<(), Outcome> {
        self.limits.take(&self.access, self.access.rule_of(source), source, now_ns)
    }

    /// Returns how many of `queries` at once are admitted.
    fn admitted(&mut self, source: &str, queries: usize, now_ns: u64) -> usize {
        let source = source.parse().unwrap();
        (0..queries).filter(|_| self.query(source, now_ns).is_ok()).count()
    }
}

#[test]
fn a_burst_is_admitted_and_then_the_rate() {
    let mut worker = Worker::new(table(&[("fd00::/8", Rights { rate: rate(1000, 5), ..allowed() })]));
    for (name, now_ns, want) in [
        ("the burst", 0, 5),
        ("nothing more at once", 0, 0),
        ("one after an interval", MS, 1),
        ("an interval later, and a little less", 2 * MS - 1, 0),
        ("two intervals", 3 * MS, 2),
        ("no more than the burst, after any pause", 9_000_000_000 * MS, 5),
    ] {
        assert_eq!(worker.admitted("fd00::1", 9, now_ns), want, "{name}");
    }
    assert_eq!(worker.admitted("fd00::2", 9, 0), 5, "another requestor has its own");
}

#[test]
fn the_prefix_limit_counts_all_requestors_and_charges_admitted_queries_only() {
    let rights = Rights { rate: rate(1000, 3), prefix_rate: rate(1000, 4), ..allowed() };
    let mut worker = Worker::new(table(&[("fd00::/8", rights), ("fd01::/16", allowed())]));
    assert_eq!(worker.admitted("fd00::1", 9, 0), 3, "its own bucket");
    assert_eq!(worker.query("fd00::1".parse().unwrap(), 0), Err(Outcome::DropRequestorRate));
    assert_eq!(worker.admitted("fd00::2", 9, 0), 1, "the rest of the prefix limit");
    assert_eq!(worker.query("fd00::2".parse().unwrap(), 0), Err(Outcome::DropPrefixRate));
    assert_eq!(worker.admitted("fd01::1", 9, 0), 9, "the longer prefix has its own rule");
    assert_eq!(worker.admitted("fd00::2", 9, 2 * MS), 2, "being refused cost nothing");
}

#[test]
fn sources_that_are_not_allowed_share_one_bucket() {
    let mut worker = Worker::new(table(&[]));
    let refused = (0..1000_u128).filter(|&number| worker.query((number << 64).into(), 0).is_ok()).count();
    assert_eq!(refused, 2);
    assert!(worker.limits.requestors.iter().flatten().all(|&held| held == 0), "none is in the table");
}

#[test]
fn a_flood_of_forged_addresses_does_not_affect_known_requestors() {
    let shared = Rights { rate: rate(10, 10), ..allowed() };
    let own = Rights { rate: rate(10, 10), ..allowed() };
    let mut worker = Worker::new(table(&[("fd00::/8", shared), ("fd00:1::1/128", own)]));
    assert_eq!(worker.admitted("fd00:1::1", 99, 0), 10);
    assert_eq!(worker.admitted("fd00::1", 99, 0), 10);
    assert_eq!(worker.admitted("fd00::2", 3, 0), 3);
    let flood = |worker: &mut Worker| {
        let forged = |number: u128| Ipv6Addr::from(0xfd99 << 112 | number);
        (0..1_000_000).filter(|&number| worker.query(forged(number), 0).is_ok()).count()
    };
    assert_eq!(flood(&mut worker), 1_000_000, "no requestor is refused because the table is full");
    assert_eq!(worker.limits.requestors.len(), SETS, "the table does not grow");
    assert_eq!(worker.admitted("fd00::1", 99, 0), 0, "an exhausted bucket is kept");
    assert_eq!(worker.admitted("fd00:1::1", 99, 0), 0, "and that of a /128 rule");
    assert!(worker.admitted("fd00::2", 7, 0) == 7, "a requestor within its rate loses nothing");
}

#[test]
fn an_equal_table_keeps_the_buckets_of_its_rules() {
    let of = |burst| table(&[("fd00::/8", Rights { prefix_rate: rate(1, burst), ..allowed() })]);
    let mut worker = Worker::new(of(5));
    assert_eq!(worker.admitted("fd00::1", 9, 0), 5);
    worker.access = of(5);
    worker.limits.prepare(&worker.access);
    assert_eq!(worker.admitted("fd00::1", 9, 0), 0);
    worker.access = of(6);
    worker.limits.prepare(&worker.access);
    assert_eq!(worker.admitted("fd00::1", 9, 0), 6);
}

/// A token bucket in floating point, as in textbooks.
struct Textbook {
    tokens: f64,
    at_ns: u64,
}

impl Textbook {
    fn refill(&mut self, rate: Rate, now_ns: u64) {
        let passed = (now_ns - self.at_ns) as f64 / SECOND_NS as f64;
        self.tokens = (self.tokens + passed * f64::from(rate.per_second)).min(f64::from(rate.burst));
        self.at_ns = now_ns;
    }
}

proptest! {
    /// Compares with the textbook bucket, except within 0.1 % of the burst around its edge.
    #[test]
    fn admission_agrees_with_a_textbook_bucket(
        per_second in prop_oneof![1..50_u32, 1..=RATE_MAX],
        burst in prop_oneof![1..10_u32, 1..1000_u32],
        steps in prop::collection::vec((0..8_u8, 0..3_000_000_000_u64, 0..3_u8), 1..300),
    ) {
        let rate = Rate { per_second, burst };
        let mut worker = Worker::new(table(&[("fd00::/8", Rights { rate: Some(rate), ..allowed() })]));
        let mut models: HashMap<u8, Textbook> = HashMap::new();
        let mut now_ns = 0;
        for (requestor, pause, kind) in steps {
            // Queries come at once, at about the rate, or after a pause.
            now_ns += [0, pause % (2 * rate.interval_ns()), pause][usize::from(kind)];
            let model = models.entry(requestor)
                .or_insert(Textbook { tokens: f64::from(burst), at_ns: now_ns });
            model.refill(rate, now_ns);
            let edge = 1e-3 * f64::from(burst) + 1e-6;
            let admitted = worker.query(Ipv6Addr::from(0xfd00 << 112 | u128::from(requestor)), now_ns).is_ok();
            if (model.tokens - 1.0).abs() > edge {
                prop_assert_eq!(admitted, model.tokens >= 1.0, "{} tokens", model.tokens);
            }
            if admitted {
                model.tokens -= 1.0;
            }
        }
    }
}

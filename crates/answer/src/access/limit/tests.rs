use std::collections::HashMap;

use ipnet::Ipv6Net;
use proptest::prelude::*;

use super::*;
use crate::Rights;

const MS: u64 = 1_000_000;

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second, burst })
}

fn table(rows: &[(&str, Rights)]) -> Access {
    let rows = rows.iter().map(|(prefix, rights)| (prefix.parse::<Ipv6Net>().unwrap(), rights.clone()));
    Access::new(Rights { rate: rate(1000, 2), ..Rights::default() }, rows.collect()).unwrap()
}

fn allowed() -> Rights {
    Rights { allow: true, ..Rights::default() }
}

/// One worker that is asked by addresses.
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

    fn ask(&mut self, source: Ipv6Addr, now_ns: u64) -> Result<(), Outcome> {
        self.limits.admit(&self.access, self.access.row_of(source), source, now_ns)
    }

    /// How many of so many queries at once are let in.
    fn admitted(&mut self, source: &str, queries: usize, now_ns: u64) -> usize {
        let source = source.parse().unwrap();
        (0..queries).filter(|_| self.ask(source, now_ns).is_ok()).count()
    }
}

#[test]
fn a_burst_and_then_the_rate() {
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
fn the_prefix_counts_all_and_refuses_without_cost() {
    let rights = Rights { rate: rate(1000, 3), prefix_rate: rate(1000, 4), ..allowed() };
    let mut worker = Worker::new(table(&[("fd00::/8", rights), ("fd01::/16", allowed())]));
    assert_eq!(worker.admitted("fd00::1", 9, 0), 3, "its own bucket");
    assert_eq!(worker.ask("fd00::1".parse().unwrap(), 0), Err(Outcome::DropRequestorRate));
    assert_eq!(worker.admitted("fd00::2", 9, 0), 1, "what the first left of the prefix");
    assert_eq!(worker.ask("fd00::2".parse().unwrap(), 0), Err(Outcome::DropPrefixRate));
    assert_eq!(worker.admitted("fd01::1", 9, 0), 9, "the longer prefix is another row");
    assert_eq!(worker.admitted("fd00::2", 9, 2 * MS), 2, "being refused cost nothing");
}

#[test]
fn sources_that_are_not_let_in_share_one_bucket() {
    let mut worker = Worker::new(table(&[]));
    let refused = (0..1000_u128).filter(|&number| worker.ask((number << 64).into(), 0).is_ok()).count();
    assert_eq!(refused, 2);
    assert!(worker.limits.requestors.iter().flatten().all(|&held| held == 0), "none is in the table");
}

#[test]
fn a_flood_of_made_up_addresses_does_no_harm_to_known_requestors() {
    let row = Rights { rate: rate(10, 10), ..allowed() };
    let own = Rights { rate: rate(10, 10), ..allowed() };
    let mut worker = Worker::new(table(&[("fd00::/8", row), ("fd00:1::1/128", own)]));
    assert_eq!(worker.admitted("fd00:1::1", 99, 0), 10);
    assert_eq!(worker.admitted("fd00::1", 99, 0), 10);
    assert_eq!(worker.admitted("fd00::2", 3, 0), 3);
    let flood = |worker: &mut Worker| {
        let made_up = |number: u128| Ipv6Addr::from(0xfd99 << 112 | number);
        (0..1_000_000).filter(|&number| worker.ask(made_up(number), 0).is_ok()).count()
    };
    assert_eq!(flood(&mut worker), 1_000_000, "nobody is turned away for want of room");
    assert_eq!(worker.limits.requestors.len(), SETS, "and nothing grows");
    assert_eq!(worker.admitted("fd00::1", 99, 0), 0, "who used his burst is remembered");
    assert_eq!(worker.admitted("fd00:1::1", 99, 0), 0, "as is a row of its own");
    assert!(worker.admitted("fd00::2", 7, 0) == 7, "who kept within his rate gets his due");
}

#[test]
fn an_equal_table_keeps_the_buckets_of_its_rows() {
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

/// Tokens in real numbers, as a textbook has them.
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
    /// As a token bucket in real numbers lets in, but for queries at the very edge: 0.1 % of what has come in since.
    #[test]
    fn like_a_bucket_of_real_numbers(
        per_second in prop_oneof![1..50_u32, 1..=RATE_MAX],
        burst in prop_oneof![1..10_u32, 1..1000_u32],
        steps in prop::collection::vec((0..8_u8, 0..3_000_000_000_u64, 0..3_u8), 1..300),
    ) {
        let rate = Rate { per_second, burst };
        let mut worker = Worker::new(table(&[("fd00::/8", Rights { rate: Some(rate), ..allowed() })]));
        let mut models: HashMap<u8, Textbook> = HashMap::new();
        let mut now_ns = 0;
        for (requestor, pause, kind) in steps {
            // At once, about as fast as the rate, or after a pause.
            now_ns += [0, pause % (2 * rate.interval_ns()), pause][usize::from(kind)];
            let model = models.entry(requestor)
                .or_insert(Textbook { tokens: f64::from(burst), at_ns: now_ns });
            model.refill(rate, now_ns);
            let edge = 1e-3 * f64::from(burst) + 1e-6;
            let admitted = worker.ask(Ipv6Addr::from(0xfd00 << 112 | u128::from(requestor)), now_ns).is_ok();
            if (model.tokens - 1.0).abs() > edge {
                prop_assert_eq!(admitted, model.tokens >= 1.0, "{} tokens", model.tokens);
            }
            if admitted {
                model.tokens -= 1.0;
            }
        }
    }
}

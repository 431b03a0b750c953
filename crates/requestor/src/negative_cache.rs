//! Remembering for a while that a query found nothing (RFC 5007 §5), so that a flood of packets to an unused address
//! does not become a flood of queries.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use lqd_wire::StatusCode;

use crate::{Duid, Failure, Plan, Query, Target};

/// What a query without bindings is remembered by: whose bindings, on which link, and who was asked, by address and by DUID.
type Key = (Target, Option<Ipv6Addr>, Plan, Option<Duid>);

/// One insertion.
#[derive(Debug)]
struct Entry {
    number: u64,
    ends: Instant,
    key: Key,
}

/// Queries that found no binding, at most so many.
#[derive(Debug)]
pub struct NegativeCache {
    ttl: Duration,
    capacity: usize,
    /// The number of each key's newest entry, and why it found nothing; its older entries in `order` mean nothing.
    newest: HashMap<Key, (u64, Instant, Option<Failure>)>,
    order: VecDeque<Entry>,
    /// Number of the next entry.
    next: u64,
}

impl NegativeCache {
    /// Remembers at most `capacity` queries, each for `ttl` or a part of it. When full, the oldest is forgotten.
    pub fn new(ttl: Duration, capacity: usize) -> Self {
        Self { ttl, capacity, newest: HashMap::new(), order: VecDeque::new(), next: 0 }
    }

    /// What this query came to when the same servers were asked a short while ago: no binding, or a failure; `None` if that is
    /// not known.
    pub fn get(&mut self, query: &Query, plan: &Plan, now: Instant) -> Option<Result<(), Failure>> {
        self.forget(now);
        let (_, ends, failure) = self.newest.get(&key(query, plan))?;
        (*ends > now).then(|| failure.clone().map_or(Ok(()), Err))
    }

    /// Remembers what this query came to, if that is nothing: no binding, or NotConfigured, for the whole time; NotAllowed and
    /// silence for a tenth of it, as these pass when an operator sets a server right.
    pub fn insert(&mut self, query: &Query, plan: &Plan, outcome: Result<(), &Failure>, now: Instant) {
        self.forget(now);
        let ttl = match outcome {
            Ok(()) => self.ttl,
            Err(Failure::Refused { status, .. }) if status.code == StatusCode::NOT_CONFIGURED => self.ttl,
            Err(Failure::Refused { status, .. }) if status.code == StatusCode::NOT_ALLOWED => self.ttl / 10,
            Err(Failure::NoReply { .. }) => self.ttl / 10,
            Err(_) => return,
        };
        if self.capacity == 0 {
            return;
        }
        let key = key(query, plan);
        self.newest.insert(key.clone(), (self.next, now + ttl, outcome.err().cloned()));
        self.order.push_back(Entry { number: self.next, ends: now + self.ttl, key });
        self.next += 1;
        while self.order.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// Forgets this query: it found something.
    pub fn remove(&mut self, query: &Query, plan: &Plan) {
        self.newest.remove(&key(query, plan));
    }

    /// How many queries are remembered.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// None is remembered.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|entry| entry.ends <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(Entry { number, key, .. }) = self.order.pop_front() else { return };
        if self.newest.get(&key).is_some_and(|&(newest, ..)| newest == number) {
            self.newest.remove(&key);
        }
    }
}

fn key(query: &Query, plan: &Plan) -> Key {
    (query.target.clone(), query.link, plan.clone(), query.server.clone())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use proptest::prelude::*;

    use super::*;
    use crate::Status;

    fn query(host: u16) -> Query {
        Query::by_address(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host))
    }

    fn plan(port: u16) -> Plan {
        Plan::server(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0))
    }

    #[test]
    fn link_target_and_servers_decide_and_time_runs_out() {
        let start = Instant::now();
        let mut cache = NegativeCache::new(Duration::from_secs(10), 8);
        cache.insert(&query(1), &plan(1), Ok(()), start);
        assert_eq!(cache.get(&query(1), &plan(1), start + Duration::from_secs(9)), Some(Ok(())));
        assert_eq!(cache.get(&query(1).on_link(Ipv6Addr::LOCALHOST), &plan(1), start), None);
        assert_eq!(cache.get(&query(2), &plan(1), start), None);
        assert_eq!(cache.get(&query(1), &plan(2), start), None, "another server may know");
        let by_duid = query(1).to_server(Duid::new([0, 4, 1]).expect("a DUID"));
        assert_eq!(cache.get(&by_duid, &plan(1), start), None, "another server of the group may know");
        assert_eq!(cache.get(&query(1), &plan(1), start + Duration::from_secs(10)), None);
        cache.insert(&query(3), &plan(1), Ok(()), start);
        cache.remove(&query(3), &plan(1));
        assert!(cache.is_empty());
    }

    #[test]
    fn refusals_and_silence_are_remembered_shorter_and_as_what_they_are() {
        let start = Instant::now();
        let mut cache = NegativeCache::new(Duration::from_secs(10), 8);
        let refused = |code| Failure::Refused {
            server: SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0),
            status: Status { code, text: String::new() },
        };
        let silent = Failure::NoReply { silent: Vec::new(), no_binding_at: None };
        let rows = [
            (refused(StatusCode::NOT_CONFIGURED), Some(9_999)),
            (refused(StatusCode::NOT_ALLOWED), Some(999)),
            (silent, Some(999)),
            (refused(StatusCode::MALFORMED_QUERY), None),
        ];
        for (host, (failure, lasts_ms)) in (1..).zip(rows) {
            cache.insert(&query(host), &plan(1), Err(&failure), start);
            let mut at = |ms| cache.get(&query(host), &plan(1), start + Duration::from_millis(ms));
            let Some(lasts_ms) = lasts_ms else {
                assert_eq!(at(0), None, "{failure}");
                continue;
            };
            assert_eq!((at(lasts_ms), at(lasts_ms + 1)), (Some(Err(failure)), None));
        }
    }

    proptest! {
        /// Against a list of all insertions, searched from its end.
        #[test]
        fn as_a_list_of_all_insertions(
            ops in prop::collection::vec((any::<bool>(), 0_u16..6, 0_u64..4), 0..60),
            capacity in 0_usize..5,
        ) {
            let ttl = Duration::from_secs(5);
            let mut cache = NegativeCache::new(ttl, capacity);
            let (mut inserted, mut now) = (Vec::new(), Instant::now());
            for (insert, host, pause) in ops {
                now += Duration::from_secs(pause);
                if insert {
                    cache.insert(&query(host), &plan(1), Ok(()), now);
                    inserted.push((host, now));
                }
                let young = inserted.iter().rev().take(capacity);
                let known = young.clone().any(|&(one, made)| one == host && now - made < ttl);
                prop_assert_eq!(cache.get(&query(host), &plan(1), now).is_some(), known);
                prop_assert!(cache.len() <= capacity && cache.order.len() <= capacity);
            }
        }
    }
}

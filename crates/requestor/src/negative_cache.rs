//! Cache of queries that found nothing (RFC 5007 §5), so that a flood of packets to an unused address does
//! not become a flood of queries.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use lqd_wire::StatusCode;

use crate::{Duid, LookupError, Plan, Query, Target};

/// Key of the cache: target, link, and the servers queried, by address and by DUID.
type Key = (Target, Option<Ipv6Addr>, Plan, Option<Duid>);

/// An insertion.
#[derive(Debug)]
struct Entry {
    number: u64,
    ends: Instant,
    key: Key,
}

/// A bounded cache of queries that found no binding.
#[derive(Debug)]
pub struct NegativeCache {
    ttl: Duration,
    capacity: usize,
    /// Number, end and outcome of each key's newest entry; its older entries in `order` are void.
    newest: HashMap<Key, (u64, Instant, Option<LookupError>)>,
    order: VecDeque<Entry>,
    /// The next entry's number.
    next: u64,
}

impl NegativeCache {
    /// Makes a cache of at most `capacity` queries, each kept for `ttl` or a part of it. The oldest is
    /// evicted first.
    pub fn new(ttl: Duration, capacity: usize) -> Self {
        Self { ttl, capacity, newest: HashMap::new(), order: VecDeque::new(), next: 0 }
    }

    /// Returns the outcome of this query at the same servers, "no binding" or an error, if it is cached.
    pub fn get(&mut self, query: &Query, plan: &Plan, now: Instant) -> Option<Result<(), LookupError>> {
        self.forget(now);
        let (_, ends, failure) = self.newest.get(&key(query, plan))?;
        (*ends > now).then(|| failure.clone().map_or(Ok(()), Err))
    }

    /// Caches the outcome if nothing was found: "no binding" and NotConfigured for the whole time, NotAllowed
    /// and silence for a tenth of it, since an operator may fix those.
    pub fn insert(&mut self, query: &Query, plan: &Plan, outcome: Result<(), &LookupError>, now: Instant) {
        self.forget(now);
        let ttl = match outcome {
            Ok(()) => self.ttl,
            Err(LookupError::Refused { status, .. }) if status.code == StatusCode::NOT_CONFIGURED => self.ttl,
            // An operator may allow the requestor, or start the server, at any moment.
            Err(LookupError::Refused { status, .. }) if status.code == StatusCode::NOT_ALLOWED => {
                self.ttl / 10
            }
            Err(LookupError::NoReply { .. }) => self.ttl / 10,
            Err(_) => return,
        };
        // Without this check the entry would be inserted and evicted again.
        if self.capacity == 0 {
            return;
        }
        let key = key(query, plan);
        self.newest.insert(key.clone(), (self.next, now + ttl, outcome.err().cloned()));
        // `ends` is that of the full lifetime, so that `order` stays sorted by time.
        self.order.push_back(Entry { number: self.next, ends: now + self.ttl, key });
        self.next += 1;
        while self.order.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// Evicts this query, which has found something.
    pub fn remove(&mut self, query: &Query, plan: &Plan) {
        self.newest.remove(&key(query, plan));
    }

    /// Number of cached queries.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Whether nothing is cached.
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
        // An older entry of a key that was inserted again must not evict the newer one.
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
    fn entries_match_target_link_and_servers_until_they_expire() {
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
    fn refusals_and_silence_are_cached_shorter_with_their_error() {
        let start = Instant::now();
        let mut cache = NegativeCache::new(Duration::from_secs(10), 8);
        let refused = |code| LookupError::Refused {
            server: SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0),
            status: Status { code, text: String::new() },
        };
        let silent = LookupError::NoReply { silent: Vec::new(), no_binding_at: None };
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
        /// Checked against a list of all insertions, searched from its end.
        #[test]
        fn equals_a_list_of_all_insertions(
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

//! Remembering for a while that a query found nothing (RFC 5007 §5), so that a flood of packets to an unused address
//! does not become a flood of queries.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::{Query, Target};

/// What a query without bindings is remembered by: whose bindings, on which link.
type Key = (Target, Option<Ipv6Addr>);

/// One insertion.
#[derive(Debug)]
struct Entry {
    number: u64,
    made: Instant,
    key: Key,
}

/// Queries that found no binding, each for the same time, at most so many.
#[derive(Debug)]
pub struct NegativeCache {
    ttl: Duration,
    capacity: usize,
    /// The number of each key's newest entry; its older entries in `order` mean nothing.
    newest: HashMap<Key, u64>,
    order: VecDeque<Entry>,
    /// Number of the next entry.
    next: u64,
}

impl NegativeCache {
    /// Remembers at most `capacity` queries for `ttl` each. When full, the oldest is forgotten.
    pub fn new(ttl: Duration, capacity: usize) -> Self {
        Self { ttl, capacity, newest: HashMap::new(), order: VecDeque::new(), next: 0 }
    }

    /// This query found no binding a short while ago.
    pub fn contains(&mut self, query: &Query, now: Instant) -> bool {
        self.forget(now);
        self.newest.contains_key(&key(query))
    }

    /// Remembers that this query found no binding.
    pub fn insert(&mut self, query: &Query, now: Instant) {
        self.forget(now);
        if self.capacity == 0 {
            return;
        }
        self.newest.insert(key(query), self.next);
        self.order.push_back(Entry { number: self.next, made: now, key: key(query) });
        self.next += 1;
        while self.order.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// Forgets this query: it found something.
    pub fn remove(&mut self, query: &Query) {
        self.newest.remove(&key(query));
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
        while self.order.front().is_some_and(|entry| now.saturating_duration_since(entry.made) >= self.ttl) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(Entry { number, key, .. }) = self.order.pop_front() else { return };
        if self.newest.get(&key) == Some(&number) {
            self.newest.remove(&key);
        }
    }
}

fn key(query: &Query) -> Key {
    (query.target.clone(), query.link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(host: u16) -> Query {
        Query::by_address(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host))
    }

    #[test]
    fn link_and_target_decide_and_time_runs_out() {
        let start = Instant::now();
        let mut cache = NegativeCache::new(Duration::from_secs(10), 8);
        cache.insert(&query(1), start);
        assert!(cache.contains(&query(1), start + Duration::from_secs(9)));
        assert!(!cache.contains(&query(1).on_link(Ipv6Addr::LOCALHOST), start));
        assert!(!cache.contains(&query(2), start));
        assert!(!cache.contains(&query(1), start + Duration::from_secs(10)));
        cache.insert(&query(3), start);
        cache.remove(&query(3));
        assert!(cache.is_empty());
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
                    cache.insert(&query(host), now);
                    inserted.push((host, now));
                }
                let young = inserted.iter().rev().take(capacity);
                let known = young.clone().any(|&(one, made)| one == host && now - made < ttl);
                prop_assert_eq!(cache.contains(&query(host), now), known);
                prop_assert!(cache.len() <= capacity && cache.order.len() <= capacity);
            }
        }
    }
}

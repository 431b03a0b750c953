//! The trie against a list that is searched from end to end.

use proptest::prelude::*;

use std::sync::Mutex;

use super::build::{Lend, build_in_parts};
use super::*;
use crate::arena::{Allocator, Editor, Garbage};

/// A trie in which every client has one key, and the list of what is in it.
struct Pair {
    arena: Arena,
    allocator: Allocator,
    garbage: Vec<Garbage>,
    trie: Trie,
    /// The key of each client number.
    keys: Vec<Key>,
    /// What the trie should hold.
    model: Vec<(Key, ClientId)>,
}

impl Pair {
    fn new(keys: Vec<Key>) -> Self {
        Self {
            arena: Arena::new(),
            allocator: Allocator::new(),
            garbage: Vec::new(),
            trie: Trie::default(),
            keys,
            model: Vec::new(),
        }
    }

    fn toggle(&mut self, client: ClientId) {
        let key = self.keys[client as usize];
        let mut edit =
            Editor { arena: &self.arena, allocator: &mut self.allocator, garbage: &mut self.garbage };
        if self.model.contains(&(key, client)) {
            self.trie.remove(&mut edit, key, client).unwrap();
            self.model.retain(|&entry| entry != (key, client));
        } else {
            self.trie.insert(&mut edit, key, client, |other, visit| visit(self.keys[other as usize]));
            self.model.retain(|&(other, _)| other != key);
            self.model.push((key, client));
        }
        // Nobody reads meanwhile: memory is used again at once, so that a stale pointer would show.
        self.garbage.drain(..).for_each(|run| self.allocator.free(run.at, run.words));
    }

    fn longest(&self, address: u128) -> Option<(Key, ClientId)> {
        let mut best: Option<(Key, ClientId)> = None;
        self.trie.candidates(&self.arena, address, |client| {
            let key = self.keys[client as usize];
            if covers(key, address) && best.is_none_or(|(best, _)| key.len > best.len) {
                best = Some((key, client));
            }
        });
        best
    }

    /// The walk step by step has to come to the same: how many candidates, and which is the last.
    fn check(&self, address: u128) {
        let covering = self.model.iter().filter(|(key, _)| covers(*key, address));
        assert_eq!(self.longest(address), covering.max_by_key(|(key, _)| key.len).copied(), "{address:032x}");
        let mut met = Vec::new();
        self.trie.candidates(&self.arena, address, |client| met.push(client));
        let mut walk = Walk::ENDED;
        walk.begin(&self.trie, &self.arena, &address.to_be_bytes());
        while !walk.has_ended() {
            walk.step(&self.arena, &address.to_be_bytes());
        }
        assert_eq!(walk.candidate(), met.last().copied(), "{address:032x}");
        assert_eq!(walk.has_met_one(), met.len() == 1, "{address:032x}");
    }
}

fn covers(key: Key, address: u128) -> bool {
    (key.bits ^ address) & crate::lease::mask(key.len) == 0
}

/// Prefixes of all lengths that overlap a lot: few bits are set, at the ends of levels and inside them.
fn keys() -> impl Strategy<Value = Vec<Key>> {
    let bits = prop_oneof![
        prop::collection::vec(0_u32..128, 0..4).prop_map(|set| set.iter().fold(0, |bits, at| bits | 1 << at)),
        any::<u128>(),
        (0_u128..64).prop_map(|low| 0x2001_0db8 << 96 | low << 72),
    ];
    prop::collection::vec((bits, 1_u8..128), 1..80).prop_map(|keys| {
        keys.into_iter().map(|(bits, len)| Key { bits: bits & crate::lease::mask(len), len }).collect()
    })
}

fn neighbours(key: Key) -> impl Iterator<Item = u128> {
    let flips = (0..128).map(move |bit| key.bits ^ 1 << bit);
    flips.chain([key.bits, key.bits | !crate::lease::mask(key.len)])
}

/// Does what needs an allocator to borrow.
fn lending<R>(allocator: &mut Allocator, work: impl FnOnce(Lend<'_>) -> R) -> R {
    let allocator = Mutex::new(allocator);
    work(&|borrow| borrow(&mut allocator.lock().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn longest_cover_is_that_of_the_list(keys in keys(), steps in prop::collection::vec(any::<u32>(), 1..200)) {
        let mut pair = Pair::new(keys);
        for step in steps {
            let client = step % pair.keys.len() as u32;
            pair.toggle(client);
            neighbours(pair.keys[client as usize]).for_each(|address| pair.check(address));
        }
        for key in pair.keys.clone() {
            neighbours(key).for_each(|address| pair.check(address));
        }
    }

    #[test]
    fn built_at_once_is_as_good(mut keys in keys()) {
        keys.sort_unstable();
        keys.dedup_by_key(|key| key.bits);
        let (arena, mut allocator) = (Arena::new(), Allocator::new());
        let numbered: Vec<_> = keys.iter().copied().zip(0..).collect();
        // In parts of three items, and all at once.
        let alone = if keys.len() % 2 == 0 { 3 } else { 1_000 };
        let trie = lending(&mut allocator, |lend| build_in_parts(&arena, lend, alone, &numbered, |item| *item));
        let mut pair = Pair { arena, allocator, garbage: Vec::new(), trie, keys, model: numbered };
        for key in pair.keys.clone() {
            neighbours(key).for_each(|address| pair.check(address));
        }
        // What was built can be changed like what was inserted.
        for client in 0..pair.keys.len() as u32 {
            pair.toggle(client);
            neighbours(pair.keys[client as usize]).for_each(|address| pair.check(address));
        }
        prop_assert!(pair.model.is_empty() && pair.longest(0).is_none());
    }
}

#[test]
fn a_run_of_prefixes_takes_few_words() {
    let keys: Vec<_> = (0..1_000_000_u128).map(|n| (Key { bits: n << 72, len: 56 }, n as ClientId)).collect();
    let (arena, mut allocator) = (Arena::new(), Allocator::new());
    lending(&mut allocator, |lend| build(&arena, lend, &keys, |item| *item));
    // 256 entries of 4 octets and a header of 40 for each 256 prefixes, one in 255 more for the levels above.
    let octets_per_key = arena.octets() / keys.len();
    assert!(octets_per_key <= 7, "{octets_per_key}, the arena's last chunk included");
}

#[test]
fn an_empty_trie_covers_nothing() {
    let pair = Pair::new(vec![]);
    pair.check(0);
    pair.check(u128::MAX);
}

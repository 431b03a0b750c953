//! The trie against a list that is searched from end to end.

use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;
use crate::arena::{Allocator, Editor, Garbage};

struct Pair {
    arena: Arena,
    allocator: Allocator,
    garbage: Vec<Garbage>,
    trie: Trie,
    /// Lengths that the trie should hold.
    model: Vec<(u128, u8)>,
}

impl Pair {
    fn new() -> Self {
        Self {
            arena: Arena::large(),
            allocator: Allocator::new(),
            garbage: Vec::new(),
            trie: Trie::default(),
            model: Vec::new(),
        }
    }

    fn add(&mut self, address: u128, len: u8) {
        let mut edit =
            Editor { arena: &self.arena, allocator: &mut self.allocator, garbage: &mut self.garbage };
        self.trie.add(&mut edit, address, len);
        // There are no readers: memory is used again at once, so that a stale pointer would show.
        self.garbage.drain(..).for_each(|run| self.allocator.free(run.at, run.words));
        self.model.push((address, len));
    }

    fn check(&self, address: u128) {
        let lengths = self.trie.around(&self.arena, &address.to_be_bytes());
        let mut in_use = [false; 129];
        for &(_, len) in self.model.iter().filter(|(other, len)| *len <= 40 || other >> 88 == address >> 88) {
            in_use[usize::from(len)] = true;
        }
        for len in 1..=128 {
            assert_eq!(lengths.contains(len), in_use[usize::from(len)], "/{len} around {address:032x}");
        }
    }
}

/// Addresses that agree in some octets and part in any of them, and lengths of all kinds.
fn leases() -> impl Strategy<Value = Vec<(u128, u8)>> {
    let few = prop::sample::select(vec![0_u8, 1, 63, 64, 127, 128, 191, 192, 255]);
    let few = prop::collection::vec(few, 16).prop_map(|octets| {
        let octets: [u8; 16] = octets.try_into().expect("16 of them");
        u128::from_be_bytes(octets)
    });
    let one_off = (0_u32..128).prop_map(|bit| 0x2001_0db8 << 96 | 1 << bit);
    let dense = (0_u128..300).prop_map(|pool| 0x2001_0db8 << 96 | pool << 88);
    prop::collection::vec((prop_oneof![few, one_off, dense, any::<u128>()], 1_u8..=128), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lengths_are_those_of_the_list(leases in leases()) {
        let mut pair = Pair::new();
        for (step, &(address, len)) in leases.iter().enumerate() {
            pair.add(address, len);
            if step % 8 == 0 {
                pair.check(address);
                pair.check(address ^ 1 << (step % 128));
            }
        }
        for &(address, _) in &leases {
            pair.check(address);
            (84..128).for_each(|bit| pair.check(address ^ 1 << bit));
        }
    }
}

#[test]
fn a_full_node_is_in_order() {
    let mut pair = Pair::new();
    (0..256).rev().for_each(|octet| pair.add(octet << 96, (octet % 60) as u8 + 60));
    (0..256).for_each(|octet| pair.check(octet << 96));
}

/// While nodes are put above a region, and grow, and make room for larger ones, it is found at any moment.
#[test]
fn readers_keep_what_was_added() {
    let tries: Vec<Trie> = (0..20_000).map(|_| Trie::default()).collect();
    let (arena, at) = (Arena::large(), AtomicUsize::new(0));
    let (kept, octets) =
        (0x2001_0db8_1200_u128 << 80, [0_u32, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3]);
    let (mut allocator, mut garbage) = (Allocator::new(), Vec::new());
    let mut add = |trie: &Trie, address: u128| {
        let mut edit = Editor { arena: &arena, allocator: &mut allocator, garbage: &mut garbage };
        trie.add(&mut edit, address, 56);
    };
    add(&tries[0], kept);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (number, trie) in tries.iter().enumerate() {
                add(trie, kept);
                at.store(number, Ordering::Release);
                for (n, octet) in (1..).zip(octets) {
                    add(trie, kept ^ n << (120 - 8 * octet));
                }
            }
            at.store(usize::MAX, Ordering::Release);
        });
        while let Some(trie) = tries.get(at.load(Ordering::Acquire)) {
            assert!(trie.around(&arena, &kept.to_be_bytes()).contains(56));
        }
    });
}

#[test]
fn an_empty_trie_has_no_lengths() {
    let pair = Pair::new();
    pair.check(0);
    pair.check(u128::MAX);
}

//! A whole trie at once, from sorted keys: no node is written twice.

use super::{CLIENT, ClientId, Header, Key, LEVEL_BITS, Slot, Trie, write_node};
use crate::arena::{Address, Allocator, Arena};
use std::sync::atomic::AtomicU64;

/// Builds the trie of these keys, which are ascending by bits and have no bits twice.
pub(crate) fn build(arena: &Arena, allocator: &mut Allocator, keys: &[(Key, ClientId)]) -> Trie {
    debug_assert!(keys.is_sorted_by(|(a, _), (b, _)| a.bits < b.bits));
    let root = node(arena, allocator, 0, keys);
    Trie { root: AtomicU64::new(u64::from(root)) }
}

/// The entry for these keys, at least one: a client, or a node at the level where they part.
fn entry(arena: &Arena, allocator: &mut Allocator, keys: &[(Key, ClientId)]) -> u32 {
    match keys {
        [(_, client)] => client | CLIENT,
        // A key that contains the others is the first; else the first and the last are farthest apart.
        [(first, _), .., (last, _)] => {
            let common = ((first.bits ^ last.bits).leading_zeros() as u8).min(first.len);
            node(arena, allocator, common / LEVEL_BITS, keys)
        }
        [] => unreachable!("an entry has a key"),
    }
}

fn node(arena: &Arena, allocator: &mut Allocator, level: u8, keys: &[(Key, ClientId)]) -> Address {
    let mut header = Header { level, ..Header::default() };
    let (mut ends, mut children) = ([0; 15], [0; 16]);
    let mut rest = keys;
    while let Some(&(key, client)) = rest.first() {
        match key.slot(level) {
            Slot::Ends(bit) => {
                header.ends |= 1 << bit;
                ends[usize::from(bit)] = client | CLIENT;
                rest = &rest[1..];
            }
            slot @ Slot::Child(bit) => {
                let (group, after) = rest.split_at(rest.partition_point(|(key, _)| key.slot(level) == slot));
                header.children |= 1 << bit;
                children[usize::from(bit)] = entry(arena, allocator, group);
                rest = after;
            }
        }
    }
    let at = allocator.allocate(arena, header.words());
    let present = ends.into_iter().chain(children).filter(|&entry| entry != 0);
    write_node(arena.run(at, header.words()), header, present);
    at
}

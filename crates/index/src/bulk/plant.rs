//! The trie of a snapshot's prefixes, on all cores.

use std::ops::Range;

use rayon::prelude::*;

use super::Loader;
use crate::arena::Allocator;
use crate::clients::ClientId;
use crate::record;
use crate::trie::{self, Key, Trie};

/// Client numbers that are looked through at a time.
const CLIENTS: u32 = 1 << 14;

/// Longest prefix that is kept in short form.
const SHORT: u8 = 64;

/// A prefix on its way into the trie.
trait Prefix: Copy + Send + Sync {
    fn key(&self) -> (Key, ClientId);
}

/// One of at most 64 bits: these, and length (32) | client (32).
type Short = [u64; 2];

impl Prefix for Short {
    fn key(&self) -> (Key, ClientId) {
        (Key { bits: u128::from(self[0]) << 64, len: (self[1] >> 32) as u8 }, self[1] as ClientId)
    }
}

/// One of any length.
type Long = (Key, ClientId);

impl Prefix for Long {
    fn key(&self) -> (Key, ClientId) {
        *self
    }
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    short: Vec<Short>,
    long: Vec<Long>,
}

impl Loader {
    /// The trie of the prefixes that the records of clients below `end` hold.
    pub(super) fn plant(&self, end: ClientId) -> Trie {
        let ranges =
            (0..end.div_ceil(CLIENTS)).into_par_iter().map(|n| n * CLIENTS..end.min((n + 1) * CLIENTS));
        let found = ranges.fold(Found::default, |mut found, clients| {
            self.find_prefixes(clients, &mut found);
            found
        });
        let Found { short, long } = found.reduce(Found::default, |mut a, mut b| {
            a.short.append(&mut b.short);
            a.long.append(&mut b.long);
            a
        });
        if long.is_empty() {
            return self.grow(short);
        }
        let short = short.iter().map(Prefix::key);
        self.grow(short.chain(long).collect::<Vec<Long>>())
    }

    fn find_prefixes(&self, clients: Range<ClientId>, found: &mut Found) {
        for client in clients {
            for binding in self.tables.client(client).into_iter().flat_map(record::Client::bindings) {
                let Some(key) = Key::new(binding.address, binding.prefix_len) else { continue };
                if key.len <= SHORT {
                    let len_and_client = u64::from(key.len) << 32 | u64::from(client);
                    found.short.push([(key.bits >> 64) as u64, len_and_client]);
                } else {
                    found.long.push((key, client));
                }
            }
        }
    }

    fn grow<T: Prefix>(&self, mut prefixes: Vec<T>) -> Trie {
        prefixes.par_sort_unstable_by_key(|prefix| prefix.key().0.bits);
        let with_allocator = |work: &mut dyn FnMut(&mut Allocator)| {
            self.with_hand(|hand| work(&mut hand.allocator));
        };
        trie::build(&self.tables.arena, &with_allocator, &prefixes, T::key)
    }
}

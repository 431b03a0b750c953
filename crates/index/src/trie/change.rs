//! Changing the trie: the one writer puts prefixes in and takes them out, while readers walk.

use std::sync::atomic::Ordering;

use super::{CLIENT, Header, Key, LEVEL_BITS, Node, Slot, Trie, write_node};
use crate::arena::{Address, Arena, Editor, Garbage};
use crate::clients::ClientId;
use crate::map::Absent;

impl Editor<'_> {
    fn node(&mut self, header: Header, entries: impl Iterator<Item = u32>) -> Address {
        let at = self.allocator.allocate(self.arena, header.words());
        write_node(self.arena.run(at, header.words()), header, entries);
        at
    }

    /// A copy of the node in which this slot has this entry, or none.
    fn copy(&mut self, node: Node<'_>, slot: Slot, entry: Option<u32>) -> Address {
        let position = node.header.position(slot);
        let skipped = usize::from(entry.is_none());
        let (before, after) = (node.entries().take(position), node.entries().skip(position + skipped));
        self.garbage.push(Garbage { at: node.at, words: node.header.words() });
        self.node(node.header.toggled(slot), before.chain(entry).chain(after))
    }
}

/// Where the entry that leads to a node stands.
#[derive(Clone, Copy)]
enum Parent<'a> {
    Root,
    Entry(Node<'a>, usize),
}

impl Trie {
    /// Any client of the subtree in which `key` belongs, found without looking at skipped bits.
    fn neighbour(&self, arena: &Arena, key: Key) -> Option<ClientId> {
        let mut node = self.root(arena)?;
        loop {
            let reaches = key.len >= node.header.level * LEVEL_BITS;
            let wished = if reaches { node.get(key.slot(node.header.level)) } else { None };
            let entry = wished.or_else(|| node.entries().next())?;
            if entry & CLIENT != 0 {
                return Some(entry & !CLIENT);
            }
            node = Node::at(arena, entry);
        }
    }

    /// Puts `client` at `key`, in place of whoever was there.
    ///
    /// `keys_of` names keys of a client that are in the trie, the one closest to `key` among them, and none that is not:
    /// they stand in for the bits that nodes do not repeat.
    pub(crate) fn insert(
        &self,
        edit: &mut Editor<'_>,
        key: Key,
        client: ClientId,
        keys_of: impl FnOnce(ClientId, &mut dyn FnMut(Key)),
    ) {
        let closest = self.neighbour(edit.arena, key).and_then(|neighbour| {
            let mut closest: Option<Key> = None;
            keys_of(neighbour, &mut |other| {
                if closest.is_none_or(|best| key.agreement(other) > key.agreement(best)) {
                    closest = Some(other);
                }
            });
            closest
        });
        let (mut parent, Some(mut node)) = (Parent::Root, self.root(edit.arena)) else {
            let at = edit.node(Header::default().toggled(key.slot(0)), std::iter::once(client | CLIENT));
            return self.point(Parent::Root, at);
        };
        loop {
            let slot = key.slot(node.header.level);
            let Some(entry) = node.get(slot) else {
                let at = edit.copy(node, slot, Some(client | CLIENT));
                return self.point(parent, at);
            };
            let position = node.header.position(slot);
            let closest = closest.expect("a trie with an entry has a neighbour for every key");
            let agreed = key.agreement(closest);
            if let Slot::Ends(_) = slot {
                return node.set(position, client | CLIENT);
            }
            if entry & CLIENT == 0 {
                let below = Node::at(edit.arena, entry);
                if agreed >= below.header.level * LEVEL_BITS {
                    (parent, node) = (Parent::Entry(node, position), below);
                    continue;
                }
            } else if agreed == key.len && agreed == closest.len {
                return node.set(position, client | CLIENT);
            }
            let at = split(edit, agreed / LEVEL_BITS, (key, client | CLIENT), (closest, entry));
            return node.set(position, at);
        }
    }

    /// Takes `key`, which is there and leads to `client`, out.
    pub(crate) fn remove(&self, edit: &mut Editor<'_>, key: Key, client: ClientId) -> Result<(), Absent> {
        let (mut parent, mut node) = (Parent::Root, self.root(edit.arena).ok_or(Absent)?);
        loop {
            if key.len < node.header.level * LEVEL_BITS {
                return Err(Absent);
            }
            let slot = key.slot(node.header.level);
            match node.get(slot).ok_or(Absent)? {
                entry if entry == client | CLIENT => {
                    self.cut(edit, parent, node, slot);
                    return Ok(());
                }
                entry if entry & CLIENT != 0 => return Err(Absent),
                at => {
                    parent = Parent::Entry(node, node.header.position(slot));
                    node = Node::at(edit.arena, at);
                }
            }
        }
    }

    /// Removes one entry of a node, and the node itself if one entry is left that its parent can hold.
    fn cut(&self, edit: &mut Editor<'_>, parent: Parent<'_>, node: Node<'_>, slot: Slot) {
        if let (Parent::Entry(above, position), 2) = (parent, node.header.count()) {
            let last = node.entry(1 - node.header.position(slot));
            above.set(position, last);
            edit.garbage.push(Garbage { at: node.at, words: node.header.words() });
        } else {
            let at = edit.copy(node, slot, None);
            self.point(parent, at);
        }
    }

    fn point(&self, parent: Parent<'_>, at: Address) {
        match parent {
            Parent::Root => self.root.store(at, Ordering::Release),
            Parent::Entry(node, position) => node.set(position, at),
        }
    }
}

/// A node of this level with two entries; the keys part in it.
fn split(edit: &mut Editor<'_>, level: u8, one: (Key, u32), other: (Key, u32)) -> Address {
    let (a, b) = (one.0.slot(level), other.0.slot(level));
    debug_assert_ne!(a, b, "{one:?} and {other:?} part at level {level}");
    let header = Header { level, ..Header::default() }.toggled(a).toggled(b);
    let first_is_one = header.position(a) == 0;
    let (first, second) = if first_is_one { (one.1, other.1) } else { (other.1, one.1) };
    edit.node(header, [first, second].into_iter())
}

//! The leases of all slots: holder, and number of the row that gave the lease; with a digest.

use crate::random::mix;

/// A slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// None if the slot is free.
    pub(super) holder: Option<u32>,
    /// The last row that gave the lease; 0 if none did.
    pub(super) row: u32,
}

/// Leases by slot.
#[derive(Clone, Debug)]
pub(super) struct Table {
    entries: Vec<Entry>,
    held: u32,
    digest: u64,
}

/// Effect of a binding on a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Changed,
    /// The table had it already.
    Same,
    /// The table has a newer row of this slot.
    Older,
}

impl Table {
    pub(super) fn new(slots: u32) -> Self {
        Self { entries: vec![Entry::default(); slots as usize], held: 0, digest: 0 }
    }

    pub(super) fn entry(&self, slot: u32) -> Entry {
        self.entries[slot as usize]
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of leases, and a sum over them that does not depend on their order.
    pub(super) fn digest(&self) -> (u32, u64) {
        (self.held, self.digest)
    }

    /// Assigns a slot by this row.
    pub(super) fn put(&mut self, slot: u32, holder: u32, row: u32) -> Effect {
        let now = Entry { holder: Some(holder), row };
        match self.entry(slot) {
            was if was == now => Effect::Same,
            was if row <= was.row => Effect::Older,
            _ => {
                self.replace(slot, now);
                Effect::Changed
            }
        }
    }

    /// Frees a slot that this client holds; the row stays, so that it cannot come back.
    pub(super) fn remove(&mut self, slot: u32, holder: u32) -> Effect {
        let was = self.entry(slot);
        if was.holder != Some(holder) {
            return Effect::Same;
        }
        self.replace(slot, Entry { holder: None, ..was });
        Effect::Changed
    }

    fn replace(&mut self, slot: u32, now: Entry) {
        let was = std::mem::replace(&mut self.entries[slot as usize], now);
        self.held = self.held + u32::from(now.holder.is_some()) - u32::from(was.holder.is_some());
        self.digest = self.digest.wrapping_sub(item(slot, was)).wrapping_add(item(slot, now));
    }
}

/// The part of the digest that a slot has.
fn item(slot: u32, Entry { holder, row }: Entry) -> u64 {
    holder.map_or(0, |holder| mix(mix(slot.into()).wrapping_add(u64::from(holder) << 32 | u64::from(row))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tables_have_equal_digests_in_any_order() {
        let (mut a, mut b) = (Table::new(3), Table::new(3));
        let effects = [a.put(0, 7, 1), a.put(1, 8, 2), a.put(0, 9, 3), a.remove(1, 8)];
        assert_eq!(effects, [Effect::Changed; 4]);
        assert_eq!([a.put(0, 9, 3), a.remove(1, 8), a.remove(0, 7)], [Effect::Same; 3]);
        assert_eq!([a.put(0, 7, 1), a.put(1, 8, 2), a.put(0, 8, 3)], [Effect::Older; 3]);
        b.put(0, 9, 3);
        assert_eq!((a.digest(), a.digest().0), (b.digest(), 1));
        for (slot, holder, row) in [(0, 9, 4), (0, 8, 3), (1, 9, 3)] {
            let mut other = Table::new(3);
            other.put(slot, holder, row);
            assert_ne!(other.digest(), b.digest(), "{slot} {holder} {row}");
        }
    }
}

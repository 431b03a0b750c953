//! The options that one level of a configuration gives, and those in force where levels lie within each
//! other.

use std::collections::{BTreeMap, BTreeSet};

/// OPTION_VENDOR_CLASS and OPTION_VENDOR_OPTS (RFC 8415 §21.16, §21.17), which can stand once for each
/// enterprise.
const BY_ENTERPRISE: [u16; 2] = [16, 17];

#[derive(Clone, Debug, Default)]
pub(super) struct OptionSet {
    slots: BTreeMap<u16, Slot>,
    /// Options that no level may send (`never-send`); inner levels cannot take that back.
    never: BTreeSet<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// Several values only for [`BY_ENTERPRISE`].
    Given(Vec<Vec<u8>>),
    /// Given, but the value is not known, or may differ for some clients.
    Unclear,
}

impl OptionSet {
    /// Adds an option of this level. `false` if the level gave it another value before: of two, Kea 2 sends
    /// the first and Kea 3 the last.
    pub(super) fn give(&mut self, code: u16, value: Vec<u8>) -> bool {
        let slot = self.slots.entry(code).or_insert_with(|| Slot::Given(Vec::new()));
        let Slot::Given(values) = slot else { return true };
        // Two vendor options of different enterprises are two options, not two values.
        match values.iter().find(|other| enterprise(code, other) == enterprise(code, &value)) {
            None => values.push(value),
            Some(same) if *same == value => {}
            Some(_) => {
                // It stays unclear for the level, whatever else follows.
                *slot = Slot::Unclear;
                return false;
            }
        }
        true
    }

    /// Adds an option of this level whose value is not known.
    pub(super) fn hide(&mut self, code: u16) {
        self.slots.insert(code, Slot::Unclear);
    }

    /// Removes an option from all levels.
    pub(super) fn cancel(&mut self, code: u16) {
        self.never.insert(code);
    }

    /// Returns the options in force at this level, which lies within `outer`.
    pub(super) fn within(&self, outer: &Self) -> Self {
        let mut all = outer.clone();
        // `never-send` of an outer level holds within, as no level can take it back.
        all.never.extend(&self.never);
        for (&code, own) in &self.slots {
            let slot = match (own, all.slots.remove(&code)) {
                // Options of several enterprises are sent side by side; the inner level wins for its own.
                (Slot::Given(own), Some(Slot::Given(around))) if BY_ENTERPRISE.contains(&code) => {
                    let is_own = |value: &Vec<u8>| {
                        own.iter().any(|own| enterprise(code, own) == enterprise(code, value))
                    };
                    let others = around.into_iter().filter(|value| !is_own(value));
                    Slot::Given(own.iter().cloned().chain(others).collect())
                }
                // An unclear outer value may belong to any enterprise.
                (Slot::Given(_), Some(Slot::Unclear)) if BY_ENTERPRISE.contains(&code) => Slot::Unclear,
                (own, _) => own.clone(),
            };
            all.slots.insert(code, slot);
        }
        all
    }

    /// Returns the codes that this level mentions.
    pub(super) fn codes(&self) -> impl Iterator<Item = u16> {
        // Cancelled codes are mentioned too: they hide the options of outer levels.
        let codes: BTreeSet<u16> = self.slots.keys().chain(&self.never).copied().collect();
        codes.into_iter()
    }

    /// Returns code, length and value of each option, ascending by code.
    pub(super) fn wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for &code in self.slots.keys() {
            self.write(code, &mut out);
        }
        out
    }

    /// Appends an option as [`Self::wire`] does; `false` if it is not sent or not known.
    pub(super) fn write(&self, code: u16, out: &mut Vec<u8>) -> bool {
        // An option that any level forbids is not sent, even if an inner one gives it.
        let Some(Slot::Given(values)) = self.slots.get(&code).filter(|_| !self.never.contains(&code)) else {
            return false;
        };
        for value in values {
            // The value was checked when it was read; a longer one has no encoding.
            let Ok(len) = u16::try_from(value.len()) else { return false };
            out.extend(code.to_be_bytes());
            out.extend(len.to_be_bytes());
            out.extend(value);
        }
        true
    }
}

fn enterprise(code: u16, value: &[u8]) -> Option<&[u8; 4]> {
    value.first_chunk().filter(|_| BY_ENTERPRISE.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(given: &[(u16, &[u8])], unclear: &[u16], never: &[u16]) -> OptionSet {
        let mut set = OptionSet::default();
        given.iter().for_each(|&(code, value)| assert!(set.give(code, value.to_vec())));
        unclear.iter().for_each(|&code| set.hide(code));
        never.iter().for_each(|&code| set.cancel(code));
        set
    }

    #[test]
    fn inner_levels_win_and_never_send_cancels_all() {
        let outer = set(&[(7, b"a"), (23, b"a"), (24, b"a"), (31, b"a")], &[32], &[24]);
        let inner = set(&[(7, b"b"), (24, b"b"), (32, b"b")], &[23], &[31]);
        assert_eq!(inner.within(&outer).wire(), b"\0\x07\0\x01b\0\x20\0\x01b");
        assert_eq!(inner.codes().collect::<Vec<_>>(), [7, 23, 24, 31, 32]);
    }

    #[test]
    fn vendor_options_of_all_levels_are_sent_once_for_each_enterprise() {
        let outer = set(&[(17, b"\0\0\0\x01a"), (17, b"\0\0\0\x02a")], &[], &[]);
        let inner = set(&[(17, b"\0\0\0\x02b"), (17, b"\0\0\0\x03b")], &[], &[]);
        let want = b"\0\x11\0\x05\0\0\0\x02b\0\x11\0\x05\0\0\0\x03b\0\x11\0\x05\0\0\0\x01a";
        assert_eq!(inner.within(&outer).wire(), want);
        assert_eq!(inner.within(&set(&[], &[17], &[])).wire(), b"", "one of them is not known");
    }

    #[test]
    fn two_values_at_one_level_are_unclear() {
        let mut set = set(&[(7, b"a"), (7, b"a")], &[], &[]);
        assert_eq!(set.wire(), b"\0\x07\0\x01a");
        assert!(!set.give(7, b"b".to_vec()));
        assert_eq!(set.wire(), b"");
    }
}

//! Leases that a batch takes away while it brings another lease around the same address.
//!
//! A reader probes the map by address for one prefix length after the other, longest first. If the old lease
//! left while a reader could not see the new one yet, that reader would find neither. Both leases cover one
//! address only if one of their prefixes contains the other, so one pass over the sorted prefixes finds the
//! pairs.

use super::FastSet;
use crate::lease::mask;

/// A prefix that a batch changes the coverage of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) first: u128,
    pub(super) len: u8,
    /// Whether a lease with this prefix comes, grows or lasts longer; else one leaves, shrinks or ends
    /// earlier.
    pub(super) is_gain: bool,
}

impl Extent {
    fn last(self) -> u128 {
        self.first | !mask(self.len)
    }
}

/// First addresses of the losses that overlap a gain.
pub(super) fn contested(mut extents: Vec<Extent>) -> FastSet<u128> {
    let mut contested = FastSet::default();
    // Without both kinds nothing can be contested, and a sort is spared.
    if extents.iter().all(|extent| extent.is_gain) || !extents.iter().any(|extent| extent.is_gain) {
        return contested;
    }
    // Outer prefixes come first, so that the stack holds the prefixes around.
    extents.sort_unstable();
    // The prefixes around the current one, outermost first; of these, the losses around which no gain is
    // known yet.
    let (mut around, mut alone): (Vec<Extent>, Vec<u128>) = (Vec::new(), Vec::new());
    let mut gains = 0;
    for extent in extents {
        // Prefixes that end before this one are not around it.
        while let Some(passed) = around.pop_if(|around| around.last() < extent.first) {
            gains -= usize::from(passed.is_gain);
            alone.pop_if(|first| !passed.is_gain && *first == passed.first);
        }
        if extent.is_gain {
            gains += 1;
            // Everything around the gain overlaps it.
            contested.extend(alone.drain(..));
        } else if gains > 0 {
            // A gain is around, or begins with it.
            contested.insert(extent.first);
        } else {
            alone.push(extent.first);
        }
        around.push(extent);
    }
    contested
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn losses_that_overlap_a_gain_are_found(
            prefixes in prop::collection::btree_map((0_u128..64, 122_u8..=128), any::<(bool, bool)>(), 0..24),
        ) {
            let mut extents = Vec::new();
            for ((bits, len), (gains, loses)) in prefixes {
                let first = bits & mask(len);
                let is_new = |is_gain| !extents.iter().any(|extent: &Extent| {
                    extent.first == first && extent.is_gain == is_gain
                });
                let new = [(gains, true), (loses, false)].map(|(is, is_gain)| (is && is_new(is_gain), is_gain));
                let new = new.into_iter().filter(|(is, _)| *is);
                let new: Vec<_> = new.map(|(_, is_gain)| Extent { first, len, is_gain }).collect();
                extents.extend(new);
            }
            let overlap = |a: &Extent, b: &Extent| a.first <= b.last() && b.first <= a.last();
            let of = |is_gain| extents.iter().filter(move |extent| extent.is_gain == is_gain);
            let expected: FastSet<u128> =
                of(false).filter(|loss| of(true).any(|gain| overlap(loss, gain))).map(|loss| loss.first).collect();
            prop_assert_eq!(contested(extents.clone()), expected);
        }
    }
}

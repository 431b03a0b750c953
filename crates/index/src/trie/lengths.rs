//! A set of prefix lengths.

/// Set of prefix lengths, 1 to 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// 1 to 64, by bit (length - 1).
    pub(super) short: u64,
    /// 65 to 128, by bit (length - 65).
    pub(super) long: u64,
}

impl Lengths {
    pub(crate) const NONE: Self = Self { short: 0, long: 0 };

    /// The set of one length, 1 to 128.
    pub(super) fn of(len: u8) -> Self {
        match len {
            // Bits count from length 1, so that 64 lengths fill a word.
            ..=64 => Self { short: 1 << (len - 1), long: 0 },
            _ => Self { short: 0, long: 1 << (len - 65) },
        }
    }

    /// Whether the set has this length.
    pub(crate) fn contains(self, len: u8) -> bool {
        let Self { short, long } = Self::of(len);
        self.short & short | self.long & long != 0
    }

    /// Removes the longest length and returns it.
    #[inline]
    pub(crate) fn pop_longest(&mut self) -> Option<u8> {
        // Longer lengths come first, as the longest match decides.
        let (lengths, zero) = if self.long != 0 { (&mut self.long, 65) } else { (&mut self.short, 1) };
        let top = lengths.checked_ilog2()?;
        *lengths ^= 1 << top;
        Some(zero + top as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_longest_first() {
        let all = [1, 2, 40, 63, 64, 65, 66, 127, 128];
        let mut lengths = all
            .map(Lengths::of)
            .into_iter()
            .fold(Lengths::NONE, |a, b| Lengths { short: a.short | b.short, long: a.long | b.long });
        assert!((1..=128).all(|len| lengths.contains(len) == all.contains(&len)));
        let popped: Vec<u8> = std::iter::from_fn(|| lengths.pop_longest()).collect();
        assert!(popped.iter().rev().eq(&all));
    }
}

//! Sensitive options inside OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4, §4.4.2).
//!
//! A relay agent says of a client much of what the client says itself: its link-layer address (option 79), a
//! subscriber (38), a circuit (18, 37). What a requestor must not see is taken out of each level; the message inside
//! (OPTION_RELAY_MSG) is the structure, and stays.

use lqd_wire::{MessageType, OptionCode, RELAY_LEVELS_MAX, Relay};

/// Octets of an option before its value.
const OPTION_HEADER_LEN: usize = 4;
/// Octets of OPTION_LQ_RELAY_DATA before the relay message: its header, peer-address.
const FRONT_LEN: usize = OPTION_HEADER_LEN + 16;

/// Takes the options of these codes out of the relay data in `option`, a whole OPTION_LQ_RELAY_DATA; its new length.
///
/// What is kept moves to the front, and the lengths around it shrink. `None` if the relay data does not parse, or is
/// nested deeper than [`RELAY_LEVELS_MAX`]: then the octets mean nothing.
pub(crate) fn strip(option: &mut [u8], is_sensitive: impl Fn(OptionCode) -> bool) -> Option<usize> {
    let end = option.len();
    let mut compaction = Compaction { octets: option, read: FRONT_LEN, written: FRONT_LEN };
    compaction.level(end, RELAY_LEVELS_MAX, &is_sensitive)?;
    compaction.set_len(2, FRONT_LEN - 16)?;
    Some(compaction.written)
}

/// Octets that move to the front of the same buffer; `written` is never beyond `read`.
struct Compaction<'a> {
    octets: &'a mut [u8],
    read: usize,
    written: usize,
}

impl Compaction<'_> {
    /// Moves a relay message that goes up to `end`.
    fn level(&mut self, end: usize, levels: usize, is_sensitive: &impl Fn(OptionCode) -> bool) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        if *self.octets.get(self.read)? != MessageType::RELAY_FORW.0 {
            return None;
        }
        self.keep(Relay::HEADER_LEN, end)?;
        while self.read < end {
            let (code, len) = self.option_header(end)?;
            if code == OptionCode::RELAY_MSG {
                let inner = self.read + OPTION_HEADER_LEN + len;
                self.keep(OPTION_HEADER_LEN, end)?;
                let start = self.written;
                self.level(inner, levels, is_sensitive)?;
                self.set_len(start - 2, start)?;
            } else if is_sensitive(code) {
                self.read += OPTION_HEADER_LEN + len;
            } else {
                self.keep(OPTION_HEADER_LEN + len, end)?;
            }
        }
        Some(())
    }

    /// Code and value length of the next option, which ends at `end` at the latest.
    fn option_header(&self, end: usize) -> Option<(OptionCode, usize)> {
        let &[c0, c1, l0, l1] = self.octets.get(self.read..end)?.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let fits = self.read + OPTION_HEADER_LEN + len <= end;
        fits.then_some((OptionCode(u16::from_be_bytes([c0, c1])), len))
    }

    /// Moves the next `len` octets.
    fn keep(&mut self, len: usize, end: usize) -> Option<()> {
        let next = self.read.checked_add(len).filter(|&next| next <= end)?;
        self.octets.copy_within(self.read..next, self.written);
        self.read = next;
        self.written += len;
        Some(())
    }

    /// Fills in, at `at`, how many octets were written from `start` on.
    fn set_len(&mut self, at: usize, start: usize) -> Option<()> {
        let len = u16::try_from(self.written - start).ok()?;
        self.octets.get_mut(at..at + 2)?.copy_from_slice(&len.to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests;

//! Sensitive options inside OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4, §4.4.2).
//!
//! A relay agent reports much of a client: its link-layer address (option 79), subscriber (38), circuit (18,
//! 37). Sensitive options are removed at each relay hop; OPTION_RELAY_MSG carries the structure and stays.

use lqd_wire::{MessageType, OptionCode, RELAY_HOPS_MAX, Relay};

/// Length in octets of an option's code and length fields.
const OPTION_HEADER_LEN: usize = 4;
/// Length in octets of OPTION_LQ_RELAY_DATA before the relay message: header and peer-address.
const FRONT_LEN: usize = OPTION_HEADER_LEN + 16;

/// Removes sensitive options from `option`, a whole OPTION_LQ_RELAY_DATA, in place; returns its new length.
///
/// `None`, with `option` unspecified, if the relay data does not parse or has more than [`RELAY_HOPS_MAX`]
/// hops.
pub(crate) fn strip(option: &mut [u8], is_sensitive: impl Fn(OptionCode) -> bool) -> Option<usize> {
    let end = option.len();
    let mut compaction = Compaction { octets: option, read: FRONT_LEN, written: FRONT_LEN };
    compaction.relay_message(end, RELAY_HOPS_MAX, &is_sensitive)?;
    compaction.set_len(2, FRONT_LEN - 16)?;
    Some(compaction.written)
}

/// A move of octets towards the front of one buffer; `written` never exceeds `read`.
struct Compaction<'a> {
    octets: &'a mut [u8],
    read: usize,
    written: usize,
}

impl Compaction<'_> {
    /// Moves a relay message that ends at `end`.
    fn relay_message(
        &mut self,
        end: usize,
        hops: usize,
        is_sensitive: &impl Fn(OptionCode) -> bool,
    ) -> Option<()> {
        let hops = hops.checked_sub(1)?;
        // Another message's options would escape the filter.
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
                self.relay_message(inner, hops, is_sensitive)?;
                // The inner message may have shrunk.
                self.set_len(start - 2, start)?;
            } else if is_sensitive(code) {
                self.read += OPTION_HEADER_LEN + len;
            } else {
                self.keep(OPTION_HEADER_LEN + len, end)?;
            }
        }
        Some(())
    }

    /// Returns code and value length of the next option, which must end by `end`.
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

    /// Writes the number of octets since `start` into the length field at `at`.
    fn set_len(&mut self, at: usize, start: usize) -> Option<()> {
        let len = u16::try_from(self.written - start).ok()?;
        self.octets.get_mut(at..at + 2)?.copy_from_slice(&len.to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests;

//! The unwritten end of a buffer.

use core::mem;

use crate::{NoRoomError, OptionCode};

/// The unwritten end of a [`Writer`](crate::Writer)'s buffer, taken from the front piece by piece.
///
/// One bounds check per write; `Writer` needs two. After [`NoRoomError`] the rest of the buffer is
/// unspecified.
#[derive(Debug)]
pub struct Free<'a>(&'a mut [u8]);

impl<'a> Free<'a> {
    pub(crate) fn new(octets: &'a mut [u8]) -> Self {
        Self(octets)
    }

    /// Returns the number of octets left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes `N` octets of unspecified content for the caller to fill.
    #[inline]
    pub fn take<const N: usize>(&mut self) -> Result<&'a mut [u8; N], NoRoomError> {
        let (taken, rest) = mem::take(&mut self.0).split_first_chunk_mut().ok_or(NoRoomError)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Takes one option of `len` octets of unspecified content for the caller to fill.
    #[inline]
    pub fn option_room(&mut self, code: OptionCode, len: u16) -> Result<&'a mut [u8], NoRoomError> {
        *self.take()? = header(code, len);
        let (room, rest) = mem::take(&mut self.0).split_at_mut_checked(len.into()).ok_or(NoRoomError)?;
        self.0 = rest;
        Ok(room)
    }

    /// Appends one option with this value.
    #[inline]
    pub fn option_with(&mut self, code: OptionCode, value: &[u8]) -> Result<(), NoRoomError> {
        let len = u16::try_from(value.len()).map_err(|_| NoRoomError)?;
        copy(value, self.option_room(code, len)?);
        Ok(())
    }

    /// Appends one option with the first `len` octets of `value`.
    ///
    /// There must be room for all of `value`: the octets behind the option may be overwritten.
    #[inline]
    pub fn option_within(&mut self, code: OptionCode, value: [u8; 16], len: u8) -> Result<(), NoRoomError> {
        *self.take()? = header(code, len.into());
        // A copy of constant length is one or two moves; the next option overwrites the surplus.
        *self.0.first_chunk_mut().ok_or(NoRoomError)? = value;
        self.0 = mem::take(&mut self.0).get_mut(len.into()..).ok_or(NoRoomError)?;
        Ok(())
    }
}

fn header(code: OptionCode, len: u16) -> [u8; 4] {
    let ([c0, c1], [l0, l1]) = (code.0.to_be_bytes(), len.to_be_bytes());
    [c0, c1, l0, l1]
}

/// Copies between slices of equal length.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    if let (8..=16, Some(first), Some(last)) = (from.len(), from.first_chunk::<8>(), from.last_chunk::<8>())
        && to.len() == from.len()
    {
        // Most DUIDs have 8 to 16 octets: two overlapping moves of 8 cost less than a call of memcpy.
        to.first_chunk_mut().into_iter().for_each(|to| *to = *first);
        to.last_chunk_mut().into_iter().for_each(|to| *to = *last);
    } else {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    #[test]
    fn options_of_every_length_follow_each_other() {
        let value: [u8; 40] = core::array::from_fn(|at| at as u8 + 1);
        for len in 0..value.len() {
            let mut buffer = [0xee; 100];
            let mut w = Writer::new(&mut buffer);
            w.put(&[7]).unwrap();
            w.extend(|free| {
                free.option_with(OptionCode::CLIENTID, &value[..len])?;
                *free.take()? = [9];
                Ok(())
            })
            .unwrap();
            let (head, rest) = w.written().split_at(5);
            assert_eq!(head, [7, 0, 1, 0, len as u8]);
            assert_eq!(rest, [&value[..len], &[9]].concat());
        }
    }

    #[test]
    fn option_within_keeps_the_first_octets_only() {
        for len in 0..=16 {
            let mut buffer = [0xee; 24];
            let mut w = Writer::new(&mut buffer);
            w.extend(|free| {
                free.option_within(OptionCode::CLIENTID, [5; 16], len)?;
                *free.take()? = [9, 9];
                Ok(())
            })
            .unwrap();
            assert_eq!(w.written(), [&[0, 1, 0, len], &[5; 16][..len.into()], &[9, 9]].concat());
        }
        let mut free = [0; 19];
        let mut free = Free::new(&mut free);
        assert_eq!(free.option_within(OptionCode::CLIENTID, [5; 16], 1), Err(NoRoomError));
    }

    #[test]
    fn a_failed_extend_leaves_the_writer_unchanged() {
        for size in 0..14 {
            let mut buffer = [0; 14];
            let mut w = Writer::new(&mut buffer[..size]);
            let extended = w.extend(|free| {
                free.option_with(OptionCode::CLIENTID, &[1; 4])?;
                *free.take()? = [9; 6];
                Ok(free.len())
            });
            assert_eq!((extended, w.position()), (Err(NoRoomError), 0), "buffer of {size}");
        }
    }
}

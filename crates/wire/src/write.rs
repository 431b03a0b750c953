//! Writing messages into a caller's buffer.

use crate::{Free, MessageType, OptionCode, TransactionId};

/// The buffer is full, or a value is too long for its length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl core::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the message does not fit into its buffer or length field")
    }
}

impl core::error::Error for NoRoom {}

/// Writes from the front of a buffer; what was written so far can be read back.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Octets written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Takes back everything after the first `len` octets; longer than what is written changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends octets, all or none.
    #[inline]
    pub fn put(&mut self, octets: &[u8]) -> Result<(), NoRoom> {
        self.room(octets.len())?.copy_from_slice(octets);
        Ok(())
    }

    /// Appends what `write` takes from the free end of the buffer, all or none.
    #[inline]
    pub fn extend<R>(&mut self, write: impl FnOnce(&mut Free<'_>) -> Result<R, NoRoom>) -> Result<R, NoRoom> {
        let mut free = Free::new(self.buffer.get_mut(self.len..).ok_or(NoRoom)?);
        let before = free.len();
        let written = write(&mut free)?;
        self.len += before - free.len();
        Ok(written)
    }

    /// Appends `len` octets of any content for the caller to fill, all or none.
    #[inline]
    pub fn room(&mut self, len: usize) -> Result<&mut [u8], NoRoom> {
        let room = self.buffer.get_mut(self.len..).and_then(|rest| rest.get_mut(..len)).ok_or(NoRoom)?;
        self.len += len;
        Ok(room)
    }

    /// Appends one option with this value, all or none.
    #[inline]
    pub fn option_with(&mut self, code: OptionCode, value: &[u8]) -> Result<(), NoRoom> {
        self.extend(|free| free.option_with(code, value))
    }

    /// Appends one option, filling in option-len once `body` ran; after `NoRoom` the buffer ends where it began.
    #[inline]
    pub fn option(
        &mut self,
        code: OptionCode,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoom>,
    ) -> Result<(), NoRoom> {
        let start = self.len;
        let written = self.option_parts(code, body);
        if written.is_err() {
            self.len = start;
        }
        written
    }

    #[inline]
    fn option_parts(
        &mut self,
        code: OptionCode,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoom>,
    ) -> Result<(), NoRoom> {
        self.put(&code.0.to_be_bytes())?;
        let length_at = self.len;
        self.put(&[0, 0])?;
        body(self)?;
        let len = u16::try_from(self.len - length_at - 2).map_err(|_| NoRoom)?;
        let field = self.buffer.get_mut(length_at..length_at + 2).ok_or(NoRoom)?;
        field.copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    /// Appends the header of a client/server message (RFC 8415 §8); options follow.
    #[inline]
    pub fn header(&mut self, kind: MessageType, transaction_id: TransactionId) -> Result<(), NoRoom> {
        let [a, b, c] = transaction_id.0;
        self.put(&[kind.0, a, b, c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lengths_fill_themselves() {
        let mut buffer = [0xee; 32];
        let mut w = Writer::new(&mut buffer);
        w.header(MessageType::LEASEQUERY_REPLY, TransactionId([1, 2, 3])).unwrap();
        w.option(OptionCode::CLIENT_DATA, |w| {
            w.option(OptionCode::CLIENTID, |w| w.put(&[0xab]))?;
            w.option(OptionCode::CLT_TIME, |w| w.put(&[0, 0, 0, 9]))
        })
        .unwrap();
        let expected = [15, 1, 2, 3, 0, 45, 0, 13, 0, 1, 0, 1, 0xab, 0, 46, 0, 4, 0, 0, 0, 9];
        assert_eq!(w.written(), expected);
    }

    #[test]
    fn options_of_known_length() {
        let mut buffer = [0xee; 14];
        let mut w = Writer::new(&mut buffer);
        w.option_with(OptionCode::CLIENTID, &[7, 8]).unwrap();
        w.extend(|free| {
            free.option_room(OptionCode::CLT_TIME, 4)?.copy_from_slice(&[0, 0, 0, 9]);
            Ok(())
        })
        .unwrap();
        let expected = [0, 1, 0, 2, 7, 8, 0, 46, 0, 4, 0, 0, 0, 9];
        assert_eq!(w.written(), expected);
        assert_eq!(w.option_with(OptionCode::CLIENTID, &[]), Err(NoRoom));
        assert_eq!(w.room(1), Err(NoRoom));
        assert_eq!(w.written(), expected, "nothing was appended");
    }

    #[test]
    fn no_room_leaves_no_half_option() {
        for size in 1..12 {
            let mut buffer = [0; 12];
            let mut w = Writer::new(&mut buffer[..size]);
            w.put(&[7]).unwrap();
            let full =
                w.option(OptionCode::CLIENT_DATA, |w| w.option(OptionCode::CLIENTID, |w| w.put(&[1, 2, 3])));
            assert_eq!((full, w.written()), (Err(NoRoom), &[7][..]), "buffer of {size}");
        }
    }

    #[test]
    fn a_value_over_65535_octets_is_refused() {
        let mut buffer = std::vec![0; 70_000];
        let mut w = Writer::new(&mut buffer);
        assert_eq!(w.option(OptionCode::RELAY_MSG, |w| w.put(&[0; 65_536])), Err(NoRoom));
        assert_eq!(w.option_with(OptionCode::RELAY_MSG, &[0; 65_536]), Err(NoRoom));
        assert_eq!(w.option(OptionCode::RELAY_MSG, |w| w.put(&[0; 65_535])), Ok(()));
        assert_eq!(w.len(), 65_539);
    }
}

//! Messages written into the caller's buffer.

use crate::{Free, MessageType, OptionCode, TransactionId};

/// The buffer is full, or a value is too long for its length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit into its buffer or length field")]
pub struct NoRoomError;

/// A buffer that is written from its front.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    position: usize,
}

impl<'a> Writer<'a> {
    /// Starts writing at the front of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, position: 0 }
    }

    /// Returns the number of octets written so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the octets written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.position).unwrap_or_default()
    }

    /// Discards all but the first `len` octets; no effect if fewer are written.
    pub fn truncate(&mut self, len: usize) {
        self.position = self.position.min(len);
    }

    /// Appends octets, all or none.
    #[inline]
    pub fn put(&mut self, octets: &[u8]) -> Result<(), NoRoomError> {
        self.room(octets.len())?.copy_from_slice(octets);
        Ok(())
    }

    /// Appends the octets that `write` takes from the unwritten end of the buffer, all or none.
    #[inline]
    pub fn extend<R>(
        &mut self,
        write: impl FnOnce(&mut Free<'_>) -> Result<R, NoRoomError>,
    ) -> Result<R, NoRoomError> {
        let mut free = Free::new(self.buffer.get_mut(self.position..).ok_or(NoRoomError)?);
        // An early return leaves the position, so that nothing is appended.
        let before = free.len();
        let written = write(&mut free)?;
        self.position += before - free.len();
        Ok(written)
    }

    /// Appends `len` octets of unspecified content for the caller to fill, all or none.
    #[inline]
    pub fn room(&mut self, len: usize) -> Result<&mut [u8], NoRoomError> {
        let room =
            self.buffer.get_mut(self.position..).and_then(|rest| rest.get_mut(..len)).ok_or(NoRoomError)?;
        self.position += len;
        Ok(room)
    }

    /// Appends one option with `value`, all or none.
    #[inline]
    pub fn option_with(&mut self, code: OptionCode, value: &[u8]) -> Result<(), NoRoomError> {
        self.extend(|free| free.option_with(code, value))
    }

    /// Appends one option whose value `body` writes, all or none.
    #[inline]
    pub fn option(
        &mut self,
        code: OptionCode,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoomError>,
    ) -> Result<(), NoRoomError> {
        let start = self.position;
        let written = self.option_parts(code, body);
        if written.is_err() {
            self.position = start;
        }
        written
    }

    #[inline]
    fn option_parts(
        &mut self,
        code: OptionCode,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoomError>,
    ) -> Result<(), NoRoomError> {
        self.put(&code.0.to_be_bytes())?;
        self.counted(body)
    }

    /// Appends a length of two octets and what it counts, which `body` writes.
    #[inline]
    fn counted(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoomError>,
    ) -> Result<(), NoRoomError> {
        let length_at = self.position;
        self.put(&[0, 0])?;
        body(self)?;
        // The length is known once the body is written.
        let len = u16::try_from(self.position - length_at - 2).map_err(|_| NoRoomError)?;
        let field = self.buffer.get_mut(length_at..length_at + 2).ok_or(NoRoomError)?;
        field.copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    /// Appends a frame with the message that `body` writes, all or none (RFC 5460 §5.1).
    pub fn frame(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), NoRoomError>,
    ) -> Result<(), NoRoomError> {
        let start = self.position;
        let written = self.counted(body);
        if written.is_err() {
            self.position = start;
        }
        written
    }

    /// Appends the header of a client/server message (RFC 8415 §8); options follow.
    #[inline]
    pub fn header(&mut self, kind: MessageType, transaction_id: TransactionId) -> Result<(), NoRoomError> {
        let [a, b, c] = transaction_id.0;
        self.put(&[kind.0, a, b, c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_nested_options_are_filled_in() {
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
    fn options_of_known_length_are_written_or_refused_whole() {
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
        assert_eq!(w.option_with(OptionCode::CLIENTID, &[]), Err(NoRoomError));
        assert_eq!(w.room(1), Err(NoRoomError));
        assert_eq!(w.written(), expected, "nothing was appended");
    }

    #[test]
    fn a_full_buffer_leaves_no_partial_option() {
        for size in 1..12 {
            let mut buffer = [0; 12];
            let mut w = Writer::new(&mut buffer[..size]);
            w.put(&[7]).unwrap();
            let full =
                w.option(OptionCode::CLIENT_DATA, |w| w.option(OptionCode::CLIENTID, |w| w.put(&[1, 2, 3])));
            assert_eq!((full, w.written()), (Err(NoRoomError), &[7][..]), "buffer of {size}");
        }
    }

    #[test]
    fn a_frame_counts_its_message_and_is_written_whole_or_not_at_all() {
        let mut buffer = [0xee; 8];
        let mut w = Writer::new(&mut buffer);
        let done = |w: &mut Writer<'_>| w.header(MessageType::LEASEQUERY_DONE, TransactionId([1, 2, 3]));
        w.frame(done).unwrap();
        assert_eq!(w.frame(done), Err(NoRoomError));
        assert_eq!(w.written(), [0, 4, 16, 1, 2, 3]);
    }

    #[test]
    fn a_value_over_65535_octets_is_refused() {
        let mut buffer = std::vec![0; 70_000];
        let mut w = Writer::new(&mut buffer);
        assert_eq!(w.option(OptionCode::RELAY_MSG, |w| w.put(&[0; 65_536])), Err(NoRoomError));
        assert_eq!(w.option_with(OptionCode::RELAY_MSG, &[0; 65_536]), Err(NoRoomError));
        assert_eq!(w.option(OptionCode::RELAY_MSG, |w| w.put(&[0; 65_535])), Ok(()));
        assert_eq!(w.position(), 65_539);
    }
}

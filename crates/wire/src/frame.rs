//! Frames of a TCP connection: a length of two octets before each message (RFC 5460 §5.1).

use crate::Message;

/// Longest message in a frame, in octets.
pub const MESSAGE_LEN_MAX: usize = u16::MAX as usize;

/// The first frame of received octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message, at least as long as its header.
    pub message: &'a [u8],
    /// The octets after the frame.
    pub rest: &'a [u8],
}

/// A frame that no message can fill. Where the next one begins is not known: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} octets; a DHCPv6 message has 4 at least")]
pub struct FrameError(pub u16);

impl<'a> Frame<'a> {
    /// Length in octets of the part before the message.
    pub const HEADER_LEN: usize = 2;
    /// Length in octets of the longest frame.
    pub const LEN_MAX: usize = Self::HEADER_LEN + MESSAGE_LEN_MAX;

    /// Splits off the first frame; `None` if more octets must be received first.
    ///
    /// # Errors
    /// As soon as the length is known, if it is shorter than a message's header.
    pub fn split(octets: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let Some((&len, rest)) = octets.split_first_chunk() else { return Ok(None) };
        let len = u16::from_be_bytes(len);
        if usize::from(len) < Message::HEADER_LEN {
            return Err(FrameError(len));
        }
        let frame = rest.split_at_checked(len.into());
        Ok(frame.map(|(message, rest)| Self { message, rest }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn frames_are_split_wherever_the_octets_end() {
        let octets = [0, 4, 14, 1, 2, 3, 0, 5, 16, 1, 2, 3, 9, 0];
        for end in 0..6 {
            assert_eq!(Frame::split(&octets[..end]), Ok(None), "{end} octets");
        }
        let first = Frame::split(&octets).unwrap().unwrap();
        assert_eq!((first.message, first.rest.len()), (&[14, 1, 2, 3][..], 8));
        let second = Frame::split(first.rest).unwrap().unwrap();
        assert_eq!((second.message, second.rest), (&[16, 1, 2, 3, 9][..], &[0][..]));
        assert_eq!(Frame::split(second.rest), Ok(None));
    }

    #[test]
    fn a_frame_shorter_than_a_header_is_an_error_at_once() {
        for len in 0..4 {
            assert_eq!(Frame::split(&[0, len]), Err(FrameError(len.into())));
        }
        assert_eq!(Frame::split(&[0, 4]), Ok(None));
    }

    #[test]
    fn the_longest_frame_has_65537_octets() {
        let octets = vec![0xff; Frame::LEN_MAX];
        assert_eq!(octets.len(), 65_537);
        assert_eq!(Frame::split(&octets[..65_536]), Ok(None));
        assert_eq!(Frame::split(&octets).unwrap().unwrap().message.len(), MESSAGE_LEN_MAX);
    }
}

//! Frames read from a connection.

use std::io::{self, Read};

use lqd_wire::Frame;

/// Octets read at a time.
const BUFFER_LEN: usize = 4 * Frame::LEN_MAX;

/// Reader of frames; holds one buffer, whatever the peer sends.
pub(crate) struct Frames<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    received: u64,
}

impl<R: Read> Frames<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; BUFFER_LEN], start: 0, end: 0, received: 0 }
    }

    /// Octets received so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The source of the octets.
    pub(crate) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// The connection failed, timed out or ended.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        if self.start == self.end { self.fill() } else { Ok(()) }
    }

    /// Returns the next message if all of it has been read.
    ///
    /// # Errors
    /// A frame is shorter than a message.
    pub(crate) fn buffered(&mut self) -> io::Result<Option<&[u8]>> {
        let split = Frame::split(&self.buffer[self.start..self.end]);
        match split.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
            Some(_) => self.next().map(Some),
            None => Ok(None),
        }
    }

    /// Returns the next message.
    ///
    /// # Errors
    /// The connection failed, timed out or ended; or a frame is shorter than a message.
    pub(crate) fn next(&mut self) -> io::Result<&[u8]> {
        let (from, to) = loop {
            let held = &self.buffer[self.start..self.end];
            let frame =
                Frame::split(held).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some(Frame { rest, message }) = frame {
                let to = self.end - rest.len();
                let from = to - message.len();
                self.start = to;
                break (from, to);
            }
            self.fill()?;
        };
        Ok(&self.buffer[from..to])
    }

    /// Reads once.
    ///
    /// # Errors
    /// The connection failed, timed out or ended.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        if self.buffer.len() - self.end < Frame::LEN_MAX {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = self.source.read(&mut self.buffer[self.end..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end += read;
        self.received += read as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a time.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            (self.0, out[0]) = (rest, *first);
            Ok(1)
        }
    }

    #[test]
    fn frames_come_whole_however_they_are_read() {
        let octets = [0, 4, 15, 1, 2, 3, 0, 5, 16, 1, 2, 3, 9];
        for all_at_once in [true, false] {
            let source: Box<dyn Read> =
                if all_at_once { Box::new(&octets[..]) } else { Box::new(Dribble(&octets)) };
            let mut frames = Frames::new(source);
            assert_eq!(frames.next().unwrap(), [15, 1, 2, 3]);
            assert_eq!(frames.next().unwrap(), [16, 1, 2, 3, 9]);
            assert_eq!(frames.next().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(frames.received(), 13);
        }
    }

    #[test]
    fn many_long_frames_fit_into_one_buffer() {
        let mut octets = Vec::new();
        for number in 0..10_u8 {
            octets.extend([0xff, 0xff]);
            octets.extend([number; 65_535]);
        }
        let mut frames = Frames::new(&octets[..]);
        for number in 0..10_u8 {
            assert_eq!(frames.next().unwrap(), [number; 65_535]);
        }
    }

    #[test]
    fn a_frame_without_message_is_an_error() {
        assert_eq!(Frames::new(&[0, 3, 1][..]).next().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

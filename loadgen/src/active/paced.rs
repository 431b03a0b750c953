//! A source that is read at the pace of its reader while the leases change, and at full speed afterwards.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Pace of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Full,
    /// Octets a second.
    Slow(u32),
    /// None at all.
    Stalled,
}

impl Pace {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Slow(_) => "slow",
            Self::Stalled => "stalled",
        }
    }
}

/// Pause between two reads of a slow reader.
const PAUSE: Duration = Duration::from_millis(100);

/// The stream of a reader.
pub(super) struct Paced<'a> {
    pub(super) stream: TcpStream,
    pub(super) pace: Pace,
    /// Whether leases change.
    pub(super) is_churning: &'a AtomicBool,
    /// Whether the reply has come, which every reader waits for.
    pub(super) is_open: bool,
}

impl Read for Paced<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.pace == Pace::Stalled && self.holds_back() {
            thread::sleep(PAUSE);
        }
        if let Pace::Slow(rate) = self.pace
            && self.holds_back()
        {
            thread::sleep(PAUSE);
            let len = out.len().min((rate / 10) as usize);
            return self.stream.read(&mut out[..len]);
        }
        self.stream.read(out)
    }
}

impl Paced<'_> {
    fn holds_back(&self) -> bool {
        self.is_open && self.is_churning.load(Ordering::Relaxed)
    }
}

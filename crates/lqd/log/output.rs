//! Standard error behind a bounded queue: whoever logs never waits for it, and never ends because of it.
//!
//! tracing-appender's `non_blocking` bounds the number of lines, not of octets, and tears lines on a full disk; hence
//! these lines on a crossbeam channel.

use std::io::{self, ErrorKind, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use tracing::warn;

use super::whole_lines::{WholeLines, count};

/// Most octets that wait to be written.
const WAITING_MAX: usize = 1 << 20;

/// Most of these from the query log, so that it leaves room for the program's own lines.
const QUERY_LOG_WAITING_MAX: usize = WAITING_MAX / 2;

/// How long the end of the program waits for one write.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Time between two attempts to complete a line, or to write to a terminal or pipe that is non-blocking and full.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The one queue; standard error is one, too.
static OUTPUT: LazyLock<Output> = LazyLock::new(Output::new);

/// What waits for the thread that writes.
enum Message {
    Lines(Vec<u8>),
    /// To say when everything before this is written.
    Flush(Sender<()>),
}

struct Output {
    messages: Sender<Message>,
    incoming: Receiver<Message>,
    /// Octets of lines on their way.
    waiting: AtomicUsize,
    /// Lines that found no room, or were not taken.
    lost: AtomicU64,
    has_thread: AtomicBool,
}

/// Lines that were lost so far.
pub(crate) fn lost() -> u64 {
    OUTPUT.lost.load(Ordering::Relaxed)
}

/// Hands over lines of the program's own log.
pub(crate) fn say(lines: &[u8]) {
    if !OUTPUT.push(lines, WAITING_MAX) {
        OUTPUT.lose(count(lines));
    }
}

/// Hands over lines of the query log; false if there is no room.
pub(crate) fn say_queries(lines: &[u8]) -> bool {
    OUTPUT.push(lines, QUERY_LOG_WAITING_MAX)
}

/// Starts the thread that writes, with the rights of this one. Until then lines wait.
///
/// # Errors
/// No thread can be started.
pub(crate) fn start_writing() -> io::Result<()> {
    if OUTPUT.has_thread.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    thread::Builder::new().name("lqd-log".to_owned()).spawn(|| OUTPUT.run()).map(drop)
}

/// Writes the lines that wait, on this thread, where it will be long until another one does that. A line that is taken in
/// part stays so.
pub(crate) fn write_waiting() {
    if OUTPUT.has_thread.load(Ordering::Relaxed) {
        return;
    }
    let mut out = WholeLines::new(StandardError);
    while let Ok(message) = OUTPUT.incoming.try_recv() {
        match message {
            Message::Lines(lines) => OUTPUT.write(&mut out, &lines, &mut OUTPUT.lost.load(Ordering::Relaxed)),
            Message::Flush(done) => drop(done.send(())),
        }
    }
}

/// Waits until everything is written, but not for a reader that stands still.
pub(crate) fn finish() {
    let (done, wait) = bounded(1);
    if start_writing().is_err() || OUTPUT.messages.send(Message::Flush(done)).is_err() {
        return;
    }
    let mut waiting = usize::MAX;
    // A slow reader is waited for as long as it takes something.
    while wait.recv_timeout(FLUSH_MAX) == Err(RecvTimeoutError::Timeout) {
        let before = std::mem::replace(&mut waiting, OUTPUT.waiting.load(Ordering::Relaxed));
        if waiting >= before {
            return;
        }
    }
}

impl Output {
    fn new() -> Self {
        let (messages, incoming) = unbounded();
        Self {
            messages,
            incoming,
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            has_thread: AtomicBool::new(false),
        }
    }

    fn push(&self, lines: &[u8], waiting_max: usize) -> bool {
        let len = lines.len();
        if self.waiting.fetch_add(len, Ordering::Relaxed) + len > waiting_max {
            self.waiting.fetch_sub(len, Ordering::Relaxed);
            return false;
        }
        self.messages.send(Message::Lines(lines.to_vec())).is_ok()
    }

    fn lose(&self, lines: usize) {
        self.lost.fetch_add(lines as u64, Ordering::Relaxed);
    }

    fn run(&self) {
        let mut out = WholeLines::new(StandardError);
        let mut said = 0;
        loop {
            let wait = if out.is_torn() { RETRY_AFTER } else { Duration::MAX };
            match self.incoming.recv_timeout(wait) {
                Ok(Message::Lines(lines)) => self.write(&mut out, &lines, &mut said),
                Ok(Message::Flush(done)) => {
                    let _ = done.send(()); // nobody waits any more after FLUSH_MAX
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = out.complete();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&self, out: &mut WholeLines<impl Write>, lines: &[u8], said: &mut u64) {
        let (written, error) = out.write(lines);
        self.waiting.fetch_sub(lines.len(), Ordering::Relaxed);
        self.lose(count(lines) - written);
        let lost = self.lost.load(Ordering::Relaxed);
        // Not before the queue is empty: the line about it would be lost, too.
        if error.is_none() && lost > *said && self.incoming.is_empty() {
            let lines = lost - *said;
            *said = lost;
            warn!(lines, "log lines lost: standard error did not take them; see its disk or its reader");
        }
    }
}

/// Standard error; waits for room if somebody has made it non-blocking.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        loop {
            match io::stderr().write(octets) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_octets_are_bounded_with_room_left_by_the_query_log() {
        let output = Output::new();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let fill = |most| (0..4096).filter(|_| output.push(&line, most)).count();
        assert_eq!(fill(QUERY_LOG_WAITING_MAX), QUERY_LOG_WAITING_MAX / line.len());
        assert_eq!(fill(WAITING_MAX), (WAITING_MAX - QUERY_LOG_WAITING_MAX) / line.len());
        assert!(!output.push(b"\n", WAITING_MAX));
        assert_eq!(output.waiting.load(Ordering::Relaxed), WAITING_MAX);
    }
}

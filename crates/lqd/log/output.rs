//! Standard error behind a bounded queue: logging never waits for it and never fails because of it.
//!
//! tracing-appender's `non_blocking` limits the number of lines, not of bytes, and tears lines on a full
//! disk.

use std::io::{self, ErrorKind, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use tracing::warn;

use super::whole_lines::{WholeLines, count};

/// Most queued bytes.
const WAITING_MAX: usize = 1 << 20;

/// Most queued bytes of the query log, which leaves room for the program's own lines.
const QUERY_LOG_WAITING_MAX: usize = WAITING_MAX / 2;

/// Longest wait for one write at the end of the program.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Interval of attempts to complete a line, or to write to a full non-blocking terminal or pipe.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The queue of the one standard error.
static OUTPUT: LazyLock<Output> = LazyLock::new(Output::new);

/// Message to the writer thread.
enum Message {
    Lines(Vec<u8>),
    /// Confirms that everything before is written.
    Flush(Sender<()>),
}

struct Output {
    messages: Sender<Message>,
    incoming: Receiver<Message>,
    /// Queued bytes.
    waiting: AtomicUsize,
    /// Lines that found no room or could not be written.
    lost: AtomicU64,
    has_thread: AtomicBool,
}

/// Returns the number of lost lines.
pub(crate) fn lost() -> u64 {
    OUTPUT.lost.load(Ordering::Relaxed)
}

/// Queues lines of the program's own log.
pub(crate) fn say(lines: &[u8]) {
    if !OUTPUT.push(lines, WAITING_MAX) {
        OUTPUT.lose(count(lines));
    }
}

/// Queues lines of the query log; returns false if there is no room.
pub(crate) fn say_queries(lines: &[u8]) -> bool {
    OUTPUT.push(lines, QUERY_LOG_WAITING_MAX)
}

/// Starts the writer thread, with the rights of this one. Until then lines stay queued.
///
/// # Errors
/// No thread can be started.
pub(crate) fn start_writing() -> io::Result<()> {
    if OUTPUT.has_thread.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    thread::Builder::new().name("lqd-log".to_owned()).spawn(|| OUTPUT.run()).map(drop)
}

/// Writes queued lines on this thread if the writer thread is not started yet. A partly written line stays
/// so.
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

/// Waits until everything is written, or the reader makes no progress.
pub(crate) fn finish() {
    let (done, wait) = bounded(1);
    if start_writing().is_err() || OUTPUT.messages.send(Message::Flush(done)).is_err() {
        return;
    }
    let mut waiting = usize::MAX;
    // Waits on as long as a slow reader takes some lines.
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
        let mut reported = 0;
        loop {
            let wait = if out.is_torn() { RETRY_AFTER } else { Duration::MAX };
            match self.incoming.recv_timeout(wait) {
                Ok(Message::Lines(lines)) => self.write(&mut out, &lines, &mut reported),
                Ok(Message::Flush(done)) => {
                    // The receiver is gone after FLUSH_MAX.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = out.complete();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&self, out: &mut WholeLines<impl Write>, lines: &[u8], reported: &mut u64) {
        let (written, error) = out.write(lines);
        self.waiting.fetch_sub(lines.len(), Ordering::Relaxed);
        self.lose(count(lines) - written);
        let lost = self.lost.load(Ordering::Relaxed);
        // Once the queue is empty, as otherwise this line would be lost, too.
        if error.is_none() && lost > *reported && self.incoming.is_empty() {
            let lines = lost - *reported;
            *reported = lost;
            warn!(lines, "log lines lost: standard error did not take them; see its disk or its reader");
        }
    }
}

/// Standard error; waits for room if another process has made it non-blocking.
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
    fn queued_bytes_are_bounded_and_the_query_log_leaves_room() {
        let output = Output::new();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let fill = |most| (0..4096).filter(|_| output.push(&line, most)).count();
        assert_eq!(fill(QUERY_LOG_WAITING_MAX), QUERY_LOG_WAITING_MAX / line.len());
        assert_eq!(fill(WAITING_MAX), (WAITING_MAX - QUERY_LOG_WAITING_MAX) / line.len());
        assert!(!output.push(b"\n", WAITING_MAX));
        assert_eq!(output.waiting.load(Ordering::Relaxed), WAITING_MAX);
    }
}

//! The thread that writes the query log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, unbounded};
use tracing::error;

use super::sink::Sink;
use super::{Done, LogCounts, Order, Orders, Queue};

/// How long a record waits at most.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often at most it is said that the log cannot be written.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// How long the end of lqd waits for what is still to be written.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Octets that are written at once, about.
const CHUNK_LEN: usize = 1 << 16;

/// The running thread.
pub(super) struct Writer {
    orders: Orders,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts it; records wait in the queues until it is told where to write.
    pub(super) fn start(queues: Vec<Arc<Queue>>, counts: &Arc<LogCounts>) -> io::Result<Self> {
        let (orders, incoming) = unbounded();
        let log = Log { queues, sink: None, counts: Arc::clone(counts), text: Vec::new(), said: None };
        let thread =
            thread::Builder::new().name("lqd-query-log".to_owned()).spawn(move || log.run(&incoming))?;
        Ok(Self { orders, thread })
    }

    /// What is taken from now on goes here; what was taken before is written where it was to go.
    pub(super) fn write_to(&self, sink: Option<Sink>, done: Option<Done>) {
        // It ends only when told, or by a panic, which it has told.
        let _ = self.orders.send(Order::WriteTo(sink, done));
    }

    /// Writes what was taken, and ends; a file system that does not answer holds up the end of lqd no longer than that.
    pub(super) fn stop(self) {
        let _ = self.orders.send(Order::End);
        let asked = Instant::now();
        while !self.thread.is_finished() && asked.elapsed() < WAIT_MAX {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the thread has.
struct Log {
    queues: Vec<Arc<Queue>>,
    sink: Option<Sink>,
    counts: Arc<LogCounts>,
    text: Vec<u8>,
    /// When it last said that it cannot write.
    said: Option<Instant>,
}

impl Log {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = orders.recv_timeout(LOOK_EVERY);
            self.write_all();
            match order {
                Ok(Order::WriteTo(sink, done)) => {
                    self.sink = sink;
                    done.into_iter().for_each(|done| done());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Empties the queues as they are now: no longer than there is room in them, however fast they fill. Records wait
    /// where there is nowhere to write them: workers may take some before the order to write comes here.
    fn write_all(&mut self) {
        if self.sink.is_none() {
            return;
        }
        let mut lines = 0;
        for position in 0..self.queues.len() {
            for _ in 0..self.queues[position].records.capacity() {
                let Some(record) = self.queues[position].records.pop() else { break };
                record.write_json(&mut self.text);
                lines += 1;
                if self.text.len() >= CHUNK_LEN {
                    self.write(std::mem::take(&mut lines));
                }
            }
        }
        if lines > 0 {
            self.write(lines);
        }
    }

    fn write(&mut self, lines: usize) {
        let (written, fault) = match &mut self.sink {
            Some(sink) => sink.write(&self.text),
            None => (0, None),
        };
        self.text.clear();
        self.counts.written.fetch_add(written as u64, Ordering::Relaxed);
        self.counts.failed.fetch_add((lines - written) as u64, Ordering::Relaxed);
        if let Some(fault) = fault
            && self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY)
        {
            self.said = Some(Instant::now());
            error!(%fault, "the query log cannot be written; its records are lost, queries are answered");
        }
    }
}

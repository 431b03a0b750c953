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

/// Longest time that a record stays queued.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Shortest interval between two log lines about write errors.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Longest time that the end of lqd waits for queued records.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Approximate bytes of one write.
const CHUNK_LEN: usize = 1 << 16;

/// The running thread.
pub(super) struct Writer {
    orders: Orders,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; records stay queued until it has a sink.
    pub(super) fn start(queues: Vec<Arc<Queue>>, counts: &Arc<LogCounts>) -> io::Result<Self> {
        let (orders, incoming) = unbounded();
        let log = Log { queues, sink: None, counts: Arc::clone(counts), text: Vec::new(), logged: None };
        let thread =
            thread::Builder::new().name("lqd-query-log".to_owned()).spawn(move || log.run(&incoming))?;
        Ok(Self { orders, thread })
    }

    /// Writes records from now on to `sink`; those queued before still go to the former one.
    pub(super) fn write_to(&self, sink: Option<Sink>, done: Option<Done>) {
        // The thread is gone only after a panic, which was logged.
        let _ = self.orders.send(Order::WriteTo(sink, done));
    }

    /// Writes queued records and ends the thread, or gives up after [`WAIT_MAX`] if the file system hangs.
    pub(super) fn stop(self) {
        let _ = self.orders.send(Order::End);
        let asked = Instant::now();
        while !self.thread.is_finished() && asked.elapsed() < WAIT_MAX {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// State of the thread.
struct Log {
    queues: Vec<Arc<Queue>>,
    sink: Option<Sink>,
    counts: Arc<LogCounts>,
    text: Vec<u8>,
    /// Time of the last logged write error.
    logged: Option<Instant>,
}

impl Log {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = orders.recv_timeout(POLL_EVERY);
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

    /// Writes the queued records; without a sink they stay queued.
    ///
    /// Takes at most the capacity of each queue, so that it ends however fast they fill.
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
        let (written, error) = match &mut self.sink {
            Some(sink) => sink.write(&self.text),
            None => (0, None),
        };
        self.text.clear();
        self.counts.written.fetch_add(written as u64, Ordering::Relaxed);
        self.counts.failed.fetch_add((lines - written) as u64, Ordering::Relaxed);
        if let Some(error) = error
            && self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY)
        {
            self.logged = Some(Instant::now());
            error!(%error, "query log cannot be written: records are lost, queries are still answered");
        }
    }
}

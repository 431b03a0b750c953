//! Connections that misbehave while others are measured.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lqd_wire::TransactionId;

use super::connection::connect;
use super::plan::Plan;
use super::{Options, query};
use crate::error::Error;

/// Octets that a slow connection reads at a time, and the pause between two reads: 10,000 octets a second.
const SLOW_LEN: usize = 1000;
const SLOW_PAUSE: Duration = Duration::from_millis(100);
/// Octets that an aborting connection reads before it closes.
const ABORT_LEN: usize = 10_000;

/// Running connections.
pub(super) struct Peers {
    /// Held open, never read.
    stalled: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    aborted: Arc<AtomicU64>,
}

/// Counts of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct PeerCounts {
    pub(super) stalled: u64,
    pub(super) slow: u64,
    /// Connections closed in the midst of a reply.
    pub(super) aborted: u64,
}

impl Peers {
    /// Starts those that the options ask for; each has sent its query when this returns.
    pub(super) fn start(options: &Options, plan: &Plan<'_>) -> Result<Self, Error> {
        let mut peers =
            Self { stalled: Vec::new(), threads: Vec::new(), stop: Arc::default(), aborted: Arc::default() };
        // Each queries another subject, so that the server has no cached help.
        let frames = plan.queries().iter().map(|subject| {
            query::frame(subject, &options.requestor_duid.0, &options.oro, TransactionId([9; 3]))
        });
        let frames = frames.collect::<Result<Vec<_>, _>>().map_err(|_| Error::QueryTooLong)?;
        let mut frames = frames.iter().cycle();
        let mut next = || frames.next().cloned().unwrap_or_default();
        for _ in 0..options.stalled {
            peers.stalled.push(asked(options, &next())?);
        }
        for _ in 0..options.slow {
            let stream = asked(options, &next())?;
            peers.spawn(move |stop, _| read_slowly(stream, stop));
        }
        for _ in 0..options.aborting {
            let (options, frame) = (options.clone(), next());
            peers.spawn(move |stop, aborted| abort_again_and_again(&options, &frame, stop, aborted));
        }
        Ok(peers)
    }

    fn spawn(&mut self, run: impl FnOnce(&AtomicBool, &AtomicU64) + Send + 'static) {
        let (stop, aborted) = (Arc::clone(&self.stop), Arc::clone(&self.aborted));
        self.threads.push(thread::spawn(move || run(&stop, &aborted)));
    }

    /// Ends all connections.
    pub(super) fn stop(self) -> PeerCounts {
        self.stop.store(true, Ordering::Relaxed);
        let aborting = self.aborted.load(Ordering::Relaxed);
        let slow = self.threads.len() as u64;
        for thread in self.threads {
            // The panic of such a thread is on standard error; the measured ones do not depend on it.
            let _ = thread.join();
        }
        PeerCounts { stalled: self.stalled.len() as u64, slow, aborted: aborting }
    }
}

/// Connects and sends the query.
fn asked(options: &Options, frame: &[u8]) -> Result<TcpStream, Error> {
    let mut stream = connect(options)?;
    let error = |source| Error::Socket { target: options.target, step: "cannot send a query", source };
    stream.write_all(frame).map_err(error)?;
    Ok(stream)
}

fn read_slowly(mut stream: TcpStream, stop: &AtomicBool) {
    let mut buffer = [0; SLOW_LEN];
    while !stop.load(Ordering::Relaxed) {
        // The server may have ended the connection: nothing is left to be slow about.
        if !matches!(stream.read(&mut buffer), Ok(1..)) {
            return;
        }
        thread::sleep(SLOW_PAUSE);
    }
}

fn abort_again_and_again(options: &Options, frame: &[u8], stop: &AtomicBool, aborted: &AtomicU64) {
    let mut buffer = [0; ABORT_LEN];
    while !stop.load(Ordering::Relaxed) {
        // Refused for now, when the server has no free connection: try again after a pause.
        let Ok(mut stream) = asked(options, frame) else {
            thread::sleep(SLOW_PAUSE);
            continue;
        };
        let _ = stream.read(&mut buffer);
        let _ = stream.shutdown(Shutdown::Both);
        aborted.fetch_add(1, Ordering::Relaxed);
    }
}

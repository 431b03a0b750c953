//! A leasequery server with known delays and losses, against which reports of `lqload` are checked.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::stub::{self, Defect};

/// The delay of the answer to the load's query `number`, from 0; `None` for no answer.
pub(crate) type Rule = fn(&mut Seen, number: u64) -> Option<Duration>;

/// Input and state of a rule.
pub(crate) struct Seen {
    pub(crate) now: Instant,
    pub(crate) source: SocketAddr,
    /// Octets of the query.
    pub(crate) query: Vec<u8>,
    /// State kept between queries: a time and a count for each key.
    pub(crate) notes: HashMap<Vec<u8>, (Instant, u64)>,
}

struct Due {
    at: Instant,
    reply: Vec<u8>,
    source: SocketAddr,
}

/// The running server. Dropping it ends its threads.
pub(crate) struct Paced {
    address: SocketAddr,
    queries: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Paced {
    /// Starts a server that answers rightly, each query after the rule's delay or never.
    pub(crate) fn start(rule: Rule) -> Self {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, queries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (to_sender, from_receiver) = mpsc::channel();
        let sending = socket.try_clone().unwrap();
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&queries));
        let threads = vec![
            thread::spawn(move || receive(&socket, rule, &to_sender, &stopped, &count)),
            thread::spawn(move || send(&sending, &from_receiver)),
        ];
        Self { address, queries, stop, threads }
    }

    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    /// Number of queries so far, without the probe.
    pub(crate) fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || thread::panicking(), "the stub server failed");
        }
    }
}

fn receive(socket: &UdpSocket, rule: Rule, due: &Sender<Due>, stop: &AtomicBool, count: &AtomicU64) {
    let mut buffer = [0; 2048];
    let mut notes = HashMap::new();
    let mut number = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, source)) = socket.recv_from(&mut buffer) else { continue };
        let now = Instant::now();
        let reply = stub::reply(&buffer[..len], Defect::None);
        // The first query is the probe.
        let delay = match number {
            None => Some(Duration::ZERO),
            Some(number) => {
                let mut seen = Seen { now, source, query: buffer[..len].to_vec(), notes };
                let delay = rule(&mut seen, number);
                notes = seen.notes;
                delay
            }
        };
        number = Some(number.map_or(0, |number| number + 1));
        count.store(number.unwrap_or(0), Ordering::Relaxed);
        if let Some(delay) = delay {
            due.send(Due { at: now + delay, reply, source }).unwrap();
        }
    }
}

/// Sends replies when they are due, until the receiver is gone.
fn send(socket: &UdpSocket, from_receiver: &Receiver<Due>) {
    let mut waiting: Vec<Due> = Vec::new();
    loop {
        let now = Instant::now();
        // Delays differ, so the order of arrival is not that of replies.
        for due in waiting.extract_if(.., |due| due.at <= now) {
            let _ = socket.send_to(&due.reply, due.source);
        }
        let next = waiting.iter().map(|due| due.at).min();
        let wait = next.map_or(Duration::from_millis(100), |next| next.saturating_duration_since(now));
        match from_receiver.recv_timeout(wait) {
            Ok(due) => waiting.push(due),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

//! Queries the addresses of clients, and reads the version of a lease from the answer.

use std::net::{SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lqd_benches::network::Client;
use lqd_benches::query::Kind;
use lqd_wire::{OptionCode, Options};

use crate::LiveError;
use crate::kea::{Kea, Mark};

/// Time limit for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit for a row to become visible; then it counts as lost.
const UNSEEN_MAX: Duration = Duration::from_secs(10);
/// Interval between checks whether a row is visible: the precision of freshness.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// Pause between two awaited rows; shorter than between rows of the quiet phase.
const REST: Duration = Duration::from_millis(10);
/// Queries in flight while all leases are compared.
const WINDOW: u32 = 32;

pub(crate) struct Querier {
    socket: UdpSocket,
    transaction: u32,
    buffer: Vec<u8>,
}

impl Querier {
    pub(crate) fn new(server: SocketAddrV6) -> Result<Self, LiveError> {
        let socket = UdpSocket::bind("[::1]:0").map_err(LiveError::Socket)?;
        socket.connect(server).map_err(LiveError::Socket)?;
        socket.set_read_timeout(Some(TIMEOUT)).map_err(LiveError::Socket)?;
        Ok(Self { socket, transaction: 0, buffer: vec![0; 2048] })
    }

    /// Sends a query for a client's address; returns its transaction id.
    fn send(&mut self, client: &Client) -> Result<u32, LiveError> {
        // The id has 24 bits (RFC 8415 §8).
        self.transaction = (self.transaction + 1) & 0xff_ffff;
        let mut query = Kind::Address.query(client);
        query[1..4].copy_from_slice(&self.transaction.to_be_bytes()[1..]);
        self.socket.send(&query).map_err(LiveError::Socket)?;
        Ok(self.transaction)
    }

    /// Receives the next answer: transaction id and reply.
    fn receive(&mut self) -> Result<(u32, &[u8]), LiveError> {
        let len = self.socket.recv(&mut self.buffer).map_err(LiveError::Socket)?;
        let reply = &self.buffer[..len];
        // A shorter datagram has no transaction-id.
        let &[_, a, b, c, ..] = reply else { return Err(LiveError::Reply) };
        Ok((u32::from_be_bytes([0, a, b, c]), reply))
    }

    /// Queries the valid lifetime of a client's address; 0 without a lease.
    fn ask(&mut self, client: &Client) -> Result<u32, LiveError> {
        let transaction = self.send(client)?;
        loop {
            let (id, reply) = self.receive()?;
            // Answers to earlier queries may still arrive.
            if id == transaction {
                return valid_lifetime(reply, client);
            }
        }
    }

    /// Queries random clients at a rate until stopped; returns latencies in ns, from when each query was due.
    pub(crate) fn measure(
        &mut self,
        clients: u32,
        rate: u32,
        stop: &AtomicBool,
    ) -> Result<Vec<u64>, LiveError> {
        let (start, mut latencies, mut random) = (Instant::now(), Vec::new(), 1_u32);
        while !stop.load(Ordering::Relaxed) {
            let due = start + Duration::from_secs(1) * latencies.len() as u32 / rate;
            // A query that is late is sent at once, and its latency counts from its due time.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // A generator of its own, so that measuring costs nothing.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            self.ask(&Client::new(((u64::from(random) * u64::from(clients)) >> 32) as u32))?;
            latencies.push(due.elapsed().as_nanos() as u64);
        }
        Ok(latencies)
    }

    /// Measures how long new rows take to become visible, in ns, until stopped.
    pub(crate) fn freshness(
        &mut self,
        latest: &Mutex<Option<Mark>>,
        stop: &AtomicBool,
    ) -> Result<Vec<u64>, LiveError> {
        let mut times = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            // Taken, so that each row is measured once.
            let mark = latest.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(mark) = mark else {
                thread::sleep(LOOK_EVERY);
                continue;
            };
            let client = Client::new(mark.client);
            // A later row for the same client also shows that this one was read.
            while !is_seen(self.ask(&client)?, mark.valid_lifetime) {
                if mark.written.elapsed() > UNSEEN_MAX {
                    return Err(LiveError::Unseen(client.address));
                }
                thread::sleep(LOOK_EVERY);
            }
            times.push(mark.written.elapsed().as_nanos() as u64);
            thread::sleep(REST);
            // A row written during the pause is not measured from its beginning: skip it.
            latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        Ok(times)
    }

    /// Queries every client; returns the number of answers that differ from the file.
    pub(crate) fn compare(&mut self, kea: &Kea) -> Result<u32, LiveError> {
        let (mut wrong, mut asked) = (0, 0);
        while asked < kea.clients() {
            let window = asked..kea.clients().min(asked + WINDOW);
            let first = self.transaction + 1;
            for number in window.clone() {
                self.send(&Client::new(number))?;
            }
            for _ in window.clone() {
                let (id, reply) = self.receive()?;
                // Ids ascend, so that answers may arrive in any order.
                let number = asked + (id.wrapping_sub(first) & 0xff_ffff);
                if !window.contains(&number) {
                    return Err(LiveError::Reply);
                }
                let reported = valid_lifetime(reply, &Client::new(number))?;
                wrong += u32::from(reported != kea.valid_lifetime(number));
            }
            asked = window.end;
        }
        Ok(wrong)
    }
}

/// Whether an answer is from the row with this lifetime, or a later one: lifetimes only grow.
fn is_seen(reported: u32, written: u32) -> bool {
    reported == written || written > 0 && reported > written
}

/// Valid lifetime of the client's address in a reply; 0 without client data. Any other reply is wrong.
fn valid_lifetime(reply: &[u8], client: &Client) -> Result<u32, LiveError> {
    let option = |octets: &[u8], code| -> Option<Vec<u8>> {
        let mut options = Options::new(octets).map_while(Result::ok);
        options.find(|(found, _)| *found == code).map(|(_, value)| value.to_vec())
    };
    let options = reply.get(4..).ok_or(LiveError::Reply)?;
    // A status means that the query was refused.
    if option(options, OptionCode::STATUS_CODE).is_some() {
        return Err(LiveError::Reply);
    }
    let Some(data) = option(options, OptionCode::CLIENT_DATA) else { return Ok(0) };
    let mut leases =
        Options::new(&data).map_while(Result::ok).filter(|(code, _)| *code == OptionCode::IAADDR);
    let lease = leases.find(|(_, value)| value.starts_with(&client.address.octets()));
    let lifetime = lease.and_then(|(_, value)| value.get(20..24)?.try_into().ok()).map(u32::from_be_bytes);
    // The client is compared as well, as addresses pass from one to another.
    let is_client = option(&data, OptionCode::CLIENTID).is_some_and(|duid| duid == client.duid);
    lifetime.filter(|_| is_client).ok_or(LiveError::Reply)
}

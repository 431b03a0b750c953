//! A server on loopback, with a test protocol, over real sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddrV6, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lqd_stream::{Closed, Counters, Listener, Options, Progress, Refused, Server, Service, Session};
use socket2::SockRef;

/// Longest wait for any event, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
const BUFFER_LEN: usize = 128 << 10;

/// Service whose frames are 4 octets: the answer is that many octets (big endian) of value 7.
#[derive(Clone, Default)]
struct Zeros {
    buffers_filled: Arc<AtomicUsize>,
}

struct Session4 {
    input: Vec<u8>,
    frames: u64,
    owed: usize,
    closing: bool,
    buffers_filled: Arc<AtomicUsize>,
}

impl Service for Zeros {
    type Session = Session4;

    fn accept(&self, _peer: SocketAddrV6) -> Option<Session4> {
        let buffers_filled = Arc::clone(&self.buffers_filled);
        Some(Session4 { input: Vec::new(), frames: 0, owed: 0, closing: false, buffers_filled })
    }

    fn buffer_len(&self) -> usize {
        BUFFER_LEN
    }
}

impl Session for Session4 {
    fn wants_octets(&self) -> bool {
        self.owed == 0 && !self.closing
    }

    fn receive(&mut self, octets: &[u8]) {
        self.input.extend(octets);
        while let Some(frame) = self.input.first_chunk::<4>() {
            let octets = u32::from_be_bytes(*frame) as usize;
            self.input.drain(..4);
            self.frames += 1;
            assert!(octets != 0xdead, "a session that panics");
            self.owed += octets;
        }
    }

    fn receive_end(&mut self) {
        self.closing = true;
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn terminate(&mut self) {
        (self.owed, self.closing) = (0, true);
    }

    fn send(&mut self, buffer: &mut [u8]) -> Progress {
        let len = self.owed.min(buffer.len());
        self.owed -= len;
        buffer[..len].fill(7);
        match len {
            0 if self.closing => Progress::Close,
            0 => Progress::Idle,
            _ => {
                self.buffers_filled.fetch_add(1, Ordering::Relaxed);
                Progress::Octets(len)
            }
        }
    }
}

struct Running {
    server: Server,
    address: SocketAddrV6,
    counters: Arc<Counters>,
    buffers_filled: Arc<AtomicUsize>,
}

fn options() -> Options {
    Options { connections: 100, per_requestor: 100, timeout: PATIENCE, threads: 2 }
}

fn start(options: &Options) -> Running {
    let listener = Listener::bind("[::1]:0".parse().unwrap(), Duration::from_secs(300)).unwrap();
    let (counters, service) = (Arc::<Counters>::default(), Zeros::default());
    let buffers_filled = Arc::clone(&service.buffers_filled);
    let server =
        Server::start(std::slice::from_ref(&listener), options, &counters, move |_| service.clone()).unwrap();
    Running { server, address: listener.local_address(), counters, buffers_filled }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn closed(&self, reason: Closed) -> u64 {
        self.counters.closed(reason)
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Reads this many octets and compares them.
fn expect(stream: &mut TcpStream, octets: usize) {
    let mut read = vec![0; octets];
    stream.read_exact(&mut read).unwrap();
    assert!(read.iter().all(|octet| *octet == 7));
}

/// Returns whether the server closed the connection, with an end or a reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn octet_by_octet_and_several_frames_at_once() {
    let running = start(&options());
    let mut stream = running.connect();
    stream.set_nodelay(true).unwrap();
    for octet in 1_000_u32.to_be_bytes() {
        stream.write_all(&[octet]).unwrap();
    }
    expect(&mut stream, 1_000);
    let frames: Vec<u8> = [5_u32, 0, 70_000, 1].iter().flat_map(|octets| octets.to_be_bytes()).collect();
    stream.write_all(&frames).unwrap();
    expect(&mut stream, 70_006);
    drop(stream);
    until("the end is counted", || running.closed(Closed::ByPeer) == 1);
    assert_eq!(running.counters.octets(), (20, 71_006));
    assert_eq!((running.counters.accepted(), running.counters.open()), (1, 0));
    running.server.stop();
}

#[test]
fn a_half_closed_connection_gets_all_answers() {
    let running = start(&options());
    let mut stream = running.connect();
    stream.write_all(&50_000_000_u32.to_be_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    expect(&mut stream, 50_000_000);
    assert!(is_closed(&mut stream));
    until("the end is counted", || running.closed(Closed::ByPeer) == 1);
    running.server.stop();
}

#[test]
fn a_reader_that_takes_nothing_holds_one_buffer_and_does_not_hold_others_up() {
    let running = start(&Options { threads: 1, ..options() });
    let stalled: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = running.connect();
            stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
            stream
        })
        .collect();
    let filled = || running.buffers_filled.load(Ordering::Relaxed);
    until("each has begun", || filled() >= 50);
    let mut other = running.connect();
    other.write_all(&10_000_000_u32.to_be_bytes()).unwrap();
    expect(&mut other, 10_000_000);
    // Once the kernel is full, no more buffers are filled.
    let mut before = 0;
    until("the kernel takes no more", || {
        let now = filled();
        let same = now == std::mem::replace(&mut before, now);
        thread::sleep(Duration::from_millis(20));
        same
    });
    assert!(before < 50 * 100, "{before} buffers of {BUFFER_LEN} octets for 50 stalled readers");
    drop(stalled);
    until("they are gone", || running.counters.open() == 1);
    assert_eq!(running.closed(Closed::Reset), 50);
    running.server.stop();
}

#[test]
fn a_reset_closes() {
    let running = start(&options());
    let stream = running.connect();
    until("it is accepted", || running.counters.open() == 1);
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    until("the reset is counted", || running.closed(Closed::Reset) == 1);
    running.server.stop();
}

#[test]
fn connections_are_limited_and_the_last_slot_is_kept() {
    let running = start(&Options { connections: 3, ..options() });
    let mut held: Vec<_> = (0..2).map(|_| running.connect()).collect();
    until("both are open", || running.counters.open() == 2);
    assert!(is_closed(&mut running.connect()));
    until("it is counted", || running.counters.refused(Refused::LastSlot) == 1);
    held.truncate(1);
    until("one has ended", || running.counters.open() == 1);
    let mut again = running.connect();
    again.write_all(&9_u32.to_be_bytes()).unwrap();
    expect(&mut again, 9);
    running.server.stop();
}

#[test]
fn connections_of_one_requestor_are_limited() {
    let running = start(&Options { per_requestor: 1, ..options() });
    let _held = running.connect();
    until("it is open", || running.counters.open() == 1);
    assert!(is_closed(&mut running.connect()));
    until("it is counted", || running.counters.refused(Refused::PerRequestor) == 1);
    running.server.stop();
}

#[test]
fn a_session_that_panics_ends_its_connection_only() {
    let running = start(&Options { threads: 1, connections: 2, ..options() });
    let mut stream = running.connect();
    stream.write_all(&0xdead_u32.to_be_bytes()).unwrap();
    assert!(is_closed(&mut stream));
    until("it is counted", || running.closed(Closed::Failed) == 1);
    let mut next = running.connect();
    next.write_all(&9_u32.to_be_bytes()).unwrap();
    expect(&mut next, 9);
    running.server.stop();
}

#[test]
fn a_stop_closes_connections_and_the_port() {
    let running = start(&options());
    let mut idle = running.connect();
    let mut reading = running.connect();
    reading.write_all(&u32::MAX.to_be_bytes()).unwrap();
    expect(&mut reading, 1);
    let reader = thread::spawn(move || {
        let mut octets = vec![0; 1 << 20];
        while !matches!(reading.read(&mut octets), Ok(0) | Err(_)) {}
    });
    let (address, counters) = (running.address, Arc::clone(&running.counters));
    running.server.stop();
    assert!(is_closed(&mut idle));
    reader.join().unwrap();
    assert_eq!((counters.closed(Closed::Stopped), counters.open()), (2, 0));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_idle_connection_is_closed() {
    let running = start(&Options { timeout: Duration::from_millis(50), ..options() });
    assert!(is_closed(&mut running.connect()));
    until("it is counted", || running.closed(Closed::Idle) == 1);
    running.server.stop();
}

//! A leasequery server of three leases that answers with one fault, or none.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Valid and preferred lifetime of all leases, seconds from their last transaction on.
pub(crate) const VALID_LIFETIME: u64 = 90_000;
pub(crate) const PREFERRED_LIFETIME: u64 = 40_000;
/// Seconds since that when the tests begin.
const AGE: u64 = 3_600;

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// When the clients last spoke with the server, seconds since 1970; however long a test takes, the stub's answers fit.
pub(crate) fn last_transaction() -> u64 {
    static AT: OnceLock<u64> = OnceLock::new();
    *AT.get_or_init(|| now() - AGE)
}

const DUID_A: &[u8] = &[0, 3, 0xaa];
const DUID_B: &[u8] = &[0, 3, 0xbb];
const SERVER: &[u8] = &[0, 3, 0x55];
/// Lateness of a late answer, beyond the timeout of the tests.
const LATE: Duration = Duration::from_millis(400);

/// How answers differ from right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Silent,
    /// Octets that are no message.
    Rubbish,
    /// An option goes beyond the end.
    CutOption,
    /// The query comes back.
    Query,
    TransactionId,
    Twice,
    Requestor,
    NoServerId,
    NotAllowed,
    NoBinding,
    OtherClient,
    NoPrefix,
    NoCltTime,
    OtherAddress,
    Lifetime,
    Preferred,
    CltTime,
    /// Bindings for a free address.
    Unleased,
    EveryFourthLost,
    /// The first query of the load is answered after its timeout, with the next query that comes then.
    FirstLate,
}

/// The running server. Dropping it ends its thread.
pub(crate) struct Stub {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    pub(crate) fn start(fault: Fault) -> Self {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&socket, fault, &stopped));
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the stub server failed");
    }
}

/// A target where nothing listens.
pub(crate) fn closed_port() -> String {
    UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().to_string()
}

fn serve(socket: &UdpSocket, fault: Fault, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    let mut queries = 0_u64;
    let mut late = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, peer)) = socket.recv_from(&mut buffer) else { continue };
        queries += 1;
        let is_probe = queries == 1;
        let reply = reply(&buffer[..len], if is_probe { Fault::None } else { fault });
        match fault {
            Fault::Silent => continue,
            _ if is_probe => {}
            Fault::EveryFourthLost if queries % 4 == 1 => continue,
            Fault::FirstLate if queries == 2 => {
                late = Some((reply, Instant::now() + LATE));
                continue;
            }
            Fault::Twice => drop(socket.send_to(&reply, peer)),
            _ => {}
        }
        if let Some((late, _)) = late.take_if(|(_, due)| Instant::now() >= *due) {
            let _ = socket.send_to(&late, peer);
        }
        let _ = socket.send_to(&reply, peer);
    }
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// The value of the first option of this code.
fn find(mut octets: &[u8], code: u16) -> &[u8] {
    loop {
        let len = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
        if octets[..2] == code.to_be_bytes() {
            return &octets[4..4 + len];
        }
        octets = &octets[4 + len..];
    }
}

/// The DUID of the client that is asked about, if it has leases.
fn asked(query: &[u8]) -> Option<&'static [u8]> {
    let value = find(&query[4..], 44);
    let known = [DUID_A, DUID_B];
    if value[0] == 2 {
        return known.into_iter().find(|&duid| duid == find(&value[17..], 1));
    }
    let address: [u8; 16] = find(&value[17..], 5)[..16].try_into().unwrap();
    match Ipv6Addr::from(address).segments() {
        [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0xa] => Some(DUID_A),
        [0x2001, 0xdb8, 0xa, 0xaa00..=0xaaff, ..] => Some(DUID_A),
        [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0xb] => Some(DUID_B),
        _ => None,
    }
}

pub(crate) fn reply(query: &[u8], fault: Fault) -> Vec<u8> {
    assert_eq!(query[0], 14, "LEASEQUERY");
    let requestor = find(&query[4..], 1);
    let mut reply = vec![15, query[1], query[2], query[3]];
    match fault {
        Fault::Rubbish => return vec![15, 1],
        Fault::Query => return query.to_vec(),
        Fault::TransactionId => reply[1] ^= 0x55,
        _ => {}
    }
    reply.extend(option(1, if fault == Fault::Requestor { &[0, 3, 9] } else { requestor }));
    if fault != Fault::NoServerId {
        reply.extend(option(2, SERVER));
    }
    let client = asked(query).or((fault == Fault::Unleased).then_some(DUID_B));
    match client {
        _ if fault == Fault::NotAllowed => reply.extend(option(13, &[0, 10])),
        Some(_) if fault == Fault::NoBinding => {}
        Some(duid) => reply.extend(option(45, &client_data(duid, fault))),
        None => {}
    }
    if fault == Fault::CutOption {
        reply.extend([0, 99, 0, 1]);
    }
    reply
}

fn client_data(duid: &[u8], fault: Fault) -> Vec<u8> {
    let mut data = option(1, if fault == Fault::OtherClient { DUID_B } else { duid });
    let age = now() - last_transaction();
    let left = |lifetime: u64, wrong: Fault| {
        let more = if fault == wrong { 3600 } else { 0 };
        (lifetime + more).saturating_sub(age) as u32
    };
    let [preferred, valid] =
        [left(PREFERRED_LIFETIME, Fault::Preferred), left(VALID_LIFETIME, Fault::Lifetime)]
            .map(u32::to_be_bytes);
    let lifetimes = [preferred, valid].concat();
    let host = match fault {
        Fault::OtherAddress => 0x0c,
        _ if duid == DUID_A => 0x0a,
        _ => 0x0b,
    };
    let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host).octets();
    data.extend(option(5, &[&address[..], &lifetimes].concat()));
    if duid == DUID_A && fault != Fault::NoPrefix {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0xaa00, 0, 0, 0, 0).octets();
        data.extend(option(26, &[&lifetimes[..], &[56], &prefix].concat()));
    }
    if fault != Fault::NoCltTime {
        let clt_time = if fault == Fault::CltTime { 7 } else { age as u32 };
        data.extend(option(46, &clt_time.to_be_bytes()));
    }
    data
}

//! A leasequery server of three leases that answers with one defect, or none.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Valid and preferred lifetime of every lease, in seconds from its last transaction.
pub(crate) const VALID_LIFETIME: u64 = 90_000;
pub(crate) const PREFERRED_LIFETIME: u64 = 40_000;
/// Age of the last transaction at the start of the tests, in seconds.
const AGE: u64 = 3_600;

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Time of the clients' last transaction, seconds since 1970; fixed, so that the answers fit however long a
/// test takes.
pub(crate) fn last_transaction() -> u64 {
    static AT: OnceLock<u64> = OnceLock::new();
    *AT.get_or_init(|| now() - AGE)
}

const DUID_A: &[u8] = &[0, 3, 0xaa];
const DUID_B: &[u8] = &[0, 3, 0xbb];
const SERVER: &[u8] = &[0, 3, 0x55];
/// Delay of a late answer, beyond the timeout of the tests.
const LATE: Duration = Duration::from_millis(400);

/// Difference of the answers from right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    Silent,
    /// Octets that are not a message.
    Rubbish,
    /// An option that extends beyond the end.
    CutOption,
    /// The query itself.
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
    /// The first query of the load is answered after its timeout, with the next query that arrives then.
    FirstLate,
}

/// The running server. Dropping it ends its thread.
pub(crate) struct Stub {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    pub(crate) fn start(defect: Defect) -> Self {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&socket, defect, &stopped));
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

/// Returns a target where nothing listens.
pub(crate) fn closed_port() -> String {
    UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().to_string()
}

fn serve(socket: &UdpSocket, defect: Defect, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    let mut queries = 0_u64;
    let mut late = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, peer)) = socket.recv_from(&mut buffer) else { continue };
        queries += 1;
        let is_probe = queries == 1;
        let reply = reply(&buffer[..len], if is_probe { Defect::None } else { defect });
        match defect {
            Defect::Silent => continue,
            _ if is_probe => {}
            Defect::EveryFourthLost if queries % 4 == 1 => continue,
            Defect::FirstLate if queries == 2 => {
                late = Some((reply, Instant::now() + LATE));
                continue;
            }
            Defect::Twice => drop(socket.send_to(&reply, peer)),
            _ => {}
        }
        // Sent with the next query, so that no timer is needed.
        if let Some((late, _)) = late.take_if(|(_, due)| Instant::now() >= *due) {
            let _ = socket.send_to(&late, peer);
        }
        let _ = socket.send_to(&reply, peer);
    }
}

pub(crate) fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// Returns the value of the first option of this code.
pub(crate) fn find(mut octets: &[u8], code: u16) -> &[u8] {
    loop {
        let len = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
        if octets[..2] == code.to_be_bytes() {
            return &octets[4..4 + len];
        }
        octets = &octets[4 + len..];
    }
}

/// Returns the DUID of the queried client, if it has leases.
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

pub(crate) fn reply(query: &[u8], defect: Defect) -> Vec<u8> {
    assert_eq!(query[0], 14, "LEASEQUERY");
    let requestor = find(&query[4..], 1);
    let mut reply = vec![15, query[1], query[2], query[3]];
    match defect {
        Defect::Rubbish => return vec![15, 1],
        Defect::Query => return query.to_vec(),
        Defect::TransactionId => reply[1] ^= 0x55,
        _ => {}
    }
    reply.extend(option(1, if defect == Defect::Requestor { &[0, 3, 9] } else { requestor }));
    if defect != Defect::NoServerId {
        reply.extend(option(2, SERVER));
    }
    let client = asked(query).or((defect == Defect::Unleased).then_some(DUID_B));
    match client {
        _ if defect == Defect::NotAllowed => reply.extend(option(13, &[0, 10])),
        Some(_) if defect == Defect::NoBinding => {}
        Some(duid) => reply.extend(option(45, &client_data(duid, defect))),
        None => {}
    }
    if defect == Defect::CutOption {
        reply.extend([0, 99, 0, 1]);
    }
    reply
}

fn client_data(duid: &[u8], defect: Defect) -> Vec<u8> {
    let mut data = option(1, if defect == Defect::OtherClient { DUID_B } else { duid });
    let age = now() - last_transaction();
    let left = |lifetime: u64, wrong: Defect| {
        let more = if defect == wrong { 3600 } else { 0 };
        (lifetime + more).saturating_sub(age) as u32
    };
    let [preferred, valid] =
        [left(PREFERRED_LIFETIME, Defect::Preferred), left(VALID_LIFETIME, Defect::Lifetime)]
            .map(u32::to_be_bytes);
    let lifetimes = [preferred, valid].concat();
    let host = match defect {
        Defect::OtherAddress => 0x0c,
        _ if duid == DUID_A => 0x0a,
        _ => 0x0b,
    };
    let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host).octets();
    data.extend(option(5, &[&address[..], &lifetimes].concat()));
    if duid == DUID_A && defect != Defect::NoPrefix {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0xaa00, 0, 0, 0, 0).octets();
        data.extend(option(26, &[&lifetimes[..], &[56], &prefix].concat()));
    }
    if defect != Defect::NoCltTime {
        let clt_time = if defect == Defect::CltTime { 7 } else { age as u32 };
        data.extend(option(46, &clt_time.to_be_bytes()));
    }
    data
}

//! A server of active leasequery that follows a lease file and tells each row, with one fault or none.
//!
//! It is written octet by octet: neither its reader of rows nor its messages share code with lqload.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::stub::{find, option};

/// Difference of the server from a right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Only the last of several rows of one address is told, as RFC 7653 allows.
    Conflating,
    /// REPLY with NotAllowed.
    Refused,
    /// Changes of the first address of the churn are not told.
    Lost,
    /// Removals are not told.
    NoRemovals,
    /// Nothing is told from the 600th row on.
    Stuck,
    /// Every client's DUID is that of the next one.
    OtherClient,
    /// Rows are told a second and a half later.
    Late,
    /// Each row is followed by the first one of its address.
    Older,
    /// Valid lifetimes of a day.
    Lifetime,
    /// An age of a year.
    CltTime,
    /// DATA with an error status.
    Status,
    /// An option that extends beyond the end.
    CutOption,
    TransactionId,
    NoServerId,
    NoBaseTime,
    BaseTimeBack,
    /// DONE with QueryTerminated after 100 rows.
    Terminated,
    /// The connection is closed after 100 rows.
    Closed,
}

/// The running server. Dropping it ends its threads.
pub(crate) struct Stub {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    pub(crate) fn start(leases: &Path, fault: Fault) -> Self {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, leases) = (Arc::clone(&stop), leases.to_owned());
        let thread = thread::spawn(move || accept(&listener, &leases, fault, &stopped));
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the stub server failed");
    }
}

fn accept(listener: &TcpListener, leases: &Path, fault: Fault, stop: &Arc<AtomicBool>) {
    let mut threads = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (leases, stop) = (leases.to_owned(), Arc::clone(stop));
        threads.push(thread::spawn(move || Session::run(stream, leases, fault, &stop)));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A lease of the file.
#[derive(Clone, PartialEq)]
struct Lease {
    address: String,
    duid: Vec<u8>,
    valid: u64,
    preferred: u64,
    expire: u64,
    /// Prefix length; none of an address.
    len: Option<u8>,
    is_assigned: bool,
}

struct Session {
    stream: TcpStream,
    fault: Fault,
    transaction_id: [u8; 3],
    with_base_time: bool,
    holders: HashMap<String, Vec<u8>>,
    first: HashMap<String, Lease>,
    first_address: Option<String>,
    rows: u32,
}

impl Session {
    fn run(mut stream: TcpStream, leases: PathBuf, fault: Fault, stop: &AtomicBool) {
        let mut len = [0; 2];
        stream.read_exact(&mut len).unwrap();
        let mut query = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut query).unwrap();
        let requestor = find(&query[4..], 1).to_vec();
        let with_base_time = query.ends_with(&[0, 6, 0, 2, 0, 100]);
        assert_eq!((query[0], query.len()), (22, 8 + requestor.len() + if with_base_time { 6 } else { 0 }));
        let mut session = Self {
            stream,
            fault,
            transaction_id: query[1..4].try_into().unwrap(),
            with_base_time,
            holders: HashMap::new(),
            first: HashMap::new(),
            first_address: None,
            rows: 0,
        };
        // The file as it is now is known to all; the churn begins after the replies.
        let mut file = File::open(leases).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        session.reply(&requestor);
        session.follow(&mut file, stop);
    }

    fn reply(&mut self, requestor: &[u8]) {
        let mut options = option(1, requestor);
        if self.fault != Fault::NoServerId {
            options.extend(option(2, &[0, 3, 0x55]));
        }
        if self.fault == Fault::Refused {
            options.extend(option(13, &[0, 10]));
        }
        self.send(15, &options);
    }

    fn follow(&mut self, file: &mut File, stop: &AtomicBool) {
        let (mut text, mut waiting) = (Vec::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            file.read_to_end(&mut text).unwrap();
            let whole = text.iter().rposition(|&octet| octet == b'\n').map_or(0, |end| end + 1);
            let rows: Vec<u8> = text.drain(..whole).collect();
            let rows = String::from_utf8(rows).unwrap();
            let now = Instant::now();
            waiting.extend(rows.lines().map(|row| (now, lease(row))));
            let delay = Duration::from_millis(if self.fault == Fault::Late { 1500 } else { 0 });
            let due = waiting.partition_point(|(at, _)| at.elapsed() >= delay);
            let rows: Vec<Lease> = waiting.drain(..due).map(|(_, lease)| lease).collect();
            for (number, row) in rows.iter().enumerate() {
                let is_last = || rows[number + 1..].iter().all(|later| later.address != row.address);
                if self.fault != Fault::Conflating || is_last() {
                    self.row(row.clone());
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn row(&mut self, mut row: Lease) {
        self.rows += 1;
        let first = self.first_address.get_or_insert_with(|| row.address.clone()).clone();
        match self.fault {
            Fault::Lost if row.address == first => return,
            Fault::NoRemovals if !row.is_assigned => return,
            Fault::Stuck if self.rows >= 600 => return,
            Fault::Terminated if self.rows == 100 => self.send(16, &option(13, &[0, 11])),
            Fault::Closed if self.rows == 100 => drop(self.stream.shutdown(std::net::Shutdown::Both)),
            Fault::Status if self.rows == 100 => self.send(17, &option(13, &[0, 1])),
            Fault::CutOption if self.rows == 100 => self.send(17, &[0, 45, 0, 9]),
            // A keep-alive.
            _ if self.rows == 100 => self.send(17, &[]),
            _ => {}
        }
        if row.is_assigned {
            self.holders.insert(row.address.clone(), row.duid.clone());
        } else {
            // A row that removes a lease may lack its holder.
            row.duid = self.holders.remove(&row.address).unwrap_or(vec![9]);
        }
        self.tell(&row);
        let first = self.first.entry(row.address.clone()).or_insert_with(|| row.clone()).clone();
        if self.fault == Fault::Older && first != row {
            self.tell(&first);
        }
    }

    fn tell(&mut self, row: &Lease) {
        let now = now();
        let left = |lifetime: u64| match (row.is_assigned, self.fault) {
            (false, _) => 0,
            (_, Fault::Lifetime) => 86_400,
            _ => (row.expire - row.valid + lifetime - now) as u32,
        };
        let lifetimes = [left(row.preferred), left(row.valid)].map(u32::to_be_bytes).concat();
        let address = row.address.parse::<Ipv6Addr>().unwrap().octets();
        let mut duid = row.duid.clone();
        if self.fault == Fault::OtherClient {
            *duid.last_mut().unwrap() ^= 1;
        }
        let mut data = option(1, &duid);
        data.extend(match row.len {
            None => option(5, &[&address[..], &lifetimes].concat()),
            Some(len) => option(26, &[&lifetimes[..], &[len], &address].concat()),
        });
        let age: u32 = if self.fault == Fault::CltTime { 31_536_000 } else { 0 };
        data.extend(option(46, &age.to_be_bytes()));
        self.send(17, &option(45, &data));
    }

    fn send(&mut self, kind: u8, options: &[u8]) {
        let mut message = vec![kind];
        message.extend(self.transaction_id);
        if self.fault == Fault::TransactionId && self.rows == 100 {
            message[1] ^= 0x55;
        }
        message.extend(options);
        if self.with_base_time && self.fault != Fault::NoBaseTime {
            let back = if self.fault == Fault::BaseTimeBack { self.rows } else { 0 };
            // Seconds since 2000 (RFC 7653 §6.3.1).
            let base_time = now() as u32 - 946_684_800 - back;
            message.extend(option(100, &base_time.to_be_bytes()));
        }
        let mut frame = (message.len() as u16).to_be_bytes().to_vec();
        frame.extend(message);
        // The requestor may have closed the connection.
        let _ = self.stream.write_all(&frame);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Parses a row by its columns.
fn lease(row: &str) -> Lease {
    let columns: Vec<&str> = row.split(',').collect();
    assert_eq!(columns.len(), 18, "{row}");
    let number = |column: usize| columns[column].parse::<u64>().unwrap();
    let (valid, state) = (number(2), columns[13]);
    Lease {
        address: columns[0].to_owned(),
        duid: columns[1].split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect(),
        valid,
        expire: number(3),
        preferred: number(5),
        len: (columns[6] == "2").then(|| columns[8].parse().unwrap()),
        is_assigned: valid > 0 && state == "0",
    }
}

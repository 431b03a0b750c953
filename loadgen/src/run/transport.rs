//! Transfer of datagrams: batches of queries out, answers in.

use std::io;
use std::net::SocketAddrV6;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use lqd_net::{ConnectError, ConnectedSocket, ConnectedSocketOptions};
use lqd_wire::{NoRoomError, Writer};

use crate::error::Error;

/// Most datagrams of a batch, the limit of one UDP_SEGMENT send.
pub(super) const BATCH_MAX: usize = 64;
/// Requested socket buffers in bytes, for datagrams that arrive while the thread is delayed. The system may
/// grant less.
const SOCKET_BUFFER: usize = 8 << 20;
/// Longest time for which a full send buffer is retried.
const SEND_PATIENCE: Duration = Duration::from_millis(100);
/// Interval of the retries.
const SEND_RETRY: Duration = Duration::from_micros(20);

/// Datagrams, one after the other in one buffer.
pub(super) struct Batch {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Makes room for [`BATCH_MAX`] datagrams of this length.
    pub(super) fn new(datagram_len_max: usize) -> Self {
        // Fixed from the start, so that sending never allocates.
        Self { octets: vec![0; BATCH_MAX * datagram_len_max], ends: Vec::with_capacity(BATCH_MAX) }
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
    }

    /// Number of datagrams.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Appends the datagram that `write` encodes.
    pub(super) fn push(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), NoRoomError>,
    ) -> Result<(), NoRoomError> {
        let start = self.ends.last().copied().unwrap_or(0);
        let mut writer = Writer::new(&mut self.octets[start..]);
        write(&mut writer)?;
        self.ends.push(start + writer.position());
        Ok(())
    }

    /// Appends a datagram; the buffer grows if needed.
    pub(super) fn push_octets(&mut self, octets: &[u8]) {
        let start = self.ends.last().copied().unwrap_or(0);
        let end = start + octets.len();
        // Answers may be of any length, unlike queries.
        if end > self.octets.len() {
            // Doubled, so that a batch of long answers grows it once.
            self.octets.resize(2 * end, 0);
        }
        self.octets[start..end].copy_from_slice(octets);
        self.ends.push(end);
    }

    /// The datagrams, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.octets[start..end])
    }
}

/// A socket connected to the target, with a source port of its own.
pub(super) struct Transport(ConnectedSocket);

impl Transport {
    /// Opens a socket; with `gso`, up to so many queries of one size leave together, and answers may arrive
    /// together.
    pub(super) fn connect(target: SocketAddrV6, gso: Option<NonZeroU16>) -> Result<Self, ConnectError> {
        let options = ConnectedSocketOptions {
            receive_buffer: SOCKET_BUFFER,
            send_buffer: SOCKET_BUFFER,
            gso,
            // Aggregates are only received where sends are coalesced too.
            gro: gso.is_some(),
        };
        ConnectedSocket::connect(target, options).map(Self)
    }

    /// Sends the whole batch in order. After an error the rest is still sent; the last error is returned.
    pub(super) fn send(&mut self, batch: &Batch) -> io::Result<()> {
        let Batch { octets, ends } = batch;
        let mut all = Ok(());
        let mut sent = 0;
        let mut full_since = None;
        while sent < ends.len() {
            // Datagrams before this one have left.
            let start = sent.checked_sub(1).map_or(0, |before| ends[before]);
            let rest: Vec<usize>;
            // Offsets count from the first datagram still to be sent, mostly the first of all.
            let rest_ends = if start == 0 {
                &ends[..]
            } else {
                rest = ends[sent..].iter().map(|end| end - start).collect();
                &rest
            };
            match self.0.send(&octets[start..], rest_ends) {
                // The send buffer is full, which passes.
                Ok(0) => {
                    let since = *full_since.get_or_insert_with(Instant::now);
                    // A buffer that stays full for so long does not drain at all.
                    if since.elapsed() > SEND_PATIENCE {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    std::thread::sleep(SEND_RETRY);
                }
                Ok(count) => (sent, full_since) = (sent + count, None),
                // The error may belong to an earlier datagram to a closed port: this one is tried once more,
                // then skipped.
                Err(error) => {
                    if all.is_err() {
                        // The second error belongs to this datagram.
                        sent += 1;
                    }
                    all = Err(error);
                }
            }
        }
        all
    }

    /// Passes received datagrams to `take`, waiting for the first; returns their number.
    pub(super) fn receive(&mut self, wait: Duration, take: impl FnMut(&[u8])) -> io::Result<usize> {
        self.0.receive(wait, take)
    }

    /// Number of datagrams that this host has dropped since the start, because they were not read in time.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns the conversion of a connection error.
pub(super) fn connect_error(target: SocketAddrV6) -> impl FnOnce(ConnectError) -> Error {
    move |source| Error::Connect { target, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn target() -> (UdpSocket, SocketAddrV6) {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        let Ok(std::net::SocketAddr::V6(address)) = socket.local_addr() else {
            unreachable!("bound to IPv6")
        };
        (socket, address)
    }

    #[test]
    fn a_batch_arrives_in_order() {
        for gso in [None, NonZeroU16::new(64)] {
            let (target, address) = target();
            let mut transport = Transport::connect(address, gso).unwrap();
            let mut batch = Batch::new(16);
            // Lengths rise by pairs, so that runs of equal ones end in between.
            for number in 0..5 {
                batch.push(|w| w.put(&vec![number; usize::from(number / 2) + 1])).unwrap();
            }
            transport.send(&batch).unwrap();
            let mut buffer = [0; 16];
            // Long, as a busy machine may delay the datagrams.
            target.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            for number in 0..5 {
                let (len, source) = target.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..len], vec![number; usize::from(number / 2) + 1]);
                target.send_to(&buffer[..len], source).unwrap();
            }
            let mut back = Vec::new();
            while back.len() < 5 {
                let received =
                    transport.receive(Duration::from_secs(20), |datagram| back.push(datagram.to_vec()));
                assert!(received.unwrap() > 0, "nothing came within 20 s");
            }
            assert_eq!(back, [vec![0], vec![1], vec![2, 2], vec![3, 3], vec![4, 4, 4]]);
        }
    }

    #[test]
    fn a_closed_port_is_an_error_and_silence_is_none() {
        let (target, address) = target();
        let mut transport = Transport::connect(address, None).unwrap();
        assert_eq!(transport.receive(Duration::ZERO, |_| panic!("nothing was sent")).unwrap(), 0);
        // Closed after connecting, so that the port is known and has no socket.
        drop(target);
        let mut batch = Batch::new(16);
        batch.push(|w| w.put(&[1])).unwrap();
        let refused =
            transport.send(&batch).and_then(|()| transport.receive(Duration::from_secs(20), |_| {}));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}

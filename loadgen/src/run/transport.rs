//! Moving datagrams.
//!
//! The trait is what a run needs of the network, in batches on both ways, so that a back end with fewer
//! system calls (sendmmsg, UDP_SEGMENT, a ring) fits behind it. [`Udp`] is the plain one: a system call for
//! each datagram, correct everywhere.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use lqd_wire::{NoRoom, Writer};
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::SockRef;

/// Most datagrams of a batch; as many as one UDP_SEGMENT send may carry.
pub(super) const BATCH_MAX: usize = 64;
/// Receive buffer asked for: what may arrive while this thread is held up.
const RECEIVE_BUFFER: usize = 8 << 20;
/// How long a full send buffer may stay full.
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// Datagrams to send, one after the other in one buffer.
pub(super) struct Batch {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Room for [`BATCH_MAX`] datagrams of so many octets.
    pub(super) fn new(datagram_len_max: usize) -> Self {
        Self { octets: vec![0; BATCH_MAX * datagram_len_max], ends: Vec::with_capacity(BATCH_MAX) }
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
    }

    /// Appends the datagram that `write` writes.
    pub(super) fn push(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), NoRoom>,
    ) -> Result<(), NoRoom> {
        let start = self.ends.last().copied().unwrap_or(0);
        let mut writer = Writer::new(&mut self.octets[start..]);
        write(&mut writer)?;
        self.ends.push(start + writer.len());
        Ok(())
    }

    /// The datagrams in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.octets[start..end])
    }
}

/// A way to the target and back.
pub(super) trait Transport {
    /// Sends the whole batch, in order. The error of one datagram does not keep back the next; the last error
    /// is returned, with all datagrams tried.
    fn send(&mut self, batch: &Batch) -> io::Result<()>;

    /// Waits up to `wait` for a datagram and hands this one, and those that have come with it, to `take`.
    fn receive(&mut self, wait: Duration, take: impl FnMut(&[u8])) -> io::Result<()>;
}

/// A connected socket, which hears the target only, and of a closed port.
pub(super) struct Udp {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Udp {
    /// Opens a socket on a port of its own.
    pub(super) fn connect(target: SocketAddrV6) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        // The system may grant less; an answer lost to that counts as lost.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        Ok(Self { socket, buffer: vec![0; lqd_wire::DATAGRAM_LEN_MAX] })
    }

    /// Waits until the socket is ready, or the time is over.
    fn wait(&self, flags: PollFlags, wait: Duration) -> io::Result<()> {
        let mut polled = [PollFd::new(&self.socket, flags)];
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match rustix::event::poll(&mut polled, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        match self.socket.send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.wait(PollFlags::OUT, SEND_PATIENCE)?;
                self.socket.send(datagram).map(|_| ())
            }
            sent => sent.map(|_| ()),
        }
    }
}

impl Transport for Udp {
    fn send(&mut self, batch: &Batch) -> io::Result<()> {
        let mut all = Ok(());
        for datagram in batch.iter() {
            all = self.send_one(datagram).and(all);
        }
        all
    }

    fn receive(&mut self, wait: Duration, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut waited = false;
        let mut received = 0;
        while received < BATCH_MAX {
            match self.socket.recv(&mut self.buffer) {
                Ok(len) => {
                    take(&self.buffer[..len]);
                    received += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if received > 0 || waited {
                        break;
                    }
                    self.wait(PollFlags::IN, wait)?;
                    waited = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_arrives_in_order() {
        let target = UdpSocket::bind("[::1]:0").unwrap();
        let Ok(std::net::SocketAddr::V6(address)) = target.local_addr() else {
            unreachable!("bound to IPv6")
        };
        let mut udp = Udp::connect(address).unwrap();
        let mut batch = Batch::new(16);
        for number in 0..3 {
            batch.push(|w| w.put(&vec![number; usize::from(number) + 1])).unwrap();
        }
        udp.send(&batch).unwrap();
        let mut buffer = [0; 16];
        target.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for number in 0..3 {
            let (len, source) = target.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..len], vec![number; usize::from(number) + 1]);
            target.send_to(&buffer[..len], source).unwrap();
        }
        let mut back = Vec::new();
        for _ in 0..3 {
            if back.len() == 3 {
                break; // they may come together
            }
            udp.receive(Duration::from_secs(20), |datagram| back.push(datagram.to_vec())).unwrap();
        }
        assert_eq!(back, [vec![0], vec![1, 1], vec![2, 2, 2]]);
    }

    #[test]
    fn a_closed_port_is_an_error_and_silence_is_none() {
        let target = UdpSocket::bind("[::1]:0").unwrap();
        let Ok(std::net::SocketAddr::V6(address)) = target.local_addr() else {
            unreachable!("bound to IPv6")
        };
        let mut udp = Udp::connect(address).unwrap();
        udp.receive(Duration::ZERO, |_| panic!("nothing was sent")).unwrap();
        drop(target);
        let mut batch = Batch::new(16);
        batch.push(|w| w.put(&[1])).unwrap();
        let refused = udp.send(&batch).and_then(|()| udp.receive(Duration::from_secs(20), |_| {}));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}

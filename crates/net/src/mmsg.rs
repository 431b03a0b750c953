//! The back end of `poll`, `recvmmsg` and `sendmmsg`: the same promises as io_uring, for every Linux.

use std::io;
use std::os::fd::RawFd;

use crate::counters::last_error_result;
use crate::datagram::{BATCH_MAX, Datagram};
use crate::replies::{Replies, Transport};
use crate::reply_area::ReplyArea;
use crate::worker::RECEIVE_FAILURES_MAX;
use crate::{NetCounters, RunError, Service, Socket, StopSignal, WorkerSettings};

mod receive;

use receive::ReceiveArea;

/// Serves until stopped; see [`Worker::run`](crate::Worker::run).
pub(crate) fn run(
    settings: &WorkerSettings,
    sockets: &[Socket],
    stop: &StopSignal,
    counters: &NetCounters,
    service: &mut impl Service,
) -> Result<(), RunError> {
    let mut loop_state = Mmsg::new(settings, sockets, stop, counters)?;
    while loop_state.wait()? {
        for socket in 0..sockets.len() {
            if loop_state.polled[socket].revents != 0 {
                loop_state.turn(socket, service)?;
            }
        }
    }
    Ok(())
}

struct Mmsg<'a> {
    sockets: &'a [Socket],
    counters: &'a NetCounters,
    /// One entry per socket, in order, then the stop signal.
    polled: Vec<libc::pollfd>,
    /// Receive errors in a row, per socket.
    failures: Vec<u32>,
    received: ReceiveArea,
    area: ReplyArea,
}

impl<'a> Mmsg<'a> {
    fn new(
        settings: &WorkerSettings,
        sockets: &'a [Socket],
        stop: &StopSignal,
        counters: &'a NetCounters,
    ) -> Result<Self, RunError> {
        let polled = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let descriptors = sockets.iter().map(Socket::as_raw_fd).chain([stop.as_raw_fd()]);
        Ok(Self {
            sockets,
            counters,
            polled: descriptors.map(polled).collect(),
            failures: vec![0; sockets.len()],
            received: ReceiveArea::new(settings.buffer_len)?,
            area: ReplyArea::new().map_err(|source| RunError::Memory { len: ReplyArea::LEN, source })?,
        })
    }

    /// Waits for datagrams or the stop signal; false once that is given.
    fn wait(&mut self) -> Result<bool, RunError> {
        // SAFETY: `polled` is a live array of as many entries; the kernel writes `revents` before it returns.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, -1) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(RunError::Wait(error));
            }
            self.polled.iter_mut().for_each(|entry| entry.revents = 0);
        }
        Ok(self.polled.last().is_none_or(|stop| stop.revents == 0))
    }

    /// Receives, serves and answers one batch of `socket`.
    fn turn(&mut self, socket: usize, service: &mut impl Service) -> Result<(), RunError> {
        let fd = self.sockets[socket].as_raw_fd();
        let count = match self.received.fill(fd) {
            Ok(count) => count,
            Err(error) => return self.failed(socket, error),
        };
        self.failures[socket] = 0;
        let mut batch = [Datagram::EMPTY; BATCH_MAX];
        let mut len = 0;
        for datagram in (0..count).filter_map(|slot| self.received.datagram(slot)) {
            batch[len] = datagram;
            len += 1;
        }
        self.counters.truncated.add((count - len) as u64);
        if len > 0 {
            self.counters.received.add(len as u64);
            let mut sender = Sender { fd, counters: self.counters };
            let mut replies = Replies { area: &mut self.area, transport: &mut sender, socket: socket as u16 };
            service.serve(&batch[..len], &mut replies);
            sender.make_room(&mut self.area);
        }
        Ok(())
    }

    /// Judges a failed receive: nothing there is no failure, others are borne [`RECEIVE_FAILURES_MAX`] times.
    fn failed(&mut self, socket: usize, source: io::Error) -> Result<(), RunError> {
        if matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Ok(());
        }
        self.counters.receive_errors.add(1);
        self.failures[socket] += 1;
        if self.failures[socket] < RECEIVE_FAILURES_MAX {
            return Ok(());
        }
        Err(RunError::Receive { address: self.sockets[socket].local_address(), source })
    }
}

/// Sends by one socket.
struct Sender<'a> {
    fd: RawFd,
    counters: &'a NetCounters,
}

impl Transport for Sender<'_> {
    fn make_room(&mut self, area: &mut ReplyArea) {
        area.send_waiting(|headers| self.send(headers));
    }
}

impl Sender<'_> {
    /// Sends all `headers`, or counts why not; one that fails does not hold up the next.
    fn send(&self, headers: &mut [libc::mmsghdr]) {
        let mut rest = headers;
        while !rest.is_empty() {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: every header in `rest` points into the reply area, which lives and rests until this
            // returns (ReplyArea I1, I2); the kernel writes nothing but their `msg_len`.
            let sent = unsafe { libc::sendmmsg(self.fd, rest.as_mut_ptr(), rest.len() as _, flags as _) };
            let done = match usize::try_from(sent) {
                Ok(sent) => {
                    self.counters.sent.add(sent as u64);
                    sent
                }
                Err(_) => match last_error_result() {
                    interrupted if interrupted == -libc::EINTR => 0,
                    result => {
                        self.counters.count_send(result); // the error of the first it did not send
                        1
                    }
                },
            };
            rest = &mut rest[done..];
        }
    }
}

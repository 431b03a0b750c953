//! The back end over `poll`, `recvmmsg` and `sendmmsg`: behaves as io_uring does, on every Linux.

use std::io;
use std::os::fd::RawFd;

use crate::coalesce::Run;
use crate::counters::last_error_result;
use crate::limits::RECEIVE_FAILURES_MAX;
use crate::receive_area::ReceiveArea;
use crate::received::{Received, serve_in_batches};
use crate::replies::{Replies, Transport};
use crate::reply_area::ReplyArea;
use crate::{NetCounters, RunError, Service, Socket, StopSignal, WorkerSettings, resend};

/// Serves until stopped; see [`Worker::run`](crate::Worker::run).
pub(crate) fn run(
    settings: &WorkerSettings,
    sockets: &[Socket],
    stop: &StopSignal,
    counters: &NetCounters,
    service: &mut impl Service,
) -> Result<(), RunError> {
    // Everything is allocated before the service starts, so that serving allocates nothing.
    let mut loop_state = Mmsg::new(settings, sockets, stop, counters)?;
    service.started();
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
    /// Entries of all sockets, in order, then of the stop signal.
    polled: Vec<libc::pollfd>,
    /// Consecutive receive errors, by socket.
    failures: Vec<u32>,
    /// Drop count of each socket, as last reported by the kernel.
    overflowed: Vec<u32>,
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
        // POLLERR and POLLHUP come without being asked for.
        let polled = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // The stop signal comes last, so that sockets keep their own index.
        let descriptors = sockets.iter().map(Socket::as_raw_fd).chain([stop.as_raw_fd()]);
        let buffer_len = settings.buffer_len;
        let received = ReceiveArea::new(buffer_len)
            .map_err(|source| RunError::Memory { len: ReceiveArea::mapped_len(buffer_len), source })?;
        Ok(Self {
            sockets,
            counters,
            polled: descriptors.map(polled).collect(),
            failures: vec![0; sockets.len()],
            overflowed: vec![0; sockets.len()],
            received,
            area: ReplyArea::new(settings.coalescing(sockets))
                .map_err(|source| RunError::Memory { len: ReplyArea::LEN, source })?,
        })
    }

    /// Waits for datagrams or the stop signal; returns false once stopped.
    fn wait(&mut self) -> Result<bool, RunError> {
        // SAFETY: `polled` is a live array of as many entries; the kernel writes `revents` before it returns.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t, -1) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(RunError::Wait(error));
            }
            // After a signal `revents` still hold the previous result.
            self.polled.iter_mut().for_each(|entry| entry.revents = 0);
        }
        // The stop signal is checked on each return, so that traffic cannot hold it up.
        Ok(self.polled.last().is_none_or(|stop| stop.revents == 0))
    }

    /// Receives the datagrams queued at `socket`, and answers each batch as soon as it is served.
    fn turn(&mut self, socket: usize, service: &mut impl Service) -> Result<(), RunError> {
        let fd = self.sockets[socket].as_raw_fd();
        // One call takes all datagrams queued, up to a batch.
        let count = match self.received.fill(fd) {
            Ok(count) => count,
            Err(error) => return self.failed(socket, error),
        };
        // Only consecutive errors count.
        self.failures[socket] = 0;
        let mut sender = Sender { fd, socket: socket as u16, counters: self.counters };
        let area = &mut self.area;
        // Replies of a batch leave together, while the next one is received.
        let receives = (0..count).map(|number| {
            let message = self.received.message(number)?;
            Received::parse(message.payload, message.name, message.control)
        });
        serve_in_batches(receives, self.counters, &mut self.overflowed[socket], |batch| {
            let mut replies = Replies { area, transport: &mut sender, socket: socket as u16 };
            service.serve(batch, &mut replies);
            sender.make_room(area);
        });
        Ok(())
    }

    /// Classifies a failed receive: an empty queue is no failure, others are tolerated
    /// [`RECEIVE_FAILURES_MAX`] times.
    fn failed(&mut self, socket: usize, source: io::Error) -> Result<(), RunError> {
        if matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Ok(());
        }
        // A socket that fails over and over would spin, so errors are counted.
        self.counters.receive_errors.add(1);
        self.failures[socket] += 1;
        if self.failures[socket] < RECEIVE_FAILURES_MAX {
            return Ok(());
        }
        Err(RunError::Receive { address: self.sockets[socket].local_address(), source })
    }
}

/// Sender of one socket.
struct Sender<'a> {
    fd: RawFd,
    socket: u16,
    counters: &'a NetCounters,
}

impl Transport for Sender<'_> {
    fn make_room(&mut self, area: &mut ReplyArea) {
        // The kernel takes no more from this route as one send.
        let refused = area.send_waiting(|headers, runs| self.send(headers, runs));
        if refused {
            area.stop_coalescing(self.socket);
        }
    }
}

impl Sender<'_> {
    /// Sends all `headers` and counts the outcome of each; a failed one does not stop the next. Returns
    /// whether the kernel refused one because of coalescing.
    fn send(&self, headers: &mut [libc::mmsghdr], runs: &[Run]) -> bool {
        let mut refused = false;
        let mut done = 0;
        while done < headers.len() {
            let rest = &mut headers[done..];
            // A worker must not wait for one full send buffer.
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: every header in `rest` points into the reply area, which lives and rests until this
            // returns (ReplyArea I1, I2); the kernel writes nothing but their `msg_len`.
            let sent = unsafe { libc::sendmmsg(self.fd, rest.as_mut_ptr(), rest.len() as _, flags as _) };
            match usize::try_from(sent) {
                Ok(sent) => {
                    runs[done..done + sent].iter().for_each(|&run| self.counters.count_send(0, run));
                    done += sent;
                }
                Err(_) => match last_error_result() {
                    // A signal sent nothing, so the same header is tried again.
                    interrupted if interrupted == -libc::EINTR => {}
                    result => {
                        // `sendmmsg` failed at the first unsent header.
                        refused |= self.failed(&headers[done].msg_hdr, runs[done], result);
                        // The refused header is skipped, so that one requestor cannot stop the others.
                        done += 1;
                    }
                },
            }
        }
        refused
    }

    fn failed(&self, header: &libc::msghdr, run: Run, result: i32) -> bool {
        if !resend::is_refusal(run, result) {
            self.counters.count_send(result, run);
            return false;
        }
        // SAFETY: the reply area lent this header, with all it points to, until it has been sent.
        let taken = unsafe { resend::one_by_one(self.fd, header, run, self.counters) };
        self.counters.uncoalesced.add(u64::from(taken));
        taken
    }
}

//! The worker's side of its ring: submits requests, dispatches completions.

use std::io;

use io_uring::types::{Fd, Fixed};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue};

use super::buffers::{self, BufferRing};
use super::restrict;
use super::token::Token;
use crate::control::CONTROL_LEN_MAX;
use crate::limits::RECEIVE_FAILURES_MAX;
use crate::pages::Pages;
use crate::replies::Transport;
use crate::reply_area::ReplyArea;
use crate::sockaddr::NAME_LEN;
use crate::uring_error::UringError;
use crate::{NetCounters, RunError, Socket, StopSignal, busy_poll, resend};

/// A buffer the kernel has filled.
#[derive(Clone, Copy, Default)]
pub(super) struct Arrival {
    /// Index of the receiving socket.
    pub(super) socket: u16,
    /// Id of the buffer.
    pub(super) buffer: u16,
    /// Octets of the buffer that the kernel wrote.
    pub(super) len: u32,
}

/// The receive of one socket.
#[derive(Clone, Default)]
struct Receive {
    armed: bool,
    cancelling: bool,
    armed_before: bool,
    /// Consecutive errors.
    failures: u32,
}

/// The submitter and both queues of a ring, and the requests in flight.
///
/// Every token stands for at most one request between its submission and its last completion, so that the
/// submission queue, which has room for one of each, is never full.
pub(super) struct Port<'r> {
    submitter: Submitter<'r>,
    submissions: SubmissionQueue<'r>,
    completions: CompletionQueue<'r>,
    sockets: &'r [Socket],
    counters: &'r NetCounters,
    receives: Box<[Receive]>,
    /// Datagrams received and not yet served, in order; at most one per buffer.
    pub(super) arrivals: Vec<Arrival>,
    /// The `msghdr` that armed receives point to: room in a buffer for address and control messages.
    template: Pages,
    waiting_for_stop: bool,
    failure: Option<RunError>,
}

/// Lengths of address and control messages in each buffer; the rest of a multishot's `msghdr` means nothing.
pub(super) fn receive_template() -> libc::msghdr {
    // SAFETY: integers and raw pointers only; zeroes are valid.
    let mut template: libc::msghdr = unsafe { std::mem::zeroed() };
    template.msg_namelen = NAME_LEN as libc::socklen_t;
    template.msg_controllen = CONTROL_LEN_MAX as _;
    template
}

impl<'r> Port<'r> {
    pub(super) fn new(
        ring: &'r mut IoUring,
        sockets: &'r [Socket],
        counters: &'r NetCounters,
        buffers: usize,
    ) -> Result<Self, RunError> {
        let template_len = size_of::<libc::msghdr>();
        let template =
            Pages::map(template_len).map_err(|source| RunError::Memory { len: template_len, source })?;
        // SAFETY: a fresh mapping of that size, which nothing else refers to.
        unsafe { template.element::<libc::msghdr>(0).write(receive_template()) };
        let (mut submitter, submissions, completions) = ring.split();
        let _ = submitter.register_ring_fd(); // saves a descriptor lookup per call (5.18); optional
        let descriptors: Vec<_> = sockets.iter().map(Socket::as_raw_fd).collect();
        // Registered files save a reference count in each request.
        submitter.register_files(&descriptors).map_err(|error| {
            UringError::judge("registering sockets", "IORING_REGISTER_FILES", "5.1", error)
        })?;
        // Room for every buffer, so that taking arrivals never allocates.
        Ok(Self {
            submitter,
            submissions,
            completions,
            sockets,
            counters,
            receives: vec![Receive::default(); sockets.len()].into_boxed_slice(),
            arrivals: Vec::with_capacity(buffers),
            template,
            waiting_for_stop: false,
            failure: None,
        })
    }

    /// Lends `buffers` to the kernel, enables the ring and polls `stop`; both must outlive the requests of
    /// this port. Waits poll busily for `busy_poll` microseconds, if not 0.
    pub(super) fn start(
        &mut self,
        buffers: &BufferRing,
        stop: &StopSignal,
        busy_poll: u32,
    ) -> Result<(), RunError> {
        // Before the ring is enabled: restrictions allow nothing of this later.
        buffers.register(&self.submitter)?;
        if busy_poll > 0 {
            busy_poll::register(&self.submitter, busy_poll)?;
        }
        restrict::enable(&self.submitter)?;
        self.waiting_for_stop = true;
        let wait = opcode::PollAdd::new(Fd(stop.as_raw_fd()), libc::POLLIN as u32).build();
        // The stop signal is a request like others, so that one wait covers all.
        self.push(wait, Token::Stop);
        Ok(())
    }

    /// Queues `entry`, whose pointers must stay valid until its last completion: they point to the template
    /// and the reply area, and `Engine::drop` waits.
    fn push(&mut self, entry: squeue::Entry, token: Token) {
        let entry = entry.user_data(token.pack());
        // SAFETY: the template and the replies handed over rest in mappings that the engine keeps until no
        // request is in flight; the buffers belong to the registered group.
        let pushed = unsafe { self.submissions.push(&entry) };
        // A full queue would lose a request, and with it memory that is never freed.
        assert!(pushed.is_ok(), "no room for {token:?}: some token was submitted twice");
    }

    /// Starts the receives that are not armed.
    pub(super) fn arm(&mut self) {
        for socket in 0..self.receives.len() {
            // A multishot receive stays armed until its last completion.
            if self.receives[socket].armed {
                continue;
            }
            let template = self.template.element::<libc::msghdr>(0);
            let receive = opcode::RecvMsgMulti::new(Fixed(socket as u32), template, buffers::GROUP).build();
            self.push(receive, Token::Receive { socket: socket as u16 });
            let state = &mut self.receives[socket];
            state.armed = true;
            // The first arming is no failure, and counts as none.
            if std::mem::replace(&mut state.armed_before, true) {
                self.counters.rearmed.add(1);
            }
        }
    }

    /// Cancels the armed receives, unless they are being cancelled already.
    pub(super) fn cancel_receives(&mut self) {
        for socket in 0..self.receives.len() {
            let state = &mut self.receives[socket];
            // A cancellation under way must not be submitted twice, as its token is taken.
            if !state.armed || std::mem::replace(&mut state.cancelling, true) {
                continue;
            }
            let socket = socket as u16;
            let cancel = opcode::AsyncCancel::new(Token::Receive { socket }.pack()).build();
            self.push(cancel, Token::Cancel { socket });
        }
    }

    /// Queues all waiting sends; the next [`enter`](Self::enter) submits them.
    pub(super) fn send(&mut self, area: &mut ReplyArea) {
        // A full send buffer drops the reply, which is counted, as on every UDP server.
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u32;
        while let Some(reply) = area.hand_over() {
            let send =
                opcode::SendMsg::new(Fixed(u32::from(reply.socket)), reply.header).flags(flags).build();
            self.push(send, Token::Send { slot: reply.slot });
        }
    }

    /// Submits all waiting sends without waiting. Usually they complete at once, and the next replies reuse
    /// their memory, which is still in the cache.
    pub(super) fn send_now(&mut self, area: &mut ReplyArea) {
        self.send(area);
        match self.enter(0) {
            Ok(()) => self.take_completions(area),
            // Reported by `check`, as the caller has no way to return it.
            Err(error) => self.failure = Some(error),
        }
    }

    /// Submits queued requests and waits for `want` completions; a signal may end the wait early.
    pub(super) fn enter(&mut self, want: usize) -> Result<(), RunError> {
        // The kernel reads the queue's tail from shared memory.
        self.submissions.sync();
        let entered = self.submitter.submit_and_wait(want);
        self.submissions.sync();
        self.completions.sync();
        match entered {
            Ok(_) => Ok(()),
            // A signal; no memory for a request now; completions to be taken first: all are temporary.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {
                Ok(())
            }
            Err(error) => Err(RunError::Wait(error)),
        }
    }

    /// Takes all completions: keeps arrivals, finishes replies, marks ended receives to be armed again.
    pub(super) fn take_completions(&mut self, area: &mut ReplyArea) {
        while let Some(completion) = self.completions.next() {
            // Taken one by one, as serving may queue further requests.
            match Token::unpack(completion.user_data()) {
                Some(Token::Receive { socket }) => self.received(socket, &completion),
                Some(Token::Send { slot }) => self.sent(slot, completion.result(), area),
                // Another poll is not needed: the signal stays.
                Some(Token::Stop) => self.waiting_for_stop = false,
                Some(Token::Cancel { socket }) => self.receives[usize::from(socket)].cancelling = false,
                // The kernel returns only submitted values.
                None => unreachable!("user_data {:#x} was never submitted", completion.user_data()),
            }
        }
        self.completions.sync(); // the kernel sees the room before it posts more
    }

    fn sent(&self, slot: u32, result: i32, area: &mut ReplyArea) {
        let run = area.run(slot);
        // A run that the kernel refused as one may pass as single replies.
        if resend::is_refusal(run, result) {
            let socket = area.socket(slot);
            let fd = self.sockets[usize::from(socket)].as_raw_fd();
            // SAFETY: the area keeps header and payload of a send that is not finished (ReplyArea I1, I2).
            let taken = unsafe { resend::one_by_one(fd, area.header(slot), run, self.counters) };
            if taken {
                self.counters.uncoalesced.add(1);
                area.stop_coalescing(socket);
            }
        } else {
            self.counters.count_send(result, run);
        }
        // Finished in every case, or its memory would never come free.
        area.finish(slot);
    }

    fn received(&mut self, socket: u16, completion: &cqueue::Entry) {
        let state = &mut self.receives[usize::from(socket)];
        // Without F_MORE the receive has ended, by an error, a completion queue that overflowed, or an empty
        // datagram, which the kernel takes for the end of a stream.
        state.armed = cqueue::more(completion.flags());
        if let Some(buffer) = cqueue::buffer_select(completion.flags()) {
            // An error may still name a buffer, which must be given back.
            let len = completion.result().max(0) as u32;
            self.arrivals.push(Arrival { socket, buffer, len });
        }
        // Success and failure are counted apart, and end in the same state.
        match completion.result() {
            0.. => state.failures = 0,
            // No buffer was free: datagrams wait in the socket's queue, and the receive is armed again.
            result if result == -libc::ENOBUFS => self.counters.starved.add(1),
            // The worker itself cancelled it.
            result if result == -libc::ECANCELED => {}
            result => self.receive_failed(socket, -result),
        }
    }

    fn receive_failed(&mut self, socket: u16, errno: i32) {
        self.counters.receive_errors.add(1);
        let state = &mut self.receives[usize::from(socket)];
        // Only consecutive errors end the worker: see `received`.
        state.failures += 1;
        // A socket that fails over and over would keep the worker in a loop of arming.
        if state.failures >= RECEIVE_FAILURES_MAX {
            let address = self.sockets[usize::from(socket)].local_address();
            self.failure = Some(RunError::Receive { address, source: io::Error::from_raw_os_error(errno) });
        }
    }

    /// Whether the worker was stopped.
    pub(super) fn stopped(&self) -> bool {
        // Completions that came in order show the end of the wait.
        !self.waiting_for_stop
    }

    /// Whether a request other than a send is in flight.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting_for_stop || self.receives.iter().any(|receive| receive.armed || receive.cancelling)
    }

    /// Returns the error that ends the worker, if any.
    pub(super) fn check(&mut self) -> Result<(), RunError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Cancels every request at once, for a worker that ends with an error or a panic.
    ///
    /// # Errors
    /// The kernel refused; its requests may still write to the buffers.
    pub(super) fn abandon(&self) -> io::Result<()> {
        // Every request is meant, whatever its state.
        match self.submitter.register_sync_cancel(None, io_uring::types::CancelBuilder::any()) {
            // ENOENT: nothing was in flight.
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(()),
        }
    }

    /// Unregisters buffers and sockets; receives must have ended.
    ///
    /// The kernel frees a ring some time after it was closed, and would keep the sockets bound until then:
    /// datagrams for a port shared with the next process would reach a socket that no thread reads.
    pub(super) fn unregister(&self, buffers: &BufferRing) {
        buffers.unregister(&self.submitter);
        let unregistered = self.submitter.unregister_files();
        // It fails only if no files were registered, which is a defect.
        debug_assert!(unregistered.is_ok(), "{unregistered:?}");
    }
}

impl Transport for Port<'_> {
    fn make_room(&mut self, area: &mut ReplyArea) {
        self.send(area);
        // All sends must be finished before their memory is reused.
        while area.in_flight() > 0 && self.failure.is_none() {
            match self.enter(area.in_flight()) {
                Ok(()) => self.take_completions(area),
                Err(error) => self.failure = Some(error),
            }
        }
    }
}

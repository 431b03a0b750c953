//! The loop of a worker: receive, serve, send, with one system call per turn.

use std::ops::Range;

use io_uring::IoUring;
use io_uring::types::RecvMsgOut;

use super::buffers::BufferRing;
use super::port::{Arrival, Port, receive_template};
use crate::control::CONTROL_LEN_MAX;
use crate::received::{Received, serve_in_batches};
use crate::replies::Replies;
use crate::reply_area::ReplyArea;
use crate::sockaddr::NAME_LEN;
use crate::{BATCH_MAX, NetCounters, RunError, Service, Socket, StopSignal, WorkerSettings};

/// Size of `struct io_uring_recvmsg_out`, which a multishot recvmsg puts before address, control messages and
/// payload.
const RECVMSG_OUT_LEN: usize = 16;
/// Octets of a buffer in addition to the payload.
const OVERHEAD: usize = RECVMSG_OUT_LEN + NAME_LEN + CONTROL_LEN_MAX;
const _: () = assert!(OVERHEAD == 132, "WorkerSettings::buffer_len says so");

pub(super) struct Engine<'r> {
    port: Port<'r>,
    buffers: BufferRing,
    area: ReplyArea,
    template: libc::msghdr,
    /// Drop count of each socket, as last reported by the kernel.
    overflowed: Box<[u32]>,
    counters: &'r NetCounters,
}

impl<'r> Engine<'r> {
    pub(super) fn start(
        ring: &'r mut IoUring,
        settings: &WorkerSettings,
        sockets: &'r [Socket],
        stop: &StopSignal,
        counters: &'r NetCounters,
    ) -> Result<Self, RunError> {
        let count = settings.buffers as u16; // ≤ 32,768, as the settings were checked to be
        let len = settings.buffer_len + OVERHEAD;
        // Buffers and area come before the ring is used, so that an error leaves nothing armed.
        let buffers = BufferRing::new(count, len)
            .map_err(|source| RunError::Memory { len: BufferRing::mapped_len(count, len), source })?;
        let area = ReplyArea::new(settings.coalescing(sockets))
            .map_err(|source| RunError::Memory { len: ReplyArea::LEN, source })?;
        let mut port = Port::new(ring, sockets, counters, usize::from(count))?;
        port.start(&buffers, stop, settings.busy_poll)?;
        let overflowed = vec![0; sockets.len()].into_boxed_slice();
        Ok(Self { port, buffers, area, template: receive_template(), overflowed, counters })
    }

    /// Serves until stopped, then ends the receives, answers the datagrams received, and waits for the
    /// replies to be sent.
    pub(super) fn run(mut self, service: &mut impl Service) -> Result<(), RunError> {
        service.started();
        // New receives are armed before each wait, or a socket could stay silent.
        while !self.port.stopped() {
            self.port.arm();
            // With arrivals at hand the kernel is asked without waiting.
            let want = usize::from(self.port.arrivals.is_empty());
            self.turn(want, service)?;
        }
        // No new datagram after the stop; those received are answered.
        self.port.cancel_receives();
        while self.port.is_busy() || self.area.in_flight() > 0 || !self.port.arrivals.is_empty() {
            self.turn(usize::from(self.port.arrivals.is_empty()), service)?;
            self.port.cancel_receives(); // again where the first try came between two steps of a receive
        }
        Ok(())
    }

    fn turn(&mut self, want: usize, service: &mut impl Service) -> Result<(), RunError> {
        self.port.enter(want)?;
        // Completions come first, since they give back the memory that replies need.
        self.port.take_completions(&mut self.area);
        self.serve_arrivals(service);
        self.port.check()
    }

    /// Serves the arrivals so far; later ones wait for the next turn.
    fn serve_arrivals(&mut self, service: &mut impl Service) {
        // Later arrivals wait, so that a flood cannot keep replies from leaving.
        let total = self.port.arrivals.len();
        let mut start = 0;
        while start < total {
            let slice = self.next_slice(start, total);
            start = slice.end;
            self.serve_slice(slice, service);
        }
        // Drained at once, as arrivals keep their order.
        self.port.arrivals.drain(..total);
    }

    /// Arrivals from `start` on of one socket, at most a batch.
    fn next_slice(&self, start: usize, total: usize) -> Range<usize> {
        let arrivals = &self.port.arrivals[start..total.min(start + BATCH_MAX)];
        let socket = arrivals[0].socket;
        // One batch is of one socket, as replies leave by the socket of their query.
        let len = arrivals.iter().take_while(|arrival| arrival.socket == socket).count();
        start..start + len
    }

    fn serve_slice(&mut self, slice: Range<usize>, service: &mut impl Service) {
        let Self { port, buffers, area, template, overflowed, counters } = self;
        let socket = port.arrivals[slice.start].socket;
        let mut arrivals = [Arrival::default(); BATCH_MAX]; // a copy: more may arrive while these are served
        let arrivals = &mut arrivals[..slice.len()];
        arrivals.copy_from_slice(&port.arrivals[slice]);
        // Ours from here on: the kernel wrote them completely.
        arrivals.iter().for_each(|arrival| buffers.take(arrival.buffer));
        let receives = arrivals
            .iter()
            .map(|arrival| parse(buffers.filled(arrival.buffer, arrival.len as usize), template));
        let mut served = false;
        serve_in_batches(receives, counters, &mut overflowed[usize::from(socket)], |batch| {
            if std::mem::replace(&mut served, true) {
                port.send_now(area); // aggregates make many batches: replies need not wait for all of them
            }
            let mut replies = Replies { area, transport: port, socket };
            service.serve(batch, &mut replies);
        });
        // Given back after serving, since datagrams borrow the buffers.
        arrivals.iter().for_each(|arrival| buffers.give_back(arrival.buffer));
        buffers.publish();
        port.send(area);
    }
}

/// Parses a buffer filled by multishot recvmsg; `None` if truncated.
fn parse<'a>(filled: &'a [u8], template: &libc::msghdr) -> Option<Received<'a>> {
    let message = RecvMsgOut::parse(filled, template).ok()?;
    if message.is_payload_truncated()
        || message.is_control_data_truncated()
        || message.is_name_data_truncated()
    {
        return None;
    }
    // The payload lies behind the header that the kernel wrote in front.
    let payload = filled.get(OVERHEAD..)?.get(..message.payload_data().len())?;
    Received::parse(payload, message.name_data(), message.control_data())
}

impl Drop for Engine<'_> {
    /// Unmaps buffers, reply area and template only after the kernel has released them.
    fn drop(&mut self) {
        let under_way = self.port.is_busy() || self.area.in_flight() > 0;
        // Cancelling is tried once; after that, memory under live requests must not be unmapped.
        if under_way && self.port.abandon().is_err() {
            std::process::abort(); // live requests would write to memory that is reused
        }
        // Unregistered explicitly, as the kernel frees a closed ring late.
        self.port.unregister(&self.buffers);
    }
}

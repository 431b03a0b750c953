//! One connection: reads while its session wants octets, sends buffer after buffer, closes in time.
//!
//! Works over any stream, as a session's stream may be replaced by an encrypted one between two frames.

use std::cmp::min;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use crate::buffers::Buffers;
use crate::counters::{Closed, Counters};
use crate::server::STOP_PATIENCE;
use crate::session::{Progress, Session};

/// Longest wait for the peer's end after the last octet was sent.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Least time until an idle session is called again: one that always has nothing to send must not spin.
const WAKE_MIN: Duration = Duration::from_millis(1);

/// Data that the connections of one thread share.
pub(crate) struct Shared {
    pub(crate) buffers: Buffers,
    pub(crate) counters: std::sync::Arc<Counters>,
    /// Longest wait for a frame, and for a send buffer to drain.
    pub(crate) timeout: Duration,
}

/// Reason why [`Connection::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection is to be closed.
    Closed(Closed),
    /// The stream is to be encrypted, and the same session to go on over it.
    StartTls,
}

/// Octets of a send buffer that have not left.
struct Outgoing {
    buffer: Box<[u8]>,
    len: usize,
    sent: usize,
    /// All of them left the stream: one that encrypts keeps some back.
    flushed: bool,
    /// Moment at which the peer must have taken all of them.
    deadline: Instant,
}

/// State of one connection.
pub(crate) struct Connection<'a, T, S> {
    stream: &'a mut T,
    session: &'a mut S,
    shared: &'a Shared,
    out: Option<Outgoing>,
    /// The session works on, and has nothing to send yet.
    busy: bool,
    /// The peer sends no more.
    ended: bool,
    /// Octets of an incomplete frame have arrived.
    partial: bool,
    /// Complete frames when the deadline below was set.
    frames: u64,
    /// Moment at which the next frame must be complete.
    frame_deadline: Option<Instant>,
    /// Moment at which a stopping server closes.
    stop_deadline: Option<Instant>,
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin, S: Session> Connection<'a, T, S> {
    pub(crate) fn new(stream: &'a mut T, session: &'a mut S, shared: &'a Shared) -> Self {
        Self {
            stream,
            session,
            shared,
            out: None,
            busy: false,
            ended: false,
            partial: false,
            frames: 0,
            frame_deadline: None,
            stop_deadline: None,
        }
    }

    /// Drives the session to its end, until `stop` says that the server stops, or until it asks for TLS.
    pub(crate) async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
        mut growth: Option<watch::Receiver<()>>,
    ) -> End {
        loop {
            let mut idle = false;
            if self.out.is_none() {
                // Before the session looks: growth from here on wakes it again.
                growth.iter_mut().for_each(watch::Receiver::mark_unchanged);
                match self.fill() {
                    Progress::Octets(_) => {}
                    Progress::Busy => yield_now().await,
                    Progress::Idle => idle = true,
                    Progress::StartTls => return End::StartTls,
                    Progress::Close => return End::Closed(self.finish().await),
                }
            }
            let deadline = self.deadline(idle);
            let stopping = self.stop_deadline.is_some();
            let awaits_growth = idle && !self.session.awaits_frames();
            tokio::select! {
                biased;
                // An error means that the server is gone, which is a stop as well.
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    self.stop_deadline = Some(Instant::now() + STOP_PATIENCE);
                    self.session.terminate();
                }
                turn = timeout_at(deadline, poll_fn(|context| self.poll_turn(context))) => match turn {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Closed(Closed::Reset),
                    Err(_) => if let Some(reason) = self.late() {
                        return End::Closed(reason);
                    },
                },
                () = grown(&mut growth), if awaits_growth => {}
            }
            if let Some(out) = self.out.take_if(|out| out.flushed) {
                self.shared.buffers.give_back(out.buffer);
                // A reader that takes everything at once must not keep others waiting.
                yield_now().await;
            }
        }
    }

    /// Asks the session for octets to send.
    fn fill(&mut self) -> Progress {
        let mut buffer = self.shared.buffers.take();
        let progress = self.session.send(&mut buffer);
        self.busy = progress == Progress::Busy;
        match progress {
            Progress::Octets(len) => {
                let deadline = Instant::now() + self.session.send_timeout().unwrap_or(self.shared.timeout);
                self.out =
                    Some(Outgoing { len: len.min(buffer.len()), buffer, sent: 0, flushed: false, deadline });
            }
            Progress::Busy | Progress::Idle | Progress::StartTls | Progress::Close => {
                self.shared.buffers.give_back(buffer);
            }
        }
        progress
    }

    /// Writes and reads once without waiting; pending if neither is possible, unless the session is busy.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = self.poll_write(context)?;
        // Also while the session sends or works: an end or a reset of the connection shows only here.
        let read = self.poll_read(context)?;
        if self.busy || wrote.is_ready() || read.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(out) = &mut self.out else { return Poll::Pending };
        let rest = &out.buffer[out.sent..out.len];
        if !rest.is_empty() {
            let sent = ready!(Pin::new(&mut *self.stream).poll_write(context, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            out.sent += sent;
            self.shared.counters.count_out(sent);
        }
        if out.sent == out.len {
            ready!(Pin::new(&mut *self.stream).poll_flush(context))?;
            out.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended || !self.session.wants_octets() {
            return Poll::Pending;
        }
        let mut buffer = self.shared.buffers.read();
        let mut read = ReadBuf::new(&mut buffer);
        match ready!(Pin::new(&mut *self.stream).poll_read(context, &mut read)) {
            // The end without a close of TLS: frames have lengths, so one that is cut off shows.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            result => result?,
        }
        let octets = read.filled();
        if octets.is_empty() {
            self.ended = true;
            self.session.receive_end();
        } else {
            self.shared.counters.count_in(octets.len());
            self.session.receive(octets);
            self.partial = self.session.frames() == self.frames;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the moment of the next timeout, or at which an idle session has something to send.
    fn deadline(&mut self, idle: bool) -> Instant {
        let now = Instant::now();
        let frames = self.session.frames();
        // A session that does not read holds the peer up, so no frame is late then.
        let awaited = idle && self.session.awaits_frames() || self.partial && self.session.wants_octets();
        if !awaited {
            self.frame_deadline = None;
        } else if self.frame_deadline.is_none() || frames != self.frames {
            self.frame_deadline = Some(now + self.shared.timeout);
        }
        self.frames = frames;
        let drain = self.out.as_ref().map(|out| out.deadline);
        let wake = self.session.wake_in().filter(|_| idle).map(|wait| now + wait.max(WAKE_MIN));
        let deadlines = [self.frame_deadline, drain, self.stop_deadline, wake];
        deadlines.into_iter().flatten().reduce(min).unwrap_or(now + self.shared.timeout)
    }

    /// Returns the reason of a timeout; `None`: it was the time to wake the session.
    fn late(&self) -> Option<Closed> {
        let now = Instant::now();
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_over(self.stop_deadline) {
            Some(Closed::Cut)
        } else if is_over(self.out.as_ref().map(|out| out.deadline)) {
            Some(Closed::Stalled)
        } else {
            is_over(self.frame_deadline).then_some(Closed::Idle)
        }
    }

    /// Ends the sending direction and waits shortly for the peer's end.
    async fn finish(self) -> Closed {
        let reason = match (self.stop_deadline, self.ended) {
            (Some(_), _) => Closed::Stopped,
            (None, true) => Closed::ByPeer,
            (None, false) => Closed::BySession,
        };
        let soon = Instant::now() + LINGER;
        let deadline = self.stop_deadline.map_or(soon, |stop| min(stop, soon));
        if self.ended {
            // Whatever comes of it, everything owed was handed to the kernel.
            let _ = timeout_at(deadline, self.stream.shutdown()).await;
        } else {
            linger(self.stream, deadline).await;
        }
        reason
    }
}

/// Ends the sending direction, and discards octets until the peer's end.
pub(crate) async fn linger<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T, deadline: Instant) {
    let end = async {
        stream.shutdown().await?;
        // Closing over unread octets resets the connection, and octets on their way are lost.
        let mut discarded = [0; 1024];
        while stream.read(&mut discarded).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever comes of it, everything owed was handed to the kernel.
    let _ = timeout_at(deadline, end).await;
}

/// Waits for growth; forever if there is none to come.
async fn grown(growth: &mut Option<watch::Receiver<()>>) {
    if let Some(growth) = growth
        && growth.changed().await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}

#[cfg(test)]
mod tests;

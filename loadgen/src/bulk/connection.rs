//! One connection, with one query at a time.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::check::BulkChecker;
use super::plan::Plan;
use super::result::BulkResult;
use super::{Options, query};
use crate::error::Error;
use crate::frames::Frames;

/// A connection to the server, and the checker of its replies.
pub(super) struct Connection<'a> {
    options: &'a Options,
    plan: &'a Plan<'a>,
    stream: TcpStream,
    frames: Frames<TcpStream>,
    checker: BulkChecker<'a>,
}

impl<'a> Connection<'a> {
    /// Connects.
    pub(super) fn open(options: &'a Options, plan: &'a Plan<'a>) -> Result<Self, Error> {
        let stream = connect(options)?;
        let reader = stream.try_clone().map_err(error(options, "cannot share the socket"))?;
        let checker = BulkChecker::new(plan, &options.requestor_duid.0);
        Ok(Self { options, plan, stream, frames: Frames::new(reader), checker })
    }

    /// Sends a query of the plan, checks its reply and adds both to the result.
    ///
    /// A connection that fails is counted, and made anew.
    pub(super) fn query(&mut self, number: usize, result: &mut BulkResult) -> Result<(), Error> {
        let subject = &self.plan.queries()[number];
        let transaction_id = self.checker.begin();
        let frame = query::frame(subject, &self.options.requestor_duid.0, &self.options.oro, transaction_id)
            .map_err(|_| Error::QueryTooLong)?;
        let (started, received) = (Instant::now(), self.frames.received());
        let done = self.stream.write_all(&frame).and_then(|()| self.read_reply(started, result));
        result.octets += self.frames.received() - received;
        result.queries += 1;
        if let Err(error) = done {
            result.note_failure(&error);
            self.reconnect()?;
        } else {
            result.bindings += self.checker.end(subject);
            result.whole.record(started.elapsed());
        }
        result.wrong.add(&std::mem::take(&mut self.checker.wrong));
        Ok(())
    }

    fn read_reply(&mut self, started: Instant, result: &mut BulkResult) -> io::Result<()> {
        self.frames.wait()?;
        result.first_octet.record(started.elapsed());
        loop {
            result.messages += 1;
            if self.checker.message(self.frames.next()?) {
                return Ok(());
            }
        }
    }

    fn reconnect(&mut self) -> Result<(), Error> {
        self.stream = connect(self.options)?;
        self.frames =
            Frames::new(self.stream.try_clone().map_err(error(self.options, "cannot share the socket"))?);
        Ok(())
    }
}

/// Connects to the server.
pub(super) fn connect(options: &Options) -> Result<TcpStream, Error> {
    let target = SocketAddr::V6(options.target);
    let stream =
        TcpStream::connect_timeout(&target, options.timeout).map_err(error(options, "cannot connect"))?;
    // A frame goes out whole: waiting for more would only delay it.
    stream.set_nodelay(true).map_err(error(options, "cannot set TCP_NODELAY"))?;
    stream.set_read_timeout(Some(options.timeout)).map_err(error(options, "cannot set the timeout"))?;
    stream.set_write_timeout(Some(options.timeout)).map_err(error(options, "cannot set the timeout"))?;
    Ok(stream)
}

fn error(options: &Options, step: &'static str) -> impl FnOnce(io::Error) -> Error {
    let target = options.target;
    move |source| Error::Socket { target, step, source }
}

//! A reader: connection, query, and its table until that is the file's.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::follower::{Follower, Step};
use super::paced::{Pace, Paced};
use super::pool::Pool;
use super::table::Table;
use super::written::Written;
use super::{Options, query};
use crate::error::Error;
use crate::frames::Frames;

/// Time without a message after which a table that is right counts as final.
const QUIET: Duration = Duration::from_millis(200);

/// State shared by the writer and all readers.
pub(super) struct Shared<'a> {
    pub(super) options: &'a Options,
    pub(super) pool: &'a Pool,
    pub(super) written: Written,
    pub(super) is_churning: AtomicBool,
    /// End of the churn, and the table of the file then.
    pub(super) expected: OnceLock<(Instant, Table)>,
}

/// A reader whose query the server has accepted.
pub(super) struct Reader<'a> {
    shared: &'a Shared<'a>,
    frames: Frames<Paced<'a>>,
    pub(super) follower: Follower<'a>,
    pub(super) pace: Pace,
    /// Most rows by which the reader was behind the writer.
    pub(super) lag_max: u64,
    /// Reason for which the query ended.
    pub(super) ended: Option<String>,
    pub(super) octets: u64,
}

impl<'a> Reader<'a> {
    /// Connects, sends the query and waits for its reply.
    pub(super) fn open(shared: &'a Shared<'a>, pace: Pace) -> Result<Self, Error> {
        let options = shared.options;
        let stream = asked(options)?;
        let frames = Frames::new(Paced { stream, pace, is_churning: &shared.is_churning, is_open: false });
        let max_latency = options.max_latency.filter(|_| pace == Pace::Full);
        let follower = Follower::new(shared.pool, &shared.written, &options.requestor_duid.0)
            .with_base_time(options.base_time)
            .with_max_latency(max_latency);
        let mut reader = Self { shared, frames, follower, pace, lag_max: 0, ended: None, octets: 0 };
        reader.wait_for_reply()?;
        Ok(reader)
    }

    fn wait_for_reply(&mut self) -> Result<(), Error> {
        let (options, deadline) = (self.shared.options, Instant::now() + self.shared.options.timeout);
        while !self.follower.is_accepted() && self.ended.is_none() {
            self.step();
            if Instant::now() > deadline {
                self.ended = Some("no reply".to_owned());
            }
        }
        self.frames.source_mut().is_open = true;
        match self.ended.take() {
            Some(reason) => Err(Error::NotActive { target: options.target, reason }),
            None => Ok(()),
        }
    }

    /// Reads until the table is that of the file, the settling time is over, or the query ends.
    pub(super) fn run(mut self) -> Self {
        let mut last = Instant::now();
        while self.ended.is_none() {
            if self.step() {
                last = Instant::now();
            }
            let Some((end, expected)) = self.shared.expected.get() else { continue };
            let is_equal = self.follower.table.digest() == expected.digest();
            if is_equal && last.elapsed() > QUIET || end.elapsed() > self.shared.options.settle {
                break;
            }
        }
        self.octets = self.frames.received();
        self
    }

    /// Reads all messages of one read; returns whether there were any.
    fn step(&mut self) -> bool {
        match self.frames.fill() {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => return false,
            Err(error) => {
                self.ended = Some(reason(&error));
                return false;
            }
        }
        let now = Instant::now();
        loop {
            match self.frames.buffered() {
                Ok(Some(message)) => {
                    if let Step::Ended(status) = self.follower.message(message, now) {
                        self.ended = Some(status_name(status));
                        return true;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.ended = Some(reason(&error));
                    return true;
                }
            }
        }
        let behind = self.shared.written.rows().saturating_sub(self.follower.newest.into());
        self.lag_max = self.lag_max.max(behind);
        true
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "closed by the server".to_owned(),
        _ => error.to_string(),
    }
}

/// Name of a status code, as in the registry of DHCPv6.
fn status_name(status: u16) -> String {
    lqd_wire::StatusCode(status).name().map_or_else(|| format!("status {status}"), str::to_owned)
}

/// Connects and sends the query; reads wait a short time only, so that the reader sees the end of the churn.
pub(super) fn asked(options: &Options) -> Result<TcpStream, Error> {
    let target = options.target;
    let error = |step| move |source| Error::Socket { target, step, source };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::V6(target), options.timeout)
        .map_err(error("cannot connect"))?;
    stream.set_read_timeout(Some(QUIET / 2)).map_err(error("cannot set the timeout"))?;
    let frame = query::frame(&options.requestor_duid.0, options.base_time);
    stream.write_all(&frame).map_err(error("cannot send the query"))?;
    Ok(stream)
}

/// Connects, reads a little and closes, again and again until the churn ends; returns how often.
pub(super) fn abort_again_and_again(shared: &Shared<'_>) -> u64 {
    let (mut aborted, mut buffer) = (0, [0; 10_000]);
    while shared.is_churning.load(Ordering::Relaxed) {
        match asked(shared.options) {
            Ok(mut stream) => {
                let _ = io::Read::read(&mut stream, &mut buffer);
                aborted += 1;
            }
            // Refused for now, when the server has no free connection.
            Err(_) => std::thread::sleep(QUIET),
        }
    }
    aborted
}

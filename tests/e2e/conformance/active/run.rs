//! Runs rows against the binary, and compares what comes with what must come.

use std::ops::RangeInclusive;

use super::options::MessagePattern;
use super::row::{End, Row, Step};
use super::second_decoder;
use crate::conformance::bulk::run::{is_open, shown, with_times};
use crate::conformance::bulk::server::Bulk;
use crate::support::display::decoded;
use crate::support::fixture::{rows_at, seconds_since_1970};
use crate::support::octets::Pattern;
use crate::support::{Connection, Received, Requestor, Until};

/// A row in progress.
pub struct Run<'a> {
    server: &'a Bulk,
    connection: Connection,
    /// Time from which times in the row count, in seconds since 1970.
    base: u32,
    /// Transaction-id of the first message.
    query: Option<[u8; 3]>,
    is_singly: bool,
}

/// Runs a row on a connection of its own; `singly`: octet by octet.
///
/// # Errors
/// The difference to the row.
pub fn run(server: &Bulk, row: &Row, singly: bool) -> Result<(), String> {
    let mut run = Run {
        connection: Connection::new(server.address),
        server,
        // lqd may read the kernel's coarse clock, which lags behind by some milliseconds.
        base: seconds_since_1970() - 1,
        query: None,
        is_singly: singly,
    };
    row.steps.iter().try_for_each(|step| run.step(step))?;
    run.end(row.end)
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send(text) => {
                let octets = Pattern::parse(&with_times(text, self.base)).example();
                self.query = self.query.or_else(|| octets.get(3..6)?.try_into().ok());
                if self.is_singly {
                    self.connection.send_singly(&octets);
                } else {
                    self.connection.send(&octets);
                }
            }
            Step::Change(rows) => {
                self.server.fixture.append_leases(&rows_at(rows, self.base));
            }
            Step::Want(pattern) => self.want(&[pattern])?,
            Step::WantAll(patterns) => self.want(patterns)?,
            Step::Tick => self.base = next_second(),
            Step::Await { query, reply } => {
                await_reply(&Requestor::new(self.server.lqd.address), query, reply)?;
            }
        }
        Ok(())
    }

    /// Receives as many messages as there are patterns, in any order.
    fn want(&mut self, patterns: &[&str]) -> Result<(), String> {
        let parse = |text: &&str| MessagePattern::parse(&with_times(text, self.base));
        let mut left: Vec<_> = patterns.iter().map(parse).collect();
        while !left.is_empty() {
            let message = match self.connection.receive() {
                Received::Message(message) => message,
                other => return Err(format!("wanted {left:#?}\ngot {}", shown(&other))),
            };
            second_decoder::accept(&message)?;
            let elapsed = self.elapsed();
            let Some(at) = left.iter().position(|pattern| pattern.matches(&message, &elapsed)) else {
                let wanted: String = left.iter().map(|pattern| decoded(&pattern.example())).collect();
                return Err(format!("wanted\n{wanted}got\n{}", decoded(&message)));
            };
            left.swap_remove(at);
        }
        Ok(())
    }

    /// Seconds since the base.
    fn elapsed(&self) -> RangeInclusive<u32> {
        0..=seconds_since_1970() - self.base
    }

    fn end(mut self, end: End) -> Result<(), String> {
        match end {
            End::Active => self.is_active(),
            End::Unchecked => Ok(()),
            End::Open => is_open(&mut self.connection),
            End::Closed => match self.connection.receive() {
                Received::Closed | Received::Reset => Ok(()),
                other => Err(format!("wanted the end of the connection, got {}", shown(&other))),
            },
        }
    }

    /// Checks that the active query is open: a second one is refused beside it, which ends both.
    fn is_active(&mut self) -> Result<(), String> {
        self.connection.send(&Pattern::parse("{ 16 505050  $me }").example());
        let mut found = [false; 2];
        loop {
            let message = match self.connection.receive() {
                Received::Message(message) => message,
                Received::Closed if found == [true, true] => return Ok(()),
                other => return Err(format!("of an open active query: {}", shown(&other))),
            };
            let id = message.get(1..4).unwrap_or_default();
            let is_refusal = message.first() == Some(&15) && id == [0x50, 0x50, 0x50];
            let is_done = message.first() == Some(&16) && Some(id) == self.query.as_ref().map(|id| &id[..]);
            let update = second_decoder::accept(&message)?;
            found = match update.status {
                Some(10) if is_refusal && !found[0] => [true, found[1]],
                Some(11) if is_done && !found[1] => [found[0], true],
                _ => return Err(format!("an unwanted message\n{}", decoded(&message))),
            };
        }
    }
}

/// Waits until the clock shows the next second, also the kernel's coarse clock; returns it.
///
/// # Panics
/// If the clock stands still.
pub fn next_second() -> u32 {
    let (now, until) = (seconds_since_1970(), Until::patience());
    while seconds_since_1970() <= now {
        assert!(until.pending(), "the clock stands still");
    }
    until.pending();
    seconds_since_1970()
}

/// Asks over UDP until the reply matches.
///
/// # Errors
/// It does not in time.
pub fn await_reply(requestor: &Requestor, query: &str, reply: &str) -> Result<(), String> {
    let (query, wanted) = (Pattern::parse(query).example(), MessagePattern::parse(reply));
    let until = Until::patience();
    loop {
        let (answer, _) = requestor.ask(&query).ok_or("no reply over UDP")?;
        if wanted.matches(&answer, &(0..=0)) {
            return Ok(());
        }
        if !until.pending() {
            return Err(format!("the awaited reply did not come, but\n{}", decoded(&answer)));
        }
    }
}

//! Runs rows over connections to the binary, and compares what comes with what must come.

use std::ops::RangeInclusive;

use super::row::{End, Row, Step, Want};
use crate::support::display::{decoded, hex};
use crate::support::fixture::seconds_since_1970;
use crate::support::octets::Pattern;
use crate::support::{Connection, Received};

/// Seconds from 1970 to 2000 (RFC 7653 §6.3.1 counts from 2000).
pub const SECONDS_1970_TO_2000: u32 = 946_684_800;

/// Way of sending a row's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Each step at once.
    Whole,
    /// Octet by octet.
    Singly,
    /// Each step at once, and the sending side is closed after the last one.
    HalfClosed,
}

/// A connection of either kind.
pub trait Peer {
    /// Sends octets at once, or one by one.
    fn send(&mut self, octets: &[u8], singly: bool);
    /// Closes the sending side.
    fn finish(&mut self);
    /// Waits for the next message or the end.
    fn receive(&mut self) -> Received;
    /// Returns the current time in seconds since 1970.
    fn now(&self) -> u32;
}

impl Peer for Connection {
    fn send(&mut self, octets: &[u8], singly: bool) {
        if singly { self.send_singly(octets) } else { Self::send(self, octets) }
    }

    fn finish(&mut self) {
        Self::finish(self);
    }

    fn receive(&mut self) -> Received {
        Self::receive(self)
    }

    fn now(&self) -> u32 {
        seconds_since_1970()
    }
}

/// Runs a row; `written` is the time at which the leases were written, in seconds since 1970.
///
/// # Errors
/// The difference to the row.
pub fn run(connection: &mut impl Peer, row: &Row, manner: Manner, written: u32) -> Result<(), String> {
    for (number, step) in row.steps.iter().enumerate() {
        let octets = Pattern::parse(&with_times(step.send, written)).example();
        let began = connection.now().saturating_sub(written + 1);
        connection.send(&octets, manner == Manner::Singly);
        if manner == Manner::HalfClosed && number + 1 == row.steps.len() {
            connection.finish();
        }
        let messages = collect(connection, step)?;
        let elapsed = began..=connection.now() - written;
        compare(step.wants, &messages, written, &elapsed)?;
    }
    match (row.end, manner) {
        (End::Open, Manner::HalfClosed) => match connection.receive() {
            Received::Closed => Ok(()),
            other => Err(format!("after the half-close, wanted the end, got {}", shown(&other))),
        },
        (End::Open, _) => is_open(connection),
        (End::Closed, _) => match connection.receive() {
            Received::Closed | Received::Reset => Ok(()),
            other => Err(format!("wanted the end of the connection, got {}", shown(&other))),
        },
    }
}

/// Checks that the connection takes another query, and that nothing else was on the way.
///
/// # Errors
/// It is closed, or something else comes.
pub fn is_open(connection: &mut impl Peer) -> Result<(), String> {
    let query = Pattern::parse("{ 0e 505050  $me  002c { ff :: } }").example();
    connection.send(&query, false);
    match connection.receive() {
        Received::Message(message)
            if Pattern::parse("0f 505050 $me $server 000d { 0007 text }").matches(&message, &(0..=0)) =>
        {
            Ok(())
        }
        other => Err(format!("wanted an open connection and no more messages, got {}", shown(&other))),
    }
}

/// Receives as many messages as the step wants.
fn collect(connection: &mut impl Peer, step: &Step) -> Result<Vec<Vec<u8>>, String> {
    let count: usize = step.wants.iter().map(Want::messages).sum();
    let mut messages: Vec<Vec<u8>> = Vec::new();
    while messages.len() < count {
        match connection.receive() {
            Received::Message(message) => messages.push(message),
            other => {
                let so_far: String = messages.iter().map(|message| decoded(message)).collect();
                return Err(format!(
                    "wanted {count} messages, got {} and {}\n{so_far}",
                    messages.len(),
                    shown(&other)
                ));
            }
        }
    }
    Ok(messages)
}

fn compare(
    wants: &[Want],
    messages: &[Vec<u8>],
    written: u32,
    elapsed: &RangeInclusive<u32>,
) -> Result<(), String> {
    let mut known = 0;
    for want in wants {
        let patterns = want.patterns(written);
        let xid = patterns.xid();
        let own: Vec<&Vec<u8>> = messages.iter().filter(|message| message.get(1..4) == Some(&xid)).collect();
        known += own.len();
        if !patterns.match_all(&own, elapsed) {
            let got: String = own.iter().map(|message| decoded(message)).collect();
            return Err(format!("wrong answer to {}\nwanted:\n{}got:\n{got}", hex(&xid), patterns.shown()));
        }
    }
    if known == messages.len() {
        Ok(())
    } else {
        Err(format!("{} messages for other queries", messages.len() - known))
    }
}

/// Replaces `@now` by the age of the leases since 2000, and `@N` by their time of writing and N seconds.
pub fn with_times(text: &str, written: u32) -> String {
    let written = written - SECONDS_1970_TO_2000;
    let word = |word: &str| match word.strip_prefix('@') {
        None => word.to_owned(),
        Some("now") => format!("age:{written}"),
        Some(offset) => {
            let offset: i32 = offset.parse().unwrap_or_else(|_| panic!("`{word}`: not a number of seconds"));
            format!("{:08x}", written.wrapping_add_signed(offset))
        }
    };
    let lines = text.lines().map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Patterns of all messages with one transaction-id.
pub struct Patterns {
    /// First message with each possible content, then the others likewise; alternatives are equal in number.
    first: Vec<Pattern>,
    later: Vec<Pattern>,
    done: Option<Pattern>,
}

impl Want {
    /// Returns the number of messages.
    pub fn messages(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Bindings { data, .. } => data.len() + 1,
        }
    }

    /// Returns the patterns of the messages, for leases written at this time.
    pub fn patterns(&self, written: u32) -> Patterns {
        let parse = |text: String| Pattern::parse(&with_times(&text, written));
        match self {
            Self::One(pattern) => {
                Patterns { first: vec![parse((*pattern).to_owned())], later: Vec::new(), done: None }
            }
            Self::Bindings { xid, beside, data, done } => {
                let all = |start: &str| {
                    data.iter().map(|data| parse(format!("{start} {beside} 002d {{ {data} }}"))).collect()
                };
                Patterns {
                    first: all(&format!("0f {xid} $me $server")),
                    later: all(&format!("11 {xid}")),
                    done: Some(parse(format!("10 {xid} {done} {beside}"))),
                }
            }
        }
    }
}

impl Patterns {
    fn xid(&self) -> [u8; 3] {
        self.first[0].example()[1..4].try_into().expect("three octets")
    }

    fn match_all(&self, messages: &[&Vec<u8>], elapsed: &RangeInclusive<u32>) -> bool {
        let Some(done) = &self.done else {
            return matches!(messages, [message] if self.first[0].matches(message, elapsed));
        };
        let Some((last, data)) = messages.split_last() else { return false };
        let mut left: Vec<usize> = (0..self.first.len()).collect();
        for (number, message) in data.iter().enumerate() {
            let patterns = if number == 0 { &self.first } else { &self.later };
            let Some(at) = left.iter().position(|&at| patterns[at].matches(message, elapsed)) else {
                return false;
            };
            left.swap_remove(at);
        }
        left.is_empty() && done.matches(last, elapsed)
    }

    /// Returns the messages in one of the right orders.
    pub fn examples(&self) -> Vec<Vec<u8>> {
        let later = self.later.iter().skip(1);
        self.first.iter().take(1).chain(later).chain(&self.done).map(Pattern::example).collect()
    }

    fn shown(&self) -> String {
        self.examples().iter().map(|message| decoded(message)).collect()
    }
}

/// Describes the outcome of a wait, for failures.
pub fn shown(received: &Received) -> String {
    match received {
        Received::Message(message) => format!("a message\n{}", decoded(message)),
        Received::Closed => "the end of the connection".into(),
        Received::Reset => "a reset".into(),
        Received::Cut(octets) => format!("the end of the connection within a frame: {}", hex(octets)),
        Received::Nothing(octets) => format!("no more in time than {}", hex(octets)),
    }
}

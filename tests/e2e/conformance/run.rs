//! Runs rows against any server.

use std::net::SocketAddrV6;
use std::ops::RangeInclusive;

use libtest_mimic::Failed;

use super::second_decoder;
use super::{Reach, Row};
use crate::support::display::{hex, side_by_side};
use crate::support::octets::{Pattern, octets};

/// A server that answers queries.
pub trait Server {
    /// Returns the source address and port of queries.
    fn source(&self) -> SocketAddrV6;

    /// Sends one query and returns the answer; `at` is the time since the sample leases were written, in
    /// seconds, where the clock can be set.
    ///
    /// If `answered`, waits for the reply; otherwise a second query's reply proves the silence.
    ///
    /// # Errors
    /// The server is gone, or answers from another address than it was asked at.
    fn ask(&self, query: &[u8], at: u32, answered: bool) -> Result<Option<Answer>, String>;
}

/// A reply with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Destination.
    pub to: SocketAddrV6,
    /// Octets of the reply.
    pub reply: Vec<u8>,
    /// Seconds between writing of the sample leases and the reply, as a range.
    pub elapsed: RangeInclusive<u32>,
}

/// Runs all rows twice, because a query must change nothing (RFC 5007 §4.4.1).
///
/// # Errors
/// All rows with a wrong answer, with both octets.
pub fn check_rows<'a>(server: &dyn Server, rows: impl Iterator<Item = &'a Row>) -> Result<(), Failed> {
    let rows: Vec<&Row> = rows.collect();
    let mut failures = Vec::new();
    let mut ask_all = |round: &str| -> Vec<Option<Vec<u8>>> {
        let ask = |row: &&Row| {
            ask_row(server, row).unwrap_or_else(|failure| {
                failures.push(format!("row \"{}\" (RFC {}), {round} time: {failure}", row.name, row.rfc));
                None
            })
        };
        rows.iter().map(ask).collect()
    };
    let (first, second) = (ask_all("first"), ask_all("second"));
    for (row, (first, second)) in rows.iter().zip(first.iter().zip(&second)) {
        if first != second && !names_lifetimes(row) {
            failures.push(format!("row \"{}\" is answered otherwise the second time", row.name));
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!("{} of {} rows failed\n{}", failures.len(), rows.len(), failures.join("\n")).into())
}

/// Runs a row, and returns the reply if it is the right one, or `None` if silence is right.
fn ask_row(server: &dyn Server, row: &Row) -> Result<Option<Vec<u8>>, String> {
    let query = octets(row.query);
    let wanted = row.want.reply();
    let answer = server.ask(&query, row.at, wanted.is_some())?;
    let (Some((reach, pattern)), Some(answer)) = (wanted, &answer) else {
        return match (wanted, answer) {
            (None, Some(answer)) => Err(format!("wanted silence, got {}", hex(&answer.reply))),
            (Some(_), None) => Err(format!("wanted a reply, got none; the query was {}", hex(&query))),
            _ => Ok(None),
        };
    };
    let pattern = Pattern::parse(pattern);
    if !pattern.matches(&answer.reply, &answer.elapsed) {
        return Err(format!("wrong reply\n{}", side_by_side(&pattern.example(), &answer.reply)));
    }
    // RFC 8415 §18.3.10: the reply goes to the source address of the query.
    let mut to = server.source();
    if reach == Reach::ServerPort {
        to.set_port(547);
    }
    if answer.to != to {
        return Err(format!("the reply goes to {}, wanted {to}", answer.to));
    }
    second_decoder::agrees(&query, &answer.reply)?;
    Ok(Some(answer.reply.clone()))
}

fn names_lifetimes(row: &Row) -> bool {
    row.want.reply().is_some_and(|(_, pattern)| pattern.contains("left:") || pattern.contains("age:"))
}

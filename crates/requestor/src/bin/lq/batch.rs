//! Queries from a file: each answer is a line of JSON, in the order of the file, with a limit on pending
//! queries.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use lqd_requestor::{Duid, DuidError, Query, Target};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::command_line::Options;
use crate::error::Error;
use crate::exit::Exit;
use crate::json::{self, InputLine};
use crate::setup::{self, Setup};
use crate::trace;

/// Interval of the progress display.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

type Input = Box<dyn AsyncBufRead + Unpin>;

/// Longest line that is read whole, in bytes; the rest of a longer one is dropped, which makes it an invalid
/// query.
const LINE_MAX: u64 = 4096;

/// Sends every query and returns the worst exit status.
pub(crate) async fn run(options: &Options) -> Result<Exit, Error> {
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let error = |source| Error::Queries { path: path.to_owned(), source };
    let mut input = open(path).await.map_err(error)?;
    let setup = Setup::new(options, trace::observer(&options.output)).await?;
    let (mut pending, mut tally, mut number) = (VecDeque::new(), Tally::new(), 0);
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let end = loop {
        let line = match next_line(&mut input).await {
            Ok(Some(line)) => line,
            Ok(None) => break Ok(()),
            Err(source) => break Err(error(source)),
        };
        number += 1;
        // Editors of other systems write a byte order mark.
        let text = if number == 1 { line.trim_start_matches('\u{feff}').trim() } else { line.trim() };
        // Skipped lines keep their numbers, so that answers refer to the file.
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        // Invalid lines take their turn, too: answers come in the order of the file.
        pending.push_back(start(number, text.to_owned(), &setup, options));
        if pending.len() >= options.concurrency.into() {
            tally.print_next(&mut pending, &mut stop).await?;
        }
    };
    while !pending.is_empty() {
        tally.print_next(&mut pending, &mut stop).await?;
    }
    // Printed before a read error is returned: the answers so far count.
    tally.print_summary();
    end?;
    Ok(tally.worst())
}

async fn open(path: &Path) -> std::io::Result<Input> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(tokio::io::stdin())));
    }
    let file = tokio::fs::File::open(path).await?;
    Ok(Box::new(BufReader::new(file)))
}

/// Reads the next line, replacing invalid UTF-8; `None` at the end.
async fn next_line(input: &mut Input) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    if input.take(LINE_MAX).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    // Skips the rest of a long line piece by piece, so that no line exhausts the memory.
    let mut part = line.clone();
    while !part.is_empty() && !part.ends_with(b"\n") {
        part.clear();
        input.take(LINE_MAX).read_until(b'\n', &mut part).await?;
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// A pending query.
struct PendingQuery {
    number: usize,
    text: String,
    /// Ends with the line to print and the exit status.
    task: JoinHandle<(String, Exit)>,
}

/// Starts the query of one line.
fn start(number: usize, text: String, setup: &Setup, options: &Options) -> PendingQuery {
    let task = tokio::spawn(answer(number, text.clone(), setup, options));
    PendingQuery { number, text, task }
}

/// Returns the line to print for one query, and its exit status.
fn answer(
    number: usize,
    text: String,
    setup: &Setup,
    options: &Options,
) -> impl Future<Output = (String, Exit)> + use<> {
    let (requestor, plan, with_hex) = (setup.requestor.clone(), setup.plan.clone(), options.output.hex);
    let query = parse(&text).map(|(target, link)| {
        let query = setup::query(target, options);
        Query { link: link.or(query.link), ..query }
    });
    async move {
        let input = InputLine::new(number, &text);
        match query {
            Err(error) => (json::invalid(input, &error.to_string()), Exit::Usage),
            Ok(query) => {
                let lookup = requestor.ask(&query, &plan).await;
                (json::line(&query, &lookup, with_hex, Some(input)), Exit::of(&lookup))
            }
        }
    }
}

/// An error in a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum LineError {
    #[error("link={0} is not an IPv6 address")]
    Link(String),
    #[error("`addr` must be followed by an IPv6 address")]
    Address,
    #[error("the DUID {0}")]
    Duid(DuidError),
    #[error("is neither an IPv6 address nor a DUID")]
    Neither,
}

/// Parses `[addr] ADDRESS [link=ADDRESS]` or `[duid] DUID [link=ADDRESS]`.
fn parse(text: &str) -> Result<(Target, Option<Ipv6Addr>), LineError> {
    let (target, link) = match text.rsplit_once("link=") {
        Some((target, link)) => {
            let link = link.parse().map_err(|_| LineError::Link(link.to_owned()))?;
            (target.trim_end(), Some(link))
        }
        None => (text, None),
    };
    // The keyword decides where text could be both.
    let target = if let Some(address) = target.strip_prefix("addr ") {
        Target::Address(address.trim().parse().map_err(|_| LineError::Address)?)
    } else if let Some(duid) = target.strip_prefix("duid ") {
        Target::Client(duid.parse().map_err(LineError::Duid)?)
    } else if let Ok(address) = target.parse() {
        Target::Address(address)
    } else {
        let duid: Duid = target.parse().map_err(|_| LineError::Neither)?;
        Target::Client(duid)
    };
    Ok((target, link))
}

/// Counts of the answers so far, by exit status.
struct Tally {
    counts: [u64; 6],
    start: Instant,
    shown: Option<Instant>,
    on_terminal: bool,
}

impl Tally {
    fn new() -> Self {
        Self {
            counts: [0; 6],
            start: Instant::now(),
            shown: None,
            on_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Waits for the oldest pending query and prints its line.
    async fn print_next(
        &mut self,
        pending: &mut VecDeque<PendingQuery>,
        stop: &mut (impl Future<Output = std::io::Result<()>> + Unpin),
    ) -> Result<(), Error> {
        let Some(PendingQuery { number, text, task }) = pending.pop_front() else { return Ok(()) };
        let (mut line, exit) = tokio::select! {
            // Even a panic ends only its own query: it gets its line, and the others go on.
            ended = task => ended.unwrap_or_else(|error| {
                (json::unusable(InputLine::new(number, &text), &error.to_string()), Exit::Refused)
            }),
            _ = stop => {
                self.print_summary();
                return Err(Error::Interrupted);
            }
        };
        line.push('\n');
        std::io::stdout().lock().write_all(line.as_bytes()).map_err(Error::Output)?;
        self.counts[exit as usize] += 1;
        if self.on_terminal && self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL) {
            self.shown = Some(Instant::now());
            let answered = self.counts.iter().sum::<u64>();
            trace::say(format_args!("\r{answered} answered, {} pending ", pending.len()));
        }
        Ok(())
    }

    fn print_summary(&self) {
        let [found, no_binding, not_asked, refused, no_reply, incomplete] = self.counts;
        let sum: u64 = self.counts.iter().sum();
        if self.shown.is_some() {
            trace::say(format_args!("\r\x1b[K")); // clears the progress line
        }
        trace::say(format_args!(
            "{sum} queries in {:.1} s: {found} found, {incomplete} incomplete, {no_binding} without binding, \
             {refused} refused, {no_reply} without reply, {not_asked} not asked\n",
            self.start.elapsed().as_secs_f64()
        ));
    }

    fn worst(&self) -> Exit {
        let exits = [Exit::NoReply, Exit::Refused, Exit::Usage, Exit::Incomplete, Exit::NoBinding];
        exits.into_iter().find(|&exit| self.counts[exit as usize] > 0).unwrap_or(Exit::Found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_as_address_or_duid() {
        let address = |text: &str| text.parse::<Ipv6Addr>().expect("an address");
        let client = |octets: &[u8]| Target::Client(Duid::new(octets).expect("a DUID"));
        let rows = [
            ("2001:db8::1", Target::Address(address("2001:db8::1")), None),
            ("addr  2001:db8::1", Target::Address(address("2001:db8::1")), None),
            ("00:03:00:01:aa", client(&[0, 3, 0, 1, 0xaa]), None),
            ("duid 00 03 00 01 aa link=::1", client(&[0, 3, 0, 1, 0xaa]), Some(address("::1"))),
            ("00030001aa link=2001:db8::", client(&[0, 3, 0, 1, 0xaa]), Some(address("2001:db8::"))),
            // Eight groups of hexadecimal digits are an address, unless `duid` precedes them.
            ("1:2:3:4:5:6:7:8", Target::Address(address("1:2:3:4:5:6:7:8")), None),
            ("duid 1:2:3:4:5:6:7:8", client(&[1, 2, 3, 4, 5, 6, 7, 8]), None),
        ];
        for (text, target, link) in rows {
            assert_eq!(parse(text), Ok((target, link)), "{text}");
        }
        for text in ["host", "addr 00:03", "duid x", "2001:db8::1 link=x", "addr", "link=::1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

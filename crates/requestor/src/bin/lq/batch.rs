//! Many questions from a file: each answer a line of JSON, in the order of the file, so many under way at a time.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use lqd_requestor::{Duid, Query, Target};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::command_line::Options;
use crate::exit::Exit;
use crate::json::{self, Place};
use crate::setup::{self, Setup};
use crate::watch;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

type Fault = Box<dyn std::error::Error>;
type Source = Box<dyn AsyncBufRead + Unpin>;

/// Longest line that is read whole, in octets; the rest of a longer one is dropped, and the line is no question.
const LINE_MAX: u64 = 4096;

/// Asks every question and says how to end: the worst of all.
pub(crate) async fn run(options: &Options) -> Result<Exit, Fault> {
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let mut source = open(path).await?;
    let setup = Setup::new(options, watch::observer(&options.output)).await?;
    let (mut under_way, mut tally, mut number) = (VecDeque::new(), Tally::new(), 0);
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let end = loop {
        let line = match next_line(&mut source).await {
            Ok(Some(line)) => line,
            Ok(None) => break Ok(()),
            Err(error) => break Err(format!("{}: {error}", path.display())),
        };
        number += 1;
        let text = if number == 1 { line.trim_start_matches('\u{feff}').trim() } else { line.trim() };
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        under_way.push_back(ask(number, text.to_owned(), &setup, options));
        if under_way.len() >= options.concurrency.into() {
            tally.next(&mut under_way, &mut stop).await?;
        }
    };
    while !under_way.is_empty() {
        tally.next(&mut under_way, &mut stop).await?;
    }
    tally.finish();
    end?;
    Ok(tally.worst())
}

async fn open(path: &Path) -> Result<Source, Fault> {
    let source: Box<dyn AsyncBufRead + Unpin> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(tokio::io::stdin()))
    } else {
        let file = tokio::fs::File::open(path)
            .await
            .map_err(|error| format!("--file {}: {error}", path.display()))?;
        Box::new(BufReader::new(file))
    };
    Ok(source)
}

/// The next line, with whatever octets; `None` at the end.
async fn next_line(source: &mut Source) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    if source.take(LINE_MAX).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let mut part = line.clone();
    while !part.is_empty() && !part.ends_with(b"\n") {
        part.clear();
        source.take(LINE_MAX).read_until(b'\n', &mut part).await?;
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// A question under way.
struct Asked {
    number: usize,
    text: String,
    /// Ends with the line to print, and what the question came to.
    task: JoinHandle<(String, Exit)>,
}

/// Starts one question.
fn ask(number: usize, text: String, setup: &Setup, options: &Options) -> Asked {
    let task = tokio::spawn(answer(number, text.clone(), setup, options));
    Asked { number, text, task }
}

/// The line to print for one question, and what it came to.
fn answer(
    number: usize,
    text: String,
    setup: &Setup,
    options: &Options,
) -> impl Future<Output = (String, Exit)> + use<> {
    let (requestor, plan, with_hex) = (setup.requestor.clone(), setup.plan.clone(), options.output.hex);
    let query = read(&text).map(|(target, link)| {
        let query = setup::query(target, options);
        Query { link: link.or(query.link), ..query }
    });
    async move {
        match query {
            Err(error) => (json::unreadable(Place::new(number, &text), &error), Exit::Usage),
            Ok(query) => {
                let lookup = requestor.ask(&query, &plan).await;
                let line = json::line(&query, &lookup, with_hex, Some(Place::new(number, &text)));
                (line, Exit::of(&lookup))
            }
        }
    }
}

/// Reads `[addr] ADDRESS [link=ADDRESS]` or `[duid] DUID [link=ADDRESS]`.
fn read(text: &str) -> Result<(Target, Option<Ipv6Addr>), String> {
    let (question, link) = match text.rsplit_once("link=") {
        Some((question, link)) => {
            let link = link.parse().map_err(|_| format!("link={link} is no IPv6 address"))?;
            (question.trim_end(), Some(link))
        }
        None => (text, None),
    };
    let target = if let Some(address) = question.strip_prefix("addr ") {
        Target::Address(address.trim().parse().map_err(|_| "addr wants an IPv6 address".to_owned())?)
    } else if let Some(duid) = question.strip_prefix("duid ") {
        Target::Client(duid.parse().map_err(|error| format!("the DUID {error}"))?)
    } else if let Ok(address) = question.parse() {
        Target::Address(address)
    } else {
        let duid: Duid = question.parse().map_err(|_| "is neither an IPv6 address nor a DUID".to_owned())?;
        Target::Client(duid)
    };
    Ok((target, link))
}

/// What the questions came to so far.
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

    /// Waits for the first question under way, and prints its line.
    async fn next(
        &mut self,
        under_way: &mut VecDeque<Asked>,
        stop: &mut (impl Future<Output = std::io::Result<()>> + Unpin),
    ) -> Result<(), Fault> {
        let Some(Asked { number, text, task }) = under_way.pop_front() else { return Ok(()) };
        let (mut line, exit) = tokio::select! {
            // Whatever goes wrong with one question, it has its line, and the others are asked.
            ended = task => ended.unwrap_or_else(|error| {
                (json::unusable(Place::new(number, &text), &error.to_string()), Exit::Refused)
            }),
            _ = stop => {
                self.finish();
                return Err("stopped before all was answered".into());
            }
        };
        line.push('\n');
        std::io::stdout().lock().write_all(line.as_bytes())?;
        self.counts[exit as usize] += 1;
        if self.on_terminal && self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_EVERY) {
            self.shown = Some(Instant::now());
            let answered = self.counts.iter().sum::<u64>();
            watch::say(format_args!("\r{answered} answered, {} under way ", under_way.len()));
        }
        Ok(())
    }

    fn finish(&self) {
        let [found, no_binding, not_asked, refused, no_reply, incomplete] = self.counts;
        let sum: u64 = self.counts.iter().sum();
        if self.shown.is_some() {
            watch::say(format_args!("\r\x1b[K"));
        }
        watch::say(format_args!(
            "{sum} asked in {:.1} s: {found} found, {incomplete} incomplete, {no_binding} without binding, \
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
    fn lines_of_a_file() {
        let address = |text: &str| text.parse::<Ipv6Addr>().expect("an address");
        let client = |octets: &[u8]| Target::Client(Duid::new(octets).expect("a DUID"));
        let rows = [
            ("2001:db8::1", Target::Address(address("2001:db8::1")), None),
            ("addr  2001:db8::1", Target::Address(address("2001:db8::1")), None),
            ("00:03:00:01:aa", client(&[0, 3, 0, 1, 0xaa]), None),
            ("duid 00 03 00 01 aa link=::1", client(&[0, 3, 0, 1, 0xaa]), Some(address("::1"))),
            ("00030001aa link=2001:db8::", client(&[0, 3, 0, 1, 0xaa]), Some(address("2001:db8::"))),
            // Eight groups of hexadecimal digits are an address; `duid` says that they are not.
            ("1:2:3:4:5:6:7:8", Target::Address(address("1:2:3:4:5:6:7:8")), None),
            ("duid 1:2:3:4:5:6:7:8", client(&[1, 2, 3, 4, 5, 6, 7, 8]), None),
        ];
        for (text, target, link) in rows {
            assert_eq!(read(text), Ok((target, link)), "{text}");
        }
        for text in ["host", "addr 00:03", "duid x", "2001:db8::1 link=x", "addr", "link=::1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

//! Clients of bulk answers on standard output, and the progress on standard error.

use std::io::{BufWriter, IsTerminal, Stdout, Write};
use std::net::SocketAddrV6;
use std::time::{Duration, Instant, SystemTime};

use lqd_requestor::bulk::Message;
use lqd_requestor::{ClientOnLink, Duid, Source};

use super::Answer;
use crate::command_line::Options;
use crate::error::Error;
use crate::human::Page;
use crate::single::is_colored;
use crate::{format, json, trace};

/// Interval of the progress display.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Length of the output buffer, in bytes.
const BUFFER_LEN: usize = 64 << 10;

/// Writer of clients.
pub(crate) struct Printer {
    output: BufWriter<Stdout>,
    json: bool,
    page: Page,
    /// Whether to name the server of each client.
    several_servers: bool,
    has_printed: bool,
    /// Time of the last progress display; `None` if there was none.
    shown: Option<Instant>,
    shows_progress: bool,
}

impl Printer {
    pub(crate) fn new(options: &Options) -> Self {
        let output = &options.output;
        Self {
            output: BufWriter::with_capacity(BUFFER_LEN, std::io::stdout()),
            json: output.json,
            page: Page { color: !output.json && is_colored(output.color), hex: output.hex },
            several_servers: options.servers.servers.len() > 1,
            has_printed: false,
            shown: None,
            // Pages on the same terminal show the progress themselves.
            shows_progress: std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(),
        }
    }

    /// Prints the client of a message, if it has one.
    pub(crate) fn message(
        &mut self,
        from: SocketAddrV6,
        message: &Message,
        received: SystemTime,
    ) -> Result<(), Error> {
        let Some(client) = client(from, message, received) else { return Ok(()) };
        let text = if self.json {
            json::bulk::line(from, message, &client, received, self.page.hex) + "\n"
        } else {
            let mut page = if self.has_printed { "\n".to_owned() } else { String::new() };
            page.push_str(&block(self.page, message, &client, self.several_servers));
            page
        };
        self.has_printed = true;
        self.output.write_all(text.as_bytes()).map_err(Error::Output)
    }

    /// Writes buffered text.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.output.flush().map_err(Error::Output)
    }

    /// Shows the counts so far, if the terminal is free for it.
    pub(crate) fn progress(&mut self, answers: &[Answer]) {
        if self.shows_progress && self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL) {
            self.shown = Some(Instant::now());
            let clients: u64 = answers.iter().map(|answer| answer.tally.clients).sum();
            let bindings: u64 = answers.iter().map(|answer| answer.tally.bindings).sum();
            trace::say(format_args!("\r{clients} clients, {bindings} bindings "));
        }
    }

    /// Clears the progress display.
    pub(crate) fn end_progress(&mut self) {
        if self.shown.take().is_some() {
            trace::say(format_args!("\r\x1b[K"));
        }
    }
}

/// Returns the client of a message, if it has one.
pub(crate) fn client(from: SocketAddrV6, message: &Message, received: SystemTime) -> Option<ClientOnLink> {
    // Only the first message names the server, and no output has the name at each lease.
    let server = message.server.clone().unwrap_or_else(|| Duid::from_uuid([0; 16]));
    let data = message.data.clone()?;
    Some(Source { server, from, link: None, received, data }.into())
}

/// Renders a client as a block of rows.
pub(crate) fn block(page: Page, message: &Message, client: &ClientOnLink, names_server: bool) -> String {
    let mut text = String::new();
    page.client(&mut text, client, None, names_server);
    if let Some(time) = message.base_time {
        page.row(&mut text, "base-time", &format::time(json::bulk::system_time(time)));
    }
    for option in &message.other {
        page.row(&mut text, "option", &format::option(option));
    }
    for deviation in &message.deviations {
        page.note(&mut text, &deviation.to_string());
    }
    if page.hex {
        text.push_str(&format::hexdump(&message.octets, "  "));
    }
    text
}

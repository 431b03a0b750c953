//! The end of bulk answers: counts, status and deviations of each server, and the exit status.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddrV6;
use std::time::Duration;

use lqd_requestor::bulk::{self, Completion, Outcome, Tally};
use lqd_requestor::{Duid, Status};

use super::{Arrival, is_whole};
use crate::exit::Exit;
use crate::{format, trace};

/// The answer of one server, in counts.
#[derive(Debug)]
pub(crate) struct Answer {
    from: SocketAddrV6,
    server: Option<Duid>,
    status: Option<Status>,
    pub(crate) tally: Tally,
    completion: Option<Completion>,
    error: Option<bulk::Error>,
    /// Messages with each deviation, by its code.
    deviations: BTreeMap<&'static str, u64>,
}

impl Answer {
    pub(crate) fn new(from: SocketAddrV6) -> Self {
        Self {
            from,
            server: None,
            status: None,
            tally: Tally::default(),
            completion: None,
            error: None,
            deviations: BTreeMap::new(),
        }
    }

    /// Whether this is of the server of that answer.
    pub(crate) fn is_of(&self, arrival: &Arrival) -> bool {
        match arrival {
            Arrival::Message { from, .. } | Arrival::End { from, .. } => *from == self.from,
        }
    }

    /// Counts an arrival.
    pub(crate) fn take(&mut self, arrival: Arrival) {
        let message = match arrival {
            Arrival::Message { message, .. } => message,
            Arrival::End { error, .. } => {
                self.error = Some(error);
                return;
            }
        };
        for deviation in &message.deviations {
            *self.deviations.entry(deviation.code()).or_default() += 1;
        }
        if message.server.is_some() {
            self.server = message.server;
        }
        if message.status.is_some() {
            self.status = message.status;
        }
        self.tally = message.tally;
        self.completion = message.completion;
    }

    /// Whether other servers need not be queried.
    pub(crate) fn is_conclusive(&self) -> bool {
        is_whole(self.completion)
    }

    /// The exit status of this answer alone.
    fn exit(&self) -> Exit {
        let has_bindings = self.tally.bindings > 0;
        match self.completion.map(|completion| completion.outcome) {
            Some(Outcome::NoBinding) => Exit::NoBinding,
            Some(Outcome::Done) if has_bindings && self.tally.lost == 0 => Exit::Found,
            Some(Outcome::Done | Outcome::Terminated) | None if has_bindings => Exit::Incomplete,
            None if matches!(self.error, Some(bulk::Error::Bind { .. })) => Exit::Usage,
            None if self.error.as_ref().is_none_or(|error| !is_nonsense(error)) => Exit::NoReply,
            _ => Exit::Refused,
        }
    }

    /// Prints the summary on standard error.
    pub(crate) fn print(&self, elapsed: Duration) {
        trace::say(format_args!("{}", self.summary(elapsed)));
    }

    /// Renders the summary: one line, and one more if the server deviates from the RFCs.
    pub(crate) fn summary(&self, elapsed: Duration) -> String {
        let Tally { clients, bindings, expired, lost } = self.tally;
        let mut text = format!(
            "lq: {}: {clients} clients, {bindings} bindings in {:.1} s: {}",
            self.from,
            elapsed.as_secs_f64(),
            self.end()
        );
        for (count, name) in [(expired, "expired"), (lost, "discarded")] {
            if count > 0 {
                let _ = write!(text, "; {count} {name}");
            }
        }
        text.push('\n');
        if !self.deviations.is_empty() {
            let counts: Vec<String> =
                self.deviations.iter().map(|(code, count)| format!("{code} ({count})")).collect();
            let server = self.server.as_ref().map(|server| format!(", server {server},")).unwrap_or_default();
            let _ = writeln!(text, "lq: {}{server} deviates from the RFCs: {}", self.from, counts.join(", "));
        }
        text
    }

    /// The way in which the answer ended, for people.
    fn end(&self) -> String {
        let status = self.status.as_ref().map(status).unwrap_or_default();
        match self.completion.map(|completion| completion.outcome) {
            Some(Outcome::Done) if self.tally.lost == 0 => "complete".to_owned(),
            Some(Outcome::Done) => "incomplete, client data was discarded".to_owned(),
            Some(Outcome::NoBinding) => "no binding".to_owned(),
            Some(Outcome::Refused) => format!("refused, {status}"),
            Some(Outcome::Terminated) => format!("incomplete, ended by {status}"),
            Some(Outcome::Unusable) => "unusable, the answer does not fit the query".to_owned(),
            None => {
                let part = if self.tally.clients > 0 { "incomplete" } else { "no answer" };
                let why = self.error.as_ref().map(|error| format!(", {}", reason(error))).unwrap_or_default();
                format!("{part}{why}")
            }
        }
    }
}

/// Whether the server answered, but not by the RFC, or refuses or fails TLS.
fn is_nonsense(error: &bulk::Error) -> bool {
    use bulk::ProtocolError::{Closed, Cut};
    match error {
        bulk::Error::Protocol { error, .. } => !matches!(error, Closed | Cut(_)),
        bulk::Error::Tls { .. } => true,
        _ => false,
    }
}

/// Renders an error without the server, which the line begins with.
fn reason(error: &bulk::Error) -> String {
    match error {
        bulk::Error::Protocol { error, .. } => error.to_string(),
        bulk::Error::Tls { error, .. } => error.to_string(),
        bulk::Error::Broken { source, .. } => format!("connection lost: {source}"),
        other => other.to_string(),
    }
}

fn status(status: &Status) -> String {
    let name = status.code.name().unwrap_or("status");
    let text =
        if status.text.is_empty() { String::new() } else { format!(" {}", format::quoted(&status.text)) };
    format!("{name}({}){text}", status.code.0)
}

/// The exit status of all answers together.
pub(crate) fn exit(answers: &[Answer]) -> Exit {
    let exits: Vec<Exit> = answers.iter().map(Answer::exit).collect();
    let has = |exit| exits.contains(&exit);
    // Bindings of one server do not stand for those of another one that failed.
    if has(Exit::Found) || has(Exit::Incomplete) {
        let is_whole = exits.iter().all(|exit| matches!(exit, Exit::Found | Exit::NoBinding));
        return if is_whole { Exit::Found } else { Exit::Incomplete };
    }
    let worst = [Exit::Usage, Exit::NoReply, Exit::Refused].into_iter().find(|&exit| has(exit));
    worst.unwrap_or(Exit::NoBinding)
}

#[cfg(test)]
mod tests;

//! `--trace`: sent and received datagrams, logged to standard error as they pass.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use lqd_requestor::{Event, Observer};

use crate::command_line::Output;
use crate::format::hexdump;

/// Writes to standard error in one call, so that lines of several tasks stay whole.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    // With standard error closed, the exit status still tells the result.
    let _ = std::io::stderr().write_all(text.to_string().as_bytes());
}

/// Returns an observer that logs events with the time since now; `None` without `--trace`.
pub(crate) fn observer(output: &Output) -> Option<Observer> {
    let hex = output.hex;
    let start = Instant::now();
    output.trace.then(|| {
        Arc::new(move |event: &Event<'_>| {
            let at = start.elapsed().as_secs_f64();
            say(format_args!("{at:10.6} {}", line(event, hex)));
        }) as Observer
    })
}

/// Renders one event as a line, followed by a dump of its octets if `hex` is set.
fn line(event: &Event<'_>, hex: bool) -> String {
    let (text, octets) = match event {
        Event::Connected { to } => (format!("connected to {to}"), &[][..]),
        Event::Disconnected { from, why } => (format!("connection to {from} ended: {why}"), &[][..]),
        Event::Sent { to, id, transmission, transmissions_max, octets } => (
            format!("sent {id:?} to {to}, {transmission} of {transmissions_max}, {} octets", octets.len()),
            *octets,
        ),
        Event::NotSent { to, id, error } => (format!("not sent {id:?} to {to}: {error}"), &[][..]),
        Event::Accepted { from, id, octets } => {
            (format!("answer {id:?} from {from}, {} octets", octets.len()), *octets)
        }
        Event::Ignored { from, reason, octets } => {
            (format!("ignored from {from}, {} octets: {reason}", octets.len()), *octets)
        }
        Event::ReceiveFailed { error } => (format!("receive failed: {error}"), &[][..]),
        _ => (format!("{event:?}"), &[][..]),
    };
    let mut line = text + "\n";
    if hex {
        let _ = write!(line, "{}", hexdump(octets, "           "));
    }
    line
}

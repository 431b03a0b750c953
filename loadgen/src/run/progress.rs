//! The progress line of a running load, shown only if standard error is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::live::Totals;
use crate::report::text::thousands;

/// Interval between two updates.
const PERIOD: Duration = Duration::from_millis(250);

pub(super) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: Instant,
    before: Totals,
}

impl Progress {
    /// Makes the line, which starts with `what`; without a `duration` it has no bar, only the time.
    pub(super) fn new(what: &str, duration: Option<Duration>) -> Self {
        let bar = match duration {
            Some(duration) => ProgressBar::new(duration.as_millis() as u64),
            None => ProgressBar::no_length(),
        };
        let template = if duration.is_some() {
            "{prefix} {bar:24.cyan/dim} {elapsed} {msg}"
        } else {
            "{prefix} {elapsed} {msg}"
        };
        // Both templates are constants, so a mistake shows in every test.
        bar.set_style(ProgressStyle::with_template(template).expect("both templates are well-formed"));
        bar.set_prefix(what.to_owned());
        let started = Instant::now();
        Self { bar, started, shown: started, before: Totals::default() }
    }

    /// Updates the line, if the last update is old enough.
    pub(super) fn show(&mut self, totals: Totals) {
        // The main thread looks more often than people can read.
        let since = self.shown.elapsed();
        if since < PERIOD {
            return;
        }
        // Since the last update, as a rate over the whole run would hide changes.
        let per_s = |now: u64, before: u64| {
            thousands((now.saturating_sub(before) as f64 / since.as_secs_f64()).round() as u64)
        };
        let mut text = format!(
            "sent {}/s  answered {}/s  lost {}",
            per_s(totals.sent, self.before.sent),
            per_s(totals.answered, self.before.answered),
            thousands(totals.lost)
        );
        // Wrong answers are shown at once, as a long run may be stopped for them.
        if totals.wrong > 0 {
            text += &format!("  WRONG {}", thousands(totals.wrong));
        }
        self.bar.set_message(text);
        self.bar.set_position(self.started.elapsed().as_millis() as u64);
        (self.shown, self.before) = (Instant::now(), totals);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The line would mix with the report.
        self.bar.finish_and_clear();
    }
}

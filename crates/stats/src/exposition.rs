//! Prometheus text exposition, version 0.0.4.
//!
//! A library would bring its own counters, which the packet path cannot use, or a registry to fill on every
//! scrape; the text itself is a page of code.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::Distribution;

/// Type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by upper limit.
    Histogram,
}

/// A scrape while it is written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// A family of a scrape, with its header written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

/// Names and values of labels.
type Labels<'a> = [(&'a str, &'a str)];

impl Exposition {
    /// Content type of the text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; each name may be used once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { text: &mut self.text, name }
    }

    /// The text so far.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Writes a number with its labels.
    pub fn sample(&mut self, labels: &Labels<'_>, value: impl Display) {
        self.line("", labels, None, value);
    }

    /// Writes the buckets of a histogram by ascending upper limit, with cumulative counts, then count and sum
    /// of all.
    pub fn histogram<L: Display>(
        &mut self,
        labels: &Labels<'_>,
        buckets: impl IntoIterator<Item = (L, u64)>,
        count: u64,
        sum: impl Display,
    ) {
        for (limit, count) in buckets {
            self.line("_bucket", labels, Some(&limit), count);
        }
        self.line("_bucket", labels, Some(&"+Inf"), count);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count);
    }

    /// Writes times in seconds, with a bucket for each power of two of nanoseconds in `powers`.
    pub fn times(
        &mut self,
        labels: &Labels<'_>,
        times: &Distribution,
        powers: impl IntoIterator<Item = u32>,
    ) {
        let seconds = |power: u32| Duration::from_nanos(1 << power).as_secs_f64();
        let buckets = powers.into_iter().map(|power| (seconds(power), times.count_up_to(power)));
        self.histogram(labels, buckets, times.count(), times.sum().as_secs_f64());
    }

    fn line(&mut self, suffix: &str, labels: &Labels<'_>, limit: Option<&dyn Display>, value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut separator = '{';
        for (name, value) in labels {
            let _ = write!(self.text, "{separator}{name}=\"");
            escape(self.text, value);
            self.text.push('"');
            separator = ',';
        }
        if let Some(limit) = limit {
            let _ = write!(self.text, "{separator}le=\"{limit}\"");
            separator = ',';
        }
        // Without labels there are no braces.
        let close = if separator == ',' { "}" } else { "" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

/// Writes the value of a label, escaped.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str(r"\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str(r"\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Histogram;

    /// Expected text from the description of the format, not from this code.
    #[test]
    fn text_follows_the_format() {
        let mut scrape = Exposition::default();
        let mut family = scrape.family("a_total", Kind::Counter, "One \\ two\nthree \"four\".");
        family.sample(&[], 5);
        family.sample(&[("path", "C:\\x\"\n"), ("le_", "é")], 0.25);
        scrape.family("b_bytes", Kind::Gauge, "B.").histogram(&[("x", "y")], [(1, 2), (4, 3)], 7, 9);
        assert_eq!(
            scrape.into_text(),
            "# HELP a_total One \\\\ two\\nthree \"four\".\n\
             # TYPE a_total counter\n\
             a_total 5\n\
             a_total{path=\"C:\\\\x\\\"\\n\",le_=\"é\"} 0.25\n\
             # HELP b_bytes B.\n\
             # TYPE b_bytes gauge\n\
             b_bytes_bucket{x=\"y\",le=\"1\"} 2\n\
             b_bytes_bucket{x=\"y\",le=\"4\"} 3\n\
             b_bytes_bucket{x=\"y\",le=\"+Inf\"} 7\n\
             b_bytes_sum{x=\"y\"} 9\n\
             b_bytes_count{x=\"y\"} 7\n"
        );
    }

    #[test]
    fn times_are_in_seconds() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_nanos(1024), 3);
        histogram.record(Duration::from_secs(100), 1);
        let mut scrape = Exposition::default();
        scrape.family("t_seconds", Kind::Histogram, "T.").times(&[], &histogram.read(), [9, 10]);
        assert_eq!(
            scrape.into_text(),
            "# HELP t_seconds T.\n# TYPE t_seconds histogram\n\
             t_seconds_bucket{le=\"0.000000512\"} 0\n\
             t_seconds_bucket{le=\"0.000001024\"} 3\n\
             t_seconds_bucket{le=\"+Inf\"} 4\n\
             t_seconds_sum 100.000003072\n\
             t_seconds_count 4\n"
        );
    }
}

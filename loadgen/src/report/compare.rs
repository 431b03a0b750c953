//! `lqload compare`: two reports side by side.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::text::{thousands, time};
use super::{SCHEMA, SCHEMA_VERSION};
use crate::error::Error;

/// Shows two reports of `lqload run --json` side by side.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Report to compare with
    a: PathBuf,
    /// Report to compare
    b: PathBuf,
}

/// Unit of a number.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    PerSecond,
    Nanoseconds,
    Microseconds,
}

/// Rows: name, JSON pointer into the report, unit.
const ROWS: &[(&str, &str, Unit)] = &[
    ("sent", "/sent_per_s", Unit::PerSecond),
    ("answered", "/answered_per_s", Unit::PerSecond),
    ("lost", "/lost", Unit::Count),
    ("wrong", "/wrong", Unit::Count),
    ("late sends", "/late_sends", Unit::Count),
    ("latency p50", "/latency_ns/p50", Unit::Nanoseconds),
    ("latency p90", "/latency_ns/p90", Unit::Nanoseconds),
    ("latency p99", "/latency_ns/p99", Unit::Nanoseconds),
    ("latency p99.9", "/latency_ns/p99_9", Unit::Nanoseconds),
    ("latency p99.99", "/latency_ns/p99_99", Unit::Nanoseconds),
    ("latency max", "/latency_ns/max", Unit::Nanoseconds),
    ("server CPU per answer", "/server_cpu/us_per_answer", Unit::Microseconds),
    ("highest rate", "/find_max/highest_rate", Unit::PerSecond),
];

/// Settings of a run. Where they differ, results may differ for that reason alone.
const SETTINGS: &[&str] = &[
    "target",
    "rate",
    "window",
    "order",
    "mix",
    "relayed",
    "leases",
    "threads",
    "ports",
    "gso",
    "timeout_s",
    "verified",
    "echo",
    "fell_behind",
    "interrupted",
];

/// A file that is not a report of this version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    #[error("its schema is {0}, not {SCHEMA:?}")]
    Schema(Value),
    #[error("its schema_version is {0}, this lqload knows {SCHEMA_VERSION}")]
    Version(Value),
}

/// Prints the comparison.
pub(crate) fn compare(options: &Options) -> Result<(), Error> {
    let (a, b) = (read(&options.a)?, read(&options.b)?);
    println!("A  {}\nB  {}\n", options.a.display(), options.b.display());
    print!("{}", table(&a, &b));
    Ok(())
}

fn read(path: &Path) -> Result<Value, Error> {
    let error = |source| Error::Report { path: path.to_owned(), source };
    let text = fs::read(path).map_err(Error::file(path))?;
    let report: Value = serde_json::from_slice(&text).map_err(|source| error(ReportError::Json(source)))?;
    // A report of another program may parse, so its name is checked.
    if report["schema"] != SCHEMA {
        return Err(error(ReportError::Schema(report["schema"].clone())));
    }
    // Keys may have changed their meaning since.
    if report["schema_version"] != SCHEMA_VERSION {
        return Err(error(ReportError::Version(report["schema_version"].clone())));
    }
    Ok(report)
}

/// Renders the numbers of both reports, and the settings that differ.
fn table(a: &Value, b: &Value) -> String {
    let mut out = format!("{:<22} {:>14} {:>14} {:>8}\n", "", "A", "B", "B / A");
    for &(name, place, unit) in ROWS {
        // Numbers are found by pointer, so that a missing one is no error.
        let number = |report: &Value| report.pointer(place).and_then(Value::as_f64);
        let (a, b) = (number(a), number(b));
        // A row that neither run measured.
        if a.is_none() && b.is_none() {
            continue;
        }
        let ratio = match (a, b) {
            // A ratio to 0 says nothing.
            (Some(a), Some(b)) if a > 0.0 => format!("{:.3}", b / a),
            _ => "-".to_owned(),
        };
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| unit.shown(value));
        out += &format!("{name:<22} {:>14} {:>14} {ratio:>8}\n", shown(a), shown(b));
    }
    let differing: Vec<_> = SETTINGS.iter().filter(|&&key| a[key] != b[key]).collect();
    if !differing.is_empty() {
        out += "\nthe runs differ in\n";
    }
    // Settings that differ explain results that differ.
    for key in differing {
        out += &format!("{key:<22} {} | {}\n", a[key], b[key]);
    }
    out
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Count => thousands(value.round() as u64),
            Self::PerSecond => format!("{}/s", thousands(value.round() as u64)),
            Self::Nanoseconds => time(value.round() as u64),
            Self::Microseconds => format!("{value:.3} µs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_side_by_side_with_their_ratio() {
        let a = json!({"answered_per_s": 1000.0, "lost": 0, "latency_ns": {"p50": 2_000_000}, "window": 8});
        let b = json!({"answered_per_s": 1500.0, "lost": 3, "latency_ns": {"p50": 1_000_000}, "window": 9});
        let table = table(&a, &b);
        let row = |name: &str| {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("answered"), "1,000/s 1,500/s 1.500");
        assert_eq!(row("latency p50"), "2.00 ms 1.00 ms 0.500");
        assert_eq!(row("lost"), "0 3 -");
        assert_eq!(row("window"), "8 | 9");
        assert!(!table.contains("server CPU"), "neither report has it: {table}");
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        for (text, why) in [
            ("[", "not JSON"),
            ("{}", "its schema is null"),
            (r#"{"schema": "lqload-run", "schema_version": 99}"#, "schema_version is 99"),
        ] {
            fs::write(&path, text).unwrap();
            let fault = read(&path).unwrap_err().to_string();
            assert!(fault.contains(why), "{fault}");
        }
    }
}

//! Reference counts, and the changes since.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::CountError;
use crate::measure::Counts;

/// Counts, with compiler and architecture.
#[derive(Deserialize, Serialize)]
pub(crate) struct Reference {
    /// Output of `rustc --version`.
    pub(crate) rustc: String,
    /// Architecture; counts of different ones are not comparable.
    arch: String,
    pub(crate) counts: Counts,
}

/// A bench, then and now.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    bench: String,
    reference: Option<u64>,
    counted: Option<u64>,
}

impl Change {
    /// Growth, per cent.
    fn growth(&self) -> Option<f64> {
        let (reference, counted) = self.reference.zip(self.counted)?;
        Some((counted as f64 / reference as f64 - 1.0) * 100.0)
    }

    /// Whether it has grown by more than `limit` per cent, or is gone: a removed bench must be removed from
    /// the reference too.
    pub(crate) fn is_over(&self, limit: f64) -> bool {
        // A bench that is gone would hide any growth.
        let Some(counted) = self.counted else { return true };
        self.reference.is_some_and(|reference| counted as f64 > reference as f64 * (1.0 + limit / 100.0))
    }
}

impl Reference {
    /// Makes a reference of new counts.
    pub(crate) fn of(counts: Counts) -> Self {
        let version = Command::new("rustc").arg("--version").output();
        // Without the version, counts can still be compared.
        let rustc = version.map_or_else(
            |_| "an unknown rustc".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        );
        Self { rustc, arch: std::env::consts::ARCH.to_owned(), counts }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, CountError> {
        let unusable = |reason: String| CountError::Reference { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let saved: Self = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        // Instructions of another architecture are not comparable.
        if saved.arch != std::env::consts::ARCH {
            return Err(unusable(format!("counted on {}, not {}", saved.arch, std::env::consts::ARCH)));
        }
        Ok(saved)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), CountError> {
        let mut text = serde_json::to_string_pretty(self).expect("names and numbers have a JSON form");
        text.push('\n');
        fs::write(path, text)
            .map_err(|error| CountError::Reference { path: path.to_owned(), reason: error.to_string() })
    }

    /// Compares every bench of either side, by name.
    pub(crate) fn changes(&self, counted: &Self) -> Vec<Change> {
        // Names of both sides, so that a new or removed bench shows.
        let mut benches: Vec<&String> = self.counts.keys().chain(counted.counts.keys()).collect();
        benches.sort_unstable();
        benches.dedup();
        let change = |bench: &String| Change {
            bench: bench.clone(),
            reference: self.counts.get(bench).copied(),
            counted: counted.counts.get(bench).copied(),
        };
        benches.into_iter().map(change).collect()
    }
}

/// Formats the changes as a table; marks those over the limit.
pub(crate) fn table(changes: &[Change], limit: f64) -> String {
    let mut text = format!("{:<32} {:>14} {:>14} {:>8}\n", "bench", "reference", "now", "change");
    let number = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    for change in changes {
        let growth = change.growth().map_or_else(|| "-".to_owned(), |growth| format!("{growth:+.2}%"));
        let mark = match change {
            Change { counted: None, .. } => "  GONE",
            Change { reference: None, .. } => "  new",
            change if change.is_over(limit) => "  OVER THE LIMIT",
            _ => "",
        };
        let (reference, counted) = (number(change.reference), number(change.counted));
        text.push_str(&format!("{:<32} {reference:>14} {counted:>14} {growth:>8}{mark}\n", change.bench));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(counts: &[(&str, u64)]) -> Reference {
        Reference::of(counts.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn growth_over_the_limit_and_removed_benches_fail() {
        let reference = saved(&[("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
        let counted = saved(&[("a", 1100), ("b", 1101), ("c", 10), ("e", 5)]);
        let changes = reference.changes(&counted);
        let over: Vec<_> = changes.iter().map(|change| (&*change.bench, change.is_over(10.0))).collect();
        assert_eq!(over, [("a", false), ("b", true), ("c", false), ("d", true), ("e", false)]);
        let table = table(&changes, 10.0);
        for line in ["+10.10%  OVER THE LIMIT", "-99.00%\n", "-  GONE", "-  new"] {
            assert!(table.contains(line), "{line} in\n{table}");
        }
    }

    #[test]
    fn a_reference_is_read_as_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = saved(&[("a", 7)]);
        written.write(file.path()).unwrap();
        let read = Reference::read(file.path()).unwrap();
        assert_eq!((read.rustc, read.counts), (written.rustc, written.counts));
        fs::write(file.path(), r#"{"rustc":"r","arch":"pdp11","counts":{}}"#).unwrap();
        assert!(Reference::read(file.path()).err().unwrap().to_string().contains("--write"));
    }
}

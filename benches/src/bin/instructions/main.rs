//! instructions: counts the instructions of codec, index and answer, and compares them with the reference in
//! the tree.
//!
//! gungraun can compare with an earlier run, but keeps it in the target directory, which a fresh clone lacks.
//! So the reference counts are a file in the tree, `benches/instructions.json`, which changes with the commit
//! that changes the counts, and shows in review what that commit costs.
#![forbid(unsafe_code)]

mod measure;
mod reference;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use reference::{Change, Reference};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// Count the instructions of codec, index and answer, and compare them with the reference in the tree.
///
/// Needs valgrind, and: cargo install --locked gungraun-runner@0.20.0. Exit status 0: no count has grown
/// beyond the limit; 1: one has; 2: the comparison failed.
#[derive(Parser)]
struct Options {
    /// Accepted growth, per cent.
    #[arg(long, value_name = "PER CENT", default_value_t = 10.0)]
    limit: f64,
    /// Write the counts to the tree as the new reference instead of comparing.
    #[arg(long)]
    write: bool,
    /// File with the reference counts.
    #[arg(long, value_name = "FILE", default_value = REFERENCE)]
    reference: PathBuf,
}

/// A reason why the comparison failed, and its fix.
#[derive(Debug, thiserror::Error)]
enum CountError {
    #[error("cannot run cargo: {0}")]
    Cargo(std::io::Error),
    #[error("counting failed, see above; install valgrind, and gungraun-runner 0.20.0")]
    Counting,
    #[error("gungraun printed no counts in a known format: {0}")]
    Output(String),
    #[error("{path}: {reason}; --write replaces it")]
    Reference { path: PathBuf, reason: String },
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::from(2)
        }
    }
}

/// Counts and compares; returns whether no count has grown beyond the limit.
fn run(options: &Options) -> Result<bool, CountError> {
    let counted = Reference::of(measure::count()?);
    if options.write {
        counted.write(&options.reference)?;
        println!("wrote {} counts to {}", counted.counts.len(), options.reference.display());
        return Ok(true);
    }
    let reference = Reference::read(&options.reference)?;
    // Counts of other compilers differ without a change of the code.
    if reference.rustc != counted.rustc {
        println!("note: counted with {}, the reference with {}\n", counted.rustc, reference.rustc);
    }
    let changes = reference.changes(&counted);
    print!("{}", self::reference::table(&changes, options.limit));
    Ok(!changes.iter().any(|change: &Change| change.is_over(options.limit)))
}

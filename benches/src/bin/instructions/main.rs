//! instructions: counts the instructions of codec, index and answer, and compares them with those in the
//! tree.
//!
//! gungraun can compare with a run before, but keeps it in the target directory, which a clean clone does not
//! have. So the counts of reference are a file in the tree, `benches/instructions.json`, that changes with
//! the commit that changes the counts, and says in review what that commit costs.
#![forbid(unsafe_code)]

mod baseline;
mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use baseline::{Baseline, Change};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// Count the instructions of codec, index and answer, and compare them with those in the tree.
///
/// Needs valgrind, and: cargo install --locked gungraun-runner@0.20.0. Exit status 0: none has grown by more
/// than the limit; 1: one has; 2: nothing could be compared.
#[derive(Parser)]
struct Options {
    /// Growth that is accepted, per cent.
    #[arg(long, value_name = "PER CENT", default_value_t = 10.0)]
    limit: f64,
    /// Write the counts to the tree as the new reference, instead of comparing.
    #[arg(long)]
    write: bool,
    /// The counts of reference.
    #[arg(long, value_name = "FILE", default_value = BASELINE)]
    baseline: PathBuf,
}

/// Why nothing could be compared, and what to mend.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot run cargo: {0}")]
    Cargo(std::io::Error),
    #[error("the counting has failed, see above; is valgrind there, and gungraun-runner 0.20.0?")]
    Counting,
    #[error("gungraun has counted nothing, or in a form that is not known here: {0}")]
    Output(String),
    #[error("{path}: {what}; --write makes it anew")]
    Baseline { path: PathBuf, what: String },
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("instructions: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Whether no count has grown too much.
fn run(options: &Options) -> Result<bool, Fault> {
    let counted = Baseline::of(measure::count()?);
    if options.write {
        counted.write(&options.baseline)?;
        println!("wrote {} counts to {}", counted.counts.len(), options.baseline.display());
        return Ok(true);
    }
    let reference = Baseline::read(&options.baseline)?;
    if reference.rustc != counted.rustc {
        println!("note: counted with {}, the reference with {}\n", counted.rustc, reference.rustc);
    }
    let changes = reference.changes(&counted);
    print!("{}", baseline::table(&changes, options.limit));
    Ok(!changes.iter().any(|change: &Change| change.is_over(options.limit)))
}

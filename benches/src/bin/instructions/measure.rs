//! Runs the counting bench and parses gungraun's output: one JSON object per line and bench.

use std::collections::BTreeMap;
use std::env;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::CountError;

/// Bench → instructions.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Position of callgrind's instructions in the summary of a bench (gungraun's summary schema, version 7).
const VERSION: &str = "7";
const INSTRUCTIONS: &str = "/data/total/metrics/Ir/values/new";

/// Builds and runs the bench `counts`.
pub(crate) fn count() -> Result<Counts, CountError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "bench",
        "--quiet",
        "--package",
        "lqd-benches",
        "--bench",
        "counts",
        "--",
        "--output-format=json",
    ]);
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        // Errors of the build go straight to the reader.
        .stderr(Stdio::inherit())
        .output()
        .map_err(CountError::Cargo)?;
    if !output.status.success() {
        return Err(CountError::Counting);
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(lines: &str) -> Result<Counts, CountError> {
    let counts = lines.lines().map(read_one).collect::<Result<Counts, CountError>>()?;
    // No line is an error, as a reference of nothing would pass.
    if counts.is_empty() { Err(CountError::Output("no line at all".to_owned())) } else { Ok(counts) }
}

/// Parses name and instructions of a bench.
fn read_one(line: &str) -> Result<(String, u64), CountError> {
    let unknown = |reason: &str| CountError::Output(format!("{reason} in {line:.200}"));
    let summary: Value = serde_json::from_str(line).map_err(|error| unknown(&error.to_string()))?;
    let text = |key: &str| summary[key].as_str().ok_or_else(|| unknown(&format!("no {key}")));
    // Another version may count something else under the same name.
    if text("version")? != VERSION {
        return Err(unknown("another version of the schema"));
    }
    let callgrind = summary["profiles"].as_array().into_iter().flatten().find(|profile| {
        // Other tools may be among the profiles.
        profile["tool"].as_str().is_some_and(|tool| tool.eq_ignore_ascii_case("callgrind"))
    });
    let instructions = callgrind.and_then(|profile| profile.pointer(INSTRUCTIONS)?.as_u64());
    let name = format!("{} {}", text("function_name")?, text("id")?);
    Ok((name, instructions.ok_or_else(|| unknown("no instructions"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of gungraun 0.20.0, without the fields that are not read here.
    const LINE: &str = r#"{"function_name":"codec_parse","id":"address","profiles":[{"data":{"parts":[],
        "total":{"metrics":{"Dr":{"values":{"new":53256}},"Ir":{"values":{"new":376858}}}}},
        "tool":"Callgrind"}],"version":"7"}"#;

    #[test]
    fn a_summary_is_read() {
        assert_eq!(read_one(LINE).unwrap(), ("codec_parse address".to_owned(), 376_858));
    }

    #[test]
    fn unknown_output_is_an_error() {
        for (from, to) in
            [("\"7\"", "\"8\""), ("Ir", "Is"), ("Callgrind", "Perf"), ("\"id\"", "\"no\""), ("{", "")]
        {
            assert!(read_one(&LINE.replace(from, to)).is_err(), "{from} → {to}");
        }
        assert!(read("").is_err());
    }
}

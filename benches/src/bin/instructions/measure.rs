//! Runs the counting bench and reads what gungraun prints: one JSON object a line for each bench.

use std::collections::BTreeMap;
use std::env;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Fault;

/// Bench → instructions.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Where callgrind's instructions are in the summary of a bench (gungraun's summary schema, version 7).
const VERSION: &str = "7";
const INSTRUCTIONS: &str = "/data/total/metrics/Ir/values/new";

/// Builds and runs the bench `counts`.
pub(crate) fn count() -> Result<Counts, Fault> {
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
        .stderr(Stdio::inherit())
        .output()
        .map_err(Fault::Cargo)?;
    if !output.status.success() {
        return Err(Fault::Counting);
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(lines: &str) -> Result<Counts, Fault> {
    let counts = lines.lines().map(read_one).collect::<Result<Counts, Fault>>()?;
    if counts.is_empty() { Err(Fault::Output("no line at all".to_owned())) } else { Ok(counts) }
}

/// Name and instructions of one bench.
fn read_one(line: &str) -> Result<(String, u64), Fault> {
    let fault = |what: &str| Fault::Output(format!("{what} in {line:.200}"));
    let summary: Value = serde_json::from_str(line).map_err(|error| fault(&error.to_string()))?;
    let text = |key: &str| summary[key].as_str().ok_or_else(|| fault(&format!("no {key}")));
    if text("version")? != VERSION {
        return Err(fault("another version of the schema"));
    }
    let callgrind =
        summary["profiles"].as_array().into_iter().flatten().find(|profile| {
            profile["tool"].as_str().is_some_and(|tool| tool.eq_ignore_ascii_case("callgrind"))
        });
    let instructions = callgrind.and_then(|profile| profile.pointer(INSTRUCTIONS)?.as_u64());
    let name = format!("{} {}", text("function_name")?, text("id")?);
    Ok((name, instructions.ok_or_else(|| fault("no instructions"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What gungraun 0.20.0 printed, less all that is not read here.
    const LINE: &str = r#"{"function_name":"codec_parse","id":"address","profiles":[{"data":{"parts":[],
        "total":{"metrics":{"Dr":{"values":{"new":53256}},"Ir":{"values":{"new":376858}}}}},
        "tool":"Callgrind"}],"version":"7"}"#;

    #[test]
    fn a_summary_is_read() {
        assert_eq!(read_one(LINE).unwrap(), ("codec_parse address".to_owned(), 376_858));
    }

    #[test]
    fn what_is_not_understood_is_a_fault() {
        for (from, to) in
            [("\"7\"", "\"8\""), ("Ir", "Is"), ("Callgrind", "Perf"), ("\"id\"", "\"no\""), ("{", "")]
        {
            assert!(read_one(&LINE.replace(from, to)).is_err(), "{from} → {to}");
        }
        assert!(read("").is_err());
    }
}

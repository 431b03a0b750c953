//! Metrics named in deploy/'s dashboards and alerts exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::{Monitored, fixture};
use crate::support::Requestor;

pub fn trials() -> Vec<Trial> {
    tests! {
        metrics_of_dashboards_and_alerts_exist,
        dashboards_are_complete,
        promtool_accepts_the_alerts needs Promtool,
    }
}

/// Lists the files of a folder below deploy/ with this extension.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.expect("a file").path());
    // Files of other kinds lie in the same folder.
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    assert!(!files.is_empty(), "no .{ending} in {}", folder.display());
    files
}

/// Finds the metric names in a text: words that begin with `lqd_`.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("lqd_") || word.starts_with("process_")).collect()
}

/// Every metric named in deploy/ is in a scrape of a server that has answered a query.
fn metrics_of_dashboards_and_alerts_exist() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    let query =
        crate::support::octets::octets("0e f00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1 $zero");
    Requestor::new(monitored.lqd.address).ask(&query).ok_or("it is answered")?;
    let scrape = monitored.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let mut named = 0;
    for file in [files("alerts", "yml"), files("grafana", "json")].concat() {
        let text = fs::read_to_string(&file)?;
        let names = names(&text);
        // A name that no scrape has would leave a panel empty for ever.
        let missing: Vec<_> = names.iter().filter(|name| !scrape.has(name)).collect();
        assert!(missing.is_empty(), "{} names metrics that lqd lacks: {missing:?}", file.display());
        named += names.len();
        // Label values written in expressions must exist as well.
        for (label, value) in label_values(&text) {
            assert!(
                ["lqd_datagrams_total", "lqd_config_reloads_total"].iter().any(|name| scrape
                    .all(name)
                    .iter()
                    .any(|(labels, _)| labels.get(label).is_some_and(|found| found == value))),
                "{}: no {label} is {value:?}",
                file.display()
            );
        }
    }
    // A check that finds no names would pass on anything.
    assert!(named > 20, "only {named} names were found");
    assert!(!scrape.has("lqd_no_such_metric"), "the check can fail");
    Ok(())
}

/// Lists the outcomes and results that expressions select.
fn label_values(text: &str) -> Vec<(&str, &str)> {
    let mut values = Vec::new();
    for label in ["outcome", "result"] {
        for operator in ["=~\"", "=\""] {
            for (position, _) in text.match_indices(&format!("{label}{operator}")) {
                let value = &text[position + label.len() + operator.len()..];
                let value = value.split('"').next().unwrap_or_default();
                values.extend(value.split('|').map(|value| (label, value)));
            }
        }
    }
    values
}

/// A dashboard is JSON with a title and panels; each panel has a position, a title, and an expression unless
/// it is a row.
fn dashboards_are_complete() -> Result<(), Failed> {
    for file in files("grafana", "json") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        assert!(dashboard["title"].is_string() && dashboard["uid"].is_string());
        let panels = dashboard["panels"].as_array().ok_or("panels")?;
        let mut ids = BTreeSet::new();
        for panel in panels {
            let title = panel["title"].as_str().ok_or("a panel's title")?;
            assert!(ids.insert(panel["id"].as_u64()), "{title}: its id is repeated");
            let place = &panel["gridPos"];
            let of = |key: &str| place[key].as_u64().unwrap_or(u64::MAX);
            // Grafana has 24 columns.
            assert!(of("w") > 0 && of("x").saturating_add(of("w")) <= 24, "{title}: {place}");
            let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
            assert_eq!(targets.is_empty(), panel["type"] == "row", "{title}");
            assert!(
                !is_all_rates(targets) || is_per_second(&panel["fieldConfig"]["defaults"]["unit"]),
                "{title}: rates without a per-second unit"
            );
            for target in targets {
                let expression = target["expr"].as_str().ok_or("an expression")?;
                assert!(!names(expression).is_empty(), "{title}: {expression}");
                // Unbalanced brackets are the usual slip in an expression.
                let count = |c| expression.matches(c).count();
                assert!(count('(') == count(')') && count('{') == count('}'), "{title}: {expression}");
            }
        }
    }
    Ok(())
}

/// Returns whether all expressions of a panel are rates, not ratios of rates.
fn is_all_rates(targets: &[Value]) -> bool {
    let mut expressions = targets.iter().filter_map(|target| target["expr"].as_str());
    let is_rate = |expression: &str| {
        // A ratio of rates has no unit.
        expression.contains("rate(") && !expression.contains(" / ") && !expression.contains("quantile")
    };
    !targets.is_empty() && expressions.all(is_rate)
}

/// Returns whether this is a per-second unit of Grafana; CPU seconds per second are a share of a CPU.
fn is_per_second(unit: &Value) -> bool {
    ["reqps", "cps", "percentunit"].iter().any(|known| unit == known)
}

fn promtool_accepts_the_alerts() -> Result<(), Failed> {
    let output = Command::new("promtool").args(["check", "rules"]).args(files("alerts", "yml")).output()?;
    let output_text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output_text));
    Ok(())
}

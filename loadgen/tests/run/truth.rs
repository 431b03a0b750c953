//! Reports are checked against injected delays and losses.
//!
//! Lower bounds of latencies are exact; upper bounds allow 150 ms for a busy host, less than the difference
//! between the delays.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::paced::{Paced, Rule};
use crate::{lease_file, lqload};

const SLACK_MS: f64 = 150.0;
/// Flags against warnings: a busy host may send late, which is not the subject of these tests.
const PATIENT: &[&str] = &["--late-after", "10s"];

fn run(rule: Rule, flags: &[&str]) -> (String, Value) {
    let directory = tempfile::tempdir().unwrap();
    let server = Paced::start(rule);
    let json = directory.path().join("report.json");
    let flags = [PATIENT, flags, &["--json", json.to_str().unwrap()]].concat();
    let output = lqload(&server.target(), &lease_file(directory.path()), &flags);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    (text, serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap())
}

fn ms(report: &Value, place: &str) -> f64 {
    report.pointer(place).and_then(Value::as_f64).unwrap() / 1e6
}

/// Loses 5 of a hundred queries; of the others 75 take 20 ms, 15 take 250 ms, 5 take 600 ms.
fn known_distribution(_: &mut crate::paced::Seen, number: u64) -> Option<Duration> {
    match number % 100 {
        0..5 => None,
        5..80 => Some(Duration::from_millis(20)),
        80..95 => Some(Duration::from_millis(250)),
        _ => Some(Duration::from_millis(600)),
    }
}

#[test]
fn percentiles_and_losses_match_the_injected_ones() {
    let flags = ["--rate", "500", "--duration", "2s", "--timeout", "4s", "--verify"];
    let (text, report) = run(known_distribution, &flags);
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((count("sent"), count("answered"), count("lost")), (1000, 950, 50), "{text}");
    // 750 of 950 are 78.9 %, with the next 150 they are 94.7 %.
    for (percentile, injected) in [("p50", 20.0), ("p90", 250.0), ("p99", 600.0), ("max", 600.0)] {
        let reported = ms(&report, &format!("/latency_ns/{percentile}"));
        let fits = (injected..injected + SLACK_MS).contains(&reported);
        assert!(fits, "{percentile} is {reported} ms, injected were {injected}: {text}");
    }
    let lost: u64 =
        report["periods"].as_array().unwrap().iter().map(|period| period["lost"].as_u64().unwrap()).sum();
    assert_eq!(lost, 50);
    assert_eq!(report["periods"].as_array().unwrap().len(), 2);
}

/// Answers nothing for 200 ms from the arrival of query 500 on.
fn stall(seen: &mut crate::paced::Seen, number: u64) -> Option<Duration> {
    const STALL: Duration = Duration::from_millis(200);
    if number == 500 {
        seen.notes.insert(Vec::new(), (seen.now, 0));
    }
    let (from, _) = *seen.notes.get(&Vec::new()).unwrap_or(&(seen.now, 0));
    let delay =
        if number < 500 { Duration::ZERO } else { (from + STALL).saturating_duration_since(seen.now) };
    Some(delay)
}

#[test]
fn a_stall_shows_in_every_query_that_was_due_in_it() {
    let flags = ["--rate", "500", "--duration", "2s", "--timeout", "4s"];
    let (text, report) = run(stall, &flags);
    assert_eq!((&report["sent"], &report["answered"]), (&1000.into(), &1000.into()), "{text}");
    // Query 500 + k was due 2·k ms after query 500, and no answer came until 200 ms after that. So ten of all
    // (1 %) waited for 180 ms or more, and fifty of the five hundred in that second (10 %) for 100 ms. A
    // period has two digits.
    assert!(ms(&report, "/latency_ns/max") >= 200.0, "{text}");
    assert!(ms(&report, "/latency_ns/p99") >= 178.0, "{text}");
    assert!(ms(&report, "/periods/1/latency_ns/p90") >= 98.0, "{text}");
}

#[test]
fn a_generator_that_falls_behind_warns_first() {
    let directory = tempfile::tempdir().unwrap();
    let server = Paced::start(|_, _| Some(Duration::ZERO));
    let leases = lease_file(directory.path());
    // The queries are due within 200 µs, and no host sends 20,000 within a millisecond of that.
    let flags = ["--rate", "100M", "--queries", "20000", "--timeout", "1s"];
    let output = lqload(&server.target(), &leases, &flags);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("WARNING: lqload fell behind: "), "{text}");
}

/// Answers only the second transmission under the same transaction-id.
fn second_time(seen: &mut crate::paced::Seen, _: u64) -> Option<Duration> {
    let now = seen.now;
    let (_, times) = seen.notes.entry(seen.query.clone()).or_insert((now, 0));
    *times += 1;
    (*times == 2).then_some(Duration::ZERO)
}

#[test]
fn lost_queries_are_retransmitted_on_request() {
    let flags = ["--rate", "100", "--queries", "50", "--timeout", "250ms", "--retransmit", "3", "--verify"];
    let (text, report) = run(second_time, &flags);
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((count("sent"), count("answered"), count("lost")), (50, 50, 0), "{text}");
    assert!(count("retransmitted") >= 50, "{text}");
    assert!(ms(&report, "/latency_ns/min") >= 250.0, "latency counts from the first transmission: {text}");
}

/// Answers 2,000 queries per second and 100 more from each source port.
fn limited(seen: &mut crate::paced::Seen, _: u64) -> Option<Duration> {
    let key = seen.source.port().to_be_bytes().to_vec();
    let (first, answered) = seen.notes.entry(key).or_insert((seen.now, 0));
    let allowed = (seen.now - *first).as_secs_f64() * 2000.0 + 100.0;
    (allowed > *answered as f64).then(|| {
        *answered += 1;
        Duration::ZERO
    })
}

#[test]
fn the_highest_rate_is_found() {
    let flags =
        ["--find-max", "--step", "500ms", "--timeout", "300ms", "--max-loss", "0.02", "--max-p99", "300ms"];
    let (text, report) = run(limited, &flags);
    // At rate r, r/2 are sent and 1000 + 100 answered: a loss of 2 % is at 2245 per second.
    let highest = report.pointer("/find_max/highest_rate").and_then(Value::as_f64).unwrap();
    assert!((1000.0..2400.0).contains(&highest), "{text}");
    assert!(text.contains("highest rate "), "{text}");
    let steps = report.pointer("/find_max/steps").and_then(Value::as_array).unwrap();
    assert!(steps.iter().any(|step| step["held"] == false && step["loss"].as_f64() > Some(0.02)), "{text}");
}

#[test]
fn an_interrupt_ends_with_a_report_so_far() {
    let directory = tempfile::tempdir().unwrap();
    let server = Paced::start(|_, _| Some(Duration::ZERO));
    let json = directory.path().join("report.json");
    let leases = lease_file(directory.path());
    let lqload = Command::new(env!("CARGO_BIN_EXE_lqload"))
        .args(["run", "--target", &server.target(), "--rate", "200", "--duration", "10min", "--leases"])
        .args([leases.as_os_str(), "--json".as_ref(), json.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while server.queries() < 20 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = Command::new("kill").args(["-INT", &lqload.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = lqload.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true, "{text}");
    assert!(report["sent"].as_u64() >= Some(20) && report["sent"] == report["answered"], "{text}");
}

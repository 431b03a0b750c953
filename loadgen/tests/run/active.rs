//! `lqload active` against a server that tells every change, or with each kind of fault.

mod stub;

use std::process::Command;

use serde_json::Value;
use stub::{Fault, Stub};

/// 1,000 changes of 20 leases within half a second.
const USUAL: &[&str] =
    &["--changes-per-second", "2000", "--duration", "500ms", "--pool", "20", "--settle", "600ms"];

/// Runs `lqload active` against a stub with this fault; returns exit status, output, report and page.
fn run(fault: Fault, flags: &[&str]) -> (Option<i32>, String, Value, String) {
    let directory = tempfile::tempdir().unwrap();
    let leases = crate::lease_file(directory.path());
    let stub = Stub::start(&leases, fault);
    let [json, html] = ["report.json", "report.html"].map(|name| directory.path().join(name));
    // A flag of the test stands in place of the usual one.
    let usual = USUAL.chunks(2).filter(|usual| !flags.contains(&usual[0])).flatten();
    let output = Command::new(env!("CARGO_BIN_EXE_lqload"))
        .args(["active", "--target", &stub.target(), "--leases"])
        .arg(&leases)
        .args(usual)
        .arg("--json")
        .arg(&json)
        .arg("--html")
        .arg(&html)
        .args(flags)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let report = std::fs::read(&json).map_or(Value::Null, |json| serde_json::from_slice(&json).unwrap());
    (output.status.code(), text, report, std::fs::read_to_string(&html).unwrap_or_default())
}

#[test]
fn readers_of_every_pace_have_all_changes() {
    let flags = ["--readers", "2", "--slow", "1", "--stalled", "1", "--aborting", "1", "--base-time"];
    let (status, text, report, page) = run(Fault::None, &[&flags[..], &["--settle", "20s"]].concat());
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(report["changes"], 1000, "{text}");
    let readers = report["readers"].as_array().unwrap();
    assert_eq!(readers.len(), 4);
    for reader in readers {
        assert_eq!((&reader["digest"], &reader["is_right"]), (&report["digest"], &true.into()), "{text}");
        // Each row is told, and one keep-alive; the removal of a free lease changes nothing.
        assert_eq!((&reader["messages"], &reader["keep_alives"]), (&1002.into(), &1.into()), "{text}");
        assert_eq!((&reader["told"], &reader["conflation"]), (&1000.into(), &1.0.into()), "{text}");
    }
    assert_eq!([&readers[2]["pace"], &readers[3]["pace"]], ["slow", "stalled"]);
    assert!(report["latency"]["p50_s"].as_f64().unwrap() > 0.0, "{text}");
    assert!(report["aborted"].as_u64().unwrap() > 0, "{text}");
    assert!(text.contains("4 of 4 equal the file"), "{text}");
    assert!(page.contains("<td>equal</td>") && !page.contains("class=\"warning\""), "{page}");
}

#[test]
fn conflated_changes_are_not_lost() {
    let (status, text, report, _) = run(Fault::Conflating, &["--pool", "2", "--changes-per-second", "20000"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(report["readers"][0]["conflation"].as_f64().unwrap() > 1.5, "{text}");
}

#[test]
fn changes_that_are_lost_or_wrong_are_found_in_the_table() {
    for (fault, differences) in [
        (Fault::Lost, &["missing"][..]),
        (Fault::NoRemovals, &["left"]),
        (Fault::Stuck, &["missing", "left", "holder", "older"]),
        (Fault::OtherClient, &["holder"]),
    ] {
        let (status, text, report, page) = run(fault, &[]);
        assert_eq!(status, Some(1), "{fault:?}: {text}");
        let reader = &report["readers"][0];
        assert_ne!(reader["digest"], report["digest"], "{fault:?}");
        let count = |name: &&str| reader["differences"][*name].as_u64().unwrap();
        assert!(differences.iter().map(count).sum::<u64>() > 0, "{fault:?}: {text}");
        assert!(page.contains("<td>differs</td>") && page.contains("class=\"warning\""), "{fault:?}");
    }
}

#[test]
fn late_changes_are_found() {
    let (status, text, report, _) = run(Fault::Late, &[]);
    assert_eq!(status, Some(1), "not settled: {text}");
    assert_ne!(report["readers"][0]["digest"], report["digest"]);
    let (status, text, report, _) = run(Fault::Late, &["--settle", "20s", "--max-latency", "1s"]);
    assert_eq!(status, Some(1), "{text}");
    // The time of a removal is known until its address is leased again.
    let late = report["readers"][0]["late"].as_u64().unwrap();
    assert!((700..=1000).contains(&late), "{text}");
    let (status, text, ..) = run(Fault::Late, &["--settle", "20s"]);
    assert_eq!(status, Some(0), "without --max-latency: {text}");
}

#[test]
fn every_defect_is_reported_by_its_name() {
    for (fault, name) in [
        (Fault::Older, "older"),
        (Fault::Lifetime, "lifetime"),
        (Fault::CltTime, "clt_time"),
        (Fault::Status, "status"),
        (Fault::CutOption, "malformed"),
        (Fault::TransactionId, "transaction_id"),
        (Fault::NoServerId, "server_id"),
        (Fault::NoBaseTime, "base_time"),
        (Fault::BaseTimeBack, "base_time"),
    ] {
        let (status, text, report, _) = run(fault, &["--base-time"]);
        assert_eq!(status, Some(1), "{fault:?}: {text}");
        let wrong: Vec<_> = report["readers"][0]["wrong"].as_object().unwrap().keys().collect();
        assert_eq!(wrong, [name], "{fault:?}: {text}");
    }
}

#[test]
fn a_query_that_the_server_ends_fails_at_full_speed_only() {
    for (fault, ended) in [(Fault::Terminated, "QueryTerminated"), (Fault::Closed, "closed by the server")] {
        let (status, text, report, _) = run(fault, &[]);
        assert_eq!((status, &report["readers"][0]["ended"]), (Some(1), &ended.into()), "{text}");
        let (status, text, report, _) = run(fault, &["--readers", "0", "--stalled", "1"]);
        assert_eq!((status, &report["ended_by_status"][ended]), (Some(0), &1.into()), "{text}");
    }
}

#[test]
fn runs_that_cannot_begin_say_why() {
    let (status, text, ..) = run(Fault::Refused, &[]);
    assert_eq!(status, Some(2));
    assert!(text.contains("no active leasequery: NotAllowed"), "{text}");
    for (flags, reason) in [
        (&["--duration", "1h", "--changes-per-second", "10000"][..], "may grow by 5494 MiB"),
        (&["--duration", "5h"], "at most 4h"),
        (&["--readers", "0"], "no reader keeps a table"),
    ] {
        let (status, text, ..) = run(Fault::None, flags);
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(reason), "{text}");
    }
}

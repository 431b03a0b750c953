//! The query log of a running server: its records, filters and failures; it never delays an answer.

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::conformance::fixture;
use crate::support::octets::octets;
use crate::support::{Lqd, Requestor, Until};

const ADDRESS_101: &str = "0e a00001  $me  002c 002d 01 2001:db8:1::  0005 0018 2001:db8:1::101 $zero";
const CLIENT_01: &str = "0e a00002  $me  002c 001f 02 ::  $c01";
const NO_QUERY: &str = "0e a00003  $me";

pub fn trials() -> Vec<Trial> {
    tests! {
        records_are_complete_and_file_is_reopened,
        records_go_to_standard_error,
        sampling_and_switching_by_reload,
        filter_by_requestor,
        full_disk_is_logged_once,
        unusable_file_ends_start_and_rejects_reload,
    }
}

/// Returns the flags of a server with one worker and this query log.
fn flags(fixture: &crate::support::Fixture, log: &Path, more: &[&str]) -> Vec<String> {
    let log = ["--workers", "1", "--query-log", log.to_str().expect("the path is UTF-8")];
    let own = log.iter().chain(more).map(ToString::to_string);
    fixture.flags().into_iter().chain(own).collect()
}

/// Waits for this many lines of the log, and returns them.
fn lines(log: &Path, wanted: usize) -> Vec<Value> {
    let until = Until::patience();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.lines().count() >= wanted && text.ends_with('\n') || wanted == 0 {
            return text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        }
        assert!(until.pending(), "waiting for {wanted} lines; the log is\n{text}");
    }
}

fn ask(requestor: &Requestor, query: &str) -> Result<usize, Failed> {
    Ok(requestor.ask(&octets(query)).ok_or("the query is answered")?.0.len())
}

/// Records are complete; SIGHUP reopens the file, and exit flushes it.
fn records_are_complete_and_file_is_reopened() -> Result<(), Failed> {
    let fixture = fixture();
    let log = fixture.directory().join("queries.log");
    let lqd = Lqd::start(&flags(&fixture, &log, &[]));
    let requestor = Requestor::new(lqd.address);
    requestor.send(&octets(NO_QUERY));
    let lens = [ask(&requestor, ADDRESS_101)?, ask(&requestor, CLIENT_01)?];
    let port = requestor.local().port();
    let mut got = lines(&log, 3);
    for line in &mut got {
        let line = line.as_object_mut().expect("an object");
        let time = line.remove("time").and_then(|time| Some(time.as_str()?.to_owned())).unwrap_or_default();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert!(line.remove("microseconds").is_some_and(|time| time.is_u64()));
    }
    let duid = "00:03:00:01:02:00:00:00:00:01";
    assert_eq!(
        got,
        [
            serde_json::json!({ "requestor": "::1", "port": port, "outcome": "drop_no_query", "reply_octets": 0 }),
            serde_json::json!({
                "requestor": "::1", "port": port, "transaction": "a00001", "relays": 0, "query": "by_address",
                "address": "2001:db8:1::101", "link": "2001:db8:1::", "outcome": "answered", "status": "Success",
                "reply_octets": lens[0],
            }),
            serde_json::json!({
                "requestor": "::1", "port": port, "transaction": "a00002", "relays": 0, "query": "by_client_id",
                "client_id": duid, "outcome": "answered", "status": "Success", "reply_octets": lens[1],
            }),
        ]
    );

    let moved = fixture.directory().join("queries.log.1");
    fs::rename(&log, &moved)?;
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    ask(&requestor, ADDRESS_101)?;
    assert_eq!(lines(&log, 1).len(), 1, "in the new file");
    assert_eq!(lines(&moved, 3).len(), 3, "and not in the old one");

    ask(&requestor, CLIENT_01)?;
    lqd.signal("TERM");
    let log_text = lqd.log_at_end();
    assert_eq!(lines(&log, 2).len(), 2, "pending records are written before exit");
    assert!(
        !log_text.contains(duid) && !log_text.contains("2001:db8:1::101"),
        "clients are in the query log only: {log_text}"
    );
    Ok(())
}

fn records_go_to_standard_error() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&flags(&fixture, Path::new("stderr"), &[]));
    ask(&Requestor::new(lqd.address), ADDRESS_101)?;
    let line = lqd.await_line(0, |line| line.contains("\"transaction\":\"a00001\""));
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    Ok(())
}

/// Sampling writes one of N records; SIGHUP switches to all of them.
fn sampling_and_switching_by_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let log = fixture.directory().join("queries.log");
    let settings = fixture.directory().join("lqd.toml");
    fs::write(&settings, "query-log = 'queries.log'\nquery-log-sample = 10\nworkers = 1\n")?;
    let config = ["--config".to_owned(), settings.display().to_string()];
    let lqd = Lqd::start(&[&fixture.flags()[..], &config].concat());
    let requestor = Requestor::new(lqd.address);
    (0..95).try_for_each(|_| ask(&requestor, ADDRESS_101).map(|_| ()))?;
    let reread = || {
        let before = lqd.line_count();
        lqd.signal("HUP");
        lqd.await_line(before, |line| line.contains("configuration applied"));
    };
    fs::write(&settings, "query-log = 'queries.log'\nworkers = 1\n")?;
    reread();
    (0..5).try_for_each(|_| ask(&requestor, CLIENT_01).map(|_| ()))?;
    let got = lines(&log, 14);
    let of = |query: &str| got.iter().filter(|line| line["query"] == query).count();
    assert_eq!((of("by_address"), of("by_client_id")), (9, 5));

    fs::write(&settings, "workers = 1\n")?;
    reread();
    ask(&requestor, CLIENT_01)?;
    lqd.signal("TERM");
    lqd.log_at_end();
    assert_eq!(lines(&log, 14).len(), 14, "the log is off again");
    Ok(())
}

fn filter_by_requestor() -> Result<(), Failed> {
    let fixture = fixture();
    for (of, wanted) in [("::1", 1), ("2001:db8::/32", 0)] {
        let log = fixture.directory().join(format!("{wanted}.log"));
        let lqd = Lqd::start(&flags(&fixture, &log, &["--query-log-requestor", of]));
        ask(&Requestor::new(lqd.address), ADDRESS_101)?;
        lqd.signal("TERM");
        lqd.log_at_end();
        assert_eq!(lines(&log, wanted).len(), wanted, "{of}");
    }
    Ok(())
}

/// A full disk is logged once, and costs no answer.
fn full_disk_is_logged_once() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&flags(&fixture, Path::new("/dev/full"), &[]));
    let requestor = Requestor::new(lqd.address);
    for _ in 0..200 {
        ask(&requestor, ADDRESS_101)?;
    }
    let line = lqd.await_line(0, |line| line.contains("query log cannot be written"));
    assert!(line.contains("No space left"), "{line}");
    lqd.signal("TERM");
    assert_eq!(lqd.log_at_end().matches("cannot be written").count(), 1);
    Ok(())
}

/// A file that cannot be opened ends start-up, and rejects a reload.
fn unusable_file_ends_start_and_rejects_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let log = fixture.directory().join("none/queries.log");
    let ended = Lqd::run(&[&["serve".to_owned()], flags(&fixture, &log, &[]).as_slice()].concat());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("none/queries.log: No such file"), "{ended:?}");

    fs::create_dir(fixture.directory().join("none"))?;
    let lqd = Lqd::start(&flags(&fixture, &log, &[]));
    fs::remove_dir_all(fixture.directory().join("none"))?;
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| {
        line.contains("configuration rejected") && line.contains("none/queries.log")
    });
    ask(&Requestor::new(lqd.address), ADDRESS_101)?;
    Ok(())
}

//! What `/metrics` and `/status` say of queries whose fate is known.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::{Failed, Trial};

use super::{Watched, fixture};
use crate::support::http::get;
use crate::support::octets::octets;
use crate::support::{Need, Requestor, trial};

/// Queries and the outcome, query-type and status of each; `None`: no reply. One more of each than of the one before.
#[rustfmt::skip]
const QUERIES: &[(&str, &str, &str, Option<&str>)] = &[
    // a lease; a delegated prefix by an address in it is asked for by the next
    ("0e d00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1 $zero", "answered", "by_address", Some("Success")),
    ("0e d00002  $me  002c 001f 02 ::  $c02", "answered", "by_client_id", Some("Success")),
    ("0e d00003  $me  002c 002d 01 ::  0005 0018 2001:db8:1::99 $zero", "no_binding", "by_address", Some("Success")),
    ("0e d00004  $me  002c 002d 01 ::  0005 0018 2001:db8:9::1 $zero", "not_configured", "by_address", Some("NotConfigured")),
    ("0e d00005  $me  002c 0011 03 ::", "unknown_query_type", "bulk_only", Some("UnknownQueryType")),
    ("0e d00006  $me  002c 0011 63 ::", "unknown_query_type", "unknown", Some("UnknownQueryType")),
    ("0e d00007  $me  002c 0011 01 ::", "malformed_query", "unread", Some("MalformedQuery")),
    ("0e d00008  002c 0011 01 ::", "drop_no_client_id", "unread", None),
    ("ff", "drop_malformed", "unread", None),
    ("0e d00009  $me $me  002c 0011 01 ::", "drop_duplicate_id", "unread", None),
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("admin::metrics::what_was_asked", what_was_asked),
        Trial::test("admin::metrics::sums_hold_on_every_scrape", sums_hold_on_every_scrape),
        Trial::test("admin::metrics::leases_are_counted", leases_are_counted),
        Trial::test("admin::metrics::what_found_no_room", what_found_no_room),
        trial("admin::metrics::promtool", &[Need::Promtool], promtool_agrees),
    ]
}

/// Each query so many times, so that no two counts are alike; the last reply shows that all were judged.
fn ask_all(requestor: &Requestor, round: usize) {
    for (number, (query, _, _, status)) in QUERIES.iter().enumerate() {
        for _ in 0..(number + 1) * round {
            requestor.send(&octets(query));
            if status.is_some() {
                requestor.receive(crate::support::lqd::PATIENCE).expect("it is answered");
            }
        }
    }
}

fn what_was_asked() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &["--workers", "2"]);
    ask_all(&Requestor::new(watched.lqd.address), 1);
    let all = (QUERIES.len() * (QUERIES.len() + 1) / 2) as f64;
    let scrape = watched
        .await_metrics("the last datagram", |scrape| scrape.sum("lqd_received_datagrams_total") == all);
    let status = watched.status();
    for (name, label, column) in [
        ("lqd_datagrams_total", "outcome", QUERIES.iter().map(|row| Some(row.1)).collect::<Vec<_>>()),
        ("lqd_queries_total", "query_type", QUERIES.iter().map(|row| Some(row.2)).collect()),
        ("lqd_replies_total", "status", QUERIES.iter().map(|row| row.3).collect()),
    ] {
        for (labels, value) in scrape.all(name) {
            let mine = column.iter().enumerate().filter(|(_, of)| **of == Some(labels[label].as_str()));
            let wanted = mine.map(|(number, _)| number + 1).sum::<usize>();
            assert_eq!(value, wanted as f64, "{name} {labels:?}");
        }
        let missing =
            column.iter().flatten().find(|of| !scrape.all(name).iter().any(|(l, _)| l[label] == **of));
        assert_eq!(missing, None, "{name}");
    }
    assert_eq!(scrape.labelled("lqd_requestor_datagrams_total", "requestor", "::1"), all);
    assert_eq!(status["requestors"][0]["address"], "::1");
    let replies =
        QUERIES.iter().enumerate().filter(|(_, row)| row.3.is_some()).map(|(n, _)| n + 1).sum::<usize>();
    assert_eq!(scrape.sum("lqd_answer_seconds_count"), replies as f64);
    assert_eq!(scrape.sum("lqd_net_sent_total"), replies as f64);
    assert!(scrape.sum("lqd_answer_seconds_sum") > 0.0);
    assert_eq!(status["outcomes"]["answered"], 3);
    assert_eq!(status["workers"].as_array().map(Vec::len), Some(2));
    Ok(())
}

/// received = Σ outcomes, and every other sum, on every scrape while queries come in.
fn sums_hold_on_every_scrape() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &["--workers", "2"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ended = StopOnDrop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                let requestor = Requestor::new(watched.lqd.address);
                for _ in 0..2_000 {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    ask_all(&requestor, 1);
                }
            });
        }
        let mut last = 0.0;
        for _ in 0..100 {
            let scrape = watched.metrics();
            let received = scrape.sum("lqd_received_datagrams_total");
            assert!(received >= last, "{received} after {last}");
            last = received;
            for parts in ["lqd_datagrams_total", "lqd_queries_total", "lqd_worker_datagrams_total"] {
                assert_eq!(scrape.sum(parts), received, "{parts}");
            }
            let dropped: f64 = scrape
                .all("lqd_datagrams_total")
                .iter()
                .filter(|(labels, _)| labels["outcome"].starts_with("drop"))
                .map(|(_, n)| n)
                .sum();
            assert_eq!(scrape.sum("lqd_replies_total") + dropped, received);
            assert!(scrape.sum("lqd_net_received_total") >= received, "counted before it is judged");
            let status = watched.status();
            let outcomes = status["outcomes"].as_object().expect("outcomes");
            assert_eq!(
                outcomes.values().filter_map(serde_json::Value::as_u64).sum::<u64>(),
                status["received"]
            );
        }
        assert!(last > 0.0, "queries came in meanwhile");
    });
    Ok(())
}

/// A flood while the server stands still: what its queue has no room for is counted, by worker, in metrics and status.
fn what_found_no_room() -> Result<(), Failed> {
    const FLOOD: usize = 2_000;
    let fixture = fixture();
    let watched = Watched::start(&fixture, &["--workers", "1", "--receive-buffer", "64KiB"]);
    let requestor = Requestor::new(watched.lqd.address);
    let query = octets(QUERIES[0].0);
    watched.lqd.signal("STOP");
    (0..FLOOD).for_each(|_| requestor.send(&octets("ff")));
    watched.lqd.signal("CONT");
    watched.await_metrics("the first datagram", |scrape| scrape.sum("lqd_net_received_total") > 0.0);
    let mut sent = FLOOD as f64;
    watched.await_metrics("the count of what was lost", |scrape| {
        requestor.ask(&query).expect("it is answered"); // what was dropped is known as of the next datagram
        sent += 1.0;
        scrape.sum("lqd_net_overflowed_total") > 0.0
    });
    // A server that stopped late, or between two batches, learns of the loss in steps: the last count is meant.
    let scrape = watched.await_metrics("the last datagram", |scrape| {
        scrape.sum("lqd_received_datagrams_total") + scrape.sum("lqd_net_overflowed_total") == sent
    });
    let lost = scrape.labelled("lqd_net_overflowed_total", "worker", "0");
    assert_eq!(watched.status()["workers"][0]["overflowed"], lost);
    // One by one they came, and left.
    let received = scrape.sum("lqd_received_datagrams_total");
    assert_eq!(scrape.labelled("lqd_net_receive_datagrams_bucket", "le", "1"), received);
    assert_eq!(scrape.sum("lqd_net_receive_datagrams_sum"), received);
    assert_eq!(scrape.sum("lqd_net_send_datagrams_sum"), sent - FLOOD as f64);
    Ok(())
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn leases_are_counted() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &[]);
    let scrape = watched.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let of = |kind| scrape.labelled("lqd_leases", "type", kind);
    assert_eq!((of("address"), of("prefix"), scrape.sum("lqd_leases_ended")), (2.0, 1.0, 1.0));
    assert_eq!(scrape.all("lqd_leases")[0].0["link"], "2001:db8:1::");
    assert_eq!(scrape.sum("lqd_leases_on_no_link"), 0.0);
    assert_eq!((scrape.sum("lqd_index_leases"), scrape.sum("lqd_index_clients")), (4.0, 2.0));
    assert_eq!(scrape.sum("lqd_feed_rows_total"), 4.0);
    assert!(scrape.sum("lqd_index_memory_bytes") > scrape.sum("lqd_index_record_bytes"));
    let octets = std::fs::metadata(fixture.leases())?.len();
    assert_eq!((scrape.sum("lqd_feed_offset_bytes"), scrape.sum("lqd_feed_lag_bytes")), (octets as f64, 0.0));
    Ok(())
}

/// Prometheus' own checker finds nothing to say.
fn promtool_agrees() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture, &[]);
    ask_all(&Requestor::new(watched.lqd.address), 1);
    watched.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let text = get(watched.admin, "/metrics").body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    promtool.stdin.take().ok_or("standard input")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said));
    Ok(())
}

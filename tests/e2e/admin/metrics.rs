//! `/metrics` and `/status` after queries with known outcomes.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::{Failed, Trial};

use super::{Monitored, fixture};
use crate::support::Requestor;
use crate::support::http::get;
use crate::support::octets::octets;

/// Queries with their outcome, query-type and status (`None`: no reply); row N is sent N times.
#[rustfmt::skip]
const QUERIES: &[(&str, &str, &str, Option<&str>)] = &[
    // A lease, by its address; the next one has a prefix, too.
    ("0e d00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1 $zero", "answered", "by_address", Some("Success")),
    ("0e d00002  $me  002c 001f 02 ::  $c02", "answered", "by_client_id", Some("Success")),
    ("0e d00003  $me  002c 002d 01 ::  0005 0018 2001:db8:1::99 $zero", "no_binding", "by_address", Some("Success")),
    ("0e d00004  $me  002c 002d 01 ::  0005 0018 2001:db8:9::1 $zero", "not_configured", "by_address", Some("NotConfigured")),
    ("0e d00005  $me  002c 0011 03 ::", "unknown_query_type", "bulk_only", Some("UnknownQueryType")),
    ("0e d00006  $me  002c 0011 63 ::", "unknown_query_type", "unknown", Some("UnknownQueryType")),
    ("0e d00007  $me  002c 0011 01 ::", "malformed_query", "unparsed", Some("MalformedQuery")),
    ("0e d00008  002c 0011 01 ::", "drop_no_client_id", "unparsed", None),
    ("ff", "drop_malformed", "unparsed", None),
    ("0e d00009  $me $me  002c 0011 01 ::", "drop_duplicate_id", "unparsed", None),
];

pub fn trials() -> Vec<Trial> {
    tests! {
        counters_match_the_queries_sent,
        sums_agree_on_every_scrape,
        leases_are_counted_by_type_and_link,
        receive_queue_overflow_is_counted,
        promtool_accepts_the_metrics needs Promtool,
    }
}

/// Sends each query a different number of times; the last reply shows that all were processed.
fn send_all(requestor: &Requestor, round: usize) {
    for (number, (query, _, _, status)) in QUERIES.iter().enumerate() {
        for _ in 0..(number + 1) * round {
            requestor.send(&octets(query));
            if status.is_some() {
                // Waiting for each reply keeps the queue from overflowing.
                requestor.receive(crate::support::lqd::PATIENCE).expect("a reply");
            }
        }
    }
}

fn counters_match_the_queries_sent() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--workers", "2"]);
    send_all(&Requestor::new(monitored.lqd.address), 1);
    // Row N is sent N times.
    let all = (QUERIES.len() * (QUERIES.len() + 1) / 2) as f64;
    let scrape = monitored
        // The counters are published with a delay after the last reply.
        .await_metrics("the last datagram", |scrape| scrape.sum("lqd_received_datagrams_total") == all);
    let status = monitored.status();
    for (name, label, column) in [
        ("lqd_datagrams_total", "outcome", QUERIES.iter().map(|row| Some(row.1)).collect::<Vec<_>>()),
        ("lqd_queries_total", "query_type", QUERIES.iter().map(|row| Some(row.2)).collect()),
        ("lqd_replies_total", "status", QUERIES.iter().map(|row| row.3).collect()),
    ] {
        for (labels, value) in scrape.all(name) {
            // Rows of one label are added, as several queries share it.
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

/// Every sum of a scrape equals the received datagrams, while queries arrive.
fn sums_agree_on_every_scrape() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--workers", "2"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // A failed assertion must end the senders, or the scope waits for them.
        let _ended = StopOnDrop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                let requestor = Requestor::new(monitored.lqd.address);
                // Bounded, so that a failed test ends.
                for _ in 0..2_000 {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    send_all(&requestor, 1);
                }
            });
        }
        let mut last = 0.0;
        // Many scrapes, as a torn sum would show only now and then.
        for _ in 0..100 {
            let scrape = monitored.metrics();
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
            assert!(
                scrape.sum("lqd_net_received_total") >= received,
                "lqd_net counts before the outcome is known"
            );
            let status = monitored.status();
            let outcomes = status["outcomes"].as_object().expect("outcomes");
            assert_eq!(
                outcomes.values().filter_map(serde_json::Value::as_u64).sum::<u64>(),
                status["received"]
            );
        }
        assert!(last > 0.0, "queries arrived meanwhile");
    });
    Ok(())
}

/// Datagrams that overflow the queue of a stopped server are counted by worker, in metrics and status.
fn receive_queue_overflow_is_counted() -> Result<(), Failed> {
    const FLOOD: usize = 2_000;
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--workers", "1", "--receive-buffer", "64KiB"]);
    let requestor = Requestor::new(monitored.lqd.address);
    let query = octets(QUERIES[0].0);
    // Stopped, the server cannot empty its queue.
    monitored.lqd.signal("STOP");
    (0..FLOOD).for_each(|_| requestor.send(&octets("ff")));
    monitored.lqd.signal("CONT");
    monitored.await_metrics("the first datagram", |scrape| scrape.sum("lqd_net_received_total") > 0.0);
    let mut sent = FLOOD as f64;
    monitored.await_metrics("the count of lost datagrams", |scrape| {
        requestor.ask(&query).expect("a reply"); // the next datagram reports the loss
        sent += 1.0;
        scrape.sum("lqd_net_overflowed_total") > 0.0
    });
    // A server stopped late, or between two batches, learns of the loss in steps: use the last count.
    let scrape = monitored.await_metrics("the last datagram", |scrape| {
        // Every datagram is either received or lost.
        scrape.sum("lqd_received_datagrams_total") + scrape.sum("lqd_net_overflowed_total") == sent
    });
    let lost = scrape.labelled("lqd_net_overflowed_total", "worker", "0");
    assert_eq!(monitored.status()["workers"][0]["overflowed"], lost);
    // The replies went out one by one, as the queries came.
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

fn leases_are_counted_by_type_and_link() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    let scrape = monitored.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let of = |kind| scrape.labelled("lqd_leases", "type", kind);
    assert_eq!((of("address"), of("prefix"), scrape.sum("lqd_leases_expired")), (2.0, 1.0, 1.0));
    assert_eq!(scrape.all("lqd_leases")[0].0["link"], "2001:db8:1::");
    assert_eq!(scrape.sum("lqd_leases_on_no_link"), 0.0);
    assert_eq!((scrape.sum("lqd_index_leases"), scrape.sum("lqd_index_clients")), (4.0, 2.0));
    assert_eq!(scrape.sum("lqd_feed_rows_total"), 4.0);
    // Records are a part of the index.
    assert!(scrape.sum("lqd_index_memory_bytes") > scrape.sum("lqd_index_record_bytes"));
    let octets = std::fs::metadata(fixture.leases())?.len();
    assert_eq!((scrape.sum("lqd_feed_offset_bytes"), scrape.sum("lqd_feed_lag_bytes")), (octets as f64, 0.0));
    Ok(())
}

/// Prometheus' own checker reports nothing.
fn promtool_accepts_the_metrics() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &[]);
    send_all(&Requestor::new(monitored.lqd.address), 1);
    monitored.await_metrics("the count of leases", |scrape| scrape.has("lqd_leases"));
    let text = get(monitored.admin, "/metrics").body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    promtool.stdin.take().ok_or("standard input")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let report = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && report.is_empty(), "{}\n{text}", String::from_utf8_lossy(&report));
    Ok(())
}

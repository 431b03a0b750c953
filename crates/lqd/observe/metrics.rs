//! A scrape as Prometheus text. The table is the list of metrics, and its texts are their manual; a lease source adds its
//! own figures, which `lqd_feed` describes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use lqd_answer::{BATCH_MAX, Outcome, QueryClass};
use lqd_feed::{Figure, FigureValue, SourceState};
use lqd_net::{SendError, Sizes};
use lqd_stats::{Exposition, Family, Kind};
use lqd_wire::StatusCode;

use super::census::Tally;
use super::scrape::{Scrape, Served};

/// One family: its name, kind and manual, and how its samples are written.
struct Row(&'static str, Kind, &'static str, Samples);

/// Where the samples of a family come from.
enum Samples {
    /// The program, from its start on.
    Program(fn(&Scrape, &mut Family<'_>)),
    /// What answers queries; none before the first snapshot is complete.
    Served(fn(&Served, &mut Family<'_>)),
}

use Kind::{Counter, Gauge, Histogram};
use Samples::{Program, Served as Of};

/// Writes all families of which there is a sample.
pub(super) fn text(scrape: &Scrape) -> String {
    let mut text = Exposition::default();
    for Row(name, kind, help, samples) in TABLE {
        match (samples, &scrape.served) {
            (Program(write), _) => write(scrape, &mut text.family(name, *kind, help)),
            (Of(write), Some(served)) => write(served, &mut text.family(name, *kind, help)),
            (Of(_), None) => {}
        }
    }
    if let Some(served) = &scrape.served {
        source_figures(&mut text, &served.feed.sources);
    }
    text.into_text()
}

/// Writes the figures that lease sources bring with their names and manuals, each family once.
fn source_figures(text: &mut Exposition, sources: &[SourceState]) {
    let mut families = BTreeMap::<&str, Vec<(&SourceState, &Figure)>>::new();
    for (source, figure) in
        sources.iter().flat_map(|source| source.figures().map(move |figure| (source, figure)))
    {
        families.entry(figure.metric).or_default().push((source, figure));
    }
    for (name, samples) in families {
        let kind = if name.ends_with("_total") { Counter } else { Gauge };
        let mut family = text.family(name, kind, samples[0].1.help);
        for (source, figure) in samples {
            let value = match figure.value {
                FigureValue::Count(count) => count,
                FigureValue::Flag(flag) => flag.into(),
            };
            family.sample(&[("source", &source.label)], value);
        }
    }
}

/// Writes a sample for each lease source.
fn by_source<V: Display>(served: &Served, family: &mut Family<'_>, value: impl Fn(&SourceState) -> V) {
    for source in &served.feed.sources {
        family.sample(&[("source", &source.label)], value(source));
    }
}

/// Answer times have a bucket for each power of two from 2^9 ns to 2^29 ns, which is half a second.
const TIMES: std::ops::RangeInclusive<u32> = 9..=29;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row("lqd_build_info", Gauge, "Always 1, with the version of lqd.",
        Program(|_, f| f.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1))),
    Row("lqd_ready", Gauge, "1 if /readyz says 200: the first snapshot is complete and the leases are neither stale nor incomplete.",
        Program(|s, f| f.sample(&[], u8::from(s.unready.is_none())))),
    Row("lqd_leases_stale", Gauge, "1 if leases are older than --max-feed-age: queries without lease get what --when-stale says.",
        Program(|s, f| f.sample(&[], u8::from(s.stale)))),
    Row("lqd_feed_max_age_seconds", Gauge, "--max-feed-age.",
        Program(|s, f| f.sample(&[], s.max_feed_age.as_secs()))),
    Row("lqd_config_reloads_total", Counter, "Reloads of the configuration (SIGHUP), by result.",
        Program(|s, f| {
            f.sample(&[("result", "applied")], s.reloads);
            f.sample(&[("result", "rejected")], s.rejected_reloads);
        })),
    Row("process_start_time_seconds", Gauge, "When the process started, seconds since 1970.",
        Program(|s, f| f.sample(&[], unix_seconds(s.started_at)))),
    Row("process_cpu_seconds_total", Counter, "Time on a CPU, user and system, all threads.",
        Program(|s, f| f.sample(&[], s.process.cpu_seconds))),
    Row("process_resident_memory_bytes", Gauge, "Resident memory.",
        Program(|s, f| f.sample(&[], s.process.resident_octets))),
    Row("process_open_fds", Gauge, "Open files.",
        Program(|s, f| f.sample(&[], s.process.open_files))),

    Row("lqd_received_datagrams_total", Counter, "Datagrams received: the sum of lqd_datagrams_total on every scrape.",
        Of(|s, f| f.sample(&[], s.received()))),
    Row("lqd_datagrams_total", Counter, "Datagrams by what became of them.",
        Of(|s, f| for (position, (_, name, _)) in Outcome::TABLE.iter().enumerate() {
            f.sample(&[("outcome", name)], s.by_outcome(position));
        })),
    Row("lqd_queries_total", Counter, "Datagrams by query-type; unparsed are those discarded, malformed or refused before the query-type was parsed.",
        Of(|s, f| for (position, (_, name)) in QueryClass::TABLE.iter().enumerate() {
            f.sample(&[("query_type", name)], s.by_query_class(position));
        })),
    Row("lqd_replies_total", Counter, "Datagrams that were replied to, by the status of the reply (no status option is Success).",
        Of(|s, f| for status in StatusCode::KNOWN {
            f.sample(&[("status", status.name().unwrap_or_default())], s.by_status(*status));
        })),
    Row("lqd_worker_datagrams_total", Counter, "Datagrams received, by worker.",
        Of(|s, f| for (number, worker) in s.workers.iter().enumerate() {
            f.sample(&[("worker", &number.to_string())], worker.received());
        })),
    Row("lqd_answer_seconds", Histogram, "Time of each reply from when its batch was taken up to when all replies of the batch were handed to be sent; waiting in the socket's queue is not in it.",
        Of(|s, f| f.times(&[], &s.answer_times, TIMES))),
    Row("lqd_batch_datagrams", Histogram, "Datagrams that were answered together.",
        Of(|s, f| {
            let limits = (0..).map(|power| 1 << power).take_while(|&len| len <= BATCH_MAX);
            f.histogram(&[], limits.map(|len| (len, s.batches_up_to(len))), s.batches_up_to(BATCH_MAX), s.batched());
        })),
    Row("lqd_requestor_datagrams_total", Counter, "Datagrams of each of the 20 sources that sent most, at least; starts anew when a source comes back among those that are kept.",
        Of(|s, f| for (source, count) in &s.requestors {
            f.sample(&[("requestor", &source.to_string())], count);
        })),
    Row("lqd_query_log_records_total", Counter, "Records of the query log: written, lost as the writer was behind, failed as the file or journal did not take them.",
        Of(|s, f| for (result, count) in s.log_counts {
            f.sample(&[("result", result)], count);
        })),
    Row("lqd_log_lines_lost_total", Counter, "Lines of the log that were lost, as standard error did not take them: its disk is full, its reader gone or too slow.",
        Of(|s, f| f.sample(&[], s.log_lines_lost))),

    Row("lqd_net_received_total", Counter, "Datagrams that the sockets handed over, judged or about to be.",
        Of(|s, f| f.sample(&[], s.net(|n| n.received.get())))),
    Row("lqd_net_overflowed_total", Counter, "Datagrams that the kernel dropped, by worker, as the socket's queue was full (raise --receive-buffer) or the checksum wrong; known when the next one is received, and those that travelled together counted once.",
        Of(|s, f| for (number, worker) in s.workers.iter().enumerate() {
            f.sample(&[("worker", &number.to_string())], worker.net.overflowed.get());
        })),
    Row("lqd_net_truncated_total", Counter, "Datagrams dropped as they did not arrive whole.",
        Of(|s, f| f.sample(&[], s.net(|n| n.truncated.get())))),
    Row("lqd_net_sent_total", Counter, "Replies that the kernel took.",
        Of(|s, f| f.sample(&[], s.net(|n| n.sent.get())))),
    Row("lqd_net_send_failures_total", Counter, "Replies that the kernel did not take, by reason.",
        Of(|s, f| for kind in SendError::ALL {
            f.sample(&[("reason", kind.label())], s.net(|n| n.send_errors(kind).get()));
        })),
    Row("lqd_net_receive_datagrams", Histogram, "Datagrams that one receive brought (UDP_GRO).",
        Of(|s, f| together(f, s.together(|n| &n.receive_sizes), s.net(|n| n.received.get())))),
    Row("lqd_net_send_datagrams", Histogram, "Replies that one send carried (UDP_SEGMENT).",
        Of(|s, f| together(f, s.together(|n| &n.send_sizes), s.net(|n| n.sent.get())))),
    Row("lqd_net_coalesced_sends_total", Counter, "Sends that took several replies together (UDP_SEGMENT).",
        Of(|s, f| f.sample(&[], s.net(|n| n.coalesced.get())))),
    Row("lqd_net_uncoalesced_sends_total", Counter, "Sends of several replies that the kernel refused while it took them one by one.",
        Of(|s, f| f.sample(&[], s.net(|n| n.uncoalesced.get())))),
    Row("lqd_net_ring_starved_total", Counter, "Times all receive buffers were in use; datagrams waited in the socket's queue meanwhile (raise --buffers).",
        Of(|s, f| f.sample(&[], s.net(|n| n.starved.get())))),
    Row("lqd_net_receive_errors_total", Counter, "Receives that failed.",
        Of(|s, f| f.sample(&[], s.net(|n| n.receive_errors.get())))),
    Row("lqd_net_rearmed_total", Counter, "Receives started again after one ended (io_uring).",
        Of(|s, f| f.sample(&[], s.net(|n| n.rearmed.get())))),

    Row("lqd_feed_age_seconds", Gauge, "Upper bound on the age of lease data, by source; normally below 2, even when idle.",
        Of(|s, f| by_source(s, f, |source| source.age().as_secs_f64()))),
    Row("lqd_feed_trouble", Gauge, "1 if the lease source cannot be followed; /status says why.",
        Of(|s, f| by_source(s, f, |source| u8::from(source.trouble.is_some())))),
    Row("lqd_feed_incomplete", Gauge, "1 if the lease source holds leases that are not known here, as while a lease file is written or reloaded.",
        Of(|s, f| by_source(s, f, |source| u8::from(source.is_incomplete)))),
    Row("lqd_leases_incomplete", Gauge, "1 if any lease source is incomplete (lqd_feed_incomplete): queries without lease get what --when-stale says.",
        Of(|s, f| f.sample(&[], u8::from(s.feed.incomplete().is_some())))),
    Row("lqd_leases_in_conflict", Gauge, "Addresses for which several lease sources have a lease; the one with the newest client-last-transaction-time is served.",
        Of(|s, f| f.sample(&[], s.feed.conflicts))),
    Row("lqd_feed_rows_total", Counter, "Rows of the lease source that became changes, those of whole loads included.",
        Of(|s, f| by_source(s, f, |source| source.rows))),
    Row("lqd_feed_bad_rows_total", Counter, "Rows that were skipped as faulty, those of whole loads included.",
        Of(|s, f| by_source(s, f, |source| source.bad_rows))),
    Row("lqd_feed_reloads_total", Counter, "Times all leases of the source were loaded again, as only that could be right.",
        Of(|s, f| by_source(s, f, |source| source.reloads))),
    Row("lqd_feed_failed_reloads_total", Counter, "Times that failed; leases stayed as they were.",
        Of(|s, f| by_source(s, f, |source| source.failed_reloads))),

    Row("lqd_index_leases", Gauge, "Leases held, those that are over included.",
        Of(|s, f| f.sample(&[], s.index.leases))),
    Row("lqd_index_clients", Gauge, "Clients that hold them.",
        Of(|s, f| f.sample(&[], s.index.clients))),
    Row("lqd_index_oversized_clients", Gauge, "Clients with more leases than one reply can carry; queries about them get UnspecFail.",
        Of(|s, f| f.sample(&[], s.index.oversized_clients))),
    Row("lqd_index_oversized_leases", Gauge, "Leases of these clients.",
        Of(|s, f| f.sample(&[], s.index.oversized_leases))),
    Row("lqd_index_links", Gauge, "Links configured.",
        Of(|s, f| f.sample(&[], s.index.links))),
    Row("lqd_index_memory_bytes", Gauge, "Memory that leases take, by table.",
        Of(|s, f| for (table, octets) in &s.memory {
            f.sample(&[("table", table)], octets);
        })),
    Row("lqd_index_record_bytes", Gauge, "Memory that the records of clients take, when last counted; a part of lqd_index_memory_bytes.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], census.record_octets) })),
    Row("lqd_leases", Gauge, "Leases with valid lifetime left, by link and type, when last counted.",
        Of(|s, f| for (link, tally) in s.census.iter().flat_map(|census| &census.links) {
            by_type(f, &[("link", &link.to_string())], tally);
        })),
    Row("lqd_leases_on_no_link", Gauge, "Leases with valid lifetime left whose subnet is not configured, by type, when last counted.",
        Of(|s, f| if let Some(census) = &s.census { by_type(f, &[], &census.on_no_link) })),
    Row("lqd_leases_ended", Gauge, "Leases held whose valid lifetime is over, when last counted.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], census.ended) })),
    Row("lqd_leases_counted_timestamp_seconds", Gauge, "When leases were last counted, seconds since 1970.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], unix_seconds(census.at)) })),
];

/// How many came or left together, from those up to each of [`Sizes::UP_TO`].
fn together(family: &mut Family<'_>, up_to: [u64; Sizes::UP_TO.len()], datagrams: u64) {
    let all = up_to.last().copied().unwrap_or_default();
    family.histogram(&[], Sizes::UP_TO.into_iter().zip(up_to), all, datagrams);
}

fn by_type(family: &mut Family<'_>, labels: &[(&str, &str)], tally: &Tally) {
    for (kind, count) in [("address", tally.addresses), ("prefix", tally.prefixes)] {
        family.sample(&[labels, &[("type", kind)]].concat(), count);
    }
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_say_what_they_are() {
        for (number, Row(name, kind, help, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[..number].iter().all(|Row(other, ..)| other != name), "{name} is there twice");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(name.starts_with("lqd_") || name.starts_with("process_"), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}

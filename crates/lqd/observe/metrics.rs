//! A scrape as Prometheus text, from one table of metrics and the figures that lease sources add.

use std::collections::BTreeMap;
use std::fmt::Display;

use lqd_answer::{BATCH_MAX, Outcome, QueryClass};
use lqd_feed::{Figure, FigureValue, SourceState};
use lqd_net::{SendError, Sizes};
use lqd_stats::{Exposition, Family, Kind};
use lqd_stream::{Closed, Handshake, Refused};
use lqd_wire::StatusCode;

use super::active::ActiveFigures;
use super::bulk::BulkState;
use super::census::Tally;
use super::scrape::{Scrape, Served};
use super::unix_time;

/// One family: its name, kind, help, and the function that writes its samples.
struct Metric(&'static str, Kind, &'static str, Samples);

/// Source of the samples of a family.
enum Samples {
    /// State of the program.
    Program(fn(&Scrape, &mut Family<'_>)),
    /// State of the serving program; no samples before the first snapshot is complete.
    Served(fn(&Served, &mut Family<'_>)),
}

use Kind::{Counter, Gauge, Histogram};
use Samples::{Program, Served as Of};

/// Writes all families with a sample.
pub(super) fn text(scrape: &Scrape) -> String {
    let mut text = Exposition::default();
    for Metric(name, kind, help, samples) in TABLE {
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

/// Writes the figures of lease sources, each family once.
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

/// Buckets of answer times: powers of two from 2^9 ns to 2^29 ns, half a second.
const TIMES: std::ops::RangeInclusive<u32> = 9..=29;

#[rustfmt::skip]
const TABLE: &[Metric] = &[
    Metric("lqd_build_info", Gauge, "Always 1; the label is the version of lqd.",
        Program(|_, f| f.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1))),
    Metric("lqd_ready", Gauge, "1 if /readyz returns 200: the first snapshot is complete and the leases are neither stale nor incomplete.",
        Program(|s, f| f.sample(&[], u8::from(s.unready.is_none())))),
    Metric("lqd_leases_stale", Gauge, "1 if lease data is older than --max-feed-age: queries with no matching lease get the --when-stale response.",
        Program(|s, f| f.sample(&[], u8::from(s.stale)))),
    Metric("lqd_feed_max_age_seconds", Gauge, "Age at which lease data is stale (--max-feed-age).",
        Program(|s, f| f.sample(&[], s.max_feed_age.as_secs()))),
    Metric("lqd_config_reloads_total", Counter, "Reloads of the configuration (SIGHUP), by result.",
        Program(|s, f| {
            f.sample(&[("result", "applied")], s.reloads);
            f.sample(&[("result", "rejected")], s.rejected_reloads);
        })),
    Metric("process_start_time_seconds", Gauge, "Start of the process, seconds since 1970.",
        Program(|s, f| f.sample(&[], unix_time(s.started_at).as_secs_f64()))),
    Metric("process_cpu_seconds_total", Counter, "CPU time of all threads, user and system.",
        Program(|s, f| f.sample(&[], s.process.cpu_seconds))),
    Metric("process_resident_memory_bytes", Gauge, "Resident memory.",
        Program(|s, f| f.sample(&[], s.process.resident_bytes))),
    Metric("process_open_fds", Gauge, "Open files.",
        Program(|s, f| f.sample(&[], s.process.open_files))),

    Metric("lqd_received_datagrams_total", Counter, "Datagrams received: the sum of lqd_datagrams_total on every scrape.",
        Of(|s, f| f.sample(&[], s.received()))),
    Metric("lqd_datagrams_total", Counter, "Datagrams by outcome.",
        Of(|s, f| for (position, (_, name, _)) in Outcome::TABLE.iter().enumerate() {
            f.sample(&[("outcome", name)], s.by_outcome(position));
        })),
    Metric("lqd_queries_total", Counter, "Datagrams by query-type; unparsed are those discarded, malformed or refused before the query-type was parsed.",
        Of(|s, f| for (position, (_, name)) in QueryClass::TABLE.iter().enumerate() {
            f.sample(&[("query_type", name)], s.by_query_class(position));
        })),
    Metric("lqd_replies_total", Counter, "Replies by status (no status option is Success).",
        Of(|s, f| for status in StatusCode::KNOWN {
            f.sample(&[("status", status.name().unwrap_or_default())], s.by_status(*status));
        })),
    Metric("lqd_worker_datagrams_total", Counter, "Datagrams received, by worker.",
        Of(|s, f| for (number, worker) in s.workers.iter().enumerate() {
            f.sample(&[("worker", &number.to_string())], worker.received());
        })),
    Metric("lqd_answer_seconds", Histogram, "Time from the start of a batch until all its replies are handed to be sent, for each reply; without the wait in the socket's queue.",
        Of(|s, f| f.times(&[], &s.answer_times, TIMES))),
    Metric("lqd_batch_datagrams", Histogram, "Datagrams of each batch.",
        Of(|s, f| {
            let limits = (0..).map(|power| 1 << power).take_while(|&len| len <= BATCH_MAX);
            f.histogram(&[], limits.map(|len| (len, s.batches_up_to(len))), s.batches_up_to(BATCH_MAX), s.batched());
        })),
    Metric("lqd_requestor_datagrams_total", Counter, "Datagrams of the 20 most active sources, a lower bound; restarts when a source returns to the list.",
        Of(|s, f| for (source, count) in &s.requestors {
            f.sample(&[("requestor", &source.to_string())], count);
        })),
    Metric("lqd_query_log_records_total", Counter, "Records of the query log: written, lost because the writer was behind, failed because of an error of the file or journal.",
        Of(|s, f| for (result, count) in s.log_counts {
            f.sample(&[("result", result)], count);
        })),
    Metric("lqd_log_lines_lost_total", Counter, "Log lines lost because standard error did not take them: disk full, reader gone or too slow.",
        Of(|s, f| f.sample(&[], s.log_lines_lost))),

    Metric("lqd_bulk_connections", Gauge, "Open connections of bulk leasequery.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.stream.open())))),
    Metric("lqd_bulk_connections_total", Counter, "Connections of bulk leasequery accepted.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.stream.accepted())))),
    Metric("lqd_bulk_refused_connections_total", Counter, "Connections closed before anything was read, by reason: the source is not allowed, or too many are open (--bulk-connections).",
        Of(|s, f| bulk(s, |bulk| for reason in Refused::ALL {
            f.sample(&[("reason", reason.name())], bulk.stream.refused(*reason));
        }))),
    Metric("lqd_bulk_closed_connections_total", Counter, "Connections ended, by reason: idle and stalled exceed --bulk-timeout, cut is a requestor that was too slow for the end of lqd.",
        Of(|s, f| bulk(s, |bulk| for reason in Closed::ALL {
            f.sample(&[("reason", reason.name())], bulk.stream.closed(*reason));
        }))),
    Metric("lqd_bulk_accept_errors_total", Counter, "Connections that could not be accepted, for want of a file descriptor or memory.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.stream.accept_errors())))),
    Metric("lqd_bulk_outcomes_total", Counter, "Bulk queries finished, and connections closed for an error of the protocol, by outcome.",
        Of(|s, f| bulk(s, |bulk| for (name, count) in bulk.by_outcome() {
            f.sample(&[("outcome", name)], count);
        }))),
    Metric("lqd_bulk_queries_total", Counter, "Bulk queries finished, by query-type; the same as lqd_bulk_outcomes_total in all.",
        Of(|s, f| bulk(s, |bulk| for (name, count) in bulk.by_class() {
            f.sample(&[("query_type", name)], count);
        }))),
    Metric("lqd_bulk_bindings_total", Counter, "Bindings in the answers to finished bulk queries.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.bindings())))),
    Metric("lqd_bulk_messages_total", Counter, "Messages of the answers to finished bulk queries.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.messages())))),
    Metric("lqd_bulk_received_octets_total", Counter, "Octets received on connections of bulk leasequery.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.stream.octets().0)))),
    Metric("lqd_bulk_sent_octets_total", Counter, "Octets that the kernel took for connections of bulk leasequery.",
        Of(|s, f| bulk(s, |bulk| f.sample(&[], bulk.stream.octets().1)))),

    Metric("lqd_tls_handshakes_total", Counter, "TLS handshakes of bulk requestors, by result.",
        Of(|s, f| bulk(s, |bulk| for result in Handshake::ALL {
            f.sample(&[("result", result.name())], bulk.stream.handshakes(*result));
        }))),
    Metric("lqd_tls_not_after_timestamp_seconds", Gauge, "Last second at which a certificate is valid, seconds since 1970: of this server, and of the CA of requestors; of several in one file, the one that ends first.",
        Of(|s, f| for (certificate, end) in s.tls.ends() {
            f.sample(&[("certificate", certificate)], end);
        })),
    Metric("lqd_tls_renewals_total", Counter, "Changes of the TLS files, by result; those of a reload (SIGHUP) count in lqd_config_reloads_total.",
        Of(|s, f| if !s.tls.ends().is_empty() { for (result, count) in s.tls.renewals() {
            f.sample(&[("result", result)], count);
        } })),
    Metric("lqd_active_sessions", Gauge, "Active queries open.",
        Of(|s, f| active(s, |active| f.sample(&[], active.sessions)))),
    Metric("lqd_active_catching_up", Gauge, "Active queries whose missed changes are not all sent.",
        Of(|s, f| active(s, |active| f.sample(&[], active.catching_up)))),
    Metric("lqd_active_behind_entries", Gauge, "Changes that the slowest requestor of an active query has not taken; one that falls behind the log is disconnected.",
        Of(|s, f| active(s, |active| f.sample(&[], active.behind)))),
    Metric("lqd_change_log_entries", Gauge, "Changes of leases held for active leasequery.",
        Of(|s, f| active(s, |active| f.sample(&[], active.log.entries)))),
    Metric("lqd_change_log_bytes", Gauge, "Memory of these changes (--active-history-size).",
        Of(|s, f| active(s, |active| f.sample(&[], active.log.bytes)))),
    Metric("lqd_change_log_oldest_seconds", Gauge, "Time of the oldest of these changes, seconds since 1970.",
        Of(|s, f| active(s, |active| if let Some(oldest) = active.log.oldest { f.sample(&[], oldest) }))),
    Metric("lqd_change_log_overwritten_total", Counter, "Changes dropped before the time of --active-history, for want of memory.",
        Of(|s, f| active(s, |active| f.sample(&[], active.log.overwritten)))),
    Metric("lqd_change_log_appended_total", Counter, "Changes of leases, by event.",
        Of(|s, f| active(s, |active| for (event, count) in &active.log.appended {
            f.sample(&[("event", event)], count);
        }))),

    Metric("lqd_net_received_total", Counter, "Datagrams received from the sockets, with an outcome or about to have one.",
        Of(|s, f| f.sample(&[], s.net(|n| n.received.get())))),
    Metric("lqd_net_overflowed_total", Counter, "Datagrams that the kernel dropped, by worker, because the socket's queue was full (raise --receive-buffer) or the checksum was wrong; known once the next one is received; coalesced datagrams count once.",
        Of(|s, f| for (number, worker) in s.workers.iter().enumerate() {
            f.sample(&[("worker", &number.to_string())], worker.net.overflowed.get());
        })),
    Metric("lqd_net_truncated_total", Counter, "Datagrams dropped because they were truncated.",
        Of(|s, f| f.sample(&[], s.net(|n| n.truncated.get())))),
    Metric("lqd_net_sent_total", Counter, "Replies that the kernel accepted.",
        Of(|s, f| f.sample(&[], s.net(|n| n.sent.get())))),
    Metric("lqd_net_send_failures_total", Counter, "Replies that the kernel did not accept, by reason.",
        Of(|s, f| for kind in SendError::ALL {
            f.sample(&[("reason", kind.label())], s.net(|n| n.send_errors(kind).get()));
        })),
    Metric("lqd_net_receive_datagrams", Histogram, "Datagrams of each receive (UDP_GRO).",
        Of(|s, f| sizes(f, s.sizes(|n| &n.receive_sizes), s.net(|n| n.received.get())))),
    Metric("lqd_net_send_datagrams", Histogram, "Replies of each send (UDP_SEGMENT).",
        Of(|s, f| sizes(f, s.sizes(|n| &n.send_sizes), s.net(|n| n.sent.get())))),
    Metric("lqd_net_coalesced_sends_total", Counter, "Sends of several replies together (UDP_SEGMENT).",
        Of(|s, f| f.sample(&[], s.net(|n| n.coalesced.get())))),
    Metric("lqd_net_uncoalesced_sends_total", Counter, "Sends of several replies that the kernel refused, and accepted one by one.",
        Of(|s, f| f.sample(&[], s.net(|n| n.uncoalesced.get())))),
    Metric("lqd_net_ring_starved_total", Counter, "Times all receive buffers were in use; datagrams waited in the socket's queue meanwhile (raise --buffers).",
        Of(|s, f| f.sample(&[], s.net(|n| n.starved.get())))),
    Metric("lqd_net_receive_errors_total", Counter, "Receives that failed.",
        Of(|s, f| f.sample(&[], s.net(|n| n.receive_errors.get())))),
    Metric("lqd_net_rearmed_total", Counter, "Multishot receives started again (io_uring).",
        Of(|s, f| f.sample(&[], s.net(|n| n.rearmed.get())))),

    Metric("lqd_feed_age_seconds", Gauge, "Upper bound on the age of lease data, by source; normally below 2, even when idle.",
        Of(|s, f| by_source(s, f, |source| source.age().as_secs_f64()))),
    Metric("lqd_feed_trouble", Gauge, "1 if the lease source cannot be followed; /status says why.",
        Of(|s, f| by_source(s, f, |source| u8::from(source.trouble.is_some())))),
    Metric("lqd_feed_incomplete", Gauge, "1 if the lease source holds leases that are not known here, for instance while a lease file is written or reloaded.",
        Of(|s, f| by_source(s, f, |source| u8::from(source.is_incomplete)))),
    Metric("lqd_leases_incomplete", Gauge, "1 if any lease source is incomplete (lqd_feed_incomplete): queries with no matching lease get the --when-stale response.",
        Of(|s, f| f.sample(&[], u8::from(s.feed.incomplete().is_some())))),
    Metric("lqd_leases_in_conflict", Gauge, "Addresses for which several lease sources have a lease; the one with the newest client-last-transaction-time is served.",
        Of(|s, f| f.sample(&[], s.feed.conflicts))),
    Metric("lqd_feed_rows_total", Counter, "Rows of the lease source applied as changes, including those of whole loads.",
        Of(|s, f| by_source(s, f, |source| source.rows))),
    Metric("lqd_feed_bad_rows_total", Counter, "Rows skipped as malformed, including those of whole loads.",
        Of(|s, f| by_source(s, f, |source| source.bad_rows))),
    Metric("lqd_feed_reloads_total", Counter, "Times all leases of the source were loaded again because changes could not be followed.",
        Of(|s, f| by_source(s, f, |source| source.reloads))),
    Metric("lqd_feed_failed_reloads_total", Counter, "Times such a load failed; leases stayed unchanged.",
        Of(|s, f| by_source(s, f, |source| source.failed_reloads))),

    Metric("lqd_index_leases", Gauge, "Leases held, including expired ones.",
        Of(|s, f| f.sample(&[], s.index.leases))),
    Metric("lqd_index_clients", Gauge, "Clients with leases.",
        Of(|s, f| f.sample(&[], s.index.clients))),
    Metric("lqd_index_oversized_clients", Gauge, "Clients with more leases than one reply can carry; queries about them get UnspecFail.",
        Of(|s, f| f.sample(&[], s.index.oversized_clients))),
    Metric("lqd_index_oversized_leases", Gauge, "Leases of these clients.",
        Of(|s, f| f.sample(&[], s.index.oversized_leases))),
    Metric("lqd_index_links", Gauge, "Links configured.",
        Of(|s, f| f.sample(&[], s.index.links))),
    Metric("lqd_index_memory_bytes", Gauge, "Memory of leases, by table.",
        Of(|s, f| for (table, octets) in &s.memory {
            f.sample(&[("table", table)], octets);
        })),
    Metric("lqd_index_record_bytes", Gauge, "Memory of client records at the last census; part of lqd_index_memory_bytes.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], census.record_bytes) })),
    Metric("lqd_leases", Gauge, "Leases with valid lifetime left, by link and type, at the last census.",
        Of(|s, f| for (link, tally) in s.census.iter().flat_map(|census| &census.links) {
            by_type(f, &[("link", &link.to_string())], tally);
        })),
    Metric("lqd_leases_on_no_link", Gauge, "Leases with valid lifetime left whose subnet is not configured, by type, at the last census.",
        Of(|s, f| if let Some(census) = &s.census { by_type(f, &[], &census.on_no_link) })),
    Metric("lqd_leases_expired", Gauge, "Leases held whose valid lifetime is over, at the last census.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], census.expired) })),
    Metric("lqd_leases_counted_timestamp_seconds", Gauge, "Time of the last census, seconds since 1970.",
        Of(|s, f| if let Some(census) = &s.census { f.sample(&[], unix_time(census.at).as_secs_f64()) })),
];

/// Writes samples of bulk leasequery, if it is offered.
fn bulk(served: &Served, write: impl FnOnce(&BulkState)) {
    if let Some(bulk) = &served.bulk {
        write(bulk);
    }
}

/// Writes samples of active leasequery, if it is offered.
fn active(served: &Served, write: impl FnOnce(&ActiveFigures)) {
    bulk(served, |bulk| {
        if let Some(active) = &bulk.active {
            write(&active.figures());
        }
    });
}

/// Writes a histogram of sizes, from the counts up to each of [`Sizes::UP_TO`].
fn sizes(family: &mut Family<'_>, up_to: [u64; Sizes::UP_TO.len()], datagrams: u64) {
    let all = up_to.last().copied().unwrap_or_default();
    family.histogram(&[], Sizes::UP_TO.into_iter().zip(up_to), all, datagrams);
}

fn by_type(family: &mut Family<'_>, labels: &[(&str, &str)], tally: &Tally) {
    for (kind, count) in [("address", tally.addresses), ("prefix", tally.prefixes)] {
        family.sample(&[labels, &[("type", kind)]].concat(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_tell_the_kind() {
        for (number, Metric(name, kind, help, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[..number].iter().all(|Metric(other, ..)| other != name), "{name} is there twice");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(name.starts_with("lqd_") || name.starts_with("process_"), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}

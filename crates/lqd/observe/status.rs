//! A scrape as JSON, for scripts and for the page.

use std::time::Duration;

use lqd_answer::{Outcome, QueryClass};
use lqd_feed::{FigureValue, SourceState};
use lqd_net::SendError;
use lqd_stats::Distribution;
use lqd_wire::StatusCode;
use serde_json::{Map, Value, json};

use super::scrape::{Scrape, Served, WorkerCounts};
use super::unix_time;

/// Quantiles of answer times.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// Limits of answer times, as powers of two of nanoseconds: the distribution within any interval can be
/// computed.
const POWERS: std::ops::RangeInclusive<u32> = 8..=32;

/// Returns the status: durations in seconds, sizes in bytes, moments in seconds since 1970.
pub(super) fn json(scrape: &Scrape) -> String {
    let mut status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": unix_time(scrape.started_at).as_secs_f64(),
        "uptime_seconds": scrape.uptime.as_secs_f64(),
        "ready": scrape.unready.is_none(),
        "reason": scrape.unready,
        "stale": scrape.stale,
        "config_reloads": { "applied": scrape.reloads, "rejected": scrape.rejected_reloads },
        "process": {
            "cpu_seconds": scrape.process.cpu_seconds,
            "resident_bytes": scrape.process.resident_bytes,
            "open_files": scrape.process.open_files,
        },
    });
    if let (Some(served), Some(status)) = (&scrape.served, status.as_object_mut()) {
        add_served(status, served, scrape.max_feed_age);
    }
    status.to_string()
}

fn add_served(status: &mut Map<String, Value>, served: &Served, max_feed_age: Duration) {
    let statuses = StatusCode::KNOWN.iter().map(|status| (status.name(), served.by_status(*status)));
    let statuses: Map<_, _> =
        statuses.filter_map(|(name, count)| Some((name?.to_owned(), count.into()))).collect();
    let classes = QueryClass::TABLE.iter().enumerate();
    let classes: Map<_, _> = classes
        .map(|(position, (_, name))| ((*name).to_owned(), served.by_query_class(position).into()))
        .collect();
    let requestors = served.requestors.iter();
    let parts = [
        ("listen", served.listen.iter().map(ToString::to_string).collect()),
        ("received", served.received().into()),
        ("outcomes", outcomes(|position| served.by_outcome(position))),
        ("query_types", classes.into()),
        ("statuses", statuses.into()),
        ("answer_seconds", times(&served.answer_times)),
        (
            "requestors",
            requestors.map(|(source, count)| json!({ "address": source, "datagrams": count })).collect(),
        ),
        ("feed", feed(served, max_feed_age)),
        ("sources", served.feed.sources.iter().map(source).collect()),
        ("leases", leases(served)),
        ("bulk", served.bulk.as_ref().map_or(Value::Null, |bulk| bulk.json())),
        ("tls", served.tls.json()),
        ("workers", served.workers.iter().enumerate().map(worker).collect()),
    ];
    status.extend(parts.map(|(name, value): (_, Value)| (name.to_owned(), value)));
}

fn outcomes(count: impl Fn(usize) -> u64) -> Value {
    let table = Outcome::TABLE.iter().enumerate();
    table
        .map(|(position, (_, name, _))| ((*name).to_owned(), count(position).into()))
        .collect::<Map<_, _>>()
        .into()
}

fn times(times: &Distribution) -> Value {
    let quantiles = QUANTILES
        .map(|(name, part)| (name.to_owned(), json!(times.quantile(part).map(|time| time.as_secs_f64()))));
    let bucket =
        |power: u32| json!([Duration::from_nanos(1_u64 << power).as_secs_f64(), times.count_up_to(power)]);
    json!({
        "count": times.count(),
        "sum": times.sum().as_secs_f64(),
        "since_start": Map::from_iter(quantiles),
        "count_up_to": POWERS.map(bucket).collect::<Vec<_>>(),
    })
}

/// Returns the feed as a whole, as old as its oldest source.
fn feed(served: &Served, max_feed_age: Duration) -> Value {
    let feed = &served.feed;
    json!({
        "age_seconds": feed.age().as_secs_f64(),
        "max_age_seconds": max_feed_age.as_secs(),
        "trouble": feed.sources.iter().find_map(|source| source.trouble.as_deref()),
        "incomplete": feed.incomplete().is_some(),
        "addresses_in_conflict": feed.conflicts,
    })
}

fn source(source: &SourceState) -> Value {
    let mut status = json!({
        "name": source.label,
        "kind": source.source.kind,
        "place": source.source.place,
        "age_seconds": source.age().as_secs_f64(),
        "trouble": source.trouble,
        "incomplete": source.is_incomplete,
        "rows": source.rows,
        "bad_rows": source.bad_rows,
        "reloads": source.reloads,
        "failed_reloads": source.failed_reloads,
    });
    if let Some(status) = status.as_object_mut() {
        status.extend(source.figures().map(|figure| (figure.key.to_owned(), value(figure.value))));
    }
    status
}

fn value(value: FigureValue) -> Value {
    match value {
        FigureValue::Count(count) => count.into(),
        FigureValue::Flag(flag) => flag.into(),
    }
}

fn leases(served: &Served) -> Value {
    let index = &served.index;
    let counted = served.census.as_ref().map(|census| {
        let link = |(address, tally): &(_, super::census::Tally)| {
            json!({ "link": address, "addresses": tally.addresses, "prefixes": tally.prefixes })
        };
        json!({
            "at": unix_time(census.at).as_secs_f64(),
            "by_link": census.links.iter().map(link).collect::<Vec<_>>(),
            "on_no_link":
                { "addresses": census.on_no_link.addresses, "prefixes": census.on_no_link.prefixes },
            "expired": census.expired,
            "record_bytes": census.record_bytes,
        })
    });
    json!({
        "held": index.leases,
        "clients": index.clients,
        "oversized_clients": { "clients": index.oversized_clients, "leases": index.oversized_leases },
        "links": index.links,
        "memory_bytes": served.memory.iter().map(|(table, bytes)| ((*table).to_owned(), json!(bytes))).collect::<Map<_, _>>(),
        "counted": counted,
    })
}

fn worker((number, worker): (usize, &WorkerCounts)) -> Value {
    let net = &worker.net;
    let failures = SendError::ALL
        .map(|kind| (kind.label().to_owned(), net.send_errors(kind).get().into()))
        .into_iter()
        .collect::<Map<_, _>>();
    json!({
        "worker": number,
        "received": worker.received(),
        "outcomes": outcomes(|position| worker.by_outcome(position)),
        "sent": net.sent.get(),
        "send_failures": failures,
        "overflowed": net.overflowed.get(),
        "truncated": net.truncated.get(),
        "ring_starved": net.starved.get(),
        "receive_errors": net.receive_errors.get(),
    })
}

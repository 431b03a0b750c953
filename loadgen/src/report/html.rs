//! The report as one self-contained page: style and plots are inside, without scripts.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::svg::{Axis, Line, Scale, plot};
use super::text::{head, is_unverified, thousands, time};
use super::{PeriodReport, Report};

pub(crate) const STYLE: &str = include_str!("page.css");
/// Smallest latency that is plotted, in nanoseconds; smaller ones are plotted as this.
const NS_MIN: f64 = 1_000.0;
/// Factor by which an axis exceeds the highest rate.
const HEADROOM: f64 = 1.05;

/// Renders the page.
pub(crate) fn page(report: &Report, latency: &Histogram<u64>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, report, latency);
    out
}

fn write_page(out: &mut String, report: &Report, latency: &Histogram<u64>) -> std::fmt::Result {
    let target = escaped(&report.target);
    writeln!(
        out,
        r#"<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>lqload: {target}</title>
<style>
{STYLE}</style></head><body><main>
<h1>Leasequery load on {target}</h1>
<p class="head">{} · {}</p>"#,
        escaped(&head(report)),
        report.ended
    )?;
    for warning in &report.warnings {
        writeln!(out, r#"<p class="warning">{}</p>"#, escaped(warning))?;
    }
    // Wrong answers come before all numbers, which mean little then.
    if report.wrong > 0 {
        let faults: Vec<_> = report
            .wrong_by_fault
            .iter()
            .map(|(name, count)| format!("{name} {}", thousands(*count)))
            .collect();
        writeln!(out, r#"<p class="warning">Wrong answers: {}</p>"#, faults.join(", "))?;
    }
    // The key numbers first, then the charts.
    write_tiles(out, report)?;
    write_percentiles(out, "percentile of the answers", latency)?;
    write_over_time(out, &report.periods)?;
    write_find_max(out, report)?;
    write_facts(out, report)?;
    writeln!(out, "</main></body></html>")
}

/// Writes the key numbers.
fn write_tiles(out: &mut String, report: &Report) -> std::fmt::Result {
    let latency = &report.latency_ns;
    let lost = report.lost as f64 * 100.0 / report.sent.max(1) as f64;
    let mut tiles = vec![
        ("answers a second", thousands(report.answered_per_s.round() as u64)),
        ("lost", format!("{lost:.3} %")),
        (if is_unverified(report) { "wrong (not verified)" } else { "wrong" }, thousands(report.wrong)),
        ("p50", time(latency.p50)),
        ("p99", time(latency.p99)),
        ("p99.99", time(latency.p99_99)),
        ("max", time(latency.max)),
    ];
    // Only a server on this host has them.
    if let Some(us) = report.server_cpu.as_ref().and_then(|cpu| cpu.us_per_answer) {
        tiles.push(("server CPU per answer", format!("{us:.2} µs")));
    }
    writeln!(out, r#"<div class="tiles">"#)?;
    for (name, value) in tiles {
        writeln!(out, r#"<div><b>{value}</b><span>{name}</span></div>"#)?;
    }
    writeln!(out, "</div>")
}

/// Writes latency by percentile; each step to the right is ten times rarer.
pub(crate) fn write_percentiles(
    out: &mut String,
    title: &'static str,
    latency: &Histogram<u64>,
) -> std::fmt::Result {
    // A logarithmic axis has no place for nothing.
    if latency.is_empty() {
        return Ok(());
    }
    // Rarity is 1 / (1 - quantile), at most that of one answer among all.
    let rarest = (latency.len() as f64).max(10.0);
    let points: Vec<_> = latency
        .iter_quantiles(10)
        .map(|step| {
            // The last quantile is 1, whose rarity would be infinite.
            let rarity = 1.0 / (1.0 - step.quantile_iterated_to()).max(1.0 / rarest);
            (rarity, (step.value_iterated_to() as f64).max(NS_MIN))
        })
        .collect();
    let tick = |quantile: f64, text: &str| (1.0 / (1.0 - quantile), text.to_owned());
    let mut ticks = vec![
        tick(0.0, "0 %"),
        tick(0.5, "50 %"),
        tick(0.9, "90 %"),
        tick(0.99, "99 %"),
        tick(0.999, "99.9 %"),
        tick(0.9999, "99.99 %"),
        tick(0.99999, "99.999 %"),
        tick(0.999_999, "99.9999 %"),
    ];
    // Ticks beyond the rarest answer would widen the axis.
    ticks.retain(|&(rarity, _)| rarity <= rarest * 1.001);
    let x = Axis { title, scale: Scale::Log, from: 1.0, to: rarest, ticks };
    let lowest = points.first().map_or(NS_MIN, |&(_, ns)| ns);
    let y = Axis::log("", lowest, (latency.max() as f64).max(NS_MIN), tick_time);
    let line = Line { name: "latency", class: "a", points };
    writeln!(out, "<h2>Latency by percentile</h2>\n{}", plot("Latency by percentile", &x, &y, &[line]))
}

/// Writes rate and latency by the time at which the queries were due.
fn write_over_time(out: &mut String, periods: &[PeriodReport]) -> std::fmt::Result {
    let end = periods.last().map_or(0, |period| period.start_s + period.length_s);
    // A period is drawn at its middle, as its counts are of all of it.
    let middle = |period: &PeriodReport| period.start_s as f64 + period.length_s as f64 / 2.0;
    // Tenths are not exact in binary.
    let label = |value: f64| format!("{}", (value * 10.0).round() / 10.0);
    let seconds = || Axis::until("seconds since the start", (end as f64).max(1.0), label);
    let rates = |name, class, count: fn(&PeriodReport) -> u64| Line {
        name,
        class,
        points: periods.iter().map(|p| (middle(p), count(p) as f64 / p.length_s as f64)).collect(),
    };
    let lines = [
        rates("sent", "s", |period| period.sent),
        rates("answered", "a", |period| period.answered),
        rates("lost", "c", |period| period.lost),
    ];
    // Of the sent queries, which are the most.
    let highest = lines[0].points.iter().fold(0.0, |max, &(_, rate)| f64::max(max, rate));
    let y = Axis::linear("", highest * HEADROOM, |rate| thousands(rate.round() as u64));
    writeln!(
        out,
        "<h2>Queries a second</h2>{}\n{}",
        legend(&lines),
        plot("Queries a second over time", &seconds(), &y, &lines)
    )?;
    let latencies = |name, class, ns: fn(&PeriodReport) -> u64| Line {
        name,
        class,
        points: periods
            .iter()
            // A period without answers has no latency, and 0 would look like one.
            .filter(|period| period.answered > 0)
            .map(|period| (middle(period), (ns(period) as f64).max(NS_MIN)))
            .collect(),
    };
    let lines = [
        latencies("p50", "a", |period| period.latency_ns.p50),
        latencies("p99", "b", |period| period.latency_ns.p99),
        latencies("max", "c", |period| period.latency_ns.max),
    ];
    let all = || lines.iter().flat_map(|line| &line.points).map(|&(_, ns)| ns);
    let (lowest, highest) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    // Nothing was answered, so there is no latency to plot.
    if highest == 0.0 {
        return Ok(());
    }
    let y = Axis::log("", lowest, highest, tick_time);
    writeln!(
        out,
        "<h2>Latency of the queries due then</h2>{}\n{}",
        legend(&lines),
        plot("Latency over time", &seconds(), &y, &lines)
    )
}

pub(crate) fn legend(lines: &[Line]) -> String {
    let entries: String =
        lines.iter().map(|line| format!(r#"<span class="{}">{}</span>"#, line.class, line.name)).collect();
    format!(r#"<p class="legend">{entries}</p>"#)
}

fn write_find_max(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some(found) = &report.find_max else { return Ok(()) };
    let result = found
        .highest_rate
        .map_or_else(|| "no rate held".to_owned(), |rate| format!("{}/s", thousands(rate.round() as u64)));
    writeln!(
        out,
        "<h2>Highest rate: {result}</h2>\n<p>Bounds: loss up to {} %, p99 up to {}.</p>\n<table>\
         <tr><th>rate</th><th>loss</th><th>p99</th><th></th></tr>",
        found.max_loss * 100.0,
        time(found.max_p99_ns)
    )?;
    for step in &found.steps {
        // A failed step may be the generator's fault, which the verdict must tell.
        let verdict = match step {
            step if step.held => "held",
            step if step.fell_behind => "lqload fell behind",
            _ => "over the bounds",
        };
        writeln!(
            out,
            "<tr><td>{}/s</td><td>{:.4} %</td><td>{}</td><td>{verdict}</td></tr>",
            thousands(step.rate.round() as u64),
            step.loss * 100.0,
            time(step.p99_ns)
        )?;
    }
    writeln!(out, "</table>")
}

/// Writes the settings of the run, and its other counts.
fn write_facts(out: &mut String, report: &Report) -> std::fmt::Result {
    let shares: Vec<_> =
        report.mix.iter().map(|(name, share)| format!("{name} {:.0} %", share * 100.0)).collect();
    let statuses: Vec<_> = report
        .statuses
        .iter()
        .map(|(&status, &count)| format!("{} {}", super::status_name(status), thousands(count)))
        .collect();
    let facts = [
        ("Leases", format!("{} of {} clients", thousands(report.leases), thousands(report.clients.into()))),
        ("Mix", format!("{}; order {}", shares.join(", "), report.order)),
        ("Sent", thousands(report.sent)),
        ("Answered in time", thousands(report.answered)),
        ("Lost", format!("{} within {} s", thousands(report.lost), report.timeout_s)),
        ("Answered late", thousands(report.late)),
        ("Retransmitted", thousands(report.retransmitted)),
        ("Sent late", format!("{}, {} at most", thousands(report.late_sends), time(report.send_lag_max_ns))),
        ("Status", statuses.join(", ")),
        ("Seed", report.seed.to_string()),
        ("lqload", report.lqload_version.to_owned()),
    ];
    writeln!(out, "<h2>The run</h2>\n<table>")?;
    for (name, value) in facts {
        // Values may hold names of files.
        writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value))?;
    }
    writeln!(out, "</table>")
}

/// Renders a round time for an axis.
pub(crate) fn tick_time(ns: f64) -> String {
    match ns.round() as u64 {
        ns @ 0..1_000 => format!("{ns} ns"),
        ns @ 1_000..1_000_000 => format!("{} µs", ns / 1_000),
        ns @ 1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        ns => format!("{} s", ns / 1_000_000_000),
    }
}

pub(crate) fn escaped(text: &str) -> String {
    // The ampersand first, or the others would be escaped twice.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

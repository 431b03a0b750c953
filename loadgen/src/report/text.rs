//! The report as text for a terminal.

use std::fmt::Write;

use super::{Report, status_name};

/// Longest part of a wrong answer that is shown, in hexadecimal digits.
const ANSWER_SHOWN_MAX: usize = 400;

/// Renders the summary, the worst first.
pub(crate) fn summary(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut out, report);
    out
}

fn write_summary(out: &mut String, report: &Report) -> std::fmt::Result {
    // Warnings first: a reader may stop at the first number.
    write_warnings(out, report)?;
    write_wrong(out, report)?;
    writeln!(out, "{}", head(report))?;
    let mix: Vec<_> =
        report.mix.iter().map(|(name, share)| format!("{name} {:.0} %", share * 100.0)).collect();
    writeln!(out, "leases     {} of {} clients", thousands(report.leases), thousands(report.clients.into()))?;
    if report.order == "reboot" {
        writeln!(out, "order      every lease of one link once\n")?;
    // The usual order needs no mention.
    } else {
        let order = if report.order == "uniform" { String::new() } else { format!(", {}", report.order) };
        writeln!(out, "mix        {}{order}\n", mix.join(", "))?;
    }
    let per_s = |rate: f64| thousands(rate.round() as u64);
    let count = |name, count| format!("{name:<10} {:>14}", thousands(count));
    writeln!(out, "{}  {:>11}/s", count("sent", report.sent), per_s(report.sent_per_s))?;
    writeln!(out, "{}  {:>11}/s", count("answered", report.answered), per_s(report.answered_per_s))?;
    let lost_share = report.lost as f64 * 100.0 / report.sent.max(1) as f64;
    writeln!(out, "{}  {lost_share:>11.4} %", count("lost", report.lost))?;
    // Counts that are mostly 0 are shown only if they are not.
    if report.late > 0 {
        writeln!(out, "{}  after the timeout of {} s", count("late", report.late), report.timeout_s)?;
    }
    if report.retransmitted > 0 {
        writeln!(out, "{}", count("resent", report.retransmitted))?;
    }
    if report.late_sends > 0 {
        writeln!(
            out,
            "{}  sent more than {} after they were due, {} at most",
            count("late sends", report.late_sends),
            time(report.late_after_ns),
            time(report.send_lag_max_ns)
        )?;
    }
    if report.network_errors > 0 {
        writeln!(out, "{}  such as port unreachable", count("net errors", report.network_errors))?;
    }
    let unverified = if is_unverified(report) { "  not verified" } else { "" };
    writeln!(out, "{}{unverified}", count("wrong", report.wrong))?;
    write_answers(out, report)?;
    write_latency(out, report)?;
    write_server_cpu(out, report)?;
    // The search ends the report, as its result is about the last load.
    write_find_max(out, report)
}

/// Renders the kind of the run.
pub(super) fn head(report: &Report) -> String {
    let pace = match (&report.rate, report.window) {
        (Some(rate), _) => format!("open loop, {rate}/s"),
        (None, Some(window)) => format!("closed loop, window {window}"),
        (None, None) => "closed loop".to_owned(),
    };
    let plural = |count: u32, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut head = format!(
        "{}  {pace}, {}, {}, {:.2} s",
        report.target,
        plural(report.threads, "thread"),
        plural(report.ports, "port"),
        report.elapsed_s
    );
    let also = [
        (report.gso.is_some(), "coalescing"),
        (report.verified, "verified"),
        (is_unverified(report), "NOT VERIFIED"),
        (report.echo, "echo"),
        (report.interrupted, "INTERRUPTED"),
    ];
    for (_, what) in also.iter().filter(|&&(is, _)| is) {
        head += ", ";
        head += what;
    }
    head
}

/// Whether client data in the answers was not verified.
pub(super) fn is_unverified(report: &Report) -> bool {
    !report.verified && !report.echo
}

/// Returns the reasons to doubt the results, which must be read before them.
pub(super) fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    // Each warning names the fix.
    if report.fell_behind {
        warnings.push(format!(
            "lqload fell behind: {} of {} queries were sent more than {} late, {} at most, so the \
             latencies are not the server's. Give lqload CPUs of its own (--cpus), more --threads, or a \
             lower --rate.",
            thousands(report.late_sends),
            thousands(report.sent),
            time(report.late_after_ns),
            time(report.send_lag_max_ns)
        ));
    }
    if report.dropped_here > 0 {
        warnings.push(format!(
            "this host dropped {} datagrams before lqload read them; they count as lost, although the \
             server sent them. Raise net.core.rmem_max or give lqload more CPU.",
            thousands(report.dropped_here)
        ));
    }
    // Without verification a server that answers nonsense looks perfect.
    if is_unverified(report) {
        warnings.push(
            "the answers were not verified: wrong clients, leases, lifetimes and times in them count as right. \
             Give --verify if the server has the leases of the file."
                .to_owned(),
        );
    }
    if report.interrupted {
        warnings.push("interrupted: the report covers the queries sent until then.".to_owned());
    }
    warnings
}

fn write_warnings(out: &mut String, report: &Report) -> std::fmt::Result {
    for warning in &report.warnings {
        writeln!(out, "WARNING: {warning}\n")?;
    }
    Ok(())
}

/// Writes the number of wrong answers by defect, and some of them in full.
fn write_wrong(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.wrong == 0 {
        return Ok(());
    }
    writeln!(out, "WRONG ANSWERS: {}", thousands(report.wrong))?;
    let meaning = |name: &str| {
        let wrong = crate::run::Defect::ALL.iter().find(|wrong| wrong.name() == name);
        wrong.map_or("", |wrong| wrong.meaning())
    };
    for (name, &count) in &report.wrong_by_fault {
        writeln!(out, "{:>14}  {name}: {}", thousands(count), meaning(name))?;
    }
    for sample in &report.samples {
        let asked = match (sample.subject, &sample.client) {
            (Some(subject), Some(client)) => format!(", query by {subject}, client {client}"),
            _ => String::new(),
        };
        // `None` if the answer is shorter, and shown whole.
        let shown = sample.answer.get(..ANSWER_SHOWN_MAX);
        let cut = if shown.is_some() { "…" } else { "" };
        writeln!(out, "  {}{asked}\n    {}{cut}", sample.fault, shown.unwrap_or(&sample.answer))?;
    }
    writeln!(out)
}

fn write_answers(out: &mut String, report: &Report) -> std::fmt::Result {
    // An echo has no status and no bindings.
    if report.echo {
        return writeln!(out);
    }
    let statuses: Vec<_> = report
        .statuses
        .iter()
        .map(|(&status, &count)| format!("{} {}", status_name(status), thousands(count)))
        .collect();
    writeln!(out, "status     {}", statuses.join(", "))?;
    let (bindings, links, none) = (report.bindings, report.links, report.no_binding);
    let answers = [("with bindings", bindings), ("with links", links), ("without binding", none)]
        .map(|(what, count)| format!("{} {what}", thousands(count)));
    writeln!(out, "answers    {}\n", answers.join(", "))
}

fn write_latency(out: &mut String, report: &Report) -> std::fmt::Result {
    let latency = &report.latency_ns;
    let columns = [
        ("min", latency.min),
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
        ("p99.9", latency.p99_9),
        ("p99.99", latency.p99_99),
        ("max", latency.max),
    ];
    let names: String = columns.iter().map(|(name, _)| format!("{name:>11}")).collect();
    let values: String = columns.iter().map(|&(_, ns)| format!("{:>11}", time(ns))).collect();
    writeln!(out, "latency {names}\n        {values}")
}

fn write_server_cpu(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some(cpu) = &report.server_cpu else { return Ok(()) };
    // Without answers the cost of one is not defined.
    let per_answer = cpu.us_per_answer.map_or_else(String::new, |us| format!(", {us:.3} µs per answer"));
    writeln!(out, "\nserver CPU {:.2} s{per_answer} (process {})", cpu.seconds, cpu.pid)
}

fn write_find_max(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some(found) = &report.find_max else { return Ok(()) };
    writeln!(out, "\n{:>14}  {:>10}  {:>11}", "rate", "loss", "p99")?;
    for step in &found.steps {
        // `held` first: a step that held may have been late, too.
        let verdict = match step {
            step if step.held => "held",
            step if step.fell_behind => "lqload fell behind",
            _ => "over the bounds",
        };
        let rate = thousands(step.rate.round() as u64);
        writeln!(out, "{rate:>12}/s  {:>8.4} %  {:>11}  {verdict}", step.loss * 100.0, time(step.p99_ns))?;
    }
    let bounds = format!("loss up to {} % and p99 up to {}", found.max_loss * 100.0, time(found.max_p99_ns));
    match found.highest_rate {
        Some(rate) => {
            let who =
                if found.limited_by_generator { "; above it lqload fell behind, not the server" } else { "" };
            writeln!(out, "highest rate {}/s with {bounds}{who}", thousands(rate.round() as u64))
        }
        None => writeln!(out, "no rate had {bounds}"),
    }
}

/// Renders a time with three or four digits and its unit.
pub(crate) fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// Renders a count with thousands separators.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.char_indices() {
        // Counted from the end, where groups begin.
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_readable() {
        let counts = [0, 999, 1_000, 12_345, 123_456, 1_234_567].map(thousands);
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "123,456", "1,234,567"]);
        let times = [7, 1_500, 12_340_000, 2_000_000_000].map(time);
        assert_eq!(times, ["7 ns", "1.5 µs", "12.34 ms", "2.00 s"]);
    }
}

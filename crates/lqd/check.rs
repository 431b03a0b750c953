//! `lqd check`: reads everything like `lqd serve`, and reports what it would serve.

use std::io::{self, Write};
use std::time::SystemTime;

use lqd_feed::{Feed, LeftOut, Part};
use lqd_index::{CLIENT_LEASES_MAX, Writer, start_loader_threads};
use lqd_wire::Duid;

use crate::error::ExitError;
use crate::settings::{ActiveTransport, BulkTls, Settings};
use crate::site::tls::{Tls, date, days_left};
use crate::site::{BULK_INDEXES, Site, access};

/// Prints a report of the site, or returns the error to fix.
pub(crate) fn check(settings: &Settings) -> Result<(), ExitError> {
    let report = report(settings)?;
    let mut out = io::stdout().lock();
    out.write_all(&report).and_then(|()| out.flush()).map_err(|error| cannot_print(&error))
}

/// Returns the error of standard output: a full disk, or a closed pipe.
pub(crate) fn cannot_print(error: &io::Error) -> ExitError {
    ExitError::running(format!("standard output: {error}; the report is not complete"))
}

/// Returns the whole report.
fn report(settings: &Settings) -> Result<Vec<u8>, ExitError> {
    let mut out = Vec::new();
    write(settings, &mut out)?;
    Ok(out)
}

fn write(settings: &Settings, out: &mut Vec<u8>) -> Result<(), ExitError> {
    let site = Site::read(settings)?;
    let threads = std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN);
    let (links, subnets) = (site.links.len(), site.links.subnet_count());
    let (mut writer, store) = Writer::new();
    if !settings.bulk.is_empty() {
        writer.set_secondary_indexes(BULK_INDEXES);
    }
    start_loader_threads().map_err(ExitError::running)?;
    let (_feed, report) = Feed::start(writer, site.sources, threads).map_err(ExitError::unusable)?;
    let summary = store.summary();

    for source in &settings.sources {
        writeln!(out, "configuration  {}", source.kea_config.display())?;
    }
    writeln!(out, "links          {links} with {subnets} subnets")?;
    if let Some(duid) = Duid::new(&site.policy.server_duid) {
        writeln!(out, "server DUID    {duid}")?;
    }
    let list = |items: Vec<String>| items.join(" ");
    writeln!(out, "listens on     {}", list(settings.listen.iter().map(ToString::to_string).collect()))?;
    if settings.bulk.is_empty() {
        writeln!(out, "bulk           off; --bulk [::]:547 offers it")?;
    } else {
        let addresses = list(settings.bulk.iter().map(ToString::to_string).collect());
        let (connections, queries) = (settings.bulk_connections, settings.bulk_queries);
        writeln!(out, "bulk           {addresses}: {connections} connections, {queries} queries on each")?;
    }
    write_tls(settings, site.tls.as_ref(), out)?;
    match settings.active {
        ActiveTransport::Off => writeln!(out, "active         off; --active offers it")?,
        transport => {
            let (seconds, size) = (settings.active_history, settings.active_history_size);
            let transport = transport.name();
            writeln!(out, "active         {transport}: changes of {seconds} seconds, {size} MiB")?;
        }
    }
    let rules = || site.policy.access.rules().skip(1);
    let allowed = rules().filter(|(_, rights)| rights.allow).map(|(prefix, _)| prefix.to_string());
    writeln!(out, "answers        {}", list(allowed.collect()))?;
    for (prefix, rights) in rules().filter(|(prefix, _)| access::has_rule(settings, *prefix)) {
        writeln!(out, "access         {prefix}: {}", access::describe(rights))?;
    }
    for part in &report.parts {
        write_part(part, out)?;
    }
    writeln!(out, "leases         {} of {} clients", summary.leases, summary.clients)?;
    if let Some(largest) = &report.largest_client {
        writeln!(
            out,
            "oversized      {} clients with more than {CLIENT_LEASES_MAX} leases: queries about them get UnspecFail; \
             the largest, DUID {largest}, has {}",
            summary.oversized_clients, largest.leases
        )?;
    }
    writeln!(out, "memory         {} MiB for leases", summary.bytes >> 20)?;
    for warning in &report.warnings {
        writeln!(out, "warning        {warning}")?;
    }
    for warning in &site.warnings {
        writeln!(out, "warning        {warning}")?;
    }
    Ok(())
}

/// Writes what is offered over TLS, and the certificates.
fn write_tls(settings: &Settings, tls: Option<&Tls>, out: &mut Vec<u8>) -> io::Result<()> {
    let Some(tls) = tls else { return Ok(()) };
    let bulk = match settings.bulk_tls {
        BulkTls::Off => "off for bulk",
        BulkTls::Offered => "offered for bulk",
        BulkTls::Required => "required for bulk",
    };
    writeln!(out, "TLS            {bulk}")?;
    for (what, file, end) in tls.ends() {
        let (days, until) = (days_left(end, SystemTime::now()), date(end));
        let days = if days < 0 { "expired".to_owned() } else { format!("{days} days left") };
        writeln!(out, "  {what:<12} {}: until {until}, {days}", file.display())?;
    }
    Ok(())
}

/// Writes one part of a lease source: its rows, and errors in them.
fn write_part(Part { name, tally }: &Part, out: &mut Vec<u8>) -> io::Result<()> {
    writeln!(out, "{:<14} {name}: {} rows, {} skipped", name.kind, tally.rows, tally.bad_rows)?;
    for row in &tally.first_bad_rows {
        writeln!(out, "  {}: {}", row.at, row.error)?;
    }
    if tally.left_out != LeftOut::default() {
        let LeftOut { client_fqdn, link_layer_address, relay_data } = tally.left_out;
        writeln!(
            out,
            "  options left out: {relay_data} relay data, {client_fqdn} FQDN, {link_layer_address} link-layer address"
        )?;
    }
    Ok(())
}

//! The report as a page, in the style of `lqload run`.

use std::fmt::{Result, Write};

use super::result::Report;
use crate::report::html::{STYLE, escaped, write_percentiles};
use crate::report::text::thousands;

/// Renders the page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, report);
    out
}

fn write_page(out: &mut String, report: &Report) -> Result {
    let target = escaped(&report.target);
    writeln!(
        out,
        r#"<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>lqload active: {target}</title>
<style>
{STYLE}</style></head><body><main>
<h1>Active leasequery on {target}</h1>"#
    )?;
    if !report.is_right {
        writeln!(out, r#"<p class="warning">Readers lost changes, or were told wrong or late ones</p>"#)?;
    }
    write_percentiles(out, "percentile of the changes told", report.times.histogram())?;
    writeln!(out, "<h2>The run</h2>\n<table>")?;
    for (name, value) in report.lines() {
        writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value))?;
    }
    writeln!(out, "</table>")?;
    write_readers(out, report)?;
    writeln!(out, "</main></body></html>")
}

fn write_readers(out: &mut String, report: &Report) -> Result {
    writeln!(
        out,
        "<h2>Readers</h2>\n<table><tr><th>pace</th><th>messages</th><th>bindings</th><th>changes told</th>\
         <th>conflation</th><th>p99</th><th>rows behind</th><th>table</th></tr>"
    )?;
    for reader in &report.readers {
        let table = match &reader.ended {
            Some(status) => escaped(status),
            None if reader.digest == report.digest => "equal".to_owned(),
            None => "differs".to_owned(),
        };
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{:.2?}</td><td>{}</td><td>{table}</td></tr>",
            reader.pace.name(),
            thousands(reader.counts.messages),
            thousands(reader.counts.bindings),
            thousands(reader.counts.told),
            reader.conflation,
            reader.times.at(99.0),
            thousands(reader.lag_max),
        )?;
    }
    writeln!(out, "</table>")
}

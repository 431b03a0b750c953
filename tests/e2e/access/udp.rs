//! The access table against the binary over UDP, each query from its own source address, in a network
//! namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddrV6;

use libtest_mimic::{Failed, Trial};

use super::rows::ROWS;
use super::{AccessCase, PROBER, Setup};
use crate::conformance::{fixture, probe_query};
use crate::support::display::{hex, side_by_side};
use crate::support::lqd::PATIENCE;
use crate::support::namespace::{add_address, namespace_trial};
use crate::support::octets::{Pattern, octets};
use crate::support::requestor::Probe;
use crate::support::{BACK_ENDS, Lqd, Requestor, all_passed};

pub(crate) fn trials() -> Vec<Trial> {
    let of = |(back_end, needs)| {
        // Each back end has its own way to a source address.
        namespace_trial(format!("access::udp::{back_end}"), needs, move || check_all(back_end))
    };
    BACK_ENDS.into_iter().map(of).collect()
}

/// Adds addresses to `lo`.
pub(super) fn add_addresses(addresses: &BTreeSet<&str>) -> Result<(), Failed> {
    for address in addresses {
        add_address(&format!("{address}/128"), "lo")?;
    }
    Ok(())
}

/// Returns a requestor at this address.
pub(super) fn requestor(address: &str, lqd: &Lqd) -> Requestor {
    Requestor::bound(SocketAddrV6::new(address.parse().expect("an address"), 0, 0, 0), lqd.address)
}

/// Parses the datagrams by outcome that the server logs when it ends.
pub(super) fn outcomes(log: &str) -> BTreeMap<String, usize> {
    let value = |line: &str, key: &str| {
        let rest = line.split_once(&format!("{key}="))?.1;
        Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
    };
    // Other lines of the log have no such pair.
    let counted =
        log.lines().filter_map(|line| Some((value(line, "outcome")?, value(line, "count")?.parse().ok()?)));
    counted.collect()
}

fn check_all(back_end: &str) -> Result<(), Failed> {
    add_addresses(&ROWS.iter().map(|row| row.source).chain([PROBER]).collect())?;
    let mut failures = Vec::new();
    for setup in Setup::ALL {
        failures.extend(check(setup, back_end)?.into_iter().map(|failure| format!("{setup:?}: {failure}")));
    }
    all_passed(&failures)
}

fn check(setup: Setup, back_end: &str) -> Result<Vec<String>, Failed> {
    let fixture = fixture();
    let file = fixture.directory().join("lqd.toml");
    fs::write(&file, setup.toml())?;
    let config = ["--config".to_owned(), file.display().to_string()];
    // One worker keeps the order of queries from different sockets.
    let one = ["--workers", "1", "--io", back_end].map(str::to_owned);
    // The back end is named, so that none is left out by detection.
    let lqd = Lqd::start(&[&fixture.flags()[..], &config, &one].concat());
    let prober = requestor(PROBER, &lqd);
    let query = probe_query();
    let (reply, _) = prober.ask(&query).ok_or("the probe is not answered")?;
    let probe = Probe { query, reply };
    let mut wanted = BTreeMap::from([("unknown_query_type".to_owned(), 1)]);
    let mut failures = Vec::new();
    for row in ROWS.iter().filter(|row| row.setup == setup) {
        *wanted.entry(row.outcome.to_owned()).or_insert(0) += 1;
        // A row that is silent is followed by a probe, which counts as well.
        if row.want.is_none() {
            *wanted.entry("unknown_query_type".to_owned()).or_insert(0) += 1;
        }
        failures.extend(
            ask(row, &lqd, &prober, &probe)
                .map(|failure| format!("row \"{}\" (RFC {}): {failure}", row.name, row.rfc)),
        );
    }
    lqd.signal("TERM");
    let log = lqd.log_at_end();
    let got = outcomes(&log);
    // Counts of the whole run show datagrams that no row has asked for.
    if got != wanted {
        failures.push(format!("outcomes {got:?}, wanted {wanted:?}\n{log}"));
    }
    Ok(failures)
}

fn ask(row: &AccessCase, lqd: &Lqd, prober: &Requestor, probe: &Probe) -> Option<String> {
    let requestor = requestor(row.source, lqd);
    requestor.send(&octets(row.query));
    let Some(pattern) = row.want.map(Pattern::parse) else {
        // The one worker answers in order: a reply would precede the probe's.
        prober.send(&probe.query);
        let (reply, _) = prober.receive(PATIENCE).expect("the probe is answered");
        assert_eq!(reply, probe.reply);
        let (reply, _) = requestor.receive(std::time::Duration::from_millis(1))?;
        return Some(format!("wanted silence, got {}", hex(&reply)));
    };
    let Some((reply, _)) = requestor.receive(PATIENCE) else { return Some("no reply".to_owned()) };
    (!pattern.matches(&reply, &(0..=0)))
        .then(|| format!("wrong reply\n{}", side_by_side(&pattern.example(), &reply)))
}

//! The rows against the binary over UDP, each query from the source of its row, in a namespace that has these addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddrV6;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::rows::ROWS;
use super::{PROBER, Row, Setup};
use crate::conformance::{fixture, probe_query};
use crate::support::display::{hex, side_by_side};
use crate::support::lqd::PATIENCE;
use crate::support::namespace::namespace_trial;
use crate::support::octets::{Pattern, octets};
use crate::support::requestor::Probe;
use crate::support::{Lqd, Need, Requestor};

pub(crate) fn trials() -> Vec<Trial> {
    let back_ends = [("uring", &[Need::IoUring][..]), ("mmsg", &[])];
    let of = |(back_end, needs)| {
        namespace_trial(format!("access::udp::{back_end}"), needs, move || check_all(back_end))
    };
    back_ends.into_iter().map(of).collect()
}

/// Gives addresses to `lo`.
pub(super) fn add_addresses(addresses: &BTreeSet<&str>) -> Result<(), Failed> {
    for address in addresses {
        let address = format!("{address}/128");
        let status =
            Command::new("ip").args(["-6", "address", "add", &address, "dev", "lo", "nodad"]).status()?;
        if !status.success() {
            return Err(format!("ip address add {address}: {status}").into());
        }
    }
    Ok(())
}

/// A requestor at this address.
pub(super) fn requestor(address: &str, lqd: &Lqd) -> Requestor {
    Requestor::bound(SocketAddrV6::new(address.parse().expect("an address"), 0, 0, 0), lqd.address)
}

/// Datagrams by outcome, as the server says at its end.
pub(super) fn outcomes(log: &str) -> BTreeMap<String, usize> {
    let value = |line: &str, key: &str| {
        let rest = line.split_once(&format!("{key}="))?.1;
        Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
    };
    let counted =
        log.lines().filter_map(|line| Some((value(line, "outcome")?, value(line, "count")?.parse().ok()?)));
    counted.collect()
}

fn check_all(back_end: &str) -> Result<(), Failed> {
    add_addresses(&ROWS.iter().map(|row| row.source).chain([PROBER]).collect())?;
    let mut faults = Vec::new();
    for setup in Setup::ALL {
        faults.extend(check(setup, back_end)?.into_iter().map(|fault| format!("{setup:?}: {fault}")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn check(setup: Setup, back_end: &str) -> Result<Vec<String>, Failed> {
    let fixture = fixture();
    let file = fixture.directory().join("lqd.toml");
    fs::write(&file, setup.toml())?;
    let config = ["--config".to_owned(), file.display().to_string()];
    // One worker keeps the order of queries from different sockets.
    let one = ["--workers", "1", "--io", back_end].map(str::to_owned);
    let lqd = Lqd::start(&[&fixture.flags()[..], &config, &one].concat());
    let prober = requestor(PROBER, &lqd);
    let query = probe_query();
    let (reply, _) = prober.ask(&query).ok_or("the probe is not answered")?;
    let probe = Probe { query, reply };
    let mut wanted = BTreeMap::from([("unknown_query_type".to_owned(), 1)]);
    let mut faults = Vec::new();
    for row in ROWS.iter().filter(|row| row.setup == setup) {
        *wanted.entry(row.outcome.to_owned()).or_insert(0) += 1;
        if row.want.is_none() {
            *wanted.entry("unknown_query_type".to_owned()).or_insert(0) += 1;
        }
        faults.extend(
            ask(row, &lqd, &prober, &probe)
                .map(|fault| format!("row \"{}\" (RFC {}): {fault}", row.name, row.rfc)),
        );
    }
    lqd.signal("TERM");
    let log = lqd.log_at_end();
    let got = outcomes(&log);
    if got != wanted {
        faults.push(format!("outcomes {got:?}, wanted {wanted:?}\n{log}"));
    }
    Ok(faults)
}

fn ask(row: &Row, lqd: &Lqd, prober: &Requestor, probe: &Probe) -> Option<String> {
    let requestor = requestor(row.source, lqd);
    requestor.send(&octets(row.query));
    let Some(pattern) = row.want.map(Pattern::parse) else {
        // The one worker answers in order: once the probe's reply is here, this one's would be, too.
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

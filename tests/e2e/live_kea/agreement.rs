//! Comparison of lqd's answers with Kea's leases.
//!
//! Kea's leases come from its lease commands, not from its lease file: lqd reads the file, and a misreading
//! must not confirm itself. lqd reads the clock between two readings of the test, so every lifetime must lie
//! in the interval that these give.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use super::answer::{Answer, ClientData, LiveRequestor};
use super::kea::{Kea, Lease};
use super::plan;
use crate::support::Until;
use crate::support::fixture::seconds_since_1970;

/// Status `NotConfigured` (RFC 5007 §4.1.3).
const NOT_CONFIGURED: u16 = 9;

/// Everything that Kea gave out in a trial: former leases must no longer be answered.
#[derive(Default)]
pub(super) struct Ledger {
    addresses: BTreeSet<Ipv6Addr>,
    duids: BTreeSet<Vec<u8>>,
}

/// Amount of comparisons, so that a trial can require enough of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) leases: usize,
    /// Clients with leases on several links.
    pub(super) spread_clients: usize,
    /// Former addresses and clients that are rightly denied.
    pub(super) denied: usize,
}

impl Ledger {
    /// Records the rows of the lease files, before a cleanup removes some.
    pub(super) fn note(&mut self, kea: &Kea) {
        let (addresses, duids) = kea.rows();
        self.addresses.extend(addresses);
        self.duids.extend(duids);
    }

    /// Waits until every answer agrees with Kea.
    ///
    /// # Panics
    /// With the last disagreements, if that does not happen in time.
    pub(super) fn agree(&mut self, kea: &Kea, requestor: &LiveRequestor) -> Tally {
        self.agree_with(requestor, || kea.leases(), kea)
    }

    /// As [`Ledger::agree`], with leases from elsewhere, for use while Kea is down.
    pub(super) fn agree_with(
        &mut self,
        requestor: &LiveRequestor,
        leases: impl Fn() -> Vec<Lease>,
        kea: &Kea,
    ) -> Tally {
        let until = Until::patience();
        loop {
            self.note(kea);
            let failures = match self.compare(requestor, &leases()) {
                Ok(tally) => return tally,
                Err(failures) => failures,
            };
            let shown = failures[..failures.len().min(8)].join("\n");
            assert!(until.pending(), "{} answers disagree with Kea, such as:\n{shown}", failures.len());
        }
    }

    fn compare(&self, requestor: &LiveRequestor, leases: &[Lease]) -> Result<Tally, Vec<String>> {
        let now = u64::from(seconds_since_1970());
        let bindings: Vec<&Lease> =
            leases.iter().filter(|lease| lease.state == 0 && lease.expire() > now).collect();
        let clients = by_client(&bindings);
        let mut failures = Vec::new();
        let mut tally = Tally { leases: bindings.len(), ..Tally::default() };
        for (duid, links) in &clients {
            failures.extend(links_agree(requestor, duid, links).err());
            tally.spread_clients += usize::from(links.len() > 1);
        }
        let free =
            self.addresses.iter().filter(|address| !bindings.iter().any(|lease| covers(lease, **address)));
        for address in free.copied().chain(plan::FREE.map(|address| address.parse().expect("an address"))) {
            failures.extend(expect(&Answer::NoBinding, &requestor.by_address(address), &address).err());
            tally.denied += 1;
        }
        for address in plan::ELSEWHERE.map(|address| address.parse().expect("an address")) {
            failures.extend(
                expect(&Answer::Refused(NOT_CONFIGURED), &requestor.by_address(address), &address).err(),
            );
        }
        for duid in self.duids.iter().filter(|duid| !clients.contains_key(duid.as_slice())) {
            let answer = requestor.by_client_id(duid, Ipv6Addr::UNSPECIFIED);
            failures.extend(expect(&Answer::NoBinding, &answer, duid).err());
            tally.denied += 1;
        }
        if failures.is_empty() { Ok(tally) } else { Err(failures) }
    }
}

/// Leases of each client on each link.
type Clients<'a> = BTreeMap<&'a [u8], BTreeMap<Ipv6Addr, Vec<&'a Lease>>>;

fn by_client<'a>(bindings: &[&'a Lease]) -> Clients<'a> {
    let mut clients = Clients::new();
    for lease in bindings {
        let link = plan::link_of(lease.subnet_id).expect("Kea's leases lie in configured subnets");
        clients.entry(&lease.duid).or_default().entry(link).or_default().push(lease);
    }
    clients
}

/// Queries one client and each of its leases in all ways.
fn links_agree(
    requestor: &LiveRequestor,
    duid: &[u8],
    links: &BTreeMap<Ipv6Addr, Vec<&Lease>>,
) -> Result<(), String> {
    if links.len() > 1 {
        let wanted = Answer::Links(links.keys().copied().collect());
        expect(&wanted, &requestor.by_client_id(duid, Ipv6Addr::UNSPECIFIED), &duid)?;
    }
    for (link, leases) in links {
        let asked_link = if links.len() > 1 { *link } else { Ipv6Addr::UNSPECIFIED };
        timed(leases, &duid, || requestor.by_client_id(duid, asked_link))?;
        for lease in leases {
            let within = last_address(lease);
            timed(leases, &within, || requestor.by_address(within))?;
        }
    }
    Ok(())
}

fn timed(
    leases: &[&Lease],
    query: &dyn std::fmt::Debug,
    ask: impl Fn() -> Result<Answer, String>,
) -> Result<(), String> {
    // lqd reads the clock between these two readings.
    let before = u64::from(seconds_since_1970());
    let answer = ask();
    let now = before..=u64::from(seconds_since_1970());
    match answer {
        Ok(Answer::Bindings(data)) => {
            data_agrees(&data, leases, &now).map_err(|e| format!("{query:02x?}: {e}"))
        }
        other => Err(format!("{query:02x?}: wanted the bindings {leases:02x?}, got {other:02x?}")),
    }
}

/// Checks that `OPTION_CLIENT_DATA` holds exactly these leases of one client on one link.
pub(super) fn data_agrees(
    data: &ClientData,
    leases: &[&Lease],
    now: &RangeInclusive<u64>,
) -> Result<(), String> {
    let failure =
        |what: &str| format!("{what}: Kea has {leases:02x?}, the answer at {now:?} has {data:02x?}");
    if leases.iter().any(|lease| lease.duid != data.duid) {
        return Err(failure("another client"));
    }
    let wanted: BTreeSet<_> = leases.iter().map(|lease| (lease.address, lease.prefix_len)).collect();
    if wanted != data.leases.keys().copied().collect() {
        return Err(failure("other leases"));
    }
    for lease in leases {
        let (preferred, valid) = data.leases[&(lease.address, lease.prefix_len)];
        if !counts_down(valid, lease.expire(), now) {
            return Err(failure("valid lifetime"));
        }
        if !counts_down(preferred, lease.cltt + u64::from(lease.preferred_s), now) {
            return Err(failure("preferred lifetime"));
        }
    }
    let newest = leases.iter().map(|lease| lease.cltt).max().unwrap_or_default();
    let age = now.start().saturating_sub(newest)..=now.end().saturating_sub(newest);
    if !age.contains(&u64::from(data.clt_time_s)) {
        return Err(failure("client last transaction time"));
    }
    link_layer_agrees(data, leases).then_some(()).ok_or_else(|| failure("link-layer address"))
}

/// Returns whether this many seconds remain until `end` at one of the seconds of `now`; none remain after
/// `end`.
fn counts_down(remaining_s: u32, end: u64, now: &RangeInclusive<u64>) -> bool {
    (end.saturating_sub(*now.end())..=end.saturating_sub(*now.start())).contains(&u64::from(remaining_s))
}

/// Checks hardware type 1 (Ethernet) and the address that Kea keeps (RFC 6939 §4).
fn link_layer_agrees(data: &ClientData, leases: &[&Lease]) -> bool {
    let known: BTreeSet<_> = leases.iter().filter_map(|lease| lease.link_layer.clone()).collect();
    let told = data.link_layer.as_ref().map(|body| body.strip_prefix(&[0, 1]).map(<[u8]>::to_vec));
    match told {
        None => known.is_empty(),
        Some(address) => address.is_some_and(|address| known.contains(&address)),
    }
}

fn expect(wanted: &Answer, got: &Result<Answer, String>, query: &dyn std::fmt::Debug) -> Result<(), String> {
    if got.as_ref() == Ok(wanted) {
        Ok(())
    } else {
        Err(format!("{query:02x?}: wanted {wanted:02x?}, got {got:02x?}"))
    }
}

fn covers(lease: &Lease, address: Ipv6Addr) -> bool {
    (address.to_bits() ^ lease.address.to_bits()) & !host_bits(lease) == 0
}

/// Returns the address itself, or the last one of a prefix, so that queries depend on the prefix length.
fn last_address(lease: &Lease) -> Ipv6Addr {
    Ipv6Addr::from_bits(lease.address.to_bits() | host_bits(lease))
}

fn host_bits(lease: &Lease) -> u128 {
    u128::MAX.checked_shr(u32::from(lease.prefix_len.unwrap_or(128))).unwrap_or(0)
}

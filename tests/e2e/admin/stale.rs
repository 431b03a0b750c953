//! Leases lost by a running server: replies to requestors, and the operator's view.

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::{LEASES, Monitored, fixture};
use crate::support::http::get;
use crate::support::octets::{Pattern, octets};
use crate::support::{Lqd, Requestor, Until};

/// Query for a lease, with the start of its reply: the client's data.
const BOUND: &str = "0e e00001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1 $zero";
const BOUND_REPLY: &str = "0f e00001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::1 $inf  $clt0";

/// Query for an address without lease.
const UNBOUND: &str = "0e e00002  $me  002c 002d 01 ::  0005 0018 2001:db8:1::99 $zero";
const UNBOUND_REPLY: &str = "0f e00002  $me $server";
const REFUSED_REPLY: &str = "0f e00002  $me $server  000d { 0001 text }";

pub fn trials() -> Vec<Trial> {
    let mut trials = tests! {
        idle_lease_file_is_not_stale,
        reload_changes_when_stale_policy,
        directory_in_place_of_lease_file,
        lease_file_without_header,
    };
    for (policy, wanted) in
        [("answer", Some(UNBOUND_REPLY)), ("silent", None), ("refuse", Some(REFUSED_REPLY))]
    {
        let run = move || lease_file_removed(policy, wanted);
        trials.push(Trial::test(format!("admin::stale::lease_file_removed::{policy}"), run));
    }
    trials
}

/// Returns the reply to a query; `None` if the reply to [`BOUND`], sent after it, arrives instead.
fn reply(requestor: &Requestor, query: &str) -> Option<Vec<u8>> {
    requestor.send(&octets(query));
    // A known lease is answered whatever the leases' age.
    let (first, _) =
        requestor.ask(&octets(BOUND)).expect("a known lease is answered even if leases are stale");
    let bound = |reply: &[u8]| Pattern::parse(BOUND_REPLY).matches(reply, &(0..=0));
    // One worker answers in order, so the known lease's reply proves the silence.
    if bound(&first) {
        return None;
    }
    let (second, _) = requestor.receive(crate::support::lqd::PATIENCE).expect("both are answered");
    assert!(bound(&second), "the known lease");
    Some(first)
}

fn assert_unbound(requestor: &Requestor, wanted: Option<&str>) {
    match (reply(requestor, UNBOUND), wanted) {
        (None, None) => {}
        (Some(reply), Some(wanted)) => {
            assert!(Pattern::parse(wanted).matches(&reply, &(0..=0)), "{reply:02x?}");
        }
        (reply, wanted) => panic!("{reply:02x?} instead of {wanted:?}"),
    }
}

fn lease_file_removed(policy: &str, wanted: Option<&str>) -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--max-feed-age", "1", "--when-stale", policy]);
    let requestor = Requestor::new(monitored.lqd.address);
    assert_unbound(&requestor, Some(UNBOUND_REPLY));
    assert_eq!(get(monitored.admin, "/readyz").status, 200);

    let text = fs::read_to_string(fixture.leases())?;
    // Removed, not emptied: Kea would do neither.
    fs::remove_file(fixture.leases())?;
    monitored.lqd.await_line(0, |line| line.contains("WARN") && line.contains("the lease file is gone"));
    let line = monitored.lqd.await_line(0, |line| line.contains("leases are stale"));
    assert!(line.contains("ERROR") && line.contains("the lease file is gone"), "{line}");
    assert_unbound(&requestor, wanted);
    let unready = get(monitored.admin, "/readyz");
    assert_eq!(unready.status, 503);
    let body = unready.body;
    assert!(
        body.starts_with("leases are stale: last certain ") && body.ends_with("; the lease file is gone\n"),
        "{body}"
    );
    let scrape = monitored.metrics();
    let flags = ["lqd_leases_stale", "lqd_feed_trouble", "lqd_ready"].map(|name| scrape.sum(name));
    assert_eq!(flags, [1.0, 1.0, 0.0]);
    // Older than the flag allows.
    assert!(scrape.sum("lqd_feed_age_seconds") > 1.0);
    let of = |outcome| scrape.labelled("lqd_datagrams_total", "outcome", outcome);
    let counts = [of("no_binding"), of("drop_stale"), of("stale_refused")];
    // One miss was sent before the removal, one after it.
    let wanted_counts = match policy {
        "answer" => [2.0, 0.0, 0.0],
        "silent" => [1.0, 1.0, 0.0],
        _ => [1.0, 0.0, 1.0],
    };
    assert_eq!(counts, wanted_counts);
    assert_eq!(scrape.labelled("lqd_queries_total", "query_type", "unparsed"), 0.0);
    assert_eq!(monitored.status()["feed"]["trouble"], "the lease file is gone");

    // The same leases again, so that nothing else changes.
    fs::write(fixture.leases(), text)?;
    monitored.lqd.await_line(0, |line| line.contains("leases are fresh again"));
    assert_unbound(&requestor, Some(UNBOUND_REPLY));
    await_ready(&monitored);
    Ok(())
}

/// A directory in place of the lease file is named as such.
fn directory_in_place_of_lease_file() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--max-feed-age", "1"]);
    fs::remove_file(fixture.leases())?;
    fs::create_dir(fixture.leases())?;
    monitored
        .lqd
        .await_line(0, |line| line.contains("leases are stale") && line.contains("not a regular file"));
    assert!(get(monitored.admin, "/readyz").body.contains("the lease file path is not a regular file"));
    // By default misses get silence.
    assert_unbound(&Requestor::new(monitored.lqd.address), None);
    Ok(())
}

/// A lease file that cannot be loaded makes the leases stale, too.
fn lease_file_without_header() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--max-feed-age", "1"]);
    let requestor = Requestor::new(monitored.lqd.address);
    // A rename, so that lqd never sees a half-written file.
    let other = fixture.directory().join("other");
    fs::write(&other, "not a lease file\n")?;
    fs::rename(&other, fixture.leases())?;
    monitored.lqd.await_line(0, |line| line.contains("leases are stale"));
    assert_unbound(&requestor, None);
    let scrape = monitored.metrics();
    assert!(scrape.sum("lqd_feed_failed_reloads_total") >= 1.0);
    assert_eq!(scrape.sum("lqd_feed_trouble"), 1.0);
    fixture.replace_leases(LEASES);
    await_ready(&monitored);
    assert_unbound(&requestor, Some(UNBOUND_REPLY));
    Ok(())
}

/// A file that Kea does not write to for longer than --max-feed-age is not stale.
fn idle_lease_file_is_not_stale() -> Result<(), Failed> {
    let fixture = fixture();
    let monitored = Monitored::start(&fixture, &["--max-feed-age", "5"]);
    let idle = Until::after(Duration::from_secs(7));
    // Time itself is under test here, so it has to pass.
    while idle.pending() {}
    assert_eq!(get(monitored.admin, "/readyz").status, 200);
    assert_eq!(monitored.lqd.line_with("stale"), None);
    assert_unbound(&Requestor::new(monitored.lqd.address), Some(UNBOUND_REPLY));
    Ok(())
}

/// A reload changes the response to misses while leases are stale.
fn reload_changes_when_stale_policy() -> Result<(), Failed> {
    let fixture = fixture();
    let config = fixture.directory().join("lqd.toml");
    fs::write(&config, "max-feed-age = 1\nwhen-stale = 'silent'")?;
    let mut flags = fixture.flags();
    flags.extend(["--config".to_owned(), config.display().to_string()]);
    let lqd = Lqd::start(&flags);
    let requestor = Requestor::new(lqd.address);
    fs::remove_file(fixture.leases())?;
    lqd.await_line(0, |line| line.contains("leases are stale"));
    assert_unbound(&requestor, None);
    for (policy, wanted) in
        // In turn, so that each policy replaces another one.
        [("refuse", Some(REFUSED_REPLY)), ("answer", Some(UNBOUND_REPLY)), ("silent", None)]
    {
        let before = lqd.line_count();
        fs::write(&config, format!("max-feed-age = 1\nwhen-stale = '{policy}'"))?;
        lqd.signal("HUP");
        lqd.await_line(before, |line| line.contains("configuration applied"));
        assert_unbound(&requestor, wanted);
    }
    let before = lqd.line_count();
    fs::write(&config, "max-feed-age = 86400")?;
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("leases are fresh again"));
    assert_unbound(&requestor, Some(UNBOUND_REPLY));
    Ok(())
}

fn await_ready(monitored: &Monitored) {
    let until = Until::patience();
    while get(monitored.admin, "/readyz").status != 200 {
        assert!(until.pending(), "lqd does not become ready again");
    }
}

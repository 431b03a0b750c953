//! Changes of a served lease file, step by step as Kea makes them; the tests of lqd-feed cover more.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use libtest_mimic::{Failed, Trial};

use super::{assert_reply, await_reply, by_address, fixture, held_by, lease, no_binding};
use crate::support::fixture::LEASES_HEADER;
use crate::support::{Fixture, Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    tests! {
        appended_rows_are_followed,
        half_a_row_waits_for_its_end,
        lease_file_cleanup_loses_nothing,
        lease_expires_without_a_row,
        lease_file_removed_and_restored,
    }
}

fn appended_rows_are_followed() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let (query, address) = (by_address("2001:db8:1::10"), "2001:db8:1::10");
    assert_reply(&requestor, &query, &no_binding());
    append(&fixture, &fixture.rows(&lease("10", "10")))?;
    await_reply(&requestor, &query, &held_by("10", address));
    append(&fixture, &fixture.rows(&lease("10", "11")))?;
    await_reply(&requestor, &query, &held_by("11", address));
    append(&fixture, &fixture.rows(&lease("10", "11").replace(",4294967295,4102444800,", ",0,4102444800,")))?;
    await_reply(&requestor, &query, &no_binding());
    Ok(())
}

/// Without its lease file, lqd logs an error and serves the known leases; a file that returns is loaded.
fn lease_file_removed_and_restored() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let (query, address) = (by_address("2001:db8:1::1"), "2001:db8:1::1");
    let before = lqd.line_count();
    fs::remove_file(fixture.leases())?;
    lqd.await_line(before, |line| line.contains("gone") && line.contains("kea-leases6.csv"));
    assert_reply(&requestor, &query, &held_by("01", address));
    fixture.replace_leases(&lease("30", "30"));
    await_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &query, &no_binding());
    Ok(())
}

fn half_a_row_waits_for_its_end() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let row = fixture.rows(&lease("20", "20"));
    let (first, second) = row.split_at(row.len() / 2);
    append(&fixture, &format!("{}{first}", fixture.rows(&lease("21", "21"))))?;
    await_reply(&requestor, &by_address("2001:db8:1::21"), &held_by("21", "2001:db8:1::21"));
    assert_reply(&requestor, &by_address("2001:db8:1::20"), &no_binding());
    append(&fixture, second)?;
    await_reply(&requestor, &by_address("2001:db8:1::20"), &held_by("20", "2001:db8:1::20"));
    Ok(())
}

/// Kea's lease file cleanup: moves the file aside, starts a new one, and rewrites the old rows elsewhere.
fn lease_file_cleanup_loses_nothing() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let current = fixture.leases();
    let with_suffix = |suffix: &str| fixture.directory().join(format!("kea-leases6.csv.{suffix}"));
    for round in 1..=3 {
        let (before, after) = (format!("{round}a"), format!("{round}b"));
        append(&fixture, &fixture.rows(&lease(&before, "30")))?;
        fs::rename(&current, with_suffix("1"))?;
        writeln!(File::create(&current)?, "{LEASES_HEADER}")?;
        append(&fixture, &fixture.rows(&lease(&after, "31")))?;
        let old = fs::read_to_string(with_suffix("2")).unwrap_or_default();
        let rows = fs::read_to_string(with_suffix("1"))?;
        let kept = old.lines().skip(1).chain(rows.lines().skip(1)).map(|row| format!("{row}\n"));
        fs::write(with_suffix("output"), format!("{LEASES_HEADER}\n{}", kept.collect::<String>()))?;
        fs::rename(with_suffix("output"), with_suffix("completed"))?;
        let _ = fs::remove_file(with_suffix("2")); // missing in the first round
        fs::remove_file(with_suffix("1"))?;
        fs::rename(with_suffix("completed"), with_suffix("2"))?;
        await_holder(&requestor, &after, "31");
        await_holder(&requestor, &before, "30");
        await_holder(&requestor, "1", "01");
    }
    Ok(())
}

/// A lease expires at its second without a row.
fn lease_expires_without_a_row() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let now = crate::support::fixture::seconds_since_1970();
    let short = lease("40", "40").replace("4294967295,4102444800", &format!("3,{now}"));
    append(&fixture, &fixture.rows(&(short + "\n" + &lease("41", "41"))))?;
    await_holder(&requestor, "41", "41");
    await_reply(&requestor, &by_address("2001:db8:1::40"), &no_binding());
    let ended = crate::support::fixture::seconds_since_1970();
    assert!(ended >= now + 3, "a lease of 3 seconds expired after {}", ended - now);
    Ok(())
}

/// Waits until that client holds 2001:db8:1::`host`, alone or among other addresses.
fn await_holder(requestor: &Requestor, host: &str, client: &str) {
    let query = by_address(&format!("2001:db8:1::{host}"));
    let holder = crate::support::octets::octets(&format!("$c{client}"));
    let until = crate::support::Until::patience();
    loop {
        let (reply, _) = requestor.ask(&query).expect("every query is answered");
        let data = reply.get(36..).unwrap_or_default(); // header, CLIENTID, SERVERID, header of CLIENT_DATA
        if data.starts_with(&holder) {
            return;
        }
        assert!(
            until.pending(),
            "client {client} does not hold ::{host}: {}",
            crate::support::display::decoded(&reply)
        );
    }
}

/// Appends text as Kea does: opens the lease file again and writes at its end.
fn append(fixture: &Fixture, text: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).open(fixture.leases())?.write_all(text.as_bytes())
}

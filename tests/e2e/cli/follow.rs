//! A lease file that changes while it is served, by the steps that Kea takes. The feed's own tests go further.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use libtest_mimic::{Failed, Trial};

use super::{assert_reply, await_reply, by_address, fixture, held_by, held_by_nobody, lease};
use crate::support::fixture::LEASES_HEADER;
use crate::support::{Fixture, Lqd, Requestor};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cli::follow::rows_are_appended", rows_are_appended),
        Trial::test("cli::follow::half_a_row", half_a_row),
        Trial::test("cli::follow::lease_file_cleanup", lease_file_cleanup),
        Trial::test("cli::follow::lease_ends_by_itself", lease_ends_by_itself),
        Trial::test("cli::follow::lease_file_is_gone", lease_file_is_gone),
    ]
}

fn rows_are_appended() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let (query, address) = (by_address("2001:db8:1::10"), "2001:db8:1::10");
    assert_reply(&requestor, &query, &held_by_nobody());
    append(&fixture, &fixture.rows(&lease("10", "10")))?;
    await_reply(&requestor, &query, &held_by("10", address));
    append(&fixture, &fixture.rows(&lease("10", "11")))?;
    await_reply(&requestor, &query, &held_by("11", address));
    append(&fixture, &fixture.rows(&lease("10", "11").replace(",4294967295,4102444800,", ",0,4102444800,")))?;
    await_reply(&requestor, &query, &held_by_nobody());
    Ok(())
}

/// Without the file, lqd says so and goes on with what it knows; a file that comes back is loaded.
fn lease_file_is_gone() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let (query, address) = (by_address("2001:db8:1::1"), "2001:db8:1::1");
    let before = lqd.line_count();
    fs::remove_file(fixture.leases())?;
    lqd.await_line(before, |line| line.contains("gone") && line.contains("kea-leases6.csv"));
    assert_reply(&requestor, &query, &held_by("01", address));
    fixture.write_leases(&format!("{LEASES_HEADER}\n{}", fixture.rows(&lease("30", "30"))));
    await_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &query, &held_by_nobody());
    Ok(())
}

fn half_a_row() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let row = fixture.rows(&lease("20", "20"));
    let (first, second) = row.split_at(row.len() / 2);
    append(&fixture, &format!("{}{first}", fixture.rows(&lease("21", "21"))))?;
    await_reply(&requestor, &by_address("2001:db8:1::21"), &held_by("21", "2001:db8:1::21"));
    assert_reply(&requestor, &by_address("2001:db8:1::20"), &held_by_nobody());
    append(&fixture, second)?;
    await_reply(&requestor, &by_address("2001:db8:1::20"), &held_by("20", "2001:db8:1::20"));
    Ok(())
}

/// Kea's lease file cleanup: the file moves aside, a new one is begun, the old rows are written anew elsewhere.
fn lease_file_cleanup() -> Result<(), Failed> {
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
        let _ = fs::remove_file(with_suffix("2")); // there is none in the first round
        fs::remove_file(with_suffix("1"))?;
        fs::rename(with_suffix("completed"), with_suffix("2"))?;
        await_holder(&requestor, &after, "31");
        await_holder(&requestor, &before, "30");
        await_holder(&requestor, "1", "01");
    }
    Ok(())
}

/// A lease ends in its second, with no row that says so.
fn lease_ends_by_itself() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let now = crate::support::fixture::seconds_since_1970();
    let short = lease("40", "40").replace("4294967295,4102444800", &format!("3,{now}"));
    append(&fixture, &fixture.rows(&(short + "\n" + &lease("41", "41"))))?;
    await_holder(&requestor, "41", "41");
    await_reply(&requestor, &by_address("2001:db8:1::40"), &held_by_nobody());
    let ended = crate::support::fixture::seconds_since_1970();
    assert!(ended >= now + 3, "gone {} seconds after it was given for 3", ended - now);
    Ok(())
}

/// Waits until that client holds 2001:db8:1::`host`, perhaps among other addresses.
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

/// Appends text to the lease file as Kea does: opened once more, written at its end.
fn append(fixture: &Fixture, text: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).open(fixture.leases())?.write_all(text.as_bytes())
}

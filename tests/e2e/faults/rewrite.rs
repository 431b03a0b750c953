//! A lease file rewritten in place, as by `cp` and editors: half a file never gives answers.

use std::fs::File;
use std::io::Write as _;

use libtest_mimic::{Failed, Trial};

use crate::cli::{
    assert_reply, await_reply, by_address, fixture, held_by, lease, no_binding, reply_if_any, unspec_fail,
};
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::get_unix;
use crate::support::{Fixture, Lqd, Requestor, Until};

/// Address in no lease file of these tests.
const FREE: &str = "2001:db8:1::99";

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        half_a_file_is_not_loaded,
        emptied_file_keeps_known_leases,
        misses_get_unspec_fail_during_rewrite,
        misses_get_silence_until_reload_completes,
        start_during_a_copy,
        start_with_an_empty_file,
    }
}

fn start(fixture: &Fixture, when_stale: &str) -> (Lqd, Requestor) {
    // One worker or many: the policy is the server's.
    let flags = ["--when-stale".into(), when_stale.into(), fixture.admin_flag()];
    let lqd = Lqd::start(&[fixture.flags(), flags.to_vec()].concat());
    let requestor = Requestor::new(lqd.address);
    (lqd, requestor)
}

/// Waits until /readyz, /status and /metrics show this reason for incomplete leases, or none.
fn assert_shown(fixture: &Fixture, why: &str) {
    let get = |path: &str| get_unix(&fixture.admin_socket(), path);
    let until = Until::patience();
    loop {
        let (ready, status, metrics) = (get("/readyz"), get("/status").body, get("/metrics").body);
        // All places must agree, as operators look at any of them.
        let shown = [
            (ready.status == 200) == why.is_empty(),
            why.is_empty() || ready.body.starts_with("leases are incomplete: ") && ready.body.contains(why),
            status.contains(&format!("\"incomplete\":{}", !why.is_empty())) && status.contains(why),
            metrics.contains(&format!("\nlqd_leases_incomplete {}\n", u8::from(!why.is_empty()))),
        ];
        if shown == [true; 4] {
            return;
        }
        assert!(until.pending(), "{shown:?}: {ready:?} {status} {metrics}");
    }
}

fn half_a_file_is_not_loaded() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    let mut file = File::create(fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("being rewritten"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    // Slowly, so that the file changes at each look.
    for number in ["30", "31", "32"] {
        file.write_all(fixture.rows(&lease(number, number)).as_bytes())?;
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    }
    file.write_all(fixture.rows(&lease("33", "33")).as_bytes())?;
    await_reply(&requestor, &by_address("2001:db8:1::33"), &held_by("33", "2001:db8:1::33"));
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &no_binding());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// An empty file does not mean that there are no leases.
fn emptied_file_keeps_known_leases() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    // Created anew, which empties it.
    drop(File::create(fixture.leases())?);
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("no complete header"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    fixture.replace_leases(&lease("30", "30"));
    await_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &no_binding());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// While the file is written, it may hold unknown leases: misses must not get "no binding".
fn misses_get_unspec_fail_during_rewrite() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, requestor) = start(&fixture, "refuse");
    let miss = by_address(FREE);
    assert_reply(&requestor, &miss, &no_binding());
    let before = lqd.line_count();
    let mut file = File::create(fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    let row = fixture.rows(&lease("30", "30"));
    let (first, rest) = row.split_at(60);
    // Half a row, so that the file does not count as complete.
    file.write_all(first.as_bytes())?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("being rewritten"));
    // Many times, as a single wrong answer would be enough to cut a client off.
    for _ in 0..100 {
        await_reply(&requestor, &miss, &unspec_fail());
        assert_reply(&requestor, &by_address("2001:db8:1::30"), &unspec_fail());
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    }
    assert_shown(&fixture, "being rewritten");
    file.write_all(rest.as_bytes())?;
    await_reply(&requestor, &miss, &no_binding());
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &no_binding());
    assert_shown(&fixture, "");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Misses get silence until the load ends: from the first "no binding" on, all leases of the file are known.
fn misses_get_silence_until_reload_completes() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, requestor) = start(&fixture, "silent");
    let rows = lease("1", "01") + "\n" + &lease("30", "30");
    fixture.replace_leases(&rows);
    let until = Until::patience();
    // First the change is unnoticed, then there is silence.
    while reply_if_any(&requestor, &by_address(FREE)).is_some() {
        assert!(until.pending(), "the silence does not begin");
    }
    while reply_if_any(&requestor, &by_address(FREE)).is_none() {
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
        assert!(until.pending(), "the silence does not end");
    }
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// lqd starts while the file is copied: the rest may hold any lease.
fn start_during_a_copy() -> Result<(), Failed> {
    let fixture = fixture();
    let rows: String = (30..60).map(|number| fixture.rows(&lease(&number.to_string(), "30"))).collect();
    // Fifty octets are half a row.
    let (mut written, mut file) = (50, File::create(fixture.leases())?);
    write!(file, "{LEASES_HEADER}\n{}", &rows[..written])?;
    let (lqd, requestor) = start(&fixture, "refuse");
    // Half a row at every step.
    while written + 140 < rows.len() {
        assert_reply(&requestor, &by_address(FREE), &unspec_fail());
        assert_shown(&fixture, "last line has no end");
        // Never at a line end, so that each step leaves half a row.
        let end = written + if rows[..written + 70].ends_with('\n') { 75 } else { 70 };
        file.write_all(&rows.as_bytes()[written..end])?;
        written = end;
    }
    file.write_all(&rows.as_bytes()[written..])?;
    await_reply(&requestor, &by_address(FREE), &no_binding());
    assert_shown(&fixture, "");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// An empty file, left by an interrupted copy or just created by Kea, does not mean that there are no leases.
fn start_with_an_empty_file() -> Result<(), Failed> {
    let fixture = fixture();
    fixture.write_leases("");
    let (lqd, requestor) = start(&fixture, "refuse");
    assert_reply(&requestor, &by_address(KNOWN), &unspec_fail());
    assert_shown(&fixture, "no complete header");
    // Header and rows come at once, as from a copy.
    fixture.append_leases(&fixture.lease_file(&lease("01", "01")));
    await_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    await_reply(&requestor, &by_address(FREE), &no_binding());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

//! The lease file, written anew in its place as `cp` and editors do: half of it is never answered from.

use std::fs::File;
use std::io::Write as _;

use libtest_mimic::{Failed, Trial};

use crate::cli::{
    assert_reply, await_reply, by_address, fixture, held_by, held_by_nobody, lease, reply_if_any, unreadable,
};
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::get_unix;
use crate::support::{Fixture, Lqd, Requestor, Until};

/// In no lease file of these tests.
const FREE: &str = "2001:db8:1::99";

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("faults::rewrite::half_a_file", half_a_file),
        Trial::test("faults::rewrite::emptied", emptied),
        Trial::test("faults::rewrite::misses_meanwhile", misses_meanwhile),
        Trial::test("faults::rewrite::misses_meanwhile_by_default", misses_meanwhile_by_default),
        Trial::test("faults::rewrite::first_load_of_half_a_copy", first_load_of_half_a_copy),
        Trial::test("faults::rewrite::no_header_at_the_start", no_header_at_the_start),
    ]
}

fn start(fixture: &Fixture, when_stale: &str) -> (Lqd, Requestor) {
    let socket = fixture.directory().join("admin.sock");
    let flags =
        ["--when-stale".into(), when_stale.into(), "--admin".into(), format!("unix:{}", socket.display())];
    let lqd = Lqd::start(&[fixture.flags(), flags.to_vec()].concat());
    let requestor = Requestor::new(lqd.address);
    (lqd, requestor)
}

/// What /readyz, /status and /metrics say.
fn assert_shown(fixture: &Fixture, why: &str) {
    let get = |path: &str| get_unix(&fixture.directory().join("admin.sock"), path);
    let until = Until::patience();
    loop {
        let (ready, status, metrics) = (get("/readyz"), get("/status").body, get("/metrics").body);
        let says = [
            (ready.status == 200) == why.is_empty(),
            why.is_empty() || ready.body.starts_with("leases are incomplete: ") && ready.body.contains(why),
            status.contains(&format!("\"incomplete\":{}", !why.is_empty())) && status.contains(why),
            metrics.contains(&format!("\nlqd_leases_incomplete {}\n", u8::from(!why.is_empty()))),
        ];
        if says == [true; 4] {
            return;
        }
        assert!(until.pending(), "{says:?}: {ready:?} {status} {metrics}");
    }
}

fn half_a_file() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    let mut file = File::create(fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("written anew"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    for number in ["30", "31", "32"] {
        file.write_all(fixture.rows(&lease(number, number)).as_bytes())?;
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    }
    file.write_all(fixture.rows(&lease("33", "33")).as_bytes())?;
    await_reply(&requestor, &by_address("2001:db8:1::33"), &held_by("33", "2001:db8:1::33"));
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by_nobody());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// An empty file does not say that nobody holds a lease.
fn emptied() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    drop(File::create(fixture.leases())?);
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("no complete header"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    fixture.write_leases(&format!("{LEASES_HEADER}\n{}", fixture.rows(&lease("30", "30"))));
    await_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by_nobody());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// While the file is written, a lease that is not known may be in it: that is no "no binding".
fn misses_meanwhile() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, requestor) = start(&fixture, "refuse");
    let miss = by_address(FREE);
    assert_reply(&requestor, &miss, &held_by_nobody());
    let before = lqd.line_count();
    let mut file = File::create(fixture.leases())?;
    writeln!(file, "{LEASES_HEADER}")?;
    let row = fixture.rows(&lease("30", "30"));
    let (first, rest) = row.split_at(60);
    // Half a row, so that it does not stand still.
    file.write_all(first.as_bytes())?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("written anew"));
    for _ in 0..100 {
        await_reply(&requestor, &miss, &unreadable());
        assert_reply(&requestor, &by_address("2001:db8:1::30"), &unreadable());
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    }
    assert_shown(&fixture, "written anew");
    file.write_all(rest.as_bytes())?;
    await_reply(&requestor, &miss, &held_by_nobody());
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by_nobody());
    assert_shown(&fixture, "");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Silence, which ends with the load and no later: from the first "no binding" on, all that the file holds is known.
fn misses_meanwhile_by_default() -> Result<(), Failed> {
    let fixture = fixture();
    let (lqd, requestor) = start(&fixture, "silent");
    let rows = lease("1", "01") + "\n" + &lease("30", "30");
    fixture.write_leases(&format!("{LEASES_HEADER}\n{}", fixture.rows(&rows)));
    let until = Until::patience();
    // Not noticed yet, and then silence.
    while reply_if_any(&requestor, &by_address(FREE)).is_some() {
        assert!(until.pending(), "no silence");
    }
    while reply_if_any(&requestor, &by_address(FREE)).is_none() {
        assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
        assert!(until.pending(), "silence for ever");
    }
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// lqd starts while the file is copied: the rest may hold any lease.
fn first_load_of_half_a_copy() -> Result<(), Failed> {
    let fixture = fixture();
    let rows: String = (30..60).map(|number| fixture.rows(&lease(&number.to_string(), "30"))).collect();
    let (mut written, mut file) = (50, File::create(fixture.leases())?);
    write!(file, "{LEASES_HEADER}\n{}", &rows[..written])?;
    let (lqd, requestor) = start(&fixture, "refuse");
    // Another half row each time.
    while written + 140 < rows.len() {
        assert_reply(&requestor, &by_address(FREE), &unreadable());
        assert_shown(&fixture, "last line has no end");
        let end = written + if rows[..written + 70].ends_with('\n') { 75 } else { 70 };
        file.write_all(&rows.as_bytes()[written..end])?;
        written = end;
    }
    file.write_all(&rows.as_bytes()[written..])?;
    await_reply(&requestor, &by_address(FREE), &held_by_nobody());
    assert_shown(&fixture, "");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// An empty file, as an interrupted copy leaves it, or Kea has just made: it does not say that nobody holds a lease.
fn no_header_at_the_start() -> Result<(), Failed> {
    let fixture = fixture();
    fixture.write_leases("");
    let (lqd, requestor) = start(&fixture, "refuse");
    assert_reply(&requestor, &by_address(KNOWN), &unreadable());
    assert_shown(&fixture, "no complete header");
    fixture.append_leases(&format!("{LEASES_HEADER}\n{}", fixture.rows(&lease("01", "01"))));
    await_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    await_reply(&requestor, &by_address(FREE), &held_by_nobody());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

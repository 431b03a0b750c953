//! The lease file, written anew in its place as `cp` and editors do: half of it is never answered from.

use std::fs::File;
use std::io::Write as _;

use libtest_mimic::{Failed, Trial};

use crate::cli::{assert_reply, await_reply, by_address, fixture, held_by, held_by_nobody, lease};
use crate::support::fixture::LEASES_HEADER;
use crate::support::{Lqd, Requestor};

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("faults::rewrite::half_a_file", half_a_file),
        Trial::test("faults::rewrite::emptied", emptied),
    ]
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

//! Steps of the host's clock by an hour, forward and back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::cli::{await_reply, by_address, fixture, held_by, lease, no_binding};
use crate::support::lqd::PROGRAM;
use crate::support::{Fixture, Lqd, Need, Requestor};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        clock_steps_by_an_hour needs Faketime,
    }
}

/// Leases that expire within the hour are no bindings while the clock is ahead, and are bindings again when
/// it is back; other leases are always answered. Each step is logged.
fn clock_steps_by_an_hour() -> Result<(), Failed> {
    let fixture = fixture();
    let now = crate::support::fixture::seconds_since_1970();
    // An expiry within the hour, so that a step of an hour decides.
    let hour = lease("40", "40").replace("4294967295,4102444800", &format!("1800,{now}"));
    fixture.append_leases(&fixture.rows(&hour));
    let clock = Clock::new(&fixture);
    clock.set("+0");
    let mut command = Command::new(PROGRAM);
    clock.apply(&mut command);
    let lqd = Lqd::start_by(command, &fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let short = by_address("2001:db8:1::40");
    for (offset, seconds) in [("+3600", "seconds=3600"), ("+0", "seconds=-3600"), ("-3600", "seconds=-3600")]
    {
        // Counted before the step, so that an older line does not count.
        let before = lqd.line_count();
        clock.set(offset);
        lqd.await_line(before, |line| line.contains("system clock stepped") && line.contains(seconds));
        await_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
        if offset == "+3600" {
            await_reply(&requestor, &short, &no_binding());
        } else {
            let (reply, _) = requestor.ask(&short).expect("every query is answered");
            assert!(reply.len() > no_binding().example().len(), "the lease is back at {offset}");
        }
    }
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A clock that libfaketime shows to the server.
struct Clock(PathBuf);

impl Clock {
    fn new(fixture: &Fixture) -> Self {
        Self(fixture.directory().join("faketime"))
    }

    /// Sets the offset from the real time, in seconds.
    fn set(&self, offset: &str) {
        // Renamed into place, so that the library never reads half an offset.
        let new = self.0.with_extension("new");
        fs::write(&new, offset).expect("the offset is written");
        fs::rename(&new, &self.0).expect("the offset takes the old one's place");
    }

    fn apply(&self, command: &mut Command) {
        let library = Need::faketime_library().expect("the trial needs it");
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &self.0);
        // Timers must go on, or the server would hang rather than see a step.
        command.env("FAKETIME_NO_CACHE", "1").env("DONT_FAKE_MONOTONIC", "1");
    }
}

//! Limits of address space (`ulimit -v`).

use std::fs;
use std::io::Write as _;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{KEA_CONFIG, assert_reply, await_reply, by_address, fixture, held_by, lease};
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::get_unix;
use crate::support::lqd::PROGRAM;
use crate::support::{Lqd, Requestor};

/// Address space in MiB that suffices for lqd itself (196 in a debug build) and few leases.
const LITTLE: u64 = 224;

pub fn trials() -> Vec<Trial> {
    tests! {
        one_gibibyte_of_address_space_suffices,
        load_beyond_the_limit_ends_start,
        threads_beyond_the_limit_end_start,
        reload_beyond_the_limit_is_rejected,
    }
}

/// Returns the command `lqd` with so many MiB of address space.
fn limited(mebibytes: u64) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={0}:{0}", mebibytes << 20)).arg(PROGRAM);
    command
}

/// Loads, follows and reloads, each time with the old leases still in memory.
fn one_gibibyte_of_address_space_suffices() -> Result<(), Failed> {
    let fixture = fixture();
    let mut command = limited(1024);
    command.arg("check").args(fixture.flags());
    let check = Lqd::run_command(command);
    assert_eq!(check.code, Some(0), "{check:?}");

    let (socket, log) = (fixture.admin_socket(), fixture.directory().join("queries.log"));
    let flags = vec![fixture.admin_flag(), format!("--query-log={}", log.display())];
    let lqd = Lqd::start_by(limited(1024), &[flags, fixture.flags()].concat());
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address("2001:db8:1::1"), &held_by("01", "2001:db8:1::1"));
    for host in ["50", "51", "52", "53"] {
        let other = fixture.directory().join(format!("leases-{host}.csv"));
        fs::write(&other, fixture.lease_file(&lease(host, host)))?;
        // A new path makes lqd load from scratch, beside the leases that it serves.
        fixture.write_kea_config(&KEA_CONFIG.replace("@LEASES@", &other.display().to_string()));
        lqd.signal("HUP");
        let address = format!("2001:db8:1::{host}");
        await_reply(&requestor, &by_address(&address), &held_by(host, &address));
    }
    assert_eq!(get_unix(&socket, "/readyz").status, 200);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A load beyond the limit ends with an error that names the limit, not with a panic or abort.
fn load_beyond_the_limit_ends_start() -> Result<(), Failed> {
    let fixture = fixture();
    fs::write(fixture.leases(), many_leases()?)?;
    for command in ["check", "serve"] {
        let mut lqd = limited(LITTLE);
        lqd.arg(command).args(fixture.flags());
        let ended = Lqd::run_command(lqd);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("lqd: ") && ended.stderr.contains("LimitAS="), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
    Ok(())
}

/// Threads that the system refuses end the start with an error that names the limits, not with a panic.
fn threads_beyond_the_limit_end_start() -> Result<(), Failed> {
    let fixture = fixture();
    for command in ["check", "serve"] {
        let mut lqd = limited(1024);
        // Each has a stack of 2 MiB.
        lqd.env("RAYON_NUM_THREADS", "4000").arg(command).args(fixture.flags());
        let ended = Lqd::run_command(lqd);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("lqd: threads that load leases") && ended.stderr.contains("TasksMax="));
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
    Ok(())
}

/// A reload beyond the limit keeps the known leases.
fn reload_beyond_the_limit_is_rejected() -> Result<(), Failed> {
    let fixture = fixture();
    let flags = ["--workers=1".to_owned(), "--io=mmsg".to_owned()];
    let lqd = Lqd::start_by(limited(LITTLE), &[&flags[..], &fixture.flags()].concat());
    let other = fixture.directory().join("other.csv");
    fs::write(&other, many_leases()?)?;
    fixture.write_kea_config(&KEA_CONFIG.replace("@LEASES@", &other.display().to_string()));
    lqd.signal("HUP");
    lqd.await_line(0, |line| line.contains("configuration rejected") && line.contains("LimitAS="));
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address("2001:db8:1::1"), &held_by("01", "2001:db8:1::1"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Returns a lease file of 100 MiB.
fn many_leases() -> Result<Vec<u8>, Failed> {
    const LEASES: u32 = 1_200_000;
    let mut rows = format!("{LEASES_HEADER}\n").into_bytes();
    for n in 0..LEASES {
        let [a, b, c, d] = n.to_be_bytes();
        let duid = format!("00:03:00:01:02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
        let (high, low) = (n >> 16, n & 0xffff);
        writeln!(rows, "2001:db8:1::{high:x}:{low:x},{duid},9,4102444800,1,9,0,1,128,0,0,,,0,,1,0,0")?;
    }
    Ok(rows)
}

//! Start of lqd before Kea, or between two steps of Kea's cleanup: it waits, or serves existing leases, and
//! never ends with the status after which systemd does not restart it.

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::cli::{KEA_CONFIG, assert_reply, await_lease, by_address, fixture, held_by, lease};
use crate::support::http::{await_readyz, get_unix};
use crate::support::{Fixture, Lqd, Requestor};

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    let mut trials = tests! {
        no_lease_file_yet,
        no_folder_yet,
        no_server_duid_yet,
        folder_replaced_while_waiting needs Sandbox,
    };
    for (name, break_it) in [
        ("faults::start::sigterm_while_waiting_for_leases", remove_leases as fn(&Fixture)),
        ("faults::start::sigterm_while_waiting_for_the_duid", remove_duid),
    ] {
        trials.push(Trial::test(name, move || sigterm_while_waiting(break_it)));
    }
    for suffix in ["1", "2", "completed"] {
        let name = format!("faults::start::current_file_missing_beside_{suffix}");
        trials.push(Trial::test(name, move || current_file_missing(suffix)));
    }
    trials
}

fn write_leases(fixture: &Fixture) {
    fixture.replace_leases(&lease("30", "30"));
}

/// Waits for the log line that lqd waits for Kea, with the reason.
fn await_waiting(lqd: &Lqd, why: &str) {
    lqd.await_line(0, |line| line.contains("waiting for Kea") && line.contains(why));
}

fn no_lease_file_yet() -> Result<(), Failed> {
    let fixture = fixture();
    fs::remove_file(fixture.leases())?;
    let socket = fixture.admin_socket();
    let mut lqd = Lqd::begin(&[fixture.flags(), vec![fixture.admin_flag()]].concat());
    await_waiting(&lqd, "kea-leases6.csv: no such lease file");
    await_readyz(&socket, |ready| ready.body.contains("no such lease file"));
    assert_eq!(get_unix(&socket, "/readyz").status, 503);
    // The whole file appears at once, as Kea makes it.
    write_leases(&fixture);
    lqd.await_ready();
    await_lease(&Requestor::new(lqd.address), "30");
    assert_eq!(get_unix(&socket, "/readyz").status, 200);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A Kea that never ran has no folder, either.
fn no_folder_yet() -> Result<(), Failed> {
    let fixture = fixture();
    let folder = fixture.directory().join("kea");
    let leases = folder.join("leases.csv");
    let flags = [fixture.flags(), vec!["--kea-leases".into(), leases.display().to_string()]].concat();
    let mut lqd = Lqd::begin(&flags);
    // The folder is named before the file, as it comes first.
    await_waiting(&lqd, "no such folder");
    fs::create_dir(&folder)?;
    await_waiting(&lqd, "leases.csv: no such lease file");
    fs::copy(fixture.leases(), &leases)?;
    lqd.await_ready();
    await_lease(&Requestor::new(lqd.address), "01");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// The sandbox, built for the former folder, excludes the new one; a restart helps, so the exit status must
/// not be 2.
fn folder_replaced_while_waiting() -> Result<(), Failed> {
    let fixture = fixture();
    let folder = fixture.directory().join("kea");
    fs::create_dir(&folder)?;
    // A separate folder, so that the new one is not below an admitted folder.
    let config = tempfile::tempdir()?;
    let file = config.path().join("kea-dhcp6.conf");
    fs::copy(fixture.kea_config(), &file)?;
    let leases = folder.join("leases.csv").display().to_string();
    let config = file.display().to_string();
    let lqd = Lqd::begin(&["--sandbox", "on", "--kea-config", &config, "--kea-leases", &leases]);
    await_waiting(&lqd, "leases.csv: no such lease file");
    let new = fixture.directory().join("new");
    fs::create_dir(&new)?;
    fs::copy(fixture.leases(), new.join("leases.csv"))?;
    // Another inode under the old name, which landlock's rule does not cover.
    fs::remove_dir(&folder)?;
    fs::rename(&new, &folder)?;
    lqd.await_line(0, |line| line.contains("leases.csv: is out of the sandbox's reach"));
    // The service manager restarts it, so it must not look like a usage error.
    assert_eq!(lqd.exit_code(), 1);
    Ok(())
}

/// A Kea that never ran has no server DUID, either.
fn no_server_duid_yet() -> Result<(), Failed> {
    let fixture = fixture();
    remove_duid(&fixture);
    let mut lqd = Lqd::begin(&fixture.flags());
    await_waiting(&lqd, "kea-dhcp6-serverid");
    fs::write(fixture.directory().join("kea-dhcp6-serverid"), "00:03:00:01:02:00:5e:00:53:01")?;
    lqd.await_ready();
    await_lease(&Requestor::new(lqd.address), "01");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn remove_leases(fixture: &Fixture) {
    fs::remove_file(fixture.leases()).expect("it was there");
}

fn remove_duid(fixture: &Fixture) {
    // Without its DUID, the server's id comes from Kea's file.
    fixture.write_kea_config(&KEA_CONFIG.replace("\"server-id\"", "\"comment\""));
}

fn sigterm_while_waiting(break_it: fn(&Fixture)) -> Result<(), Failed> {
    let fixture = fixture();
    break_it(&fixture);
    let lqd = Lqd::begin(&fixture.flags());
    await_waiting(&lqd, "");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Leases of Kea's other files are served, with trouble shown, and the new current file is read when it
/// appears.
fn current_file_missing(suffix: &str) -> Result<(), Failed> {
    let fixture = fixture();
    fs::rename(fixture.leases(), fixture.directory().join(format!("kea-leases6.csv.{suffix}")))?;
    let checked = Lqd::run(&[vec!["check".to_owned()], fixture.flags()].concat());
    assert!(checked.code == Some(0) && checked.stdout.contains("is missing"), "{checked:?}");
    let socket = fixture.admin_socket();
    let flags =
        ["--max-feed-age".into(), "1".into(), "--when-stale".into(), "answer".into(), fixture.admin_flag()];
    let lqd = Lqd::start(&[fixture.flags(), flags.to_vec()].concat());
    assert!(lqd.line_with("the lease file is missing").is_some(), "{}", lqd.log());
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    // Leases of earlier files alone do not make a server ready.
    await_readyz(&socket, |ready| ready.status == 503);
    write_leases(&fixture);
    await_readyz(&socket, |ready| ready.status == 200);
    await_lease(&requestor, "30");
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

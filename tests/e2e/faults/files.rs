//! Faults of the lease file: removed, replaced, unreadable, on a full disk.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::cli::{
    assert_reply, await_reply, by_address, fixture, held_by, lease, no_binding, reply_if_any, unspec_fail,
};
use crate::lease_rows::kept_by_kea;
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::await_readyz;
use crate::support::lqd::PROGRAM;
use crate::support::{Fixture, Lqd, Requestor, Until};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        lease_file_removed,
        directory_in_place_of_lease_file,
        lease_file_without_read_permission needs Root,
        half_a_row_makes_lqd_not_ready,
        last_row_without_line_end_is_loaded needs KeaLfc,
        half_a_row_gets_no_no_binding;
        in namespace: full_disk_makes_one_bad_row,
    }
}

/// Checks the answer for a known lease.
fn assert_known(requestor: &Requestor) {
    assert_reply(requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
}

/// Replaces the lease file by one with a single lease, and waits until it is loaded.
fn come_back(fixture: &Fixture, requestor: &Requestor) {
    fixture.replace_leases(&lease("30", "30"));
    await_reply(requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    // The old leases are gone, so the whole file was loaded.
    assert_reply(requestor, &by_address(ADDRESS), &no_binding());
}

fn lease_file_removed() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    // Counted before, so that only lines about this change count.
    fs::remove_file(fixture.leases())?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("gone"));
    assert_known(&requestor);
    come_back(&fixture, &requestor);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

fn directory_in_place_of_lease_file() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    fs::remove_file(fixture.leases())?;
    // A folder can be opened, unlike a missing file.
    fs::create_dir(fixture.leases())?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv"));
    assert_known(&requestor);
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration"));
    assert_known(&requestor);
    fs::remove_dir(fixture.leases())?;
    come_back(&fixture, &requestor);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// An unprivileged lqd, as in production; Kea's new file is readable only by its owner.
fn lease_file_without_read_permission() -> Result<(), Failed> {
    const UNPRIVILEGED: &str = "65534";
    // The fixture's folder belongs to root, and lqd must get in.
    let fixture = fixture();
    fs::set_permissions(fixture.directory(), fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups", "--inh-caps=-all"]);
    command.arg(PROGRAM);
    let lqd = Lqd::start_by(command, &fixture.flags());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    let new = fixture.directory().join("new");
    fs::write(&new, format!("{LEASES_HEADER}\n"))?;
    // Set before the rename, so that lqd never finds the new file readable.
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, fixture.leases())?;
    lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("ermission denied"));
    assert_known(&requestor);
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration"));
    assert_known(&requestor);
    fs::set_permissions(fixture.leases(), fs::Permissions::from_mode(0o644))?;
    come_back(&fixture, &requestor);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kea writes half a row, and continues behind it once there is space: exactly one bad row, which is logged.
fn full_disk_makes_one_bad_row() -> Result<(), Failed> {
    let fixture = fixture();
    let small = fixture.directory().join("small");
    fs::create_dir(&small)?;
    // Small, so that filling it takes a moment.
    let _mounted = Mounted::tmpfs(&small, "64k")?;
    let leases = small.join("kea-leases6.csv");
    fs::copy(fixture.leases(), &leases)?;
    let kea_leases = ["--kea-leases".to_owned(), leases.display().to_string()];
    let lqd = Lqd::start(&[fixture.flags(), kea_leases.to_vec()].concat());
    let requestor = Requestor::new(lqd.address);

    let ballast = small.join("ballast");
    fill(&ballast)?;
    let row = fixture.rows(&lease("40", "40"));
    let mut kea = OpenOptions::new().append(true).open(&leases)?;
    // The file's last page has space left for some rows.
    let mut whole = 0_usize;
    let written = loop {
        let written = kea.write(row.as_bytes()).unwrap_or(0);
        if written < row.len() {
            // The write that is cut is the one to test.
            break written;
        }
        whole += 1;
        assert!(whole < 1_000, "the disk does not fill up");
    };
    assert!(written > 0, "a page's end within a row");
    // The half row makes its address uncertain, if the address is complete.
    let is_unreadable = row[..written].contains(',');
    let of_half = if is_unreadable { unspec_fail() } else { held_by("40", "2001:db8:1::40") };
    await_reply(&requestor, &by_address("2001:db8:1::40"), &of_half);
    assert_known(&requestor);

    let before = lqd.line_count();
    fs::remove_file(ballast)?;
    kea.write_all(fixture.rows(&(lease("41", "41") + "\n" + &lease("42", "42"))).as_bytes())?;
    // Header, the fixture's rows, the whole rows, the bad one.
    let line = (1 + 3 + whole + 1).to_string();
    lqd.await_line(before, |text| text.contains("skipped") && text.contains(&line));
    await_reply(&requestor, &by_address("2001:db8:1::42"), &held_by("42", "2001:db8:1::42"));
    // Known leases are answered whatever the disk does.
    assert_known(&requestor);
    // The next row was appended to the half row, so it is no row; but Kea has this lease.
    let of_second = if is_unreadable { unspec_fail() } else { no_binding() };
    assert_reply(&requestor, &by_address("2001:db8:1::41"), &of_second);
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A half row is an unknown lease: known leases are answered, and /readyz reports it until the row is
/// complete.
fn half_a_row_makes_lqd_not_ready() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.admin_socket();
    let admin = ["--max-feed-age".into(), "1".into(), fixture.admin_flag()];
    let lqd = Lqd::start(&[fixture.flags(), admin.to_vec()].concat());
    let requestor = Requestor::new(lqd.address);
    let readiness = |wanted: u16, why: &str| {
        await_readyz(&socket, |ready| ready.status == wanted && ready.body.contains(why));
    };
    // Ready at first, so that the change is one.
    readiness(200, "");
    let row = fixture.rows(&lease("30", "30"));
    let (half, rest) = row.split_at(40);
    let mut kea = OpenOptions::new().append(true).open(fixture.leases())?;
    kea.write_all(half.as_bytes())?;
    readiness(503, "last line has no end");
    assert_known(&requestor);
    kea.write_all(rest.as_bytes())?;
    readiness(200, "");
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by("30", "2001:db8:1::30"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Address of the last row of a file.
const LAST: &str = "2001:db8:1::30";

/// Kea loads a last row whose line does not end; so does lqd, which never answers "no binding" for it
/// meanwhile.
fn last_row_without_line_end_is_loaded() -> Result<(), Failed> {
    let fixture = fixture();
    let text = fixture.lease_file(&(lease("01", "01") + "\n" + &lease("30", "30")));
    let text = text.trim_end();
    // Kea itself is asked what it would load.
    assert_eq!(kept_by_kea(text.as_bytes())?, [ADDRESS, LAST].map(|kept| kept.parse().ok()));
    fixture.write_leases(text);
    let checked = Lqd::run(&[vec!["check".to_owned()], fixture.flags()].concat());
    assert!(checked.code == Some(0) && checked.stdout.contains("last line has no end"), "{checked:?}");
    let lqd = Lqd::start(&[fixture.flags(), vec!["--when-stale".into(), "answer".into()]].concat());
    let requestor = Requestor::new(lqd.address);
    let held_by_last = || {
        let until = Until::patience();
        loop {
            let reply = reply_if_any(&requestor, &by_address(LAST)).expect("misses are answered");
            if held_by("30", LAST).matches(&reply, &(0..=0)) {
                return;
            }
            // Until the row is taken, its holder is in doubt.
            assert!(unspec_fail().matches(&reply, &(0..=0)), "{reply:02x?}");
            assert!(until.pending(), "the row is not loaded");
        }
    };
    held_by_last();
    assert_known(&requestor);
    // The line ends, and the next row again has no end.
    fixture.append_leases("\n");
    fixture.append_leases(fixture.rows(&lease("31", "31")).trim_end());
    await_reply(&requestor, &by_address("2001:db8:1::31"), &held_by("31", "2001:db8:1::31"));
    held_by_last();

    let text = text.replace(LAST, "2001:db8:1::32");
    fixture.write_leases(&text);
    await_reply(&requestor, &by_address("2001:db8:1::32"), &held_by("30", "2001:db8:1::32"));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A half row gets no "no binding" for its address; without complete address and DUID, no miss gets "no
/// binding".
fn half_a_row_gets_no_no_binding() -> Result<(), Failed> {
    let fixture = fixture();
    let row = fixture.rows(&lease("30", "30"));
    let duid_end = LAST.len() + 1 + row[LAST.len() + 1..].find(',').ok_or("a row")?;
    // Cut before and after the comma of the address, before and after that of the DUID, and near the end.
    for len in [LAST.len(), LAST.len() + 1, duid_end, duid_end + 1, row.len() - 4] {
        fixture.write_leases(&format!(
            "{LEASES_HEADER}\n{}{}",
            fixture.rows(&lease("01", "01")),
            &row[..len]
        ));
        let lqd = Lqd::start(&[fixture.flags(), vec!["--when-stale".into(), "refuse".into()]].concat());
        let requestor = Requestor::new(lqd.address);
        lqd.await_line(0, |line| line.contains("last line has no end"));
        assert_reply(&requestor, &by_address(LAST), &unspec_fail());
        let other = by_address("2001:db8:1::99");
        // With client and address known, other misses are certain.
        if len > duid_end {
            await_reply(&requestor, &other, &no_binding());
        }
        let others = if len > duid_end { no_binding() } else { unspec_fail() };
        // Repeated, because the answer must not change while the row stays incomplete.
        for _ in 0..100 {
            assert_reply(&requestor, &by_address(LAST), &unspec_fail());
            assert_reply(&requestor, &other, &others);
            assert_known(&requestor);
        }
        fixture.append_leases(&row[len..]);
        await_reply(&requestor, &by_address(LAST), &held_by("30", LAST));
        await_reply(&requestor, &other, &no_binding());
        assert_eq!(lqd.stop(), 0);
    }
    Ok(())
}

/// Writes to a file until the disk is full.
fn fill(path: &Path) -> Result<(), Failed> {
    let mut file = File::create(path)?;
    for _ in 0..1_000 {
        // A disk that is full refuses even one page.
        if file.write(&[0; 4096]).is_err() {
            return Ok(());
        }
    }
    Err("the disk does not fill up".into())
}

/// A mount; drop unmounts it.
pub(super) struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn tmpfs(on: &'a Path, size: &str) -> Result<Self, Failed> {
        let options = format!("size={size}");
        // Mounted inside the namespace, so that it ends with the test.
        Self::mount(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "lqd-test"]).arg(on), on)
    }

    /// Mounts a file or folder at a second path.
    pub(super) fn bind(what: &Path, on: &'a Path) -> Result<Self, Failed> {
        Self::mount(Command::new("mount").arg("--bind").arg(what).arg(on), on)
    }

    fn mount(command: &mut Command, on: &'a Path) -> Result<Self, Failed> {
        if command.status()?.success() { Ok(Self(on)) } else { Err(format!("no {command:?}").into()) }
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Fails if still in use, after an earlier failure of the test.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

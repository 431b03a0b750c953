//! The lease file behind symbolic links and mounts: rotations and replaced links are followed, in the sandbox
//! too.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::cli::{assert_reply, await_lease, by_address, fixture, held_by, lease, no_binding};
use crate::support::http::{await_readyz, get_unix};
use crate::support::kea_lfc::{kea_lfc, with_suffix};
use crate::support::{Fixture, Lqd, Requestor};

use super::files::Mounted;

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        rotation_behind_a_link,
        kubernetes_data_link_replaced needs Sandbox,
        release_link_replaced needs Sandbox,
        kea_lfc_behind_links needs KeaLfc;
        in namespace: file_mounted_without_its_folder,
    }
}

fn flags(fixture: &Fixture, leases: &Path) -> Vec<String> {
    [fixture.flags(), vec!["--kea-leases".into(), leases.display().to_string()]].concat()
}

/// Writes a lease file with one lease.
fn write(fixture: &Fixture, path: &Path, number: &str) -> Result<(), Failed> {
    fs::create_dir_all(path.parent().ok_or("a path in a folder")?)?;
    Ok(fs::write(path, fixture.lease_file(&lease(number, number)))?)
}

/// Kea knows the link's target: the target's `.1` and `.2` hold leases, at start and after SIGHUP.
fn rotation_behind_a_link() -> Result<(), Failed> {
    let fixture = fixture();
    let link = fixture.directory().join("link/leases.csv");
    fs::create_dir(fixture.directory().join("link"))?;
    symlink(fixture.leases(), &link)?;
    let lqd = Lqd::start(&flags(&fixture, &link));
    let requestor = Requestor::new(lqd.address);
    // The current name moves away first, as in Kea.
    fs::rename(fixture.leases(), fixture.directory().join("kea-leases6.csv.1"))?;
    write(&fixture, &fixture.leases(), "30")?;
    await_lease(&requestor, "30");
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    fs::rename(fixture.directory().join("kea-leases6.csv.1"), fixture.directory().join("kea-leases6.csv.2"))?;
    assert_eq!(lqd.stop(), 0);

    let lqd = Lqd::start(&flags(&fixture, &link));
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    // Rewritten in place, which reloads everything.
    write(&fixture, &fixture.leases(), "31")?;
    // The earlier file's leases are part of every load.
    await_lease(&requestor, "31");
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kubernetes volumes: the path leads through ..data, which a rename replaces.
fn kubernetes_data_link_replaced() -> Result<(), Failed> {
    let fixture = fixture();
    let at = |name: &str| fixture.directory().join("volume").join(name);
    write(&fixture, &at("..1/leases.csv"), "30")?;
    symlink("..1", at("..data"))?;
    symlink("..data/leases.csv", at("leases.csv"))?;
    let sandbox = vec!["--sandbox".to_owned(), "on".to_owned()];
    let lqd = Lqd::start(&[flags(&fixture, &at("leases.csv")), sandbox].concat());
    let requestor = Requestor::new(lqd.address);
    await_lease(&requestor, "30");
    write(&fixture, &at("..2/leases.csv"), "31")?;
    symlink("..2", at("..tmp"))?;
    // One rename replaces the target of all links behind it.
    fs::rename(at("..tmp"), at("..data"))?;
    // The old folder goes as well, as kubelet does it.
    fs::remove_dir_all(at("..1"))?;
    await_lease(&requestor, "31");
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &no_binding());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A link to a release is removed and created again; Kea's configuration is behind it, too.
fn release_link_replaced() -> Result<(), Failed> {
    let fixture = fixture();
    let at = |name: &str| fixture.directory().join(name);
    for (release, number) in [("releases/1", "30"), ("releases/2", "31")] {
        write(&fixture, &at(release).join("leases.csv"), number)?;
        fs::copy(fixture.kea_config(), at(release).join("kea-dhcp6.conf"))?;
    }
    symlink("releases/1", at("current"))?;
    let config = at("current/kea-dhcp6.conf").display().to_string();
    let leases = at("current/leases.csv").display().to_string();
    let lqd = Lqd::start(&["--sandbox", "on", "--kea-config", &config, "--kea-leases", &leases]);
    let requestor = Requestor::new(lqd.address);
    await_lease(&requestor, "30");
    fs::remove_file(at("current"))?;
    symlink("releases/2", at("current"))?;
    await_lease(&requestor, "31");
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    await_lease(&requestor, "31");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Only the file is mounted, as in a container: Kea's cleanup leaves the mount with a deleted file.
fn file_mounted_without_its_folder() -> Result<(), Failed> {
    let fixture = fixture();
    let mounted = fixture.directory().join("mounted.csv");
    fs::write(&mounted, "")?;
    let _mount = Mounted::bind(&fixture.leases(), &mounted)?;
    let flags = flags(&fixture, &mounted);
    let checked = Lqd::run(&[vec!["check".to_owned()], flags.clone()].concat());
    // Said before the start, as a running server cannot fix it.
    assert!(checked.code == Some(0) && checked.stdout.contains("mounted by itself"), "{checked:?}");
    let socket = fixture.admin_socket();
    let admin = ["--max-feed-age".into(), "1".into(), fixture.admin_flag()];
    let lqd = Lqd::start(&[flags, admin.to_vec()].concat());
    assert!(lqd.line_with("mounted by itself").is_some());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    fs::remove_file(fixture.leases())?;
    write(&fixture, &fixture.leases(), "30")?;
    // The mount still shows the deleted file.
    lqd.await_line(before, |line| line.contains("mounted.csv") && line.contains("was deleted"));
    await_readyz(&socket, |ready| ready.status == 503);
    assert!(get_unix(&socket, "/readyz").body.contains("deleted"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kea knows the file by its own name, or by the link, which it then renames: kea-lfc loses no lease, neither
/// while lqd follows nor at a start.
fn kea_lfc_behind_links() -> Result<(), Failed> {
    for known in ["real/leases.csv", "links/leases.csv"] {
        let fixture = fixture();
        let at = |name: &str| fixture.directory().join(name);
        let known = at(known);
        fs::create_dir(at("real"))?;
        fs::create_dir(at("links"))?;
        fs::rename(fixture.leases(), at("real/leases.csv"))?;
        symlink(at("real/leases.csv"), at("links/leases.csv"))?;
        let flags = flags(&fixture, &at("links/leases.csv"));
        let lqd = Lqd::start(&flags);
        let requestor = Requestor::new(lqd.address);
        for number in ["30", "31"] {
            fs::rename(&known, with_suffix(&known, ".1"))?;
            write(&fixture, &known, number)?;
            await_lease(&requestor, number);
            clean_up(&known)?;
            // A server that starts now must find the same leases as one that follows.
            let again = Lqd::start(&flags);
            for requestor in [&requestor, &Requestor::new(again.address)] {
                assert_reply(requestor, &by_address(KNOWN), &held_by("01", KNOWN));
                await_lease(requestor, number);
            }
        }
        await_lease(&requestor, "30");
        assert_eq!(lqd.stop(), 0);
    }
    Ok(())
}

/// Cleans up the set of lease files whose current file has this name.
fn clean_up(current: &Path) -> Result<(), Failed> {
    // Kea's own program, so that the names are those of Kea.
    let done = kea_lfc(current)?;
    let cleaned = with_suffix(current, ".2").exists() && !with_suffix(current, ".1").exists();
    if done.status.success() && cleaned { Ok(()) } else { Err(format!("kea-lfc: {done:?}").into()) }
}

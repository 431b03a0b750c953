//! The lease file behind symbolic links and mounts: rotations and moved links are followed, in the sandbox too.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::cli::{assert_reply, await_reply, by_address, fixture, held_by, held_by_nobody, lease};
use crate::support::fixture::LEASES_HEADER;
use crate::support::http::get_unix;
use crate::support::namespace::namespace_trial;
use crate::support::{Fixture, Lqd, Need, Requestor, Until, trial};

use super::files::Mounted;

const KNOWN: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("faults::links::rotation_behind_a_link", rotation_behind_a_link),
        trial("faults::links::data_folder_replaced", &[Need::Sandbox], data_folder_replaced),
        trial("faults::links::release_replaced", &[Need::Sandbox], release_replaced),
        trial("faults::links::kea_lfc_behind_links", &[Need::KeaLfc], kea_lfc_behind_links),
        namespace_trial("faults::links::mounted_alone", &[], mounted_alone),
    ]
}

fn flags(fixture: &Fixture, leases: &Path) -> Vec<String> {
    [fixture.flags(), vec!["--kea-leases".into(), leases.display().to_string()]].concat()
}

/// Writes a lease file with one lease.
fn write(fixture: &Fixture, path: &Path, number: &str) -> Result<(), Failed> {
    fs::create_dir_all(path.parent().ok_or("a path in a folder")?)?;
    Ok(fs::write(path, format!("{LEASES_HEADER}\n{}", fixture.rows(&lease(number, number))))?)
}

fn assert_held(requestor: &Requestor, number: &str) {
    let address = format!("2001:db8:1::{number}");
    await_reply(requestor, &by_address(&address), &held_by(number, &address));
}

/// Kea's own name for the file is the target: its `.1` and `.2` hold leases, at a start as well as after SIGHUP.
fn rotation_behind_a_link() -> Result<(), Failed> {
    let fixture = fixture();
    let link = fixture.directory().join("link/leases.csv");
    fs::create_dir(fixture.directory().join("link"))?;
    symlink(fixture.leases(), &link)?;
    let lqd = Lqd::start(&flags(&fixture, &link));
    let requestor = Requestor::new(lqd.address);
    fs::rename(fixture.leases(), fixture.directory().join("kea-leases6.csv.1"))?;
    write(&fixture, &fixture.leases(), "30")?;
    assert_held(&requestor, "30");
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    fs::rename(fixture.directory().join("kea-leases6.csv.1"), fixture.directory().join("kea-leases6.csv.2"))?;
    assert_eq!(lqd.stop(), 0);

    let lqd = Lqd::start(&flags(&fixture, &link));
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    // Written anew in its place, so that all is loaded again.
    write(&fixture, &fixture.leases(), "31")?;
    assert_held(&requestor, "31");
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kubernetes: the file leads through ..data, which is replaced by a rename.
fn data_folder_replaced() -> Result<(), Failed> {
    let fixture = fixture();
    let at = |name: &str| fixture.directory().join("volume").join(name);
    write(&fixture, &at("..1/leases.csv"), "30")?;
    symlink("..1", at("..data"))?;
    symlink("..data/leases.csv", at("leases.csv"))?;
    let sandbox = vec!["--sandbox".to_owned(), "on".to_owned()];
    let lqd = Lqd::start(&[flags(&fixture, &at("leases.csv")), sandbox].concat());
    let requestor = Requestor::new(lqd.address);
    assert_held(&requestor, "30");
    write(&fixture, &at("..2/leases.csv"), "31")?;
    symlink("..2", at("..tmp"))?;
    fs::rename(at("..tmp"), at("..data"))?;
    fs::remove_dir_all(at("..1"))?;
    assert_held(&requestor, "31");
    assert_reply(&requestor, &by_address("2001:db8:1::30"), &held_by_nobody());
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A link to a release, removed and made anew; Kea's configuration is behind it, too.
fn release_replaced() -> Result<(), Failed> {
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
    assert_held(&requestor, "30");
    fs::remove_file(at("current"))?;
    symlink("releases/2", at("current"))?;
    assert_held(&requestor, "31");
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration read again"));
    assert_held(&requestor, "31");
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Only the file is mounted into lqd's place, as in a container: Kea's clean-up leaves it with a deleted one.
fn mounted_alone() -> Result<(), Failed> {
    let fixture = fixture();
    let mounted = fixture.directory().join("mounted.csv");
    fs::write(&mounted, "")?;
    let _mount = Mounted::bind(&fixture.leases(), &mounted)?;
    let flags = flags(&fixture, &mounted);
    let checked = Lqd::run(&[vec!["check".to_owned()], flags.clone()].concat());
    assert!(checked.code == Some(0) && checked.stdout.contains("mounted by itself"), "{checked:?}");
    let socket = fixture.directory().join("admin.sock");
    let admin = ["--max-feed-age".into(), "1".into(), "--admin".into(), format!("unix:{}", socket.display())];
    let lqd = Lqd::start(&[flags, admin.to_vec()].concat());
    assert!(lqd.line_with("mounted by itself").is_some());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    fs::remove_file(fixture.leases())?;
    write(&fixture, &fixture.leases(), "30")?;
    lqd.await_line(before, |line| line.contains("mounted.csv") && line.contains("was deleted"));
    let until = Until::patience();
    while get_unix(&socket, "/readyz").status != 503 {
        assert!(until.pending(), "/readyz says ready over a deleted file");
    }
    assert!(get_unix(&socket, "/readyz").body.contains("deleted"));
    assert_reply(&requestor, &by_address(KNOWN), &held_by("01", KNOWN));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// Kea knows the file by its own name, or by the link, which it then renames: no lease is lost, as kea-lfc handles them,
/// whether lqd follows or starts.
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
            assert_held(&requestor, number);
            kea_lfc(&known)?;
            let again = Lqd::start(&flags);
            for requestor in [&requestor, &Requestor::new(again.address)] {
                assert_reply(requestor, &by_address(KNOWN), &held_by("01", KNOWN));
                assert_held(requestor, number);
            }
        }
        assert_held(&requestor, "30");
        assert_eq!(lqd.stop(), 0);
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Kea's lease file clean-up of the set whose current file has this name.
fn kea_lfc(current: &Path) -> Result<(), Failed> {
    let mut command = Command::new("kea-lfc");
    command.args(["-6", "-c", "unused"]);
    for (flag, suffix) in
        [("-x", ".2"), ("-i", ".1"), ("-o", ".output"), ("-f", ".completed"), ("-p", ".pid")]
    {
        command.arg(flag).arg(with_suffix(current, suffix));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = current.parent().ok_or("a path in a folder")?;
    command.env("PATH", format!("{path}:/usr/sbin")).env("KEA_LOCKFILE_DIR", folder);
    let done = command.stdin(Stdio::null()).output()?;
    let cleaned = with_suffix(current, ".2").exists() && !with_suffix(current, ".1").exists();
    if done.status.success() && cleaned { Ok(()) } else { Err(format!("kea-lfc: {done:?}").into()) }
}

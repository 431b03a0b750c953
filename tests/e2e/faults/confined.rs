//! Files denied by the sandbox: the message names the sandbox, and does not suggest to change file
//! permissions.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::cli::{KEA_CONFIG, assert_reply, by_address, fixture, held_by};
use crate::support::http::await_readyz;
use crate::support::{Fixture, Lqd, Need, Requestor, trial};

const KNOWN: &str = "2001:db8:1::1";

/// Change of a running server's files; the path is a folder outside the sandbox.
type Change = fn(&Fixture, &Path) -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let reloads: [(&str, &str, Change); 6] = [
        ("include_elsewhere", "include.json", include_elsewhere),
        ("config_link_moved", "kea-dhcp6.conf", config_link_moved),
        ("config_folder_replaced", "kea-dhcp6.conf", config_folder_replaced),
        ("settings_link_moved", "lqd.toml", settings_link_moved),
        ("server_duid_elsewhere", "kea-dhcp6-serverid", server_duid_elsewhere),
        ("query_log_elsewhere", "queries.log", query_log_elsewhere),
    ];
    let follows: [(&str, Change); 2] =
        [("lease_link_moved", lease_link_moved), ("lease_folder_replaced", lease_folder_replaced)];
    let reload = |(name, file, change)| {
        trial(format!("faults::confined::{name}"), &[Need::Sandbox], move || reload(file, change))
    };
    let follow =
        |(name, change)| trial(format!("faults::confined::{name}"), &[Need::Sandbox], move || follow(change));
    reloads.into_iter().map(reload).chain(follows.into_iter().map(follow)).collect()
}

/// Starts a sandboxed server whose files are in separate folders, so that no file admits another one.
fn start(fixture: &Fixture) -> Result<Lqd, Failed> {
    let at = |name: &str| fixture.directory().join(name);
    // Folders of their own, so that admitting one admits no other.
    for folder in ["settings", "kea", "real", "leases", "links", "admin"] {
        fs::create_dir(at(folder))?;
    }
    let leases = at("leases/kea-leases6.csv");
    fs::rename(fixture.leases(), &leases)?;
    symlink(&leases, at("links/kea-leases6.csv"))?;
    fs::write(at("real/kea-dhcp6.conf"), KEA_CONFIG.replace("@LEASES@", &leases.display().to_string()))?;
    symlink(at("real/kea-dhcp6.conf"), at("kea/kea-dhcp6.conf"))?;
    fs::write(at("real/lqd.toml"), settings(fixture))?;
    symlink(at("real/lqd.toml"), at("settings/lqd.toml"))?;
    let config = at("settings/lqd.toml").display().to_string();
    let admin = format!("unix:{}", at("admin/admin.sock").display());
    // Short ages, so that trouble shows within the test.
    Ok(Lqd::start(&["--sandbox", "on", "--config", &config, "--admin", &admin, "--max-feed-age", "1"]))
}

fn settings(fixture: &Fixture) -> String {
    let at = |name: &str| fixture.directory().join(name).display().to_string();
    format!("kea-config = '{}'\nkea-leases = '{}'\n", at("kea/kea-dhcp6.conf"), at("links/kea-leases6.csv"))
}

/// The reload is rejected, with the file and the sandbox named.
fn reload(file: &str, change: Change) -> Result<(), Failed> {
    let (fixture, elsewhere) = (fixture(), tempfile::tempdir()?);
    let lqd = start(&fixture)?;
    change(&fixture, elsewhere.path())?;
    let before = lqd.line_count();
    lqd.signal("HUP");
    let line = lqd.await_line(before, |line| line.contains("configuration"));
    // The line must name the file, as the operator knows only that.
    let is_named = line.contains("configuration rejected") && line.contains(file) && line.contains("sandbox");
    assert!(is_named && line.contains("restart lqd"), "{line}");
    // Advice about rights would lead the operator astray.
    assert!(!line.contains("in the group") && !line.contains("let lqd read"), "{line}");
    assert_reply(&Requestor::new(lqd.address), &by_address(KNOWN), &held_by("01", KNOWN));
    Ok(())
}

/// The lease file is no longer read; log and /readyz name the sandbox.
fn follow(change: Change) -> Result<(), Failed> {
    let (fixture, elsewhere) = (fixture(), tempfile::tempdir()?);
    let lqd = start(&fixture)?;
    let before = lqd.line_count();
    change(&fixture, elsewhere.path())?;
    let line = lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("sandbox"));
    assert!(line.contains("restart lqd") && !line.contains("give lqd's user"), "{line}");
    let socket = fixture.directory().join("admin/admin.sock");
    await_readyz(&socket, |ready| ready.body.contains("sandbox"));
    assert_reply(&Requestor::new(lqd.address), &by_address(KNOWN), &held_by("01", KNOWN));
    Ok(())
}

/// Replaces a link.
fn relink(target: &Path, link: &Path) -> Result<(), Failed> {
    let new = link.with_extension("new");
    // Created beside and renamed, so that the name is never missing.
    symlink(target, &new)?;
    Ok(fs::rename(new, link)?)
}

fn include_elsewhere(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    let include = elsewhere.join("include.json");
    fs::write(&include, "[]")?;
    let config = fixture.directory().join("real/kea-dhcp6.conf");
    let option =
        format!("\"server-id\": {{ \"comment\": <?include \"{}\"?> }}, \"comment\"", include.display());
    let text = fs::read_to_string(&config)?.replacen("\"server-id\"", &option, 1);
    Ok(fs::write(config, text)?)
}

fn config_link_moved(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    let new = elsewhere.join("kea-dhcp6.conf");
    fs::copy(fixture.directory().join("real/kea-dhcp6.conf"), &new)?;
    relink(&new, &fixture.directory().join("kea/kea-dhcp6.conf"))
}

fn config_folder_replaced(fixture: &Fixture, _: &Path) -> Result<(), Failed> {
    replace_folder(&fixture.directory().join("kea"), "kea-dhcp6.conf")
}

/// Replaces a folder by another one of the same name, with a copy of its file.
fn replace_folder(folder: &Path, file: &str) -> Result<(), Failed> {
    // The old folder stays, as its inode must not be used again.
    let old = folder.with_extension("old");
    fs::rename(folder, &old)?;
    fs::create_dir(folder)?;
    fs::copy(old.join(file), folder.join(file))?;
    Ok(())
}

fn settings_link_moved(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    let new = elsewhere.join("lqd.toml");
    fs::copy(fixture.directory().join("real/lqd.toml"), &new)?;
    relink(&new, &fixture.directory().join("settings/lqd.toml"))
}

fn server_duid_elsewhere(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    fs::write(elsewhere.join("kea-dhcp6-serverid"), "00:03:00:01:02:00:5e:00:53:01")?;
    let config = fixture.directory().join("real/kea-dhcp6.conf");
    let folder = format!("\"data-directory\": \"{}\", \"comment\"", elsewhere.display());
    let text = fs::read_to_string(&config)?.replacen("\"server-id\"", &folder, 1);
    Ok(fs::write(config, text)?)
}

fn query_log_elsewhere(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    let text = format!("{}query-log = '{}'\n", settings(fixture), elsewhere.join("queries.log").display());
    Ok(fs::write(fixture.directory().join("real/lqd.toml"), text)?)
}

fn lease_link_moved(fixture: &Fixture, elsewhere: &Path) -> Result<(), Failed> {
    let new = elsewhere.join("kea-leases6.csv");
    fs::copy(fixture.directory().join("leases/kea-leases6.csv"), &new)?;
    relink(&new, &fixture.directory().join("links/kea-leases6.csv"))
}

fn lease_folder_replaced(fixture: &Fixture, _: &Path) -> Result<(), Failed> {
    replace_folder(&fixture.directory().join("leases"), "kea-leases6.csv")
}

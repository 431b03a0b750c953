//! Files that the sandbox denies: whoever reads of it is told of the sandbox, and not to change the rights of a file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::cli::{KEA_CONFIG, assert_reply, by_address, fixture, held_by};
use crate::support::http::get_unix;
use crate::support::{Fixture, Lqd, Need, Requestor, Until, trial};

const KNOWN: &str = "2001:db8:1::1";

/// What is done to a running server's files; the folder beside the fixture is out of reach.
type Deed = fn(&Fixture, &Path) -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let reloads: [(&str, &str, Deed); 6] = [
        ("include_elsewhere", "include.json", include_elsewhere),
        ("config_link_moved", "kea-dhcp6.conf", config_link_moved),
        ("config_folder_made_anew", "kea-dhcp6.conf", config_folder_made_anew),
        ("settings_link_moved", "lqd.toml", settings_link_moved),
        ("server_duid_elsewhere", "kea-dhcp6-serverid", server_duid_elsewhere),
        ("query_log_elsewhere", "queries.log", query_log_elsewhere),
    ];
    let follows: [(&str, Deed); 2] =
        [("lease_link_moved", lease_link_moved), ("lease_folder_made_anew", lease_folder_made_anew)];
    let reload = |(name, file, deed)| {
        trial(format!("faults::confined::{name}"), &[Need::Sandbox], move || reload(file, deed))
    };
    let follow =
        |(name, deed)| trial(format!("faults::confined::{name}"), &[Need::Sandbox], move || follow(deed));
    reloads.into_iter().map(reload).chain(follows.into_iter().map(follow)).collect()
}

/// A sandboxed server whose files are in folders of their own, so that none is in reach by another one's.
fn start(fixture: &Fixture) -> Result<Lqd, Failed> {
    let at = |name: &str| fixture.directory().join(name);
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
    Ok(Lqd::start(&["--sandbox", "on", "--config", &config, "--admin", &admin, "--max-feed-age", "1"]))
}

fn settings(fixture: &Fixture) -> String {
    let at = |name: &str| fixture.directory().join(name).display().to_string();
    format!("kea-config = '{}'\nkea-leases = '{}'\n", at("kea/kea-dhcp6.conf"), at("links/kea-leases6.csv"))
}

/// The configuration is refused, with the file and the sandbox named.
fn reload(file: &str, deed: Deed) -> Result<(), Failed> {
    let (fixture, elsewhere) = (fixture(), tempfile::tempdir()?);
    let lqd = start(&fixture)?;
    deed(&fixture, elsewhere.path())?;
    let before = lqd.line_count();
    lqd.signal("HUP");
    let line = lqd.await_line(before, |line| line.contains("configuration"));
    let told = line.contains("not taken over") && line.contains(file) && line.contains("sandbox");
    assert!(told && line.contains("restart lqd"), "{line}");
    assert!(!line.contains("in the group") && !line.contains("let lqd read"), "{line}");
    assert_reply(&Requestor::new(lqd.address), &by_address(KNOWN), &held_by("01", KNOWN));
    Ok(())
}

/// The lease file is no longer read, and log and /readyz name the sandbox.
fn follow(deed: Deed) -> Result<(), Failed> {
    let (fixture, elsewhere) = (fixture(), tempfile::tempdir()?);
    let lqd = start(&fixture)?;
    let before = lqd.line_count();
    deed(&fixture, elsewhere.path())?;
    let line = lqd.await_line(before, |line| line.contains("kea-leases6.csv") && line.contains("sandbox"));
    assert!(line.contains("restart lqd") && !line.contains("give lqd's user"), "{line}");
    let until = Until::patience();
    let socket = fixture.directory().join("admin/admin.sock");
    while !get_unix(&socket, "/readyz").body.contains("sandbox") {
        assert!(until.pending(), "/readyz says {}", get_unix(&socket, "/readyz").body);
    }
    assert_reply(&Requestor::new(lqd.address), &by_address(KNOWN), &held_by("01", KNOWN));
    Ok(())
}

/// Replaces a link.
fn relink(target: &Path, link: &Path) -> Result<(), Failed> {
    let new = link.with_extension("new");
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

fn config_folder_made_anew(fixture: &Fixture, _: &Path) -> Result<(), Failed> {
    make_anew(&fixture.directory().join("kea"), "kea-dhcp6.conf")
}

/// Another folder of the same name, with a copy of its file.
fn make_anew(folder: &Path, file: &str) -> Result<(), Failed> {
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

fn lease_folder_made_anew(fixture: &Fixture, _: &Path) -> Result<(), Failed> {
    make_anew(&fixture.directory().join("leases"), "kea-leases6.csv")
}

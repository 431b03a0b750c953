//! The files of deploy/ agree with each other and with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lines of a unit that say something, without the section that says when to start it.
fn settings(unit: &str) -> BTreeSet<String> {
    let text = read(unit);
    let before_install = text.split("[Install]").next().unwrap_or_default();
    let lines = before_install.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_stand_in_is_the_service_under_another_name() {
    let (service, stand_in) = (settings("deploy/lqd.service"), settings("deploy/lqd-standin.service"));
    let own_keys = ["Description=", "RuntimeDirectory=", "ExecStart="];
    let own = |line: &String| !own_keys.iter().any(|key| line.starts_with(key));
    let differs: Vec<_> = service.symmetric_difference(&stand_in).filter(|line| own(line)).collect();
    assert!(differs.is_empty(), "make both units alike: {differs:?}");
    let start = |unit: &BTreeSet<String>| unit.iter().find(|line| line.starts_with("ExecStart=")).cloned();
    let admin = " --admin unix:/run/lqd-standin/admin.sock";
    let wanted = start(&service).map(|start| start + admin);
    assert_eq!(start(&stand_in), wanted, "both answer at once, so each has an admin port of its own");
}

/// What the program allows itself, its container must allow, too.
#[test]
fn the_container_allows_the_system_calls_that_lqd_allows_itself() {
    let profile: Value = serde_json::from_str(&read("deploy/container/seccomp.json")).expect("JSON");
    let rows = profile["syscalls"].as_array().expect("rows");
    let names = rows.iter().flat_map(|row| row["names"].as_array().expect("names"));
    let allowed: BTreeSet<&str> = names.map(|name| name.as_str().expect("a name")).collect();
    let source = read("crates/lqd/security/seccomp.rs");
    let listed = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().split("SYS_").skip(1);
    let word =
        |text: &str| text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().map(str::to_owned);
    let listed: BTreeSet<String> = listed.filter_map(word).collect();
    assert!(listed.len() > 50, "the list was found");
    let missing: Vec<_> = listed.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "add to deploy/container/seccomp.json: {missing:?}");
    let at_start = ["execve", "bind", "io_uring_setup", "landlock_restrict_self", "seccomp", "capset"];
    assert!(at_start.iter().all(|name| allowed.contains(name)), "what lqd calls before it is in its sandbox");
}

#[test]
fn every_file_of_the_packages_is_there() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let packages = [deb, &deb["variants"]["tools"]];
    for asset in packages.iter().flat_map(|package| package["assets"].as_array().expect("a list")) {
        let source = asset[0].as_str().expect("a path");
        let made_by_the_build = source.starts_with("target/");
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(source).is_file();
        assert!(made_by_the_build || there, "{source} is in no folder");
    }
}

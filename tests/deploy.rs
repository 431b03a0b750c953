//! Checks that the files of deploy/ agree with each other and with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the settings of a unit: its lines before the section `[Install]`, without comments.
fn settings(unit: &str) -> BTreeSet<String> {
    let text = read(unit);
    let before_install = text.split("[Install]").next().unwrap_or_default();
    let lines = before_install.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn standby_unit_differs_from_service_in_name_and_admin_port_only() {
    let (service, standby) = (settings("deploy/lqd.service"), settings("deploy/lqd-standby.service"));
    let own_keys = ["Description=", "RuntimeDirectory=", "ExecStart="];
    let is_shared = |line: &String| !own_keys.iter().any(|key| line.starts_with(key));
    let differs: Vec<_> = service.symmetric_difference(&standby).filter(|line| is_shared(line)).collect();
    assert!(differs.is_empty(), "make both units alike: {differs:?}");
    let start = |unit: &BTreeSet<String>| unit.iter().find(|line| line.starts_with("ExecStart=")).cloned();
    let admin = " --admin unix:/run/lqd-standby/admin.sock";
    let wanted = start(&service).map(|start| start + admin);
    // Both units run at once during lqd-restart.
    assert_eq!(start(&standby), wanted, "the standby needs an admin port of its own");
}

#[test]
fn container_profile_allows_every_system_call_of_the_sandbox() {
    let profile: Value = serde_json::from_str(&read("deploy/container/seccomp.json")).expect("JSON");
    let rules = profile["syscalls"].as_array().expect("rules");
    let names = rules.iter().flat_map(|rule| rule["names"].as_array().expect("names"));
    let allowed: BTreeSet<&str> = names.map(|name| name.as_str().expect("a name")).collect();
    let source = read("crates/lqd/security/seccomp.rs");
    let listed = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().split("SYS_").skip(1);
    let word =
        |text: &str| text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().map(str::to_owned);
    let listed: BTreeSet<String> = listed.filter_map(word).collect();
    assert!(listed.len() > 50, "sandbox/seccomp.rs lists system calls as `SYS_…`");
    let missing: Vec<_> = listed.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "add to deploy/container/seccomp.json: {missing:?}");
    let before_sandbox = ["execve", "bind", "io_uring_setup", "landlock_restrict_self", "seccomp", "capset"];
    assert!(before_sandbox.iter().all(|name| allowed.contains(name)), "lqd calls these during start-up");
}

#[test]
fn package_assets_exist() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let packages = [deb, &deb["variants"]["tools"]];
    for asset in packages.iter().flat_map(|package| package["assets"].as_array().expect("a list")) {
        let source = asset[0].as_str().expect("a path");
        let is_build_output = source.starts_with("target/");
        let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(source).is_file();
        assert!(is_build_output || exists, "{source} does not exist");
    }
}

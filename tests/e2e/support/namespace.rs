//! Trials that run in a network namespace of their own.
//!
//! Ports below 1024 and addresses on `lo` must not collide with the host's or another test's. Entering a
//! namespace within this process needs `setns`, thus unsafe code and a thread that never leaves. Instead
//! `unshare` starts this test binary again for the one trial. The namespace ends with its last process, and
//! the process namespace beside it kills the processes that a failing trial leaves behind.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::need::{Need, trial};

const INSIDE: &str = "LQD_TESTS_NAMESPACE";

/// Returns a trial that runs in its own network namespace, with only `lo`, which is up.
pub fn namespace_trial(
    name: impl Into<String>,
    needs: &[Need],
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let needs = [&[Need::Root, Need::Namespaces], needs].concat();
    if std::env::var_os(INSIDE).is_some() {
        return trial(name, &needs, run);
    }
    let own_name = name.clone();
    trial(name, &needs, move || run_inside(&own_name))
}

/// Runs `ip` with these arguments.
///
/// # Errors
/// Its exit status is not 0.
pub fn ip(arguments: &[&str]) -> Result<(), Failed> {
    let status = Command::new("ip").args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(format!("ip {}: {status}", arguments.join(" ")).into()) }
}

/// Adds an address with its prefix length to an interface, without duplicate address detection.
///
/// # Errors
/// As [`ip`].
pub fn add_address(address: &str, interface: &str) -> Result<(), Failed> {
    ip(&["-6", "address", "add", address, "dev", interface, "nodad"])
}

fn run_inside(name: &str) -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let output = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", r#"ip link set lo up && exec "$@""#, "sh"])
        .arg(program)
        .args(["--exact", name, "--test-threads", "1"])
        .env(INSIDE, "1")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("in its namespace, {}:\n{stdout}{stderr}", output.status).into())
}

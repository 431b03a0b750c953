//! Runs a trial again in a network namespace of its own.
//!
//! Ports below 1024 and addresses on `lo` must not collide with the host's or another test's. Entering a namespace
//! in this process needs `setns`, thus unsafe code and a thread that never leaves; starting the same test binary
//! anew under `unshare` needs neither, and the namespace ends with its last process whatever happens. The process
//! namespace beside it takes along anything that a failing trial left behind.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::need::{Need, trial};

const INSIDE: &str = "LQD_TESTS_NAMESPACE";

/// A trial that runs in its own network namespace, in which only `lo` exists and is up.
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

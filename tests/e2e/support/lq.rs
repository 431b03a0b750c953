//! `lq` as a process, built on first use because it belongs to another package than these tests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::lqd::{Ended, Lqd, PROGRAM};

/// DUID of the requestor in all tests, so that no run stores a DUID in the user's home.
pub const OWN_DUID: &str = "00:03:00:01:02:00:5e:00:53:aa";

/// Returns the path of `lq`, in the same profile and directory as `lqd`; builds it on first use.
///
/// # Panics
/// If it cannot be built.
pub fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = Path::new(PROGRAM).parent().expect("it lies in a directory");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "-p", "lqd-requestor", "--bin", "lq"]);
        cargo.arg("--target-dir").arg(directory.parent().expect("the directory of the profile"));
        if directory.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
        assert!(output.status.success(), "building lq: {}", String::from_utf8_lossy(&output.stderr));
        directory.join("lq")
    })
}

/// Returns the command `lq` with these arguments and the tests' DUID, for [`Lqd::run_command`].
pub fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(program());
    command.env_remove("LQ_SERVER").env("NO_COLOR", "1").args(["--own-duid", OWN_DUID]).args(arguments);
    command
}

/// Runs `lq` until it exits.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ended {
    Lqd::run_command(command(arguments))
}

/// Runs `lq --json` until it exits, and returns its output, with standard error in `stderr`.
///
/// # Panics
/// If it does not print JSON, or `exit_status` is not its exit code.
pub fn json<S: AsRef<OsStr>>(arguments: &[S]) -> Value {
    let mut command = command(arguments);
    let ended = Lqd::run_command({
        command.arg("--json");
        command
    });
    let mut document: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error} in {ended:?}"));
    assert_eq!(document["exit_status"], Value::from(ended.code), "{ended:?}");
    document["stderr"] = Value::from(ended.stderr);
    document
}

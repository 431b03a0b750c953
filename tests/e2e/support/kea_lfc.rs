//! Kea's lease file cleanup as a process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs `kea-lfc` on the set of lease files whose current file is `current`: it merges `.1` and `.2` into
/// `.2`.
///
/// # Errors
/// It cannot be run; a failed run is in the output's status.
pub fn kea_lfc(current: &Path) -> io::Result<Output> {
    let mut command = Command::new("kea-lfc");
    command.args(["-6", "-c", "unused"]);
    for (flag, suffix) in
        [("-x", ".2"), ("-i", ".1"), ("-o", ".output"), ("-f", ".completed"), ("-p", ".pid")]
    {
        command.arg(flag).arg(with_suffix(current, suffix));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    // Debian installs it in /usr/sbin, which an ordinary user's PATH lacks.
    command.env("PATH", format!("{path}:/usr/sbin"));
    command.env("KEA_LOCKFILE_DIR", current.parent().unwrap_or(Path::new(".")));
    command.stdin(Stdio::null()).output()
}

/// Appends a suffix to the file name of a path.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

//! Needs of a test beyond a kernel and the build, checked at run time; the report names a missing one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

/// A program, right or feature that a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// User id 0.
    Root,
    /// `unshare` and `ip`, allowed to make a network namespace.
    Namespaces,
    /// `kea-dhcp6` and `perfdhcp`.
    Kea,
    /// `kea-lfc`.
    KeaLfc,
    /// Kea's example configurations, which come with Debian's package kea-doc.
    KeaExamples,
    /// `tshark`.
    Tshark,
    /// A kernel that permits `io_uring`.
    IoUring,
    /// `perl`, for its `fcntl`, which can hold files.
    Perl,
    /// A kernel with landlock and seccomp.
    Sandbox,
    /// `strace`, allowed to trace.
    Strace,
    /// libfaketime.
    Faketime,
    /// Chromium, a browser that runs headless.
    Chromium,
    /// `python3` with its module ssl, and `openssl`.
    Python,
    /// `promtool`, which comes with Prometheus.
    Promtool,
    /// CPUs 0 and 1, and Linux 6.2, which selects by SO_INCOMING_CPU among sockets that share an address.
    SteeringInGroups,
}

/// Values of `--io`, with the needs of each back end.
pub const BACK_ENDS: [(&str, &[Need]); 2] = [("uring", &[Need::IoUring]), ("mmsg", &[])];

impl Need {
    /// Returns the name of the missing thing; `None` if it is present.
    pub fn missing(self) -> Option<&'static str> {
        let (there, name) = match self {
            Self::Root => (is_root(), "root"),
            Self::Namespaces => {
                (is_root() && found("unshare") && found("ip") && unshares(), "network namespaces")
            }
            Self::Kea => (found("kea-dhcp6") && found("perfdhcp"), "kea-dhcp6 and perfdhcp"),
            Self::KeaLfc => (found("kea-lfc"), "kea-lfc (package kea-common)"),
            Self::KeaExamples => {
                let there = Path::new(crate::kea_config::EXAMPLES).is_dir();
                (there, "Kea's examples (package kea-doc, with path-include=/usr/share/doc/kea/*)")
            }
            Self::Tshark => (found("tshark"), "tshark"),
            Self::IoUring => (io_uring_enabled(), "io_uring"),
            Self::Perl => (found("perl"), "perl"),
            Self::Sandbox => (sandbox_works(), "landlock and seccomp"),
            Self::Strace => {
                (found("strace") && is_root(), "strace, and root to trace a process that drops privileges")
            }
            Self::Faketime => (Self::faketime_library().is_some(), "libfaketime (package faketime)"),
            Self::Chromium => (chromium().is_some(), "chromium"),
            Self::Python => (found("python3") && found("openssl"), "python3 and openssl"),
            Self::Promtool => (found("promtool"), "promtool"),
            Self::SteeringInGroups => (steers_in_groups(), "CPUs 0 and 1 on Linux 6.2 or newer"),
        };
        (!there).then_some(name)
    }

    /// Finds libfaketime where Debian installs it.
    pub fn faketime_library() -> Option<PathBuf> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file())
    }
}

/// Returns a trial with these needs; ignored, with the missing thing as its kind, unless
/// `LQD_TESTS_MUST_RUN=1`.
pub fn trial(
    name: impl Into<String>,
    needs: &[Need],
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let Some(missing) = needs.iter().find_map(|need| need.missing()) else {
        return Trial::test(name, run);
    };
    let refuse = move || Err(Failed::from(format!("this machine lacks {missing}")));
    Trial::test(name, refuse).with_kind(format!("needs {missing}")).with_ignored_flag(!must_run())
}

/// Makes trials named after their functions, which stand in the calling module.
///
/// `tests! { a, b needs Kea; in namespace: c needs Strace }` in module `x::y` gives `x::y::a`, `x::y::b` and
/// `x::y::c`, the last one in a network namespace of its own.
macro_rules! tests {
    ($($test:ident $(needs $($need:ident)+)?),* $(,)?
     $(; in namespace: $($inside:ident $(needs $($lack:ident)+)?),+ $(,)?)?) => {
        vec![
            $($crate::support::need::trial(
                $crate::support::need::test_name(module_path!(), stringify!($test)),
                &[$($($crate::support::Need::$need),+)?],
                $test,
            ),)*
            $($($crate::support::namespace::namespace_trial(
                $crate::support::need::test_name(module_path!(), stringify!($inside)),
                &[$($($crate::support::Need::$lack),+)?],
                $inside,
            ),)+)?
        ]
    };
}

/// Returns the name of the test `function` in `module`, without the name of this binary.
pub fn test_name(module: &str, function: &str) -> String {
    let (_binary, module) = module.split_once("::").unwrap_or_default();
    format!("{module}::{function}")
}

/// Fails unless there are no failures.
///
/// # Errors
/// All failures, one a line.
pub fn all_passed(failures: &[String]) -> Result<(), Failed> {
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// Returns whether `LQD_TESTS_MUST_RUN=1` turns missing needs into failures.
fn must_run() -> bool {
    std::env::var_os("LQD_TESTS_MUST_RUN").is_some_and(|value| value == "1")
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0") // real, effective, saved, file system
}

/// Returns the browser's program name, Debian's first.
pub fn chromium() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| found(program))
}

/// Returns whether `PATH`, or Debian's directories for the administrator, have this program.
fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").into(), Path::new("/sbin").into()])
        .any(|directory| directory.join(program).is_file())
}

fn unshares() -> bool {
    let status = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns whether the kernel has seccomp and landlock; if only a part is missing, lqd's own error names it.
fn sandbox_works() -> bool {
    fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")
        .is_ok_and(|actions| actions.contains("errno"))
        && fs::read_to_string("/sys/kernel/security/lsm")
            .map_or_else(|_| landlock_is_there(), |modules| modules.contains("landlock"))
}

/// Looks for landlock among the kernel's functions, for hosts that do not mount securityfs.
fn landlock_is_there() -> bool {
    fs::read_to_string("/proc/kallsyms").is_ok_and(|functions| functions.contains("landlock_restrict_self"))
}

fn steers_in_groups() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    (parts.next(), parts.next()) >= (Some(6), Some(2))
        && [0, 1].iter().all(|cpu| cpus.iter().any(|found| found.id == *cpu))
}

/// Returns whether io_uring is enabled; kernels before 6.6 have no switch, and a seccomp profile shows in
/// lqd's error.
fn io_uring_enabled() -> bool {
    match fs::read_to_string("/proc/sys/kernel/io_uring_disabled") {
        Ok(value) => value.trim() == "0" || (value.trim() == "1" && is_root()),
        Err(_) => true,
    }
}

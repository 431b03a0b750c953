//! What a test needs beyond a kernel and the build: found out at run time, named in the report when missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

/// Something that a machine may lack.
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
    /// A kernel that lets us use `io_uring`.
    IoUring,
    /// `perl`, whose `fcntl` can hold files.
    Perl,
    /// A kernel with landlock and seccomp.
    Sandbox,
    /// `strace`, allowed to trace.
    Strace,
    /// libfaketime.
    Faketime,
    /// A browser that shows pages to nobody: Chromium.
    Chromium,
    /// `promtool`, which comes with Prometheus.
    Promtool,
    /// CPUs 0 and 1, and Linux 6.2, which goes by SO_INCOMING_CPU among sockets that share an address.
    SteeringInGroups,
}

impl Need {
    /// The missing thing in words; `None` if it is there.
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
                (found("strace") && is_root(), "strace, and root to trace what gives up its rights")
            }
            Self::Faketime => (Self::faketime_library().is_some(), "libfaketime (package faketime)"),
            Self::Chromium => (chromium().is_some(), "chromium"),
            Self::Promtool => (found("promtool"), "promtool"),
            Self::SteeringInGroups => (steers_in_groups(), "CPUs 0 and 1 on Linux 6.2 or newer"),
        };
        (!there).then_some(name)
    }

    /// Where Debian puts the library of libfaketime.
    pub fn faketime_library() -> Option<PathBuf> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file())
    }
}

/// A test that needs these things; ignored, with what is missing as its kind, unless `LQD_TESTS_MUST_RUN=1`.
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

/// The environment wants every test to run, and a lack to be a failure.
fn must_run() -> bool {
    std::env::var_os("LQD_TESTS_MUST_RUN").is_some_and(|value| value == "1")
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0") // real, effective, saved, file system
}

/// The browser's name: what Debian calls it, or others.
pub fn chromium() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| found(program))
}

/// A program of this name lies in `PATH`, or where Debian puts the administrator's programs.
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

/// The binary says what is missing where it shall not do without.
fn sandbox_works() -> bool {
    fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")
        .is_ok_and(|actions| actions.contains("errno"))
        && fs::read_to_string("/sys/kernel/security/lsm")
            .map_or_else(|_| landlock_is_there(), |modules| modules.contains("landlock"))
}

/// Where securityfs is not mounted, the kernel's list of functions tells.
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

/// Kernels before 6.6 have no such switch; what a container's seccomp profile forbids shows in the server's error.
fn io_uring_enabled() -> bool {
    match fs::read_to_string("/proc/sys/kernel/io_uring_disabled") {
        Ok(value) => value.trim() == "0" || (value.trim() == "1" && is_root()),
        Err(_) => true,
    }
}

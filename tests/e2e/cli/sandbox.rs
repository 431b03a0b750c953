//! The sandbox: rights that the process gives up before it serves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::{KEA_CONFIG, assert_reply, by_address, fixture, held_by};
use crate::support::http::get_unix;
use crate::support::lqd::PROGRAM;
use crate::support::namespace::namespace_trial;
use crate::support::{Lqd, Need, Requestor, trial};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    let mut trials = tests! {
        sandbox_off,
        reload_may_start_a_query_log needs Sandbox,
        relative_config_is_reloaded needs Sandbox,
        reload_outside_the_sandbox_is_rejected needs Sandbox,
    };
    for (back_end, needs) in [("uring", &[Need::IoUring, Need::Sandbox][..]), ("mmsg", &[Need::Sandbox])] {
        let name = |what| format!("cli::sandbox::{what}::{back_end}");
        trials.push(trial(name("every_thread"), needs, move || every_thread(back_end)));
        trials.push(namespace_trial(name("port_547"), needs, move || port_547(back_end)));
    }
    trials
}

/// Returns a field of /proc/PID/status for each thread.
fn of_all_threads(lqd: &Lqd, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", lqd.pid())).expect("the server runs");
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).unwrap_or_default();
    let statuses: Vec<String> = tasks.flatten().map(status).filter(|status| !status.is_empty()).collect();
    assert!(statuses.len() >= 4, "main, signals, feed, one worker at least: {}", statuses.len());
    let value = |status: &String| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("a field of /proc/PID/status").trim().to_owned()
    };
    statuses.iter().map(value).collect()
}

fn assert_all(lqd: &Lqd, name: &str, wanted: &str) {
    let values = of_all_threads(lqd, name);
    assert!(values.iter().all(|value| value == wanted), "{name}: {values:?}, not {wanted}");
}

fn every_thread(back_end: &str) -> Result<(), Failed> {
    let fixture = fixture();
    let (socket, log) = (fixture.admin_socket(), fixture.directory().join("queries.log"));
    let admin = format!("unix:{}", socket.display());
    let log_name = log.to_str().expect("the path is UTF-8");
    let flags = ["--io", back_end, "--sandbox", "on", "--admin", &admin, "--query-log", log_name];
    let lqd = Lqd::start(&[fixture.flags(), flags.map(str::to_owned).to_vec()].concat());
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    let line = lqd.line_with("sandbox on").expect("the sandbox is logged");
    assert!(line.contains("no core dumps, files, capabilities, system calls"), "{line}");
    assert_all(&lqd, "NoNewPrivs", "1");
    assert_all(&lqd, "Seccomp", "2");
    let read_as_root = of_all_threads(&lqd, "Uid")[0].starts_with("0\t");
    // As root, lqd keeps CAP_DAC_READ_SEARCH to read Kea's files.
    let kept = if read_as_root { "0000000000000004" } else { "0000000000000000" };
    assert_all(&lqd, "CapPrm", kept);
    assert_all(&lqd, "CapEff", kept);
    assert_eq!(get_unix(&socket, "/readyz").status, 200);
    assert_eq!(lqd.stop(), 0);
    assert!(!socket.exists(), "the admin port's socket is removed");
    assert_eq!(fs::read_to_string(&log)?.lines().count(), 1, "the query is logged");
    Ok(())
}

/// A reload may start a query log, and reopen it, in the service manager's log directory, but not elsewhere.
fn reload_may_start_a_query_log() -> Result<(), Failed> {
    let (fixture, logs) = (fixture(), tempfile::tempdir()?);
    let config = fixture.directory().join("lqd.toml");
    fs::write(&config, "kea-config = 'kea-dhcp6.conf'")?;
    let mut command = Command::new(PROGRAM);
    command.env("LOGS_DIRECTORY", logs.path());
    let config_flag = format!("--config={}", config.display());
    let lqd = Lqd::start_by(command, &["--sandbox=on", &config_flag]);
    let reload = |log: &Path, wanted: &str| -> Result<(), Failed> {
        fs::write(&config, format!("kea-config = 'kea-dhcp6.conf'\nquery-log = '{}'", log.display()))?;
        let before = lqd.line_count();
        lqd.signal("HUP");
        lqd.await_line(before, |line| line.contains(wanted));
        Ok(())
    };
    // The fixture's folder is readable in the sandbox, but not writable.
    reload(&fixture.directory().join("queries.log"), "restart lqd")?;
    let log = logs.path().join("queries.log");
    reload(&log, "configuration applied")?;
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    let moved = logs.path().join("queries.log.1");
    fs::rename(&log, &moved)?;
    reload(&log, "configuration applied")?;
    assert_eq!(fs::read_to_string(&moved)?.lines().count(), 1, "flushed once the reload is complete");
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    assert_eq!(lqd.stop(), 0);
    assert_eq!(fs::read_to_string(&log)?.lines().count(), 1, "the reopened file");
    Ok(())
}

/// Runs as under systemd: an unprivileged user with the one capability to bind a low port, dropped
/// afterwards. Files are replaced and reloaded.
fn port_547(back_end: &str) -> Result<(), Failed> {
    let fixture = fixture();
    // Temporary directories admit only their owner.
    fs::set_permissions(fixture.directory(), fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args(["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]);
    command.args([PROGRAM, "serve", "--io", back_end, "--sandbox", "on"]).args(fixture.flags());
    let lqd = Lqd::start_command(command, "[::1]:547".parse()?);
    assert_all(&lqd, "CapPrm", "0000000000000000");
    assert_all(&lqd, "CapEff", "0000000000000000");
    assert_all(&lqd, "CapAmb", "0000000000000000");
    let requestor = Requestor::new(lqd.address);
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    // New inodes: the sandbox must admit folders, not files.
    for file in [fixture.kea_config(), fixture.leases()] {
        let new = file.with_extension("new");
        fs::copy(&file, &new)?;
        fs::rename(&new, &file)?;
    }
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// A configuration file named without its directory can be reloaded.
fn relative_config_is_reloaded() -> Result<(), Failed> {
    let fixture = fixture();
    fs::write(fixture.directory().join("lqd.toml"), "kea-config = 'kea-dhcp6.conf'")?;
    let mut command = Command::new(PROGRAM);
    command.current_dir(fixture.directory());
    let lqd = Lqd::start_by(command, &["--config", "lqd.toml"]);
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration applied"));
    Ok(())
}

/// A reload that names a lease file outside the sandbox is rejected, with the fix.
fn reload_outside_the_sandbox_is_rejected() -> Result<(), Failed> {
    let (here, elsewhere) = (fixture(), fixture());
    let lqd = Lqd::start(&here.flags());
    let requestor = Requestor::new(lqd.address);
    here.write_kea_config(&KEA_CONFIG.replace("@LEASES@", &elsewhere.leases().display().to_string()));
    let before = lqd.line_count();
    lqd.signal("HUP");
    lqd.await_line(before, |line| line.contains("configuration rejected") && line.contains("restart lqd"));
    assert_reply(&requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
    Ok(())
}

fn sandbox_off() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&[fixture.flags(), vec!["--sandbox".into(), "off".into()]].concat());
    assert!(lqd.line_with("sandbox off").is_some(), "{}", lqd.log());
    assert_all(&lqd, "Seccomp", "0");
    Ok(())
}

//! Both back ends against real sockets, plain and coalescing: the same table of cases for each, over loopback
//! and in network namespaces.
//!
//! A case whose requirements are missing (io_uring, root) is ignored, and names them; with
//! `LQD_TESTS_MUST_RUN=1` it fails.

mod alloc;
mod coalescing;
mod loopback;
mod namespaces;
mod rig;
mod takeover;
mod tuning;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use lqd_net::{Backend, REPLY_LEN_MAX, WorkerSettings};

/// A case, run once for each back end, plain and coalescing.
struct Case {
    name: &'static str,
    run: fn(&WorkerSettings),
    /// Makes network namespaces.
    needs_root: bool,
    modes: Modes,
}

/// Modes of the workers that a case applies to.
enum Modes {
    All,
    Plain,
    Coalescing,
    /// Both modes of io_uring: plain and coalescing.
    Uring,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = || {
        let plain =
            loopback::CASES.iter().chain(takeover::CASES).chain(namespaces::CASES).chain(tuning::CASES);
        plain.chain(coalescing::CASES).chain(coalescing::LINK_CASES)
    };
    let mut trials = Vec::new();
    for (backend, coalesce, kind) in [
        (Backend::Uring, false, "uring"),
        (Backend::Uring, true, "uring, coalescing"),
        (Backend::Mmsg, false, "mmsg"),
        (Backend::Mmsg, true, "mmsg, coalescing"),
    ] {
        let fits = |case: &&Case| match case.modes {
            Modes::All => true,
            Modes::Plain => !coalesce,
            Modes::Coalescing => coalesce,
            Modes::Uring => backend == Backend::Uring,
        };
        let mut settings = WorkerSettings { backend, coalesce, ..WorkerSettings::default() };
        if coalesce {
            settings.buffer_len = REPLY_LEN_MAX;
        }
        trials.extend(cases().filter(fits).map(|case| trial(case, settings.clone(), kind)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(case: &'static Case, settings: WorkerSettings, kind: &str) -> Trial {
    let missing = missing(case, settings.backend);
    let must_run = std::env::var_os("LQD_TESTS_MUST_RUN").is_some_and(|value| value == "1");
    let name = match &missing {
        Some(missing) => format!("{}: needs {missing}", case.name),
        None => case.name.to_owned(),
    };
    let ignored = missing.is_some() && !must_run;
    let run = move || match missing {
        Some(missing) => Err(Failed::from(format!("missing: {missing}"))),
        None => {
            (case.run)(&settings);
            Ok(())
        }
    };
    Trial::test(name, run).with_kind(kind).with_ignored_flag(ignored)
}

/// A requirement of this case that the machine lacks.
fn missing(case: &Case, backend: Backend) -> Option<String> {
    if backend == Backend::Uring
        && let Err(error) = lqd_net::probe()
    {
        return Some(error.to_string());
    }
    // SAFETY: reads one number of this process.
    if case.needs_root && unsafe { libc::geteuid() } != 0 {
        return Some("root".to_owned());
    }
    let has_ip = || Command::new("ip").arg("-V").output().is_ok_and(|output| output.status.success());
    (case.needs_root && !has_ip()).then(|| "ip (package iproute2)".to_owned())
}

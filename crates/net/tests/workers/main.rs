//! Both back ends against real sockets: the same table of cases for each, over loopback and in network
//! namespaces.
//!
//! A case whose needs are missing (io_uring, root) is ignored, and says which; with `LQD_TESTS_MUST_RUN=1` it
//! fails.

mod alloc;
mod loopback;
mod namespaces;
mod rig;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use lqd_net::Backend;

/// One case, run once for each back end.
struct Case {
    name: &'static str,
    run: fn(Backend),
    /// Makes network namespaces.
    needs_root: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = || loopback::CASES.iter().chain(namespaces::CASES);
    let backends = [(Backend::Uring, "uring"), (Backend::Mmsg, "mmsg")];
    let trials =
        backends.iter().flat_map(|&(backend, kind)| cases().map(move |case| trial(case, backend, kind)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(case: &'static Case, backend: Backend, kind: &str) -> Trial {
    let missing = missing(case, backend);
    let must_run = std::env::var_os("LQD_TESTS_MUST_RUN").is_some_and(|value| value == "1");
    let name = match &missing {
        Some(missing) => format!("{}: needs {missing}", case.name),
        None => case.name.to_owned(),
    };
    let ignored = missing.is_some() && !must_run;
    let run = move || match missing {
        Some(missing) => Err(Failed::from(format!("missing: {missing}"))),
        None => {
            (case.run)(backend);
            Ok(())
        }
    };
    Trial::test(name, run).with_kind(kind).with_ignored_flag(ignored)
}

/// What this case needs and the machine does not have.
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

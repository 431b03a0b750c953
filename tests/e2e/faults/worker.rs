//! A worker that fails or panics ends the whole process, so that systemd starts a complete one.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::cli::{by_address, fixture};
use crate::support::lqd::PROGRAM;
use crate::support::namespace::namespace_trial;
use crate::support::{Lqd, Need, Requestor};

pub fn trials() -> Vec<Trial> {
    [
        ("panics", "recvmmsg:retval=1000", "worker 0 ended: it panicked"),
        ("fails", "poll:error=ENOMEM", "worker 0 ended: waiting for datagrams failed"),
    ]
    .into_iter()
    .map(|(name, fault, message)| {
        // strace may leave processes behind, which end with the namespace.
        namespace_trial(format!("faults::worker::{name}"), &[Need::Strace], move || worker(fault, message))
    })
    .collect()
}

/// Makes a system call return an impossible result from its second call on.
fn worker(fault: &str, message: &str) -> Result<(), Failed> {
    let fixture = fixture();
    let call = fault.split(':').next().unwrap_or_default();
    let mut command = Command::new("strace");
    // A wrapper, since only strace can make a system call fail.
    command.args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={fault}:when=2+")]);
    command.arg(PROGRAM);
    let flags = ["--io", "mmsg", "--workers", "1"].map(str::to_owned);
    let lqd = Lqd::start_by(command, &[&flags[..], &fixture.flags()].concat());
    let requestor = Requestor::new(lqd.address);
    let before = lqd.line_count();
    let query = by_address("2001:db8:1::1");
    // The first call is real, so that the server gets ready.
    requestor.ask(&query).expect("the first call does its work");
    requestor.send(&query);
    lqd.await_line(before, |line| line.starts_with("lqd: ") && line.contains(message));
    let panic_logged = lqd.line_with("thread panicked: this is a bug").is_some();
    assert_eq!(panic_logged, message.contains("panicked"), "{}", lqd.log());
    assert_eq!(lqd.exit_code(), 1); // strace ends as its child does
    Ok(())
}

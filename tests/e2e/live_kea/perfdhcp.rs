//! perfdhcp, Kea's load generator, as many clients at once.
//!
//! On a busy host it may end before it has sent anything, because the kernel refuses a send (EINVAL, while
//! routes of the new interface still settle), and it gives up exchanges when Kea is slow. The tests accept
//! both: they start it again, a bounded number of times, and judge by Kea's leases.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, Stdio};

use super::lab::{CLIENT_INTERFACE, Lab};
use crate::support::Until;

/// Most starts of one perfdhcp.
const STARTS: u32 = 20;

/// A running perfdhcp; drop kills the process.
pub(super) struct Perfdhcp<'a> {
    lab: &'a Lab,
    arguments: String,
    starts: u32,
    child: Child,
    /// Standard error.
    errors: File,
}

impl<'a> Perfdhcp<'a> {
    /// Starts perfdhcp for DHCPv6 on the clients' interface with these further arguments.
    pub(super) fn start(lab: &'a Lab, arguments: &str) -> Self {
        lab.await_usable();
        let errors = tempfile::tempfile().expect("a temporary file");
        let child = spawn(arguments, &errors);
        Self { lab, arguments: arguments.to_owned(), starts: 1, child, errors }
    }

    /// Returns whether it still runs. Failed exchanges (exit status 3) do not count: Kea's leases decide.
    pub(super) fn is_running(&mut self) -> bool {
        let Some(status) = self.child.try_wait().expect("it is our child") else { return true };
        if matches!(status.code(), Some(0 | 3)) {
            return false;
        }
        let errors = self.errors();
        assert!(
            is_refused_send(&errors) && self.starts < STARTS,
            "perfdhcp ended with {status} at start {} of {STARTS}; it wrote:\n{errors}",
            self.starts
        );
        self.lab.await_usable();
        self.starts += 1;
        self.errors.set_len(0).and_then(|()| self.errors.rewind()).expect("the file can be emptied");
        self.child = spawn(&self.arguments, &self.errors);
        true
    }

    /// Waits until it exits.
    pub(super) fn wait(mut self) {
        let until = Until::patience();
        while self.is_running() {
            assert!(until.pending(), "perfdhcp does not end; it wrote:\n{}", self.errors());
        }
    }

    fn errors(&mut self) -> String {
        let mut octets = Vec::new();
        self.errors
            .rewind()
            .and_then(|()| self.errors.read_to_end(&mut octets))
            .expect("the file can be read");
        String::from_utf8_lossy(&octets).into_owned()
    }
}

fn spawn(arguments: &str, errors: &File) -> Child {
    let mut command = Command::new("perfdhcp");
    command
        .args(["-6", "-l", CLIENT_INTERFACE, "-e", "address-and-prefix"])
        .args(arguments.split(' '))
        .arg("all");
    let errors = errors.try_clone().expect("a descriptor");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    command.spawn().expect("perfdhcp starts")
}

/// Returns whether the kernel refused a datagram, or had no source address for it, which may be transient.
fn is_refused_send(errors: &str) -> bool {
    ["send failed", "sendmsg() returned", "Failed to bind socket", "unable to open socket"]
        .iter()
        .any(|part| errors.contains(part))
}

impl Drop for Perfdhcp<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A refused send starts perfdhcp again; any other failure fails the test.
pub(super) fn only_refused_sends_start_it_again() {
    for (errors, again) in [
        (
            "ERROR: running perfdhcp: pkt6 send failed: sendmsg() returned with an error: Invalid argument",
            true,
        ),
        (
            "ERROR: running perfdhcp: Failed to bind socket 5 to fe80::1/port=546: Cannot assign requested address",
            true,
        ),
        ("ERROR: parsing command line options: Invalid use of -l", false),
        ("", false),
    ] {
        assert_eq!(is_refused_send(errors), again, "{errors}");
    }
}

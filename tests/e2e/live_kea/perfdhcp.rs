//! perfdhcp, Kea's load generator, as a crowd of clients.

use std::process::{Child, Command, Stdio};

use super::lab::CLIENT_INTERFACE;
use crate::support::Until;

/// A running perfdhcp; dropping it ends the process.
pub(super) struct Perfdhcp(Child);

impl Perfdhcp {
    /// Starts perfdhcp for DHCPv6 on the clients' interface with these further arguments.
    pub(super) fn start(arguments: &str) -> Self {
        let mut command = Command::new("perfdhcp");
        command
            .args(["-6", "-l", CLIENT_INTERFACE, "-e", "address-and-prefix"])
            .args(arguments.split(' '))
            .arg("all");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        Self(command.spawn().expect("perfdhcp starts"))
    }

    /// Whether it is still at work. Failed exchanges (exit status 3) are its own affair: Kea's leases are the
    /// measure.
    pub(super) fn is_running(&mut self) -> bool {
        let Some(status) = self.0.try_wait().expect("it is our child") else { return true };
        assert!(matches!(status.code(), Some(0 | 3)), "perfdhcp ended with {status}");
        false
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) {
        let until = Until::patience();
        while self.is_running() {
            assert!(until.pending(), "perfdhcp does not end");
        }
    }
}

impl Drop for Perfdhcp {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

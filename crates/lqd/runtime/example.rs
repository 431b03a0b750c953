//! An `lq` command that queries one of the leases, printed once ready (`--example-query`).

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_feed::Report;

use crate::log;

/// Prints the command, if the first load brought a lease.
pub(super) fn print(listen: &[SocketAddrV6], report: &Report) {
    if let (Some(server), Some(address)) = (listen.first(), report.example) {
        log::say(text(*server, address).as_bytes());
    }
}

fn text(mut server: SocketAddrV6, address: Ipv6Addr) -> String {
    // The unspecified address is no destination; this host can be reached by ::1.
    if server.ip().is_unspecified() {
        server.set_ip(Ipv6Addr::LOCALHOST);
    }
    // Quoted, as brackets are a pattern for the shell.
    format!("\nQuery a lease, in another terminal:\n\n    lq -s '{server}' addr {address}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_an_address_that_reaches_the_server() {
        let address = "2001:db8::7".parse().unwrap();
        for (listen, server) in [("[::]:547", "[::1]:547"), ("[fd00::1]:1547", "[fd00::1]:1547")] {
            let text = text(listen.parse().unwrap(), address);
            assert!(text.contains(&format!("    lq -s '{server}' addr 2001:db8::7\n")), "{text}");
        }
    }
}

//! A server with `--bulk`, and frames of RFC 5460 §5.1 written by hand.

use std::net::{Ipv6Addr, SocketAddrV6, TcpListener};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::support::http::get_unix;
use crate::support::lqd::Lqd;
use crate::support::{Fixture, Until};

/// Puts the length of a message in front of it.
///
/// # Panics
/// If the message is longer than a frame holds.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message has at most 65,535 octets");
    [&length.to_be_bytes()[..], message].concat()
}

/// Starts a server with `--bulk` at a port of its own; returns the port's address, too.
///
/// # Panics
/// As [`Lqd::start`].
pub fn start(flags: &[String]) -> (Lqd, SocketAddrV6) {
    let (address, flag) = bulk_flag();
    (Lqd::start(&[flags, &flag].concat()), address)
}

/// Returns a TCP address of `::1` that is free, and the flags that make a server listen there.
///
/// # Panics
/// If there is none.
pub fn bulk_flag() -> (SocketAddrV6, Vec<String>) {
    let port = crate::support::lqd::free_port();
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
    drop(TcpListener::bind(address).expect("no TCP listener has a port that no UDP socket has"));
    (address, vec!["--bulk".to_owned(), address.to_string()])
}

/// Returns the flags of the fixture, of its admin socket, and more.
pub fn with_admin(fixture: &Fixture, more: &[&str]) -> Vec<String> {
    let mut flags = fixture.flags();
    flags.push(fixture.admin_flag());
    flags.extend(more.iter().map(ToString::to_string));
    flags
}

fn status(fixture: &Fixture) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&get_unix(&fixture.admin_socket(), "/status").body)?)
}

/// Waits until the status under `bulk` holds; returns it.
///
/// # Errors
/// The status cannot be read.
///
/// # Panics
/// If it does not hold in time.
pub fn await_bulk(fixture: &Fixture, holds: impl Fn(&Value) -> bool) -> Result<Value, Failed> {
    let until = Until::patience();
    loop {
        let bulk = status(fixture)?["bulk"].take();
        if holds(&bulk) {
            return Ok(bulk);
        }
        assert!(until.pending(), "{bulk}");
    }
}

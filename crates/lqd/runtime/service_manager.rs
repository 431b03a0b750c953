//! Messages to the service manager (`NOTIFY_SOCKET`, sd_notify(3)), sent without waiting.
//!
//! `sd_notify::notify` blocks while the service manager does not read; here a message that finds no room is
//! dropped.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;
use tracing::warn;

/// Environment variable with the address of the socket; unset without a service manager.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Sends a state and logs an error; returns false if the message should be sent again later.
pub(super) fn notify(state: &NotifyState<'_>) -> bool {
    let Err(error) = send(state) else { return true };
    warn!(%error, "systemd notification failed");
    // Only a full queue passes; a missing socket stays missing.
    error.kind() != io::ErrorKind::WouldBlock
}

/// Sends one message without waiting.
///
/// # Errors
/// The socket does not exist, or the service manager does not read.
pub(super) fn send(state: &NotifyState<'_>) -> io::Result<()> {
    // Started by hand or in a container: nothing waits for messages.
    let Some(socket) = env::var_os(NOTIFY_SOCKET) else { return Ok(()) };
    send_to(&socket, state)
}

fn send_to(socket: &OsString, state: &NotifyState<'_>) -> io::Result<()> {
    let address = match socket.as_bytes() {
        // Written so for an abstract socket, whose name begins with a zero (sd_notify(3)).
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    // The main thread must not hang when the service manager does.
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(format!("{state}\n").as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_finds_no_room_is_dropped_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("notify");
        let manager = UnixDatagram::bind(&socket).unwrap();
        let socket = OsString::from(socket);
        let sent = (0..100_000).take_while(|_| send_to(&socket, &NotifyState::Watchdog).is_ok()).count();
        assert!((1..100_000).contains(&sent), "{sent}");
        let mut message = [0; 64];
        let len = manager.recv(&mut message).unwrap();
        assert_eq!(&message[..len], b"WATCHDOG=1\n");
        send_to(&socket, &NotifyState::Ready).unwrap();
    }

    #[test]
    fn a_message_reaches_an_abstract_socket() {
        let name = format!("lqd-tests-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send_to(&OsString::from(format!("@{name}")), &NotifyState::Ready).unwrap();
        let mut message = [0; 64];
        let len = manager.recv(&mut message).unwrap();
        assert_eq!(&message[..len], b"READY=1\n");
    }
}

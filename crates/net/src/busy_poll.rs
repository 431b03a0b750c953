//! Busy polling: an idle worker polls the network card for a while before it sleeps.
//!
//! ```text
//! uring  IORING_REGISTER_NAPI (Linux ≥ 6.9): waits for completions poll the queues of past datagrams
//! mmsg   SO_BUSY_POLL and SO_PREFER_BUSY_POLL (≥ 5.11) on each socket; `poll` heeds them only if sysctl
//!        net.core.busy_poll is above 0
//! ```
//!
//! Interfaces without NAPI (loopback; veth without GRO) have no queue to poll: the setting has no effect
//! there.

use io_uring::Submitter;
use io_uring::types::Napi;

use crate::{Backend, BusyPollError, Socket, socket_option};

/// Prepares busy polling for `microseconds`. Call it before threads start, while the process has its
/// capabilities: uring is tried on a temporary ring, as workers set it on theirs; mmsg sets it on `sockets`.
///
/// # Errors
/// The kernel or a capability lacks support; also if no ring can be made, which [`probe`](crate::probe)
/// explains better.
pub fn prepare_busy_poll<'a>(
    backend: Backend,
    sockets: impl IntoIterator<Item = &'a Socket>,
    microseconds: u32,
) -> Result<(), BusyPollError> {
    match backend {
        Backend::Uring => {
            // The ring is closed at once: only the answer of the kernel matters.
            let ring = io_uring::IoUring::new(1).map_err(BusyPollError::Uring)?;
            register(&ring.submitter(), microseconds)
        }
        Backend::Mmsg => sockets.into_iter().try_for_each(|socket| set(socket, microseconds)),
    }
}

/// Makes waits on a ring poll for `microseconds`.
pub(crate) fn register(submitter: &Submitter<'_>, microseconds: u32) -> Result<(), BusyPollError> {
    let mut napi = Napi::new().set_busy_poll_timeout(microseconds).set_prefer_busy_poll(true);
    submitter.register_napi(&mut napi).map_err(BusyPollError::Uring)
}

fn set(socket: &Socket, microseconds: u32) -> Result<(), BusyPollError> {
    // The kernel takes an int.
    let microseconds = i32::try_from(microseconds).unwrap_or(i32::MAX);
    let option = |name, value| socket_option::set(socket, libc::SOL_SOCKET, name, value);
    option(libc::SO_BUSY_POLL, microseconds)
        // Both options: preferring alone has no effect without a time.
        .and_then(|()| option(libc::SO_PREFER_BUSY_POLL, 1))
        .map_err(BusyPollError::Sockets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SocketOptions, listen};

    /// Whether busy polling is allowed; a refusal must name its fix.
    fn may(set: Result<(), BusyPollError>) -> bool {
        match set {
            Ok(()) => true,
            Err(refused) => {
                assert!(
                    refused.to_string().contains("Linux") || refused.to_string().contains("CAP_NET_ADMIN")
                );
                false
            }
        }
    }

    #[test]
    fn sockets_have_the_options_afterwards() {
        let sockets = [listen("[::1]:0".parse().unwrap(), &SocketOptions::default()).unwrap()];
        let get = |name| {
            let mut value = [7];
            socket_option::get(&sockets[0], libc::SOL_SOCKET, name, &mut value).unwrap();
            value[0]
        };
        assert_eq!((get(libc::SO_BUSY_POLL), get(libc::SO_PREFER_BUSY_POLL)), (0, 0), "off unless asked for");
        if may(prepare_busy_poll(Backend::Mmsg, &sockets, 50)) {
            assert_eq!((get(libc::SO_BUSY_POLL), get(libc::SO_PREFER_BUSY_POLL)), (50, 1));
        }
    }

    #[test]
    fn a_ring_keeps_what_was_registered() {
        let Ok(ring) = io_uring::IoUring::new(1) else { return };
        if may(register(&ring.submitter(), 50)) {
            let mut napi = Napi::new();
            ring.submitter().unregister_napi(&mut napi).unwrap();
            assert_eq!((napi.busy_poll_timeout(), napi.prefer_busy_poll()), (50, true));
        }
    }
}

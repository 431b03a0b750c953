//! Sockets of all workers: bound, steered by CPU and prepared for busy polling.

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_net::{
    Backend, Socket, SocketOptions, listen, listen_multicast, prepare_busy_poll, probe, steer_by_cpu,
};
use tracing::{info, warn};

use crate::error::ExitError;
use crate::settings::{Io, Settings, Switch};

/// All_DHCP_Servers and All_DHCP_Relay_Agents_and_Servers (RFC 8415 §7.1).
const GROUPS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2)];

/// Selects the back end: the one that is set, or io_uring if the kernel offers everything it needs.
pub(super) fn backend(io: Io) -> Result<Backend, ExitError> {
    match io {
        Io::Mmsg => Ok(Backend::Mmsg),
        // Asked for by name, so there is no other back end to fall back to.
        Io::Uring => probe().map(|()| Backend::Uring).map_err(ExitError::running),
        Io::Auto => match probe() {
            Ok(()) => {
                info!("back end: io_uring, as the kernel offers all that is needed");
                Ok(Backend::Uring)
            }
            Err(reason) => {
                warn!(%reason, "back end: recvmmsg and sendmmsg, as io_uring cannot be used");
                Ok(Backend::Mmsg)
            }
        },
    }
}

/// Binds the sockets of each worker and returns them with their addresses. Multicast groups are joined by the
/// first worker only.
pub(super) fn bind(settings: &Settings) -> Result<(Vec<SocketAddrV6>, Vec<Vec<Socket>>), ExitError> {
    let options =
        SocketOptions { receive_buffer: settings.receive_buffer, send_buffer: settings.send_buffer };
    let mut addresses = settings.listen.clone();
    let mut sockets: Vec<Vec<Socket>> = (0..settings.workers).map(|_| Vec::new()).collect();
    for address in &mut addresses {
        for sockets in &mut sockets {
            let socket = listen(*address, &options).map_err(ExitError::running)?;
            // If the port was 0, the kernel chose one for the first worker, and the others share it.
            *address = socket.local_address();
            sockets.push(socket);
        }
    }
    let port = addresses.first().map_or(lqd_wire::SERVER_PORT, SocketAddrV6::port);
    for interface in &settings.multicast {
        for group in GROUPS {
            let socket = listen_multicast(group, interface.index, port, &options);
            // One worker only: each member of a group gets its own copy of a datagram, and would answer it.
            sockets[0].push(socket.map_err(ExitError::running)?);
        }
    }
    if let Some(socket) = sockets[0].first() {
        warn_of_smaller("receive", "rmem_max", settings.receive_buffer, socket.receive_buffer());
        warn_of_smaller("send", "wmem_max", settings.send_buffer, socket.send_buffer());
    }
    Ok((addresses, sockets))
}

/// Logs a socket buffer that is smaller than requested.
fn warn_of_smaller(buffer: &str, sysctl: &str, wanted: usize, got: usize) {
    // The kernel lowers larger sizes to its limit without an error.
    if got < wanted {
        warn!(
            wanted,
            got,
            "the {buffer} buffer is smaller than wanted; raise sysctl net.core.{sysctl} or grant CAP_NET_ADMIN"
        );
    }
}

/// Steers datagrams to the worker on the receiving CPU, on each of the first `addresses` sockets of every
/// worker.
pub(super) fn steer(sockets: &[Vec<Socket>], addresses: usize, cpus: &[usize]) -> Result<(), ExitError> {
    let workers = sockets.len();
    // Steering picks the socket by the number of the CPU, so each worker needs its own.
    let Some(cpus) = cpus.get(..workers) else {
        return Err(ExitError::unusable(format!(
            "steering by CPU needs a CPU for each of {workers} workers; lower --workers to {}, name more --cpus, \
             or leave --steering out",
            cpus.len()
        )));
    };
    for address in 0..addresses {
        let of_address: Vec<_> = sockets.iter().map(|sockets| &sockets[address]).collect();
        if let Err(reason) = steer_by_cpu(&of_address, cpus) {
            warn!(%reason, "datagrams go to workers by hash");
            // The others would fail alike, and log the same line.
            break;
        }
    }
    Ok(())
}

/// Prepares busy polling and returns its duration in microseconds: 0 if it is off or not possible.
pub(super) fn busy_poll<'a>(
    backend: Backend,
    settings: &Settings,
    sockets: impl Iterator<Item = &'a Socket>,
) -> u32 {
    let wanted = settings.busy_poll;
    if wanted == 0 {
        return 0;
    }
    if settings.gro == Switch::On {
        warn!(
            "busy polling with --gro on: what GRO collects waits until the polling ends; set --gro off for quick answers"
        );
    }
    match prepare_busy_poll(backend, sockets, wanted) {
        Ok(()) => wanted,
        Err(reason) => {
            warn!(%reason, "workers do not poll busily");
            0
        }
    }
}

/// CPUs that workers may be pinned to.
pub(super) fn cpus(settings: &Settings) -> Vec<usize> {
    match &settings.cpus {
        Some(cpus) => cpus.clone(),
        None => core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect(),
    }
}

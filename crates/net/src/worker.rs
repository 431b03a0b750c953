//! A worker: sockets, a back end, a thread.

use std::sync::Arc;

use core_affinity::CoreId;

use crate::limits::SOCKETS_MAX;
use crate::{
    Backend, NetCounters, RunError, Service, Socket, StartError, StopSignal, WorkerSettings, mmsg, uring,
};
use uring::BackendError;

/// A worker, ready to run on a thread of its own.
pub struct Worker {
    settings: WorkerSettings,
    sockets: Vec<Socket>,
    stop: StopSignal,
    counters: Arc<NetCounters>,
}

impl Worker {
    /// Makes a worker of checked settings and bound sockets.
    ///
    /// # Errors
    /// A setting is outside its range, or there are no sockets or too many.
    pub fn new(
        settings: WorkerSettings,
        sockets: Vec<Socket>,
        stop: StopSignal,
        counters: Arc<NetCounters>,
    ) -> Result<Self, StartError> {
        settings.check()?;
        // No socket would leave a worker that waits for ever.
        if !(1..=SOCKETS_MAX).contains(&sockets.len()) {
            return Err(StartError::Sockets { got: sockets.len() });
        }
        // After the checks: an aggregate needs the longest buffers.
        if settings.coalesce {
            sockets.iter().for_each(Socket::receive_together);
        }
        Ok(Self { settings, sockets, stop, counters })
    }

    /// Serves until stopped: then stops receiving, answers the datagrams received, and returns when the
    /// replies are sent. Call it on the worker's own thread, which is pinned if the settings say so.
    ///
    /// # Errors
    /// The thread cannot be pinned, the back end cannot be set up, or the kernel fails for good.
    pub fn run(self, service: &mut impl Service) -> Result<(), RunError> {
        let Self { settings, sockets, stop, counters } = self;
        // Before any buffer is touched, so that memory is of the CPU's own node.
        if let Some(cpu) = settings.cpu {
            pin(cpu)?;
        }
        match settings.backend {
            Backend::Uring => match uring::run(&settings, &sockets, &stop, &counters, service) {
                // Only set-up may fall back: a worker that has served knows its back end works.
                Err(BackendError::Setup(reason)) if settings.fall_back => {
                    service.fell_back(&reason);
                    mmsg::run(&settings, &sockets, &stop, &counters, service)
                }
                Err(BackendError::Setup(error) | BackendError::Serving(error)) => Err(error),
                Ok(()) => Ok(()),
            },
            Backend::Mmsg => mmsg::run(&settings, &sockets, &stop, &counters, service),
        }
    }
}

/// Pins the calling thread. Rejects numbers beyond `cpu_set_t`, at which `core_affinity` panics; the kernel
/// knows which others exist and are allowed.
fn pin(cpu: usize) -> Result<(), RunError> {
    // The library panics beyond its table, and the kernel refuses the rest.
    let pinned = cpu < libc::CPU_SETSIZE as usize && core_affinity::set_for_current(CoreId { id: cpu });
    if pinned { Ok(()) } else { Err(RunError::Pin { cpu }) }
}

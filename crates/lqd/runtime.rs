//! The running server: start-up in typed phases, the main loop, workers, reloads, signals, the service
//! manager.
//!
//! ```text
//! startup    Bound → Confined → Loaded → Serving     workers  start, stalls and end of the threads
//! main_loop  Serving: events until the end           worker   a batch of datagrams → replies
//! event      events of the main thread               sockets  UDP sockets, steering, busy polling
//! bulk       TCP: bulk leasequery                    active   the log of changes, expired leases
//! reload     SIGHUP, on its own thread               liveness, watchdog, service_manager  to systemd
//! signals    obeyed at any moment                    clock    steps of the system clock
//! tls        certificates read again when they change
//! await_kea  waits for files that Kea writes         example  a query to try, printed once ready
//! ```

mod active;
mod await_kea;
mod bulk;
mod clock;
mod event;
mod example;
mod liveness;
mod main_loop;
mod reload;
mod service_manager;
mod signals;
mod sockets;
mod startup;
mod tls;
mod watchdog;
mod worker;
mod workers;

use crate::error::ExitError;
use crate::settings::{Flags, Settings};
use signals::Interrupted;
use startup::{Bound, Confined};

/// Serves until a signal stops it.
pub(crate) fn serve(flags: &Flags, settings: Settings) -> Result<(), ExitError> {
    let started = Bound::new(settings)
        .and_then(|bound| bound.confine(flags))
        .and_then(Confined::load)
        .and_then(|loaded| loaded.serve(flags));
    match started {
        Ok(serving) => serving.run(),
        // Asked to stop before it was ready: no failure, so a service manager does not restart it.
        Err(Interrupted::Signal) => Ok(()),
        Err(Interrupted::Error(error)) => Err(error),
    }
}

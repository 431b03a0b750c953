//! The running server: start-up, workers, reloads, signals, and the service manager.
//!
//! ```text
//! serve            start-up, main loop, shutdown     workers   sockets, threads and counters of all workers
//! reload           SIGHUP, on its own thread         worker    a batch of datagrams → replies
//! signals          obeyed at any moment              watchdog  keep-alive messages to systemd
//! await_kea        waits for files that Kea writes   clock     steps of the system clock, logged
//! service_manager  messages to systemd               example   a query to try, printed once ready
//! ```

mod await_kea;
mod clock;
mod example;
mod reload;
mod serve;
mod service_manager;
mod signals;
mod watchdog;
mod worker;
mod workers;

pub(crate) use serve::serve;

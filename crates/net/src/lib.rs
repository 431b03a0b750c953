//! UDP over IPv6 in batches: datagrams in, replies out, one worker per core. Knows no DHCP.
//!
//! ```text
//! listen()            ── main thread: binds the sockets before the program reports that it is ready
//!   Worker::run()     ── worker thread: pinned; builds its ring, receives, serves, sends, until stopped
//!     Service::serve  ── the caller's code: up to [`BATCH_MAX`] datagrams of one socket
//!       Replies::send ── encodes in place into the reply area; replies are not copied
//! ```
//!
//! Two back ends offer the same behaviour:
//!
//! - [`Backend::Uring`]: one multishot receive per socket into buffers lent to the kernel; replies are
//!   submitted together with the next wait, so that a busy worker makes one system call per turn. Linux 6.1
//!   or newer.
//! - [`Backend::Mmsg`]: `poll`, `recvmmsg`, `sendmmsg`. For kernels and containers where io_uring is missing
//!   or forbidden, and as a reference in tests.
//!
//! Datagrams of one requestor may be coalesced, both ways ([`coalesce`](WorkerSettings::coalesce)); services
//! and requestors see no difference. [`ConnectedSocket`] is the client side, for load generators.
//!
//! A reply leaves from the address that the query was sent to: on a host with several addresses, requestors
//! drop replies from another one. After the start the crate allocates nothing, logs nothing, and never waits
//! for a single requestor. Design decisions and measurements: DESIGN.md.

mod busy_poll;
mod coalesce;
mod connected_socket;
mod control;
mod counters;
mod cpu_steering;
mod datagram;
mod error;
mod leave;
mod limits;
mod listen;
mod malloc;
mod mmsg;
mod pages;
mod receive_area;
mod received;
mod replies;
mod reply_area;
mod resend;
mod service;
mod settings;
mod sockaddr;
mod socket_option;
mod stop;
mod uring;
mod uring_error;
mod worker;

pub use busy_poll::prepare_busy_poll;
pub use connected_socket::{ConnectError, ConnectedSocket, ConnectedSocketOptions};
pub use counters::{Counter, NetCounters, SendError, Sizes};
pub use cpu_steering::{CpuSteeringError, steer_by_cpu};
pub use datagram::{BATCH_MAX, Datagram, Local, REPLY_LEN_MAX};
pub use error::{BusyPollError, RunError, StartError};
pub use leave::{Drained, Intake, drain};
pub use listen::{Interface, ListenError, Socket, SocketOptions, listen, listen_multicast};
pub use malloc::share_one_arena;
pub use replies::Replies;
pub use service::Service;
pub use settings::{Backend, WorkerSettings};
pub use stop::{StopHandle, StopSignal, stop_pair};
pub use uring::probe;
pub use uring_error::UringError;
pub use worker::Worker;

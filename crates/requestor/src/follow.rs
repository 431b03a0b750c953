//! The follower: a table of bindings that is kept equal to a server's (active leasequery, RFC 7653).
//!
//! ```text
//! active connection ── ACTIVELEASEQUERY ──> changes ─┐
//!                                                    ├─> Follower ──> events: put, remove, state
//! bulk connection ──── LEASEQUERY ────────> bindings ┘
//! ```
//!
//! [`Follower`] is the state machine: messages in, events and queries out, no socket and no clock. [`follow`]
//! drives it over tokio.
//!
//! - The active query is answered before the bulk query is sent, so every change during the bulk answer is
//!   told. A bulk answer therefore never overrules the active connection: where they differ, the earlier
//!   base-time loses, and in doubt the server is queried again by address.
//! - Bindings that the whole bulk answer lacks are removed at its end; a part of an answer removes nothing.
//! - After the loss of the connection, changes since the last base-time are requested. If the server has no
//!   longer all of them (DataMissing), a bulk query brings the table up to date.
//! - On one connection the order of messages is the order of states: a server sends the state of a binding at
//!   the time of sending (RFC 7653 §7).

mod event;
mod follower;
mod run;
mod table;

pub use event::{Event, RemovalReason, State};
pub use follower::{FollowError, Follower};
pub use run::{EndError, RECEIVE_TIMEOUT, RETRY_INTERVAL, Settings, follow};
pub use table::Digest;

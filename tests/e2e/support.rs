//! Shared parts of the end-to-end tests: server process, requestors, sample data, needs, octets as text.

#[macro_use]
pub mod need;

pub mod display;
pub mod fixture;
pub mod hex;
pub mod http;
pub mod kea_lfc;
pub mod lq;
pub mod lqd;
pub mod message;
pub mod namespace;
pub mod octets;
pub mod random;
pub mod requestor;
pub mod stream;

pub use fixture::Fixture;
pub use lqd::{Lqd, Until};
pub use need::{BACK_ENDS, Need, all_passed, trial};
pub use requestor::Requestor;
pub use stream::{Connection, Received};

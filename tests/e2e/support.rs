//! What every end-to-end test stands on: the server process, requestors, sample data, needs, and octets as text.

pub mod display;
pub mod fixture;
pub mod http;
pub mod lq;
pub mod lqd;
pub mod namespace;
pub mod need;
pub mod octets;
pub mod requestor;

pub use fixture::Fixture;
pub use lqd::{Lqd, Until};
pub use need::{Need, trial};
pub use requestor::Requestor;

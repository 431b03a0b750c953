//! Choice and encoding of queries.

mod draw;
mod encode;
mod mix;
mod order;

pub(crate) use draw::{Query, QueryGenerator, QuerySource};
pub(crate) use encode::{Encoder, RELAY_INTERFACE_ID, RELAY_LINK, RELAY_PEER};
pub(crate) use mix::{Mix, Subject};
pub(crate) use order::{Order, of_link};

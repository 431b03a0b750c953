//! What is asked, and the octets that ask it.

mod draw;
mod encode;
mod mix;
mod order;

pub(crate) use draw::{Draw, Query, Source};
pub(crate) use encode::{Encoder, RELAY_INTERFACE_ID, RELAY_LINK, RELAY_PEER};
pub(crate) use mix::{Mix, Subject};
pub(crate) use order::{Order, of_link};

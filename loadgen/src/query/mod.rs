//! What is asked, and the octets that ask it.

mod draw;
mod encode;
mod mix;

pub(crate) use draw::{Draw, Query};
pub(crate) use encode::Encoder;
pub(crate) use mix::{Mix, Subject};

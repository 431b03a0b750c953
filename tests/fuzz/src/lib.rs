//! Shared code of the fuzz targets: sample data, an engine on it, and the judge of its replies.
//!
//! A target that only looks for panics finds little in code that forbids `unsafe`; these targets compare with
//! models that are too simple to be wrong in the same way. The model of the network is a list of leases and
//! links, searched linearly ([`Sample`]); the judge of replies ([`judge()`]) parses both messages itself and
//! uses that model.
#![forbid(unsafe_code)]

mod judge;
mod lease;
mod question;
mod relay;
mod rig;
mod sample;

pub use judge::judge;
pub use lease::OwnedLease;
pub use rig::{Answer, Rig, SOURCE};
pub use sample::{NOW, Sample};

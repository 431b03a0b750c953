//! What the fuzz targets share: sample data, an engine around it, and the judge of its replies.
//!
//! A target that only looks for panics finds little in code that forbids `unsafe`; these compare with models
//! that are too simple to be wrong in the same way. The model of the network is a list of leases and links,
//! searched from end to end ([`Sample`]); the judge of replies ([`judge()`]) walks both messages on its own
//! and asks that model.
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

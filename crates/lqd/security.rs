//! Restriction of the process to the rights that it needs: capabilities, landlock, seccomp.

mod capabilities;
mod landlock;
mod sandbox;
mod seccomp;

pub(crate) use sandbox::{AdminNeeds, Reach, Sandbox, beside_link_targets, folders, folders_or_devices};

//! `lq`, the requestor, with `lqd` and with misbehaving servers.

mod answers;
mod bulk;
mod command_line;
mod faults;
mod file;
mod follow;
mod follow_lqd;
mod groups;
mod lease_checks;
mod networks;
pub mod proxy;
mod sample;
mod several;
mod unreliable;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [
        answers::trials,
        bulk::trials,
        command_line::trials,
        faults::trials,
        file::trials,
        follow::trials,
        follow_lqd::trials,
        groups::trials,
        lease_checks::trials,
        networks::trials,
        several::trials,
        unreliable::trials,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}

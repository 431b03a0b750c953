//! Address space for one generation of the tables: as much as anybody needs, or a share of what `ulimit -v` leaves.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Words of an arena: 16 GiB, some 200 million leases. Its addresses could name twice as many.
const ARENA_OCTETS_MAX: u64 = 16 << 30;

/// Numbers of clients: a [`ClientId`](crate::clients::ClientId) in the loader's claims has 28 bits.
pub(crate) const CLIENT_IDS: u32 = 1 << 28;

/// Octets of the arena for each client at least: its record, and its places in two maps.
const ARENA_OCTETS_A_CLIENT: u64 = 64;

/// Octets of the arena beside what the snapshot takes: room for leases that come later.
const SPARE: u64 = 256 << 20;

/// What leases grow to before the file is loaded anew, times the text of a snapshot.
const GROWTH: u64 = 4;

/// Octets of tables, and of what loading needs beside, for each octet of text; short rows take 1.6.
const OCTETS_A_TEXT_OCTET: u64 = 2;

/// Address space for all else: code, stacks, buffers, and what a load has in hand. Where that lacks, the process aborts.
const ELSE: u64 = 64 << 20;

/// The least that is of any use.
const ARENA_OCTETS_MIN: u64 = 16 << 20;

/// Sizes of one generation's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Octets for records and maps.
    pub(crate) arena_octets: u64,
    /// Numbers for clients.
    pub(crate) clients: u32,
}

/// The index cannot hold more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The tables cannot be reserved.
    #[error(
        "address space for leases: the system refuses {mebibytes} MiB ({reason}); raise `ulimit -v` (LimitAS= of the \
         unit)"
    )]
    AddressSpace {
        /// What was wanted.
        mebibytes: u64,
        /// What the system said.
        reason: String,
    },
    /// The tables are full.
    #[error(
        "leases do not fit into the {mebibytes} MiB of address space reserved for them; raise `ulimit -v` (LimitAS= of \
         the unit), or see why there are so many"
    )]
    Full {
        /// What was reserved.
        mebibytes: u64,
    },
    /// What is reserved cannot be used.
    #[error(
        "memory for leases: the system refuses it ({reason}); with sysctl vm.overcommit_memory=2 raise \
         vm.overcommit_ratio or add swap space"
    )]
    Memory {
        /// What the system said.
        reason: String,
    },
}

impl NoRoom {
    /// Ends the thread: there is no way on for whoever has to write a lease. `lqd` takes this for no bug.
    pub(crate) fn give_up(self) -> ! {
        std::panic::panic_any(self)
    }
}

impl Room {
    /// For the leases that a text of so many octets comes to.
    pub(crate) fn for_text(octets: u64) -> Self {
        match available() {
            None => Self::of(ARENA_OCTETS_MAX),
            Some(available) => Self::within(available, octets),
        }
    }

    /// Of so much address space: a half at most, as the next generation is made while this one still answers, and
    /// threads need some; three quarters if the text may not fit otherwise.
    fn within(available: u64, text: u64) -> Self {
        let wanted = SPARE.saturating_add(text.saturating_mul(GROWTH));
        let needed = ARENA_OCTETS_MIN.saturating_add(text.saturating_mul(OCTETS_A_TEXT_OCTET));
        let available = available.saturating_sub(ELSE);
        let most = (available / 2).max(needed.min(available / 4 * 3));
        Self::of(wanted.min(most).clamp(ARENA_OCTETS_MIN, ARENA_OCTETS_MAX))
    }

    fn of(arena_octets: u64) -> Self {
        let clients = u32::try_from(arena_octets / ARENA_OCTETS_A_CLIENT).unwrap_or(u32::MAX);
        Self { arena_octets, clients: clients.min(CLIENT_IDS) }
    }
}

/// Octets of address space that the process may still take; `None` without a limit.
fn available() -> Option<u64> {
    let limit = getrlimit(Resource::As).current?;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Some(limit.saturating_sub(pages * rustix::param::page_size() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn room_goes_by_the_text_and_by_what_is_left() {
        let arena = |available: u64, text: u64| Room::within(available * MIB, text * MIB).arena_octets / MIB;
        assert_eq!(arena(100_000, 0), 256, "no more than may be needed");
        assert_eq!(arena(100_000, 100), 656);
        assert_eq!(arena(100_000, 50_000), 16 << 10, "addresses reach no further");
        assert_eq!(arena(864, 100), 400, "a half of what is left beside 64");
        assert_eq!(arena(864, 240), 496, "more, as the text needs it");
        assert_eq!(arena(864, 5_000), 600, "three quarters at most");
        assert_eq!(arena(67, 5_000), 16);
        assert_eq!(Room::within(0, u64::MAX).arena_octets, 16 * MIB);
    }

    #[test]
    fn clients_go_by_the_arena() {
        assert_eq!(Room::of(ARENA_OCTETS_MAX).clients, CLIENT_IDS);
        assert_eq!(Room::of(256 * MIB).clients, 4 << 20);
    }
}

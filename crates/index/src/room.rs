//! Address space for one generation of the tables: 16 GiB, or a share of the space that `ulimit -v` leaves.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Words of an arena: 16 GiB, some 200 million leases. Its addresses could name twice as many.
const ARENA_BYTES_MAX: u64 = 16 << 30;

/// Numbers of clients: a [`ClientId`](crate::clients::ClientId) in the loader's claims has 28 bits.
pub(crate) const CLIENT_IDS: u32 = 1 << 28;

/// Bytes of the arena for each client at least: its record, and its slots in two maps.
const ARENA_BYTES_A_CLIENT: u64 = 64;

/// Bytes of the arena beyond those of the snapshot: room for leases that come later.
const SPARE: u64 = 256 << 20;

/// Growth of the leases before the next load, times the text of a snapshot.
const GROWTH: u64 = 4;

/// Bytes of tables and of loading for each byte of text; short rows take 1.6.
const BYTES_A_TEXT_BYTE: u64 = 2;

/// Address space for all else: code, stacks, buffers, rows being loaded. Without it the process aborts.
const ELSE: u64 = 64 << 20;

/// Least useful size.
const ARENA_BYTES_MIN: u64 = 16 << 20;

/// Sizes of one generation's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes for records and maps.
    pub(crate) arena_bytes: u64,
    /// Numbers for clients.
    pub(crate) clients: u32,
}

/// The index cannot hold more leases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoomError {
    /// The tables cannot be reserved.
    #[error(
        "address space for leases: the system refuses {mebibytes} MiB ({reason}); raise `ulimit -v` (LimitAS= of the \
         unit)"
    )]
    AddressSpace {
        /// Size wanted.
        mebibytes: u64,
        /// Reason given by the system.
        reason: String,
    },
    /// The tables are full.
    #[error(
        "leases do not fit into the {mebibytes} MiB of address space reserved for them; raise `ulimit -v` (LimitAS= of \
         the unit), or see why there are so many"
    )]
    Full {
        /// Size reserved.
        mebibytes: u64,
    },
    /// The system refuses memory for reserved tables.
    #[error(
        "memory for leases: the system refuses it ({reason}); with sysctl vm.overcommit_memory=2 raise \
         vm.overcommit_ratio or add swap space"
    )]
    Memory {
        /// Reason given by the system.
        reason: String,
    },
}

impl NoRoomError {
    /// Ends the thread: no further lease can be written. `lqd` reports this as an error, not as a bug.
    pub(crate) fn give_up(self) -> ! {
        std::panic::panic_any(self)
    }
}

impl Room {
    /// Sizes for the leases in a text of this many bytes.
    pub(crate) fn for_text(bytes: u64) -> Self {
        // Without a limit, address space costs nothing until it is touched.
        match available() {
            None => Self::of(ARENA_BYTES_MAX),
            Some(available) => Self::within(available, bytes),
        }
    }

    /// Sizes within the address space available: a half at most, as the next generation is built while this
    /// one still answers, and threads need some; three quarters if the text may not fit otherwise.
    fn within(available: u64, text: u64) -> Self {
        let wanted = SPARE.saturating_add(text.saturating_mul(GROWTH));
        let needed = ARENA_BYTES_MIN.saturating_add(text.saturating_mul(BYTES_A_TEXT_BYTE));
        let available = available.saturating_sub(ELSE);
        // Half is left for the next generation, unless this text would not fit otherwise.
        let most = (available / 2).max(needed.min(available / 4 * 3));
        Self::of(wanted.min(most).clamp(ARENA_BYTES_MIN, ARENA_BYTES_MAX))
    }

    fn of(arena_bytes: u64) -> Self {
        // Clients are limited by memory before their numbers run out.
        let clients = u32::try_from(arena_bytes / ARENA_BYTES_A_CLIENT).unwrap_or(u32::MAX);
        Self { arena_bytes, clients: clients.min(CLIENT_IDS) }
    }
}

/// Bytes of address space that the process may still take; `None` without a limit.
fn available() -> Option<u64> {
    let limit = getrlimit(Resource::As).current?;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    // Without the file, nothing counts as taken: the reservation itself then decides.
    let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Some(limit.saturating_sub(pages * rustix::param::page_size() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn room_goes_by_the_text_and_by_what_is_left() {
        let arena = |available: u64, text: u64| Room::within(available * MIB, text * MIB).arena_bytes / MIB;
        assert_eq!(arena(100_000, 0), 256, "no more than may be needed");
        assert_eq!(arena(100_000, 100), 656);
        assert_eq!(arena(100_000, 50_000), 16 << 10, "addresses reach no further");
        assert_eq!(arena(864, 100), 400, "a half of what is left beside 64");
        assert_eq!(arena(864, 240), 496, "more, as the text needs it");
        assert_eq!(arena(864, 5_000), 600, "three quarters at most");
        assert_eq!(arena(67, 5_000), 16);
        assert_eq!(Room::within(0, u64::MAX).arena_bytes, 16 * MIB);
    }

    #[test]
    fn clients_go_by_the_arena() {
        assert_eq!(Room::of(ARENA_BYTES_MAX).clients, CLIENT_IDS);
        assert_eq!(Room::of(256 * MIB).clients, 4 << 20);
    }
}

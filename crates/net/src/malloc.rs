//! The allocator where address space is limited (`ulimit -v`).

/// Has all threads allocate from one arena, where the C library is glibc: each arena of its own takes 64 MiB of address
/// space, which a process with a limit needs for leases. Nothing on the packet path allocates.
///
/// Call it before threads start.
pub fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator, which is allowed at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

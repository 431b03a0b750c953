//! Settings of the C library's allocator for a limited address space (`ulimit -v`).

/// Makes all threads share one arena of glibc: a separate arena takes 64 MiB of address space, which a
/// process with a limit needs for leases. The packet path does not allocate.
///
/// Call it before threads start.
pub fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator, which is allowed at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

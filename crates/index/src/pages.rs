//! Address space for the large tables: reserved once, backed with memory as it is touched, in huge pages.
//!
//! A table in one piece instead of a list of chunks: a look-up finds a word by one addition, and the system can back
//! the table with pages of 2 MiB. Look-ups go to places that no cache foresees; with pages of 4 KiB nearly each would
//! wait for the page tables too.
#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Octets of a huge page.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// How often the wish for address space is halved before giving up.
const HALVINGS_MAX: u32 = 5;

/// What tables consist of: any octets are a valid value, and it may change behind a shared reference.
pub(crate) trait Word {}
impl Word for AtomicU32 {}
impl Word for AtomicU64 {}

/// Zeroed words, in one private anonymous mapping that begins at a huge page.
///
/// I1. `words` is aligned and begins `len` words that lie in the mapping, zeroed when it was made.
/// I2. The mapping lasts until `Drop`, and only shared references to its words are given out, none for longer than
///     the borrow of `self`.
pub(crate) struct Pages<T> {
    mapping: NonNull<u8>,
    mapping_len: usize,
    words: NonNull<T>,
    len: usize,
}

// SAFETY: one owner, bound to no thread; the words are atomics.
unsafe impl<T: Word> Send for Pages<T> {}
// SAFETY: shared references give access to atomics only (I2).
unsafe impl<T: Word> Sync for Pages<T> {}

impl<T: Word> Pages<T> {
    /// Room for this many words. It costs memory as it is touched.
    ///
    /// A system that counts address space as if it were memory (`vm.overcommit_memory=2`, `ulimit -v`) may refuse so
    /// much; then it is a half, a quarter … of it.
    ///
    /// # Panics
    /// The system gives not even that.
    pub(crate) fn reserve(len: usize) -> Self {
        let attempts = (0..=HALVINGS_MAX).map(|halvings| Self::map(len >> halvings));
        attempts.flatten().next().expect(
            "the system refuses address space for the index; raise `ulimit -v` (LimitAS=) or set vm.overcommit_memory=0",
        )
    }

    fn map(len: usize) -> rustix::io::Result<Self> {
        let mapping_len = len * size_of::<T>() + HUGE_PAGE;
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a fresh anonymous mapping at an address the kernel chooses touches no memory of ours.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), mapping_len, prot, flags) }?.cast::<u8>();
        let mapping = NonNull::new(mapping).ok_or(rustix::io::Errno::NOMEM)?;
        let skipped = mapping.align_offset(HUGE_PAGE);
        // SAFETY: less than HUGE_PAGE is skipped, so that the result and `len` words from there lie in the mapping.
        let words = unsafe { mapping.add(skipped) };
        // SAFETY: the range is ours, and the advice changes nothing that a program could see. A kernel without huge
        // pages refuses it, which does no harm.
        let _ = unsafe { madvise(words.as_ptr().cast(), len * size_of::<T>(), Advice::LinuxHugepage) };
        Ok(Self { mapping, mapping_len, words: words.cast(), len })
    }
}

impl<T: Word> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: I1; zeroes are valid words, and nobody writes to them but as atomics (I2).
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping, and no reference to it is left (I2).
        let unmapped = unsafe { munmap(self.mapping.as_ptr().cast(), self.mapping_len) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn words_are_zeroed_kept_and_begin_at_a_huge_page() {
        let pages = Pages::<AtomicU32>::reserve(1 << 28);
        assert_eq!(pages.as_ptr().align_offset(HUGE_PAGE), 0);
        let last = pages.len() - 1;
        assert_eq!((pages[0].load(Ordering::Relaxed), pages[last].load(Ordering::Relaxed)), (0, 0));
        pages[last].store(7, Ordering::Relaxed);
        assert_eq!(pages[last].load(Ordering::Relaxed), 7);
    }
}

//! Address space for the large tables: reserved once, made usable as tables grow, backed with memory as it is
//! touched, in huge pages.
//!
//! Reserved memory that is not usable yet (PROT_NONE) counts for no limit on memory, not even with
//! `vm.overcommit_memory=2`. It does count for `ulimit -v`; see [`crate::room`].
//!
//! A table is one piece instead of a list of chunks: a lookup finds a word by one addition, and the system
//! can back the table with pages of 2 MiB. With pages of 4 KiB nearly every lookup would wait for the page
//! tables, too.
//!
//! `lqd-net` has mappings of its own: fixed in size, addressed by raw pointers that the kernel writes
//! through.
#![allow(unsafe_code)]

use std::ops::{Deref, Range};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::room::NoRoomError;

/// Bytes of a huge page.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Bytes of a small page.
const PAGE: usize = 4 << 10;

/// Bytes made usable at a time: a system call for each 200,000 leases.
const STEP: usize = 16 << 20;

/// Element of tables: any bytes are a valid value, and it may change behind a shared reference.
pub(crate) trait Word {}
impl Word for AtomicU32 {}
impl Word for AtomicU64 {}

/// Zeroed words, in one private anonymous mapping that begins at a huge page.
///
/// Words that are not [committed](Self::commit) must not be touched: the process would end by SIGSEGV.
///
/// I1. `words` is aligned and begins `len` words that lie in the mapping, zeroed when it was made. I2. The
/// mapping lasts until `Drop`, and only shared references to its words are given out, none for longer than
///     the borrow of `self`.
pub(crate) struct Pages<T> {
    mapping: NonNull<u8>,
    mapping_len: usize,
    words: NonNull<T>,
    len: usize,
    /// Words that are usable.
    committed: AtomicUsize,
    /// Held while more are made so: in order, so that they stay one mapping.
    committing: Mutex<()>,
}

// SAFETY: one owner, bound to no thread; the words are atomics.
unsafe impl<T: Word> Send for Pages<T> {}
// SAFETY: shared references give access to atomics only (I2).
unsafe impl<T: Word> Sync for Pages<T> {}

impl<T: Word> Pages<T> {
    /// Reserves this many words, of which none is usable yet.
    ///
    /// # Panics
    /// With [`NoRoomError`] if the system refuses.
    pub(crate) fn reserve(len: usize) -> Self {
        let mebibytes = ((len * size_of::<T>()) >> 20) as u64;
        Self::map(len).unwrap_or_else(|error| {
            NoRoomError::AddressSpace { mebibytes, reason: error.to_string() }.give_up()
        })
    }

    /// Makes words before `end` usable, as far as there are any. They cost memory as they are touched.
    ///
    /// # Panics
    /// With [`NoRoomError`] if the system refuses, as with `vm.overcommit_memory=2`.
    pub(crate) fn commit(&self, end: usize) {
        // Most calls end here, without the lock.
        if end <= self.committed.load(Ordering::Acquire) {
            return;
        }
        // Threads commit in order, so that the usable part stays one mapping.
        let _guard = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have committed as much meanwhile.
        let committed = self.committed.load(Ordering::Relaxed);
        let end = end.next_multiple_of(STEP / size_of::<T>()).min(self.len);
        if end <= committed {
            return;
        }
        let (from, len) = (committed * size_of::<T>(), (end - committed) * size_of::<T>());
        let (start, flags) = (self.words.as_ptr().cast::<u8>(), MprotectFlags::READ | MprotectFlags::WRITE);
        // SAFETY: whole pages of the mapping (I1), as steps are, and the rest at its end may be; nothing else
        // is there, and threads touch them only after they see `committed`.
        let done = unsafe { mprotect(start.add(from).cast(), len, flags) };
        if let Err(error) = done {
            NoRoomError::Memory { reason: error.to_string() }.give_up();
        }
        // Release: a thread that sees the new end may touch the words before it.
        self.committed.store(end, Ordering::Release);
    }

    /// Returns the whole pages within these words to the system; they then are zero.
    ///
    /// # Panics
    /// If the range ends beyond the words.
    pub(crate) fn release(&self, words: Range<usize>) {
        assert!(words.end <= self.len, "{words:?} of {}", self.len);
        // Rounded inwards, as words beside the range are in use.
        let start = (words.start * size_of::<T>()).next_multiple_of(PAGE);
        let end = words.end * size_of::<T>() / PAGE * PAGE;
        if start < end {
            // SAFETY: from the first word, at a page's start, `start..end` are whole pages within the words
            // (I1), which are atomics and may become zero behind shared references. Where pages are larger,
            // the system refuses.
            let _ = unsafe {
                madvise(self.words.as_ptr().byte_add(start).cast(), end - start, Advice::LinuxDontNeed)
            };
        }
    }

    fn map(len: usize) -> rustix::io::Result<Self> {
        // One huge page more, as the system aligns to small pages only.
        let mapping_len = len * size_of::<T>() + HUGE_PAGE;
        // NORESERVE: the reservation alone must not count against the memory of the host.
        let (prot, flags) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a fresh anonymous mapping at an address the kernel chooses touches no memory of ours.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), mapping_len, prot, flags) }?.cast::<u8>();
        let mapping = NonNull::new(mapping).ok_or(rustix::io::Errno::NOMEM)?;
        let skipped = mapping.align_offset(HUGE_PAGE);
        // SAFETY: less than HUGE_PAGE is skipped, so that the result and `len` words from there lie in the
        // mapping.
        let words = unsafe { mapping.add(skipped) };
        // SAFETY: the range is ours, and the advice changes nothing that a program could see. A kernel
        // without huge pages refuses it, which does no harm.
        let _ = unsafe { madvise(words.as_ptr().cast(), len * size_of::<T>(), Advice::LinuxHugepage) };
        let (committed, committing) = (AtomicUsize::new(0), Mutex::new(()));
        Ok(Self { mapping, mapping_len, words: words.cast(), len, committed, committing })
    }
}

impl<T: Word> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: I1; zeroes are valid words, and they are written only as atomics (I2). The slice only says
        // where words are: those that are not usable yet are not read before they are committed.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping, and no reference to it is left (I2).
        let unmapped = unsafe { munmap(self.mapping.as_ptr().cast(), self.mapping_len) };
        // Nothing can be done about a failure here but to notice it in tests.
        debug_assert_eq!(unmapped, Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_words_are_zero_and_their_neighbours_kept() {
        let pages = Pages::<AtomicU64>::reserve(4096);
        pages.commit(4096);
        pages.iter().for_each(|word| word.store(7, Ordering::Relaxed));
        pages.release(500..2000);
        let kept = |word: usize| pages[word].load(Ordering::Relaxed) == 7;
        assert!((0..512).chain(1536..4096).all(kept));
        assert!(!(512..1536).any(kept), "pages of 4 KiB");
        pages.release(7..8);
        assert!(kept(7));
        pages[600].store(9, Ordering::Relaxed);
        assert_eq!(pages[600].load(Ordering::Relaxed), 9);
    }

    #[test]
    fn words_are_zeroed_kept_and_begin_at_a_huge_page() {
        let pages = Pages::<AtomicU32>::reserve(1 << 28);
        assert_eq!(pages.as_ptr().align_offset(HUGE_PAGE), 0);
        let last = pages.len() - 1;
        pages.commit(1);
        pages.commit(pages.len());
        assert_eq!((pages[0].load(Ordering::Relaxed), pages[last].load(Ordering::Relaxed)), (0, 0));
        pages[last].store(7, Ordering::Relaxed);
        assert_eq!(pages[last].load(Ordering::Relaxed), 7);
    }

    /// Memory that cannot be written counts for no limit, as with vm.overcommit_memory=2.
    #[test]
    fn words_are_made_usable_by_steps() {
        let pages = Pages::<AtomicU64>::reserve(1 << 28);
        let start = pages.as_ptr() as usize;
        let rights = |at: usize| {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let of = |line: &str| {
                let (range, rest) = line.split_once(' ')?;
                let (from, to) = range.split_once('-')?;
                let number = |text| usize::from_str_radix(text, 16).ok();
                (number(from)?..number(to)?).contains(&at).then(|| rest[..4].to_owned())
            };
            maps.lines().find_map(of).unwrap()
        };
        assert_eq!(rights(start), "---p");
        pages.commit(1);
        assert_eq!((rights(start + STEP - 1), rights(start + STEP)), ("rw-p".to_owned(), "---p".to_owned()));
        pages.commit(STEP / 8 + 1);
        let next = (rights(start + 2 * STEP - 1), rights(start + 2 * STEP));
        assert_eq!(next, ("rw-p".to_owned(), "---p".to_owned()));
        pages.commit(1);
        pages.commit(usize::MAX / 2);
        assert_eq!(rights(start + pages.len() * 8 - 1), "rw-p");
    }
}

//! Memory at a fixed address, which the kernel reads and writes outside the borrow checker's view.

use std::io;
use std::ptr::NonNull;

/// A private anonymous mapping: page-aligned, zeroed; a page costs no memory before it is touched.
///
/// A `Box<[u8]>` would do for the size, but passing a pointer into a box to the kernel and then borrowing the
/// box again violates Rust's aliasing rules; here every access starts from the raw pointer.
pub(crate) struct Pages {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping has one owner and belongs to no thread; it holds only data that the owner puts there.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps at least `len` bytes, `len` > 0.
    pub(crate) fn map(len: usize) -> io::Result<Self> {
        // SAFETY: a fresh anonymous mapping at an address the kernel chooses touches no memory of ours.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        // mmap reports failure as an address, not as null.
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Self { base, len })
    }

    /// Maps `count` zeroed elements of `T`.
    pub(crate) fn map_array<T>(count: usize) -> io::Result<Self> {
        let len = count.checked_mul(size_of::<T>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Self::map(len)
    }

    /// Requested bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Address of element `index` of the mapping seen as an array of `T`; panics when it is outside.
    pub(crate) fn element<T>(&self, index: usize) -> *mut T {
        const { assert!(align_of::<T>() <= 4096, "a mapping is aligned to a page, no more") };
        assert!(index < self.len / size_of::<T>());
        // SAFETY: `index` is inside the mapping, just checked; the mapping is one allocation.
        unsafe { self.base.as_ptr().cast::<T>().add(index) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping, which no other code unmaps; owners that lent
        // parts of it to the kernel have taken them back before they drop this.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_zeroed_and_bounded() {
        let pages = Pages::map_array::<u64>(3).unwrap();
        // Zero means that no other mapping was read.
        // SAFETY: element 2 is inside, and nothing else refers to this mapping.
        assert_eq!(unsafe { *pages.element::<u64>(2) }, 0);
        let outside = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pages.element::<u64>(3)));
        assert!(outside.is_err());
    }
}

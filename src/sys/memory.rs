//! Mappings: guarded, touched beforehand, wiped in forked children.
//!
//! Layer 1.  Plane: failure.
//!
//! What dying needs is mapped while all is well. Mapping is a system call that takes no lock of
//! ours and allocates nothing, so that even a death which nobody prepared may still try.

use core::ptr;

use crate::sync::{AtomicUsize, Ordering::*};

/// Memory of our own, a whole number of pages, readable and writable. Its guards, if it has any,
/// lie outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mapping {
    /// Its first byte.
    pub(crate) base: usize,
    /// How many bytes.
    pub(crate) len: usize,
}

impl Mapping {
    /// The address past its last byte: where a stack in it begins.
    pub(crate) const fn end(self) -> usize {
        self.base + self.len
    }
}

/// Where a mapping that is made once can be found, from any thread and any signal handler.
pub(crate) struct Known {
    base: AtomicUsize,
    len: AtomicUsize,
}

impl Known {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { base: AtomicUsize::new(0), len: AtomicUsize::new(0) }
    }

    /// Makes it known.
    pub(crate) fn set(&self, mapping: Mapping) {
        // ORDER: Relaxed; published by the next line.
        self.base.store(mapping.base, Relaxed);
        // ORDER: Release, with the Acquire of `get`: who sees the length sees the base.
        self.len.store(mapping.len, Release);
    }

    /// The mapping, if it was made.
    pub(crate) fn get(&self) -> Option<Mapping> {
        // ORDER: Acquire, with the Release of `set`.
        let len = self.len.load(Acquire);
        // ORDER: Relaxed; see above.
        (len != 0).then(|| Mapping { base: self.base.load(Relaxed), len })
    }
}

/// The size of a page.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: no preconditions; every kernel gives AT_PAGESZ.
    unsafe { libc::getauxval(libc::AT_PAGESZ) as usize }
}

/// `bytes`, up to a whole number of pages.
pub(crate) fn whole_pages(bytes: usize) -> usize {
    bytes.next_multiple_of(page_bytes())
}

/// Maps `bytes` (up to whole pages) of zeroes.
pub(crate) fn map(bytes: usize) -> Option<Mapping> {
    let len = whole_pages(bytes);
    let base = map_with(len, libc::PROT_READ | libc::PROT_WRITE)?;
    Some(Mapping { base, len })
}

/// Maps `bytes` (up to whole pages) of zeroes, of which few will be touched.
pub(crate) fn map_sparse(bytes: usize) -> Option<Mapping> {
    let mapping = map(bytes)?;
    let at = ptr::with_exposed_provenance_mut(mapping.base);
    // SAFETY: a mapping of ours. A huge page would make much of it present at the first touch; if
    // the kernel has none, so much the better.
    unsafe { libc::madvise(at, mapping.len, libc::MADV_NOHUGEPAGE) };
    Some(mapping)
}

/// Gives the memory of zeroes back, in the middle of a mapping of ours; they stay zeroes.
///
/// # Safety
///
/// Whole pages of such a mapping, that hold nothing but zeroes, and to which nobody writes
/// meanwhile.
pub(crate) unsafe fn empty(base: usize, len: usize) {
    // SAFETY: the caller's promise. If it is refused, the memory stays.
    unsafe { libc::madvise(ptr::with_exposed_provenance_mut(base), len, libc::MADV_DONTNEED) };
}

/// Gives a mapping of `map_sparse` back.
///
/// # Safety
///
/// It comes from `map_sparse`, was not given back, and nobody uses it any more.
pub(crate) unsafe fn unmap_sparse(mapping: Mapping) {
    unmap(mapping.base, mapping.len);
}

/// Maps `bytes` (up to whole pages) of zeroes, between two pages that nobody may touch.
pub(crate) fn map_guarded(bytes: usize) -> Option<Mapping> {
    let (page, len) = (page_bytes(), whole_pages(bytes));
    let base = map_with(len + 2 * page, libc::PROT_NONE)? + page;
    let inner = ptr::with_exposed_provenance_mut(base);
    // SAFETY: within the mapping just made, which nobody else knows.
    if unsafe { libc::mprotect(inner, len, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
        unmap(base - page, len + 2 * page);
        return None;
    }
    Some(Mapping { base, len })
}

/// Gives a mapping of `map_guarded` back, its guards included.
///
/// # Safety
///
/// * `mapping` comes from `map_guarded` and was not given back.
/// * Nobody uses it any more; it is no thread's stack.
pub(crate) unsafe fn unmap_guarded(mapping: Mapping) {
    let page = page_bytes();
    unmap(mapping.base - page, mapping.len + 2 * page);
}

/// Has the kernel give forked children zeroes in place of what is here. `false` before Linux 4.14.
pub(crate) fn wipe_on_fork(mapping: Mapping) -> bool {
    let at = ptr::with_exposed_provenance_mut(mapping.base);
    // SAFETY: a whole mapping of ours; what changes is only what a child sees.
    unsafe { libc::madvise(at, mapping.len, libc::MADV_WIPEONFORK) == 0 }
}

/// Makes every page present now, so that none has to be found in an emergency; and keeps it so,
/// where the limit on locked memory allows.
pub(crate) fn make_resident(mapping: Mapping) {
    // First, since it brings all pages in by one call: touching them alone takes twice as long.
    let at = ptr::with_exposed_provenance(mapping.base);
    // SAFETY: a mapping of ours. If it is refused, they are touched, but not locked.
    unsafe { libc::mlock(at, mapping.len) };
    for at in (mapping.base..mapping.end()).step_by(page_bytes()) {
        // SAFETY: within a mapping of ours that holds nothing but zeroes yet.
        unsafe { ptr::with_exposed_provenance_mut::<u8>(at).write_volatile(0) };
    }
}

/// Makes the pages of a mapping's last `bytes` present now, where a stack begins. They hold zeroes,
/// or what nobody needs any more.
pub(crate) fn make_end_resident(mapping: Mapping, bytes: usize) {
    let pages = whole_pages(bytes).min(mapping.len);
    for at in (mapping.end() - pages..mapping.end()).step_by(page_bytes()) {
        // SAFETY: within a mapping of ours, of which nobody needs what is there.
        unsafe { ptr::with_exposed_provenance_mut::<u8>(at).write_volatile(0) };
    }
}

/// Whether the byte at `address` can be read. (On the first thread's stack, looking makes it grow.)
pub(crate) fn is_readable(address: usize) -> bool {
    // The kernel reads the mask before it looks at what to do with it, which is nothing it knows.
    let word = ptr::with_exposed_provenance::<u64>(address & !7);
    let (nothing, how) = (ptr::null_mut::<u64>(), -1);
    // SAFETY: the kernel checks the address; no mask is changed.
    let done =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, word, nothing, size_of::<u64>()) };
    done == 0 || super::process::errno() != libc::EFAULT
}

fn map_with(len: usize, access: i32) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping where the kernel likes; nothing that exists is touched.
    let at = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
    (at != libc::MAP_FAILED).then(|| at.expose_provenance())
}

fn unmap(base: usize, len: usize) {
    // SAFETY: all callers give a whole mapping of ours that is no longer in use.
    unsafe { libc::munmap(ptr::with_exposed_provenance_mut(base), len) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_on_both_sides() {
        let mapping = map_guarded(3 * page_bytes() - 1).unwrap();
        assert_eq!(mapping.len, 3 * page_bytes());
        make_resident(mapping);
        let inside = [mapping.base, mapping.end() - 1];
        let outside = [mapping.base - 1, mapping.end()];
        assert_eq!(inside.map(is_readable), [true; 2]);
        assert_eq!(outside.map(is_readable), [false; 2]);
        // SAFETY: made above, used by nobody.
        unsafe { unmap_guarded(mapping) };
        assert!(!is_readable(mapping.base));
    }
}

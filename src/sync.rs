//! The only door to atomics: those of `core`, or loom's in a model.
//!
//! Layer 0.  Plane: data.
//!
//! Everything concurrent in the crate is written against this module, so that the models in
//! `ledger` and `terminate::election` run the code that ships, not a copy of it. One operation is
//! in assembly: Rust has no addition that is one instruction and not a locked one.

#[cfg(not(loom))]
#[allow(unused_imports, reason = "a door lists what may pass, not what passes today")]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    AtomicUsize, Ordering, compiler_fence, fence,
};
#[cfg(loom)]
#[allow(unused_imports, reason = "a door lists what may pass, not what passes today")]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    AtomicUsize, Ordering, fence,
};

/// Adds to a word that the calling thread alone writes, and returns the sum; it wraps. No locked
/// instruction. On x86-64 one instruction, so that a signal handler on top of this thread, which
/// adds to the word or changes it under a lock, comes before or after; elsewhere it may come in
/// between, and be undone.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn add_own(word: &AtomicIsize, delta: isize) -> isize {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    {
        let mut before = delta;
        // ORDER: as strong as Release, on x86-64, and against the compiler, since it may touch all
        // memory.
        // SAFETY: the word is there, has interior mutability, and is this thread's.
        unsafe {
            core::arch::asm!(
                "xadd qword ptr [{word}], {before}",
                word = in(reg) word.as_ptr(),
                before = inout(reg) before,
                options(nostack),
            );
        }
        before.wrapping_add(delta)
    }
    #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
    {
        // ORDER: Relaxed. The thread reads what it wrote itself, or what it wrote under a lock.
        let sum = word.load(Ordering::Relaxed).wrapping_add(delta);
        // ORDER: Release: who sees the sum sees what came before. Who reads it says why.
        word.store(sum, Ordering::Release);
        sum
    }
}

/// A word that only the holder of a lock touches.
///
/// Outside models it is an atomic, so that a wrong use is a wrong number and never undefined
/// behaviour, and so that a report written while the lock is held elsewhere can still read it. In
/// a model it is a plain cell: the lock already orders its accesses, and every atomic access would
/// multiply the interleavings that loom has to try.
#[derive(Default)]
pub(crate) struct Guarded(Cell);

#[cfg(not(loom))]
type Cell = AtomicIsize;
#[cfg(loom)]
type Cell = core::cell::Cell<isize>;

// SAFETY: in a model the ledger's lock is held around each access (it is a loom mutex, which loom
// itself checks), so two threads never touch the cell at once.
#[cfg(loom)]
unsafe impl Sync for Guarded {}

impl Guarded {
    /// A word that holds `value`.
    pub(crate) const fn new(value: isize) -> Self {
        Self(Cell::new(value))
    }

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn get(&self) -> isize {
        // ORDER: Relaxed. The lock orders this access; a racy reader wants any recent value.
        self.0.load(Ordering::Relaxed)
    }

    #[cfg(loom)]
    pub(crate) fn get(&self) -> isize {
        self.0.get()
    }

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn set(&self, value: isize) {
        // ORDER: Relaxed. As in `get`.
        self.0.store(value, Ordering::Relaxed)
    }

    #[cfg(loom)]
    pub(crate) fn set(&self, value: isize) {
        self.0.set(value)
    }

    /// Adds `delta`, and returns the sum.
    #[inline]
    pub(crate) fn add(&self, delta: isize) -> isize {
        let sum = self.get() + delta;
        self.set(sum);
        sum
    }
}

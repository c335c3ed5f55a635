//! The only door to atomics: those of `core`, or loom's in a model.
//!
//! Layer 0.  Plane: data.
//!
//! Everything concurrent in the crate is written against this module, so that the models in
//! `ledger` and `terminate::election` run the code that ships, not a copy of it.

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

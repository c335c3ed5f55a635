//! Asking without dying.
//!
//! Layer 6.  Plane: data.

use crate::cause::Cause;
use crate::ledger::Figures;
use crate::sync::Ordering::Relaxed;
use crate::thread::{Record, record};

use super::abort;

/// Runs `f`; inside it, on this thread, a request that is over the budget or that the inner
/// allocator refuses gets null, as without this crate, so that `try_reserve` can fail.
///
/// Only *fallible* code belongs inside. Where infallible code (`Vec::push`, `Box::new`) gets null,
/// the standard library aborts the process; as long as `f` has not returned, the line and the
/// report then name the request that got null last. It nests, and is not inherited by threads that
/// `f` starts. Stack overflow ends the process as ever.
///
/// # Cost
///
/// Three words of thread-local memory are written. The first null of a process installs a handler
/// for SIGABRT, which hands on what does not concern it.
///
/// # Panics
///
/// Where `f` does.
///
/// # Examples
///
/// ```
/// use failfast_alloc::{FailFast, Limit, fallible};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().budget(Limit::mib(64));
///
/// let mut huge: Vec<u8> = Vec::new();
/// assert!(fallible(|| huge.try_reserve(1 << 30)).is_err());
/// assert!(fallible(|| huge.try_reserve(1 << 20)).is_ok());
/// ```
pub fn fallible<T>(f: impl FnOnce() -> T) -> T {
    struct Inside(&'static Record);
    impl Drop for Inside {
        fn drop(&mut self) {
            leave(self.0);
        }
    }
    let record = record();
    // ORDER: Relaxed. The thread's own word.
    record.fallible.store(record.fallible.load(Relaxed) + 1, Relaxed);
    let _inside = Inside(record);
    f()
}

fn leave(record: &Record) {
    // ORDER: Relaxed, all. The thread's own words.
    record.fallible.store(record.fallible.load(Relaxed) - 1, Relaxed);
    record.null.size.store(0, Relaxed);
}

/// Whether the thread is inside [`fallible`].
pub(super) fn is_inside(record: &Record) -> bool {
    // ORDER: Relaxed. The thread's own word.
    record.fallible.load(Relaxed) != 0
}

/// Remembers a request that is about to be answered with null, in case the caller cannot take it.
pub(super) fn note(record: &Record, cause: Cause, size: usize, align: usize, figures: Figures) {
    // ORDER: Relaxed, all. The thread's own words.
    record.null.size.store(size, Relaxed);
    record.null.align.store(align, Relaxed);
    record.null.live.store(figures.live as usize, Relaxed);
    record.null.peak.store(figures.peak as usize, Relaxed);
    record.null.of.store(figures.of.expose_provenance(), Relaxed);
    record.null.why.store(if cause == Cause::AllocatorRefused { 2 } else { 1 }, Relaxed);
    abort::listen();
}

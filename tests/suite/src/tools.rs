//! What scenarios are made of: clusters, blocks, and tasks that are polled by hand.

use std::alloc::{GlobalAlloc, Layout, alloc, dealloc, realloc};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use failfast_alloc::{Cluster, Limit};

/// A cluster with a budget.
pub(crate) fn cluster(name: &str, budget: usize) -> Cluster {
    Cluster::builder(name).budget(Limit::bytes(budget)).build().unwrap()
}

/// One with a soft budget.
pub(crate) fn soft(name: &str, bytes: usize) -> Cluster {
    Cluster::builder(name).soft_budget(Limit::bytes(bytes)).build().unwrap()
}

/// What is live in it.
pub(crate) fn live(cluster: &Cluster) -> usize {
    cluster.usage().live
}

/// A block of the global allocator's.
pub(crate) struct Block(pub(crate) *mut u8, pub(crate) Layout);
// SAFETY: whoever has it owns it; nothing is done through a shared reference.
unsafe impl Send for Block {}

impl Block {
    pub(crate) fn new(size: usize, align: usize) -> Self {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: the size is not zero.
        let at = unsafe { alloc(layout) };
        assert!(!at.is_null() && at.addr().is_multiple_of(align));
        // SAFETY: fresh, of that size.
        unsafe { at.write_bytes(size as u8, size) };
        Self(at, layout)
    }

    pub(crate) fn resize(&mut self, size: usize) {
        let kept = size.min(self.1.size());
        let first = self.1.size() as u8;
        // SAFETY: allocated in that layout.
        self.0 = unsafe { realloc(self.0, self.1, size) };
        assert!(!self.0.is_null());
        // SAFETY: as much as was kept is readable.
        let bytes = unsafe { std::slice::from_raw_parts(self.0, kept) };
        assert!(bytes.iter().all(|byte| *byte == first), "contents");
        self.1 = Layout::from_size_align(size, self.1.align()).unwrap();
        // SAFETY: of that size.
        unsafe { self.0.write_bytes(size as u8, size) };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in that layout, freed once.
        unsafe { dealloc(self.0, self.1) }
    }
}

/// A generator of numbers that is good enough to mix sizes (xorshift64*, Vigna 2016).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// One below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Polls it once.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// The same, with nobody to wake.
pub(crate) fn poll_idle<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll(future, Waker::noop())
}

/// Counts how often it is woken, and wakes a thread.
pub(crate) struct Count(pub(crate) AtomicUsize, thread::Thread);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
        self.1.unpark();
    }
}

/// A counter, and the waker that counts.
pub(crate) fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0), thread::current()));
    (count.clone(), count.into())
}

/// Polls until the future is ready, asleep in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let (_, waker) = counting();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut(), &waker) {
            return output;
        }
        thread::park_timeout(Duration::from_secs(60));
    }
}

/// Sees whether it is dropped in the cluster of this name, and counts how often.
pub(crate) struct Witness<'a>(pub(crate) &'a str, pub(crate) &'a AtomicUsize);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        assert_eq!(Cluster::current().name(), self.0);
        self.1.fetch_add(1, Relaxed);
    }
}

/// Hands everything on to another allocator.
pub struct Shared<A: 'static>(pub &'static A);

// SAFETY: all is the other's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Shared<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }
}

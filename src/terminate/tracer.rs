//! Threads that heed no signal are stopped by a helper.
//!
//! Layer 4.  Plane: failure.
//!
//! A thread that blocks even the C library's signals by a raw system call, or takes them out of its
//! queue by one, never says that it has stopped. The kernel stops it all the same, for whoever may
//! trace it; and that must be another process. So one is made that shares our memory, as `vfork`
//! makes them, and follows orders: to seize a thread. It lives as long as the elected thread.
//!
//! * Only threads that are known not to heed signals are seized: a crash reporter's own attempt to
//!   trace them fails from then on, and the others are left to it.
//! * Should the helper end before its time, the kernel kills the process (`PTRACE_O_EXITKILL`): a
//!   thread that was counted among the halted never runs again.
//! * A thread that was seized ends in the kernel's list only when the helper has taken note. It
//!   keeps looking; when the elected thread ends, the kernel ends the helper, and with it the wait.
//! * Where the kernel refuses (no permission, Yama, a filter, no process to be had) the thread is
//!   merely not known to have stopped. A filter that *kills* on `clone` or `ptrace` has its way.

use crate::sync::{AtomicU32, Ordering::*};
use crate::sys::memory::{self, Known};
use crate::sys::{clock, clone, process, trace};

use super::page::page;

/// How many threads it can be told to seize.
const PLACES: usize = 128;

/// How often it looks what became of them, in nanoseconds: until each has answered, ...
const SOON: u64 = 200_000;
/// ... and from then on.
const LATER: u64 = 2_000_000;

/// The helper's stack.
const STACK_BYTES: usize = 16 * 1024;

static STACK: Known = Known::new();

/// The helper, and its orders. All zero while all is well.
pub(super) struct Tracer {
    /// The process that it works for.
    parent: AtomicU32,
    /// Its number; 0 if there is none.
    number: AtomicU32,
    /// Whether it was tried to make one.
    is_tried: AtomicU32,
    orders: [AtomicU32; PLACES],
    /// How many of them there are.
    ordered: AtomicU32,
}

/// Maps the helper's stack. At start.
pub(super) fn prepare() {
    if STACK.get().is_none()
        && let Some(mapping) = memory::map_guarded(STACK_BYTES)
    {
        memory::wipe_on_fork(mapping);
        memory::make_resident(mapping);
        STACK.set(mapping);
    }
}

impl Tracer {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            parent: AtomicU32::new(0),
            number: AtomicU32::new(0),
            is_tried: AtomicU32::new(0),
            orders: [const { AtomicU32::new(0) }; PLACES],
            ordered: AtomicU32::new(0),
        }
    }

    /// Has `thread` seized, unless that was ordered before; `halted` tells when it has stopped.
    /// Only the elected thread.
    pub(super) fn order(&'static self, thread: u32) {
        // ORDER: Relaxed, both. The elected thread's own words.
        let ordered = self.ordered.load(Relaxed) as usize;
        let mut before = self.orders.iter().take(ordered);
        if before.any(|order| order.load(Relaxed) == thread) || !self.is_there() {
            return;
        }
        let Some(place) = self.orders.get(ordered) else { return };
        place.store(thread, Relaxed); // ORDER: Relaxed, published by the next.
        // ORDER: Release, with the Acquire of `follow`.
        self.ordered.store(ordered as u32 + 1, Release);
        clock::wake(&self.ordered, 1);
    }

    /// Whether there is a helper; makes one, once.
    fn is_there(&'static self) -> bool {
        // ORDER: Relaxed, all. The elected thread's own words; the helper is made after them.
        if self.is_tried.swap(1, Relaxed) == 0
            && let Some(stack) = STACK.get()
        {
            self.parent.store(process::pid(), Relaxed);
            // SAFETY: the mapping is nobody else's, and this happens once; `follow` uses no
            // thread-local storage.
            if unsafe { clone::process(stack, follow, &self.number) } {
                trace::consent_to(self.number.load(Relaxed));
            }
        }
        // ORDER: Relaxed. The kernel has written it before the helper existed.
        self.number.load(Relaxed) != 0
    }
}

/// What the helper does.
unsafe extern "C" fn follow() -> ! {
    trace::block_all_signals();
    let page = page();
    let tracer = &page.tracer;
    // ORDER: Relaxed. Written before the helper was made.
    if !trace::end_with_parent(tracer.parent.load(Relaxed)) {
        trace::end();
    }
    let (mut followed, mut waiting) = (0, 0_u32);
    loop {
        // ORDER: Acquire, with the Release of `order`.
        let ordered = tracer.ordered.load(Acquire);
        for order in tracer.orders.iter().take(ordered as usize).skip(followed as usize) {
            // ORDER: Relaxed, after the Acquire.
            waiting += u32::from(trace::seize(order.load(Relaxed)));
        }
        followed = ordered;
        while let Some(answer) = trace::answer() {
            waiting = waiting.saturating_sub(1);
            if let trace::Answer::Stopped(thread) = answer {
                page.halted.stop_traced(thread);
            }
        }
        let pause = if waiting > 0 { SOON } else { LATER };
        clock::wait(&tracer.ordered, ordered, Some(clock::now() + pause));
    }
}

//! The allocator.
//!
//! Layer 6.  Plane: data.
//!
//! Each method charges or refunds on the fast path (`hot`), calls the inner allocator, and looks at
//! what it returned. Everything else is out of line, in `slow`: a call that is diverted does the
//! whole of its work there, so that the fast path keeps nothing for it.

mod abort;
mod block;
pub(crate) mod budgets;
#[cfg(feature = "c-threads")]
mod c_threads;
pub(crate) mod clusters;
pub(crate) mod entered;
mod fallible;
mod fork;
mod hot;
mod inside;
mod machine;
mod malloc;
mod owners;
mod refused;
mod resized;
mod seat;
mod slow;
pub(crate) mod start;
mod usage;

use core::alloc::{GlobalAlloc, Layout};
use core::time::Duration;

pub use fallible::fallible;
pub use malloc::Malloc;
pub(crate) use usage::of as usage_of;
pub use usage::{Usage, usage};

use crate::config::{AbortMode, Config, Limit, Mode, ReportTo};
use crate::ledger::Hot;
use crate::thread::record;
use machine::LEDGER;
use slow::{Admit, Entry};

/// A global allocator that ends the process at the first allocation that fails.
///
/// Declared as the global allocator it needs no call in `main`. Every block is charged to the
/// budget by its `Layout::size()`, in any thread, exact to the byte; a request that does not fit,
/// or that the inner allocator refuses, ends the process by the crate's one way to die: a line on
/// standard error, a report, the abort hook, SIGABRT. It never returns null, except inside
/// [`fallible()`].
///
/// The builder's values are the defaults of this program; the environment overrides them (see the
/// crate's documentation for the variables), unless [`ignore_env`](Self::ignore_env) is given.
///
/// All `FailFast` values of a process share one ledger and one configuration: the first that is
/// reached configures, which is the global allocator if there is one. Another one that asks for
/// something else is an error: one line, and exit status 78.
///
/// # Cost
///
/// A charge is seven instructions, a refund five, none of them an atomic read-modify-write; no byte
/// is added to any block.
///
/// # Examples
///
/// ```
/// use failfast_alloc::{FailFast, Limit};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system().budget(Limit::mib(512));
///
/// let kept = vec![0_u8; 1 << 20];
/// assert!(failfast_alloc::usage().live >= kept.len());
/// ```
#[derive(Debug)]
pub struct FailFast<A = Malloc> {
    inner: A,
    config: Config,
    /// Zero while the builder has set nothing; else a digest of what it has set.
    asks: u64,
}

impl FailFast<Malloc> {
    /// Over the C library's `malloc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use failfast_alloc::FailFast;
    ///
    /// #[global_allocator]
    /// static ALLOC: FailFast = FailFast::system();
    /// ```
    pub const fn system() -> Self {
        Self::new(Malloc)
    }
}

/// Writes the builder: each method sets one value of the configuration.
macro_rules! builder {
    ($($(#[$meta:meta])* $name:ident($arg:ident: $type:ty);)*) => {
        impl<A> FailFast<A> {
            $(
                $(#[$meta])*
                #[must_use]
                pub const fn $name(mut self, $arg: $type) -> Self {
                    self.config = self.config.$name($arg);
                    self.asks = self.config.digest();
                    self
                }
            )*
        }
    };
}

impl<A> FailFast<A> {
    /// Over any other allocator.
    ///
    /// Its methods are called with the layouts that were asked for, no more often than ours, and
    /// must not allocate through the global allocator themselves. Where one returns null, the
    /// process ends, or [`fallible()`] answers.
    ///
    /// # Examples
    ///
    /// ```
    /// use failfast_alloc::FailFast;
    /// use std::alloc::System;
    ///
    /// #[global_allocator]
    /// static ALLOC: FailFast<System> = FailFast::new(System);
    /// ```
    pub const fn new(inner: A) -> Self {
        Self { inner, config: Config::new(), asks: 0 }
    }

    /// Ignores the environment: only the builder's values count.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().budget(Limit::gib(2)).ignore_env();
    /// ```
    #[must_use]
    pub const fn ignore_env(mut self) -> Self {
        self.config = self.config.ignore_env();
        self.asks = self.config.digest();
        self
    }

    /// Whether the configuration asks for something, and has not been found to be the process's.
    /// For a static with nothing but defaults this is a constant.
    #[inline(always)]
    fn is_stranger(&self) -> bool {
        self.asks != 0 && start::is_stranger(self.asks)
    }
}

builder! {
    /// The most bytes that may be live in the process. `FAILFAST_BUDGET`; default unlimited.
    ///
    /// A percentage, and [`Limit::Auto`], are of the memory limit that is found at start.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().budget(Limit::percent(75));
    /// ```
    budget(budget: Limit);

    /// Budgets of clusters by name. `FAILFAST_CLUSTER_BUDGETS`; default none. A percentage is of
    /// the parent's budget.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast =
    ///     FailFast::system().cluster_budgets(&[("parser", Limit::mib(64))]);
    /// ```
    cluster_budgets(budgets: &'static [(&'static str, Limit)]);

    /// The most stack that a thread may use, in bytes from its top. `FAILFAST_STACK_BUDGET`;
    /// default unlimited, which is the mapped stack less the red zone. It is looked at on entry to
    /// each call of the allocator, and by [`stack::probe`](crate::stack::probe): code that does
    /// neither goes on to its guard page.
    ///
    /// At the top are also, on the first thread's stack, the arguments and the environment that the
    /// kernel has put there, and on other threads' the thread-local storage: both count.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Limit};
    /// static ALLOC: FailFast = FailFast::system().stack_budget(Limit::mib(1));
    /// ```
    stack_budget(budget: Limit);

    /// The size in bytes of the heap that the abort hook has, mapped and touched at start, outside
    /// the budget. `FAILFAST_RESERVE`; default 256 KiB.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::FailFast;
    /// static ALLOC: FailFast = FailFast::system().reserve(1 << 20);
    /// ```
    reserve(bytes: usize);

    /// How long dying may take, the abort hook included. `FAILFAST_HOOK_TIMEOUT`; default 5 s.
    ///
    /// Then the process ends, whatever the hook does; the report says `timeout`. A quarter of it,
    /// and one second at most, is for halting the other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// # use {failfast_alloc::FailFast, std::time::Duration};
    /// static ALLOC: FailFast = FailFast::system().hook_timeout(Duration::from_secs(2));
    /// ```
    hook_timeout(timeout: Duration);

    /// Where the JSON report goes. `FAILFAST_REPORT`; default nowhere.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, ReportTo};
    /// static ALLOC: FailFast =
    ///     FailFast::system().report(ReportTo::File("/var/log/server/death-%p.json"));
    /// ```
    report(to: ReportTo);

    /// The program to become instead of running the hook. `FAILFAST_EXEC`; default none.
    ///
    /// Its path is absolute; it gets no arguments. It has the same process number, fresh memory,
    /// the environment as it was at start without variables that begin with `FAILFAST_`, every
    /// signal at its default and unblocked, the standard streams, and the report on descriptor 3;
    /// no other descriptor. If `FAILFAST_EXEC_TIMEOUT` is set, SIGALRM ends it then.
    ///
    /// Whoever waits for the process sees that program's status: it should not exit with 0, which
    /// systemd and Kubernetes take for success. If it cannot be started, the hook runs.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::FailFast;
    /// static ALLOC: FailFast = FailFast::system().exec("/usr/lib/server/recover");
    /// ```
    exec(program: &'static str);

    /// Whether SIGABRT handlers of others run. `FAILFAST_ABORT`; default [`AbortMode::Chain`].
    ///
    /// A handler that was in force runs once, after the hook, on the emergency stack, while all
    /// other threads stand still, for 500 ms at most. It is told of the place that failed. Whatever
    /// it does, the process ends by SIGABRT with its default action.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{AbortMode, FailFast};
    /// static ALLOC: FailFast = FailFast::system().abort_mode(AbortMode::Plain);
    /// ```
    abort_mode(mode: AbortMode);

    /// Whether a budget that is exceeded ends the process. `FAILFAST_MODE`; default
    /// [`Mode::Enforce`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{FailFast, Mode};
    /// static ALLOC: FailFast = FailFast::system().mode(Mode::Observe);
    /// ```
    mode(mode: Mode);
}

// SAFETY:
// - Blocks are the inner allocator's, of the layout that was asked for, so its promises are ours;
//   the dying thread's come from the reserve, which is aligned, distinct, and never reused.
// - No method unwinds: what fails ends the process, or returns null.
// - Layout queries and the accounts do not depend on allocation calls being made or elided.
unsafe impl<A: GlobalAlloc> GlobalAlloc for FailFast<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_stranger() {
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_diverted::<false>(layout, Entry::Stranger(self.asks)) };
        }
        if !hot::charge(layout.size(), layout.align()) {
            // SAFETY: the caller's contract.
            return unsafe { inside::alloc::<A, false>(layout.size(), layout.align(), self) };
        }
        // SAFETY: the caller's contract.
        let block = unsafe { self.inner.alloc(layout) };
        if block.is_null() {
            return refused::inner_refused();
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.is_stranger() {
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_diverted::<true>(layout, Entry::Stranger(self.asks)) };
        }
        if !hot::charge(layout.size(), layout.align()) {
            // SAFETY: the caller's contract.
            return unsafe { inside::alloc::<A, true>(layout.size(), layout.align(), self) };
        }
        // SAFETY: the caller's contract.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        if block.is_null() {
            return refused::inner_refused();
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        match hot::refund(layout.size()) {
            Hot::Done => {
                // SAFETY: the caller's contract.
                unsafe { self.inner.dealloc(ptr, layout) }
            }
            Hot::Entered => {
                // SAFETY: the caller's contract.
                unsafe { self.dealloc_entered(ptr, layout) }
            }
            Hot::Diverted => {
                // SAFETY: the caller's contract.
                unsafe { inside::dealloc(ptr, layout.size(), layout.align(), self) }
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size > layout.size() {
            // SAFETY: the caller's contract.
            unsafe { self.grow(ptr, layout, new_size) }
        } else {
            // SAFETY: the caller's contract.
            unsafe { self.shrink(ptr, layout, new_size) }
        }
    }
}

/// The two ways of `realloc`, and what each method does off the fast path.
///
/// # Safety
///
/// Of each: that of the method it belongs to.
impl<A: GlobalAlloc> FailFast<A> {
    /// Charges the difference before the inner allocator is asked.
    #[inline(always)]
    unsafe fn grow(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !hot::charge_growth(new_size - layout.size(), layout.align()) {
            // SAFETY: the caller's contract.
            return unsafe { self.grow_diverted(ptr, layout, new_size) };
        }
        // SAFETY: the caller's contract.
        let block = unsafe { self.inner.realloc(ptr, layout, new_size) };
        if block.is_null() {
            return refused::inner_refused_growth(new_size);
        }
        block
    }

    /// Refunds the difference once the inner allocator has done it.
    ///
    /// Not inlined: `realloc` would save three registers for it on each growth.
    #[inline(never)]
    unsafe fn shrink(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if LEDGER.has_clusters() || !hot::may_free() {
            // SAFETY: the caller's contract.
            return unsafe { self.shrink_diverted(ptr, layout, new_size) };
        }
        // SAFETY: the caller's contract.
        let block = unsafe { self.inner.realloc(ptr, layout, new_size) };
        if block.is_null() {
            return refused::inner_refused_shrink(new_size, layout.align());
        }
        if !hot::refund_after(layout.size() - new_size) {
            slow::fold(&self.config);
        }
        block
    }

    /// A block of the inner allocator's.
    #[inline(always)]
    unsafe fn get<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        if ZEROED {
            // SAFETY: the caller's contract.
            unsafe { self.inner.alloc_zeroed(layout) }
        } else {
            // SAFETY: the caller's contract.
            unsafe { self.inner.alloc(layout) }
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn alloc_diverted<const ZEROED: bool>(&self, layout: Layout, entry: Entry) -> *mut u8 {
        if let Some(seat) = entered::current_seat(record()) {
            // SAFETY: the caller's contract.
            return unsafe { self.alloc_inside::<ZEROED>(seat, layout, entry) };
        }
        match slow::charge(&self.config, entry, layout.size(), layout) {
            Admit::Inner => {
                // SAFETY: the caller's contract.
                let block = unsafe { self.get::<ZEROED>(layout) };
                if block.is_null() { refused::inner_refused() } else { block }
            }
            Admit::Reserve => slow::reserved(layout), // Zero, and never reused.
            Admit::Null => core::ptr::null_mut(),
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_entered(&self, ptr: *mut u8, layout: Layout) {
        if LEDGER.has_clusters() && owners::owner_of(record(), ptr) != 0 {
            // A thread that no cluster's beginning has been told to, since it has no account yet.
            record().slot.take_back(layout.size() as isize);
            // SAFETY: the caller's contract.
            return unsafe { self.dealloc_judged(ptr, layout) };
        }
        slow::fold(&self.config);
        // SAFETY: the caller's contract.
        unsafe { self.inner.dealloc(ptr, layout) }
    }

    /// What may be a thread's first call, or too deep in its stack.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_judged(&self, ptr: *mut u8, layout: Layout) {
        if let Admit::Reserve = slow::may_free(&self.config) {
            return; // A dying thread frees nothing any more.
        }
        if inside::disown(record(), ptr, layout.size()) {
            // SAFETY: the caller's contract; the block was asked for in this layout.
            return unsafe { self.inner.dealloc(ptr, owners::widen(layout)) };
        }
        slow::refund(&self.config, layout.size());
        // SAFETY: the caller's contract.
        unsafe { self.inner.dealloc(ptr, layout) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn grow_diverted(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let difference = new_size - layout.size();
        if let Some(owner) = resized::owner_of(ptr) {
            if !resized::is_ready(record()) {
                // Armed first: a slot that has an account needs a thread that returns it.
                let _ = slow::may_free(&self.config);
            }
            LEDGER.cancel(&record().slot, difference as isize);
            // SAFETY: the caller's contract.
            return unsafe { self.grow_inside(owner, ptr, layout, new_size) };
        }
        // SAFETY: the caller promises that `new_size` is fit for a layout of this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match slow::charge(&self.config, Entry::Entered, difference, new) {
            Admit::Inner => {
                // SAFETY: the caller's contract.
                let block = unsafe { self.inner.realloc(ptr, layout, new_size) };
                if block.is_null() { refused::inner_refused_growth(new_size) } else { block }
            }
            // SAFETY: the caller's contract: the block has the old layout's size.
            Admit::Reserve => unsafe { slow::reserved_copy(ptr, layout.size(), new) },
            Admit::Null => core::ptr::null_mut(),
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn shrink_diverted(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !resized::is_ready(record())
            && let Admit::Reserve = slow::may_free(&self.config)
        {
            return ptr; // A dying thread's block may keep its size: nothing is freed any more.
        }
        if let Some(owner) = resized::owner_of(ptr) {
            // SAFETY: the caller's contract.
            return unsafe { self.shrink_inside(owner, ptr, layout, new_size) };
        }
        // SAFETY: the caller's contract.
        let block = unsafe { self.inner.realloc(ptr, layout, new_size) };
        if block.is_null() {
            return refused::inner_refused_shrink(new_size, layout.align());
        }
        slow::refund(&self.config, layout.size() - new_size);
        block
    }
}

//! A signal handler between any two instructions.
//!
//! The processor's trap flag raises SIGTRAP after each instruction of a thread. So a handler that
//! allocates, frees, enters clusters and moves their blocks comes on top of the allocator at each
//! of its instructions, and not at those that a timer happens to hit: all but those under the
//! ledger's lock, which are told by the signals that are blocked there. `SUITE_EVERY_STEP` has it
//! come at each of them; else at every seventh, beginning with another one each time.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::asm;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use failfast_alloc::{Cluster, FailFast, Limit, fallible, usage};

use crate::{Scenario, plain};

const BUDGET: &[(&str, &str)] = &[("FAILFAST_BUDGET", "4MiB")];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        env: BUDGET,
        ..plain("a_handler_at_any_instruction_allocates", || at_each_instruction(allocates))
    },
    Scenario {
        env: BUDGET,
        ..plain("a_handler_at_any_instruction_enters", || at_each_instruction(enters))
    },
    Scenario {
        env: BUDGET,
        ..plain("a_handler_at_any_instruction_frees", || at_each_instruction(frees))
    },
    Scenario {
        env: BUDGET,
        ..plain("a_handler_at_any_instruction_resizes", || at_each_instruction(resizes))
    },
    Scenario {
        env: BUDGET,
        ..plain("a_handler_at_any_instruction_charges", || at_each_instruction(charges))
    },
    Scenario { env: BUDGET, ..plain("a_handler_at_any_instruction_of_a_threads_end", thread_ends) },
];

/// Hands out addresses, and no memory: few inner allocators may be entered by a handler.
struct Places;

const PLACES: usize = 64;
const APART: usize = 4096;
const FIRST: usize = 1 << 40;

static TAKEN: [AtomicBool; PLACES] = [const { AtomicBool::new(false) }; PLACES];

// SAFETY: nobody reads or writes what it hands out; each address is one block's at a time.
unsafe impl GlobalAlloc for Places {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        let free = TAKEN.iter().position(|taken| !taken.swap(true, Relaxed)).expect("a place");
        std::ptr::without_provenance_mut(FIRST + free * APART)
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { self.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        assert!(TAKEN[(block.addr() - FIRST) / APART].swap(false, Relaxed), "freed twice");
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size.is_multiple_of(2) {
            return block;
        }
        // SAFETY: the caller's contract.
        unsafe {
            let new = self.alloc(layout);
            self.dealloc(block, layout);
            new
        }
    }
}

static OVER: FailFast<Places> = FailFast::new(Places);

struct Block(*mut u8, Layout);

impl Block {
    /// None, if it does not fit.
    fn new(size: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: not empty.
        let at = fallible(|| unsafe { OVER.alloc(layout) });
        (!at.is_null()).then_some(Self(at, layout))
    }

    fn resize(&mut self, size: usize) {
        // SAFETY: ours, in its layout.
        let at = fallible(|| unsafe { OVER.realloc(self.0, self.1, size) });
        if !at.is_null() {
            *self = Self(at, Layout::from_size_align(size, 8).unwrap());
        }
    }

    fn free(self) {
        // SAFETY: ours, in its layout.
        unsafe { OVER.dealloc(self.0, self.1) };
    }
}

/// The cluster that is interrupted, and the handler's.
fn clusters() -> &'static [Cluster; 2] {
    static CLUSTERS: OnceLock<[Cluster; 2]> = OnceLock::new();
    CLUSTERS.get_or_init(|| {
        ["ours", "theirs"].map(|name| Cluster::builder(name).budget(Limit::mib(2)).build().unwrap())
    })
}

/// What is interrupted: all that leads through the allocator, and clusters' borders.
fn work() {
    let [ours, theirs] = clusters();
    let (small, large) = (Block::new(40), Block::new(1 << 20));
    let inside = ours.run(|| {
        let mut inside = [Block::new(24), Block::new(300_000)];
        inside.iter_mut().flatten().for_each(|block| block.resize(2 * block.1.size() + 1));
        let other = theirs.run(|| Block::new(50));
        inside.into_iter().chain([other])
    });
    let mut roots = small.into_iter().chain(large);
    ours.run(|| {
        roots.next().into_iter().for_each(|mut block| {
            block.resize(3000);
            block.resize(20);
            block.free();
        });
    });
    for mut block in inside.flatten() {
        block.resize(block.1.size() + 33);
        block.resize(9);
        block.free();
    }
    drop(ours.charge_external(5000));
    roots.for_each(Block::free);
}

fn churn() {
    for size in [24, 70_000, 3 << 20] {
        Block::new(size).into_iter().for_each(Block::free);
    }
}

fn allocates() {
    churn();
}

fn enters() {
    let [ours, theirs] = clusters();
    theirs.run(churn);
    ours.run(|| theirs.run(churn));
    Cluster::root().run(churn);
}

/// The blocks that the handler has, for as many calls of it.
static KEPT: [AtomicPtr<u8>; 8] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 8];

fn keep(n: usize, size: usize) {
    let block = Block::new(size).map_or(std::ptr::null_mut(), |block| block.0);
    let layout = Layout::from_size_align(size, 8).unwrap();
    let before = KEPT[n].swap(block, Relaxed);
    if !before.is_null() {
        Block(before, layout).free();
    }
}

/// Frees what earlier calls of it have allocated, here and there: so much that folds are due.
fn frees() {
    let [ours, theirs] = clusters();
    keep(0, 100);
    keep(1, 50_000);
    theirs.run(|| keep(2, 100));
    theirs.run(|| keep(3, 50_000));
    ours.run(|| keep(4, 50_000));
}

fn frees_all() {
    for (n, size) in [100, 50_000, 100, 50_000, 50_000].into_iter().enumerate() {
        let block = KEPT[n].swap(std::ptr::null_mut(), Relaxed);
        if !block.is_null() {
            Block(block, Layout::from_size_align(size, 8).unwrap()).free();
        }
    }
}

fn resizes() {
    let [ours, theirs] = clusters();
    let blocks = [Block::new(100), theirs.run(|| Block::new(100)), ours.run(|| Block::new(100))];
    for mut block in blocks.into_iter().flatten() {
        for size in [40_001, 1 << 20, 50_001, 3] {
            block.resize(size);
        }
        theirs.run(|| block.resize(30_000));
        block.free();
    }
}

fn charges() {
    let [ours, theirs] = clusters();
    for cluster in [&Cluster::root(), ours, theirs] {
        drop(cluster.charge_external(1 << 20));
        drop(cluster.charge_external(3 << 20));
    }
    let live = usage().live;
    assert!(live <= 4 << 20 && !theirs.over_soft_budget());
}

static HANDLER: OnceLock<fn()> = OnceLock::new();
static STEPS: AtomicUsize = AtomicUsize::new(0);
static STRIDE: AtomicUsize = AtomicUsize::new(7);

extern "C" fn on_step(_: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: what the kernel gives a handler with SA_SIGINFO.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    // SAFETY: a set that the kernel wrote.
    let is_locked = unsafe { libc::sigismember(&context.uc_sigmask, libc::SIGALRM) } == 1;
    if let (Some(handler), false) = (HANDLER.get(), is_locked) {
        let step = STEPS.fetch_add(1, Relaxed);
        if step.is_multiple_of(STRIDE.load(Relaxed)) {
            handler();
        }
    }
}

/// From now on each instruction of this thread is followed by SIGTRAP, or none any more.
#[inline(always)]
fn step_by_step(on: bool) {
    let (set, keep) = if on { (0x100_u64, !0) } else { (0, !0x100_u64) };
    // SAFETY: changes the trap flag alone; the stack is as before.
    unsafe {
        asm!(
            "pushfq",
            "and qword ptr [rsp], {keep}",
            "or qword ptr [rsp], {set}",
            "popfq",
            set = in(reg) set,
            keep = in(reg) keep,
        );
    }
}

/// Has this come after each instruction that is made step by step.
fn listen(handler: fn()) {
    if std::env::var_os("SUITE_EVERY_STEP").is_some() {
        STRIDE.store(1, Relaxed);
    }
    STEPS.store(std::process::id() as usize % 7, Relaxed);
    HANDLER.get_or_init(|| handler);
    // SAFETY: a handler of the right type.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_step as extern "C" fn(_, _, _) as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, std::ptr::null_mut()), 0);
    }
}

fn at_each_instruction(handler: fn()) {
    // What is made once, is made.
    for _ in 0..2 {
        work();
        handler();
    }
    frees_all();
    let lives = || (usage().live, clusters().each_ref().map(|cluster| cluster.usage().live));
    let before = lives();
    listen(handler);
    step_by_step(true);
    work();
    step_by_step(false);
    frees_all();
    assert_eq!(lives(), before, "an interrupted call has lost bytes");
    assert!(STEPS.load(Relaxed) > 1000, "{} steps", STEPS.load(Relaxed));
}

/// The cluster that a thread has an account with, while it ends.
static ENDED_WITH: AtomicPtr<Cluster> = AtomicPtr::new(std::ptr::null_mut());

/// Allocates in that cluster, and frees elsewhere what it has.
fn uses_cluster() {
    // SAFETY: null, or a cluster that is there as long as the thread is.
    if let Some(cluster) = unsafe { ENDED_WITH.load(Relaxed).as_ref() } {
        let kept = cluster.run(|| [Block::new(100), Block::new(20_000)]);
        kept.into_iter().flatten().for_each(Block::free);
    }
}

/// Destructors of keys run in the order of the keys, and the crate's is older.
unsafe extern "C" fn last_destructor(_: *mut c_void) {
    step_by_step(false);
}

extern "C" fn ends(key: *mut c_void) -> *mut c_void {
    uses_cluster();
    // SAFETY: the key was created; the value is not null.
    unsafe { libc::pthread_setspecific(key.addr() as libc::pthread_key_t, key) };
    step_by_step(true);
    std::ptr::null_mut()
}

fn thread_ends() {
    let mut key = 0;
    // SAFETY: writable, and a destructor of the right type.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(last_destructor)) }, 0);
    let before = usage().live;
    listen(uses_cluster);
    for _ in 0..4 {
        let mut cluster = Cluster::builder("ends").budget(Limit::mib(1)).build().unwrap();
        ENDED_WITH.store(&raw mut cluster, Relaxed);
        // SAFETY: attributes and handle are initialised before they are used; the thread is joined.
        unsafe {
            let mut attributes = std::mem::zeroed();
            libc::pthread_attr_init(&mut attributes);
            // Too large for the C library's cache of stacks: it is unmapped.
            libc::pthread_attr_setstacksize(&mut attributes, 64 << 20);
            let (mut thread, key) = (0, std::ptr::without_provenance_mut(key as usize));
            assert_eq!(libc::pthread_create(&mut thread, &attributes, ends, key), 0);
            assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
        }
        ENDED_WITH.store(std::ptr::null_mut(), Relaxed);
        assert_eq!(cluster.usage().live, 0);
    }
    // Whatever they had is found.
    (0..100).for_each(|_| drop(Cluster::builder("other").build().unwrap()));
    assert_eq!(usage().live, before);
    assert!(STEPS.load(Relaxed) > 1000, "{} steps", STEPS.load(Relaxed));
}

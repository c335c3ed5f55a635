//! The four methods do what the inner allocator's do.

use std::alloc::{GlobalAlloc, Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::ffi::c_void;
use std::hint::black_box;

use failfast_alloc::{FailFast, fallible, usage};

use crate::tools::Shared;
use crate::{Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("each_method_asks_for_the_same_method", forwarded),
    plain("zeroed_memory_is_zero", zeroed),
    plain("zeroed_memory_of_the_c_library_is_not_touched", untouched),
    plain("every_alignment", alignments),
    plain("sizes_up_to_the_largest", sizes),
    plain("growth_keeps_contents_and_is_charged_by_the_difference", growth),
    plain("a_failed_realloc_changes_nothing", failed_realloc),
    plain("a_refused_shrink_changes_nothing", refused_shrink),
    plain("a_refused_shrink_as_a_threads_first_call", first_call_is_a_refused_shrink),
    plain("errno_of_the_inner_allocator_is_kept", inner_errno),
    plain("no_bytes_are_added_to_a_block", no_header),
];

/// Pages of this process that are resident, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Which methods were called, in order.
#[derive(Default)]
struct Calls(std::sync::Mutex<Vec<&'static str>>);

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Calls {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().unwrap().push("alloc");
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.0.lock().unwrap().push("alloc_zeroed");
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.0.lock().unwrap().push("dealloc");
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.0.lock().unwrap().push("realloc");
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.realloc(ptr, layout, new_size) }
    }
}

fn forwarded() {
    let calls: &'static Calls = Box::leak(Box::default());
    let over = FailFast::new(Shared(calls));
    // Hot calls, and calls that leave the fast path: the sizes exceed any lease.
    for size in [100, 64 << 20] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        let grown = Layout::from_size_align(2 * size, 8).unwrap();
        calls.0.lock().unwrap().clear();
        // SAFETY: not empty; blocks are used and freed with their layouts.
        unsafe {
            let block = over.alloc(layout);
            let block = over.realloc(block, layout, 2 * size);
            over.dealloc(over.realloc(block, grown, size), layout);
            over.dealloc(over.alloc_zeroed(layout), layout);
        }
        let expected = ["alloc", "realloc", "realloc", "dealloc", "alloc_zeroed", "dealloc"];
        assert_eq!(*calls.0.lock().unwrap(), expected);
    }
}

/// 1 GiB that is asked for as zeroed costs no memory until it is written.
fn untouched() {
    static OVER: FailFast = FailFast::system();
    let layout = Layout::from_size_align(1 << 30, 16).unwrap();
    let before = resident();
    // SAFETY: the layout is not empty; the block is read inside its bounds, and freed once.
    unsafe {
        let block = OVER.alloc_zeroed(layout);
        assert!(resident() - before < 1 << 20, "1 GiB of zeroes was touched");
        assert!([0, 4096, 1 << 29, (1 << 30) - 1].iter().all(|&i| *block.add(i) == 0));
        OVER.dealloc(block, layout);
    }
}

fn zeroed() {
    // A block that was dirty before must come back clean.
    for size in [24, 640, 40_000, 3 << 20] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: as above.
        unsafe {
            let dirty = alloc(layout);
            dirty.write_bytes(0xa5, size);
            dealloc(dirty, layout);
            let clean = alloc_zeroed(layout);
            assert!((0..size).all(|i| *clean.add(i) == 0));
            dealloc(clean, layout);
        }
    }
}

fn alignments() {
    let before = usage().live;
    for shift in 0..=21 {
        for size in [1, 7, 8, 24, 100, 5000, 70_000] {
            let layout = Layout::from_size_align(size, 1 << shift).unwrap();
            one_of_each(layout);
        }
    }
    assert_eq!(usage().live, before);
}

/// Allocates, writes, grows, shrinks, and frees.
fn one_of_each(layout: Layout) {
    let (size, align) = (layout.size(), layout.align());
    let before = usage().live;
    // SAFETY: no layout is empty; blocks are used inside their bounds, with their layouts.
    unsafe {
        for get in [alloc, alloc_zeroed] {
            let mut block = get(layout);
            assert!(block.addr().is_multiple_of(align), "{layout:?}");
            assert_eq!(usage().live, before + size);
            block.write_bytes(0x5a, size);
            block = realloc(block, layout, 3 * size);
            assert!(block.addr().is_multiple_of(align), "{layout:?}");
            assert!((0..size).all(|i| *block.add(i) == 0x5a));
            assert_eq!(usage().live, before + 3 * size);
            let larger = Layout::from_size_align(3 * size, align).unwrap();
            block = realloc(block, larger, size.div_ceil(2));
            assert!((0..size.div_ceil(2)).all(|i| *block.add(i) == 0x5a));
            assert_eq!(usage().live, before + size.div_ceil(2));
            let smaller = Layout::from_size_align(size.div_ceil(2), align).unwrap();
            dealloc(block, smaller);
        }
    }
    assert_eq!(usage().live, before);
}

fn sizes() {
    let before = usage();
    for align in [1, 8, 16, 4096, 1 << 21] {
        let most = isize::MAX as usize - (align - 1);
        for size in [most, most / 2, 1 << 50] {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the layout is not empty.
            let block = fallible(|| unsafe { black_box(alloc(layout)) });
            assert!(block.is_null(), "{layout:?}");
        }
    }
    assert_eq!(usage().live, before.live, "what was refused is still charged");
    assert!(usage().peak < 1 << 40, "what was refused counts as used");
}

fn growth() {
    let before = usage().live;
    let mut kept: Vec<u32> = Vec::new();
    for i in 0..1_000_000 {
        kept.push(i);
        if i % 1000 == 0 {
            assert_eq!(usage().live, before + 4 * kept.capacity());
        }
    }
    kept.shrink_to(10);
    assert!(kept.iter().copied().eq(0..1_000_000));
    kept.truncate(100);
    kept.shrink_to_fit();
    assert_eq!(usage().live, before + 4 * kept.capacity());
    assert!(kept.iter().copied().eq(0..100));
}

fn failed_realloc() {
    let layout = Layout::from_size_align(1000, 8).unwrap();
    // SAFETY: used inside its bounds; a failed realloc leaves the block as it was.
    unsafe {
        let block = alloc(layout);
        block.write_bytes(0x77, 1000);
        let before = usage().live;
        let grown = fallible(|| realloc(block, layout, 1 << 50));
        assert!(grown.is_null());
        assert_eq!(usage().live, before);
        assert!((0..1000).all(|i| *block.add(i) == 0x77));
        dealloc(block, layout);
        assert_eq!(usage().live, before - 1000);
    }
}

/// Refuses to shrink, and to grow beyond a page.
struct Stubborn;

// SAFETY: what it does not refuse is the system's.
unsafe impl GlobalAlloc for Stubborn {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size < layout.size() || new_size > 4096 {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.realloc(ptr, layout, new_size) }
    }
}

static STUBBORN: FailFast<Stubborn> = FailFast::new(Stubborn);

/// Runs `f` in a thread that Rust's runtime does not know, and that has called no allocator.
fn in_bare_thread(f: extern "C" fn(*mut c_void) -> *mut c_void, argument: *mut c_void) {
    // SAFETY: attributes and handle are initialised before they are used; the thread is joined.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        // Too large for the C library's cache of stacks: it is unmapped when the thread is gone.
        libc::pthread_attr_setstacksize(&mut attributes, 64 << 20);
        let mut thread = 0;
        assert_eq!(libc::pthread_create(&mut thread, &attributes, f, argument), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

extern "C" fn shrink_in_vain(block: *mut c_void) -> *mut c_void {
    let layout = Layout::from_size_align(1000, 8).unwrap();
    // SAFETY: the block is the caller's, of this layout; a refusal leaves it as it was.
    let refused = fallible(|| unsafe { STUBBORN.realloc(block.cast(), layout, 10) });
    assert!(refused.is_null());
    std::ptr::null_mut()
}

fn first_call_is_a_refused_shrink() {
    let layout = Layout::from_size_align(1000, 8).unwrap();
    let before = usage().live;
    for _ in 0..50 {
        // SAFETY: the layout is not empty; freed once.
        unsafe {
            let block = STUBBORN.alloc(layout);
            in_bare_thread(shrink_in_vain, block.cast());
            STUBBORN.dealloc(block, layout);
        }
        assert_eq!(usage().live, before);
    }
}

/// Has nothing, and says so.
struct Empty;

// SAFETY: it hands out nothing.
unsafe impl GlobalAlloc for Empty {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        // SAFETY: this thread's own word.
        unsafe { *libc::__errno_location() = libc::EDOM };
        std::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

fn inner_errno() {
    static EMPTY: FailFast<Empty> = FailFast::new(Empty);
    let layout = Layout::from_size_align(100, 8).unwrap();
    for _ in 0..3 {
        // SAFETY: the layout is not empty.
        assert!(fallible(|| unsafe { EMPTY.alloc(layout) }).is_null());
        // SAFETY: this thread's own word.
        assert_eq!(unsafe { *libc::__errno_location() }, libc::EDOM);
    }
}

fn refused_shrink() {
    let layout = Layout::from_size_align(1000, 8).unwrap();
    // SAFETY: one block of one allocator, with its layout; refusals leave it as it was.
    unsafe {
        let before = usage().live;
        let block = STUBBORN.alloc(layout);
        assert_eq!(usage().live, before + 1000);
        for new_size in [10, 8192] {
            assert!(fallible(|| STUBBORN.realloc(block, layout, new_size)).is_null());
            assert_eq!(usage().live, before + 1000);
        }
        let block = STUBBORN.realloc(block, layout, 2000);
        assert_eq!(usage().live, before + 2000);
        STUBBORN.dealloc(block, Layout::from_size_align(2000, 8).unwrap());
        assert_eq!(usage().live, before);
    }
}

/// Remembers the largest layout it was asked for.
struct Witness(std::sync::atomic::AtomicUsize);

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Witness {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.store(layout.size() << 8 | layout.align(), std::sync::atomic::Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }
}

fn no_header() {
    static WITNESS: Witness = Witness(std::sync::atomic::AtomicUsize::new(0));
    let over = FailFast::new(Shared(&WITNESS));
    for size in 1..200 {
        let layout = Layout::from_size_align(size, 4).unwrap();
        // SAFETY: the layout is not empty; freed once.
        unsafe { over.dealloc(over.alloc(layout), layout) };
        let seen = WITNESS.0.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(seen, size << 8 | 4);
    }
}
